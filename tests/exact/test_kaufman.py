"""Kaufman's formula against enumeration, tables, numerical derivatives and the bulk."""

import math

import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE, enumerate_states, ising_chain, kaufman, onsager
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

TEMPERATURES = [0.3, 1.0, 2.0, 2.2, CRITICAL_TEMPERATURE, 2.4, 3.5, 20.0, 1e4]

# N = L^2 at T_c: L, ln Z, energy per site, specific heat
CRITICAL_TABLE = [
    (2, 4.382026634674, -1.697056274852, 0.4039460879),
    (4, 15.521915458755, -1.565623787639, 0.7832668259),
    (6, 34.111541054986, -1.516873124567, 0.9965818189),
    (8, 60.141780789069, -1.491589107439, 1.1455592399),
    (16, 238.642256635133, -1.453064852813, 1.4987049594),
    (32, 952.648079548543, -1.433658466146, 1.8467675900),
    (64, 3808.672283419809, -1.423938389833, 2.1922113931),
]
# L, T, ln Z / N, energy per site, specific heat
OFF_CRITICAL_TABLE = [
    (16, 2.0, 1.0285008220, -1.7455306690, 0.72550877),
    (16, 2.5, 0.8798001826, -1.1313179844, 1.06497688),
    (32, 2.0, 1.0264697145, -1.7455645270, 0.72487398),
    (32, 2.5, 0.8793733474, -1.1072916610, 0.88581250),
]
# beta = 0.44
NEAR_CRITICAL_TABLE = [
    (4, 15.504726538718),
    (8, 60.076307527215),
    (16, 238.38724720424),
    (32, 951.64212640926),
    (64, 3804.677559444),
]


def assert_same(exact, other, tolerance=1e-12):
    assert exact.log_partition == pytest.approx(other.log_partition, rel=tolerance, abs=tolerance)
    assert exact.free_energy_per_site == pytest.approx(
        other.free_energy_per_site, rel=tolerance, abs=tolerance
    )
    assert exact.energy_per_site == pytest.approx(other.energy_per_site, rel=tolerance, abs=tolerance)
    assert exact.specific_heat == pytest.approx(other.specific_heat, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize(
    "shape", [(3, 3), (4, 4), (2, 3), (3, 2), (3, 4), (2, 2), (1, 1), (1, 4), (2, 7)], ids=str
)
def test_equals_enumeration(shape, temperature):
    assert_same(kaufman(shape, temperature), enumerate_states(Ising(Lattice(shape), temperature)))


@pytest.mark.parametrize("temperature", [1.0, 2.269185314213022, 4.0])
@pytest.mark.parametrize(
    ("shape", "coupling"), [((4, 2), -1.0), ((4, 4), -0.7), ((3, 4), 1.9), ((3, 4), 0.0)]
)
def test_equals_enumeration_with_any_coupling(shape, coupling, temperature):
    model = Ising(Lattice(shape), temperature, coupling)
    assert_same(kaufman(shape, temperature, coupling), enumerate_states(model))


@pytest.mark.parametrize(("length", "log_partition", "energy", "heat"), CRITICAL_TABLE)
def test_critical_table(length, log_partition, energy, heat):
    exact = kaufman((length, length), CRITICAL_TEMPERATURE)
    assert exact.log_partition == pytest.approx(log_partition, abs=1.1e-12 * length**2)
    assert exact.energy_per_site == pytest.approx(energy, abs=1e-11)
    assert exact.specific_heat == pytest.approx(heat, abs=1e-10)


@pytest.mark.parametrize(("length", "temperature", "log_partition", "energy", "heat"), OFF_CRITICAL_TABLE)
def test_off_critical_table(length, temperature, log_partition, energy, heat):
    exact = kaufman((length, length), temperature)
    assert -exact.free_energy_per_site == pytest.approx(log_partition, abs=1e-10)
    assert exact.energy_per_site == pytest.approx(energy, abs=1e-10)
    assert exact.specific_heat == pytest.approx(heat, abs=1e-8)


@pytest.mark.parametrize(("length", "log_partition"), NEAR_CRITICAL_TABLE)
def test_near_critical_table(length, log_partition):
    assert kaufman((length, length), 1 / 0.44).log_partition == pytest.approx(log_partition, abs=1e-9)


@pytest.mark.parametrize("shape", [(16, 16), (5, 12), (1, 40), (64, 64)], ids=str)
@pytest.mark.parametrize("temperature", [1.3, CRITICAL_TEMPERATURE, 2.5, 6.0])
def test_derivatives_of_log_partition(shape, temperature):
    beta, step = 1 / temperature, 5e-3 / max(shape)
    # five-point differences in beta
    around = [kaufman(shape, 1 / (beta + k * step)) for k in (-2, -1, 1, 2)]
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    size = shape[0] * shape[1]
    energy = -weights @ [a.log_partition for a in around] / size
    slope = weights @ [a.energy_per_site for a in around]
    exact = kaufman(shape, temperature)
    assert exact.energy_per_site == pytest.approx(energy, rel=1e-8)
    assert exact.specific_heat == pytest.approx(-(beta**2) * slope, rel=3e-7)


def test_is_symmetric_in_the_extents():
    for temperature in TEMPERATURES:
        assert_same(kaufman((3, 50), temperature), kaufman((50, 3), temperature))


@pytest.mark.parametrize(
    "temperature", [1e-3, 0.0124, 0.0126, 0.05, 1.0, CRITICAL_TEMPERATURE, 3.0, 1e8, 1e200]
)
@pytest.mark.parametrize("shape", [(1024, 1024), (1, 1024), (1024, 7)], ids=str)
def test_is_finite_for_large_lattices(shape, temperature):
    exact = kaufman(shape, temperature)
    values = [exact.log_partition, exact.free_energy_per_site, exact.energy_per_site, exact.specific_heat]
    assert np.isfinite(values).all()
    assert exact.log_partition >= shape[0] * shape[1] * math.log(2)
    assert -2 <= exact.energy_per_site <= 0
    assert exact.specific_heat >= -1e-12


@pytest.mark.parametrize("temperature", [0.5, 1.5, 2.1, 2.5, 3.0, 8.0, 50.0, 1e6])
def test_large_torus_reaches_the_bulk(temperature):
    exact, bulk = kaufman((256, 256), temperature), onsager(temperature)
    ground_states = math.log(2) / 256**2 if temperature < CRITICAL_TEMPERATURE else 0.0
    assert exact.free_energy_per_site + ground_states == pytest.approx(bulk.free_energy_per_site, abs=1e-12)
    assert exact.energy_per_site == pytest.approx(bulk.energy_per_site, abs=1e-12)
    assert exact.specific_heat == pytest.approx(bulk.specific_heat, abs=1e-12)


def test_finite_size_correction_at_criticality():
    # free energy per site on a square torus at T_c: bulk - (ln of the universal amplitude)/N
    bulk = onsager(CRITICAL_TEMPERATURE).free_energy_per_site
    amplitudes = [
        (bulk - kaufman((length, length), CRITICAL_TEMPERATURE).free_energy_per_site) * length**2
        for length in (64, 256, 1024)
    ]
    assert amplitudes[2] == pytest.approx(amplitudes[1], abs=1e-5)
    assert amplitudes[1] == pytest.approx(amplitudes[0], abs=1e-4)


def test_one_wide_torus_is_the_chain_with_self_bonds():
    for temperature in TEMPERATURES:
        chain, torus = ising_chain(9, temperature), kaufman((1, 9), temperature)
        assert torus.log_partition == pytest.approx(chain.log_partition + 9 / temperature, rel=1e-13)
        assert torus.energy_per_site == pytest.approx(chain.energy_per_site - 1, abs=1e-13)
        assert torus.specific_heat == pytest.approx(chain.specific_heat, abs=1e-12)


@pytest.mark.parametrize("coupling", [1.0, 2.5, 0.0])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 11])
def test_chain_equals_enumeration(length, coupling):
    for temperature in TEMPERATURES:
        model = Ising(Lattice((length,)), temperature, coupling)
        assert_same(ising_chain(length, temperature, coupling), enumerate_states(model))


