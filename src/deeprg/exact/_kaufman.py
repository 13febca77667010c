"""The nearest-neighbour Ising model without field on finite periodic lattices: torus (Kaufman) and ring."""

import math
from dataclasses import dataclass

import numpy as np

from ..runs.errors import UsageError
from ._jet import Jet

__all__ = ["IsingExact", "ising_chain", "kaufman"]

_COLDEST = 80.0  # above this J/T excitations weigh less than exp(-320) and the ground state is exact
_HOTTEST = 1e-100  # below this J/T nothing changes to double precision


@dataclass(frozen=True)
class IsingExact:
    """Exact thermodynamics of an Ising model of N spins.

    log_partition is ln Z; free_energy_per_site is -ln Z / N, dimensionless; energy_per_site has
    the units of the coupling; specific_heat is per site with k = 1, d(energy_per_site)/dT.
    """

    log_partition: float
    free_energy_per_site: float
    energy_per_site: float
    specific_heat: float


def kaufman(shape: tuple[int, int], temperature: float, coupling: float = 1.0) -> IsingExact:
    """The exact solution of the 2D Ising model on an L1 x L2 torus, at any temperature.

    With K = coupling/T, m >= n the extents, cosh g_r = cosh(2K) coth(2K) - cos(pi r / n) and the signed
    g_0 = 2K + ln tanh K,

    Z = 1/2 (2 sinh 2K)^(mn/2) [prod 2 cosh(m g_odd/2) + prod 2 sinh(m g_odd/2)
                                + prod 2 cosh(m g_even/2) + prod 2 sinh(m g_even/2)]

    (B. Kaufman, Phys. Rev. 76, 1232 (1949)). Products are summed as logarithms in a form that is regular at
    T_c and at high temperature; energy and specific heat are analytic derivatives. Absolute errors stay near
    1e-13 per site. An extent of 2 has double bonds, an extent of 1 bonds from a site to itself.

    Raises `UsageError` for a shape that is not two extents of at least 1, a temperature that is not positive,
    and a negative (antiferromagnetic) coupling with an odd extent, which frustrates.

    >>> exact = kaufman((4, 4), temperature=2.269185314213022)
    >>> round(exact.log_partition, 9), round(exact.energy_per_site, 9), round(exact.specific_heat, 9)
    (15.521915459, -1.565623788, 0.783266826)
    """
    if len(shape) != 2:
        raise UsageError(f"Kaufman's formula needs two extents, not {tuple(shape)}; in 1D use ising_chain.")
    bond = _bond(shape, temperature, coupling)
    size = shape[0] * shape[1]
    if bond == 0 or bond > _COLDEST:
        return _limit(bond, size, 2, coupling)
    return _assemble(_log_torus(min(shape), max(shape), bond), bond, size, coupling)


def ising_chain(length: int, temperature: float, coupling: float = 1.0) -> IsingExact:
    """The exact solution of the 1D Ising model on a ring of N spins.

    ln Z = ln[(2 cosh K)^N + (2 sinh K)^N] with K = coupling/T. Raises `UsageError` as `kaufman` does.

    >>> round(ising_chain(4, temperature=1.0).log_partition, 9)
    4.797713747
    """
    bond = _bond((length,), temperature, coupling)
    if bond == 0 or bond > _COLDEST:
        return _limit(bond, length, 1, coupling)
    shrink = math.exp(-2 * bond)
    tanh = -math.expm1(-2 * bond) / (1 + shrink)
    slope = 4 * shrink / (1 + shrink) ** 2
    loop = Jet(tanh, slope, -2 * tanh * slope).power(float(length)).log1p()  # ln(1 + tanh^N K)
    log_cosh = Jet(length * (bond + math.log1p(shrink)), length * tanh, length * slope)
    return _assemble(log_cosh.plus(loop), bond, length, coupling)


