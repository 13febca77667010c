"""What the study of coarse-grained data measures: plane waves, and the places of clusters."""

from dataclasses import dataclass

import numpy as np

from deeprg.lattice import Lattice

__all__ = ["Shells", "blocks_in_order", "cluster_places", "momentum_shells"]


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
