"""Where the models are critical, how well that is known, and with which exponents."""

import math
from typing import NamedTuple

from ..runs.errors import UsageError
from ._abstract_dual import AbstractDual
from ._base import AbstractHamiltonian, finite
from ._dimers import Dimers
from ._ising import Ising, critical_temperature
from ._phi4 import Phi4
from ._potts import Potts
from ._random_bond import RandomBondIsing
from ._xy import XY

__all__ = ["CriticalPoint", "critical_point", "nishimori_temperature"]

_NISHIMORI, _NISHIMORI_ERROR = 0.10919, 7e-5  # fraction of antiferromagnetic bonds, square lattice


class CriticalPoint(NamedTuple):
    """A transition of the infinite lattice: `parameter` = `value` ± `error` (None when exact or unknown).

    `exponents` has nu, eta, beta, y_T = 1/nu and y_H where they are known (y1, y2 at a multicritical point);
    `kind` is "second order", "first order", "Kosterlitz-Thouless" or "multicritical".

    >>> from deeprg.lattice import Lattice
    >>> point = critical_point(Potts(Lattice((8, 8)), temperature=1.0, states=3))
    >>> round(point.value, 6), point.exponents["nu"].__round__(6)
    (0.994973, 0.833333)
    """

    parameter: str
    value: float
    error: float | None
    exponents: dict[str, float]
    source: str
    kind: str = "second order"


def critical_point(hamiltonian: AbstractHamiltonian) -> CriticalPoint | None:
    """The critical point of a Hamiltonian's family at its other parameters, or None where none is known.

    - Ising without field, coupling J (also J < 0 on even extents): square T = 2 J/ln(1 + sqrt 2), exact;
      triangular T = 4 J/ln 3, exact; cubic K = 0.221654626(5), arXiv:1806.03558, exponents of the bootstrap,
      arXiv:2411.15300. The dual has the spins' value.
    - Potts, square lattice: T = J/ln(1 + sqrt q), exact; second order for q <= 4 (logarithms at q = 4), first
      order above; q = 2 in 3D is Ising's.
    - XY, square lattice: K = 1.1199(1), Kosterlitz-Thouless, Phys. Rev. B 78 (arXiv:0804.1880).
    - phi^4 on the square lattice at m2 = -4: quartic about 4.25 (Monte Carlo; no error is stated). The
      continuum's lambda/mu_c^2 = 11.1097(22) (arXiv:2512.16536) of S = sum (d Phi)^2/2 + mu0^2 Phi^2/2 +
      lambda Phi^4/4, which is this action with m2 = mu0^2 and the same lambda, refers to the renormalised
      mass and to lambda -> 0, so it gives no number at a fixed m2.
    - Dimers: T = 0.65(1) |v| for v < 0, Kosterlitz-Thouless, Phys. Rev. Lett. 94, 235702.
    - ±J bonds, square lattice, antiferromagnetic fraction 0.1092: T = 0.9528(4) at the Nishimori point
      p = 0.10919(7), arXiv:0803.0444; cubic, half: T = 1.1019(29), Baity-Jesi et al.,
      Phys. Rev. B 88, 224416 (2013).

    Values scale with the coupling.

    >>> from deeprg.lattice import Lattice
    >>> round(critical_point(Ising.triangular(Lattice((6, 6)), temperature=1.0)).value, 6)
    3.640957
    """
    match hamiltonian:
        case AbstractDual():
            return critical_point(hamiltonian.spins)
        case Ising():
            return _ising(hamiltonian)
        case Potts():
            return _potts(hamiltonian)
        case XY() if hamiltonian.lattice.ndim == 2 and hamiltonian.coupling != 0:
            coupling = abs(hamiltonian.coupling)
            error = coupling * 1e-4 / 1.1199**2
            source = "Monte Carlo, K = 1.1199(1), arXiv:0804.1880"
            kind = "Kosterlitz-Thouless"
            return CriticalPoint("temperature", coupling / 1.1199, error, {"eta": 0.25}, source, kind)
        case Phi4() if hamiltonian.lattice.ndim == 2 and hamiltonian.mass_squared == -4:
            source = "Monte Carlo at m2 = -4, about"
            return CriticalPoint("quartic", 4.25, None, _exponents(2, 1.0, 15 / 8), source)
        case Dimers() if hamiltonian.interaction < 0:
            strength = -hamiltonian.interaction
            source = "Monte Carlo, Phys. Rev. Lett. 94, 235702 (2005)"
            kind = "Kosterlitz-Thouless"
            return CriticalPoint("temperature", 0.65 * strength, 0.01 * strength, {"eta": 0.25}, source, kind)
        case RandomBondIsing():
            return _plus_minus(hamiltonian)
        case _:
            return None


