"""`deeprg sweep CONFIG --grid NAME=VALUES`: many trainings, one for every point of a grid."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["sweep"]

_GRID = Group("Grid", sort_key=1)
_WORKERS = Group("Workers", sort_key=2)
_RUN = Group("Run", sort_key=3)


def sweep(
    config: Annotated[
        Path | None, Parameter(help="a TOML file with the settings that all points share")
    ] = None,
    *,
    grid: Annotated[
        tuple[str, ...],
        Parameter(
            group=_GRID,
            negative="",
            help="NAME=VALUES: temperature=2.0,critical  size=8,16  seed=0:3  flow.width=8:24:8  "
            "temperature=2.0:2.6/7; both ends of a range are included. Once for each axis",
        ),
    ] = (),
    print_points: Annotated[
        bool, Parameter(group=_GRID, negative="", help="check and list the points, and stop")
    ] = False,
    scheduler: Annotated[
        str | None, Parameter(group=_WORKERS, help="tcp://HOST:PORT of a Dask scheduler [local workers]")
    ] = None,
    workers: Annotated[
        int | None,
        Parameter(converter=whole, group=_WORKERS, help="points at once on this machine [one per core]"),
    ] = None,
    threads: Annotated[
        int | None,
        Parameter(converter=whole, group=_WORKERS, help="CPU threads of a point [cores / workers]"),
    ] = None,
    out: Annotated[
        Path | None, Parameter(group=_RUN, help="folder of the sweep; default runs/sweep-CONFIG-NNN")
    ] = None,
    resume: Annotated[
        str | None, Parameter(group=_RUN, help="continue this sweep: what is done stays, the rest goes on")
    ] = None,
    time_limit: Annotated[
        float | None,
        Parameter(group=_RUN, help="minutes after which all points save and the exit code is 75"),
    ] = None,
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Train all points of a grid through Dask, each in its own run folder, and compare their numbers.

    A worker that dies costs its point the time since the last checkpoint. A point that fails is reported, the
    others go on. Exit codes: 0, 1 a point failed, 2 bad input, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.cli._sweeping import SweepRequest, run_sweep

    return run_sweep(
        SweepRequest(
            config=config,
            grids=grid,
            out=out,
            resume=resume,
            scheduler=scheduler,
            workers=workers,
            threads=threads,
            time_limit=time_limit,
            print_points=print_points,
            json=json,
        )
    )
