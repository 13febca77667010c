"""Real-space coarse-graining of any data by pairing what is most correlated, and how its clusters scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.runs.errors import UsageError

__all__ = ["ClusterScaling", "Exponent", "cluster_scaling", "pair_units"]

_BLOCKS = 20
_FEWEST = 200


@dataclass(frozen=True)
class Exponent:
    """The slope of a power law with its jackknife error, and the exponent of independent units."""

    value: float
    error: float
    independent: float


@dataclass(frozen=True)
class ClusterScaling:
    """What clusters of 1, 2, 4, ... units do.

    size: K of every step.
    variance: of a cluster's sum, mean over clusters; `alpha` its power of K: 1 for independent units, 2 for
        units that are all the same.
    silence: the probability that a cluster is 0, mean over clusters (arithmetic); `beta` the power of K of
        -ln of it: 1 for independent units. None where units are never 0 (or always).
    spectrum: of the covariance within clusters of the largest size, by rank, mean over clusters; `mu` the
        power -mu of rank/K: 0 for independent units.
    clusters: for the last step, which units each cluster has, [clusters, K].
    """

    size: np.ndarray
    variance: np.ndarray
    silence: np.ndarray
    spectrum: np.ndarray
    alpha: Exponent
    beta: Exponent | None
    mu: Exponent
    clusters: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            plain[name] = (
                value.tolist() if isinstance(value, np.ndarray) else None if value is None else vars(value)
            )
        return plain


def pair_units(samples: ArrayLike) -> np.ndarray:
    """Pairs [units // 2, 2]: the most correlated two, then the most correlated two of the rest, and so on.

    Of an odd number of units the one that is left over is in no pair. Units that do not vary are uncorrelated
    with all. L. Meshulam et al., Phys. Rev. Lett. 123, 178103 (2019), arXiv:1809.08461. Raises `UsageError`
    for fewer than two units.

    >>> pair_units([[0, 1, 0], [1, 0, 1], [2, 0, 2], [3, 5, 3]]).tolist()
    [[0, 2]]
    """
    x = np.asarray(samples, np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise UsageError(f"Pairs are made of a table [n, units] of two units or more, not {x.shape}.")
    z = x - x.mean(axis=0)
    norm = np.linalg.norm(z, axis=0)
    z = z / np.where(norm > 0, norm, 1.0)
    upper = np.triu_indices(x.shape[1], 1)
    order = np.argsort(-(z.T @ z)[upper], kind="stable")
    free, pairs = np.ones(x.shape[1], bool), []
    for first, second in zip(upper[0][order], upper[1][order], strict=True):
        if free[first] and free[second]:
            free[[first, second]] = False
            pairs.append((first, second))
    return np.array(pairs)


def cluster_scaling(samples: ArrayLike, *, steps: int | None = None) -> ClusterScaling:
    """Pair, add, and pair again: exponents of variance, silence and spectrum of samples [n, units].

    By default until fewer than four clusters are left. Errors are those of a jackknife over 20 blocks of
    samples with the clusters held fixed. Shuffle every unit in time for a control: alpha = beta = 1.
    L. Meshulam et al., arXiv:1812.11904.

    Raises `UsageError` for fewer than 200 samples, NaN, and steps that leave no pair.

    >>> noise = (np.random.default_rng(0).random((4000, 64)) < 0.2).astype(float)
    >>> found = cluster_scaling(noise)
    >>> found.size.tolist(), round(found.alpha.value, 1), round(found.beta.value, 1)
    ([1, 2, 4, 8, 16], 1.0, 1.0)
    """
    x = np.asarray(samples, np.float64)
    if x.ndim != 2 or len(x) < _FEWEST or x.shape[1] < 2:
        raise UsageError(
            f"Clusters scale in a table [n, units] of {_FEWEST} rows and 2 units or more, not {x.shape}."
        )
    if not np.isfinite(x).all():
        raise UsageError("The samples hold NaN or infinity; find where they come from.")
    most = int(np.log2(x.shape[1]))
    count = max(most - 2, 1) if steps is None else steps
    if not 1 <= count <= most:
        raise UsageError(f"{x.shape[1]} units can be paired from 1 to {most} times, not {count}.")
    levels, clusters = [x], np.arange(x.shape[1])[:, None]
    for _ in range(count):
        pairs = pair_units(levels[-1])
        levels.append(levels[-1][:, pairs].sum(axis=2))
        clusters = clusters[pairs].reshape(len(pairs), -1)
    size = 2 ** np.arange(count + 1)
    blocks = np.array_split(np.arange(len(x)), _BLOCKS)
    rows = [None, *(np.setdiff1d(np.arange(len(x)), block) for block in blocks)]
    found = [_measured([level if r is None else level[r] for level in levels], clusters, x, r) for r in rows]
    variance, silence, spectrum = found[0]
    quiet = bool(np.all((silence > 0) & (silence < 1)))
    slopes = [
        (
            _slope(np.log(size), np.log(v)),
            _slope(np.log(size), np.log(-np.log(s))) if quiet else 0.0,
            -_slope(*_ranks(e)),
        )
        for v, s, e in found
    ]
    alpha, beta, mu = (
        Exponent(column[0], _error(np.array(column[1:])), known)
        for column, known in zip(zip(*slopes, strict=True), (1.0, 1.0, 0.0), strict=True)
    )
    return ClusterScaling(size, variance, silence, spectrum, alpha, beta if quiet else None, mu, clusters)


def _measured(
    levels: list[np.ndarray], clusters: np.ndarray, x: np.ndarray, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    variance = np.array([level.var(axis=0).mean() for level in levels])
    silence = np.array([np.mean(level == 0) for level in levels])
    chosen = x if rows is None else x[rows]
    spectra = [np.linalg.eigvalsh(np.cov(chosen[:, cluster], rowvar=False))[::-1] for cluster in clusters]
    return variance, silence, np.mean(spectra, axis=0)


def _ranks(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln rank and ln eigenvalue, of the upper half: what is below is the noise of few samples."""
    half = max(len(spectrum) // 2, 2)
    return np.log(np.arange(1, half + 1)), np.log(np.maximum(spectrum[:half], 1e-300))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(x, y, 1)[0])


def _error(replicas: np.ndarray) -> float:
    count = len(replicas)
    return float(np.sqrt((count - 1) / count * np.sum((replicas - replicas.mean()) ** 2)))
