"""`deeprg train mera` behind its flags: folder, training, judgement, results; and its page."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._course import Stopped, training_facts
from deeprg.cli._judging import case_of, evaluation_file, judged, warn_of_few
from deeprg.cli._mera_setup import MERASetup, build_mera, open_mera, started_mera
from deeprg.cli._plain_report import stored_pictures, write_report
from deeprg.cli._progress import progress
from deeprg.cli._run_log import continued, loop_options, report_stop
from deeprg.cli._table import result_table
from deeprg.coarsegrain.mera import trainable
from deeprg.probes import MeasuredDraws
from deeprg.report.blocks import picture
from deeprg.report.diagnosis import CHECKS, Finding, diagnose
from deeprg.report.log_weights import plot_log_weights
from deeprg.report.style import data_uri, figure, style
from deeprg.report.training import plot_free_energy, telling
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.batches import key_batches
from deeprg.train.checkpoint import Checkpoints
from deeprg.train.loop import TrainResult, train
from deeprg.train.state import TrainState
from deeprg.train.stop import StopRequest

__all__ = ["MERA_CHECKS", "larger_run", "mera_findings", "report_mera", "run_mera"]

MERA_CHECKS = tuple(CHECKS)


def run_mera(
    values: dict[str, Any],
    *,
    out: Path | None,
    resume: str | None,
    time_limit: float | None,
    json: bool,
    argv: Sequence[str],
) -> int:
    """Train a MERA of these settings, or continue one; returns the exit code."""
    begun = time.monotonic()
    if time_limit is not None and not time_limit > 0:
        raise UsageError(f"the time limit is {time_limit} minutes, but it must be positive.")
    if resume is not None:
        folder, setup = open_mera(resume)
        network = setup.network
    else:
        setup = build_mera(values)
        network = started_mera(setup)
        shape = "x".join(map(str, setup.config.model.shape))
        folder = RunFolder.create(
            out,
            name=f"mera-{setup.config.model.name}-{shape}",
            resolved=setup.values,
            environment=describe_environment(seed=setup.config.seed, argv=list(argv) or None),
        )
    chosen = trainable(network)
    state = TrainState.create(network, setup.plan, key=setup.train_key, trainable=chosen)
    checkpoints = Checkpoints(folder.checkpoints, config=setup.values, every=setup.config.checkpoint_seconds)
    if resume is not None:
        state = continued(folder, checkpoints, state, setup.plan)
    say(setup.hamiltonian.describe())
    say(f"run folder {folder.path}, {state.parameters} parameters")
    warn_of_few(setup.config.evaluate.samples)
    results: dict[str, Any] | None = None
    exact = None if setup.reference is None else setup.reference.free_energy
    with folder, StopRequest() as stop, progress(exact) as display:
        options = loop_options(folder, display, stop, time_limit, begun)
        result = train(state, setup.objective, key_batches, setup.plan, checkpoints=checkpoints, **options)
        reason = result.reason
        try:
            if reason == "done":
                results = _results(folder, setup, result, display, stop)
                folder.write_results(results)
                folder.set_status("done", step=results["steps"])
        except Stopped as stopped:
            reason = stopped.reason
    if results is None:
        return report_stop(folder, int(result.state.step), reason, verb="deeprg train mera", json=json)
    for text in results["warnings"]:
        warn(text)
    if json:
        print_json(folder.results() or {})
    else:
        print(result_table(results))
    next_step(
        f"deeprg report {folder.path}",
        f"deeprg sample {folder.path} -n 100000 --method independence",
        f"deeprg train mera {larger_run(setup)} --from {folder.path} --minutes 20",
    )
    return 0


def larger_run(setup: MERASetup) -> str:
    """The arguments of a run of the same model and network on a lattice with twice the extents."""
    model, network = setup.config.model, setup.config.network
    words = [model.name, *(f"{name}={value}" for name, value in model.options.items())]
    words += ["--shape", "x".join(str(2 * n) for n in model.shape), "--temperature", repr(model.temperature)]
    usual = type(network).model_validate({})
    if network.reach is None:
        words.append("--tables")
    for name in ("reach", "width", "depth"):
        value = getattr(network, name)
        if value is not None and value != getattr(usual, name):
            words += [f"--{name}", f"{value:g}"]
    return " ".join(words)


def _results(
    folder: RunFolder, setup: MERASetup, result: TrainResult, display: Any, stop: StopRequest
) -> dict[str, Any]:
    numbers = judged(folder, setup, result.state.averaged, display, stop)
    return numbers | {"seed": setup.config.seed} | training_facts(folder, result)


def mera_findings(run: RunFolder) -> list[Finding]:
    """What may be wrong with the run."""
    return diagnose(case_of(run))


def report_mera(run: RunFolder, *, out: Path | None, json: bool) -> int:
    """Write the page; returns the exit code."""
    _, setup = open_mera(run.path)
    results, pictures = run.results(), []
    exact = None if setup.reference is None else setup.reference.free_energy
    with style():
        if records := telling(run.metrics()):
            fig, ax = figure()
            steps, values = ([record[name] for record in records] for name in ("step", "free_energy"))
            plot_free_energy(ax, steps, values, exact=exact)
            pictures.append(picture(data_uri(fig), "Free energy while training."))
        if evaluation_file(run).exists():
            fig, ax = figure()
            plot_log_weights(ax, MeasuredDraws.load(evaluation_file(run)).log_weights)
            pictures.append(picture(data_uri(fig), "Weights of the final network."))
    return write_report(
        run,
        title=f"A classical MERA for {setup.hamiltonian.describe()}",
        findings=mera_findings(run),
        table=None if results is None else result_table(results),
        pictures=pictures,
        more=stored_pictures(run, "*.png"),
        out=out,
        json=json,
        verbs=(f"deeprg train mera --resume {run.path}",) if results is None else (),
    )
