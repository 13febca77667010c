"""Where the cumulant series converges: the nearest zero of ⟨exp(t K_1)⟩, between bounds that hold."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ._split import Split
from ._states import log_contract

__all__ = ["LogMean", "levelled", "radius_bounds"]

LogMean = Callable[[complex | float], np.ndarray]
"""t -> ln ⟨exp(t K_1)⟩_{b|x} of all coarse states, [2^n]; real for real t."""

_FAR = 8.0  # beyond this radius the terms fall by 8 per order, and the search stops
_MARGIN = 1e-9  # how near to 1 the question "inside or outside" is asked
_CLOSE = 1.05  # the ratio of the bounds
_STEP, _BEND = 1.0, 0.4  # the largest trusted change of ln f between points, and of that change
_MOST_HALVINGS, _MOST_POINTS = 20, 4096
_LOST = 64 * float(np.finfo(np.float64).eps)
_MOST_LEVELS = 1 << 25  # numbers to go through for the weights of all levels


def radius_bounds(log_mean: LogMean, reach: float) -> tuple[float, float]:
    """Bounds from below and above on the modulus of the smallest zero of f = ⟨exp(t K_1)⟩ over all x.

    `reach` is max K_1 - min K_1 or more: no zero lies in |t| < pi/reach, where all terms of f are in one
    half plane. A circle counts only when f was followed around it; where that fails (a zero close by, or f
    lost in rounding) neither bound moves, so that both stay true and only the gap between them is wider.

    >>> cosh = lambda t: np.array([np.log(np.cosh(t))])
    >>> lower, upper = radius_bounds(cosh, 2.0)
    >>> bool(lower <= np.pi / 2 <= upper < 1.05 * lower)
    True
    """
    known: dict[float, bool | None] = {}

    def vanishes(radius: float) -> bool | None:
        if radius not in known:
            with np.errstate(all="ignore"):  # zeros, and states that were given up
                known[radius] = _vanishes(log_mean, radius, reach)
        return known[radius]

    lower, upper = np.pi / reach, np.inf
    if lower < 1.0:  # the question that matters first
        for radius in (1.0 + _MARGIN, 1.0 - _MARGIN):
            answer = vanishes(radius)
            if answer is False:
                lower = radius
                break
            if answer:
                upper = radius
    known_free, outer = lower, upper  # from below: the largest radius that is known to be free
    while outer / known_free > _CLOSE and known_free < _FAR:
        radius = 2 * known_free if outer == np.inf else float(np.sqrt(known_free * outer))
        answer = vanishes(radius)
        if answer is False:
            known_free = radius
        else:
            outer = radius
            upper = min(upper, radius) if answer else upper
    inner = known_free  # from above: the smallest radius that is known not to be
    while upper / inner > _CLOSE and inner < _FAR:
        radius = 1.5 * inner if upper == np.inf else float(np.sqrt(inner * upper))
        if vanishes(radius):
            upper = radius
        else:
            inner = radius
    return float(known_free), float(upper)


def _vanishes(log_mean: LogMean, radius: float, reach: float) -> bool | None:
    """Whether some f has a zero in |t| <= radius: True, False, or None where that cannot be told.

    f > 0 on the real axis, so its phase turns by 2 pi on the upper half circle for every zero in the half
    disc. An arc is trusted when ln f changes by little in both halves and by nearly the same: a zero nearby
    bends ln f. It is halved otherwise. A state x is given up where |f(t)| drowns in the rounding of a sum
    whose terms have the moduli of those of f(Re t).
    """
    chords = np.linspace(-radius, radius, 65)
    scales = np.stack([np.real(log_mean(float(s))) for s in chords])  # convex: the chords lie above
    floor = np.log(_LOST * (1 + radius * reach))
    alive = np.ones(scales.shape[1], bool)
    turned = np.zeros(scales.shape[1])

    def followed(angle: np.ndarray) -> Any:
        """ln f at the points of the circle, [points, x]."""
        points = radius * np.exp(1j * angle)
        values: Any = np.stack([log_mean(complex(point)) for point in points])
        place = np.clip(np.searchsorted(chords, points.real) - 1, 0, len(chords) - 2)
        share = ((points.real - chords[place]) / (chords[1] - chords[0]))[:, None]
        scale = (1 - share) * scales[place] + share * scales[place + 1]
        alive[:] &= (np.isfinite(values) & (values.real - scale > floor)).all(axis=0)
        return values

    count = max(8, int(np.ceil(radius * reach / 2)))
    angles = np.linspace(0.0, np.pi, count + 1)
    values = followed(angles)
    left, right, at_left, at_right = angles[:-1], angles[1:], values[:-1], values[1:]
    used = count
    for _ in range(_MOST_HALVINGS):
        used += len(left)
        if used > _MOST_POINTS or not alive.any():
            return None
        middle = (left + right) / 2
        at_middle = followed(middle)
        first, second = _change(at_left, at_middle), _change(at_middle, at_right)
        smooth = np.maximum(np.abs(first), np.abs(second)) < _STEP
        smooth &= np.abs(first - second) < _BEND
        done = (smooth | ~alive).all(axis=1)
        turned += (first + second).imag[done].sum(axis=0)
        if done.all():
            break
        left, right = np.append(left[~done], middle[~done]), np.append(middle[~done], right[~done])
        at_left, at_right = (
            np.concatenate([at_left[~done], at_middle[~done]]),
            np.concatenate([at_middle[~done], at_right[~done]]),
        )
    else:
        return None
    if (turned[alive] > np.pi).any():
        return True
    return False if alive.all() else None


def _change(before: Any, after: Any) -> Any:
    """ln f(after) - ln f(before) on the branch nearest to 0."""
    with np.errstate(invalid="ignore"):  # states that were given up
        change = after - before
        return change.real + 1j * (change.imag - 2 * np.pi * np.round(change.imag / (2 * np.pi)))


def levelled(parts: Split) -> LogMean | None:
    """The same means from the weights of the levels of K_1, where there are few: quick at every t.

    f_x(t) = sum_l w_l(x) exp(t E_l). Clean models have as many levels as bonds between blocks, about.
    """
    levels, which = np.unique(parts.inter.values(), return_inverse=True)
    if len(levels) * which.size > _MOST_LEVELS:
        return None
    with np.errstate(divide="ignore"):
        tables = [np.log(table) for table in parts.conditionals]
        indicators = (np.log(which == level) for level in range(len(levels)))
        log_weights = np.stack([log_contract(values, tables) for values in indicators], axis=1)

    def log_mean(t: complex | float) -> np.ndarray:
        exponents = log_weights + t * levels
        highest = exponents.real.max(axis=1)
        return np.log(np.exp(exponents - highest[:, None]).sum(axis=1)) + highest

    return log_mean
