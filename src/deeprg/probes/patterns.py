"""Statistics of patterns on a lattice: sign, centre, width, spots, participation, autocorrelation."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage, sparse

from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

__all__ = [
    "PatternStatistics",
    "circular_centre",
    "count_spots",
    "gauge_sign",
    "main_spot",
    "participation_ratio",
    "pattern_autocorrelation",
    "pattern_statistics",
    "pattern_width",
    "radial_profile",
]


@dataclass(frozen=True)
class PatternStatistics:
    """What `pattern_statistics` says about n patterns M_a on a lattice: arrays over a, and averages over a.

    sign: the gauge sign s_a; all else is about s_a M_a.
    centre: circular centre of mass [n, ndim], in lattice spacings.
    width: root of the second moment of M - min M about the centre.
    spots: connected regions above the threshold; main_spot: the part of their sites in the largest;
        coverage: the part of all sites that they cover.
    participation: participation ratio, 1 for a uniform pattern, 1/N for a single site.
    r, profile: distances, and the mean of M at these distances from the centre, [n, len(r)].
    autocorrelation: C(r) on the lattice, [*shape].
    threshold: the height of a spot, as a part of the way from min M to max M.
    """

    sign: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    spots: np.ndarray
    main_spot: np.ndarray
    coverage: np.ndarray
    participation: np.ndarray
    r: np.ndarray
    profile: np.ndarray
    autocorrelation: np.ndarray
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, and the medians of those that are one number per pattern."""
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}
        names = ("width", "spots", "main_spot", "coverage", "participation")
        return plain | {f"median_{name}": float(np.median(getattr(self, name))) for name in names}


def checked_patterns(patterns: ArrayLike, shape: tuple[int, ...] | None) -> np.ndarray:
    """Patterns as float64 [n, *shape]; `shape` None means that they have theirs already."""
    array = np.asarray(patterns, np.float64)
    if shape is not None:
        if array.ndim != 2 or array.shape[1] != math.prod(shape):
            raise UsageError(
                f"patterns has shape {array.shape}; for the lattice {Lattice(shape)} it must be "
                f"[patterns, {math.prod(shape)}]."
            )
        array = array.reshape(-1, *Lattice(shape).shape)
    if not 2 <= array.ndim <= 4 or 0 in array.shape:
        raise UsageError(f"patterns has shape {array.shape}; it must be [patterns, *lattice], 1 to 3 axes.")
    if not np.isfinite(array).all():
        raise UsageError("The patterns hold NaN or infinity; find where they come from.")
    return array


def gauge_sign(patterns: ArrayLike) -> np.ndarray:
    """s_a = sign(sum_i M_a(i)), +1 for a sum of zero: h_a -> -h_a is a symmetry. [n, *shape] -> [n].

    >>> gauge_sign([[1.0, 2.0], [-3.0, 1.0]]).tolist()
    [1.0, -1.0]
    """
    total = checked_patterns(patterns, None).reshape(len(np.asarray(patterns)), -1).sum(axis=1)
    return np.where(total < 0, -1.0, 1.0)


def circular_centre(patterns: ArrayLike) -> np.ndarray:
    """Centre of mass on the torus from the phase of the first Fourier mode along each axis, [n, ndim].

    x = -(L/2π) arg sum_i M(i) e^(-2πi i/L), in [0, L). A uniform background does not move it; a pattern
    without that mode has no centre, and gets one by rounding.

    >>> circular_centre([[0.0, 1.0, 1.0, 0.0]]).tolist()
    [[1.5]]
    """
    array = checked_patterns(patterns, None)
    centres = []
    for axis, extent in enumerate(array.shape[1:]):
        others = tuple(a + 1 for a in range(array.ndim - 1) if a != axis)
        mode = array.sum(axis=others) @ np.exp(-2j * np.pi * np.arange(extent) / extent)
        place = np.mod(-np.angle(mode) * extent / (2 * np.pi), extent)
        centres.append(np.where(place == extent, 0.0, place))  # mod rounds -1e-17 up to the extent
    return np.stack(centres, axis=1)


