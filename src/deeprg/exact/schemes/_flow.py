"""Flows of the couplings, the phase they end in, and the critical coupling on the axis."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...runs.errors import NumericalError, UsageError
from ._fixed_points import fixed_point, fixed_points
from ._registry import find_scheme
from ._scheme import LARGEST, Scheme

__all__ = ["critical_coupling", "flow", "phase"]

_LARGE, _SMALL = 30.0, 1e-3  # couplings beyond the first are frozen, all below the second free
_PATIENCE = 100_000


def flow(scheme: str | Scheme, start: Any, steps: int = 20, order: int | None = None) -> np.ndarray:
    """The couplings after 0, 1, ... steps, [<= steps + 1, n].

    The list ends early where a step changes nothing any more, and after the first row with a coupling
    beyond 1e6: the low-temperature sink.

    Raises:
        UsageError: an unknown scheme or order, a start of the wrong length, steps below 0 or above 100 000.

    >>> flow("decimation-1d", 1.0, steps=3).round(4)[:, 0]
    array([1.    , 0.6625, 0.3501, 0.1137])
    """
    scheme = find_scheme(scheme, order)
    if not 0 <= steps <= _PATIENCE:
        raise UsageError(f"steps = {steps} must not be negative, nor above {_PATIENCE}.")
    return np.stack(list(itertools.islice(_walk(scheme, start), steps + 1)))


def phase(scheme: str | Scheme, couplings: Any, order: int | None = None) -> str:
    """Where the flow from the couplings ends: "disordered" (K = 0), "ordered" (|K| large) or "critical".

    "critical" means that the flow stays at a fixed point, or went nowhere within 100 000 steps.

    Raises:
        UsageError: an unknown scheme or order, a vector of the wrong length.

    >>> phase("wilson", [0.38, 0.0]), phase("wilson", [0.40, 0.0])
    ('disordered', 'ordered')
    """
    scheme = find_scheme(scheme, order)
    sizes = [np.abs(point.couplings).max() for point in fixed_points(scheme)]
    between = [
        size for size in sizes if 0 < size < math.inf
    ]  # K* is tiny in high d, large in d = 1 + epsilon
    large, small = _LARGE * max([1.0, *between]), _SMALL * min([1.0, *between])
    for point in itertools.islice(_walk(scheme, couplings), _PATIENCE):
        size = np.abs(point).max()
        if size > large:
            return "ordered"
        if size < small:
            return "disordered"
    return "critical"


def critical_coupling(
    scheme: str | Scheme,
    order: int | None = None,
    others: Sequence[float | int] | np.ndarray | None = None,
    *,
    tolerance: float | int = 0.0,
) -> float:
    """The nearest-neighbour coupling on the critical surface, the other couplings being zero (or `others`).

    One coupling: K*. Several: bisection on the flow, which runs to K = 0 below and to |K| = infinity above,
    to the `tolerance` or the last bit; this, not K* itself, is to be compared with the model's K_c. inf for
    the chain.

    Args:
        scheme: a name of `SCHEMES`, or a `Scheme`.
        order: that of the expansion.
        others: the values of all couplings but the first, [n - 1].
        tolerance: where the bisection may stop.

    Raises:
        UsageError: an unknown scheme or order, others of the wrong length.
        NumericalError: no change of phase between K = 0 and 8 K*.

    >>> round(critical_coupling("wilson"), 5), round(critical_coupling("niemeijer-van-leeuwen", order=2), 5)
    (0.39209, 0.25748)
    """
    scheme = find_scheme(scheme, order)
    fixed = fixed_point(scheme)
    rest = np.zeros(fixed.size - 1) if others is None else np.asarray(others, np.float64)
    if rest.shape != (fixed.size - 1,):
        raise UsageError(
            f"others has shape {rest.shape}, but '{scheme.name}' has {fixed.size - 1} other couplings."
        )
    if fixed.size == 1:
        return float(fixed[0])

    def ordered(coupling: float) -> bool:
        return phase(scheme, [coupling, *rest]) == "ordered"

    low, high = 0.0, 8 * float(fixed[0])
    if ordered(low) or not ordered(high):
        raise NumericalError(
            f"No change of phase between K = 0 and {high:.3g} with the other couplings at {rest.tolist()}; "
            "choose them closer to zero."
        )
    while (middle := (low + high) / 2) not in (low, high) and high - low > tolerance:
        low, high = (low, middle) if ordered(middle) else (middle, high)
    return middle


def _walk(scheme: Scheme, start: Any) -> Iterator[np.ndarray]:
    point = scheme.vector(start)
    yield point
    while np.abs(point).max() < LARGEST:
        point, last = np.asarray(scheme.recursion(point)), point
        yield point
        if np.array_equal(point, last):
            return
