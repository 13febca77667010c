"""Rings of planar spins and fields against quadrature, the law of the magnetization against enumeration."""

import math

import numpy as np
import pytest

from deeprg.exact import (
    CRITICAL_TEMPERATURE,
    enumerate_states,
    kaufman,
    magnetization_distribution,
    phi4_ring,
    reference,
    xy_ring,
)
from deeprg.hamiltonians import XY, Ising, Phi4
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


def xy_by_quadrature(length, temperature, coupling, points=48):
    """Moments by the trapezoidal rule over all angles but the first, which is 0 by symmetry."""
    grid = 2 * np.pi * np.arange(points) / points
    angles = np.stack(np.meshgrid(*[grid] * (length - 1), indexing="ij"), axis=-1).reshape(-1, length - 1)
    angles = np.concatenate([np.zeros((len(angles), 1)), angles], axis=1)
    steps = np.roll(angles, -1, axis=1) - angles
    cosines, sines = np.cos(steps).sum(axis=1), np.sin(steps).sum(axis=1)
    weights = np.exp(coupling / temperature * cosines)
    norm = weights.sum()
    mean, square = weights @ cosines / norm, weights @ cosines**2 / norm
    vectors = np.exp(1j * angles).mean(axis=1)
    return {
        "log_partition": math.log(norm * 2 * np.pi * (2 * np.pi / points) ** (length - 1)),
        "energy_per_site": -coupling * mean / length,
        "specific_heat": (coupling / temperature) ** 2 * (square - mean**2) / length,
        "magnetization_squared": weights @ abs(vectors) ** 2 / norm,
        "helicity_modulus": coupling * (mean - coupling / temperature * (weights @ sines**2) / norm) / length,
        "correlation": np.array([weights @ np.cos(angles[:, r]) / norm for r in range(length)]),
    }


@pytest.mark.parametrize(
    ("length", "temperature", "coupling"),
    [(2, 0.7, 1.0), (3, 0.5, 1.3), (3, 0.7, -1.0), (4, 1.0, 1.0)],
)
def test_xy_ring(length, temperature, coupling):
    exact = xy_ring(length, temperature, coupling)
    for name, value in xy_by_quadrature(length, temperature, coupling).items():
        np.testing.assert_allclose(getattr(exact, name), value, rtol=1e-9, atol=1e-11, err_msg=name)


def test_one_planar_spin_is_bound_to_itself():
    exact = xy_ring(1, 0.7)
    assert exact.log_partition == pytest.approx(math.log(2 * math.pi) + 1 / 0.7, rel=1e-13)
    assert exact.energy_per_site == pytest.approx(-1, rel=1e-13)
    assert exact.helicity_modulus == pytest.approx(1, rel=1e-13)


def test_long_and_uncoupled_xy_rings():
    cold = xy_ring(1000, 0.05)
    bessel = 1 - 0.05 / 2 - 0.05**2 / 8 - 0.05**3 / 8  # I_1(K)/I_0(K) at K = 20
    assert cold.energy_per_site == pytest.approx(-bessel, abs=3e-5)
    free = xy_ring(5, 1.0, 0.0)
    assert free.log_partition == pytest.approx(5 * math.log(2 * math.pi), rel=1e-15)
    assert free.magnetization_squared == 0.2
    nearly = xy_ring(5, 1.0, 1e-6)
    np.testing.assert_allclose(nearly.correlation, free.correlation, atol=1e-6)


def phi4_by_quadrature(length, mass_squared, quartic, reach, points):
    grid = np.linspace(-reach, reach, points)
    fields = np.stack(np.meshgrid(*[grid] * length, indexing="ij"), axis=-1).reshape(-1, length)
    action = ((np.roll(fields, -1, axis=1) - fields) ** 2).sum(axis=1)
    action += (mass_squared * fields**2 + quartic * fields**4).sum(axis=1)
    weights = np.exp(-action)
    norm = weights.sum()
    return {
        "log_partition": math.log(norm) + length * math.log(grid[1] - grid[0]),
        "magnetization_squared": weights @ fields.mean(axis=1) ** 2 / norm,
        "field_squared": weights @ (fields**2).mean(axis=1) / norm,
        "action_per_site": weights @ action / norm / length,
        "correlation": np.array([weights @ (fields[:, 0] * fields[:, r]) / norm for r in range(length)]),
    }


@pytest.mark.parametrize(
    ("length", "mass_squared", "quartic", "reach"),
    [
        (1, 1.0, 0.01, 7.0),
        (1, -4.0, 1.0, 3.5),
        (2, -4.0, 5.0, 2.5),
        (3, 0.5, 1.0, 2.8),
        (2, -20.0, 10.0, 2.2),
    ],
)
def test_phi4_ring(length, mass_squared, quartic, reach):
    truth = phi4_by_quadrature(length, mass_squared, quartic, reach, {1: 4001, 2: 401, 3: 101}[length])
    exact = phi4_ring(length, mass_squared, quartic)
    for name, value in truth.items():
        np.testing.assert_allclose(getattr(exact, name), value, rtol=1e-9, atol=1e-10, err_msg=name)


