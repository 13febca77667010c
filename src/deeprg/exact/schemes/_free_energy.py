"""The free energy that a scheme gives: constants summed along the flow, beside the exact one."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runs.errors import UsageError
from ._registry import find_scheme
from ._scheme import Scheme

__all__ = ["FreeEnergy", "free_energy"]


_DIVERGES = 1e3  # far above ln Z/N <= ln 2 + (bonds per site) |K| of any convergent sum


@dataclass(frozen=True)
class FreeEnergy:
    """ln Z per site at the couplings, by the scheme and exactly (None where that is not known).

    >>> FreeEnergy(np.array([0.4]), 0.9, 0.88).error.__round__(6)
    0.02
    """

    couplings: np.ndarray
    log_partition: float
    exact: float | None

    @property
    def error(self) -> float | None:
        """Scheme minus exact, nats per site; None where there is no exact value or no finite sum."""
        if self.exact is None or not math.isfinite(self.log_partition):
            return None
        return self.log_partition - self.exact


def free_energy(scheme: str | Scheme, couplings: Any, order: int | None = None) -> FreeEnergy:
    """ln Z per site from the constants of every step, ln Z/N = sum_n b^(-dn) g(K_n).

    g(K) is what one step adds per site before the step (`Scheme.constant`), K_n the couplings after n steps.
    Exact for the chain; infinite where the constants grow faster than b^d (Wilson's recursion in its ordered
    phase, K' ~ 2 K^2). Above the exact value with moved bonds (Migdal-Kadanoff), below it with the
    first-order cumulants, both by Jensen's inequality. The exact value is given where all couplings but the
    first are zero.

    Raises:
        UsageError: an unknown scheme or order, a vector of the wrong length, a scheme without constants
            (a fractional scale or dimension has none).

    >>> energy = free_energy("migdal-kadanoff", 0.4)
    >>> round(energy.log_partition, 6), round(energy.exact, 6)
    (1.054067, 0.879364)
    """
    scheme = find_scheme(scheme, order)
    if scheme.constant is None:
        raise UsageError(
            f"'{scheme.name}' with b = {scheme.scale:g}, d = {scheme.dimension:g} keeps no constants, "
            "so it has no ln Z; choose a whole b and d."
        )
    start = point = scheme.vector(couplings)
    shrink = scheme.scale**-scheme.dimension
    total, weight = 0.0, 1.0
    while True:
        step = weight * float(scheme.constant(point))
        total += step
        if abs(step) > _DIVERGES * (1 + np.abs(start).max()):
            total = math.inf
        if abs(step) < 1e-17 * abs(total):
            break
        weight *= shrink
        point = np.asarray(scheme.recursion(point))
    exact = None
    if scheme.log_partition is not None and not start[1:].any() and _covered(scheme, float(start[0])):
        exact = scheme.log_partition(float(start[0]))
    return FreeEnergy(start, total, exact)


def _covered(scheme: Scheme, coupling: float) -> bool:
    """Triangles frustrate an antiferromagnet, for which no exact value is kept here."""
    return math.isfinite(coupling) and (coupling >= 0 or scheme.lattice != "triangular")
