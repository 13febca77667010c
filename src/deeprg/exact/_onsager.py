"""The 2D Ising model in the thermodynamic limit."""

import math
from dataclasses import dataclass

from scipy.integrate import quad
from scipy.special import ellipe, ellipkm1

from ..hamiltonians import CRITICAL_TEMPERATURE
from ..runs.errors import UsageError
from ._kaufman import kaufman

__all__ = ["OnsagerExact", "onsager"]

_HOT = (
    20.0  # where a 32 x 32 torus differs from the bulk by tanh(1/T)^32 < 1e-41, and elliptic integrals cancel
)


@dataclass(frozen=True)
class OnsagerExact:
    """Bulk thermodynamics of the square-lattice Ising model per site, J = 1, k = 1.

    free_energy_per_site is -ln Z / N, dimensionless; magnetization is the spontaneous one.
    """

    free_energy_per_site: float
    energy_per_site: float
    specific_heat: float
    magnetization: float


def onsager(temperature: float) -> OnsagerExact:
    """Onsager's solution of the infinite square-lattice Ising model with J = 1 and no field.

    With K = 1/T and k = 2 sinh(2K)/cosh(2K)^2,

    ln Z/N = ln(2 cosh 2K) + (1/pi) int_0^(pi/2) ln[(1 + sqrt(1 - k^2 sin^2 phi))/2] dphi;

    energy and specific heat by complete elliptic integrals (L. Onsager, Phys. Rev. 65, 117 (1944));
    magnetization (1 - sinh(2K)^-4)^(1/8) below T_c (C. N. Yang, Phys. Rev. 85, 808 (1952)). The specific heat
    is infinite at T_c. Raises `UsageError` for a temperature that is not positive.

    >>> bulk = onsager(CRITICAL_TEMPERATURE)
    >>> round(bulk.free_energy_per_site, 12), round(bulk.energy_per_site, 12), bulk.specific_heat
    (-0.929695398342, -1.414213562373, inf)
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(f"The temperature must be positive and finite, not {temperature}.")
    if temperature > _HOT:
        torus = kaufman((32, 32), temperature)
        return OnsagerExact(torus.free_energy_per_site, torus.energy_per_site, torus.specific_heat, 0.0)
    bond = 1 / temperature
    shrink = math.exp(-4 * bond)
    tanh = -math.expm1(-4 * bond) / (1 + shrink)
    sech = 2 * math.exp(-2 * bond) / (1 + shrink)
    complement = 2 * tanh**2 - 1  # k^2 + complement^2 = 1
    critical = abs(temperature / CRITICAL_TEMPERATURE - 1) < 1e-15

    def integrand(angle: float) -> float:
        # 1 - k^2 sin^2 as a sum of squares, precise next to T_c
        root = math.sqrt(math.cos(angle) ** 2 + (complement * math.sin(angle)) ** 2)
        return math.log1p(0.5 * (root - 1))

    # next to T_c the root bends within |complement| of pi/2: let the quadrature split there
    bend = max(math.pi / 2 - 10 * abs(complement), 0.0)
    integral = sum(
        quad(integrand, a, b, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
        for a, b in ((0.0, bend), (bend, math.pi / 2))
        if b > a
    )
    log_partition = 2 * bond + math.log1p(shrink) + integral / math.pi
    if critical:
        return OnsagerExact(-log_partition, -math.sqrt(2), math.inf, 0.0)
    first = float(ellipkm1(complement**2))
    second = float(ellipe(1 - complement**2))
    energy = -(1 + 2 / math.pi * complement * first) / tanh
    bracket = first - second - sech**2 * (math.pi / 2 + complement * first)
    specific_heat = 4 / math.pi * (bond / tanh) ** 2 * bracket
    magnetization = 0.0
    if temperature < CRITICAL_TEMPERATURE:
        inverse_sinh = 2 * math.exp(-2 * bond) / -math.expm1(-4 * bond)
        magnetization = (1 - inverse_sinh**4) ** 0.125
    return OnsagerExact(-log_partition, energy, specific_heat, magnetization)
