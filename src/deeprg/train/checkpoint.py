"""Checkpoints: one file, one line of JSON that says what it is, then the arrays. Written in one step."""

import io
import json
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from deeprg.runs.atomic import disk_error, jsonable, write_bytes
from deeprg.runs.config import fingerprint
from deeprg.runs.errors import UsageError
from deeprg.train.distributed import is_writer
from deeprg.train.state import TrainState

__all__ = ["Checkpoints", "load_checkpoint", "load_model", "read_header", "save_checkpoint"]

_FORMAT, _VERSION = "deeprg-checkpoint", 1
_LONGEST_HEADER = 1 << 26


def save_checkpoint(
    path: str | Path,
    state: TrainState,
    *,
    config: Mapping[str, Any] | None = None,
    score: float | None = None,
) -> None:
    """Write `state` to `path` in one step; an older file there stays until the new one is complete.

    `score` is that by which the best state is chosen, the smoothed loss by default. Raises `UsageError`,
    naming the path, when the disk is full or unwritable.

    >>> import tempfile
    >>> from deeprg.train import Plan
    >>> state = TrainState.create(jnp.ones(3), Plan(steps=10), key=jax.random.key(0))
    >>> path = Path(tempfile.mkdtemp()) / "last.eqx"
    >>> save_checkpoint(path, state, config={"seed": 0})
    >>> again, header = load_checkpoint(path, like=state)
    >>> again.model.tolist(), header["step"], header["config"]
    ([1.0, 1.0, 1.0], 0, {'seed': 0})
    """
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, state, filter_spec=_write_leaf)
    payload = buffer.getvalue()
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "step": int(state.step),
        "seconds": state.seconds,
        "smoothed": float(state.smoothed),
        "score": float(state.smoothed) if score is None else score,
        "config": jsonable(config or {}),
        "config_hash": fingerprint(config or {}),
        "jax": jax.__version__,
        "bytes": len(payload),
        "crc32": zlib.crc32(payload),
        "leaves": _describe(state),
    }
    write_bytes(path, json.dumps(jsonable(header), allow_nan=False).encode() + b"\n" + payload)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint: step, seconds, smoothed loss, configuration, versions, leaves.

    Raises `UsageError` when the file is missing, truncated, damaged or not a checkpoint of this package.
    """
    return _read(path)[0]


def load_checkpoint(path: str | Path, *, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
    """The state in a checkpoint and its header.

    `like` is a fresh state of the same model and plan: it says which arrays to expect. Raises `UsageError`,
    naming the path, for a missing, truncated, damaged or foreign file, and for one of another model or
    optimiser.
    """
    header, payload = _read(path)
    _compare(path, header["leaves"], _describe(like))
    return _deserialise(path, payload, like), header


def load_model(
    path: str | Path,
    model: PyTree,
    *,
    averaged: bool = True,
    trainable: PyTree[bool] | Callable[[Any], bool] = eqx.is_inexact_array,
) -> PyTree:
    """The trained model in a checkpoint, without its optimiser: for sampling and reports.

    `model` is a fresh model of the same structure, `trainable` what `TrainState.create` was given. Errors as
    `load_checkpoint`.
    """
    header, payload = _read(path)
    like = (model, eqx.filter(model, trainable))
    expected = _describe(like)
    _compare(path, header["leaves"][: len(expected)], expected)
    model, ema = _deserialise(path, payload, like)
    return eqx.combine(ema, model) if averaged else model


class Checkpoints:
    """The folder with `last.eqx` and `best.eqx`, written every `every` seconds and at the end of a training.

    Best is the lowest `score(state)` among the saved states, by default the smoothed loss. Every process may
    call `save`; process 0 writes.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        config: Mapping[str, Any] | None = None,
        every: float = 60.0,
        score: Callable[[TrainState], float] | None = None,
    ):
        self.score = score or (lambda state: float(state.smoothed))
        self.folder = Path(folder)
        self.config = dict(config or {})
        self.every = every
        self._saved = time.monotonic()

    @property
    def last(self) -> Path:
        """Path of the newest checkpoint."""
        return self.folder / "last.eqx"

    @property
    def best(self) -> Path:
        """Path of the best checkpoint."""
        return self.folder / "best.eqx"

    @property
    def due(self) -> bool:
        """Whether `every` seconds have passed since the last save."""
        return time.monotonic() - self._saved >= self.every

    def save(self, state: TrainState) -> None:
        """Write `last.eqx`, and `best.eqx` when the score is lower than the one in it."""
        if is_writer():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise disk_error(self.folder, error) from error
            score = self.score(state)
            if score < self._best_so_far():
                save_checkpoint(self.best, state, config=self.config, score=score)
            save_checkpoint(self.last, state, config=self.config, score=score)
        self._saved = time.monotonic()

    def load(self, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """`load_checkpoint` of the newest one."""
        return load_checkpoint(self.last, like=like)

    def _best_so_far(self) -> float:
        if not self.best.exists():
            return np.inf
        header = read_header(self.best)
        score = header.get("score", header["smoothed"])  # older files have no score
        return np.inf if score is None else score


def _read(path: str | Path) -> tuple[dict[str, Any], bytes]:
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST_HEADER)
            payload = file.read()
    except OSError as error:
        raise disk_error(path, error, "read") from error
    try:
        header = json.loads(line)
        if header["format"] != _FORMAT:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        kind = "is empty" if not line else "is not a checkpoint of this package, or its beginning is damaged"
        raise UsageError(f"'{path}' {kind}. Choose another checkpoint.") from None
    if header["version"] != _VERSION:
        raise UsageError(
            f"'{path}' has checkpoint format {header['version']}; only {_VERSION} is understood."
        )
    if len(payload) != header["bytes"]:
        text = "truncated" if len(payload) < header["bytes"] else "too long"
        raise UsageError(
            f"'{path}' is {text}: {len(payload)} bytes of data instead of {header['bytes']}. "
            "Use another checkpoint."
        )
    if zlib.crc32(payload) != header["crc32"]:
        raise UsageError(f"'{path}' is damaged: its checksum is wrong. Use another checkpoint.")
    return header, payload


