"""`deeprg import FILES`: configurations made elsewhere into an ensemble."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

__all__ = ["import_files"]


def import_files(
    *files: Annotated[
        str, Parameter(help=".npy, HDF5 (FILE.h5:DATASET) or text; one per temperature or one in all")
    ],
    model: Annotated[str, Parameter(help="ising, potts, xy, phi4 …: see deeprg list models")],
    out: Annotated[Path, Parameter(help="the ensemble to write, E.zarr")],
    temperature: Annotated[
        str | None, Parameter(help="2.5, critical, 2.0,2.5 or a grid 2.0:2.6:0.05")
    ] = None,
    shape: Annotated[str | None, Parameter(help="of one configuration, where the file has flat rows")] = None,
    option: Annotated[
        tuple[str, ...], Parameter(negative="", help="NAME=VALUE of the model, for example states=3")
    ] = (),
    zero_one: Annotated[bool, Parameter(negative="", help="0 and 1 are spins down and up")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Store configurations from other programs as an ensemble, checked, with their observables."""
    from deeprg.runs.errors import UsageError

    if not files:
        raise UsageError("which files? For example deeprg import spins.npy --model ising --temperature 2.0.")
    from deeprg.cli._simulating import run_import

    return run_import(
        files,
        out,
        model=model,
        temperature=temperature,
        shape=shape,
        options=option,
        zero_one=zero_one,
        json=json,
    )
