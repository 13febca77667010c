"""Patterns ⟨v_i h_a⟩ of a coarse-graining as a few numbers that tell one spot from many, order from none."""

from dataclasses import dataclass

import numpy as np

from deeprg.lattice import Lattice
from deeprg.probes import (
    PatternStatistics,
    Placement,
    VHMaps,
    match_patterns,
    pattern_statistics,
    place_units,
)

__all__ = ["Patterns", "order_of_tiles", "patterns_of"]

_PERMUTATIONS = 400
_ONE, _COVERAGE = 0.9, 0.25  # of what is above half height lies in one spot, and it covers no more
_MOST = 256  # maps that are matched, placed and compared pair by pair


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the maps of one coarse-graining look like; quantities are medians over coarse variables.

    one_spot: the share of maps of which a quarter or less is above half height, 90 % of that in one spot.
    patch: the part of the sites where a map has its gauge sign.
    positive: the share of maps with positive gauge sign. peak: mean of the largest |M| of each map, with its
    error. near: C(1)/C(0) of the maps' autocorrelation. distance, overlap: to the reference after matching.
    order: the correlation of distances between the centres with those between the numbers of the tiles, and
    its one-sided p by permutations (`order_of_tiles`). place, distance and overlap are None for more than 256
    maps, which would take minutes.
    """

    name: str
    maps: VHMaps
    statistics: PatternStatistics
    peak: float
    peak_error: float
    one_spot: float
    patch: float
    positive: float
    near: float
    distance: float | None
    overlap: float | None
    order: tuple[float, float]
    place: Placement | None

    @property
    def count(self) -> int:
        """The number of maps."""
        return len(self.maps.value)

    @property
    def width(self) -> float:
        """Median width, in lattice spacings."""
        return float(np.median(self.statistics.width))

    @property
    def spots(self) -> float:
        """Median number of spots."""
        return float(np.median(self.statistics.spots))

    @property
    def participation(self) -> float:
        """Median participation ratio."""
        return float(np.median(self.statistics.participation))


def patterns_of(name: str, maps: VHMaps, coarse: Lattice, reference: VHMaps | None = None) -> Patterns:
    """The numbers behind maps whose coarse variables, in their order, would sit on `coarse`."""
    found = pattern_statistics(maps.maps)
    signed = maps.value * found.sign[:, None]
    strongest = np.abs(maps.value).argmax(axis=1)[:, None]
    few = len(maps.value) <= _MOST
    match = match_patterns(maps.maps, reference.maps) if few and reference is not None else None
    step = (0,) * (len(maps.fine) - 1) + (1,)
    return Patterns(
        name=name,
        maps=maps,
        statistics=found,
        peak=float(np.abs(np.take_along_axis(maps.value, strongest, axis=1)).mean()),
        peak_error=float(np.take_along_axis(maps.error, strongest, axis=1).mean()),
        one_spot=float(np.mean((found.main_spot >= _ONE) & (found.coverage <= _COVERAGE))),
        patch=float(np.median((signed > 0).mean(axis=1))),
        positive=float(np.mean(found.sign > 0)),
        near=float(found.autocorrelation[step] / found.autocorrelation[(0,) * len(maps.fine)]),
        distance=None if match is None else match.total,
        overlap=None if match is None else float(np.median(match.overlap)),
        order=order_of_tiles(found.centre, coarse, maps.fine),
        place=place_units(maps.maps, coarse) if few else None,
    )


def order_of_tiles(centres: np.ndarray, coarse: Lattice, fine: tuple[int, ...]) -> tuple[float, float]:
    """Do neighbouring tiles have neighbouring centres: the correlation of the two distances, and its p.

    The tiles sit on `coarse` in C order, their centres [n, ndim] on the torus `fine`. p is the share of 400
    permutations of the tiles with a correlation as large, at least 1/401. Of more than 256 tiles as many are
    drawn.

    >>> block = Lattice((4, 4))
    >>> r, p = order_of_tiles(2.0 * block.coordinates() + 0.5, block, (8, 8))
    >>> round(r, 6), p < 0.01
    (1.0, True)
    """
    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(len(centres))[:_MOST])
    pairs = np.triu_indices(len(kept), 1)
    between = Lattice(fine).pair_distances(centres[kept])[pairs]
    tiles = coarse.pair_distances(coarse.coordinates()[kept])

    def correlation(order: np.ndarray) -> float:
        return float(np.corrcoef(between, tiles[np.ix_(order, order)][pairs])[0, 1])

    found = correlation(np.arange(len(kept)))
    others = [correlation(rng.permutation(len(kept))) for _ in range(_PERMUTATIONS)]
    return found, (1 + sum(other >= found - 1e-12 for other in others)) / (1 + _PERMUTATIONS)
