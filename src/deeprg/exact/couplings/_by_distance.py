"""Couplings of spins on a lattice, grouped by distance, body number and range."""

from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._couplings import Couplings

__all__ = ["BodyRange", "PairsByDistance", "couplings_by_range", "pairs_by_distance"]


@dataclass(frozen=True)
class PairsByDistance:
    """The pair couplings at each distance |r|: arrays of one length, nearest first.

    `count` pairs at `distance`, their `mean`, root mean square `rms`, and the extremes `lowest`, `highest`.
    A translation- and rotation-invariant action has lowest = highest (up to distances that the lattice's
    symmetries do not relate).
    """

    distance: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    rms: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


@dataclass(frozen=True)
class BodyRange:
    """The couplings of `body` variables whose largest pair distance is `range`.

    `count` sets, `weight` their sum of |J|, `rms` their root mean square, `largest` their largest |J|.
    """

    body: int
    range: float
    count: int
    weight: float
    rms: float
    largest: float


def pairs_by_distance(couplings: Couplings, lattice: Lattice) -> PairsByDistance:
    """Group the pair couplings J_ij by the distance |r_i - r_j| on the periodic lattice.

    Raises `UsageError` when the lattice has another number of sites than there are variables.

    >>> ring = Couplings.from_terms(4, {(0, 1): 0.5, (1, 2): 0.5, (2, 3): 0.5, (0, 3): 0.5, (0, 2): 0.1})
    >>> found = pairs_by_distance(ring, Lattice((4,)))
    >>> found.distance.tolist(), found.mean.tolist()
    ([1.0, 2.0], [0.5, 0.05])
    """
    distances = _distances(couplings, lattice)
    i, j = np.triu_indices(couplings.n, 1)
    values = couplings.pairs()[i, j]
    known = ~np.isnan(values)
    shells, where = np.unique(distances[i, j][known], return_inverse=True)
    values, count = values[known], np.bincount(where, minlength=len(shells))
    lowest, highest = np.full(len(shells), np.inf), np.full(len(shells), -np.inf)
    np.minimum.at(lowest, where, values)
    np.maximum.at(highest, where, values)
    mean = np.bincount(where, values, len(shells)) / count
    rms = np.sqrt(np.bincount(where, values**2, len(shells)) / count)
    return PairsByDistance(shells, count, mean, rms, lowest, highest)


def couplings_by_range(couplings: Couplings, lattice: Lattice) -> list[BodyRange]:
    """Group the couplings of one and more variables by body number |S| and range, the diameter of S.

    The range of a set is its largest pair distance on the periodic lattice, 0 for a field. Only combinations
    with sets in them are listed, by body number and then by range.

    Raises `UsageError` when the lattice has another number of sites than there are variables.

    >>> ring = Couplings.from_terms(4, {(0, 1): 0.5, (1, 2): -0.5, (0, 2): 0.1, (0, 1, 2): 0.2})
    >>> [(g.body, g.range, g.count, g.weight) for g in couplings_by_range(ring, Lattice((4,)))]
    [(2, 1.0, 2, 1.0), (2, 2.0, 1, 0.1), (3, 2.0, 1, 0.2)]
    """
    distances = _distances(couplings, lattice)
    groups = []
    for body in couplings.orders:
        terms = couplings.order(body)
        if body == 0 or len(terms) == 0:
            continue
        ranges = np.zeros(len(terms))
        for a in range(body):
            for b in range(a):
                np.maximum(ranges, distances[terms.sites[:, a], terms.sites[:, b]], out=ranges)
        for diameter in np.unique(ranges):
            size = np.abs(terms.values[ranges == diameter])
            rms, largest = float(np.sqrt(np.mean(size**2))), float(size.max())
            groups.append(BodyRange(body, float(diameter), len(size), float(size.sum()), rms, largest))
    return groups


def _distances(couplings: Couplings, lattice: Lattice) -> np.ndarray:
    """The distance of every two sites, rounded so that equal distances compare equal, [n, n]."""
    if lattice.size != couplings.n:
        raise UsageError(
            f"The lattice {lattice} has {lattice.size} sites, but there are {couplings.n} variables."
        )
    return lattice.distances().reshape(-1)[lattice.displacements()].round(9)
