"""The space that many filters span: principal components of what they read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError

__all__ = ["PrincipalFilters", "principal_filters"]

_FLAT = 1e-3  # variance, relative to the largest, below which the block does not vary


@dataclass(frozen=True, eq=False)
class PrincipalFilters:
    """Principal components of filters, up to the sign of each, which is a name of the hidden states.

    components: [k, v], each with unit variance of what it reads, which is not correlated with what another
        reads.
    shares: [k] of the mean square, in falling order, with the sum 1.
    scores: [n, k], the correlations of what a filter reads with what the components read, rows of norm 1.
        The signs are fixed: the first component is read with a positive correlation.
    signs: [n], -1 where that turned the filter.
    """

    components: np.ndarray
    shares: np.ndarray
    scores: np.ndarray
    signs: np.ndarray

    @property
    def angles(self) -> np.ndarray:
        """Directions of the filters in the plane of the first two components, in (-pi/2, pi/2]."""
        return np.arctan2(self.scores[:, 1], self.scores[:, 0])

    @property
    def in_plane(self) -> np.ndarray:
        """How much of each filter lies in the plane of the first two components, from 0 to 1."""
        return np.hypot(self.scores[:, 0], self.scores[:, 1])

    def order(self, fold: int) -> float:
        """|mean exp(i fold angle)|, `fold` even: 1 for filters in `fold` directions, small on a ring.

        n directions that are uniform on a ring give sqrt(pi/4n) on average, and more than sqrt(3/n) in 5 % of
        the cases (L. Rayleigh 1919). Raises `UsageError` for an odd number, which a sign would change.

        >>> ring = np.stack([np.cos(np.arange(8) * np.pi / 8), np.sin(np.arange(8) * np.pi / 8)], axis=1)
        >>> round(principal_filters(ring).order(4), 6), round(principal_filters(ring[::4]).order(4), 6)
        (0.0, 1.0)
        """
        if fold < 2 or fold % 2:
            raise UsageError(
                f"A filter and its negative are one rule: ask for 2, 4, 6 ... folds, not {fold}."
            )
        return float(abs(np.mean(np.exp(1j * fold * self.angles))))


def principal_filters(filters: ArrayLike, blocks: ArrayLike | None = None) -> PrincipalFilters:
    """Principal components of filters [n, v] of the blocks [rows, v] that they read.

    With C the covariance of the blocks, u = C^(1/2) w/|C^(1/2) w| has as its inner products the correlations
    of what filters read, and the components are the eigenvectors of mean u u^T. The mean is not taken away: u
    and -u are one rule, and both count. Filters that differ by what a constraint fixes are the same. Without
    blocks C is the identity.

    Emergent symmetries, of one hidden unit: filters on a ring, two components with shares of 1/2, mean that a
    whole circle of rules keeps as much, U(1); two points ±u, one share of 1, mean Z2. Two shares of 1/2 also
    belong to four points: `PrincipalFilters.order` tells.

    Source: D. E. Gökmen et al., Phys. Rev. Lett. 127, 240603 (2021), arXiv:2101.11633, whose components are
    of the weights themselves. Raises `UsageError` for fewer than two filters, shapes that do not match,
    numbers that are not finite, and filters that read nothing.

    >>> angles = np.arange(6) * np.pi / 6
    >>> ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    >>> principal_filters(ring).shares.round(3).tolist()
    [0.5, 0.5, 0.0]
    """
    w = np.asarray(filters, np.float64)
    if w.ndim != 2 or len(w) < 2 or w.shape[1] < 2 or not np.isfinite(w).all():
        raise UsageError(f"Two finite filters or more of two numbers or more are needed, not {w.shape}.")
    vectors = np.eye(w.shape[1])
    if blocks is not None:
        vectors = _roots(np.asarray(blocks, np.float64), w.shape[1])
    u = w @ vectors.T  # vectors [k, v]: C^(1/2) in its own frame
    norms = np.linalg.norm(u, axis=1, keepdims=True)
    if not (norms > 0).all():
        raise UsageError(f"Filter {int(np.argmin(norms))} reads nothing that varies.")
    u = u / norms
    _, values, axes = np.linalg.svd(u, full_matrices=False)
    scores = u @ axes.T
    signs = np.where(scores[:, 0] < 0, -1, 1)
    inverse = vectors / np.sum(vectors**2, axis=1, keepdims=True)  # C^(-1/2) where C varies
    return PrincipalFilters(axes @ inverse, values**2 / np.sum(values**2), scores * signs[:, None], signs)


def _roots(blocks: np.ndarray, size: int) -> np.ndarray:
    if blocks.ndim != 2 or blocks.shape[1] != size or len(blocks) <= size:
        raise UsageError(f"Blocks {blocks.shape} are rows of {size} numbers, more rows than numbers.")
    variances, vectors = np.linalg.eigh(np.cov(blocks, rowvar=False, bias=True))
    kept = variances > _FLAT * max(variances.max(), np.finfo(float).tiny)
    return (vectors[:, kept] * np.sqrt(variances[kept])).T
