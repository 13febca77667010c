"""Checks of arrays that several files of this room need."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ..couplings._checks import real_numbers

__all__ = [
    "Numbers",
    "check_spins",
    "checked_states",
    "double_precision",
    "finite_array",
    "finite_number",
    "real_matrix",
    "symmetric_matrix",
]

Numbers = ArrayLike | Sequence[Any] | float | int
"""What an argument that becomes an array may be: a number, nested sequences, a NumPy or JAX array."""

_STATES = {"pm": (-1.0, 1.0), "binary": (0.0, 1.0)}
_ASYMMETRY = 1e-12


def check_spins(spins: Any) -> str:
    """The convention of the visible variables: "pm" for ±1, "binary" for {0, 1}; `UsageError` otherwise."""
    if not isinstance(spins, str) or spins not in _STATES:
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
    array = real_numbers(name, value)
    batch = shape[:1] == (...,)
    tail = shape[1:] if batch else shape
    fits = array.shape[array.ndim - len(tail) :] == tail if array.ndim >= len(tail) else False
    if not fits or (not batch and array.ndim != len(tail)):
        wanted = ", ".join(["..."] * batch + [str(extent) for extent in tail])
        raise UsageError(f"{name} has shape {array.shape}, but [{wanted}] is needed.")
    if not np.isfinite(array).all():
        raise UsageError(f"{name} holds numbers that are not finite.")
    return array


def finite_number(name: str, value: Any) -> float:
    """The value as a float; `UsageError` for what is no finite number.

    >>> finite_number("beta", 2)
    2.0
    """
    array = real_numbers(name, value)
    if array.ndim or isinstance(value, bool) or not math.isfinite(float(array)):
        raise UsageError(f"{name} must be a finite number, not {value!r}.")
    return float(array)


def real_matrix(name: str, value: Numbers) -> np.ndarray:
    """The value as a float64 array with rows and columns, a number as [1, 1]; `UsageError` as for numbers.

    >>> real_matrix("w", 2.0).tolist()
    [[2.0]]
    """
    return np.atleast_2d(real_numbers(name, value))


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """JAX in float64 on the CPU, for what is returned in NumPy, whatever the session's switch says."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        yield


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
