"""Tensor RG: exact on small tori, its known errors on large ones, the critical spectrum, clear refusals."""

import itertools
import math

import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE, enumerate_states, kaufman, onsager
from deeprg.exact.tensor import (
    METHODS,
    SquareWeights,
    plateau,
    scaling_flow,
    square_weights,
    tensor_flow,
    tensor_free_energy,
    tensor_order_parameter,
    tensor_thermodynamics,
    torus_log_partition,
    truncation_errors,
)
from deeprg.exact.tensor._closing import leading_eigenvalues
from deeprg.hamiltonians import XY, ContinuousDual, Ising, Potts, RandomBondIsing, critical_point
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

SQUARE = Lattice((4, 4))


def brute_force(weights, shape):
    """ln Z by the row-to-row transfer matrix, built state by state from the definition of the weights."""
    rows, columns = shape
    states = list(itertools.product(range(weights.states), repeat=columns))
    log_row = [
        sum(weights.site[s] + weights.right[s, x[(j + 1) % columns]] for j, s in enumerate(x)) for x in states
    ]
    matrix = np.array(
        [
            [math.exp(log + sum(weights.down[s, t] for s, t in zip(x, y, strict=True))) for y in states]
            for x, log in zip(states, log_row, strict=True)
        ]
    )
    return math.log(np.trace(np.linalg.matrix_power(matrix, rows)))


