"""Enumeration against a plain loop, and its exact moments against the transfer-matrix table."""

import itertools
import math

import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE, enumerate_states, ising_chain
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice


@pytest.mark.parametrize(
    "model",
    [
        Ising(Lattice((2, 3)), 2.0),
        Ising(Lattice((2, 3)), 0.7, coupling=-0.4, field=0.3),
        Ising(Lattice((7,)), 1.5, field=-0.2),
        Ising(Lattice((1, 2, 2)), 3.0, field=0.1),
        Ising.from_kernel(Lattice((5,)), np.array([0.3, 0.5, -0.2, -0.2, 0.5]), field=0.1, temperature=2.0),
    ],
    ids=lambda model: str(model.lattice),
)
def test_equals_a_loop_over_states(model):
    size, shape = model.lattice.size, model.lattice.shape
    kernel = dict(model.kernel)
    sites = list(itertools.product(*(range(extent) for extent in shape)))
    norm = bond_sum = h_sum = h2_sum = m_sum = m4_sum = abs_sum = 0.0
    correlation = np.zeros(shape)
    for spins in itertools.product((-1, 1), repeat=size):
        bonds = sum(
            0.5 * kernel.get(tuple((p - q) % e for p, q, e in zip(a, b, shape, strict=True)), 0.0) * s * t
            for (a, s), (b, t) in itertools.product(zip(sites, spins, strict=True), repeat=2)
        )
        h = -bonds - model.field * sum(spins)
        weight, mean = math.exp(-h), sum(spins) / size
        norm += weight
        bond_sum += weight * bonds
        h_sum += weight * h
        h2_sum += weight * h**2
        m_sum += weight * mean
        m4_sum += weight * mean**4
        abs_sum += weight * abs(mean)
        field = np.array(spins, float).reshape(shape)
        for r in sites:
            correlation[r] += weight * np.mean(
                field * np.roll(field, [-c for c in r], tuple(range(len(shape))))
            )
    exact = enumerate_states(model)
    assert exact.log_partition == pytest.approx(math.log(norm), rel=1e-13)
    assert exact.free_energy_per_site == pytest.approx(-math.log(norm) / size, rel=1e-13)
    assert exact.energy_per_site == pytest.approx(-model.temperature * bond_sum / norm / size, rel=1e-12)
    assert exact.specific_heat == pytest.approx((h2_sum / norm - (h_sum / norm) ** 2) / size, rel=1e-10)
    assert exact.magnetization == pytest.approx(m_sum / norm, abs=1e-13)
    assert exact.magnetization_fourth == pytest.approx(m4_sum / norm, rel=1e-12)
    assert exact.abs_magnetization == pytest.approx(abs_sum / norm, rel=1e-12)
    np.testing.assert_allclose(exact.correlation, correlation / norm, atol=1e-13)
    assert exact.magnetization_squared == pytest.approx(exact.correlation.mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("length", "absolute", "second", "fourth"),
    [
        (2, 0.8992640687, 0.8742640687, 0.8555140687),
        (3, 0.8710719355, 0.8094299893, 0.7466136052),
        (4, 0.8438604448, 0.7613589086, 0.6656912133),
    ],
)
def test_critical_moments_of_the_transfer_matrix_table(length, absolute, second, fourth):
    exact = enumerate_states(Ising(Lattice((length, length)), CRITICAL_TEMPERATURE))
    assert exact.abs_magnetization == pytest.approx(absolute, abs=1e-10)
    assert exact.magnetization_squared == pytest.approx(second, abs=1e-10)
    assert exact.magnetization_fourth == pytest.approx(fourth, abs=1e-10)


def test_more_spins_than_one_table_holds():
    exact, chain = enumerate_states(Ising(Lattice((20,)), 1.2)), ising_chain(20, 1.2)
    assert exact.log_partition == pytest.approx(chain.log_partition, rel=1e-13)
    assert exact.specific_heat == pytest.approx(chain.specific_heat, rel=1e-11)
    tanh = math.tanh(1 / 1.2)
    r = np.arange(20)
    np.testing.assert_allclose(exact.correlation, (tanh**r + tanh ** (20 - r)) / (1 + tanh**20), rtol=1e-12)


def test_low_temperature_does_not_overflow():
    exact = enumerate_states(Ising(Lattice((4, 4)), 0.01))
    assert exact.log_partition == pytest.approx(3200 + math.log(2), rel=1e-15)
    assert exact.specific_heat == pytest.approx(0.0, abs=1e-100)
