"""The fast transforms of 2^n numbers on one core, against a large copy in the same run.

    python benchmarks/walsh.py                       Walsh-Hadamard and Moebius for n = 16, 18, 20, 22
    python benchmarks/walsh.py --sizes 20 --json FILE

The bound is the memory: every number is read and written once, at the rate of a copy of 512 MiB (twice that
is moved). Times are CPU times, the least of several repeats in which transforms and copy take turns; they
include the check that the values are finite and a new array for the result (from 32 MiB on, n = 22, the
system has to map it, as much work as the transform). The aim is 5 copies at n = 20.
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

from deeprg.exact.couplings import inverse_mobius, mobius, walsh_hadamard

app = cyclopts.App(help=__doc__)
console = Console()
_COPY = 1 << 26
_TRANSFORMS = {"walsh_hadamard": walsh_hadamard, "mobius": mobius, "inverse_mobius": inverse_mobius}


def cpu_seconds(call: Callable[[], Any]) -> float:
    """CPU time of one call."""
    begun = time.process_time()
    call()
    return time.process_time() - begun


@app.default
def main(
    *,
    sizes: str = "16,18,20,22",
    repeats: int = 12,
    json_file: Annotated[Path | None, cyclopts.Parameter("--json")] = None,
) -> None:
    """Microseconds of each transform and its ratio to the copy of as many numbers."""
    source, target = np.ones(_COPY), np.zeros(_COPY)
    rows = []
    for n in (int(size) for size in sizes.split(",")):
        values = np.random.default_rng(0).normal(size=1 << n)
        for transform in _TRANSFORMS.values():
            transform(values, limit=26)  # compiles
        best: dict[str, float] = {}
        for _ in range(repeats):
            copied = cpu_seconds(lambda: np.copyto(target, source)) * values.size / _COPY
            best["copy"] = min(copied, best.get("copy", np.inf))
            for name, transform in _TRANSFORMS.items():
                seconds = min(cpu_seconds(lambda: transform(values, limit=26)) for _ in range(3))  # noqa: B023
                best[name] = min(seconds, best.get(name, np.inf))
        rows.append({"n": n, **{name: 1e6 * seconds for name, seconds in best.items()}})
    table = Table("n", "copy [us]", *(f"{name} [us] (copies)" for name in _TRANSFORMS))
    for row in rows:
        cells = (f"{row[name]:.0f} ({row[name] / row['copy']:.1f})" for name in _TRANSFORMS)
        table.add_row(str(row["n"]), f"{row['copy']:.0f}", *cells)
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    app()
