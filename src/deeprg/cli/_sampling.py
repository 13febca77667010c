"""`deeprg sample` behind its flags."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._conditioned_sampling import open_at
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._latent_sampling import degenerate
from deeprg.cli._mera_setup import open_mera, trained_mera
from deeprg.cli._progress import progress
from deeprg.cli._run_kind import kind_of
from deeprg.cli._setup import open_run, trained
from deeprg.cli._table import sample_table
from deeprg.coarsegrain.flow import Draws, draws
from deeprg.montecarlo import importance_summary
from deeprg.montecarlo.ensembles import write_weighted
from deeprg.probes import MeasuredDraws, collect, estimates, spin_log_partition
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["run_sampling"]

_SAMPLING = 7  # keeps these keys apart from those of the training


def run_sampling(
    name: str,
    *,
    n: int,
    method: str,
    seed: int,
    checkpoint: str,
    save: bool,
    json: bool,
    at: str | None = None,
) -> int:
    """Draw, estimate, print; returns the exit code. `at` is the value of a run over an interval."""
    run = RunFolder.open(name)
    target = _new_store(run, method, seed) if save else None
    outside: list[str] = []
    if kind_of(run) == "mera":
        if at is not None or checkpoint != "last":
            raise UsageError(f"'{name}' is a MERA of one temperature and keeps its last weights only.")
        _, setup = open_mera(run.path)
        flow = trained_mera(run, setup)
    elif at is None:
        setup = open_run(run)
        flow = trained(run, setup, checkpoint=checkpoint)
    else:
        setup, flow, outside = open_at(run, at, checkpoint)
    key, accept_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), _SAMPLING))
    kept: list[np.ndarray] = []
    begun = time.monotonic()
    with progress(None) as display:
        display.event(f"compiling the sampler and drawing {n} samples")
        batch = min(setup.config.evaluate.batch, n)
        chunks = draws(flow, setup.hamiltonian, n, key=key, batch=batch, fields=save)
        measured = collect(
            _keeping(chunks, kept, display.event),
            setup.hamiltonian.lattice.shape,
            on_chunk=lambda done: display.sampled(done, n),
        )
    seconds = time.monotonic() - begun
    summary = importance_summary(measured.log_weights)
    result = estimates(measured, method, setup.reference, key=accept_key)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "checkpoint": checkpoint,
        "seed": seed,
        "seconds": seconds,
        **result.to_dict(),
        **{key: value for key, value in summary.to_dict().items() if key != "n"},
        "exact_log_partition": None if setup.reference is None else setup.reference.log_partition,
        "exact_source": None if setup.reference is None else setup.reference.source,
        "saved": None,
    }
    document |= spin_log_partition(document, setup.hamiltonian)
    document["warnings"] = [*outside, *document["warnings"]]
    document["extrapolates"] = bool(outside)
    if not summary.ess_trusted:
        document["warnings"].append(
            f"the ESS comes from {n} samples; fewer than 100000 miss the tail and flatter the model."
        )
    if target is not None:
        document["saved"] = str(target)
        _save(target, document, np.concatenate(kept), measured)
        say(f"fields, weights and observables are in {target}")
    for text in document["warnings"]:
        warn(text)
    if json:
        print_json(document)
    else:
        print(sample_table(document))
    next_step(f"deeprg diagnose {run.path}", f"deeprg report {run.path}")
    return 0


def _keeping(
    chunks: Iterable[Draws], kept: list[np.ndarray], event: Callable[[str], None]
) -> Iterator[Draws]:
    """The chunks, their fields kept where there are any; the first says whether weights degenerate."""
    for number, chunk in enumerate(chunks):
        if number == 0 and np.isfinite(chunk.log_weights).all():
            text = degenerate(importance_summary(chunk.log_weights).ess)
            if text is not None:
                event(f"warning: {text}")
        if chunk.fields is not None:
            kept.append(chunk.fields)
        yield chunk


def _new_store(run: RunFolder, method: str, seed: int) -> Path:
    target = run.path / f"samples-{method}-seed{seed}.zarr"
    if target.exists():
        raise UsageError(
            f"'{target}' exists and is never overwritten. Choose another --seed, or move it away."
        )
    return target


def _save(target: Path, document: dict[str, Any], fields: np.ndarray, measured: MeasuredDraws) -> None:
    write_weighted(target, fields, measured.log_weights, measured.scalars, attributes=document)
