"""Where a search for a linear rule begins: at the canonical filters of block and environment."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from ...runs.errors import UsageError
from ._canonical import canonical_filters
from ._reader import BlockReader
from ._windows import Windows

__all__ = ["begun"]

_ROWS, _NOISE = 20_000, 0.3  # the noise relative to the filters
_MIXED = 16


def begun(reader: BlockReader, windows: Windows, *, mixed: bool, key: PRNGKeyArray) -> BlockReader:
    """A linear reader at the first canonical filters, with noise that breaks the symmetries of the block.

    A unit with q > 2 states points to the corners of a simplex in q - 1 of them. With `mixed` every filter is
    a random combination of up to 16, with normal coefficients times -1/2 ln(1 - r^2), the information of a
    Gaussian pair of canonical correlation r: directions of equal information are equally likely. A network
    stays as it is, and a reader of more filters than the block has directions.
    """
    if reader.weights is None:
        return reader
    looking, mixing, shaking = jax.random.split(key, 3)
    rows = np.asarray(windows(looking, max(_ROWS, 4 * windows.width)), np.float64)
    v, e = rows[:, : windows.size], rows[:, windows.size :]
    count = reader.hidden * (reader.kinds - 1)
    try:
        filters, _ = canonical_filters(v, e, count)
    except UsageError:
        return reader
    if mixed:
        filters = _mixed(v, e, count, mixing)
    if reader.kinds > 2:
        units = filters.reshape(reader.hidden, reader.kinds - 1, -1)
        filters = np.einsum("ak,hkv->hav", _simplex(reader.kinds), units).reshape(-1, v.shape[1])
    noise = jax.random.normal(shaking, filters.shape, jnp.float32)
    scale = _NOISE * float(np.sqrt(np.mean(filters**2)))
    return eqx.tree_at(lambda r: r.weights, reader, jnp.asarray(filters, jnp.float32) + scale * noise)


def _mixed(v: np.ndarray, e: np.ndarray, count: int, key: PRNGKeyArray) -> np.ndarray:
    for most in range(min(_MIXED, v.shape[1], e.shape[1]), 0, -1):
        try:
            filters, correlations = canonical_filters(v, e, most)
            break
        except UsageError:  # fewer directions vary
            continue
    else:
        raise UsageError("Block or environment do not vary at all.")
    information = -0.5 * np.log1p(-(np.minimum(correlations, 0.999) ** 2))
    coefficients = np.asarray(jax.random.normal(key, (count, most))) * information
    found = coefficients @ filters
    return found / np.linalg.norm(coefficients, axis=1, keepdims=True)


def _simplex(corners: int) -> np.ndarray:
    """The corners of a regular simplex about the origin, [corners, corners - 1]."""
    centred = np.eye(corners) - 1 / corners
    return np.linalg.svd(centred)[0][:, : corners - 1] * np.sqrt(corners)
