"""`deeprg study NAME`: a question of the literature, redone end to end."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["study"]


def study(
    name: Annotated[str | None, Parameter(help="a name of deeprg list studies")] = None,
    *options: Annotated[str, Parameter(help="SETTING=VALUE, see deeprg study NAME --print-config")],
    preset: Annotated[
        str | None, Parameter(help="short or the size of the paper, see deeprg list studies")
    ] = None,
    seed: Annotated[int | None, Parameter(converter=whole, help="seed of everything random [0]")] = None,
    out: Annotated[Path | None, Parameter(help="folder of the results; default runs/study-NAME-NNN")] = None,
    print_config: Annotated[bool, Parameter(negative="", help="print every setting and stop")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Redo a study end to end: tables, figures, and what held of its claims, computed from the numbers.

    The folder gets report.html, results.json, and every figure and table as a file.
    """
    from deeprg.cli._study import run_study

    return run_study(name, options, preset=preset, seed=seed, out=out, print_config=print_config, json=json)
