"""K' of a blocked Ising lattice by enumeration of all fine states: time of the first call and of later ones.

    python benchmarks/blocking.py                         4 x 4 spins in blocks of 2 x 2, at T_c
    python benchmarks/blocking.py --shape 4,6 --json FILE

`block_exact` gives K' of every coarse state, `couplings` all of K' as spin couplings, `decompose` the three
terms. Wall times, the least of several repeats; the first call of a fresh process compiles. The aim is a
second for 4 x 4 -> 2 x 2 after compilation.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import numpy as np
from rich.console import Console
from rich.table import Table

from deeprg.exact.blocking import Decimation, Majority, Rule, Soft, block_exact, decompose
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice

app = cyclopts.App(help=__doc__)
console = Console()


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Seconds of the first call, and the least of the later ones."""
    seconds = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return seconds[0], min(seconds[1:])


@app.default
def main(
    *,
    shape: str = "4,4",
    block: int = 2,
    repeats: int = 7,
    json_file: Annotated[Path | None, cyclopts.Parameter("--json")] = None,
) -> None:
    """Print milliseconds per rule and function."""
    lattice = Lattice(tuple(int(extent) for extent in shape.split(",")))
    model, blocks = Ising(lattice, CRITICAL_TEMPERATURE), lattice.blocks(block)
    rules: dict[str, Rule] = {
        "decimation": Decimation(),
        "majority": Majority(ties="random"),
        "soft": Soft(tuple(np.linspace(1.0, 0.4, block**lattice.ndim).tolist())),
    }
    rows = []
    for name, rule in rules.items():
        calls: dict[str, Callable[[], Any]] = {
            "block_exact": lambda rule=rule: block_exact(model, blocks, rule),
            "couplings": lambda rule=rule: block_exact(model, blocks, rule).coefficients,
            "decompose": lambda rule=rule: decompose(model, blocks, rule),
        }
        for function, call in calls.items():
            first, later = timed(call, repeats)
            rows.append(
                {"rule": name, "function": function, "first_ms": 1e3 * first, "later_ms": 1e3 * later}
            )
    table = Table(
        "rule", "function", "first call [ms]", "later calls [ms]", title=f"{lattice}, blocks of {block}"
    )
    for row in rows:
        table.add_row(row["rule"], row["function"], f"{row['first_ms']:.1f}", f"{row['later_ms']:.2f}")
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    app()