def _deserialise(path: str | Path, payload: bytes, like: PyTree) -> PyTree:
    try:
        return eqx.tree_deserialise_leaves(io.BytesIO(payload), like, filter_spec=_read_leaf)
    except (RuntimeError, ValueError, EOFError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from error


def _describe(tree: PyTree) -> list[list[Any]]:
    """Path, type and shape of every stored leaf, in stored order."""
    rows = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if eqx.is_array(leaf) or isinstance(leaf, np.ndarray):
            rows.append([jax.tree_util.keystr(path), str(leaf.dtype), list(leaf.shape)])
        elif eqx.is_array_like(leaf):
            rows.append([jax.tree_util.keystr(path), type(leaf).__name__, []])
    return rows


def _compare(path: str | Path, stored: list[list[Any]], expected: list[list[Any]]) -> None:
    # Paths are for the message: a prefix such as ".model" depends on what is read, types and shapes do not.
    for (_, kind, shape), (name, want_kind, want_shape) in zip(stored, expected, strict=False):
        if (kind, shape) != (want_kind, want_shape):
            raise UsageError(
                f"'{path}' belongs to another model: {name} is {kind}{shape} in the file, but "
                f"{want_kind}{want_shape} is expected. Use the configuration that the run was started with."
            )
    if len(stored) != len(expected):
        raise UsageError(
            f"'{path}' belongs to another model: it has {len(stored)} arrays, {len(expected)} are expected. "
            "Use the configuration that the run was started with."
        )


def _write_leaf(file: Any, leaf: Any) -> None:
    if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    eqx.default_serialise_filter_spec(file, leaf)


def _read_leaf(file: Any, leaf: Any) -> Any:
    if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.load(file), impl=jax.random.key_impl(leaf))
    return eqx.default_deserialise_filter_spec(file, leaf)
