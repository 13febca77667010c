"""The bulk solution against its double integral, derivatives and known values."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from deeprg.exact import CRITICAL_TEMPERATURE, onsager


def double_integral(temperature):
    """ln Z / N = ln 2 + 1/(2 pi^2) of the two-angle integral, by quadrature after one angle is done."""
    bond = 1 / temperature
    cosh2, sinh = math.cosh(2 * bond) ** 2, math.sinh(2 * bond)

    def inner(angle):
        a = cosh2 - sinh * math.cos(angle)  # mean over the other angle of ln(a - s cos)
        return math.log(0.5 * (a + math.sqrt(a * a - sinh * sinh)))

    return math.log(2) + quad(inner, 0, math.pi, epsabs=1e-13, epsrel=1e-13, limit=200)[0] / (2 * math.pi)


@pytest.mark.parametrize("temperature", [0.8, 2.0, 2.2, 2.26, 2.3, 2.5, 10.0, 19.9, 20.1, 1e3])
def test_free_energy_is_the_double_integral(temperature):
    assert -onsager(temperature).free_energy_per_site == pytest.approx(
        double_integral(temperature), abs=1e-12
    )


@pytest.mark.parametrize("temperature", [0.8, 2.0, 2.2, 2.3, 2.5, 10.0, 19.99, 20.01, 1e3])
def test_energy_and_specific_heat_are_derivatives(temperature):
    beta, step = 1 / temperature, min(3e-4, 1e-2 / temperature)
    around = [onsager(1 / (beta + k * step)) for k in (-2, -1, 1, 2)]
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    exact = onsager(temperature)
    assert exact.energy_per_site == pytest.approx(
        weights @ [a.free_energy_per_site for a in around], rel=2e-7
    )
    slope = weights @ [a.energy_per_site for a in around]
    assert exact.specific_heat == pytest.approx(-(beta**2) * slope, rel=1e-6)


def test_critical_values():
    catalan = 0.915965594177219015
    exact = onsager(CRITICAL_TEMPERATURE)
    assert pytest.approx(2.269185314213022, abs=1e-15) == CRITICAL_TEMPERATURE
    assert -exact.free_energy_per_site == pytest.approx(math.log(2) / 2 + 2 * catalan / math.pi, abs=1e-14)
    assert exact.energy_per_site == pytest.approx(-math.sqrt(2), abs=1e-14)
    assert exact.specific_heat == math.inf
    assert exact.magnetization == 0.0


def test_specific_heat_diverges_as_a_logarithm():
    # C ~ -(8 K_c^2 / pi) ln |1 - T/T_c|: a factor 10 in the distance adds a constant
    amplitude = 8 / math.pi * math.log(10) / CRITICAL_TEMPERATURE**2
    for sign in (1, -1):
        heats = [onsager(CRITICAL_TEMPERATURE * (1 + sign * 10.0**-k)).specific_heat for k in (6, 7, 8)]
        np.testing.assert_allclose(np.diff(heats), amplitude, rtol=1e-4)


def test_spontaneous_magnetization():
    assert onsager(2.0).magnetization == pytest.approx((1 - math.sinh(1.0) ** -4) ** 0.125, rel=1e-14)
    assert onsager(1e-3).magnetization == 1.0
    assert onsager(2.27).magnetization == 0.0


@pytest.mark.parametrize("temperature", [1e-3, 1e-2, CRITICAL_TEMPERATURE * (1 + 1e-14), 1e6, 1e300])
def test_is_finite_at_the_ends(temperature):
    exact = onsager(temperature)
    assert np.isfinite([exact.free_energy_per_site, exact.energy_per_site, exact.specific_heat]).all()