def _log_torus(n: int, m: int, bond: float) -> Jet:
    """ln Z as a jet in K, from the six exponentials that Kaufman's four products consist of (n <= m)."""
    angles = np.pi * np.arange(2 * n) / n
    cosines, squares = np.cos(angles), np.sin(angles / 2) ** 2
    sinh = Jet(math.sinh(2 * bond), 2 * math.cosh(2 * bond), 4 * math.sinh(2 * bond))
    one_minus = Jet(1 - sinh.value, -sinh.first, -sinh.second)
    # a = 1 + s^2 - s cos(angle) = s cosh g, b = s sinh g = sqrt((a - s)(a + s)), exp(g) = (a + b)/s
    minus = one_minus.times(one_minus).plus(sinh.scale(2 * squares))
    plus = sinh.times(sinh).plus(1.0).plus(sinh.scale(1 - cosines))
    keep = np.arange(2 * n) > 0
    minus, plus = minus.take(keep), plus.take(keep)
    root = minus.times(plus).power(0.5)
    total = minus.plus(plus).scale(0.5).plus(root)
    growth = total.scale(2.0).log().scale(m / 2)  # ln of (2 s exp g)^(m/2)
    decay = sinh.times(total.power(-1.0)).power(float(m))  # exp(-m g)
    odd = np.arange(1, 2 * n) % 2 == 1

    def product(sign: float, sector: np.ndarray) -> Jet:
        return growth.plus(decay.scale(sign).log1p()).take(sector).sum()

    # r = 0: (2 s)^(m/2) (exp(m g_0/2) ± exp(-m g_0/2)) = (exp(2K) - 1)^m ± (1 + exp(-2K))^m
    up = math.exp(2 * bond)
    rising = Jet(math.expm1(2 * bond), 2 * up, 4 * up).log().scale(float(m))
    falling = Jet(1 + 1 / up, -2 / up, 4 / up).log().scale(float(m))
    even_cosh, even_sinh = product(1.0, ~odd), product(-1.0, ~odd)
    terms = [
        (1.0, product(1.0, odd)),
        (1.0, product(-1.0, odd)),
        (1.0, even_cosh.plus(rising)),
        (1.0, even_cosh.plus(falling)),
        (1.0, even_sinh.plus(rising)),
        (-1.0, even_sinh.plus(falling)),
    ]
    return _log_sum(terms).plus(-math.log(2))


def _log_sum(terms: list[tuple[float, Jet]]) -> Jet:
    """ln of a sum of signed exponentials exp(jet), with derivatives taken about the first term's."""
    pivot = terms[0][1]
    weights = np.array([sign * np.exp(jet.value - pivot.value) for sign, jet in terms])
    first = np.array([jet.first - pivot.first for _, jet in terms])
    second = np.array([jet.second - pivot.second for _, jet in terms])
    norm = weights.sum()
    mean = (weights * first).sum() / norm
    curvature = (weights * (second + first**2)).sum() / norm - mean**2
    return Jet(pivot.value + np.log(norm), pivot.first + mean, pivot.second + curvature)


def _bond(shape: tuple[int, ...], temperature: float, coupling: float) -> float:
    if any(extent < 1 for extent in shape):
        raise UsageError(f"Extents must be at least 1, but the shape is {tuple(shape)}.")
    if not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(f"The temperature must be positive and finite, not {temperature}.")
    if not math.isfinite(coupling):
        raise UsageError(f"The coupling must be finite, not {coupling}.")
    if coupling < 0 and any(extent % 2 for extent in shape):
        raise UsageError(
            f"An antiferromagnet (coupling {coupling:g}) is frustrated on the odd extents of {tuple(shape)}; "
            "use even extents, or enumerate_states on a small lattice."
        )
    if coupling == 0:
        return 0.0
    bond = max(abs(coupling) / temperature, _HOTTEST)
    if not math.isfinite(bond):
        raise UsageError(f"The temperature {temperature} is too low: coupling / temperature overflows.")
    return bond


def _assemble(log_partition: Jet, bond: float, size: int, coupling: float) -> IsingExact:
    value = float(log_partition.value)
    return IsingExact(
        log_partition=value,
        free_energy_per_site=-value / size,
        energy_per_site=-abs(coupling) * float(log_partition.first) / size,
        specific_heat=max(bond**2 * float(log_partition.second) / size, 0.0),  # rounding at low T
    )


def _limit(bond: float, size: int, ndim: int, coupling: float) -> IsingExact:
    """No coupling, or only the two ground states."""
    states = size * math.log(2) if bond == 0 else math.log(2)
    value = states + ndim * size * bond
    return IsingExact(value, -value / size, -ndim * abs(coupling), 0.0)
