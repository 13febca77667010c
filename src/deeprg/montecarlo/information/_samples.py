"""What the estimators share: checked columns, ranks, blocks, and errors from subsets."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from deeprg.montecarlo.jackknife import FEWEST_BLOCKS
from deeprg.runs.errors import UsageError

__all__: list[str] = []

_MOST_TIED = 0.05
_MOST_PARTS = 10
_COARSE = 0.25
_MOST_DRIFT = 2.0  # errors


def columns(name: str, samples: ArrayLike) -> np.ndarray:
    """`[n]` or `[n, d]` numbers as float64 [n, d], refused when empty, not finite or constant."""
    array = np.asarray(samples, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] < 1 or array.shape[0] < 2:
        raise UsageError(f"{name} has shape {np.shape(samples)}; give [n] or [n, d] samples, n >= 2, d >= 1.")
    if not np.isfinite(array).all():
        raise UsageError(f"{name} holds NaN or infinity; find where the samples fail.")
    if (still := np.flatnonzero(np.ptp(array, axis=0) == 0)).size:
        raise UsageError(f"Column {still[0]} of {name} is constant and has no information; leave it out.")
    return array


def paired(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The columns of two sets of as many samples."""
    first, second = columns("x", x), columns("y", y)
    if len(first) != len(second):
        raise UsageError(f"x has {len(first)} samples and y has {len(second)}; they must be drawn together.")
    return first, second


def refuse_ties(name: str, array: np.ndarray, instead: str) -> None:
    """Refuse columns in which more than 5 % of the values occur before; float32 numbers pass."""
    tied = _tied(array)
    if (worst := int(tied.argmax())) >= 0 and tied[worst] > _MOST_TIED:
        raise UsageError(
            f"In column {worst} of {name} {100 * tied[worst]:.0f} % of the values are repeated, at most "
            f"{100 * _MOST_TIED:.0f} % are allowed: the data are discrete. {instead}"
        )


def is_tied(array: np.ndarray) -> bool:
    """Whether some column would be refused by `refuse_ties`: the data are discrete."""
    return bool(np.max(_tied(array)) > _MOST_TIED)


def _tied(array: np.ndarray) -> np.ndarray:
    """The share of values of each column that occur before."""
    return np.mean(np.diff(np.sort(array, axis=0), axis=0) == 0, axis=0)


def normal_scores(array: np.ndarray) -> np.ndarray:
    """Every column [n, d] by its ranks r = 1 ... n: the standard normal's quantiles at r/(n + 1)."""
    n = len(array)
    scores = np.empty_like(array)
    table = np.broadcast_to(ndtri(np.arange(1, n + 1) / (n + 1))[:, None], array.shape)
    np.put_along_axis(scores, np.argsort(array, axis=0, kind="stable"), table, axis=0)
    return scores


def block_edges(n: int, blocks: int) -> np.ndarray:
    """The limits of `blocks` runs of consecutive samples of nearly equal length, [blocks + 1]."""
    if blocks < FEWEST_BLOCKS:
        raise UsageError(f"blocks = {blocks} is too few for an error; take {FEWEST_BLOCKS} or more.")
    if n < 2 * blocks:
        raise UsageError(f"{n} samples do not fill {blocks} blocks of 2 or more; take more samples.")
    return np.linspace(0, n, blocks + 1).astype(int)


def subset_error(estimator: Callable[[slice], float], n: int) -> tuple[float, float]:
    """(error, mean over the two halves) of an estimator whose variance falls as B/n.

    The n samples are cut into m = 2 ... 10 runs of n/m. The m estimates of one cut scatter with variance
    v_m = m B/n, so that the maximum of the likelihood is at error² = B/n = Σ_m (m - 1) v_m/m / Σ_m (m - 1).
    """
    total, weight, halves = 0.0, 0, 0.0
    for parts in range(2, _MOST_PARTS + 1):
        edges = np.linspace(0, n, parts + 1).astype(int)
        found = [estimator(slice(a, b)) for a, b in itertools.pairwise(edges)]
        total += (parts - 1) * float(np.var(found, ddof=1)) / parts
        weight += parts - 1
        halves = float(np.mean(found)) if parts == 2 else halves
    return float(np.sqrt(total / weight)), halves


def coarse_flags(n: int, neighbours: int, dims: int, then: str) -> list[str]:
    """A flag when (k/n)^(1/d) > 0.25: the k-th neighbour is then about as far away as the density is wide."""
    if (side := (neighbours / n) ** (1 / dims)) <= _COARSE:
        return []
    return [
        f"{n} samples in {dims} dimensions: nearest neighbours are not near, (k/n)^(1/d) = {side:.2f} > "
        f"{_COARSE}; {then}."
    ]


def drift_flags(value: float, error: float, halves: float) -> list[str]:
    """A flag when half the samples give another value than all of them: a bias that still changes with n."""
    if abs(halves - value) <= _MOST_DRIFT * error:
        return []
    sign = "low" if halves < value else "high"
    return [
        f"Half of the samples give {halves:.4g}, all give {value:.4g}, with an error of {error:.2g}: the "
        f"estimate still moves with n and is probably too {sign}. Take more samples."
    ]
