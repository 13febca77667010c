"""The judgement of a trained sampler with a density: weights of its draws, what is kept and said of them."""

import io
import math
import time
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._console import warn
from deeprg.cli._course import Stopped
from deeprg.cli._progress import Progress
from deeprg.coarsegrain.flow import Sampler, draws
from deeprg.exact import Reference
from deeprg.hamiltonians import AbstractHamiltonian, is_even
from deeprg.probes import MeasuredDraws, collect, quality
from deeprg.report.diagnosis import Case
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import NumericalError
from deeprg.runs.folder import RunFolder
from deeprg.train.stop import StopRequest

__all__ = ["case_of", "evaluation_file", "judged", "warn_of_few"]

_TRUSTED = 100_000


@runtime_checkable
class Judged(Protocol):
    """What a judgement needs to know of a run: flows on a Hamiltonian and MERAs have it."""

    @property
    def config(self) -> Any:
        """With `evaluate.samples` and `evaluate.batch`."""
        ...

    @property
    def hamiltonian(self) -> AbstractHamiltonian:
        """The target."""
        ...

    @property
    def reference(self) -> Reference | None:
        """What is known of it exactly."""
        ...

    @property
    def evaluate_key(self) -> PRNGKeyArray:
        """Of the draws."""
        ...


def evaluation_file(run: RunFolder) -> Path:
    """Where the log weights and observables of the final weights lie."""
    return run.path / "evaluation.npz"


def case_of(run: RunFolder) -> Case:
    """What the folder of a sampler says about itself; nothing of it is required but the status."""
    stored = evaluation_file(run)
    return Case(
        results=run.results(),
        metrics=run.metrics(),
        status=run.status(),
        draws=MeasuredDraws.load(stored) if stored.exists() else None,
    )


def warn_of_few(samples: int) -> None:
    """Warn before a training whose judgement will have too few samples."""
    if samples < _TRUSTED:
        warn(
            f"the ESS will come from {samples} samples; fewer than {_TRUSTED} miss the tail and flatter the "
            "model."
        )


def judged(
    folder: RunFolder,
    setup: Judged,
    model: Sampler,
    display: Progress,
    stop: StopRequest,
) -> dict[str, Any]:
    """What results.json says of the final weights; their draws, as measured, go to `evaluation_file`."""
    samples, hamiltonian, key = setup.config.evaluate.samples, setup.hamiltonian, setup.evaluate_key
    display.event(f"compiling the sampler and drawing {samples} samples of the final weights")
    begun, times = time.monotonic(), []

    def on_chunk(done: int) -> None:
        times.append((time.monotonic(), done))
        display.sampled(done, samples)
        if stop.reason is not None:
            raise Stopped(stop.reason)

    chunks = draws(model, hamiltonian, samples, key=key, batch=min(setup.config.evaluate.batch, samples))
    measured = collect(chunks, hamiltonian.lattice.shape, on_chunk=on_chunk)
    if not np.isfinite(measured.log_weights).all():
        bad = int((~np.isfinite(measured.log_weights)).sum())
        raise NumericalError(
            f"{bad} of {samples} weights of the final model are not finite. Lower learning_rate or set "
            f"clip_norm; the checkpoint is in '{folder.checkpoints}'."
        )
    numbers = quality(measured, setup.reference, key=jax.random.fold_in(key, 1))
    _store(folder, measured)
    (first, before), (last, done) = times[0], times[-1]
    return {
        **numbers,
        "symmetric": is_even(hamiltonian),
        "hamiltonian": hamiltonian.describe(),
        "evaluate_seconds": time.monotonic() - begun,
        # without the first chunk, which compiles
        "samples_per_second": (done - before) / (last - first) if last > first else math.nan,
    }


def _store(folder: RunFolder, measured: MeasuredDraws) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **measured.arrays())  # pyright: ignore[reportArgumentType]
    write_bytes(evaluation_file(folder), buffer.getvalue())
