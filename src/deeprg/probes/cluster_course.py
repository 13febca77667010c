"""Given clusters of units: variance and silence by their size, in samples that did not choose them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.montecarlo.jackknife import block_sums, delete_one
from deeprg.runs.errors import UsageError

__all__ = ["ClusterCourse", "cluster_course"]

_BLOCKS = 20
_QUIET = 1e-3  # a silence below is an event too rare to count
_STILL = 1e-12  # of the mean square: a variance below is rounding


@dataclass(frozen=True)
class ClusterCourse:
    """What given clusters of 1, 2, 4, ... units do in samples that did not choose them.

    variance, silence: of a cluster's sum, and the probability that all its units are 0, mean over clusters,
    by size; slopes: of ln variance, and of ln(-ln silence), per ln K from each size to the next; alpha, beta:
    over all sizes. Silence counts from one unit on as long as it is above 0.1 %: silent_slopes may be shorter
    than slopes, and beta is NaN where fewer than two sizes are left. Variances, slopes and exponents are
    [values, errors], with errors by the jackknife over 20 blocks of samples.
    """

    size: np.ndarray
    variance: np.ndarray
    silence: np.ndarray
    slopes: np.ndarray
    silent_slopes: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


def cluster_course(samples: ArrayLike, clusters: np.ndarray) -> ClusterCourse:
    """Variance ~ K^alpha and silence ~ exp(-a K^beta) of samples [n, units] in clusters [clusters, K].

    Of the clusters that they were made of too: members of a cluster are side by side as
    `deeprg.probes.cluster_scaling` leaves them. L. Meshulam et al., arXiv:1812.11904. Raises `UsageError` for
    fewer than 40 samples, and clusters that do not vary.

    >>> spikes = (np.random.default_rng(0).random((4000, 64)) < 0.2).astype(float)
    >>> course = cluster_course(spikes, np.arange(64).reshape(4, 16))
    >>> course.alpha[0].round(1), course.beta[0].round(1)
    (np.float64(1.0), np.float64(1.0))
    """
    size = 2 ** np.arange(int(np.log2(clusters.shape[1])) + 1)
    ordered = np.asarray(samples, np.float64)[:, clusters.reshape(-1)]
    active = ordered != 0
    ordered = ordered - ordered.mean(axis=0)
    sums: dict[str, np.ndarray] = {}
    counts = np.empty(0)
    for k in size:
        total = ordered.reshape(len(ordered), -1, k).sum(axis=-1)
        zero = ~active.reshape(len(active), -1, k).any(axis=-1)
        for name, values in (
            ("first", total),
            ("second", total**2),
            ("zero", zero.mean(axis=1, keepdims=True)),
        ):
            sums[f"{name}{k}"], counts = block_sums([values], _BLOCKS)
    silence = np.array([sums[f"zero{k}"].sum() / len(ordered) for k in size])
    quiet = size[np.cumprod([_counts(sums[f"zero{k}"][:, 0], counts) for k in size]).astype(bool)]

    def logarithms(means: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        variance = np.array([np.mean(means[f"second{k}"] - means[f"first{k}"] ** 2) for k in size])
        square = np.array([np.mean(means[f"second{k}"]) for k in size])
        if np.any(still := variance <= _STILL * square):
            raise UsageError(
                f"Clusters of {size[np.argmax(still)]} units do not vary in the samples that judge them; "
                "leave constant units out, or give more samples."
            )
        return np.log(variance), np.log([-np.log(means[f"zero{k}"].item()) for k in quiet])

    def all_of_it(**means: np.ndarray) -> np.ndarray:
        variance, silent = logarithms(means)
        parts = [np.exp(variance)]
        for at, values in ((size, variance), (quiet, silent)):
            parts += [np.diff(values) / np.log(2), [_slope(at, values)]]
        return np.concatenate(parts)

    found = delete_one(all_of_it, sums, counts)
    both = np.stack([found.value, found.error])
    rest = len(size), len(size) - 1, 1, max(len(quiet) - 1, 0), 1
    variance, slopes, alpha, silent, beta = np.split(both, np.cumsum(rest)[:-1], axis=1)
    return ClusterCourse(size, variance, silence, slopes, silent, alpha[:, 0], beta[:, 0])


def _counts(zeros: np.ndarray, counts: np.ndarray) -> bool:
    """Whether silence is above the floor, and neither it nor its absence is the doing of one block."""
    both = min(np.count_nonzero(zeros), np.count_nonzero(counts - zeros)) > 1
    return bool(both and zeros.sum() > _QUIET * counts.sum())


def _slope(size: np.ndarray, values: np.ndarray) -> float:
    return float(np.polyfit(np.log(size), values, 1)[0]) if len(size) > 1 else float("nan")
