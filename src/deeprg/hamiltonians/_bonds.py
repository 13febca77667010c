"""The bonds of a pair model as arrays, for samplers that walk from site to site; the test for frustration."""

from typing import NamedTuple

import numpy as np

from ..lattice import Lattice

__all__ = ["Bonds", "frustrated", "gauge"]

Steps = tuple[tuple[tuple[int, ...], float], ...]


class Bonds(NamedTuple):
    """Every bond of a pair model at both of its ends; all numbers are dimensionless (J/T).

    `neighbours` int32 [N, z] are flat site indices, `couplings` float64 [N, z] the bonds' strengths. A double
    bond (an extent of 2) lists the neighbour twice; a bond from a site to itself (an extent of 1) is a
    constant and left out. `field` is the dimensionless h.

    >>> from deeprg.hamiltonians import Ising
    >>> bonds = Ising(Lattice((4,)), temperature=2.0).bonds()
    >>> bonds.neighbours.tolist(), bonds.couplings[0].tolist()
    ([[1, 3], [2, 0], [3, 1], [0, 2]], [0.5, 0.5])
    """

    neighbours: np.ndarray
    couplings: np.ndarray
    field: float


def gauge(bonds: Bonds) -> np.ndarray | None:
    """Signs e_i = ±1, int8 [N], that make all e_i J_ij e_j >= 0; None when there are none.

    Every site gets two copies, + and -; a positive bond joins equal copies, a negative one opposite copies.
    Signs exist when no two copies of a site are connected; each component then fixes the signs of its sites.

    >>> from deeprg.hamiltonians import Ising
    >>> gauge(Ising(Lattice((2, 4)), temperature=1.0, coupling=-1.0).bonds()).reshape(2, 4).tolist()
    [[1, -1, 1, -1], [-1, 1, -1, 1]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size, degree = bonds.neighbours.shape
    here = np.repeat(np.arange(size), degree)
    there, couplings = bonds.neighbours.reshape(-1).astype(np.int64), bonds.couplings.reshape(-1)
    crosses = np.where(couplings < 0, size, 0)[couplings != 0]
    here, there = here[couplings != 0], there[couplings != 0]
    rows = np.concatenate([here, here + size])
    columns = np.concatenate([there + crosses, there + size - crosses])
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(2 * size, 2 * size))
    _, label = connected_components(graph.tocsr(), directed=False)
    if np.any(label[:size] == label[size:]):
        return None
    return np.where(label[:size] < label[size:], 1, -1).astype(np.int8)


def frustrated(bonds: Bonds) -> bool:
    """Whether no choice of signs e_i = ±1 makes all e_i J_ij e_j >= 0 (see `gauge`); the field is ignored.

    >>> from deeprg.hamiltonians import Ising
    >>> square, ring = Lattice((4, 4)), Lattice((5,))
    >>> [frustrated(Ising(lattice, 1.0, coupling=-1.0).bonds()) for lattice in (square, ring)]
    [False, True]
    """
    return gauge(bonds) is None


def bonds_of_steps(lattice: Lattice, steps: Steps, field: float = 0.0) -> Bonds:
    """The bonds of translation-invariant couplings: displacements (both directions) with their strengths."""
    moving = [
        (step, value)
        for step, value in steps
        if any(d % extent for d, extent in zip(step, lattice.shape, strict=True))
    ]
    neighbours = np.empty((lattice.size, len(moving)), np.int32)
    coordinates = lattice.coordinates()
    for column, (step, _) in enumerate(moving):
        there = (coordinates + np.array(step)) % np.array(lattice.shape)
        neighbours[:, column] = np.ravel_multi_index(tuple(there.T), lattice.shape)
    couplings = np.tile(np.array([value for _, value in moving], np.float64), (lattice.size, 1))
    return Bonds(neighbours, couplings, field)


def nearest_steps(lattice: Lattice, coupling: float) -> Steps:
    """The 2 ndim unit steps with one coupling."""
    return tuple((step, coupling) for step in lattice.nearest_displacements())
