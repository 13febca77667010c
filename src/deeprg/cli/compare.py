"""`deeprg compare A B C --with E.zarr`: coarse-grainings side by side on the same data."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["compare"]


def compare(
    *subjects: Annotated[
        str,
        Parameter(help="rules (average, majority, decimation; majority:side=3,steps=2) and runs by folder"),
    ],
    source: Annotated[
        Path | None, Parameter(name="--with", help="configurations, an ensemble E.zarr or a .npy file")
    ] = None,
    temperature: Annotated[
        str | None, Parameter(help="of an ensemble: a value, critical or its number")
    ] = None,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    out: Annotated[Path | None, Parameter(help="a figure: .png, .svg or .pdf")] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """One row per coarse-graining, one column per probe; patterns are matched with those of the first row.

    Columns: sites of the coarse lattice; the largest ⟨v h⟩ of a coarse site, raw and connected, mean over
    coarse sites; median width (lattice spacings), spots and participation ratio of the maps; root mean square
    distance to the maps of the first row; how far hidden units are from places on a coarse lattice; ⟨|m'|⟩
    of the coarse variables, signs by gauge; scaling dimensions on the coarse lattice, of hidden units only
    where their centres lie on it. The layers of a dbn: RUN:depth=1.
    """
    from deeprg.cli._comparing import run_compare

    return run_compare(subjects, source=source, temperature=temperature, seed=seed, out=out, json=json)
