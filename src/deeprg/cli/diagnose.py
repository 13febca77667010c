"""`deeprg diagnose RUN`: what may be wrong with a run."""

from typing import Annotated

from cyclopts import Parameter

__all__ = ["diagnose"]


def diagnose(
    run: Annotated[str, Parameter(help="run folder, or its name in runs/")],
    *,
    strict: Annotated[bool, Parameter(negative="", help="exit with 4 when there is a problem")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Check a finished or running run; every problem comes with its likely cause and what to do."""
    from deeprg.cli._reporting import run_diagnosis

    return run_diagnosis(run, strict=strict, json=json)
