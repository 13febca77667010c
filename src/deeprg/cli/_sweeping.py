"""`deeprg sweep` behind its flags: tasks given to Dask, watched to their end, and summed up."""

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._figures import write_figure
from deeprg.cli._sweep_cluster import connected, resources
from deeprg.cli._sweep_folder import Control, SweepFolder
from deeprg.cli._sweep_plan import check_points, plan_sweep, print_points
from deeprg.cli._sweep_point import Job, Outcome, run_point
from deeprg.cli._sweep_progress import SweepProgress
from deeprg.cli._sweep_results import Row, curves, document, rows_of, sweep_table
from deeprg.report.style import style
from deeprg.report.sweep import plot_sweep
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.lock import exclusive
from deeprg.train.loop import EXIT_CODES
from deeprg.train.stop import StopRequest

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["SweepRequest", "outcome_of", "run_sweep"]

_POLL, _REWRITE = 0.2, 2.0
_MOST_WARNINGS = 20
_FAILED, _STOPPED = 1, 75


@dataclass(frozen=True)
class SweepRequest:
    """What `deeprg sweep` was asked for."""

    config: Path | None = None
    grids: Sequence[str] = ()
    out: Path | None = None
    resume: str | None = None
    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None
    time_limit: float | None = None
    print_points: bool = False
    json: bool = False


def run_sweep(request: SweepRequest) -> int:
    """Sweep, or go on with a sweep; the exit code: 0, 1 when a point failed, 75 or 130 when stopped."""
    begun = time.monotonic()
    if request.time_limit is not None and not request.time_limit > 0:
        raise UsageError(f"the time limit is {request.time_limit} minutes, but it must be positive.")
    plan = plan_sweep(request.config, request.grids, request.out, request.resume)
    workers, threads = resources(
        plan.todo, scheduler=request.scheduler, workers=request.workers, threads=request.threads
    )
    if plan.earlier is None:
        check_points(plan)
    if request.print_points:
        print_points(plan, json=request.json)
        return 0
    with contextlib.ExitStack() as stack:
        if plan.earlier is not None:
            stack.enter_context(_leading(plan.earlier))
        client = stack.enter_context(connected(request.scheduler, workers)) if plan.todo else None
        sweep = plan.earlier
        if sweep is None:
            environment = describe_environment(devices=(), argv=sys.argv)
            sweep = SweepFolder.create(
                request.out, config=plan.config, kind=plan.kind, axes=plan.axes, environment=environment
            )
            stack.enter_context(_leading(sweep))
        limit = None if request.time_limit is None else begun + 60.0 * request.time_limit
        with sweep.run:
            outcomes, reason = {}, None
            if client is not None:
                where = request.scheduler or f"{workers} local worker{'s' if workers > 1 else ''}"
                say(f"sweep {sweep.run.path}: {plan.todo} of {len(plan.points)} points to train on {where}")
                outcomes, reason = _Work(sweep, client, threads, limit).run()
            return _finish(sweep, outcomes, reason, json=request.json)


def _leading(sweep: SweepFolder) -> contextlib.AbstractContextManager[None]:
    return exclusive(sweep.lock, f"another process leads the sweep '{sweep.run.path}'. Wait for its end.")


