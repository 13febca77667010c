"""Canonical directions of a block and its environment, where a search for a linear rule begins."""

import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError

__all__ = ["canonical_filters"]

_FLAT = 1e-3  # variance, relative to the largest, below which a direction is a constraint and not a variable


def canonical_filters(block: ArrayLike, environment: ArrayLike, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` filters [count, v] whose v.w correlates most with some e.u, and the correlations [count].

    They are the singular vectors of C_vv^(-1/2) C_ve C_ee^(-1/2), scaled to variance 1 of v.w (H. Hotelling
    1936). For Gaussian block and environment they are the variables of most mutual information, the ones that
    the information bottleneck keeps first. Directions that do not vary, such as those that a constraint
    fixes, are left out.

    Raises `UsageError` for tables [n, v] and [n, e] that do not match, fewer than 2 (v + e) rows, and more
    filters than there are directions.

    >>> rng = np.random.default_rng(0)
    >>> v = rng.normal(size=(1000, 3))
    >>> filters, correlations = canonical_filters(v, v[:, :1] + rng.normal(size=(1000, 1)), 1)
    >>> int(np.abs(filters[0]).argmax()), correlations.round(1).tolist()
    (0, [0.7])
    """
    v, e = np.asarray(block, np.float64), np.asarray(environment, np.float64)
    if v.ndim != 2 or e.ndim != 2 or len(v) != len(e) or len(v) < 2 * (v.shape[1] + e.shape[1]):
        raise UsageError(
            f"Blocks {v.shape} and environments {e.shape} are tables of as many rows, at least twice as many "
            "as columns in both."
        )
    v, e = v - v.mean(axis=0), e - e.mean(axis=0)
    left, right = _whitening(v), _whitening(e)
    if not 1 <= count <= min(left.shape[1], right.shape[1]):
        raise UsageError(
            f"{count} filters were asked for, but block and environment vary in {left.shape[1]} and "
            f"{right.shape[1]} directions."
        )
    vectors, correlations, _ = np.linalg.svd(left.T @ (v.T @ e / len(v)) @ right)
    return (left @ vectors[:, :count]).T, correlations[:count]


def _whitening(x: np.ndarray) -> np.ndarray:
    """[columns, directions], with unit covariance of x times it."""
    variances, vectors = np.linalg.eigh(x.T @ x / len(x))
    kept = variances > _FLAT * max(variances.max(), np.finfo(float).tiny)
    return vectors[:, kept] / np.sqrt(variances[kept])