def test_rings_are_references():
    exact, ring = reference(XY(Lattice((6,)), 0.9, 1.1)), xy_ring(6, 0.9, 1.1)
    assert exact.log_partition == ring.log_partition
    assert exact.observables["helicity_modulus"] == ring.helicity_modulus
    assert exact.derived["specific_heat"] == ring.specific_heat
    waves = (ring.correlation * np.cos(2 * np.pi * np.arange(6) / 6)).sum()
    assert exact.observables["structure_factor_min"] == pytest.approx(waves, rel=1e-12)
    length = math.sqrt(6 * ring.magnetization_squared / waves - 1) / (2 * math.sin(math.pi / 6))
    assert exact.derived["correlation_length"] == pytest.approx(length, rel=1e-12)
    field = reference(Phi4(Lattice((5,)), -1.0, 1.0))
    assert field.observables["field_squared"] == phi4_ring(5, -1.0, 1.0).field_squared
    assert set(field.observables) == {
        "magnetization",
        "magnetization_squared",
        "field_squared",
        "action_per_site",
        "structure_factor_min",
    }
    assert reference(XY(Lattice((4, 4)), 1.0)) is None


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (1, 4), (2, 2), (2, 3), (4, 4), (3, 5)], ids=str)
@pytest.mark.parametrize(("coupling", "field"), [(1.0, 0.0), (-0.6, 0.3)])
def test_magnetization_against_enumeration(shape, coupling, field):
    model = Ising(Lattice(shape), 1.9, coupling, field)
    law, exact = magnetization_distribution(model), enumerate_states(model)
    assert law.log_partition == pytest.approx(exact.log_partition, rel=1e-13)
    assert law.probabilities.sum() == pytest.approx(1, rel=1e-14)
    assert law.moment(1) == pytest.approx(exact.magnetization, rel=1e-12, abs=1e-12)
    assert law.moment(1, absolute=True) == pytest.approx(exact.abs_magnetization, rel=1e-12)
    assert law.moment(2) == pytest.approx(exact.magnetization_squared, rel=1e-12)
    assert law.moment(4) == pytest.approx(exact.magnetization_fourth, rel=1e-12)


def test_whole_law_of_four_by_four():
    model = Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE, field=0.05)
    s = (2 * ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1) - 1).reshape(-1, 4, 4)
    bonds = (s * (np.roll(s, 1, 1) + np.roll(s, 1, 2))).sum(axis=(1, 2))
    total = s.sum(axis=(1, 2))
    weights = np.exp(bonds / CRITICAL_TEMPERATURE + 0.05 * total)
    counts = np.bincount((total + 16) // 2, weights=weights, minlength=17)
    law = magnetization_distribution(model)
    np.testing.assert_allclose(law.probabilities, counts / counts.sum(), rtol=1e-12)
    np.testing.assert_allclose(law.values, np.linspace(-1, 1, 17), atol=1e-15)


@pytest.mark.parametrize(
    ("length", "absolute", "second", "fourth", "binder"),
    [
        (2, 0.8992640687, 0.8742640687, 0.8555140687, 0.6269039582),
        (3, 0.8710719355, 0.8094299893, 0.7466136052, 0.6201465606),
        (4, 0.8438604448, 0.7613589086, 0.6656912133, 0.6171993184),
        (8, 0.7773310928, 0.6469115750, 0.4858152341, 0.6130453849),
    ],
)
def test_critical_moments_of_the_table(length, absolute, second, fourth, binder):
    law = magnetization_distribution(Ising(Lattice((length, length)), CRITICAL_TEMPERATURE))
    assert law.moment(1, absolute=True) == pytest.approx(absolute, abs=1e-10)
    assert law.moment(2) == pytest.approx(second, abs=1e-10)
    assert law.moment(4) == pytest.approx(fourth, abs=1e-10)
    assert law.binder_cumulant == pytest.approx(binder, abs=1e-10)
    exact = kaufman((length, length), CRITICAL_TEMPERATURE)
    assert law.log_partition == pytest.approx(exact.log_partition, rel=1e-13)


def test_reference_of_eight_by_eight():
    exact = reference(Ising(Lattice((8, 8)), CRITICAL_TEMPERATURE))
    assert exact.observables["abs_magnetization"] == pytest.approx(0.7773310928, abs=1e-10)
    assert exact.derived["binder_cumulant"] == pytest.approx(0.6130453849, abs=1e-10)
    assert exact.derived["specific_heat"] == pytest.approx(1.1455592399, abs=1e-10)
    spread = 0.6469115750 - 0.7773310928**2
    assert exact.derived["susceptibility"] == pytest.approx(64 / CRITICAL_TEMPERATURE * spread, abs=1e-8)
    assert exact.source == "Kaufman 1949; moments by transfer matrix"
    polarised = reference(Ising(Lattice((8, 8)), 2.5, field=0.1))
    assert set(polarised.observables) == {"magnetization", "abs_magnetization", "magnetization_squared"}
    assert set(polarised.derived) == {"susceptibility", "binder_cumulant"}


def test_cold_law_does_not_underflow():
    law = magnetization_distribution(Ising(Lattice((4, 4)), 0.01))
    assert law.log_partition == pytest.approx(3200 + math.log(2), rel=1e-15)
    frustrated = magnetization_distribution(Ising(Lattice((3, 3)), 0.01, coupling=-1.0))
    assert frustrated.log_partition == pytest.approx(
        enumerate_states(Ising(Lattice((3, 3)), 0.01, coupling=-1.0)).log_partition, rel=1e-13
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: xy_ring(0, 1.0), "at least 1"),
        (lambda: xy_ring(4, -1.0), "temperature must be positive, not -1.0"),
        (lambda: phi4_ring(4, 1.0, 0.0), "needs a positive quartic"),
        (lambda: phi4_ring(4, -1e8, 1.0), "too narrow"),
        (lambda: magnetization_distribution(Ising(Lattice((4, 4, 4)), 1.0)), "one or two extents"),
        (
            lambda: magnetization_distribution(Ising(Lattice((12, 12)), 1.0)),
            "at most 10, but the lattice is 12x12",
        ),
        (lambda: magnetization_distribution(Ising(Lattice((401,)), 1.0)), "at most 400 sites"),
        (
            lambda: magnetization_distribution(Ising.triangular(Lattice((4, 4)), 1.0)),
            "nearest-neighbour couplings",
        ),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
