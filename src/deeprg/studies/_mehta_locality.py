"""How local fields on a lattice are: width, area, share in a disc, spots, likeness of neighbours."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.lattice import Lattice
from deeprg.probes import (
    circular_centre,
    count_spots,
    participation_ratio,
    pattern_autocorrelation,
    pattern_width,
)

__all__ = [
    "Locality",
    "Middle",
    "arrangement",
    "block_fields",
    "disc",
    "locality",
    "middle",
    "placeless_width",
]

_DISC = 0.05
_RESAMPLES = 400


@dataclass(frozen=True)
class Middle:
    """The median over units with its bootstrap error, and the quantiles at 16 % and 84 %."""

    value: float
    error: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.2g}"

    @property
    def ratio(self) -> float:
        """high/low: how unequal the units are."""
        return self.high / self.low if self.low > 0 else math.inf


def middle(values: np.ndarray) -> Middle:
    """Median, error and quantiles of one number per unit; NaN are left out.

    >>> middle(np.arange(101.0)).value
    50.0
    """
    kept = values[np.isfinite(values)]
    if not kept.size:
        return Middle(math.nan, math.nan, math.nan, math.nan)
    low, median, high = np.quantile(kept, [0.16, 0.5, 0.84])
    draws = np.random.default_rng(0).choice(kept, (_RESAMPLES, kept.size))
    spread = float((np.median(draws, axis=1) - median).std())
    return Middle(float(median), spread, float(low), float(high))


@dataclass(frozen=True, eq=False)
class Locality:
    """Numbers of fields M_a: arrays over the units a.

    centre: circular centre of M², [n, 2].
    width: √(Σ r² M²/Σ M²) about the centre.
    area: (Σ M²)²/Σ M⁴, the number of sites that carry the field; does not know where they are.
    share: part of Σ M² in a disc about the centre with 5 % of the sites.
    spots: connected regions with |M| above half its maximum.
    texture: C(1)/C(0) of the autocorrelation along the axes, over all units: 1 where neighbouring sites have
        equal weights, 0 where they do not know of each other.
    """

    centre: np.ndarray
    width: np.ndarray
    area: np.ndarray
    share: np.ndarray
    spots: np.ndarray
    texture: float

    @property
    def middles(self) -> dict[str, Middle]:
        """Medians of the numbers that each unit has."""
        return {name: middle(getattr(self, name)) for name in ("width", "area", "share", "spots")}

    def to_dict(self) -> dict[str, Any]:
        """Medians, errors and quantiles as plain values."""
        return {name: vars(one) for name, one in self.middles.items()} | {"texture": self.texture}


def disc(shape: tuple[int, ...]) -> np.ndarray:
    """Which sites lie in the disc about the origin that holds 5 % of the sites, [*shape].

    >>> int(disc((40, 40)).sum())
    81
    """
    radius = math.sqrt(_DISC * math.prod(shape) / math.pi)
    return Lattice(shape).distances() <= radius + 1e-9


def placeless_width(shape: tuple[int, ...]) -> float:
    """The width of a field that is everywhere alike: √(Σ r²/N).

    >>> round(placeless_width((40, 40)), 2)
    16.34
    """
    return float(np.sqrt((Lattice(shape).distances() ** 2).mean()))


def locality(fields: np.ndarray) -> Locality:
    """The numbers of fields [n, *shape].

    >>> blocks = locality(block_fields(40, 4))
    >>> blocks.width[0].round(3), blocks.area[0], blocks.share[0], blocks.spots[0], round(blocks.texture, 2)
    (np.float64(1.581), np.float64(16.0), np.float64(1.0), np.int64(1), 0.75)
    """
    squares = fields**2
    centre = circular_centre(squares)
    inside = disc(fields.shape[1:])
    axes = tuple(range(fields.ndim - 1))
    share = np.full(len(fields), np.nan)
    for number, (square, place) in enumerate(zip(squares, centre, strict=True)):
        if (total := square.sum()) > 0:
            moved = np.roll(square, tuple(-np.round(place).astype(int)), axis=axes)
            share[number] = moved[inside].sum() / total
    correlation = pattern_autocorrelation(fields)
    ones = [correlation[tuple(int(a == axis) for a in axes)] for axis in axes]
    return Locality(
        centre=centre,
        width=pattern_width(squares, centre),
        area=participation_ratio(fields) * fields[0].size,
        share=share,
        spots=count_spots(np.abs(fields)),
        texture=float(np.mean(ones) / correlation.flat[0]) if correlation.flat[0] > 0 else math.nan,
    )


def block_fields(size: int, side: int) -> np.ndarray:
    """The fields of block spins, 1 on a block of side x side sites and 0 elsewhere, [blocks, size, size].

    >>> block_fields(4, 2).shape, block_fields(4, 2)[1].sum()
    ((4, 4, 4), np.float64(4.0))
    """
    per_axis = size // side
    return np.kron(np.eye(per_axis**2).reshape(-1, per_axis, per_axis), np.ones((1, side, side)))


def arrangement(centre: np.ndarray, size: int) -> tuple[float, float]:
    """Mean distance to the nearest centre over that of random points, √(area per unit)/2, and its error.

    1 for random places, 2 for a square grid, 0 for pairs in one place. The error is that for random points,
    0.523/√n (P. J. Clark, F. C. Evans, Ecology 35, 445 (1954)).

    >>> grid = np.stack(np.meshgrid(np.arange(0, 40, 8), np.arange(0, 40, 8)), -1).reshape(-1, 2)
    >>> arrangement(grid, 40)[0]
    2.0
    """
    apart = Lattice((size, size)).pair_distances(centre)
    np.fill_diagonal(apart, np.inf)
    expected = 0.5 * size / math.sqrt(len(centre))
    return float(apart.min(axis=1).mean() / expected), 0.523 / math.sqrt(len(centre))
