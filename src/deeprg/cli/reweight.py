"""`deeprg reweight E.zarr`: averages at temperatures that were not simulated."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["reweight"]


def reweight(
    ensemble: Annotated[Path, Parameter(help="an ensemble, E.zarr")],
    *,
    temperature: Annotated[str, Parameter(help="2.3, 2.2,2.3,critical or a grid 2.2:2.4:0.01")],
    discard: Annotated[int, Parameter(converter=whole, help="draws to drop at the start of every chain")] = 0,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Averages and ln Z at nearby temperatures, by reweighting all simulated ones together.

    One simulated temperature is reweighted by its histogram, several by the multi-histogram method without
    bins (MBAR). Temperatures that the samples do not reach are marked.
    """
    from deeprg.runs.errors import UsageError

    if discard < 0:
        raise UsageError(f"--discard {discard} must not be negative.")
    from deeprg.cli._reweighting import run_reweighting

    return run_reweighting(ensemble, temperature, discard=discard, json=json)
