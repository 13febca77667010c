"""K' by cumulants of the inter-block part to any order, with the radius of convergence of the series."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lattice import Lattice
from ...runs.errors import NumericalError, UsageError
from ._action import ActionLike, SpinAction
from ._split import BlockLike, RuleLike, Split, split
from ._states import check_enumerable, contract
from ._transfer import Chain

__all__ = ["CumulantSeries", "block_cumulants"]

_FAR = 8.0  # beyond this radius the terms fall by 8 per order, and the search stops
_INSIDE = 0.6  # the contour's share of the radius
_STEP = 2.0  # the largest trusted change of phase between neighbouring points
_MOST_POINTS = 256
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class CumulantSeries:
    """K'(x) = n ln Z_b + sum_i ln p_b(x_i) + sum_k kappa_k[K_1|x]/k!, equation (34), term by term.

    `terms` [order + 1, 2^n]: row 0 the blocks alone, row k the term kappa_k/k!; `interaction` [2^n] the
    exact ln ⟨exp K_1⟩_{b|x} of (32) that the rows from 1 sum to; `radius` bounds from below and above on
    the radius of convergence in t of (33), the smallest over x, for which the series is summed at t = 1;
    `rounding` [order + 1] an estimate of the rounding error of every term.
    """

    terms: np.ndarray
    interaction: np.ndarray
    radius: tuple[float, float]
    rounding: np.ndarray
    lattice: Lattice | None = None

    @property
    def order(self) -> int:
        """The highest order kept."""
        return len(self.terms) - 1

    @property
    def converges(self) -> bool:
        """Whether the series is known to converge at t = 1, for every coarse state."""
        return self.radius[0] > 1.0

    @property
    def exact(self) -> np.ndarray:
        """K' without truncation, equation (32), [2^n]."""
        return self.terms[0] + self.interaction

    @property
    def partial_sums(self) -> np.ndarray:
        """K' truncated at orders 0, 1, ..., [order + 1, 2^n]."""
        return np.cumsum(self.terms, axis=0)

    @property
    def values(self) -> np.ndarray:
        """K' truncated at the highest order, [2^n]."""
        return self.partial_sums[-1]

    @property
    def changes(self) -> np.ndarray:
        """max_x |kappa_k/k!|: by how much order k changed the sum, k = 1 ... order, [order]."""
        return np.abs(self.terms[1:]).max(axis=1)

    @property
    def errors(self) -> np.ndarray:
        """max_x |truncated - exact| at orders 0, 1, ..., [order + 1], of the interaction alone.

        >>> from deeprg.exact.blocking import Decimation, Partition
        >>> from deeprg.hamiltonians import Ising
        >>> ring = Ising(Lattice((8,)), temperature=10.0)
        >>> series = block_cumulants(ring, Partition.cubic(ring.lattice, 2), Decimation(), 8)
        >>> [f"{error:.0e}" for error in series.errors[[1, 2, 4, 8]]]
        ['2e-02', '2e-04', '6e-07', '9e-12']
        """
        partial = np.cumsum(np.concatenate([np.zeros_like(self.terms[:1]), self.terms[1:]]), axis=0)
        return np.abs(partial - self.interaction).max(axis=1)

    @property
    def action(self) -> SpinAction:
        """The truncated K' as an action; its Z is preserved only as far as the series has settled."""
        return SpinAction.of_values(self.values, self.lattice)


def block_cumulants(
    action: ActionLike,
    blocks: BlockLike,
    rule: RuleLike,
    order: int,
    *,
    tolerance: float | int | None = None,
    allow_divergent: bool = False,
    method: str = "enumeration",
    width: int = 1,
) -> CumulantSeries:
    """The cumulant expansion of K' to any order, equations (33)-(34), for all coarse states.

    kappa_k/k! is the Taylor coefficient of f(t) = ln ⟨exp(t K_1)⟩_{b|x} at t = 0, found by Cauchy's formula
    on a circle |t| = r inside the radius of convergence R, (1/M) sum_m f(r w^m) w^(-mk) / r^k: its rounding
    error is eps max|f| / r^k, whereas the recursion from moments loses digits at every order. R is the
    modulus of the smallest zero of ⟨exp(t K_1)⟩, an entire function; the phase winds around a circle once
    for every zero inside, so that the series converges at t = 1 exactly where nothing winds.

    `method` "enumeration" sums over the fine states (20 spins at most); "transfer" uses transfer matrices
    over groups of `width` blocks. Raises `NumericalError` when R <= 1, unless `allow_divergent` (low orders
    can still be useful there: the result carries `converges`, `changes` and `errors`), and when `tolerance`
    is given and the last change, the error or the rounding exceed it; `UsageError` for an order < 1 and as
    `block_exact` does.

    >>> from deeprg.exact.blocking import Majority, Partition
    >>> from deeprg.hamiltonians import Ising
    >>> ring = Ising(Lattice((8,)), temperature=5.0)
    >>> partition = Partition.cubic(ring.lattice, 2)
    >>> series = block_cumulants(ring, partition, Majority(ties="random"), 12, tolerance=1e-6)
    >>> series.converges, bool(series.errors[-1] < 1e-6)
    (True, True)
    """
    if order < 1:
        raise UsageError(f"The order of the cumulant expansion is at least 1, not {order}.")
    if method not in ("enumeration", "transfer"):
        raise UsageError(f"The method is 'enumeration' or 'transfer', not '{method}'.")
    parts = split(action, blocks, rule)
    zeroth = parts.constant + parts.block_term()
    if method == "enumeration":
        log_mean = _enumerated(parts)
    else:
        log_mean = Chain(parts, width, 1 << parts.count).log_mean
    reach = 2.0 * sum(abs(value) for value in parts.inter.couplings.values())  # max K_1 - min K_1 at most
    if reach == 0.0:
        terms = np.zeros((order + 1, len(zeroth)))
        terms[0] = zeroth
        nothing = np.zeros_like(zeroth)
        series = CumulantSeries(terms, nothing, (np.inf, np.inf), np.zeros(order + 1), parts.lattice)
    else:
        radius = _radius(log_mean, reach)
        terms, rounding = _taylor(log_mean, _INSIDE * min(radius[0], _FAR), reach, order)
        terms[0], rounding[0] = zeroth, _EPSILON * np.abs(zeroth).max()
        series = CumulantSeries(terms, log_mean(1.0), radius, rounding, parts.lattice)
    _refuse(series, tolerance, allow_divergent)
    return series


