"""In which order a hierarchical network fills the spins of a lattice, and what each of them looks at."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError

__all__ = ["Places", "fill_order", "kept_sites", "level_lattices"]

_MOST_TOP = 12  # spins of the coarsest lattice, whose probabilities are a table


@dataclass(frozen=True, eq=False)
class Places:
    """One fill: the sites `targets` [t] and the known sites `context` [t, c] of each, flat indices.

    Column j of `context` is `away` [c, ndim] at j from every target, nearest first. `offset` is that of the
    targets in their cells, `colour` the parity of these cells along each axis, None for all.
    """

    targets: np.ndarray
    context: np.ndarray
    away: np.ndarray
    offset: tuple[int, ...]
    colour: tuple[int, ...] | None

    @property
    def nearest(self) -> np.ndarray:
        """Which columns of the context are at the smallest distance, [c]."""
        square = (self.away**2).sum(axis=-1)
        return square == square.min()


def level_lattices(lattice: Lattice) -> list[Lattice]:
    """The lattices of the hierarchy, finest first: halved along every axis while all extents are even.

    It ends at an extent of 2 or an odd one. Raises `UsageError` when more than 12 spins are left there, or
    when there is nothing to halve.

    >>> [str(level) for level in level_lattices(Lattice((12, 12)))]
    ['12x12', '6x6', '3x3']
    """
    levels = [lattice]
    while all(extent % 2 == 0 and extent > 2 for extent in levels[-1].shape):
        levels.append(Lattice(tuple(extent // 2 for extent in levels[-1].shape)))
    if levels[-1].size > _MOST_TOP or len(levels) == 1:
        raise UsageError(
            f"Halving {lattice} ends at {levels[-1]}, {levels[-1].size} spins; at least one halving must "
            f"leave at most {_MOST_TOP} spins, whose probabilities are a table. Take extents 2^k or 3·2^k "
            "of the same k, for example 16x16 or 12x12."
        )
    return levels


def kept_sites(lattice: Lattice) -> np.ndarray:
    """The flat indices of the sites with even coordinates, which are the next coarser lattice."""
    return np.flatnonzero(lattice.sublattice(2))


@functools.cache
def fill_order(lattice: Lattice, reach: float | None, colours: bool) -> tuple[Places, ...]:
    """How a lattice is filled of which the sites with even coordinates are known, one `Places` per fill.

    The cells of 2^ndim sites are filled offset by offset: first offsets with an even sum, so that the other
    sublattice, which comes last, sees all its neighbours. With `colours` an offset is filled in 2^ndim
    rounds, by the parity of the cell along every axis, where the numbers of cells are even. The spins of a
    fill are independent of each other given the known spins at distances up to `reach` (in spacings of this
    lattice, round the torus; None: the nearest ones alone).

    >>> [(len(p.targets), p.context.shape[1]) for p in fill_order(Lattice((4, 4)), None, False)]
    [(4, 4), (4, 4), (4, 4)]
    >>> [(len(p.targets), p.context.shape[1]) for p in fill_order(Lattice((8, 8)), 3.2, True)][:4]
    [(4, 12), (4, 16), (4, 16), (4, 20)]
    """
    coordinates = lattice.coordinates()
    inside, cells = coordinates % 2, coordinates // 2
    known = np.asarray(~inside.any(axis=-1))
    corners = sorted(itertools.product((0, 1), repeat=lattice.ndim), key=lambda o: (sum(o) % 2, o))
    many = colours and all(extent % 4 == 0 for extent in lattice.shape)
    fills = []
    for offset, colour in itertools.product(corners[1:], corners if many else (None,)):
        chosen = (inside == np.array(offset)).all(axis=-1)
        if colour is not None:
            chosen &= (cells % 2 == np.array(colour)).all(axis=-1)
        targets = np.flatnonzero(chosen).astype(np.int32)
        fills.append(Places(targets, *_around(lattice, targets, known, reach), offset, colour))
        known = np.asarray(known | chosen)
    return tuple(fills)


def _around(
    lattice: Lattice, targets: np.ndarray, known: np.ndarray, reach: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """The known sites around the first target, moved along to the others; and how far they are away."""
    coordinates, shape = lattice.coordinates(), np.array(lattice.shape)
    away = (coordinates - coordinates[targets[0]] + shape // 2) % shape - shape // 2
    square = (away**2).sum(axis=-1)
    near = np.flatnonzero(known & (square <= (square[known].min() if reach is None else reach**2)))
    near = near[np.lexsort((*away[near].T, square[near]))]
    there = (coordinates[targets][:, None] + away[near]) % shape
    context = np.asarray(np.ravel_multi_index(tuple(np.moveaxis(there, -1, 0)), lattice.shape))
    return context.astype(np.int32), away[near]
