"""Whether two layers of unbounded units have a normalisable law at all."""

import math

import numpy as np

from ...exact.layered import GaussianPrior, RectifiedPrior
from ...runs.errors import NumericalError
from ._units import AbstractUnit

__all__ = ["check_gain", "gain_bounds"]

_SWEEPS = 60


def gain_bounds(weights: np.ndarray, visible: AbstractUnit, hidden: AbstractUnit) -> tuple[float, float]:
    """A lower and an upper bound of the gain g: the law is normalisable if and only if g < 1.

    Along a ray the energy of unbounded units is |v|^2/(2 s_v^2) + |h|^2/(2 s_h^2) - v^T W h, so

        g = s_v s_h max v^T W h over unit vectors v, h, with entries >= 0 where the units are rectified.

    Two Gaussian layers: g = s_v s_h ||W||_2, both bounds. With rectified units the maximum is a hard problem;
    alternating maximisation from every coordinate and the singular vectors bounds it from below, and ||W||_2
    (of the positive part of W for two rectified layers) from above. Zero where one side has finitely many
    states.

    >>> from deeprg.coarsegrain.boltzmann import Gaussian, Rectified, Spin
    >>> gain_bounds(np.array([[-2.0]]), Gaussian(), Gaussian(0.25))
    (1.0, 1.0)
    >>> gain_bounds(np.array([[-2.0]]), Rectified(), Rectified())
    (0.0, 0.0)
    """
    scales = _width(visible) * _width(hidden)
    if scales == 0 or weights.size == 0:
        return 0.0, 0.0
    matrix = scales * np.asarray(weights, np.float64)
    cones = [isinstance(unit.prior, RectifiedPrior) for unit in (visible, hidden)]
    norm = float(np.linalg.norm(matrix, 2))
    if not any(cones):
        return norm, norm
    upper = float(np.linalg.norm(np.maximum(matrix, 0), 2)) if all(cones) else norm
    right = np.linalg.svd(matrix, full_matrices=False)[2]
    starts = np.concatenate([np.eye(matrix.shape[1]), right[:1], -right[:1], np.ones((1, matrix.shape[1]))])
    h = _unit(starts, cones[1])
    v = _unit(h @ matrix.T, cones[0])
    for _ in range(_SWEEPS):
        h = _unit(v @ matrix, cones[1])
        v = _unit(h @ matrix.T, cones[0])
    lower = float(np.einsum("si,ij,sj->s", v, matrix, h).max())
    return min(max(lower, 0.0), upper), upper


def check_gain(weights: np.ndarray, visible: AbstractUnit, hidden: AbstractUnit) -> None:
    """Raise `NumericalError` where the law cannot be normalised for certain: the lower bound of g is >= 1."""
    lower, _ = gain_bounds(weights, visible, hidden)
    if lower >= 1 or math.isnan(lower):
        norm = float(np.linalg.norm(np.asarray(weights, np.float64), 2))
        raise NumericalError(
            f"These {visible.name} and {hidden.name} units with these weights have no normalisable law: "
            f"the largest singular value of W is {norm:.4g}, the gain {lower:.4g}, and the gain must stay "
            "below 1. Lower the learning rate or the weights (weight decay), give the data unit variance, or "
            "take spin or binary units on one side, which are safe for any weights."
        )


def _width(unit: AbstractUnit) -> float:
    """s of a Gaussian unit, 1 of a rectified one, 0 where U bounds nothing because the states are finite."""
    match unit.prior:
        case GaussianPrior(width=variance):
            return math.sqrt(variance)
        case RectifiedPrior():
            return 1.0
        case _:
            return 0.0


def _unit(rows: np.ndarray, nonnegative: bool) -> np.ndarray:
    """The rows projected on the allowed directions and normalised; zero rows stay zero."""
    kept = np.maximum(rows, 0) if nonnegative else rows
    norm = np.linalg.norm(kept, axis=-1, keepdims=True)
    return np.divide(kept, norm, out=np.zeros_like(kept), where=norm > 0)
