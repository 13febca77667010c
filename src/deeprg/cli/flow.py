"""`deeprg flow RUN`: iterate v -> h -> v' of a trained Boltzmann machine."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["flow"]


def flow(
    run: Annotated[str, Parameter(help="run folder of deeprg train rbm, or its name in runs/")],
    *,
    length: Annotated[int, Parameter(converter=whole, help="rounds v -> h -> v'")] = 40,
    start: Annotated[
        str, Parameter(help="data, cold (all up), hot (random), or T=2.5 of the ensemble")
    ] = "data",
    n: Annotated[
        int, Parameter(converter=whole, name=("--samples", "-n"), help="configurations that flow together")
    ] = 1000,
    source: Annotated[
        Path | None,
        Parameter(name="--with", help="take the start from this ensemble or .npy, not the run's own"),
    ] = None,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[Path | None, Parameter(help="a figure of the flow: .png, .svg or .pdf")] = None,
    json: Annotated[
        bool, Parameter(negative="", help="one JSON document on stdout, with every stage")
    ] = False,
) -> int:
    """Follow |m|, energy per site, N(⟨m²⟩ - ⟨|m|⟩²) and the part with m > 0 along v -> h -> v' -> ...

    Each round draws h from p(h | v) and v' from p(v | h). Energies are those of the model of the data, in
    units of the coupling; of a .npy file those of the Ising model with J = 1.
    """
    from deeprg.cli._boltzmann_flow import run_flow

    return run_flow(run, length=length, start=start, n=n, source=source, seed=seed, out=out, json=json)
