"""What every training on the command line tells its run folder: the course, a continuation, a stop."""

import time
from typing import Any

from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._progress import Progress
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder
from deeprg.train.checkpoint import Checkpoints
from deeprg.train.loop import EXIT_CODES
from deeprg.train.plan import Plan
from deeprg.train.state import TrainState
from deeprg.train.stop import StopRequest

__all__ = ["continued", "loop_options", "report_stop"]


def loop_options(
    folder: RunFolder,
    display: Progress,
    stop: StopRequest,
    limit: float | None,
    begun: float,
    *,
    before: int = 0,
    **facts: Any,
) -> dict[str, Any]:
    """Options of `deeprg.train.train`: records and events go to folder and display.

    `limit` (minutes) counts from `begun`; `before` are the steps of earlier trainings of the run, and `facts`
    go into every record.
    """

    def on_event(text: str) -> None:
        folder.event(text)
        display.event(text)

    def on_chunk(record: dict[str, Any]) -> None:
        record = {**record, "step": before + record["step"], **facts}
        folder.append_metrics(record)
        display.record(record)

    # What was spent on imports and building counts: a batch system counts it too.
    left = None if limit is None else max(limit - (time.monotonic() - begun) / 60.0, 1e-3)
    return {"on_chunk": on_chunk, "on_event": on_event, "stop": stop, "time_limit": left}


def continued(
    folder: RunFolder, checkpoints: Checkpoints, state: TrainState, plan: Plan, *, before: int = 0
) -> TrainState:
    """The newest state of a run, `state` where it has none yet; its metrics end there.

    `before` are the steps of earlier trainings of the same run.
    """
    if checkpoints.last.exists():
        state, _ = checkpoints.load(state)
        say(f"continuing '{folder.path}' after step {before + int(state.step)}")
    else:
        say(f"'{folder.path}' has no checkpoint yet: starting at step 0")
    if plan.depends_on_clock:
        say("the plan depends on the clock: the numbers will not repeat those of an uninterrupted run")
    folder.resume(before + int(state.step))
    return state


def report_stop(folder: RunFolder, step: int, reason: str, *, verb: str, json: bool) -> int:
    """Say that a training was stopped and how it goes on; the exit code."""
    folder.set_status("interrupted", step=step, reason=reason)
    say(f"stopped ({reason}) after step {step}; everything is saved in {folder.path}")
    if json:
        document = {"schema_version": SCHEMA_VERSION, "state": "interrupted", "reason": reason}
        print_json(document | {"steps": step, "run": str(folder.path)})
    next_step(f"{verb} --resume {folder.path}")
    return EXIT_CODES[reason]
