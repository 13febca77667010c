"""Free energies of the schemes beside the exact ones."""

import math

import numpy as np
import pytest

from deeprg.exact import kaufman
from deeprg.exact.schemes import (
    chain_log_partition,
    decimation_1d,
    free_energy,
    migdal_kadanoff,
    square_log_partition,
    triangular_log_partition,
)


@pytest.mark.parametrize("k", [0.0, 0.2, 0.44, 0.9, 3.0])
def test_free_energy_of_the_chain_is_exact(k):
    for scheme in (decimation_1d(), migdal_kadanoff(1, 3)):
        energy = free_energy(scheme, k)
        assert energy.log_partition == pytest.approx(math.log(2 * math.cosh(k)), abs=1e-12)
        assert abs(energy.error) < 1e-12


@pytest.mark.parametrize("k", [0.1, 0.3, 0.44, 0.9])
def test_free_energies_are_on_the_side_that_jensen_says(k):
    assert free_energy("migdal-kadanoff", k).error > 0
    assert free_energy(migdal_kadanoff(2, 3), k).error > 0
    assert free_energy("majority-square", k).error < 0
    assert free_energy("niemeijer-van-leeuwen", k).error < 0


def test_free_energies_at_high_temperature():
    for name in ("migdal-kadanoff", "maris-kadanoff", "majority-square"):
        assert free_energy(name, 0.0).error == pytest.approx(0, abs=1e-12)
    second = free_energy("niemeijer-van-leeuwen", [0.1, 0, 0], order=2)
    assert abs(second.error) < 0.05 * abs(free_energy("niemeijer-van-leeuwen", 0.1).error)
    assert abs(free_energy("maris-kadanoff", 0.3).error) < 0.2 * free_energy("migdal-kadanoff", 0.3).error
    assert free_energy("niemeijer-van-leeuwen", [0.1, 0.01, 0], order=2).exact is None


def test_free_energy_of_wilson():
    # ln Z/N = ln 2 + K^2 + 9/4 K^4 from the constants, ln 2 + K^2 + 5/6 K^4 from the series of the model
    energy = free_energy("wilson", [0.01, 0.0])
    assert energy.error / 0.01**4 == pytest.approx(17 / 12, abs=0.01)
    errors = [free_energy("wilson", [k, 0.0]).error for k in (0.1, 0.2, 0.3, 0.39)]
    assert errors == pytest.approx([0.000145, 0.002532, 0.015673, 0.075466], abs=5e-7)
    # 2.25 K^4 by hand: K_1 = 2 K^2, K_2 = K^2 + ..., weighted with 1/2 and 1/4
    k = 0.3
    couplings, total, weight = (k, 0.0), 0.0, 1.0
    for _ in range(80):
        total += weight * (math.log(2) / 2 + couplings[0] ** 2)
        couplings, weight = (2 * couplings[0] ** 2 + couplings[1], couplings[0] ** 2), weight / 2
    assert free_energy("wilson", [k, 0.0]).log_partition == pytest.approx(total, abs=1e-12)


def test_the_sum_of_wilson_diverges_in_its_ordered_phase():
    for k in (0.41, 0.44, 5.0, 1e6):
        energy = free_energy("wilson", [k, 0.0])
        assert energy.log_partition == math.inf
        assert energy.error is None
        assert energy.exact == square_log_partition(k)
    assert math.isfinite(free_energy(migdal_kadanoff(10, 64), 1e6).log_partition)


def test_exact_free_energies():
    # the bulk against large tori, off criticality
    for k in (0.3, 0.6):
        torus = kaufman((64, 64), 1 / k).log_partition / 64**2
        spare = math.log(2) / 64**2 if k > 0.44 else 0.0  # two ground states
        assert square_log_partition(k) == pytest.approx(torus - spare, abs=1e-12)
        assert square_log_partition(-k) == square_log_partition(k)
    assert chain_log_partition(0.7) == pytest.approx(math.log(2 * math.cosh(0.7)), abs=1e-14)


@pytest.mark.parametrize("k", [0.05, 0.15, 0.5])
def test_triangular_free_energy_is_the_double_integral(k):
    angles = 2 * np.pi * np.arange(400) / 400
    p, q = angles[:, None], angles[None, :]
    cosh, sinh = math.cosh(2 * k), math.sinh(2 * k)
    inner = cosh**3 + sinh**3 - sinh * (np.cos(p) + np.cos(q) + np.cos(p + q))
    assert triangular_log_partition(k) == pytest.approx(math.log(2) + np.log(inner).mean() / 2, abs=1e-12)


def test_triangular_energy_at_the_critical_point():
    # Houtappel: the energy per site at T_c is -2 J, so d(ln Z/N)/dK = 2
    k, h = math.log(3) / 4, 1e-4
    slope = (triangular_log_partition(k + h) - triangular_log_partition(k - h)) / (2 * h)
    assert slope == pytest.approx(2, abs=1e-4)
    assert triangular_log_partition(0.0) == math.log(2)
