"""`deeprg train flow` behind its flags: folder, training, judgement of the final weights, results."""

import io
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._console import claim_stdout, next_step, print_json, say, warn
from deeprg.cli._progress import Progress, progress
from deeprg.cli._run_log import continued, loop_options, report_stop
from deeprg.cli._settings import Settings, gather
from deeprg.cli._setup import Setup, build
from deeprg.cli._table import result_table
from deeprg.coarsegrain.flow import AbstractFlow, draws
from deeprg.hamiltonians import is_even
from deeprg.probes import MeasuredDraws, collect, quality, spin_log_partition
from deeprg.runs.atomic import write_bytes, write_json
from deeprg.runs.config import config_text, refuse_changes, to_toml
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import NumericalError, UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.batches import key_batches
from deeprg.train.checkpoint import Checkpoints, read_header
from deeprg.train.distributed import agree, is_writer, start
from deeprg.train.loop import TrainResult, train
from deeprg.train.state import TrainState
from deeprg.train.stop import StopRequest

__all__ = ["Request", "evaluation_file", "measure", "run_training"]


@dataclass(frozen=True)
class Request:
    """What `deeprg train flow` was asked for."""

    config: Path | None = None
    assignments: Sequence[str] = ()
    flags: Sequence[tuple[str, Mapping[str, Any]]] = ()
    out: Path | None = None
    resume: str | None = None
    allow_change: Sequence[str] = ()
    time_limit: float | None = None
    json: bool = False
    print_config: bool = False
    processes: tuple[str | None, int | None, int | None] = (None, None, None)
    argv: Sequence[str] = field(default_factory=tuple)


