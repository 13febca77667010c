"""Time and error of tensor RG against the bond dimension, for the free energy of the infinite Ising model.

    python benchmarks/tensor.py                        at T_c: TRG at chi = 4 ... 24, HOTRG at 4 ... 12
    python benchmarks/tensor.py --temperature 2.0 --trg 8,16,32 --hotrg 8,16 --json FILE
    python benchmarks/tensor.py indicators             error of TRG against what a run can say about itself

The error is the distance to Onsager's solution, relative but for `indicators`. BLAS runs on one thread unless
OPENBLAS_NUM_THREADS says otherwise: the matrices are small, and several threads on a busy machine can be a
hundred times slower.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from rich.console import Console
from rich.table import Table

from deeprg.exact.tensor import plateau, scaling_flow, truncation_errors
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice

app = cyclopts.App(help=__doc__)
console = Console()


def rows_of(method: str, bond_dimensions: list[int], temperature: float, steps: int) -> list[dict[str, Any]]:
    """The table of one method: error, seconds, c and scaling dimensions."""
    model = Ising(Lattice((4, 4)), temperature)
    rows = []
    for found in truncation_errors(model, bond_dimensions, method, steps=steps):
        best = plateau(scaling_flow(model, found.bond_dimension, method))
        rows.append(
            {"method": method, **asdict(found), "relative_error": found.relative_error}
            | {"c": best.central_charge, "sigma": best.dimensions[0], "epsilon": best.dimensions[1]}
        )
    return rows


@app.default
def main(
    *,
    temperature: float = CRITICAL_TEMPERATURE,
    trg: str = "4,8,12,16,20,24",
    hotrg: str = "4,8,12",
    steps: int = 40,
    json_file: Annotated[Path | None, cyclopts.Parameter("--json")] = None,
) -> None:
    """Print the error of ln Z / N, the time of the run, and the scaling spectrum on its plateau."""
    rows = []
    for method, chosen in (("trg", trg), ("hotrg", hotrg)):
        if chosen:
            rows += rows_of(method, [int(chi) for chi in chosen.split(",")], temperature, steps)
    table = Table(title=f"Ising at T = {temperature:.6g}, {steps} steps")
    for name in ("method", "chi", "relative error", "seconds", "c", "Delta sigma", "Delta epsilon"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (f"{row[name]:.4f}" for name in ("c", "sigma", "epsilon"))
        table.add_row(
            row["method"],
            str(row["bond_dimension"]),
            f"{row['relative_error']:.1e}",
            f"{row['seconds']:.3f}",
            *numbers,
        )
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=1))


@app.command
def indicators(
    *,
    couplings: str = f"0.3,{1 / CRITICAL_TEMPERATURE},0.5",
    chi: str = "2,4,8,16,32",
    method: str = "trg",
    steps: int = 40,
) -> None:
    """Print the error of ln Z / N, the change from the row above, and the discarded weight per site."""
    table = Table(title=f"{method}, infinite Ising lattice, {steps} steps")
    for name in ("K", "chi", "error", "change", "discarded per site", "seconds"):
        table.add_column(name, justify="right")
    for coupling in (float(k) for k in couplings.split(",")):
        model = Ising(Lattice((4, 4)), 1 / coupling)
        for row in truncation_errors(model, [int(x) for x in chi.split(",")], method, steps=steps):
            change = "" if row.change is None else f"{row.change:.1e}"
            numbers = (f"{row.error:.1e}", change, f"{row.discarded_per_site:.1e}", f"{row.seconds:.2f}")
            table.add_row(f"{coupling:.4f}", str(row.bond_dimension), *numbers)
    console.print(table)


if __name__ == "__main__":
    app()