class _Work:
    """The points that are not done, as tasks of Dask, from their submission to the last end."""

    def __init__(self, sweep: SweepFolder, client: "Client", threads: int, limit: float | None):
        self.sweep, self.client, self.limit = sweep, client, limit
        self.outcomes: dict[str, Outcome] = {}
        self.reason: str | None = None
        self.control = Control.lead(sweep.run.path)
        self.total = len(sweep.points)
        todo = [point.name for point in sweep.points if sweep.state(point.name) != "done"]
        self.done = self.total - len(todo)
        self.failed = 0
        folder, here = str(sweep.run.path), os.getcwd()
        self.futures: dict[str, Future] = {
            name: client.submit(
                run_point,
                Job(here, folder, name, self.control.leader, threads),
                key=f"{name}-{self.control.leader}",
                priority=-number,
                pure=False,
            )
            for number, name in enumerate(todo)
        }

    def run(self) -> tuple[dict[str, Outcome], str | None]:
        """Wait for all points; how each ended, and why the sweep was stopped if it was."""
        self.sweep.run.set_status("running", done=self.done, points=self.total)
        rewritten = 0.0
        with StopRequest() as stop, SweepProgress(self.sweep) as display:
            while self.futures:
                if self.reason is None:
                    late = self.limit is not None and time.monotonic() >= self.limit
                    self.reason = stop.reason or ("time" if late else None)
                    if self.reason is not None:
                        display.event(f"stopping ({self.reason}): the points at work write their checkpoints")
                        self._stop(self.reason)
                for name, future in list(self.futures.items()):
                    if future.done():
                        self._ended(name, outcome_of(future), display)
                if time.monotonic() >= rewritten + _REWRITE:
                    self._write()
                    rewritten = time.monotonic()
                self.sweep.run.heartbeat(done=self.done, points=self.total)
                failed = f", {self.failed} failed" if self.failed else ""
                display.look(list(self.futures), f"{self.done} of {self.total} points done{failed}")
                time.sleep(_POLL)
        return self.outcomes, self.reason

    def _ended(self, name: str, outcome: Outcome, display: SweepProgress) -> None:
        del self.futures[name]
        self.outcomes[name] = outcome
        if outcome.code == 0:
            self.done += 1
            display.event(f"{name}: done ({self.done} of {self.total})")
        elif outcome.code == _STOPPED:
            display.event(f"{name}: stopped")
        else:
            self.failed += 1
            display.event(f"{name}: failed, {outcome.message.partition('. ')[0]}")

    def _stop(self, reason: str) -> None:
        """Ask the points at work to stop, and take back those that no worker has."""
        self.control.stop(reason)
        held: Any = self.client.processing()
        taken = {key for keys in held.values() for key in keys}
        for name, future in list(self.futures.items()):
            if future.key not in taken and not future.done():
                future.cancel()
                self.outcomes[name] = Outcome(_STOPPED, "not started")
                del self.futures[name]

    def _write(self) -> None:
        columns = self.sweep.kind.columns
        self.sweep.write_points([row.to_dict(columns) for row in rows_of(self.sweep, self.outcomes)])


def outcome_of(future: Any) -> Outcome:
    """How a task ended. Its own errors are outcomes already; these are those of its worker and of Dask."""
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        return Outcome(_STOPPED, "the scheduler is gone")
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Outcome(_FAILED, f"its worker died {error.allowed_failures + 1} times. Has it enough memory?")
    return Outcome(_FAILED, f"{type(error).__name__}: {error}")


def _finish(sweep: SweepFolder, outcomes: Mapping[str, Outcome], reason: str | None, *, json: bool) -> int:
    """Write the results, print them, and say what comes next; the exit code."""
    rows = rows_of(sweep, outcomes, ended=True)
    found = document(sweep, rows)
    sweep.write_points(found["points"])
    sweep.run.write_results(found)
    axis, panels = curves(sweep, rows)
    if panels:
        with style():
            figure = plot_sweep(panels, axis=axis, title=sweep.run.name)
        write_figure(sweep.run.path / "sweep.png", figure)
    failed = [row for row in rows if row.state == "failed"]
    open_ones = [row for row in rows if row.state not in ("done", "failed")]
    state = "interrupted" if open_ones else "failed" if failed else "done"
    sweep.run.set_status(state, done=found["states"].get("done", 0), points=len(rows), reason=reason)
    if json:
        print_json(sweep.run.results() or {})
    else:
        print(sweep_table(sweep, rows))
    for row in failed[:_MOST_WARNINGS]:
        warn(f"{row.point.name} failed: {_message(row)} Its log: {sweep.log(row.point.name)}")
    if len(failed) > _MOST_WARNINGS:
        warn(f"{len(failed) - _MOST_WARNINGS} more failed, see {sweep.run.path / 'results.json'}")
    say(found["verdict"])
    _suggest(sweep, rows, figure=bool(panels))
    if open_ones:
        return EXIT_CODES[reason or "sigterm"]
    return _FAILED if failed else 0


def _message(row: Row) -> str:
    return "" if row.outcome is None else row.outcome.message


def _suggest(sweep: SweepFolder, rows: Sequence[Row], *, figure: bool) -> None:
    done = [row for row in rows if row.state == "done"]
    steps = [f"deeprg sweep --resume {sweep.run.path}"] if len(done) < len(rows) else []
    if done:
        steps.append(f"deeprg report {done[0].run}")
    if figure:
        steps.append(f"open {sweep.run.path / 'sweep.png'}")
    next_step(*steps)
