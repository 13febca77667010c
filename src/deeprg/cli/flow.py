"""`deeprg flow RUN`: iterate v -> h -> v' of trained Boltzmann machines."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["flow"]


def flow(
    run: Annotated[str, Parameter(help="run folder of deeprg train rbm or dbn, or its name in runs/")],
    *,
    length: Annotated[int, Parameter(converter=whole, help="rounds v -> h -> v'")] = 40,
    every: Annotated[int | None, Parameter(converter=whole, help="measure so often [40 times]")] = None,
    start: Annotated[
        tuple[str, ...],
        Parameter(
            negative="", help="data, cold (all up), hot (random), T=2.5 of the ensemble; can be repeated"
        ),
    ] = ("data", "cold", "hot"),
    n: Annotated[
        int, Parameter(converter=whole, name=("--samples", "-n"), help="configurations that flow together")
    ] = 1000,
    source: Annotated[
        Path | None,
        Parameter(name="--with", help="take starts from this ensemble or .npy, not the run's own"),
    ] = None,
    depth: Annotated[
        int | None,
        Parameter(converter=whole, help="of a dbn: up to this hidden layer and back [the top one]"),
    ] = None,
    network: Annotated[
        Path | None,
        Parameter(help="an ensemble of many temperatures, on which a neural thermometer is trained"),
    ] = None,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[Path | None, Parameter(help="the figure once more: .png, .svg or .pdf")] = None,
    json: Annotated[
        bool, Parameter(negative="", help="one JSON document on stdout, with every stage")
    ] = False,
) -> int:
    """Follow |m|, energy, susceptibility, correlation length and phase along v -> h -> v' -> ...

    Each round draws h from p(h | v) and v' from p(v | h). Energies are those of nearest neighbours with
    J = 1. In two dimensions thermometers read T from |m| and from the energy. Said in words: whether the
    ends depend on the start, whether the thermometers agree, and what a control does whose W has the same
    entries in random places. Writes flow.json and flow.png into the run folder.
    """
    from deeprg.cli._boltzmann_flow import run_flow

    return run_flow(
        run,
        length=length,
        every=every,
        starts=start,
        n=n,
        source=source,
        depth=depth,
        grid=network,
        seed=seed,
        out=out,
        json=json,
    )
