"""`deeprg report RUN`: one self-contained page."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["report"]


def report(
    run: Annotated[str, Parameter(help="run folder, its name in runs/, or an ensemble E.zarr")],
    *,
    out: Annotated[Path | None, Parameter(help="where to write; default RUN/report.html, E.html")] = None,
    draws: Annotated[int, Parameter(converter=whole, help="samples to show at every scale")] = 5,
    seed: Annotated[int, Parameter(converter=whole, help="seed of the shown samples")] = 0,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Write a page with verdict, results, curves, samples, configuration, environment and citations."""
    from deeprg.runs.errors import UsageError

    if not 1 <= draws <= 20:
        raise UsageError(f"--draws {draws} must be in 1 .. 20.")
    from deeprg.cli._reporting import report_ensemble, run_report

    if (path := Path(run)).suffix == ".zarr":
        return report_ensemble(path, out=out, json=json)
    return run_report(run, out=out, count=draws, seed=seed, json=json)
