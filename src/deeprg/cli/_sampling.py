"""`deeprg sample` behind its flags."""

import io
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._progress import progress
from deeprg.cli._setup import open_run, trained
from deeprg.cli._table import sample_table
from deeprg.coarsegrain.flow import Draws, draws
from deeprg.montecarlo import importance_summary
from deeprg.probes import collect, estimates, spin_log_partition
from deeprg.runs.atomic import write_bytes, write_json
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["run_sampling"]

_SAMPLING = 7  # keeps these keys apart from those of the training


def run_sampling(
    name: str, *, n: int, method: str, seed: int, checkpoint: str, save: bool, json: bool
) -> int:
    """Draw, estimate, print; returns the exit code."""
    run = RunFolder.open(name)
    target = _new_file(run, method, seed) if save else None
    setup = open_run(run)
    flow = trained(run, setup, checkpoint=checkpoint)
    key, accept_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), _SAMPLING))
    kept: list[np.ndarray] = []
    begun = time.monotonic()
    with progress(None) as display:
        display.event(f"compiling the sampler and drawing {n} samples")
        batch = min(setup.config.evaluate.batch, n)
        chunks = draws(flow, setup.hamiltonian, n, key=key, batch=batch, fields=save)
        measured = collect(
            _keeping(chunks, kept),
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
    if not summary.ess_trusted:
        document["warnings"].append(
            f"the ESS comes from {n} samples; fewer than 100000 miss the tail and flatter the model."
        )
    if target is not None:
        _save(target, document, np.concatenate(kept), measured.arrays())
        say(f"fields, weights and observables are in {target}")
    for text in document["warnings"]:
        warn(text)
    if json:
        print_json(document)
    else:
        print(sample_table(document))
    next_step(f"deeprg diagnose {run.path}", f"deeprg report {run.path}")
    return 0


def _keeping(chunks: Iterable[Draws], kept: list[np.ndarray]) -> Iterator[Draws]:
    for chunk in chunks:
        if chunk.fields is not None:
            kept.append(chunk.fields)
        yield chunk


def _new_file(run: RunFolder, method: str, seed: int) -> Path:
    target = run.path / f"samples-{method}-seed{seed}.npz"
    if target.exists():
        raise UsageError(
            f"'{target}' exists and is never overwritten. Choose another --seed, or move it away."
        )
    return target


def _save(target: Path, document: dict[str, Any], fields: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, fields=fields, **arrays)  # pyright: ignore[reportArgumentType]
    document["saved"] = str(target)
    write_bytes(target, buffer.getvalue())
    write_json(target.with_suffix(".json"), document)