def _enumerated(parts: Split) -> Callable[[complex | float], np.ndarray]:
    """t -> ln ⟨exp(t K_1)⟩_{b|x} of all coarse states, by the sum over the fine states."""
    check_enumerable(
        parts.action.size, "Use method='transfer' on rings, chains and strips.", most=20, passes=4000
    )
    levels, which = np.unique(parts.inter.values(), return_inverse=True)  # equal couplings: few levels

    def log_mean(t: complex | float) -> np.ndarray:
        shift = float(np.max(np.real(t) * levels))
        return np.log(contract(np.exp(t * levels - shift)[which], parts.conditionals)) + shift

    return log_mean


def _half_circle(log_mean: Callable, radius: float, points: int) -> Any:
    """f on the upper half circle from angle 0 to pi, with continuous phase, [points + 1, 2^n]."""
    angles = np.pi * np.arange(points + 1) / points
    with np.errstate(divide="ignore", invalid="ignore"):  # a zero on the circle
        values: Any = np.stack([log_mean(complex(radius * np.exp(1j * angle))) for angle in angles])
    return values.real + 1j * np.unwrap(values.imag, axis=0)


def _zero_free(log_mean: Callable, radius: float, reach: float) -> bool:
    """Whether no ⟨exp(t K_1)⟩ vanishes in |t| <= radius: the phase winds around the circle zero times."""
    points = 32
    while points <= _MOST_POINTS:
        if radius * reach < 2 * points:
            phase = _half_circle(log_mean, radius, points).imag
            if not np.isfinite(phase).all():
                return False
            if np.abs(np.diff(phase, axis=0)).max() < _STEP:
                return bool(np.abs(phase[-1] - phase[0]).max() < 1.0)  # a multiple of pi: half the circle
        points *= 2
    return False  # a zero within a percent of the circle, or a mean that is lost in rounding


def _radius(log_mean: Callable, reach: float) -> tuple[float, float]:
    """Bounds on the radius of convergence. No zero lies in |t| < pi/reach: all phases are within pi/2."""
    lower, upper = np.pi / reach, np.inf
    if lower < 1.0:  # the question that matters first
        lower, upper = (1.0 + 1e-9, upper) if _zero_free(log_mean, 1.0 + 1e-9, reach) else (lower, 1.0)
    while upper / lower > 1.1 and lower < _FAR:
        middle = 2.0 * lower if upper == np.inf else float(np.sqrt(lower * upper))
        if _zero_free(log_mean, middle, reach):
            lower = middle
        else:
            upper = middle
    return float(lower), float(upper)


def _taylor(log_mean: Callable, radius: float, reach: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """kappa_k/k! [order + 1, 2^n] from f on a circle, and the estimate of their rounding errors."""
    points = 64
    while points < 2 * order or points < radius * reach:
        points *= 2
    values = _half_circle(log_mean, radius, points)
    # f(conj t) = conj f(t): the lower half circle is the mirror image
    angles = np.pi * np.outer(np.arange(order + 1), np.arange(points + 1)) / points
    weights = np.full(points + 1, 1.0 / points)
    weights[[0, -1]] = 0.5 / points
    scale = radius ** -np.arange(order + 1.0)
    cosine, sine = np.cos(angles) * weights, np.sin(angles) * weights
    terms = (cosine @ values.real + sine @ values.imag) * scale[:, None]
    return terms, _EPSILON * np.abs(values).max() * scale


def _refuse(series: CumulantSeries, tolerance: float | int | None, allow_divergent: bool) -> None:
    change, error, rounding = series.changes[-1], series.errors[-1], series.rounding.max()
    report = f"At order {series.order} the last change is {change:.2g} and the error of K' {error:.2g}"
    if not series.converges and not allow_divergent:
        raise NumericalError(
            f"The cumulant series does not settle: its radius of convergence in the inter-block coupling is "
            f"{series.radius[0]:.3g} to {series.radius[1]:.3g}, below 1. {report}. Use block_exact or "
            "block_transfer; allow_divergent=True returns the low orders with these numbers."
        )
    if tolerance is not None and not max(change, error, rounding) <= tolerance:
        raise NumericalError(
            f"The cumulant series has not settled to {tolerance:g}. {report}; rounding is {rounding:.2g}. "
            "Take a higher order where the changes fall, or the exact K'."
        )
