"""Mutual information of continuous variables from the distances of nearest neighbours."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree
from scipy.special import digamma

from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._samples import (
    coarse_flags,
    drift_flags,
    normal_scores,
    paired,
    refuse_ties,
    subset_error,
)
from deeprg.runs.errors import UsageError

__all__ = ["ksg_information"]

_PER_NEIGHBOUR = 100
_STRONG = 2.5  # nats
_SATURATED = 0.4


def ksg_information(
    x: ArrayLike, y: ArrayLike, neighbours: int = 3, *, scale: str = "ranks"
) -> InformationEstimate:
    """I(X:Y) of continuous samples by the k-th nearest neighbours, in nats.

    I = ψ(k) + ψ(n) - ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩: with ε_i the distance of point i to its k-th neighbour in
    the joint space (maximum norm), n_x counts the other points closer than ε_i in x alone. Estimator 1 of A.
    Kraskov, H. Stögbauer, P. Grassberger, Phys. Rev. E 69, 066138 (2004), arXiv:cond-mat/0305641, eq. (8).
    The error supposes a variance that falls as B/n and takes B from the scatter of 2 ... 10 runs of
    consecutive samples: C. M. Holmes, I. Nemenman, Phys. Rev. E 100, 022404 (2019), arXiv:1903.09280. It
    supposes independent samples, because neighbours in time are neighbours in space: thin chains first.

    Valid in 1 + 1 dimensions up to 2 nats (bias below one error with some thousand samples) and in 2 + 2 to
    1 nat. At 3 nats in 1 + 1 the value is high by 0.02, one to two errors, and the error is too small by a
    third; far beyond, the value saturates. In more dimensions the density changes within ε_i and the bias is
    towards zero: at n = 1000 in 10 + 10 dimensions 1 nat gives 0.4 and 3 give 1.2. For independent x and y
    the bias vanishes. Flagged are: a value above 2.5 nats, or above 0.4 of the largest that n points can
    give, ψ(n) - ψ(k); (k/n)^(1/(d_x + d_y)) > 0.25, boxes too coarse for this dimension; and a half-sample
    estimate that differs by more than 2 errors, which it does 1 time in 20 by chance.

    Args:
        x, y: `[n]` or `[n, d]`, drawn together.
        neighbours: k; more reduce the error and increase the bias.
        scale: "ranks" replaces each column by normal scores of its ranks, so that increasing maps of columns
            change nothing; "deviations" divides each by its standard deviation.

    Raises:
        UsageError: n below 100 neighbours, neighbours below 1, tied (discrete) columns, an unknown scale,
            NaN, constant columns, or unequal lengths.

    >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000))
    >>> found = ksg_information(x, 0.6 * x + 0.8 * noise)                                # exact 0.2231
    >>> print(f"{found.value:.2f} +- {found.error:.2f}")
    0.21 +- 0.03
    """
    first, second = paired(x, y)
    n = len(first)
    if neighbours < 1:
        raise UsageError(f"neighbours = {neighbours}; it must be 1 or more, 3 is usual.")
    if n < _PER_NEIGHBOUR * neighbours:
        raise UsageError(
            f"{n} samples are too few for {neighbours} neighbours and an error: take "
            f"{_PER_NEIGHBOUR * neighbours} or more, or fewer neighbours."
        )
    if scale not in ("ranks", "deviations"):
        raise UsageError(f"scale = '{scale}' is unknown; take 'ranks' or 'deviations'.")
    for name, array in (("x", first), ("y", second)):
        refuse_ties(name, array, "Use discrete_information.")
    a, b = (normal_scores(z) if scale == "ranks" else z / z.std(axis=0) for z in (first, second))
    estimate = lambda part: _estimate(a[part], b[part], neighbours)
    value = estimate(slice(0, n))
    error, halves = subset_error(estimate, n)
    low = "the estimate is too low, unless x and y are independent"
    flags = drift_flags(value, error, halves)
    flags += coarse_flags(n, neighbours, a.shape[1] + b.shape[1], low)
    most = float(digamma(n) - digamma(neighbours))
    if value > (limit := min(_STRONG, _SATURATED * most)):
        flags.append(
            f"The estimate {value:.3g} is above {limit:.3g}: dependence so strong biases it by an error "
            f"or more, and {n} samples can show {most:.3g} at most; the true value may be much larger."
        )
    return InformationEstimate(value, error, n, f"KSG 1, {neighbours} neighbours, {scale}", flags=flags)


def _estimate(x: np.ndarray, y: np.ndarray, k: int) -> float:
    found: Any = KDTree(np.hstack([x, y])).query(np.hstack([x, y]), k + 1, p=np.inf)
    radius = found[0][:, k] * (1 - 1e-9)  # strictly closer: a rounded sum must not reach the k-th neighbour
    counts = digamma(_within(x, radius)) + digamma(_within(y, radius))
    return float(digamma(k) + digamma(len(x)) - np.mean(counts))


def _within(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many points are within the radius of each, itself included."""
    if points.shape[1] == 1:
        line = np.sort(points[:, 0])
        upper = np.searchsorted(line, points[:, 0] + radius, side="right")
        return upper - np.searchsorted(line, points[:, 0] - radius, side="left")
    return KDTree(points).query_ball_point(points, radius, p=np.inf, return_length=True)
