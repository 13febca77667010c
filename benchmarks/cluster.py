"""Cluster updates per second on one core, against mcising (Rust) in the same run.

    python benchmarks/cluster.py                     Ising at T_c, Wolff and Swendsen-Wang, L = 32 and 128
    python benchmarks/cluster.py --sizes 64 --json FILE

Both packages update one chain of the square lattice in equilibrium, many updates per call: for mcising
`sweep(n)` of its core, for deeprg `run` with `thin` = n, conversion of the configuration included. The times
are CPU times, the least of several repeats in which the packages take turns. An update is a cluster (Wolff)
or a sweep (Swendsen-Wang).

Needs mcising (pip install mcising); without it only deeprg is measured.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
import numpy as np
from rich.console import Console
from rich.table import Table

from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import build_sampler

app = cyclopts.App(help=__doc__)
console = Console()
_SECONDS = 0.4  # of one repeat, roughly


class Ours:
    """One chain of deeprg in equilibrium."""

    def __init__(self, algorithm: str, size: int):
        self.sampler = build_sampler(
            algorithm, [Ising(Lattice((size, size)), CRITICAL_TEMPERATURE)], chains=1
        )
        self.state, _ = self.sampler.thermalise(self.sampler.start(seed=1, order="hot"), 300, seed=1)
        self.block = 0

    def __call__(self, updates: int) -> None:
        """So many updates."""
        drawn = self.sampler.run(self.state, 1, updates, seed=1, block=self.block)
        self.state, self.block = drawn.state, self.block + 1


class Theirs:
    """One chain of mcising, from an equilibrium configuration of deeprg."""

    def __init__(self, algorithm: str, spins: np.ndarray):
        from mcising._core import IsingSimulation

        name = algorithm.replace("-", "_")
        self.simulation = IsingSimulation(len(spins), 1.0, 0.0, 0.0, 0.0, 1, name)
        self.simulation.set_spins(spins)

    def __call__(self, updates: int) -> None:
        """So many updates."""
        self.simulation.sweep(updates, temperature=CRITICAL_TEMPERATURE)


def cpu_seconds(call: Callable[[int], None], updates: int) -> float:
    """CPU time of one update."""
    begun = time.process_time()
    call(updates)
    return (time.process_time() - begun) / updates


def race(algorithm: str, size: int, repeats: int) -> dict[str, Any]:
    """Microseconds per update of both packages, measured in turns."""
    ours = Ours(algorithm, size)
    runners: dict[str, Callable[[int], None]] = {"deeprg": ours}
    try:
        runners["mcising"] = Theirs(algorithm, ours.state["configurations"][0, 0])
    except ImportError:
        console.print("mcising is not installed: pip install mcising")
    counts = {name: max(int(_SECONDS / cpu_seconds(run, 100)), 100) for name, run in runners.items()}
    best = dict.fromkeys(runners, float("inf"))
    for _ in range(repeats):
        for name, run in runners.items():
            best[name] = min(best[name], cpu_seconds(run, counts[name]))
    row: dict[str, Any] = {"algorithm": algorithm, "size": size}
    row |= {f"{name}_us": 1e6 * seconds for name, seconds in best.items()}
    row |= {f"{name}_ns_per_site": 1e9 * seconds / size**2 for name, seconds in best.items()}
    if "mcising" in best:
        row["ratio"] = best["mcising"] / best["deeprg"]
    return row


def keep(rows: Any, path: Path | None) -> None:
    """Write the numbers as JSON."""
    if path is not None:
        path.write_text(json.dumps(rows, indent=1))


@app.default
def main(*, sizes: str = "32,128", repeats: int = 7, json: Path | None = None) -> None:
    """Race both packages on square lattices at T_c; `ratio` is how many times faster deeprg is."""
    rows = [
        race(algorithm, int(size), repeats)
        for algorithm in ("wolff", "swendsen-wang")
        for size in sizes.split(",")
    ]
    table = Table(title="Ising at T_c, CPU time on one core")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)
    keep(rows, json)


if __name__ == "__main__":
    app()