class _Stopped(Exception):
    """A signal arrived while the final weights were judged."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def evaluation_file(run: RunFolder) -> Path:
    """Where the log weights and observables of the final weights lie."""
    return run.path / "evaluation.npz"


def run_training(request: Request) -> int:
    """Train as requested; returns the exit code."""
    begun = time.monotonic()
    if request.time_limit is not None and not request.time_limit > 0:
        raise UsageError(f"the time limit is {request.time_limit} minutes, but it must be positive.")
    if any(part is not None for part in request.processes):
        if all(part is not None for part in request.processes):
            claim_stdout()  # the collectives of several CPU processes announce themselves there
        start(*request.processes)
    earlier = None if request.resume is None else RunFolder.open(request.resume)
    if earlier is not None and request.out is not None:
        raise UsageError("--out and --resume exclude each other: a resumed run stays in its folder.")
    settings = gather(
        config=request.config,
        assignments=request.assignments,
        flags=request.flags,
        run=None if earlier is None else earlier.resolved(),
    )
    if request.print_config:
        print(config_text(settings.resolved))
        _rehearse(request, build(settings.check(), abstract=True), earlier)
        return 0
    setup = build(settings.check())
    state = TrainState.create(setup.flow, setup.plan, key=setup.train_key)
    if is_writer():
        return _writer(request, settings, setup, state, earlier, begun)
    if earlier is not None and _checkpoints(earlier, setup).last.exists():
        state, _ = _checkpoints(earlier, setup).load(state)
    result = train(state, setup.objective, key_batches, setup.plan, time_limit=request.time_limit)
    agree([0.0])  # wait until process 0 has judged the weights: the end of one process ends all
    return result.exit_code


def _rehearse(request: Request, setup: Setup, earlier: RunFolder | None) -> None:
    """Refuse what a training would refuse before it begins, and write nothing."""
    out = request.out
    if earlier is not None:
        _allowed_changes(request, setup, earlier)
    elif out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not an empty folder. Choose another place.")


def _writer(
    request: Request,
    settings: Settings,
    setup: Setup,
    state: TrainState,
    earlier: RunFolder | None,
    begun: float,
) -> int:
    if earlier is None:
        folder = _create(request, settings, setup)
    else:
        folder, state = earlier, _resume(request, setup, state, earlier)
    say(f"{setup.hamiltonian.describe()}")
    say(f"run folder {folder.path}, {state.parameters} parameters, {jax.device_count()} device(s)")
    if setup.config.evaluate.samples < 100_000:
        warn(
            f"the ESS will come from {setup.config.evaluate.samples} samples; fewer than 100000 miss the "
            "tail and flatter the model."
        )
    exact = None if setup.reference is None else setup.reference.free_energy
    results: dict[str, Any] | None = None
    with folder, StopRequest() as stop, progress(exact) as display:
        result = _train(request, setup, state, folder, display, stop, begun)
        reason = result.reason
        try:
            if reason == "done":
                results = _judge(folder, setup, result, display, stop)
                folder.write_results(results)
                folder.set_status("done", step=results["steps"])
        except _Stopped as stopped:
            reason = stopped.reason
        finally:
            agree([0.0])
    if results is None:
        return report_stop(
            folder, int(result.state.step), reason, verb="deeprg train flow", json=request.json
        )
    document = folder.results() or {}
    for text in results["warnings"]:
        warn(text)
    if request.json:
        print_json(document)
    else:
        print(result_table(document))
    next_step(f"deeprg report {folder.path}", f"deeprg sample {folder.path} -n 100000 --method independence")
    return 0


def _train(
    request: Request,
    setup: Setup,
    state: TrainState,
    folder: RunFolder,
    display: Progress,
    stop: StopRequest,
    begun: float,
) -> TrainResult:
    return train(
        state,
        setup.objective,
        key_batches,
        setup.plan,
        checkpoints=_checkpoints(folder, setup),
        **loop_options(folder, display, stop, request.time_limit, begun),
    )


def _create(request: Request, settings: Settings, setup: Setup) -> RunFolder:
    config = setup.config
    shape = "x".join(map(str, config.hamiltonian.shape))
    return RunFolder.create(
        request.out,
        name=config.name or f"{config.hamiltonian.name}-{shape}-{config.preset}",
        config=_as_given(request, settings),
        resolved=setup.values,
        environment=describe_environment(seed=config.seed, argv=list(request.argv) or None),
    )


def _as_given(request: Request, settings: Settings) -> str:
    """The text of config.toml: the file itself, or file, arguments and flags together."""
    if request.config is not None and not request.assignments and not request.flags:
        return Path(request.config).read_text(encoding="utf-8")
    return to_toml(settings.given)


def _checkpoints(folder: RunFolder, setup: Setup) -> Checkpoints:
    return Checkpoints(folder.checkpoints, config=setup.values, every=setup.config.checkpoint_seconds)


def _resume(request: Request, setup: Setup, state: TrainState, folder: RunFolder) -> TrainState:
    checkpoints = _checkpoints(folder, setup)
    changes = _allowed_changes(request, setup, folder)
    state = continued(folder, checkpoints, state, setup.plan)
    for path, (old, new) in changes.items():
        folder.event(f"changed {path}: {old} -> {new}")
    if changes:
        checkpoints.save(state)
        write_json(folder.path / "resolved.json", setup.values)
    return state


def _allowed_changes(request: Request, setup: Setup, folder: RunFolder) -> dict[str, tuple[Any, Any]]:
    """The changes that a resumed run may make; `UsageError` for all others."""
    last, before = _checkpoints(folder, setup).last, folder.resolved()
    if last.exists():
        # The checkpoint knows the settings under which it was made, even if the folder was changed since.
        before = read_header(last)["config"]
    allowed = [name for text in request.allow_change for name in text.split(",") if name]
    return refuse_changes(before, setup.values, allowed=allowed)


def measure(
    flow: AbstractFlow, setup: Setup, n: int, *, key: Any, display: Progress, stop: StopRequest | None = None
) -> tuple[MeasuredDraws, float]:
    """n measured draws and the samples per second, compilation left out."""
    times = []

    def on_chunk(done: int) -> None:
        times.append((time.monotonic(), done))
        display.sampled(done, n)
        if stop is not None and stop.reason is not None:
            raise _Stopped(stop.reason)

    batch = min(setup.config.evaluate.batch, n)
    chunks = draws(flow, setup.hamiltonian, n, key=key, batch=batch)
    measured = collect(chunks, setup.hamiltonian.lattice.shape, on_chunk=on_chunk)
    (first, before), (last, done) = times[0], times[-1]
    return measured, (done - before) / (last - first) if last > first else math.nan


def _judge(
    folder: RunFolder, setup: Setup, result: TrainResult, display: Progress, stop: StopRequest
) -> dict[str, Any]:
    """Everything in results.json, from samples of the final averaged weights."""
    n = setup.config.evaluate.samples
    display.event(f"compiling the sampler and drawing {n} samples of the final weights")
    begun = time.monotonic()
    measured, rate = measure(
        result.state.averaged, setup, n, key=setup.evaluate_key, display=display, stop=stop
    )
    if not np.isfinite(measured.log_weights).all():
        bad = int((~np.isfinite(measured.log_weights)).sum())
        raise NumericalError(
            f"{bad} of {n} weights of the final model are not finite. Lower learning_rate or set clip_norm; "
            f"the checkpoint is in '{folder.checkpoints}'."
        )
    numbers = quality(measured, setup.reference, key=jax.random.fold_in(setup.evaluate_key, 1))
    buffer = io.BytesIO()
    np.savez(buffer, **measured.arrays())  # pyright: ignore[reportArgumentType]
    write_bytes(evaluation_file(folder), buffer.getvalue())
    records = folder.metrics()
    per_step = result.seconds_per_step
    if not math.isfinite(per_step) and records:
        per_step = statistics.median(1 / record["steps_per_second"] for record in records)
    cost = result.compiled[max(result.compiled)] if result.compiled else None
    return {
        **numbers,
        **spin_log_partition(numbers, setup.hamiltonian),
        "symmetric": is_even(setup.hamiltonian),
        "hamiltonian": setup.hamiltonian.describe(),
        "preset": setup.config.preset,
        "precision": setup.config.precision,
        "seed": setup.config.seed,
        "steps": int(result.state.step),
        "skipped_steps": result.state.skipped,
        "train_seconds": result.state.seconds,
        "seconds_per_step": per_step,
        "compile_seconds": result.compile_seconds,
        "evaluate_seconds": time.monotonic() - begun,
        "samples_per_second": rate,
        "flops_per_step": None if cost is None else cost.flops,
        "bytes_per_step": None if cost is None else cost.bytes_accessed,
        "memory_bytes": None if cost is None else cost.memory_bytes,
        "parameters": result.state.parameters,
        "run": str(folder.path),
    }