def nishimori_temperature(antiferro: float | int) -> float:
    """The temperature of the Nishimori line of the ±J model, tanh(1/T) = 1 - 2p.

    p is the fraction of antiferromagnetic bonds, J = 1. There the energy per bond, averaged over the
    disorder, is exactly -tanh(1/T) = -(1 - 2p) on any lattice (H. Nishimori,
    Prog. Theor. Phys. 66, 1169 (1981)). Raises `UsageError` unless 0 < p < 1/2.

    >>> round(nishimori_temperature(0.10919), 4)
    0.9528
    """
    antiferro = finite("fraction of antiferromagnetic bonds", antiferro)
    if not 0 < antiferro < 0.5:
        raise UsageError(f"The Nishimori line needs a fraction between 0 and 1/2, not {antiferro}.")
    return 2 / math.log((1 - antiferro) / antiferro)


def _exponents(ndim: int, thermal: float, magnetic: float) -> dict[str, float]:
    return {
        "nu": 1 / thermal,
        "eta": ndim + 2 - 2 * magnetic,
        "beta": (ndim - magnetic) / thermal,
        "y_T": thermal,
        "y_H": magnetic,
    }


def _ising_class(ndim: int) -> dict[str, float]:
    return _exponents(2, 1.0, 15 / 8) if ndim == 2 else _exponents(3, 1.58737472, 2.48185119)


def _ising(model: Ising) -> CriticalPoint | None:
    ndim = model.lattice.ndim
    if model.field != 0 or ndim == 1:
        return None
    if model.geometry == "triangular":
        coupling = model.steps[0][1] * model.temperature
        if coupling <= 0:
            return None
        return CriticalPoint(
            "temperature", 4 * coupling / math.log(3), None, _ising_class(2), "exact, T = 4/ln 3"
        )
    coupling = model.coupling
    if not coupling or (coupling < 0 and any(extent % 2 for extent in model.lattice.shape)):
        return None
    return _hypercubic(model, abs(coupling))


def _hypercubic(model: Ising | Potts, strength: float) -> CriticalPoint:
    ndim, value = model.lattice.ndim, critical_temperature(model.lattice) * strength
    if ndim == 2:
        return CriticalPoint("temperature", value, None, _ising_class(2), "exact, Onsager 1944")
    error = value**2 / strength * 5e-9
    source = "Monte Carlo, K = 0.221654626(5), arXiv:1806.03558"
    return CriticalPoint("temperature", value, error, _ising_class(3), source)


def _potts(model: Potts) -> CriticalPoint | None:
    ndim, states = model.lattice.ndim, model.states
    if model.coupling <= 0 or ndim == 1:
        return None
    if ndim == 3:
        return _hypercubic(model, model.coupling / 2) if states == 2 else None
    value, source = model.coupling / math.log1p(math.sqrt(states)), "exact, self-duality"
    if states > 4:
        return CriticalPoint("temperature", value, None, {}, source, "first order")
    thermal, magnetic = {2: (1.0, 15 / 8), 3: (6 / 5, 28 / 15), 4: (3 / 2, 15 / 8)}[states]
    return CriticalPoint("temperature", value, None, _exponents(2, thermal, magnetic), source)


def _plus_minus(model: RandomBondIsing) -> CriticalPoint | None:
    ndim, antiferro = model.lattice.ndim, model.antiferro
    if antiferro is None or model.field != 0 or ndim == 1:
        return None
    if antiferro == 0:
        return _ising(Ising(model.lattice, model.temperature))
    if ndim == 2 and abs(antiferro - _NISHIMORI) <= _NISHIMORI_ERROR:
        exponents, source = {"y1": 0.655, "y2": 0.250}, "Monte Carlo at the Nishimori point, arXiv:0803.0444"
        return CriticalPoint("temperature", 0.9528, 4e-4, exponents, source, "multicritical")
    if ndim == 3 and antiferro == 0.5:
        exponents = {"nu": 2.56, "eta": -0.390}
        return CriticalPoint("temperature", 1.1019, 2.9e-3, exponents, "Monte Carlo, Baity-Jesi et al. 2013")
    return None
