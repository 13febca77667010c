"""What every training of a flow on the command line shares: the request, the course, the facts."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deeprg.cli._progress import Progress
from deeprg.cli._setup import FlowSetup
from deeprg.runs.folder import RunFolder
from deeprg.train.loop import TrainResult
from deeprg.train.state import TrainState
from deeprg.train.step import Batches, Objective
from deeprg.train.stop import StopRequest

__all__ = ["Course", "Request", "Stopped", "facts", "training_facts"]


@dataclass(frozen=True)
class Request:
    """What `deeprg train flow` was asked for."""

    config: Path | None = None
    assignments: Sequence[str] = ()
    flags: Sequence[tuple[str, Mapping[str, Any]]] = ()
    out: Path | None = None
    resume: str | None = None
    start: str | None = None
    allow_change: Sequence[str] = ()
    time_limit: float | None = None
    json: bool = False
    print_config: bool = False
    processes: tuple[str | None, int | None, int | None] = (None, None, None)
    argv: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Course:
    """What a training on a Hamiltonian and one on data do each in their own way.

    `judge(folder, result, display, stop)` makes the results and `table` shows them; `score`, of which the
    lowest makes the best checkpoint, and `monitor` are those of `Checkpoints` and `train`.
    """

    subject: Sequence[str]
    name: str
    objective: Objective
    batches: Batches
    judge: Callable[[RunFolder, TrainResult, Progress, StopRequest], dict[str, Any]]
    table: Callable[[Mapping[str, Any]], str]
    verbs: Sequence[str]
    exact: float | None = None
    monitor: Callable[[TrainState], dict[str, float]] | None = None
    score: Callable[[TrainState], float] | None = None


class Stopped(Exception):
    """A signal arrived while the final weights were judged."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def facts(folder: RunFolder, setup: FlowSetup, result: TrainResult) -> dict[str, Any]:
    """What results.json says about every training of a flow beside the numbers that judge it."""
    config = setup.config
    about = {"preset": config.preset, "precision": config.precision, "seed": config.seed}
    return about | training_facts(folder, result)


def training_facts(folder: RunFolder, result: TrainResult) -> dict[str, Any]:
    """What results.json says about any training: its length, speed and cost."""
    records = folder.metrics()
    per_step = result.seconds_per_step
    if not math.isfinite(per_step) and records:
        per_step = statistics.median(1 / record["steps_per_second"] for record in records)
    cost = result.compiled[max(result.compiled)] if result.compiled else None
    return {
        "steps": int(result.state.step),
        "skipped_steps": result.state.skipped,
        "train_seconds": result.state.seconds,
        "seconds_per_step": per_step,
        "compile_seconds": result.compile_seconds,
        "flops_per_step": None if cost is None else cost.flops,
        "bytes_per_step": None if cost is None else cost.bytes_accessed,
        "memory_bytes": None if cost is None else cost.memory_bytes,
        "parameters": result.state.parameters,
        "run": str(folder.path),
    }