def random_weights(seed, states):
    rng = np.random.default_rng(seed)
    return SquareWeights(
        rng.normal(size=states), rng.normal(size=(states, states)), rng.normal(size=(states, states))
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("temperature", [0.3, 1.0, CRITICAL_TEMPERATURE, 5.0])
@pytest.mark.parametrize(
    ("shape", "chi"), [((1, 1), 2), ((2, 2), 2), ((3, 5), 2), ((4, 4), 4), ((6, 4), 4), ((4, 12), 4)]
)
def test_small_tori_are_exact(method, temperature, shape, chi):
    exact = kaufman(shape, temperature).log_partition
    found = torus_log_partition(Ising(Lattice(shape), temperature), chi, method)
    assert found == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_trace_of_one_tensor_is_a_torus(method):
    # nothing is discarded up to chi = 2^(2^(n/2)): the torus closed by the last tensor is exact
    for steps, chi in ((2, 4), (4, 16)):
        found = tensor_free_energy(
            Ising(SQUARE, CRITICAL_TEMPERATURE), chi, method, steps=steps, compare=0, spectrum=False
        )
        exact = kaufman((2 ** (steps // 2),) * 2, CRITICAL_TEMPERATURE).log_partition / 2**steps
        assert found.torus_log_partition_per_site == pytest.approx(exact, abs=1e-12)
        assert found.discarded.max() < 1e-15


def test_an_odd_step_of_trg_is_a_tilted_torus():
    # periods (1, 1) and (1, -1): two sites, joined by four bonds
    bond = 1 / CRITICAL_TEMPERATURE
    found = tensor_free_energy(Ising(SQUARE, CRITICAL_TEMPERATURE), 2, steps=1, compare=0)
    assert found.torus_log_partition_per_site * 2 == pytest.approx(
        math.log(4 * math.cosh(4 * bond)), abs=1e-13
    )


def test_eight_by_eight_is_exact_with_sixteen_states():
    found = torus_log_partition(Ising(Lattice((8, 8)), CRITICAL_TEMPERATURE), 16)
    assert found == pytest.approx(60.141780789069, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_fields_and_antiferromagnets_against_enumeration(method):
    for model in (
        Ising(SQUARE, 2.0, field=0.3),
        Ising(SQUARE, 1.5, coupling=-1.0, field=0.7),
        Ising(Lattice((3, 3)), 1.5, coupling=-1.0),
        Ising(SQUARE, 2.0, coupling=0.0, field=-0.2),
    ):
        exact = enumerate_states(model).log_partition
        assert torus_log_partition(model, 4, method) == pytest.approx(exact, rel=1e-12)


def anisotropic(shape):
    kernel = np.zeros(shape)
    kernel[1, 0] = kernel[-1, 0] = 0.9
    kernel[0, 1] = kernel[0, -1] = -0.2
    return Ising.from_kernel(Lattice(shape), kernel, field=0.1)


def test_two_couplings_of_a_kernel():
    for shape in ((3, 5), (4, 4)):
        model = anisotropic(shape)
        exact = enumerate_states(model).log_partition
        assert torus_log_partition(model, 4) == pytest.approx(exact, rel=1e-12)
    bond = np.array([[1.0, -1.0], [-1.0, 1.0]])
    written_out = SquareWeights(np.array([0.1, -0.1]), -0.2 * bond, 0.9 * bond)
    found = torus_log_partition(anisotropic((4, 6)), 4)
    assert found == pytest.approx(brute_force(written_out, (4, 6)), rel=1e-12)
    assert abs(found - brute_force(written_out, (6, 4))) > 1e-3  # the failing twin: the axes exchanged


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("states", "shape", "chi"), [(2, (4, 4), 4), (2, (4, 6), 4), (3, (2, 3), 3), (3, (4, 4), 9)]
)
def test_weights_without_any_symmetry_against_brute_force(method, states, shape, chi):
    weights = random_weights(states, states)
    found = torus_log_partition(weights, chi, method, shape=shape)
    assert found == pytest.approx(brute_force(weights, shape), rel=1e-12)


def test_orientation_matters():
    # the failing twin: the same weights with right and down exchanged, or transposed, are another model
    weights = random_weights(5, 3)
    twin = SquareWeights(weights.site, weights.right, weights.down.T)
    exact = brute_force(weights, (3, 4))
    assert abs(torus_log_partition(weights, 9, shape=(4, 3)) - exact) > 1e-3
    assert torus_log_partition(twin, 9, shape=(3, 4)) == pytest.approx(brute_force(twin, (3, 4)), rel=1e-12)
    assert torus_log_partition(weights, 9, shape=(3, 4)) == pytest.approx(exact, rel=1e-12)


def test_two_potts_states_are_ising_spins():
    potts = Potts(SQUARE, CRITICAL_TEMPERATURE / 2, states=2)
    spins = kaufman((4, 4), CRITICAL_TEMPERATURE).log_partition
    assert torus_log_partition(potts, 4) == pytest.approx(spins + 32 / CRITICAL_TEMPERATURE, rel=1e-13)


def test_large_tori_approach_kaufman():
    for size, tolerance in ((16, 2e-5), (64, 2e-5)):
        found = torus_log_partition(Ising(Lattice((size, size)), CRITICAL_TEMPERATURE), 12, "hotrg")
        assert found == pytest.approx(
            kaufman((size, size), CRITICAL_TEMPERATURE).log_partition, rel=tolerance
        )


def test_hard_squares():
    # entropy of the lattice gas of non-adjacent particles, ln 1.503048082475332 (R. J. Baxter, 1980)
    forbidden = np.array([[0.0, 0.0], [0.0, -np.inf]])
    gas = SquareWeights(np.zeros(2), forbidden, forbidden)
    assert torus_log_partition(gas, 4, shape=(4, 4)) == pytest.approx(math.log(743), abs=1e-12)
    found = tensor_free_energy(gas, 8, "hotrg", compare=0, spectrum=False)
    assert found.log_partition_per_site == pytest.approx(math.log(1.503048082475332), rel=5e-6)


def test_potts_duality():
    # ln z(K) - ln z(K*) = 2 ln(exp(K) - 1) - ln q with (exp(K) - 1)(exp(K*) - 1) = q
    q, bond = 3, 1.3
    dual = math.log1p(q / math.expm1(bond))
    here, there = (
        tensor_free_energy(
            Potts(SQUARE, 1 / k, states=q), 12, compare=0, spectrum=False
        ).log_partition_per_site
        for k in (bond, dual)
    )
    assert here - there == pytest.approx(2 * math.log(math.expm1(bond)) - math.log(q), abs=2e-4)


def test_scaling_spectrum_of_ising():
    best = plateau(scaling_flow(Ising(SQUARE, CRITICAL_TEMPERATURE), 20, steps=10))
    assert best.central_charge == pytest.approx(1 / 2, rel=0.01)
    assert best.dimensions[0] == pytest.approx(1 / 8, rel=0.01)
    assert best.dimensions[1] == pytest.approx(1, rel=0.01)
    best = plateau(scaling_flow(Ising(SQUARE, CRITICAL_TEMPERATURE), 12, "hotrg", steps=12))
    numbers = [best.central_charge, *best.dimensions[:2]]
    np.testing.assert_allclose(numbers, [1 / 2, 1 / 8, 1], rtol=0.02)


def test_scaling_spectrum_of_three_potts_states():
    temperature = critical_point(Potts(SQUARE, 1.0, states=3)).value
    best = plateau(scaling_flow(Potts(SQUARE, temperature, states=3), 12, steps=10))
    assert best.central_charge == pytest.approx(4 / 5, rel=0.03)
    np.testing.assert_allclose(best.dimensions[:2], 2 / 15, rtol=0.03)
    assert best.dimensions[2] == pytest.approx(4 / 5, rel=0.08)


def test_spectrum_off_criticality():
    cold = tensor_free_energy(Ising(SQUARE, 1.8), 8, compare=0).spectrum
    hot = tensor_free_energy(Ising(SQUARE, 3.0), 8, compare=0).spectrum
    assert abs(cold.central_charge) < 1e-3
    assert abs(hot.central_charge) < 1e-3
    assert cold.dimensions[0] < 1e-3  # two ground states
    assert cold.dimensions[1] > 2
    assert hot.dimensions[0] > 2
    assert tensor_free_energy(Ising(SQUARE, 3.0), 2, steps=3).spectrum is None


@pytest.mark.parametrize(
    ("temperature", "energy", "heat"), [(2.0, 1e-4, 2e-3), (2.5, 2e-4, 2e-3), (4.0, 1e-5, 1e-4)]
)
def test_energy_and_specific_heat(temperature, energy, heat):
    exact = onsager(temperature)
    found = tensor_thermodynamics(Ising(SQUARE, temperature), 8, steps=30)
    assert found.energy_per_site == pytest.approx(exact.energy_per_site, abs=energy)
    assert found.specific_heat == pytest.approx(exact.specific_heat, rel=heat)


def test_energy_has_the_coupling_s_units():
    one, three = (
        tensor_thermodynamics(Ising(SQUARE, 3.0 * j, coupling=j, field=0.2), 4, steps=20) for j in (1.0, 3.0)
    )
    assert three.energy_per_site == pytest.approx(3 * one.energy_per_site, rel=1e-9)
    assert three.specific_heat == pytest.approx(one.specific_heat, rel=1e-6)


def test_critical_energy():
    exact = onsager(CRITICAL_TEMPERATURE).energy_per_site
    found = tensor_thermodynamics(Ising(SQUARE, CRITICAL_TEMPERATURE), 8, steps=30)
    assert found.energy_per_site == pytest.approx(exact, abs=5e-4)


def test_spontaneous_magnetization():
    for temperature, tolerance in ((1.0, 1e-7), (2.0, 5e-4), (2.2, 2e-3)):
        found = tensor_order_parameter(Ising(SQUARE, temperature), 8)
        assert found == pytest.approx(onsager(temperature).magnetization, abs=tolerance)
    assert tensor_order_parameter(Ising(SQUARE, 2.5), 8) < 1e-6
    assert tensor_order_parameter(Ising(SQUARE, 1.0), 4, seed_field=-1e-9) < -0.99


def test_magnetization_in_a_field_is_the_derivative():
    def log_z(field):
        return tensor_free_energy(
            Ising(SQUARE, 2.5, field=field), 6, "hotrg", compare=0, spectrum=False
        ).log_partition_per_site

    slope = (log_z(0.301) - log_z(0.299)) / 2e-3
    assert tensor_order_parameter(Ising(SQUARE, 2.5, field=0.3), 6, seed_field=0.0) == pytest.approx(
        slope, abs=1e-4
    )


def test_order_parameter_of_potts():
    cold = Potts(SQUARE, 0.5, states=3)
    assert 0.99 < tensor_order_parameter(cold, 6) < 1
    with pytest.raises(UsageError, match="no order parameter"):
        tensor_order_parameter(random_weights(0, 2), 4)


def test_limits_of_the_temperature():
    assert tensor_free_energy(Ising(SQUARE, 0.01), 4).log_partition_per_site == pytest.approx(200, rel=1e-12)
    hot = tensor_free_energy(Ising(SQUARE, 1e9), 4)
    assert hot.log_partition_per_site == pytest.approx(math.log(2), abs=1e-12)


def test_it_is_deterministic():
    first, second = (tensor_free_energy(Ising(SQUARE, CRITICAL_TEMPERATURE), 6, steps=12) for _ in range(2))
    assert first.log_partition_per_site == second.log_partition_per_site
    for a, b in zip(first.spectra, second.spectra, strict=True):
        np.testing.assert_array_equal(a.dimensions, b.dimensions)


def test_a_sparse_solver_and_a_dense_one_agree():
    matrix = np.random.default_rng(3).uniform(size=(90, 90))
    dense = np.sort(np.abs(np.linalg.eigvals(matrix)))[::-1][:4]
    np.testing.assert_allclose(leading_eigenvalues(matrix, 4), dense, rtol=1e-10)
    rank_one = np.outer(np.ones(90), np.ones(90))
    np.testing.assert_allclose(leading_eigenvalues(rank_one, 4), [90, 0, 0, 0], atol=1e-10)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (Ising(Lattice((8,)), 1.0), r"square lattice.*ising_chain"),
        (Ising(Lattice((4, 4, 4)), 1.0), "square lattice"),
        (Ising.triangular(SQUARE, 1.0), "nearest-neighbour"),
        (Ising.with_neighbours(SQUARE, 1.0, (1.0, 0.5)), "nearest-neighbour"),
        (RandomBondIsing(SQUARE, np.ones((2, 4, 4))), "random"),
        (ContinuousDual(Ising(SQUARE, 1.0), 0.1), r"dual\.ising"),
        (XY(SQUARE, 1.0), "not XY"),
    ],
)
def test_other_models_are_refused(model, match):
    with pytest.raises(UsageError, match=match):
        tensor_free_energy(model, 4)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"bond_dimension": 1}, "at least 2"),
        ({"bond_dimension": 4, "method": "hotgr"}, "Did you mean 'hotrg'"),
        ({"bond_dimension": 200}, r"143 GiB.*bond dimension of 97 or less"),
        ({"bond_dimension": 100, "method": "hotrg"}, r"231 GiB.*or less"),
        ({"bond_dimension": 4, "steps": 0}, "1 to 1000"),
        ({"bond_dimension": 4, "compare": 4}, "from 2 to 3"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(UsageError, match=match):
        tensor_free_energy(Ising(SQUARE, 2.0), **arguments)


def test_bad_tori_and_weights_are_named():
    with pytest.raises(UsageError, match=r"needs about .* GiB"):
        torus_log_partition(Ising(Lattice((34, 34)), 2.0), 8)
    with pytest.raises(UsageError, match="no lattice"):
        torus_log_partition(random_weights(0, 2), 4)
    with pytest.raises(UsageError, match="at least 1"):
        torus_log_partition(random_weights(0, 2), 4, shape=(0, 3))
    with pytest.raises(UsageError, match="`down` has shape"):
        SquareWeights(np.zeros(2), np.zeros((2, 2)), np.zeros((3, 3)))
    with pytest.raises(UsageError, match="2 or more"):
        SquareWeights(np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(UsageError, match="NaN"):
        SquareWeights(np.zeros(2), np.full((2, 2), np.nan), np.zeros((2, 2)))
    with pytest.raises(UsageError, match="Give at least one"):
        truncation_errors(Ising(SQUARE, 2.0), [])
    with pytest.raises(UsageError, match="4 or more steps"):
        scaling_flow(Ising(SQUARE, 2.0), 4, steps=2)
    with pytest.raises(UsageError, match="relative step"):
        tensor_thermodynamics(Ising(SQUARE, 2.0), 4, step=1.0)


def test_the_flow_is_normalised():
    flow = tensor_flow(square_weights(Ising(SQUARE, 2.0, field=0.1)), 4, "hotrg")
    for stage in itertools.islice(flow, 6):
        assert np.linalg.norm(stage.tensor) == pytest.approx(1, abs=1e-14)
        assert stage.sites == 2**stage.step
