"""Fixed points of a scheme: bracketing for one coupling, Newton's method from many starts for several."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ...runs.errors import NumericalError
from ._registry import find_scheme
from ._scheme import Scheme
from ._stability import linearised, stability

__all__ = ["FixedPoint", "fixed_point", "fixed_points"]

_GRID = np.geomspace(1e-18, 1e4, 881)  # where the change of sign of K' - K is sought
_STARTS, _BOX, _STEPS = 9, 1.0, 60  # Newton starts per axis in [-1, 1]^n
_SAME = 1e-8


@dataclass(frozen=True)
class FixedPoint:
    """Couplings K* = K'(K*), the eigenvalues of the linearised step, and the number of relevant ones.

    `kind` is "high temperature" (K = 0), "zero temperature" (K = infinity), "critical" (one relevant
    eigenvalue, |lambda| > 1), "multicritical" (more) or "stable" (none).

    >>> [point.kind for point in fixed_points("wilson")]
    ['high temperature', 'critical']
    """

    couplings: np.ndarray
    eigenvalues: np.ndarray
    kind: str

    @property
    def relevant(self) -> int:
        """The number of eigenvalues with |lambda| > 1."""
        return int((np.abs(self.eigenvalues) > 1).sum())


def fixed_points(scheme: str | Scheme, order: int | None = None) -> tuple[FixedPoint, ...]:
    """Every fixed point found: K = 0 first, then the nontrivial ones, to 1e-12.

    One coupling: each change of sign of K' - K between 1e-18 and 1e4 (and its negative) is bracketed and
    refined by Brent's method. Several: Newton's method with the exact Jacobian from 9 starts per coupling in
    [-1, 1]. K = infinity is a fixed point of each of these schemes, and stable; it is listed only where it is
    the critical one (the chain).

    Raises:
        UsageError: an unknown scheme or order.

    >>> [point.couplings.round(5).tolist() for point in fixed_points("migdal-kadanoff")]
    [[0.0], [0.30469]]
    """
    return _search(find_scheme(scheme, order))


def fixed_point(scheme: str | Scheme, order: int | None = None) -> np.ndarray:
    """The critical fixed point K* [n] to 1e-12: the nontrivial one with exactly one relevant eigenvalue.

    The chain has none at finite K; its critical point is K = infinity, which is returned as inf.

    Raises:
        UsageError: an unknown scheme or order.
        NumericalError: no such point, or several (then `fixed_points` lists them).

    >>> fixed_point("niemeijer-van-leeuwen", order=2).round(4)
    array([ 0.2789, -0.0142, -0.0152])
    """
    scheme = find_scheme(scheme, order)
    critical = [point for point in _search(scheme) if point.kind in ("critical", "zero temperature")]
    ordering = [point for point in critical if point.couplings[0] > 0]
    if len(ordering) != 1:
        found = ", ".join(str(point.couplings.round(4).tolist()) for point in ordering)
        raise NumericalError(
            f"The scheme '{scheme.name}' has {len(ordering)} critical fixed points with K > 0"
            f"{f': {found}' if found else ''}; look at fixed_points(scheme)."
        )
    return ordering[0].couplings.copy()


@functools.lru_cache(maxsize=256)
def _search(scheme: Scheme) -> tuple[FixedPoint, ...]:
    count = len(scheme.couplings)
    roots = [np.zeros(count), *(_bracketed(scheme) if count == 1 else _newton(scheme))]
    points = []
    for root in roots:
        values = stability(scheme, root).eigenvalues
        relevant = int((np.abs(values) > 1).sum())
        kind = (
            {0: "stable", 1: "critical"}.get(relevant, "multicritical") if root.any() else "high temperature"
        )
        points.append(FixedPoint(root, values, kind))
    if scheme.cold is not None:
        infinity = np.full(count, np.inf)
        points.append(FixedPoint(infinity, stability(scheme, infinity).eigenvalues, "zero temperature"))
    return tuple(points)


def _bracketed(scheme: Scheme) -> list[np.ndarray]:
    def change(coupling: float) -> float:
        return float(scheme.recursion(np.array([coupling]))[0]) - coupling

    roots = []
    for grid in (_GRID, -_GRID):
        signs = np.sign([change(coupling) for coupling in grid])
        for i in np.flatnonzero(signs[:-1] * signs[1:] < 0):
            low, high = sorted((grid[i], grid[i + 1]))
            roots.append(np.array([brentq(change, low, high, xtol=1e-30, rtol=4 * np.finfo(np.float64).eps)]))
        roots += [np.array([coupling]) for coupling in grid[signs == 0]]
    return roots


def _newton(scheme: Scheme) -> list[np.ndarray]:
    count = len(scheme.couplings)
    axis = np.linspace(-_BOX, _BOX, _STARTS)
    ends = np.stack(np.meshgrid(*[axis] * count), -1).reshape(-1, count)
    for _ in range(_STEPS):
        images, slopes = linearised(scheme, ends)
        inverse = np.linalg.pinv(slopes - np.eye(count))
        ends = ends - np.einsum("mij,mj->mi", inverse, images - ends)
        ends[np.abs(ends).max(1) > 10 * _BOX] = 0.0  # lost: K = 0 is known
    ends = ends[np.abs(linearised(scheme, ends)[0] - ends).max(1) < 1e-13]
    roots: list[np.ndarray] = []
    for end in ends:
        if all(np.abs(end - root).max() > _SAME for root in (np.zeros(count), *roots)):
            roots.append(end)
    return sorted(roots, key=lambda root: float(np.abs(root).max()))