def _distances(shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """Euclidean distances on the torus of all sites from points [n, ndim], [n, *shape]."""
    squares = np.zeros((len(centre), *shape))
    for axis, extent in enumerate(shape):
        along = np.abs(np.arange(extent) - centre[:, axis, None])
        along = np.minimum(along, extent - along) ** 2
        squares += along.reshape(len(centre), *(extent if a == axis else 1 for a in range(len(shape))))
    return np.sqrt(squares)


def pattern_width(patterns: ArrayLike, centre: np.ndarray | None = None) -> np.ndarray:
    """√(sum_i r_i² (M(i) - min M) / sum_i (M(i) - min M)), r_i the distance from the centre, [n].

    NaN for a uniform pattern. `centre` [n, ndim] is `circular_centre` unless given.

    >>> pattern_width([[0.0, 1.0, 1.0, 0.0]]).tolist()
    [0.5]
    """
    array = checked_patterns(patterns, None)
    axes = tuple(range(1, array.ndim))
    height = array - array.min(axis=axes, keepdims=True)
    squares = _distances(array.shape[1:], circular_centre(array) if centre is None else centre) ** 2
    with np.errstate(invalid="ignore"):
        return np.sqrt((squares * height).sum(axis=axes) / height.sum(axis=axes))


def radial_profile(patterns: ArrayLike, centre: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """M(r): the mean of every pattern over the sites at a distance in [r - 1/2, r + 1/2) from its centre.

    r = 0, 1 ... half the smallest extent; returns r and the profiles [n, len(r)]. An empty ring (around a
    centre between sites) is NaN. `centre` [n, ndim] is `circular_centre` unless given.

    >>> r, profile = radial_profile([[0.0, 1.0, 3.0, 1.0, 0.0, 0.0]])
    >>> r.tolist(), profile.tolist()
    ([0, 1, 2, 3], [[3.0, 1.0, 0.0, 0.0]])
    """
    array = checked_patterns(patterns, None)
    rings = np.floor(_distances(array.shape[1:], circular_centre(array) if centre is None else centre) + 0.5)
    r = np.arange(min(array.shape[1:]) // 2 + 1)
    profile = np.full((len(array), len(r)), np.nan)
    for row, (ring, pattern) in enumerate(zip(rings.astype(int), array, strict=True)):
        sums = np.bincount(ring.reshape(-1), pattern.reshape(-1), len(r))[: len(r)]
        counts = np.bincount(ring.reshape(-1), minlength=len(r))[: len(r)]
        profile[row, counts > 0] = sums[counts > 0] / counts[counts > 0]
    return r, profile


def count_spots(patterns: ArrayLike, *, threshold: float = 0.5) -> np.ndarray:
    """Connected regions (nearest neighbours, periodic) where M >= min M + threshold (max M - min M), [n].

    A uniform pattern is one region. Raises `UsageError` for a threshold outside (0, 1].

    >>> count_spots([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.9]]).tolist()        # the ends are neighbours
    [3]
    """
    return np.array([len(sizes) for sizes in _spot_sizes(checked_patterns(patterns, None), threshold)])


def main_spot(patterns: ArrayLike, *, threshold: float = 0.5) -> np.ndarray:
    """The part of the sites above the threshold of `count_spots` that lie in the largest spot, [n].

    1 for a single spot; near 1 where noise cuts crumbs off one, which their number does not forgive. White
    noise has large spots too, near the percolation threshold: look at the coverage as well.

    >>> main_spot([[1.0, 0.9, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]).tolist()
    [0.75]
    """
    spots = _spot_sizes(checked_patterns(patterns, None), threshold)
    return np.array([sizes.max() / sizes.sum() for sizes in spots])


def _spot_sizes(array: np.ndarray, threshold: float) -> list[np.ndarray]:
    """The numbers of sites of all spots of each pattern."""
    if not 0 < threshold <= 1:
        raise UsageError(f"The threshold of a spot is in (0, 1], a part of max - min; it is {threshold}.")
    found = []
    for pattern in array:
        low, high = pattern.min(), pattern.max()
        labels, count = ndimage.label(pattern >= low + threshold * (high - low))  # pyright: ignore
        joined = []
        for axis in range(labels.ndim):
            first, last = np.take(labels, 0, axis=axis), np.take(labels, -1, axis=axis)
            both = (first > 0) & (last > 0)
            joined.append(np.stack([first[both], last[both]]) - 1)
        rows, columns = np.concatenate(joined, axis=1)
        graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
        number, spot = sparse.csgraph.connected_components(graph, directed=False)
        found.append(np.bincount(spot, np.bincount(labels.reshape(-1), minlength=count + 1)[1:], number))
    return found


def participation_ratio(patterns: ArrayLike) -> np.ndarray:
    """PR = (sum_i M²)² / (N sum_i M⁴), [n]: the part of the sites that carries the pattern; NaN for M = 0.

    >>> participation_ratio([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 2.0]]).tolist()
    [1.0, 0.25]
    """
    array = checked_patterns(patterns, None)
    squares = array.reshape(len(array), -1) ** 2
    with np.errstate(invalid="ignore"):
        return squares.sum(axis=1) ** 2 / (squares.shape[1] * (squares**2).sum(axis=1))


def pattern_autocorrelation(patterns: ArrayLike) -> np.ndarray:
    """C(r) = mean_a [mean_i M_a(i) M_a(i + r) - (mean_i M_a)²] on the lattice, [*shape]; C(0) is a variance.

    >>> pattern_autocorrelation([[1.0, -1.0, 1.0, -1.0]]).tolist()
    [1.0, -1.0, 1.0, -1.0]
    """
    array = checked_patterns(patterns, None)
    axes = tuple(range(1, array.ndim))
    modes = np.fft.fftn(array - array.mean(axis=axes, keepdims=True), axes=axes)
    power = (modes.real**2 + modes.imag**2).mean(axis=0)
    return np.fft.ifftn(power).real / math.prod(array.shape[1:])


def pattern_statistics(
    patterns: ArrayLike, shape: tuple[int, ...] | None = None, *, threshold: float = 0.5
) -> PatternStatistics:
    """All statistics of patterns [n, *shape], or [n, sites] with `shape`, each times its gauge sign.

    Raises:
        UsageError: shapes that do not fit, NaN, or a threshold outside (0, 1].

    >>> r = np.minimum(np.arange(16), 16 - np.arange(16))
    >>> spot = -np.exp(-(r[:, None]**2 + r**2) / 8.0)                    # a negative spot of width 2√2
    >>> found = pattern_statistics([np.roll(spot, (3, 5), axis=(0, 1))])
    >>> found.sign.tolist(), found.centre.round(6).tolist(), found.width.round(2).tolist()
    ([-1.0], [[3.0, 5.0]], [2.83])
    """
    array = checked_patterns(patterns, shape)
    sign = gauge_sign(array)
    array = array * sign.reshape(-1, *(1,) * (array.ndim - 1))
    centre = circular_centre(array)
    r, profile = radial_profile(array, centre)
    spots = _spot_sizes(array, threshold)
    return PatternStatistics(
        sign=sign,
        centre=centre,
        width=pattern_width(array, centre),
        spots=np.array([len(sizes) for sizes in spots]),
        main_spot=np.array([sizes.max() / sizes.sum() for sizes in spots]),
        coverage=np.array([sizes.sum() for sizes in spots]) / math.prod(array.shape[1:]),
        participation=participation_ratio(array),
        r=r,
        profile=profile,
        autocorrelation=pattern_autocorrelation(array),
        threshold=threshold,
    )
