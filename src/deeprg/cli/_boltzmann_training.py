"""`deeprg train rbm` and `train dbn` behind their flags: folder, training, judgement, results."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._boltzmann_data import Configurations, Split, load_configurations, split, with_data
from deeprg.cli._boltzmann_network import judge_network, network_table
from deeprg.cli._boltzmann_results import judge_rbm, rbm_table
from deeprg.cli._boltzmann_setup import (
    BoltzmannSetup,
    batch_sizes,
    build_boltzmann,
    checkpoint_folder,
    data_of,
    open_boltzmann,
    parse_unit,
    typed,
)
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._flags import given_values
from deeprg.cli._progress import Progress, progress
from deeprg.cli._run_log import continued, loop_options, report_stop
from deeprg.cli.train_boltzmann import BoltzmannFlags
from deeprg.coarsegrain.boltzmann import RBM, BeliefNetwork, fit, hidden_rows, initial_state, matched_bias
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import Checkpoints
from deeprg.train.loop import TrainResult
from deeprg.train.plan import Plan
from deeprg.train.stop import StopRequest

__all__ = ["run_boltzmann"]

_RATES = {"sgd": 0.01, "adam": 0.002}
_HIDDEN = {"rbm": [256], "dbn": [256, 64]}
_TRAINING = (
    "algorithm", "k", "chains", "batch", "steps", "minutes", "learning_rate", "decay", "warmup", "momentum",
    "optimiser", "l1", "l2", "centred",
)  # fmt: skip


def run_boltzmann(kind: str, hidden: list[int] | None, flags: BoltzmannFlags, *, argv: Sequence[str]) -> int:
    """Train as the flags ask; returns the exit code."""
    begun = time.monotonic()
    if flags.time_limit is not None and not flags.time_limit > 0:
        raise UsageError(f"the time limit is {flags.time_limit} minutes, but it must be positive.")
    if flags.resume is not None:
        folder, setup, data, rows = _opened(kind, hidden, flags)
    else:
        folder, setup, data, rows = _created(kind, hidden, flags, argv)
    say(f"{data.describe()}: {len(rows.train)} to train on, {_count(rows)} held out")
    say(f"{_describe(setup)}; run folder {folder.path}")
    results: dict[str, Any] | None = None
    with folder, StopRequest() as stop, progress(None) as display:
        layers, trained = [rows], []
        for layer in range(len(setup.machines)):
            trained.append(_train(flags, setup, layer, layers[-1], folder, display, stop, begun, trained))
            if trained[-1].reason != "done":
                break
            if layer + 1 < len(setup.machines):
                layers.append(_above(trained[-1].state.model, layers[-1], setup.train_key(layer)))
        reason = trained[-1].reason
        if reason == "done":
            evaluating = time.monotonic()
            numbers = _judged(setup, [one.state.model for one in trained], layers, data, display)
            reason = stop.reason or reason
        if reason == "done":
            seconds = {"evaluate_seconds": time.monotonic() - evaluating}
            results = numbers | _facts(folder, setup, data, rows, trained) | seconds
            folder.write_results(results)
            folder.set_status("done", step=results["steps"])
    if results is None:
        return report_stop(folder, _steps(trained), reason, verb=setup.verb, json=flags.json)
    for text in results["warnings"]:
        warn(text)
    if flags.json:
        print_json(folder.results() or {})
    else:
        print(rbm_table(results) if kind == "rbm" else network_table(results))
    stored = setup.config.data
    next_step(
        f"deeprg probe {folder.path} {with_data(flags.data or stored.path, stored.temperature)}",
        f"deeprg flow {folder.path}",
        f"deeprg report {folder.path}",
    )
    return 0


def _created(
    kind: str, hidden: list[int] | None, flags: BoltzmannFlags, argv: Sequence[str]
) -> tuple[RunFolder, BoltzmannSetup, Configurations, Split]:
    if flags.data is None:
        raise UsageError("which data? Give --data E.zarr (see deeprg simulate) or --data rows.npy.")
    train: dict[str, Any] = {name: getattr(flags, name) for name in _TRAINING}
    train = {name: value for name, value in train.items() if value is not None and value is not False}
    if flags.batch is not None:
        train["batch"] = batch_sizes(flags.batch)
    train.setdefault("learning_rate", _RATES.get(str(train.get("optimiser", "sgd")), _RATES["sgd"]))
    if all(length is None for length in (flags.epochs, flags.steps, flags.minutes)):
        raise UsageError("how long to train is not said. Give --epochs N, --steps N or --minutes M.")
    if flags.epochs is not None and flags.steps is not None:
        raise UsageError("--epochs and --steps exclude each other. Give one of them.")
    machine = {"hidden": hidden or _HIDDEN[kind], "units": flags.units, "hidden_units": flags.hidden_units}
    machine["biases"] = False if flags.no_biases else None
    evaluate = {"temperatures": flags.ais_temperatures, "chains": flags.ais_chains}
    data = {
        "path": str(flags.data.resolve()),
        "temperature": flags.temperature,
        "held_out": flags.held_out,
    }
    run = {"kind": kind, "seed": flags.seed, "checkpoint_seconds": flags.checkpoint_seconds}
    sections = {"data": data, "machine": machine, "train": train, "evaluate": evaluate}
    values: dict[str, Any] = {
        name: given_values(section) for name, section in sections.items()
    } | given_values(run)
    if flags.epochs is not None:
        if not (math.isfinite(flags.epochs) and flags.epochs > 0):
            raise UsageError(f"--epochs {flags.epochs:g} must be positive.")
        values["train"]["steps"] = 1  # until the number of rows is known
    config = typed(values)
    found = load_configurations(flags.data, flags.temperature)
    rows = split(found, parse_unit(config.machine.units, "--units"), config.data.held_out, config.seed)
    values["data"] |= {"shape": list(found.lattice.shape), "checksum": found.checksum}
    if flags.epochs is not None:
        seen = flags.epochs * len(rows.train)
        values["train"]["steps"] = max(1, round(seen / _mean_batch(config.train.batch)))
    setup = build_boltzmann(typed(values))
    shape = "x".join(map(str, found.lattice.shape))
    folder = RunFolder.create(
        flags.out,
        name=f"{kind}-{shape}-{'-'.join(map(str, setup.config.machine.hidden))}",
        resolved=setup.values,
        environment=describe_environment(seed=setup.config.seed, argv=list(argv) or None),
    )
    return folder, setup, found, rows


def _opened(
    kind: str, hidden: list[int] | None, flags: BoltzmannFlags
) -> tuple[RunFolder, BoltzmannSetup, Configurations, Split]:
    """The run to continue; its settings are those that it was started with."""
    free = replace(flags, resume=None, time_limit=None, json=False)
    given = [name for name, value in vars(free).items() if value is not None and value is not False]
    given += ["hidden"] if hidden is not None else []
    if given:
        raise UsageError(
            f"a resumed run keeps its settings and its folder; leave out {', '.join(given)}, or "
            "start a new run."
        )
    folder, setup = open_boltzmann(str(flags.resume))
    if setup.config.kind != kind:
        raise UsageError(f"'{folder.path}' is a run of {setup.verb}; continue it with that.")
    return folder, setup, *data_of(setup)


def _train(
    flags: BoltzmannFlags,
    setup: BoltzmannSetup,
    layer: int,
    rows: Split,
    folder: RunFolder,
    display: Progress,
    stop: StopRequest,
    begun: float,
    below: Sequence[TrainResult],
) -> TrainResult:
    """Train one layer, or go on with it; layers that were done before are only read."""
    key, config, before = setup.train_key(layer), setup.config, _steps(below)
    machine = matched_bias(setup.machines[layer], jax.numpy.asarray(rows.train, np.float32))
    state = initial_state(machine, setup.objective, setup.plan, chains=config.train.chains, key=key)
    saved = [checkpoint_folder(folder, setup, n) for n in range(len(setup.machines))]
    checkpoints = Checkpoints(saved[layer], config=setup.values, every=config.checkpoint_seconds)
    if flags.resume is not None:
        current = max((n for n, path in enumerate(saved) if (path / "last.eqx").exists()), default=0)
        if layer < current:
            state, _ = checkpoints.load(state)
        elif layer == current:
            state = continued(folder, checkpoints, state, setup.plan, before=before)
    facts: dict[str, Any] = {}
    if config.kind == "dbn":
        facts["layer"] = layer + 1
        display.event(f"layer {layer + 1} of {len(setup.machines)}: {_sizes(machine)}")
    return fit(
        machine,
        rows.train,
        setup.plan,
        objective=setup.objective,
        held_out=rows.held_out,
        state=state,
        running_partition=machine.visible.states is not None or machine.hidden.states is not None,
        key=key,
        checkpoints=checkpoints,
        **loop_options(folder, display, stop, flags.time_limit, begun, before=before, **facts),
    )


def _above(machine: RBM, rows: Split, key: PRNGKeyArray) -> Split:
    """One draw of the hidden layer for every row."""
    first, second = jax.random.split(key)
    held_out = None if rows.held_out is None else hidden_rows(machine, rows.held_out, key=second)
    return replace(rows, train=hidden_rows(machine, rows.train, key=first), held_out=held_out)


def _judged(
    setup: BoltzmannSetup,
    machines: Sequence[RBM],
    layers: Sequence[Split],
    data: Configurations,
    display: Progress,
) -> dict[str, Any]:
    evaluate = setup.config.evaluate
    found = []
    for layer, (machine, rows) in enumerate(zip(machines, layers, strict=True)):
        what = "final machine" if len(machines) == 1 else f"machine of layer {layer + 1}"
        display.event(f"judging the {what}")
        found.append(
            judge_rbm(
                machine,
                data if layer == 0 else None,
                rows,
                temperatures=evaluate.temperatures,
                chains=evaluate.chains,
                key=setup.evaluate_key(layer),
                say=display.event,
            )
        )
    if setup.config.kind == "rbm":
        return found[0]
    display.event("judging the network")
    key = setup.evaluate_key(len(machines))
    return judge_network(BeliefNetwork(tuple(machines)), found, layers[0], key=key)


def _facts(
    folder: RunFolder,
    setup: BoltzmannSetup,
    data: Configurations,
    rows: Split,
    trained: Sequence[TrainResult],
) -> dict[str, Any]:
    """What results.json says beside the numbers of the machines."""
    rates = [result.seconds_per_step for result in trained if math.isfinite(result.seconds_per_step)]
    rates = rates or [1 / record["steps_per_second"] for record in folder.metrics()] or [math.nan]
    steps = _steps(trained)
    return {
        "data": str(data.path),
        "temperatures": data.temperatures,
        "lattice": list(data.lattice.shape),
        "rows": len(rows.train),
        "held_out_rows": _count(rows),
        "machine": _describe(setup),
        "algorithm": setup.config.train.algorithm,
        "seed": setup.config.seed,
        "steps": steps,
        "epochs": steps * _mean_batch(setup.config.train.batch) / len(rows.train) / len(trained),
        "skipped_steps": sum(result.state.skipped for result in trained),
        "train_seconds": sum(result.state.seconds for result in trained),
        "seconds_per_step": statistics.median(rates),
        "compile_seconds": sum(result.compile_seconds for result in trained),
        "parameters": sum(result.state.parameters for result in trained),
        "run": str(folder.path),
    }


def _steps(trained: Sequence[TrainResult]) -> int:
    return sum(int(result.state.step) for result in trained)


def _mean_batch(batch: Any) -> float:
    """Rows per step, averaged over the training."""
    ramp = Plan(steps=1, batch=batch).ramp
    ends = [start for start, _ in ramp[1:]] + [1.0]
    return sum(size * (end - start) for (start, size), end in zip(ramp, ends, strict=True))


def _sizes(machine: RBM) -> str:
    return f"{machine.n_visible} {machine.visible.name} and {machine.n_hidden} {machine.hidden.name} units"


def _describe(setup: BoltzmannSetup) -> str:
    first, train = setup.machines[0], setup.config.train
    biases = "" if first.biases else ", no biases"
    how = f"{train.algorithm.upper()}-{train.k} with {train.optimiser}"
    if setup.config.kind == "rbm":
        return f"RBM of {_sizes(first)}{biases}, {how}"
    widths = "-".join(str(n) for n in (first.n_visible, *(one.n_hidden for one in setup.machines)))
    return f"DBN {widths} of {first.visible.name} and {first.hidden.name} units{biases}, {how}"


def _count(rows: Split) -> int:
    return 0 if rows.held_out is None else len(rows.held_out)
