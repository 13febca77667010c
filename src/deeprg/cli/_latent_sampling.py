"""`deeprg sample RUN --method latent-hmc` and the other chains in the latents of a flow."""

import time
from pathlib import Path
from typing import Any

from deeprg.cli._conditioned_sampling import open_at
from deeprg.cli._console import next_step, say, seconds_text, warn
from deeprg.cli._sampling_progress import sampling_progress
from deeprg.cli._setup import open_run, trained
from deeprg.cli._simulating import run_measure
from deeprg.coarsegrain.flow import LatentSimulation
from deeprg.hamiltonians import MODELS, AbstractDual
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.running import simulate
from deeprg.report.labels import DEGENERATE
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import read_header
from deeprg.train.stop import StopRequest

__all__ = ["degenerate", "run_latent_sampling"]


def model_of(setup: Any) -> tuple[str, dict[str, Any]]:
    """The name and options in `MODELS` of the spins or the field that a run's Hamiltonian stands for."""
    values, target = setup.values["hamiltonian"], setup.hamiltonian
    options = {key: values[key] for key in MODELS[values["name"]].options}
    if not isinstance(target, AbstractDual):  # a field at one value of an interval has it as an attribute
        options = {key: getattr(target, key) for key in options}
    return values["name"], options


def degenerate(ess: float) -> str | None:
    """What to say before anything is drawn when hardly any sample of a flow counts; None when they do."""
    if ess >= DEGENERATE:
        return None
    return (
        f"the weights of this flow degenerate (ESS {ess:.2g}): reweighted averages hang on few samples and "
        "independence chains get stuck. Train further, or take --method mixed."
    )


def run_latent_sampling(
    name: str,
    *,
    n: int,
    method: str,
    seed: int,
    checkpoint: str,
    out: Path | None,
    choices: dict[str, Any],
    json: bool,
    at: str | None = None,
) -> int:
    """Run the chains into an ensemble, measure it, print; returns the exit code.

    `at` is the value of a run over an interval.
    """
    run = RunFolder.open(name)
    if at is None:
        setup = open_run(run)
        flow, where = trained(run, setup, checkpoint=checkpoint), ""
    else:
        setup, flow, outside = open_at(run, at, checkpoint)
        where = f"-at-{at}"
        for text in outside:
            warn(text)
    path = run.path / f"{method}{where}-seed{seed}.zarr" if out is None else out
    judged = (run.results() or {}).get("ess")
    if judged is not None and (text := degenerate(judged)) is not None:
        warn(text)
    weights = read_header(run.checkpoints / f"{checkpoint}.eqx")["crc32"]
    name, options = model_of(setup)
    if path.exists() and choices.get("chains") is None:
        choices = choices | {"chains": Ensemble.open(path).provenance["settings"].get("chains")}
    simulation = LatentSimulation.of(
        flow,
        setup.hamiltonian,
        model=name,
        options=options,
        algorithm=method,
        samples=n,
        seed=seed,
        origin=f"weights {weights:08x} of {run.path.name}{where}",
        **choices,
    ).plan()
    if path.exists():
        _refuse_foreign(path, simulation)
        say(f"continuing {path}")
    say(f"{method}: {simulation.reason}")
    say(f"{simulation.draws} draws in each of {simulation.chains} chains, into {path}")
    begun = time.monotonic()
    with StopRequest() as stop, sampling_progress(simulation) as display:
        ensemble = simulate(
            simulation,
            path,
            on_progress=display.progress,
            on_event=display.event,
            should_stop=lambda: stop.reason is not None,
        )
    if stop.reason is not None:
        say(f"stopped ({stop.reason}); every finished block is in {path}")
        next_step("the same command again goes on")
        return 130 if stop.reason == "interrupt" else 75
    say(f"done in {seconds_text(time.monotonic() - begun)}")
    return run_measure(ensemble, discard=0, json=json, seconds=time.monotonic() - begun)


def _refuse_foreign(path: Path, simulation: LatentSimulation) -> None:
    settings = Ensemble.open(path).provenance["settings"]
    mine = simulation.to_dict()
    if "origin" not in settings:
        raise UsageError(f"'{path}' is no ensemble of chains in latents. Choose another --out.")
    changed = [
        key for key in ("origin", "algorithm", "seed", "leapfrogs", "redraw") if settings[key] != mine[key]
    ]
    if changed:
        raise UsageError(
            f"'{path}' was sampled with another {', '.join(changed)}. Choose another --seed or --out, or "
            "move it away."
        )
