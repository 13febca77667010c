"""Ising spin updates per second, 64 chains in a word, against mcising (Rust) in the same run.

    python benchmarks/multispin.py                       64 chains at L = 64, numba and JAX
    python benchmarks/multispin.py --size 128 --chains 1024 --json FILE

Metropolis at T_c: for mcising `sweep(n)` of its core on one chain, for deeprg `run` with `thin` = n. The
times are CPU times of all threads, so rates are per core; the least of several repeats in which the packages
take turns. On a GPU the times of JAX are wall times. The bounds, measured in the same run:

- numba: the random words. An update takes 12 digits, so at best 64/12 spins per word that 32 generators side
  by side can make when nothing else is done. (On AVX-512 xoshiro256++ takes 10 of the 15 vector instructions
  per digit; an update takes 190 in all for 8 words, 512 spins, without the copies of the neighbours.)
- JAX: the memory. A half-sweep moves 44 bytes for every 32 spins, at the rate of a large copy.

Needs mcising (pip install mcising); without it only deeprg is measured.
"""

import json
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import build_sampler
from deeprg.montecarlo.samplers._multispin_kernels import LANES, ROUNDS
from deeprg.montecarlo.samplers._numba import kernel
from deeprg.montecarlo.samplers._random import step, streams

app = cyclopts.App(help=__doc__)
console = Console()
_SECONDS = 0.3  # of one repeat, roughly
_BYTES_PER_SPIN = 44 / 32


def clock() -> float:
    """CPU seconds of this process, or wall seconds where a GPU does the work."""
    return time.perf_counter() if jax.default_backend() != "cpu" else time.process_time()


def ours(algorithm: str, size: int, chains: int) -> Callable[[int], None]:
    """A call that makes so many sweeps of all chains."""
    sampler = build_sampler(algorithm, [Ising(Lattice((size, size)), CRITICAL_TEMPERATURE)], chains)
    state = sampler.start(seed=1, order="hot")

    def run(sweeps: int) -> None:
        nonlocal state
        state = sampler.run(state, 1, sweeps, seed=1, block=sweeps).state

    run(300)
    return run


def theirs(size: int) -> Callable[[int], None] | None:
    """The same for one chain of mcising."""
    try:
        from mcising._core import IsingSimulation
    except ImportError:
        console.print("mcising is not installed: pip install mcising")
        return None
    simulation = IsingSimulation(size, 1.0, 0.0, 0.0, 0.0, 1, "metropolis")

    def run(sweeps: int) -> None:
        simulation.sweep(sweeps, temperature=CRITICAL_TEMPERATURE)

    run(300)
    return run


@kernel
@typing.no_type_check
def _generate(states, total, count):
    """`count` times 8 random words in each of LANES columns, summed up so that none can be left out."""
    for _ in range(count):
        for j in range(LANES):
            s0, s1, s2, s3 = states[j], states[LANES + j], states[2 * LANES + j], states[3 * LANES + j]
            summed = total[j]
            for _ in range(8):
                bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                summed ^= bits
            states[j], states[LANES + j], states[2 * LANES + j], states[3 * LANES + j] = s0, s1, s2, s3
            total[j] = summed


def generators() -> Callable[[int], None]:
    """A call that makes so many times 8 LANES random words."""
    states, total = np.ascontiguousarray(streams(0, 0.0, LANES, 0).T).reshape(-1), np.zeros(LANES, np.uint64)
    return lambda count: _generate(states, total, count)


def copies() -> Callable[[int], None]:
    """A call that moves so many times 512 MB."""
    x = jnp.ones(2**26, jnp.float32)
    shift = jax.jit(lambda x: x + 1)
    return lambda count: [shift(x).block_until_ready() for _ in range(count)] and None


def least(runners: dict[str, Callable[[int], None]], repeats: int) -> dict[str, float]:
    """Seconds per unit of work of each, the least of all repeats."""
    units = {}
    for name, run in runners.items():
        run(1)
        units[name] = 1
        begun = clock()
        while clock() - begun < 0.2 * _SECONDS:
            begun, units[name] = clock(), 2 * units[name]
            run(units[name])
    best = dict.fromkeys(runners, float("inf"))
    for _ in range(repeats):
        for name, run in runners.items():
            begun = clock()
            run(units[name])
            best[name] = min(best[name], (clock() - begun) / units[name])
    return best


def measure(size: int, chains: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of spin updates per second, ratios to mcising and fractions of the bounds."""
    runners = {
        "multispin": ours("multispin", size, chains),
        "bit-parallel": ours("bit-parallel", size, chains),
    }
    peer = theirs(size)
    if peer is not None:
        runners["mcising"] = peer
    best = least({**runners, "generators": generators(), "copies": copies()}, repeats)
    bounds = {
        "multispin": 64 / ROUNDS * 8 * LANES / best["generators"],
        "bit-parallel": 2**29 / best["copies"] / _BYTES_PER_SPIN,
    }
    rows = []
    for name in runners:
        spins = size**2 * (1 if name == "mcising" else chains)
        row: dict[str, Any] = {"sampler": name, "spins_per_nanosecond": spins / best[name] / 1e9}
        if peer is not None:
            row["times_mcising"] = row["spins_per_nanosecond"] * best["mcising"] / size**2 * 1e9
        row["bound"] = bounds.get(name, float("nan")) / 1e9
        row["fraction_of_bound"] = row["spins_per_nanosecond"] / row["bound"]
        rows.append(row)
    return rows


def keep(numbers: dict[str, Any], path: Path | None) -> None:
    """Write the numbers as JSON."""
    if path is not None:
        path.write_text(json.dumps(numbers, indent=1))


@app.default
def main(*, size: int = 64, chains: int = 64, repeats: int = 9, json: Path | None = None) -> None:
    """Measure and print; see above."""
    rows = measure(size, chains, repeats)
    table = Table(title=f"{size}x{size}, {chains} chains, {jax.default_backend()}")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)
    keep({"size": size, "chains": chains, "rows": rows}, json)


if __name__ == "__main__":
    app()
