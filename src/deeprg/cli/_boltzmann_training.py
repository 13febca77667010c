"""`deeprg train rbm` behind its flags: folder, training, judgement of the final machine, results."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deeprg.cli._boltzmann_data import Configurations, Split, load_configurations, split
from deeprg.cli._boltzmann_results import judge_rbm, rbm_table
from deeprg.cli._boltzmann_setup import RBMSetup, build_rbm, data_of, matched, open_rbm, parse_unit, typed
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._progress import Progress, progress
from deeprg.cli._run_log import continued, loop_options, report_stop
from deeprg.coarsegrain.boltzmann import fit, initial_state
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import Checkpoints
from deeprg.train.loop import TrainResult
from deeprg.train.stop import StopRequest

__all__ = ["RBMRequest", "run_rbm"]

_RATES = {"sgd": 0.01, "adam": 0.002}


@dataclass(frozen=True)
class RBMRequest:
    """What `deeprg train rbm` was asked for; None in `machine` and `train` takes the default."""

    data: Path | None
    temperature: str | None
    held_out: float | None
    machine: dict[str, Any]
    train: dict[str, Any]
    evaluate: dict[str, Any]
    epochs: float | None
    seed: int | None
    checkpoint_seconds: float | None
    out: Path | None
    resume: str | None
    time_limit: float | None
    json: bool
    argv: Sequence[str] = field(default_factory=tuple)


def run_rbm(request: RBMRequest) -> int:
    """Train as requested; returns the exit code."""
    begun = time.monotonic()
    if request.time_limit is not None and not request.time_limit > 0:
        raise UsageError(f"the time limit is {request.time_limit} minutes, but it must be positive.")
    folder, setup, data, rows = _opened(request) if request.resume is not None else _created(request)
    say(f"{data.describe()}: {len(rows.train)} to train on, {_count(rows)} held out")
    say(f"{_describe(setup)}; run folder {folder.path}")
    results: dict[str, Any] | None = None
    with folder, StopRequest() as stop, progress(None) as display:
        result = _train(request, setup, rows, folder, display, stop, begun)
        reason = result.reason
        if reason == "done":
            display.event("judging the final machine")
            begun = time.monotonic()
            evaluate = setup.config.evaluate
            numbers = judge_rbm(
                result.state.model,
                data,
                rows,
                temperatures=evaluate.temperatures,
                chains=evaluate.chains,
                key=setup.evaluate_key,
                say=display.event,
            )
            reason = stop.reason or reason
        if reason == "done":
            results = (
                numbers
                | _facts(folder, setup, data, rows, result)
                | {"evaluate_seconds": time.monotonic() - begun}
            )
            folder.write_results(results)
            folder.set_status("done", step=results["steps"])
    if results is None:
        return report_stop(folder, int(result.state.step), reason, verb="deeprg train rbm", json=request.json)
    for text in results["warnings"]:
        warn(text)
    if request.json:
        print_json(folder.results() or {})
    else:
        print(rbm_table(results))
    source = request.data or setup.config.data.path
    next_step(
        f"deeprg probe {folder.path} --with {source}",
        f"deeprg flow {folder.path} --start cold",
        f"deeprg report {folder.path}",
    )
    return 0


def _created(request: RBMRequest) -> tuple[RunFolder, RBMSetup, Configurations, Split]:
    if request.data is None:
        raise UsageError("which data? Give --data E.zarr (see deeprg simulate) or --data rows.npy.")
    train = {key: value for key, value in request.train.items() if value is not None}
    train.setdefault("learning_rate", _RATES.get(str(train.get("optimiser", "sgd")), _RATES["sgd"]))
    lengths = [request.epochs, train.get("steps"), train.get("minutes")]
    if all(length is None for length in lengths):
        raise UsageError("how long to train is not said. Give --epochs N, --steps N or --minutes M.")
    if request.epochs is not None and train.get("steps") is not None:
        raise UsageError("--epochs and --steps exclude each other. Give one of them.")
    values: dict[str, Any] = {
        "data": {"path": str(request.data.resolve()), "temperature": request.temperature},
        "machine": {key: value for key, value in request.machine.items() if value is not None},
        "train": train,
        "evaluate": {key: value for key, value in request.evaluate.items() if value is not None},
    }
    if request.held_out is not None:
        values["data"]["held_out"] = request.held_out
    for name in ("seed", "checkpoint_seconds"):
        if getattr(request, name) is not None:
            values[name] = getattr(request, name)
    config = typed(values)
    data = load_configurations(request.data, request.temperature)
    rows = split(data, parse_unit(config.machine.units, "--units"), config.data.held_out, config.seed)
    values["data"] |= {"shape": list(data.lattice.shape), "checksum": data.checksum}
    if request.epochs is not None:
        if not (math.isfinite(request.epochs) and request.epochs > 0):
            raise UsageError(f"--epochs {request.epochs:g} must be positive.")
        train["steps"] = max(1, round(request.epochs * len(rows.train) / config.train.batch))
    setup = build_rbm(typed(values))
    shape = "x".join(map(str, data.lattice.shape))
    folder = RunFolder.create(
        request.out,
        name=f"rbm-{shape}-{setup.config.machine.hidden}",
        resolved=setup.values,
        environment=describe_environment(seed=setup.config.seed, argv=list(request.argv) or None),
    )
    return folder, setup, data, rows


def _opened(request: RBMRequest) -> tuple[RunFolder, RBMSetup, Configurations, Split]:
    """The run to continue; its settings are those that it was started with."""
    sections = (request.machine, request.train, request.evaluate)
    given = [name for section in sections for name, value in section.items() if value is not None]
    alone = ("data", "temperature", "held_out", "epochs", "seed", "checkpoint_seconds", "out")
    given += [name for name in alone if getattr(request, name) is not None]
    if given:
        raise UsageError(
            f"a resumed run keeps its settings and its folder; leave out {', '.join(given)}, or "
            "start a new run."
        )
    folder, setup = open_rbm(str(request.resume))
    return folder, setup, *data_of(setup)


def _train(
    request: RBMRequest,
    setup: RBMSetup,
    rows: Split,
    folder: RunFolder,
    display: Progress,
    stop: StopRequest,
    begun: float,
) -> TrainResult:
    machine, key = matched(setup, rows), setup.train_key
    checkpoints = Checkpoints(folder.checkpoints, config=setup.values, every=setup.config.checkpoint_seconds)
    state = initial_state(machine, setup.objective, setup.plan, chains=setup.config.train.chains, key=key)
    if request.resume is not None:
        state = continued(folder, checkpoints, state, setup.plan)

    return fit(
        machine,
        rows.train,
        setup.plan,
        objective=setup.objective,
        held_out=rows.held_out,
        state=state,
        key=key,
        checkpoints=checkpoints,
        **loop_options(folder, display, stop, request.time_limit, begun),
    )


def _facts(
    folder: RunFolder, setup: RBMSetup, data: Configurations, rows: Split, result: TrainResult
) -> dict[str, Any]:
    """What results.json says beside the numbers of the machine."""
    per_step = result.seconds_per_step
    records = folder.metrics()
    if not math.isfinite(per_step) and records:
        per_step = statistics.median(1 / record["steps_per_second"] for record in records)
    return {
        "data": str(data.path),
        "temperatures": data.temperatures,
        "lattice": list(data.lattice.shape),
        "rows": len(rows.train),
        "held_out_rows": _count(rows),
        "machine": _describe(setup),
        "algorithm": setup.config.train.algorithm,
        "seed": setup.config.seed,
        "steps": int(result.state.step),
        "epochs": int(result.state.step) * setup.config.train.batch / len(rows.train),
        "skipped_steps": result.state.skipped,
        "train_seconds": result.state.seconds,
        "seconds_per_step": per_step,
        "compile_seconds": result.compile_seconds,
        "parameters": result.state.parameters,
        "run": str(folder.path),
    }


def _describe(setup: RBMSetup) -> str:
    machine, train = setup.machine, setup.config.train
    biases = "" if machine.biases else ", no biases"
    return (
        f"RBM of {machine.n_visible} {machine.visible.name} and {machine.n_hidden} {machine.hidden.name} "
        f"units{biases}, {train.algorithm.upper()}-{train.k} with {train.optimiser}"
    )


def _count(rows: Split) -> int:
    return 0 if rows.held_out is None else len(rows.held_out)
