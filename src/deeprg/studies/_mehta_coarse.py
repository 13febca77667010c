"""Coarse variables as block spins: their correlations with distance, and the likeness of fields to blocks."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import delete_one
from deeprg.probes import match_patterns
from deeprg.studies._mehta_locality import block_fields

__all__ = ["CoarseCurve", "Decay", "block_centres", "coarse_curve", "decay", "likeness"]

_BLOCKS = 20
_BIN = 2.0
_WINDOW = 0.15, 0.4  # of the extent


@dataclass(frozen=True, eq=False)
class CoarseCurve:
    """The correlation coefficient of two coarse units against the distance of their fields' centres.

    r, value, error: mean distance of the pairs in a bin, mean coefficient, jackknife error over blocks of
    configurations; `replicas` [blocks, bins] leave one block out.
    """

    r: np.ndarray
    value: np.ndarray
    error: np.ndarray
    replicas: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the replicas."""
        return {name: getattr(self, name).tolist() for name in ("r", "value", "error")}


@dataclass(frozen=True)
class Decay:
    """ξ of G ~ exp(-r/ξ) on a window of r, and its error; NaN where G cannot be fitted."""

    length: float
    error: float
    window: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.length:.2f} ± {self.error:.2f}" if math.isfinite(self.length) else "no fit"


def coarse_curve(coarse: np.ndarray, centre: np.ndarray, sign: np.ndarray, size: int) -> CoarseCurve:
    """Correlations of coarse units [n, units] with centres [units, 2] on a torus of that extent.

    `sign` [units] takes out that h -> -h is a symmetry. Bins are two lattice spacings wide.

    >>> h = np.random.default_rng(0).choice([-1.0, 1.0], (4000, 16))
    >>> found = coarse_curve(h, block_centres(8, 2), np.ones(16), 8)
    >>> bool(np.all(np.abs(found.value) < 4 * found.error + 0.01))
    True
    """
    signed = coarse.astype(np.float64) * sign
    apart = Lattice((size, size)).pair_distances(centre)[np.triu_indices(signed.shape[1], 1)]
    where = np.floor((apart - _BIN / 2) / _BIN).astype(int)
    inside = (where >= 0) & (apart <= size / 2)
    bins, place = np.unique(where[inside], return_inverse=True)
    count = np.bincount(place, minlength=len(bins))

    def binned(hh: np.ndarray, h: np.ndarray) -> np.ndarray:
        covariance = hh - np.outer(h, h)
        spread = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        coefficients = (covariance / np.outer(spread, spread))[np.triu_indices(len(h), 1)]
        return np.bincount(place, coefficients[inside], len(bins)) / count

    parts = np.array_split(signed, _BLOCKS)
    sums = {"hh": np.stack([x.T @ x for x in parts]), "h": np.stack([x.sum(axis=0) for x in parts])}
    found = delete_one(binned, sums, np.array([len(x) for x in parts], np.float64))
    r = np.bincount(place, apart[inside], len(bins)) / count
    return CoarseCurve(r, found.value, found.error, found.replicas)


def decay(curve: CoarseCurve, size: int, side: int) -> Decay:
    """The fitted decay length between max(0.15 L, side of a block) and 0.4 L.

    >>> r = np.arange(1.0, 21.0)
    >>> g = np.exp(-r / 5)
    >>> round(decay(CoarseCurve(r, g, 0.01 * g, np.stack([g, g])), 40, 2).length, 6)
    5.0
    """
    window = max(_WINDOW[0] * size, float(side)), _WINDOW[1] * size
    good = (curve.r >= window[0] - 0.5) & (curve.r <= window[1])
    values = np.concatenate([curve.value[None], curve.replicas])[:, good]
    if good.sum() < 3 or np.any(values <= 0):
        return Decay(math.nan, math.nan, window)
    scale = values[0] / np.maximum(curve.error[good], 1e-12)  # 1/error of ln G
    design = np.stack([np.ones(int(good.sum())), -curve.r[good]], axis=1) * scale[:, None]
    slopes = (np.linalg.pinv(design) @ (np.log(values) * scale).T)[1]
    if np.any(slopes <= 0):
        return Decay(math.nan, math.nan, window)
    lengths, count = 1 / slopes, len(values) - 1
    spread = float(((lengths[1:] - lengths[1:].mean()) ** 2).sum())
    return Decay(float(lengths[0]), math.sqrt((count - 1) / count * spread), window)


def block_centres(size: int, side: int) -> np.ndarray:
    """The middles of blocks side x side in C order, [blocks, 2]."""
    return Lattice((size // side,) * 2).coordinates() * side + (side - 1) / 2


def likeness(fields: np.ndarray, side: int) -> np.ndarray:
    """|M · R|/(|M| |R|) of every field M with the block R of side x side sites where it fits best, [units].

    1 for a field that is a block, any sign, anywhere.

    >>> likeness(-block_fields(8, 2), 2).round(6).max(), likeness(block_fields(8, 4), 2).round(6)[0]
    (np.float64(1.0), np.float64(0.5))
    """
    block = block_fields(fields.shape[1], side)[:1]
    squares = match_patterns(fields, block).costs[:, 0] ** 2
    own, other = (fields**2).mean(axis=(1, 2)), float((block**2).mean())
    with np.errstate(invalid="ignore"):
        return (own + other - squares) / (2 * np.sqrt(own * other))
