"""Rings of planar spins and of phi^4, solved by the eigenvalues of their transfer operators."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ..hamiltonians import XY, Phi4
from ..lattice import Lattice
from ..runs.errors import UsageError

__all__ = ["Phi4RingExact", "XYRingExact", "phi4_ring", "xy_ring"]

_MOST_POINTS = 2000


@dataclass(frozen=True)
class XYRingExact:
    """Exact moments of planar spins on a ring; energies in units of the coupling, correlation G(r) [N]."""

    log_partition: float
    energy_per_site: float
    specific_heat: float
    magnetization_squared: float
    helicity_modulus: float
    correlation: np.ndarray


def xy_ring(length: int, temperature: float | int, coupling: float | int = 1.0) -> XYRingExact:
    """Planar spins on a ring of N sites: Z = (2 pi)^N sum_n I_n(K)^N over all integers n, K = coupling/T.

    G(r) = sum_n I_n^(N-r) I_{n+1}^r / sum_n I_n^N; the helicity modulus is T N ⟨n^2⟩. Raises `UsageError` for
    a length below 1 and a temperature that is not positive.

    >>> exact = xy_ring(2, temperature=1.0)  # a double bond: -I_1(2)/I_0(2) per bond
    >>> round(exact.energy_per_site, 9)
    -0.697774658
    """
    model = XY(Lattice((length,)), temperature, coupling)
    bond = model.coupling / model.temperature
    if bond == 0:
        uncorrelated = np.eye(1, length)[0]
        return XYRingExact(length * math.log(2 * math.pi), 0.0, 0.0, 1 / length, 0.0, uncorrelated)
    cut = int(math.sqrt(80 * abs(bond))) + 20
    orders = np.arange(-cut, cut + 1)
    bessel = special.ive(np.abs(orders), abs(bond))
    orders, kept = orders[bessel > 0], bessel[bessel > 0]
    signs = (-1.0) ** (orders * length) if bond < 0 else np.ones(len(orders))
    weights = signs * np.exp(length * (np.log(kept) - np.log(kept.max())))
    norm = weights.sum()
    weights /= norm

    def ratio(shift: int) -> np.ndarray:  # I_{n+shift}/I_n of |K|
        return special.ive(np.abs(orders + shift), abs(bond)) / kept

    slope = 0.5 * (ratio(1) + ratio(-1))
    curvature = 0.25 * (ratio(2) + 2 + ratio(-2))
    first = float(weights @ slope)  # d ln Z/d|K| / N
    second = float(weights @ ((length - 1) * slope**2 + curvature)) - length * first**2
    distance = np.arange(length)
    alternating = (-1.0) ** distance if bond < 0 else np.ones(length)
    here, there = (np.log(np.maximum(values / kept.max(), 1e-300)) for values in (kept, ratio(1) * kept))
    terms = np.exp(np.multiply.outer(here, length - distance) + np.multiply.outer(there, distance))
    correlation = alternating * (signs @ terms) / norm
    log_norm = math.log(norm) + length * math.log(kept.max())
    return XYRingExact(
        length * (math.log(2 * math.pi) + abs(bond)) + log_norm,
        -abs(model.coupling) * first,
        bond**2 * second,
        float(correlation.mean()),
        model.temperature * length * float(weights @ orders.astype(float) ** 2),
        correlation,
    )


@dataclass(frozen=True)
class Phi4RingExact:
    """Exact moments of phi^4 on a ring of N sites; correlation is G(r) = ⟨phi_i phi_{i+r}⟩, [N]."""

    log_partition: float
    magnetization: float
    magnetization_squared: float
    field_squared: float
    action_per_site: float
    correlation: np.ndarray


def phi4_ring(length: int, mass_squared: float | int, quartic: float | int) -> Phi4RingExact:
    """The phi^4 action of `Phi4` on a ring, by the transfer operator exp(-(phi - phi')^2 - (V + V')/2).

    The operator is diagonalised on a uniform grid, on which the trapezoidal rule converges exponentially;
    ⟨S⟩/N = 1/2 - lambda ⟨phi^4⟩ because the measure scales. Errors are near 1e-12. Raises `UsageError` for a
    length below 1, a quartic that is not positive, and wells too narrow for 2000 grid points.

    >>> exact = phi4_ring(4, mass_squared=-1.0, quartic=0.5)
    >>> round(exact.field_squared, 9), round(exact.action_per_site, 9)
    (0.701387824, 0.052073793)
    """
    model = Phi4(Lattice((length,)), mass_squared, quartic)
    if model.quartic <= 0:
        raise UsageError("The ring of phi^4 needs a positive quartic; without one use free_field.")
    grid, spacing = _grid(model.mass_squared, model.quartic)
    potential = grid**2 * (model.mass_squared + model.quartic * grid**2)
    lowest = potential.min()
    half = np.exp(-0.5 * (potential - lowest))
    kernel = half[:, None] * np.exp(-((grid[:, None] - grid) ** 2)) * half * spacing
    values, vectors = np.linalg.eigh(kernel)
    keep = values > 1e-15 * values[-1]
    relative, vectors = values[keep] / values[-1], vectors[:, keep]
    weights = relative**length
    norm = weights.sum()
    density = vectors**2 @ weights / norm
    elements = (vectors.T @ (grid[:, None] * vectors)) ** 2
    correlation = np.array([relative ** (length - r) @ elements @ relative**r for r in range(length)]) / norm
    return Phi4RingExact(
        length * (math.log(values[-1]) - float(lowest)) + math.log(norm),
        0.0,
        float(correlation.mean()),
        float(density @ grid**2),
        0.5 - model.quartic * float(density @ grid**4),
        correlation,
    )


def _grid(mass_squared: float, quartic: float) -> tuple[np.ndarray, float]:
    """Points up to where exp(-V) is 1e-35 of its maximum, dense enough for the narrowest feature."""
    depth = mass_squared**2 / (4 * quartic) if mass_squared < 0 else 0.0
    reach = (-mass_squared + math.sqrt(mass_squared**2 + 4 * quartic * (80 - depth))) / (2 * quartic)
    typical = (abs(mass_squared) + math.sqrt(40 * quartic)) / (2 * quartic)
    width = 1 / math.sqrt(4 + 2 * abs(mass_squared) + 12 * quartic * typical)
    edge = math.sqrt(reach)
    count = 2 * math.ceil(edge / (0.4 * width)) + 1
    if count > _MOST_POINTS:
        raise UsageError(
            f"The wells of mass_squared {mass_squared:g}, quartic {quartic:g} are too narrow for the grid of "
            f"{_MOST_POINTS} points."
        )
    grid = np.linspace(-edge, edge, count)
    return grid, float(grid[1] - grid[0])
