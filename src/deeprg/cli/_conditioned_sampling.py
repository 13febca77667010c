"""`deeprg sample RUN --at VALUE` and `--curves`: a run over an interval at one value, or at many."""

import jax

from deeprg.cli._conditioned import curve_table, save_curves
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._progress import progress
from deeprg.cli._setup import Setup, with_weights
from deeprg.cli._starting import open_conditioned
from deeprg.coarsegrain.flow import AbstractFlow, ReverseKL
from deeprg.exact import reference
from deeprg.hamiltonians import ContinuousDual, critical_temperature
from deeprg.probes import extrapolation_warning, temperature_curves
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["open_at", "run_curves"]

_CURVES = 8  # keeps these keys apart from those of training and of `deeprg sample`


def open_at(run: RunFolder, text: str, checkpoint: str) -> tuple[Setup, AbstractFlow, list[str]]:
    """The objects of a run over an interval at one value, the flow there, and what to be warned of.

    `text` is a number or 'critical'. Raises `UsageError` for another run, other texts and values that the
    Hamiltonian forbids.
    """
    setup = open_conditioned(run)
    family = setup.family
    word = text.strip().lower()
    if word == "critical" and isinstance(family.model, ContinuousDual):
        value = critical_temperature(family.lattice)
    else:
        try:
            value = float(word)
        except ValueError:
            raise UsageError(
                f"--at '{text}' is no value of {family.parameter}: give a number."
                f"{nearest(word, ['critical'])}"
            ) from None
    member = family.at(value)
    flow = with_weights(run, setup, checkpoint).at(value)
    outside = extrapolation_warning(family, value)
    fixed = Setup(setup.config, setup.values, flow, setup.plan, member, ReverseKL(member), reference(member))
    return fixed, flow, [outside] if outside else []


def run_curves(name: str, *, n: int, seed: int, checkpoint: str, json: bool) -> int:
    """Draw n samples at every value of the interval's grid, save and print the curves; the exit code."""
    run = RunFolder.open(name)
    setup = open_conditioned(run)
    flow = with_weights(run, setup, checkpoint)
    key = jax.random.fold_in(jax.random.key(seed), _CURVES)
    total = n * setup.grid.size
    with progress(None) as display:
        display.event(f"compiling the sampler and drawing {n} samples at each of {setup.grid.size} values")
        curves = temperature_curves(
            flow,
            setup.grid,
            n,
            key=key,
            batch=setup.config.evaluate.batch,
            on_chunk=lambda done: display.sampled(done, total),
        )
    save_curves(run, setup.family, curves)
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "checkpoint": checkpoint,
        "seed": seed,
        **curves.to_dict(),
    }
    say(f"the curves are in {run.path / 'temperature-curves.json'} and .png")
    for text in curves.warnings:
        warn(text)
    if json:
        print_json(document)
    else:
        print(curve_table(document))
    middle = 0.5 * (setup.family.low + setup.family.high)
    next_step(f"deeprg sample {run.path} --at {middle:g}")
    return 0
