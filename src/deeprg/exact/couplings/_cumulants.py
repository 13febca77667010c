"""Cumulants from moments and back, of one variable and of several."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._transforms import variables_of

__all__ = [
    "cumulants_to_moments",
    "joint_cumulants_to_moments",
    "joint_moments_to_cumulants",
    "moments_to_cumulants",
    "set_partitions",
]

_MOST_VARIABLES, _LARGEST_SET = 16, 10


def moments_to_cumulants(moments: ArrayLike) -> np.ndarray:
    """The cumulants kappa_1 ... kappa_k of one variable from its raw moments m_1 ... m_k, [..., k].

        kappa_k = m_k - sum_{j=1}^{k-1} C(k-1, j-1) kappa_j m_{k-j},    m_n = ⟨X^n⟩.

    Rounding grows with the mean: subtract it first, kappa_n for n >= 2 does not feel it.

    >>> moments_to_cumulants([1.0, 2.0, 5.0, 15.0]).tolist()       # Poisson, rate 1: all cumulants are 1
    [1.0, 1.0, 1.0, 1.0]
    """
    m = _series(moments)
    kappa = np.empty_like(m)
    for k in range(m.shape[-1]):
        kappa[..., k] = m[..., k] - _mixed(kappa, m, k)
    return kappa


def cumulants_to_moments(cumulants: ArrayLike) -> np.ndarray:
    """The raw moments m_1 ... m_k of one variable from its cumulants; undoes `moments_to_cumulants`.

        m_k = kappa_k + sum_{j=1}^{k-1} C(k-1, j-1) kappa_j m_{k-j}.

    >>> cumulants_to_moments([0.0, 1.0, 0.0, 0.0]).tolist()        # the normal distribution
    [0.0, 1.0, 0.0, 3.0]
    """
    kappa = _series(cumulants)
    m = np.empty_like(kappa)
    for k in range(m.shape[-1]):
        m[..., k] = kappa[..., k] + _mixed(kappa, m, k)
    return m


def joint_moments_to_cumulants(moments: ArrayLike) -> np.ndarray:
    """The joint cumulants of every subset of k variables from their joint moments, [..., 2^k].

    Element S of `moments` is ⟨prod_{i in S} X_i⟩, S a bit mask, element 0 is 1; element S of the result is
    the connected correlator kappa(X_i, i in S), element 0 is 0 = ln 1. With i the lowest bit of S,

        kappa_S = m_S - sum_{i in T, T in S, T != S} kappa_T m_{S - T},

    which is the sum over `set_partitions` with (-1)^(p-1) (p-1)! in O(3^k). Raises `UsageError` when the size
    is not 2^k, element 0 is not 1, or k > 16.

    >>> joint_moments_to_cumulants([1.0, 0.5, 0.5, 0.75]).tolist()
    [0.0, 0.5, 0.5, 0.5]
    """
    m = _joint(moments)
    if not np.allclose(m[..., 0], 1.0, rtol=1e-9):
        raise UsageError("Element 0 of the joint moments is ⟨1⟩ and must be 1; normalise first.")
    kappa = np.zeros_like(m)
    for whole, parts in _containing_lowest(m.shape[-1]):
        kappa[..., whole] = m[..., whole] - np.sum(kappa[..., parts] * m[..., whole ^ parts], axis=-1)
    return kappa


def joint_cumulants_to_moments(cumulants: ArrayLike) -> np.ndarray:
    """The joint moments of every subset from the joint cumulants, [..., 2^k]; the sum over set partitions.

        m_S = sum_{partitions of S} prod_B kappa_B; element 0 of the result is 1, of the argument ignored.

    Raises `UsageError` when the size is not 2^k or k > 16.

    >>> joint_cumulants_to_moments([0.0, 0.5, 0.5, 0.5]).tolist()
    [1.0, 0.5, 0.5, 0.75]
    """
    kappa = _joint(cumulants)
    m = np.zeros_like(kappa)
    m[..., 0] = 1.0
    for whole, parts in _containing_lowest(kappa.shape[-1]):
        m[..., whole] = kappa[..., whole] + np.sum(kappa[..., parts] * m[..., whole ^ parts], axis=-1)
    return m


def set_partitions(size: int) -> Iterator[list[list[int]]]:
    """All partitions of {0, ..., size - 1} into non-empty blocks; their number is the Bell number.

    Raises `UsageError` above 10 elements (115975 partitions).

    >>> list(set_partitions(2)), sum(1 for _ in set_partitions(8))
    ([[[0, 1]], [[0], [1]]], 4140)
    """
    if not 0 <= size <= _LARGEST_SET:
        raise UsageError(f"Partitions of {size} elements: 0 to {_LARGEST_SET} are possible.")
    return _partitions(size)


def _partitions(size: int) -> Iterator[list[list[int]]]:
    if size == 0:
        yield []
        return
    last = size - 1
    for smaller in _partitions(last):
        for place in range(len(smaller)):
            yield [[*block, last] if b == place else block for b, block in enumerate(smaller)]
        yield [*smaller, [last]]


def _mixed(kappa: np.ndarray, m: np.ndarray, k: int) -> Any:
    """sum_{j=1}^{K-1} C(K-1, j-1) kappa_j m_{K-j} for K = k + 1, arrays from index 0."""
    return sum(
        (math.comb(k, j) * kappa[..., j] * m[..., k - 1 - j] for j in range(k)), np.zeros(m.shape[:-1])
    )


def _containing_lowest(size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every non-empty mask, rising, with its proper submasks that contain its lowest bit."""
    for whole in range(1, size):
        parts = np.array([whole & -whole])
        rest = whole & (whole - 1)
        while rest:
            parts = np.concatenate([parts, parts | (rest & -rest)])
            rest &= rest - 1
        yield whole, parts[:-1]


def _series(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim == 0 or not np.isfinite(array).all():
        raise UsageError("Moments or cumulants are a finite array [..., k], from order 1 on.")
    return array


def _joint(values: ArrayLike) -> np.ndarray:
    array = _series(values)
    k = variables_of(array.shape[-1], "joint moments")
    if k > _MOST_VARIABLES:
        raise UsageError(
            f"{k} variables have 3^{k} pairs of subsets; at most {_MOST_VARIABLES} are possible. Take the "
            "correlators of chosen sets with joint_cumulant."
        )
    return array
