"""What the study of coarse-grained data measures: plane waves, places of clusters, clusters held out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import block_sums, delete_one

__all__ = ["Course", "Shells", "blocks_in_order", "cluster_course", "cluster_places", "momentum_shells"]

_BLOCKS = 20
_QUIET = 1e-3  # a silence below is an event too rare to count


@dataclass(frozen=True)
class Shells:
    """Modes in the order of their variance against momenta in the order of their length.

    count: numbers of modes that fill momentum shells; overlap: tr(P_modes P_waves)/count of the projectors on
    as many modes and on as many plane waves, 1 where they span the same space and count/units at random;
    momentum: the mean squared momentum of every mode.
    """

    count: np.ndarray
    overlap: np.ndarray
    momentum: np.ndarray


def momentum_shells(modes: np.ndarray, lattice: Lattice) -> Shells:
    """Modes [modes, sites], in the order of variance, against the shells of equal 2 sum_a (1 - cos k_a).

    Waves of a shell are degenerate, so that only whole shells are compared.

    >>> waves = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, -0.5, -0.5], [0.5, -0.5, -0.5, 0.5]])
    >>> shells = momentum_shells(waves, Lattice((4,)))
    >>> shells.count.tolist(), shells.overlap.round(3).tolist(), shells.momentum.round(3).tolist()
    ([1, 3], [1.0, 1.0], [0.0, 2.0, 2.0])
    """
    squared = 2 * lattice.ndim - lattice.dispersion().reshape(-1)
    axes = tuple(range(1, lattice.ndim + 1))
    waves = np.fft.fftn(modes.reshape(-1, *lattice.shape), axes=axes, norm="ortho")
    weights = np.abs(waves.reshape(len(modes), -1)) ** 2
    order = np.argsort(squared, kind="stable")
    rising = squared[order]
    ends = np.append(np.flatnonzero(np.diff(rising) > 1e-9), len(order) - 1) + 1
    ends = ends[ends <= len(modes)]
    shared = weights[:, order].cumsum(axis=0).cumsum(axis=1)
    overlap = np.array([shared[end - 1, end - 1] / end for end in ends])
    return Shells(ends, overlap, weights @ squared)


def cluster_places(clusters: np.ndarray, lattice: Lattice) -> tuple[float, dict[int, float]]:
    """The share of first pairs that are nearest neighbours, and distances in clusters of 2, 4, ... sites.

    Distances are the root mean square over all pairs of members, on the torus; clusters [clusters, K] have
    their pairs side by side, as `deeprg.probes.cluster_scaling` leaves them.

    >>> share, spread = cluster_places(np.array([[0, 1, 4, 5]]), Lattice((4, 4)))
    >>> share, round(spread[4], 4)
    (1.0, 1.1547)
    """
    squared, spread, share = lattice.pair_distances(lattice.coordinates()) ** 2, {}, 0.0
    for size in 2 ** np.arange(1, int(np.log2(clusters.shape[1])) + 1):
        members = clusters.reshape(-1, size)
        apart = squared[members[:, :, None], members[:, None]]
        spread[int(size)] = float(np.sqrt(apart.sum() / (len(members) * size * (size - 1))))
        if size == 2:
            share = float(np.mean(np.isclose(apart[:, 0, 1], 1)))
    return share, spread


def blocks_in_order(lattice: Lattice, size: int) -> np.ndarray:
    """Rectangular blocks of `size` sites, a power of 2, that halve along one axis after the other.

    >>> blocks_in_order(Lattice((4, 4)), 4).tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    """
    places = lattice.coordinates()
    depth = int(np.log2(max(lattice.shape)))
    rank = np.zeros(lattice.size, np.int64)
    for bit in range(depth):
        for number, axis in enumerate(reversed(range(lattice.ndim))):
            rank |= ((places[:, axis] >> bit) & 1) << (bit * lattice.ndim + number)
    return np.argsort(rank, kind="stable").reshape(-1, size)


@dataclass(frozen=True)
class Course:
    """What given clusters of 1, 2, 4, ... units do in samples that did not choose them.

    variance, silence: mean over clusters, by size; slopes: of ln variance, and of ln(-ln silence), per ln K
    from each size to the next; alpha, beta: over all sizes, of the silence over those where it is above
    0.1 %. The slopes are [values, errors], with errors by the jackknife over 20 blocks of samples.
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


def cluster_course(samples: np.ndarray, clusters: np.ndarray) -> Course:
    """Variance and silence of clusters [clusters, K] and of the clusters that they were made of.

    >>> spikes = (np.random.default_rng(0).random((4000, 64)) < 0.2).astype(float)
    >>> course = cluster_course(spikes, np.arange(64).reshape(4, 16))
    >>> course.alpha[0].round(1), course.beta[0].round(1)
    (np.float64(1.0), np.float64(1.0))
    """
    size = 2 ** np.arange(int(np.log2(clusters.shape[1])) + 1)
    ordered = samples[:, clusters.reshape(-1)]
    series: dict[str, np.ndarray] = {}
    for k in size:
        total = ordered.reshape(len(ordered), -1, k).sum(axis=-1)
        series |= {
            f"first{k}": total,
            f"second{k}": total**2,
            f"zero{k}": (total == 0).mean(axis=1, keepdims=True),
        }
    sums = {name: block_sums([values], _BLOCKS) for name, values in series.items()}
    counts = next(iter(sums.values()))[1]
    silence = np.array([series[f"zero{k}"].mean() for k in size])
    quiet = size[(silence > _QUIET) & (silence < 1)]

    def logarithms(means: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        variance = [np.mean(means[f"second{k}"] - means[f"first{k}"] ** 2) for k in size]
        return np.log(variance), np.log([-np.log(means[f"zero{k}"].item()) for k in quiet])

    def all_of_it(**means: np.ndarray) -> np.ndarray:
        parts = []
        for at, values in zip((size, quiet), logarithms(means), strict=True):
            parts += [np.diff(values) / np.log(2), [_slope(at, values)]]
        return np.concatenate([np.exp(logarithms(means)[0]), *parts])

    found = delete_one(all_of_it, {name: part for name, (part, _) in sums.items()}, counts)
    both = np.stack([found.value, found.error])
    rest = len(size), len(size) - 1, 1, max(len(quiet) - 1, 0), 1
    variance, slopes, alpha, silent, beta = np.split(both, np.cumsum(rest)[:-1], axis=1)
    return Course(size, variance, silence, slopes, silent, alpha[:, 0], beta[:, 0])


def _slope(size: np.ndarray, values: np.ndarray) -> float:
    return float(np.polyfit(np.log(size), values, 1)[0]) if len(size) > 1 else float("nan")
