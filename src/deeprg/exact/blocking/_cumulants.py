"""K' by cumulants of the inter-block part to any order, with the radius of convergence of the series."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lattice import Lattice
from ...runs.errors import NumericalError, UsageError
from ..couplings import TruncationWarning
from ._action import ActionLike, SpinAction
from ._radius import LogMean, levelled, radius_bounds
from ._split import BlockLike, RuleLike, Split, split
from ._states import check_enumerable, contract
from ._transfer import Chain

__all__ = ["CumulantSeries", "block_cumulants"]

_LARGEST_CONTOUR = 4.8
_INSIDE = 0.6  # the contour's share of the radius
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class CumulantSeries:
    """K'(x) = n ln Z_b + sum_i ln p_b(x_i) + sum_k kappa_k[K_1|x]/k!, term by term (eq:blk-series).

    `terms` [order + 1, 2^n]: row 0 the blocks alone, row k the term kappa_k/k!; `interaction` [2^n] the
    exact ln ⟨exp K_1⟩_{b|x} that the rows from 1 sum to (eq:blk-terms); `radius` bounds from below and above
    on the radius of convergence in t of ln ⟨exp(t K_1)⟩, the smallest over x, the series being summed at
    t = 1: infinity above where no zero was found; `rounding` [order + 1] an estimate of the rounding error of
    every term.
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
    def diverges(self) -> bool:
        """Whether it is known to diverge for some coarse state; neither is known where bounds enclose 1."""
        return self.radius[1] < 1.0

    @property
    def exact(self) -> np.ndarray:
        """K' without truncation, [2^n]."""
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
    """The cumulant expansion of K' to any order (eq:blk-series), for all coarse states.

    kappa_k/k! is the Taylor coefficient of f(t) = ln ⟨exp(t K_1)⟩_{b|x} at t = 0, found by Cauchy's formula
    on a circle |t| = r inside the radius of convergence R, (1/M) sum_m f(r w^m) w^(-mk) / r^k: its rounding
    error is eps max|f| / r^k, whereas the recursion from moments loses digits at every order. R is the
    modulus of the smallest zero of ⟨exp(t K_1)⟩, an entire function; the phase winds around a circle once
    for every zero inside. `radius` bounds R by the circles on which the phase could be followed; close to a
    zero, or where the mean drowns in rounding, it cannot, and the gap between the bounds is wider.

    `method` "enumeration" sums over the fine states (20 spins at most); "transfer" uses transfer matrices
    over groups of `width` blocks. Raises `NumericalError` when R < 1, unless `allow_divergent` (low orders
    can still be useful there: the result carries `converges`, `changes` and `errors`), and when `tolerance`
    is given and the last change, the error or the rounding exceed it; warns (`TruncationWarning`) when the
    bounds enclose 1, unless either is given. `UsageError` for an order < 1 and as `block_exact` does.

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
        followed = levelled(parts) or log_mean
    else:
        log_mean = followed = Chain(parts, width, 1 << parts.count).log_mean
    reach = 2.0 * sum(abs(value) for value in parts.inter.couplings.values())  # max K_1 - min K_1 at most
    if reach == 0.0:
        terms = np.zeros((order + 1, len(zeroth)))
        terms[0] = zeroth
        nothing = np.zeros_like(zeroth)
        series = CumulantSeries(terms, nothing, (np.inf, np.inf), np.zeros(order + 1), parts.lattice)
    else:
        radius = radius_bounds(followed, reach)
        terms, rounding = _taylor(log_mean, min(_INSIDE * radius[0], _LARGEST_CONTOUR), reach, order)
        terms[0], rounding[0] = zeroth, _EPSILON * np.abs(zeroth).max()
        series = CumulantSeries(terms, log_mean(1.0), radius, rounding, parts.lattice)
    _judge(series, tolerance, allow_divergent)
    return series


def _enumerated(parts: Split) -> LogMean:
    """t -> ln ⟨exp(t K_1)⟩_{b|x} of all coarse states, by the sum over the fine states."""
    check_enumerable(
        parts.action.size, "Use method='transfer' on rings, chains and strips.", most=20, passes=4000
    )
    levels, which = np.unique(parts.inter.values(), return_inverse=True)  # equal couplings: few levels

    def log_mean(t: complex | float) -> np.ndarray:
        shift = float(np.max(np.real(t) * levels))
        return np.log(contract(np.exp(t * levels - shift)[which], parts.conditionals)) + shift

    return log_mean


def _half_circle(log_mean: LogMean, radius: float, points: int) -> Any:
    """f on the upper half circle from angle 0 to pi, with continuous phase, [points + 1, 2^n]."""
    angles = np.pi * np.arange(points + 1) / points
    values: Any = np.stack([log_mean(complex(radius * np.exp(1j * angle))) for angle in angles])
    return values.real + 1j * np.unwrap(values.imag, axis=0)


def _taylor(log_mean: LogMean, radius: float, reach: float, order: int) -> tuple[np.ndarray, np.ndarray]:
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


def _judge(series: CumulantSeries, tolerance: float | int | None, allow_divergent: bool) -> None:
    """Refuse what is known to diverge or misses the tolerance; warn where neither bound decides."""
    change, error, rounding = series.changes[-1], series.errors[-1], series.rounding.max()
    if not np.isfinite([change, error]).all():
        raise NumericalError(
            "The means ⟨exp(t K_1)⟩ underflow in double precision: the couplings are too strong for the "
            "series. Use block_exact or block_transfer."
        )
    report = f"At order {series.order} the last change is {change:.2g} and the error of K' {error:.2g}"
    bounds = f"{series.radius[0]:.3g} to {series.radius[1]:.3g}"
    if series.diverges and not allow_divergent:
        raise NumericalError(
            f"The cumulant series does not settle: its radius of convergence in the inter-block coupling is "
            f"{bounds}, below 1. {report}. Use block_exact or block_transfer; allow_divergent=True returns "
            "the low orders with these numbers."
        )
    if tolerance is not None and not max(change, error, rounding) <= tolerance:
        raise NumericalError(
            f"The cumulant series has not settled to {tolerance:g}. {report}; rounding is {rounding:.2g}. "
            "Take a higher order where the changes fall, or the exact K'."
        )
    if tolerance is None and not (series.converges or series.diverges or allow_divergent):
        warnings.warn(
            f"Whether the cumulant series settles is not known: its radius of convergence is {bounds}, and "
            f"must be above 1. {report}. Look at `errors`, or use block_exact or block_transfer.",
            TruncationWarning,
            stacklevel=3,
        )