def test_chain_equals_the_transfer_matrix():
    bond = 0.8
    transfer = np.array([[np.exp(bond), np.exp(-bond)], [np.exp(-bond), np.exp(bond)]])
    expected = math.log(np.trace(np.linalg.matrix_power(transfer, 40)))
    assert ising_chain(40, 1 / bond).log_partition == pytest.approx(expected, rel=1e-14)
    assert np.isfinite(ising_chain(10**6, 0.02).log_partition)


def test_antiferromagnetic_chain():
    assert_same(ising_chain(6, 1.0, -1.0), enumerate_states(Ising(Lattice((6,)), 1.0, -1.0)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaufman((4, 4), 0.0), "temperature must be positive and finite, not 0.0"),
        (lambda: kaufman((4, 4), -1.0), "not -1.0"),
        (lambda: kaufman((4, 4), math.nan), "not nan"),
        (lambda: kaufman((4, 4), math.inf), "not inf"),
        (lambda: kaufman((4, 4), 1.0, math.nan), "coupling must be finite"),
        (lambda: kaufman((4, 4), 5e-324), "too low"),
        (lambda: kaufman((4, 0), 1.0), "at least 1"),
        (lambda: kaufman((3, 4), 1.0, -1.0), "frustrated"),
        (lambda: ising_chain(3, 1.0, -1.0), "frustrated"),
        (lambda: ising_chain(0, 1.0), "at least 1"),
        (lambda: onsager(0.0), "temperature"),
        (lambda: onsager(math.nan), "temperature"),
        (lambda: enumerate_states(Ising(Lattice((5, 6)), 1.0)), "at most 25 spins, but 5x6 has 30"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize("temperature", [0.03, 0.05, 0.08, 0.1, 0.15])
def test_the_specific_heat_is_never_negative(temperature):
    assert kaufman((16, 16), temperature).specific_heat >= 0
    assert ising_chain(16, temperature).specific_heat >= 0
