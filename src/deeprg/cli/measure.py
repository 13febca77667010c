"""`deeprg measure E.zarr`: averages of an ensemble with errors."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["measure"]


def measure(
    ensemble: Annotated[Path, Parameter(help="an ensemble, E.zarr")],
    *,
    discard: Annotated[int, Parameter(converter=whole, help="draws to drop at the start of every chain")] = 0,
    arviz: Annotated[
        Path | None, Parameter(help="write the series there too, netCDF for arviz.from_netcdf")
    ] = None,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Averages of an ensemble with errors and autocorrelation times, beside exact values where known.

    Also of an ensemble that is still being written: what is finished counts.
    """
    from deeprg.runs.errors import UsageError

    if discard < 0:
        raise UsageError(f"--discard {discard} must not be negative.")
    from deeprg.cli._simulating import run_measure
    from deeprg.montecarlo.ensembles import Ensemble, write_arviz

    opened = Ensemble.open(ensemble)
    if arviz is not None:
        write_arviz(opened, arviz)
    return run_measure(opened, discard=discard, json=json)
