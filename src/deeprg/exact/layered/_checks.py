"""Checks of arrays that several files of this room need."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError

__all__ = ["Numbers", "check_spins", "checked_states", "finite_array", "symmetric_matrix"]

Numbers = ArrayLike | Sequence[Any] | float | int
"""What an argument that becomes an array may be: a number, nested sequences, a NumPy or JAX array."""

_STATES = {"pm": (-1.0, 1.0), "binary": (0.0, 1.0)}
_ASYMMETRY = 1e-12


def check_spins(spins: str) -> str:
    """The convention of the visible variables: "pm" for ±1, "binary" for {0, 1}; `UsageError` otherwise."""
    if spins not in _STATES:
        raise UsageError(f'spins = {spins!r} is unknown; use "pm" for ±1 or "binary" for {{0, 1}}.')
    return spins


def checked_states(x: Numbers, size: int, spins: str) -> np.ndarray:
    """Configurations [..., size] in float64 whose values belong to the convention; `UsageError` otherwise."""
    array = finite_array("x", x, (..., size))
    if not np.isin(array, _STATES[spins]).all():
        wrong = array[~np.isin(array, _STATES[spins])][0]
        raise UsageError(f'x holds {wrong:g}, but the visibles take {_STATES[spins]} (spins="{spins}").')
    return array


def finite_array(name: str, value: Numbers, shape: tuple) -> np.ndarray:
    """A float64 array of the wanted shape; a leading `...` allows any batch. `UsageError` otherwise."""
    array = np.asarray(value, np.float64)
    batch = shape[:1] == (...,)
    tail = shape[1:] if batch else shape
    fits = array.shape[array.ndim - len(tail) :] == tail if array.ndim >= len(tail) else False
    if not fits or (not batch and array.ndim != len(tail)):
        wanted = ", ".join(["..."] * batch + [str(extent) for extent in tail])
        raise UsageError(f"{name} has shape {array.shape}, but [{wanted}] is needed.")
    if not np.isfinite(array).all():
        raise UsageError(f"{name} holds numbers that are not finite.")
    return array


def symmetric_matrix(name: str, value: Numbers, size: int) -> np.ndarray:
    """A symmetric float64 matrix [size, size]; `UsageError` with the largest asymmetry otherwise.

    >>> symmetric_matrix("J", [[1.0, 0.5], [0.5, 2.0]], 2).sum()
    np.float64(4.0)
    """
    matrix = finite_array(name, value, (size, size))
    asymmetry = float(np.abs(matrix - matrix.T).max(initial=0.0))
    if asymmetry > _ASYMMETRY * float(np.abs(matrix).max(initial=0.0)):
        raise UsageError(
            f"{name} must be symmetric, but differs from its transpose by {asymmetry:.3g}; "
            "add the transpose and halve."
        )
    return (matrix + matrix.T) / 2
