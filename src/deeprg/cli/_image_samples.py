"""`deeprg sample` of a run on data without a Hamiltonian: samples, a figure, and whether they are copies."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._density_setup import ImageSetup, open_images
from deeprg.cli._figures import write_figure
from deeprg.cli._flow_data import FlowData, fixed_maps, read_data
from deeprg.cli._progress import progress
from deeprg.cli._settings import gather
from deeprg.cli._setup import trained
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.flow import AbstractFlow, Chain, Standardise, level_shapes, sites_at
from deeprg.report.image_samples import nearest_rows, plot_image_samples
from deeprg.runs.atomic import write_bytes, write_json
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["run_image_sampling"]

_SAMPLING = 7  # keeps these keys apart from those of the training
_CHUNK = 1000
_SHOWN = 12


def run_image_sampling(run: str, n: int, seed: int, json: bool, *, checkpoint: str = "last") -> int:
    """Draw n samples into samples-seedS.npy of the run folder, with a figure; returns the exit code.

    Images are saved as integers 0 ... levels - 1. The distance to the nearest image that was trained on is
    measured for samples and for held-out data: copies would lie nearer than new data do.
    """
    folder = RunFolder.open(run)
    target = folder.path / f"samples-seed{seed}.npy"
    if target.exists():
        raise UsageError(
            f"'{target}' exists and is never overwritten. Choose another --seed, or move it away."
        )
    setup = open_images(folder)
    flow = trained(folder, setup, checkpoint=checkpoint)
    levels = setup.config.data.levels
    key = jax.random.fold_in(jax.random.key(seed), _SAMPLING)
    parts = []
    with progress(None) as display:
        display.event(f"compiling the sampler and drawing {n} samples")
        for start in range(0, n, _CHUNK):
            fields = _draw(flow, key, jnp.arange(start, start + min(_CHUNK, n)))
            parts.append(np.moveaxis(np.asarray(fields), -1, 0)[: n - start])
            display.sampled(min(start + _CHUNK, n), n)
    samples = _integers(np.concatenate(parts), levels)
    if not np.isfinite(samples).all():
        raise UsageError(f"samples of '{folder.path}' are not finite. Train on, or take --checkpoint best.")
    data = _data(folder)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run": str(folder.path),
        "checkpoint": checkpoint,
        "seed": seed,
        "n": n,
        "levels": levels,
        "mean": float(samples.mean()),
        "saved": str(target),
        "figure": None,
        "nearest": None,
    }
    nearest = None
    if data is not None:
        index, distance = nearest_rows(samples, data.train.rows)
        nearest = data.train.rows[index]
        _, usual = nearest_rows(data.test.rows, data.train.rows)
        document["nearest"] = {"samples": _mean(distance), "held_out": _mean(usual)}
        document["data_mean"] = float(data.train.rows.mean())
    _save(document, samples)
    if setup.lattice.ndim == 2:
        document["figure"] = str(target.with_suffix(".png"))
        shown = min(_SHOWN, n, len(samples) if data is None else len(data.test.rows))
        figure = plot_image_samples(
            samples[:shown],
            data=None if data is None else data.test.rows[:shown],
            nearest=None if nearest is None else nearest[:shown],
            scales=_scales(flow, setup, key, shown),
            title=f"{folder.name}: samples beside data",
        )
        write_figure(target.with_suffix(".png"), figure)
    write_json(target.with_suffix(".json"), document)
    say(f"samples are in {target}")
    if json:
        print_json(document)
    else:
        print(_table(document))
    next_step(*([f"open {document['figure']}"] if document["figure"] else []))
    return 0


def _save(document: Mapping[str, Any], samples: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, samples)
    write_bytes(Path(document["saved"]), buffer.getvalue())


def _integers(fields: np.ndarray, levels: int | None) -> np.ndarray:
    """The integers whose cells the fields lie in; the margins of the logit map belong to the outer ones."""
    if levels is None:
        return fields
    kind = np.uint8 if levels <= 256 else np.int32
    return np.clip(np.floor(fields * levels), 0, levels - 1).astype(kind)


def _data(run: RunFolder) -> FlowData | None:
    """The data of the run, None where they are gone or have changed."""
    resolved = run.resolved()
    try:
        return read_data(gather(run=resolved), resolved)
    except UsageError as error:
        warn(f"samples are not compared with data: {error}")
        return None


def _scales(flow: AbstractFlow, setup: ImageSetup, key: Array, count: int) -> list[np.ndarray]:
    """The fields of the hierarchy's coarse levels [count, h, w], in the units of the pixels they keep."""
    config, lattice = setup.config.data, setup.lattice
    latents = _latents(flow, key, jnp.arange(count))
    levels = [np.asarray(field) for field in _levels(flow, latents)]
    pictures = []
    for shape in level_shapes(lattice)[:-1] if setup.config.flow.layout != "tebd" else []:
        field = next(one for one in levels if one.shape[:2] == shape)
        kept = [sites_at(np.reshape(x, lattice.shape), shape) for x in (config.centre, config.scale)]
        maps = [Standardise(shape, centre=kept[0], scale=kept[1]), *fixed_maps(config, lattice)[1:]]
        picture = np.asarray(Chain(*maps).forward(jnp.asarray(field))[0])
        pictures.append(np.moveaxis(_integers(picture, config.levels), -1, 0))
    return pictures


def _mean(values: np.ndarray) -> dict[str, float]:
    return {"value": float(values.mean()), "error": float(values.std(ddof=1)) / math.sqrt(len(values))}


def _table(document: Mapping[str, Any]) -> str:
    rows = [["samples", str(document["n"])], ["mean of all pixels", with_error(document["mean"])]]
    if document["nearest"] is not None:
        rows.append(["  of the data", with_error(document["data_mean"])])
        names = {"samples": "distance to the nearest trained on", "held_out": "  of held-out data"}
        for name, text in names.items():
            one = document["nearest"][name]
            rows.append([text, with_error(one["value"], one["error"])])
    rows.append(["saved", document["saved"]])
    return text_table(rows, header=["", "value"])


@eqx.filter_jit
def _latents(flow: AbstractFlow, key: Array, numbers: Array) -> Any:
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(numbers)
    return jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys)


@eqx.filter_jit
def _draw(flow: AbstractFlow, key: Array, numbers: Array) -> Array:
    return flow.push(_latents(flow, key, numbers))[0]


@eqx.filter_jit
def _levels(flow: AbstractFlow, latents: Any) -> list[Array]:
    return flow.scales(latents)
