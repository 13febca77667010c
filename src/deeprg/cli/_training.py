"""`deeprg train flow` behind its flags: folder, training, judgement of the final weights, results."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from deeprg.cli._console import claim_stdout, next_step, print_json, say, warn
from deeprg.cli._course import Course, Request, Stopped, facts
from deeprg.cli._intervals import interval_of
from deeprg.cli._judging import judged, warn_of_few
from deeprg.cli._progress import Progress, progress
from deeprg.cli._run_log import continued, loop_options, report_stop
from deeprg.cli._settings import Settings, gather
from deeprg.cli._setup import FlowSetup, Setup, build
from deeprg.cli._table import result_table
from deeprg.probes import spin_log_partition
from deeprg.report.labels import DEGENERATE
from deeprg.runs.atomic import write_json
from deeprg.runs.config import config_text, refuse_changes, to_toml
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.batches import key_batches
from deeprg.train.checkpoint import Checkpoints, read_header
from deeprg.train.distributed import agree, is_writer, start
from deeprg.train.loop import TrainResult, train
from deeprg.train.state import TrainState
from deeprg.train.stop import StopRequest

__all__ = [
    "Course",
    "Request",
    "Stopped",
    "facts",
    "judge",
    "layered",
    "run_training",
]


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
    settings = layered(request, earlier)
    if settings.resolved.values.get("data"):
        from deeprg.cli._density_training import prepare

        settings, setup, course = prepare(request, settings, earlier)
    elif interval_of(settings.resolved.values["hamiltonian"]):
        from deeprg.cli._conditioned import prepare as prepare_conditioned

        if "preset" not in settings.given and _inherited(request, earlier) is None:
            given = settings.given
            settings = replace(layered(request, earlier, ("interval", {"preset": "interval"})), given=given)
        settings, setup, course = prepare_conditioned(request, settings)
    else:
        if request.print_config:
            print(config_text(settings.resolved))
        setup = build(settings.check(), abstract=request.print_config)
        course = _course(setup)
    if request.print_config:
        _rehearse(request, setup, earlier)
        return 0
    flow = setup.flow
    if setup.config.start is not None and earlier is None:
        from deeprg.cli._starting import started

        flow = started(setup)
    state = TrainState.create(flow, setup.plan, key=setup.train_key)
    if is_writer():
        return _writer(request, settings, setup, course, state, earlier, begun)
    if earlier is not None and _checkpoints(earlier, setup).last.exists():
        state, _ = _checkpoints(earlier, setup).load(state)
    result = train(state, course.objective, course.batches, setup.plan, time_limit=request.time_limit)
    agree([0.0])  # wait until process 0 has judged the weights: the end of one process ends all
    return result.exit_code


def layered(request: Request, earlier: RunFolder | None, *more: tuple[str, Mapping[str, Any]]) -> Settings:
    """The settings of a request, those of the run that it continues, and on top `more` layers."""
    return gather(
        config=request.config,
        assignments=request.assignments,
        flags=[*request.flags, *more],
        run=_inherited(request, earlier),
    )


def _inherited(request: Request, earlier: RunFolder | None) -> dict[str, Any] | None:
    """What a continued run used; what the run used whose weights this one starts from, but for its length."""
    if earlier is not None:
        return earlier.resolved()
    if request.start is None:
        return None
    before = dict(RunFolder.open(request.start).resolved())
    theirs = before.get("hamiltonian", {}).get("name")
    for flag, values in request.flags:
        wanted = values.get("hamiltonian", {}).get("name")
        if theirs is not None and wanted not in (None, theirs):
            raise UsageError(
                f"{flag} {wanted}: '{request.start}' is a flow for '{theirs}', and its weights serve no "
                "other Hamiltonian. Train one anew, without --from."
            )
    train = {**before.get("train", {}), "steps": None, "minutes": None}
    return {**before, "train": train, "name": None, "start": request.start}


def _course(setup: Setup) -> Course:
    config, shape = setup.config, "x".join(map(str, setup.config.hamiltonian.shape))
    return Course(
        subject=[setup.hamiltonian.describe()],
        name=f"{config.hamiltonian.name}-{shape}-{config.preset}",
        objective=setup.objective,
        batches=key_batches,
        judge=lambda folder, result, display, stop: judge(folder, setup, result, display, stop),
        table=result_table,
        verbs=("deeprg report {run}", "deeprg sample {run} -n 100000 --method independence"),
        exact=None if setup.reference is None else setup.reference.free_energy,
    )


def _rehearse(request: Request, setup: FlowSetup, earlier: RunFolder | None) -> None:
    """Refuse what a training would refuse before it begins, and write nothing."""
    out = request.out
    if earlier is not None:
        _allowed_changes(request, setup, earlier)
    elif out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not an empty folder. Choose another place.")


def _writer(
    request: Request,
    settings: Settings,
    setup: FlowSetup,
    course: Course,
    state: TrainState,
    earlier: RunFolder | None,
    begun: float,
) -> int:
    if earlier is None:
        folder = _create(request, settings, setup, course)
    else:
        folder, state = earlier, _resume(request, setup, course, state, earlier)
    for line in course.subject:
        say(line)
    say(f"run folder {folder.path}, {state.parameters} parameters, {jax.device_count()} device(s)")
    if isinstance(setup, Setup):
        warn_of_few(setup.config.evaluate.samples)
    results: dict[str, Any] | None = None
    with folder, StopRequest() as stop, progress(course.exact) as display:
        result = _train(request, setup, course, state, folder, display, stop, begun)
        reason = result.reason
        try:
            if reason == "done":
                results = course.judge(folder, result, display, stop)
                folder.write_results(results)
                folder.set_status("done", step=results["steps"])
        except Stopped as stopped:
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
        print(course.table(document))
    verbs = course.verbs
    if (document.get("ess") or 1.0) < DEGENERATE:  # what hangs on a few weights is not to be reweighted
        verbs = ("deeprg report {run}", "deeprg sample {run} -n 20000 --method mixed")
    next_step(*(verb.format(run=folder.path) for verb in verbs))
    return 0


def _train(
    request: Request,
    setup: FlowSetup,
    course: Course,
    state: TrainState,
    folder: RunFolder,
    display: Progress,
    stop: StopRequest,
    begun: float,
) -> TrainResult:
    return train(
        state,
        course.objective,
        course.batches,
        setup.plan,
        checkpoints=_checkpoints(folder, setup, course.score),
        monitor=course.monitor,
        **loop_options(folder, display, stop, request.time_limit, begun),
    )


def _create(request: Request, settings: Settings, setup: FlowSetup, course: Course) -> RunFolder:
    return RunFolder.create(
        request.out,
        name=setup.config.name or course.name,
        config=_as_given(request, settings),
        resolved=setup.values,
        environment=describe_environment(seed=setup.config.seed, argv=list(request.argv) or None),
    )


def _as_given(request: Request, settings: Settings) -> str:
    """The text of config.toml: the file itself, or file, arguments and flags together."""
    if request.config is not None and not request.assignments and not request.flags:
        return Path(request.config).read_text(encoding="utf-8")
    return to_toml(settings.given)


def _checkpoints(
    folder: RunFolder, setup: FlowSetup, score: Callable[[TrainState], float] | None = None
) -> Checkpoints:
    every = setup.config.checkpoint_seconds
    return Checkpoints(folder.checkpoints, config=setup.values, every=every, score=score)


def _resume(
    request: Request, setup: FlowSetup, course: Course, state: TrainState, folder: RunFolder
) -> TrainState:
    checkpoints = _checkpoints(folder, setup, course.score)
    changes = _allowed_changes(request, setup, folder)
    state = continued(folder, checkpoints, state, setup.plan)
    for path, (old, new) in changes.items():
        folder.event(f"changed {path}: {old} -> {new}")
    if changes:
        checkpoints.save(state)
        write_json(folder.path / "resolved.json", setup.values)
    return state


def _allowed_changes(request: Request, setup: FlowSetup, folder: RunFolder) -> dict[str, tuple[Any, Any]]:
    """The changes that a resumed run may make; `UsageError` for all others."""
    last, before = _checkpoints(folder, setup).last, folder.resolved()
    if last.exists():
        # The checkpoint knows the settings under which it was made, even if the folder was changed since.
        before = read_header(last)["config"]
    allowed = [name for text in request.allow_change for name in text.split(",") if name]
    return refuse_changes(before, setup.values, allowed=allowed)


def judge(
    folder: RunFolder, setup: Setup, result: TrainResult, display: Progress, stop: StopRequest
) -> dict[str, Any]:
    """Everything in results.json, from samples of the final averaged weights."""
    numbers = judged(folder, setup, result.state.averaged, display, stop)
    return numbers | spin_log_partition(numbers, setup.hamiltonian) | facts(folder, setup, result)
