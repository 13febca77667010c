"""Real-space coarse-graining of any data by pairing what is most correlated, and how its clusters scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.montecarlo.jackknife import from_replicas
from deeprg.probes.cluster_course import cluster_course
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
    silence: the probability that all units of a cluster are 0, mean over clusters (arithmetic); `beta` the
        power of K of -ln of it, over the sizes with a silence above 0.1 %: 1 for independent units. None
        where fewer than two sizes are left, as where units are never 0 (or always).
    spectrum: of the covariance within clusters of the largest size, by rank, mean over clusters; `mu` the
        power -mu of rank/K: 0 for independent units and many samples.
    clusters: for the last step, which units each cluster has, [clusters, K].
    slopes, silent_slopes: alpha and beta from each size to the next alone, [values, errors]; a power law has
        the same at all sizes. silent_slopes ends where the silence falls below 0.1 %.
    """

    size: np.ndarray
    variance: np.ndarray
    silence: np.ndarray
    spectrum: np.ndarray
    alpha: Exponent
    beta: Exponent | None
    mu: Exponent
    clusters: np.ndarray
    slopes: np.ndarray
    silent_slopes: np.ndarray

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


def cluster_scaling(samples: ArrayLike, *, steps: int | None = None, held_out: float = 0.5) -> ClusterScaling:
    """Pair, add, and pair again: exponents of variance, silence and spectrum of samples [n, units].

    By default until fewer than four clusters are left. The first samples choose the pairs, the last share
    `held_out` judges them: samples that judge the pairs that their own noise chose give alpha > 1 even for
    independent units. With held_out = 0 all samples do both, and have that bias. Errors are those of a
    jackknife over 20 blocks of samples with the clusters held fixed. Shuffle every unit in time for a
    control: alpha = beta = 1. L. Meshulam et al., arXiv:1812.11904.

    Raises `UsageError` for fewer than 200 samples, NaN, a share outside [0, 1), steps that leave no pair,
    clusters of more units than samples that judge them, and clusters that do not vary.

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
    if not 0 <= held_out < 1:
        raise UsageError(f"held_out = {held_out} is a share of the samples, from 0 to below 1.")
    most = int(np.log2(x.shape[1]))
    count = max(most - 2, 1) if steps is None else steps
    if not 1 <= count <= most:
        raise UsageError(f"{x.shape[1]} units can be paired from 1 to {most} times, not {count}.")
    last = len(x) - round(held_out * len(x))
    judge = x[last:] if held_out else x
    if min(last, len(judge)) < max(2**count, 2 * _BLOCKS):
        raise UsageError(
            f"{last} samples that choose and {len(judge)} that judge are too few for clusters of {2**count}: "
            f"{max(2**count, 2 * _BLOCKS)} are needed of both. Give more samples or fewer steps."
        )
    level, clusters = x[:last], np.arange(x.shape[1])[:, None]
    for _ in range(count):
        pairs = pair_units(level)
        level = level[:, pairs].sum(axis=2)
        clusters = clusters[pairs].reshape(len(pairs), -1)
    course = cluster_course(judge, clusters)
    spectrum, mu = _spectrum(judge, clusters)
    alpha, beta = (Exponent(float(value), float(error), 1.0) for value, error in (course.alpha, course.beta))
    return ClusterScaling(
        size=course.size,
        variance=course.variance[0],
        silence=course.silence,
        spectrum=spectrum,
        alpha=alpha,
        beta=beta if np.isfinite(beta.value) else None,
        mu=mu,
        clusters=clusters,
        slopes=course.slopes,
        silent_slopes=course.silent_slopes,
    )


def _spectrum(x: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, Exponent]:
    """Eigenvalues of the covariance within clusters by rank, mean over clusters, and -mu, their power."""
    blocks = np.array_split(x - x.mean(axis=0), _BLOCKS)
    spectra = np.mean([_eigenvalues([block[:, one] for block in blocks]) for one in clusters], axis=0)
    half = max(clusters.shape[1] // 2, 2)  # what is below is the noise of few samples
    rank = np.log(np.arange(1, half + 1))
    slopes = -np.polyfit(rank, np.log(np.maximum(spectra[:, :half], 1e-300)).T, 1)[0]
    found = from_replicas(slopes[:1].reshape(()), slopes[1:])
    return spectra[0], Exponent(found.value, found.error, 0.0)


def _eigenvalues(blocks: list[np.ndarray]) -> np.ndarray:
    """Of the covariance of all samples, and of those without one block each, falling; [1 + blocks, units]."""
    counts = np.array([0, *(len(block) for block in blocks)])
    first = np.stack([np.zeros(blocks[0].shape[1]), *(block.sum(axis=0) for block in blocks)])
    second = np.stack([np.zeros((first.shape[1],) * 2), *(block.T @ block for block in blocks)])
    n = (counts.sum() - counts)[:, None, None]
    left = first.sum(axis=0) - first
    covariance = (second.sum(axis=0) - second - left[:, :, None] * left[:, None, :] / n) / (n - 1)
    return np.linalg.eigvalsh(covariance)[:, ::-1]
