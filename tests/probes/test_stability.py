"""Monte Carlo RG against enumeration, published tables, and models away from criticality."""

import itertools

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import BlockAverage, Decimation, Majority, SpinFilter
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.simulation import Simulation
from deeprg.probes.spin_operators import SPIN_OPERATORS, SpinOperator, measure_operators, spin_operators
from deeprg.probes.stability import exact_stability, monte_carlo_rg, stability_matrix
from deeprg.runs.errors import NumericalError, UsageError

SQUARE = Ising(Lattice((4, 4)), temperature=CRITICAL_TEMPERATURE)


def majority(lattice):
    return Majority(lattice, ties="random")


def by_hand(operator, spins):
    """Sites and images one by one, in Python."""
    shape, total = spins.shape, 0
    for x in itertools.product(*map(range, shape)):
        for image in operator.images:
            product = 1
            for site in image:
                product *= spins[tuple((a + b) % n for a, b, n in zip(x, site, shape, strict=True))]
            total += product
    return total


@pytest.mark.parametrize("shape", [(12,), (5, 6), (4, 3, 5)])
def test_operators_are_sums_over_sites_and_images(shape):
    spins = np.random.default_rng(0).choice((-1, 1), size=(3, *shape))
    operators = [o for o in SPIN_OPERATORS[len(shape)] if o.name != "s s (2,0,0)"]
    measured = measure_operators(operators, spins, Lattice(shape))
    for row, one in zip(measured, spins, strict=True):
        assert row.tolist() == [by_hand(operator, one) for operator in operators]


def test_the_number_of_images():
    counts = {operator.name: len(operator.images) for operator in SPIN_OPERATORS[2]}
    assert counts == {
        "s": 1, "s s (1,0)": 2, "s s (1,1)": 2, "plaquette": 1, "s s (2,0)": 2, "s s (2,1)": 4, "diamond": 1,
        "s s (2,2)": 2, "corner": 4, "line": 2, "diamond corner": 4,
    }  # fmt: skip
    counts = {operator.name: len(operator.images) for operator in SPIN_OPERATORS[3]}
    assert (counts["s s (1,0,0)"], counts["plaquette"], counts["s s (1,1,1)"]) == (3, 3, 4)
    assert (counts["tetrahedron"], counts["corner"], counts["triangle"]) == (2, 12, 8)


def test_exact_exponents_of_4x4_to_2x2():
    """Sums over all 2^16 states, of a program that shares no code with this one."""
    even, odd = exact_stability(SQUARE, majority(SQUARE.lattice), even=2, odd=1)
    np.testing.assert_allclose(even.eigenvalues[0, 0], 1.8275004465, atol=1e-9)
    np.testing.assert_allclose(even.exponents[0, 0], 0.86987176, atol=1e-8)
    np.testing.assert_allclose(even.eigenvalues[1], [1.97613963, 0.18946808], atol=1e-8)
    np.testing.assert_allclose(even.exponents[1, 0], 0.98268489, atol=1e-8)
    np.testing.assert_allclose(odd.eigenvalues[0, 0], 3.6539967991, atol=1e-9)
    np.testing.assert_allclose(odd.exponents[0, 0], 1.86947537, atol=1e-8)
    even, odd = exact_stability(SQUARE, Decimation(SQUARE.lattice))
    np.testing.assert_allclose(even.eigenvalues[0, 0], 1.50946975, atol=1e-8)
    np.testing.assert_allclose([even.exponents[0, 0], odd.exponents[0, 0]], [0.594042, 1.930925], atol=1e-6)


@pytest.mark.parametrize("length", [6, 12])
def test_decimation_of_a_ring(length):
    """tanh K' = tanh(K)^2 has dK'/dK = 2 sinh 2K/... by hand, and it keeps one coupling."""
    coupling = 0.4
    ring = Ising(Lattice((length,)), temperature=1 / coupling)
    even, _ = exact_stability(ring, Decimation(ring.lattice))
    t = np.tanh(coupling)
    slope = 2 * t * (1 - t**2) / (1 - t**4)
    np.testing.assert_allclose(even.eigenvalues[0, 0], slope, rtol=1e-9)
    wrong = 2 * t  # twin: d tanh K'/d tanh K
    assert abs(even.eigenvalues[0, 0] - wrong) > 1e-2


def test_sampled_averages_meet_exact_ones():
    law = enumerate_distribution(SQUARE)
    drawn = np.random.default_rng(1).choice(len(law.states), 40_000, p=law.probabilities)
    exact = exact_stability(SQUARE, majority(SQUARE.lattice), even=2, odd=1)
    options = {"steps": 1, "even": 2, "odd": 1, "key": jax.random.key(0)}
    found = monte_carlo_rg(majority, SQUARE.lattice, law.states[drawn], **options)
    for one, truth in zip(found, exact, strict=True):
        pulls = (one.eigenvalues - truth.eigenvalues) / one.eigenvalue_errors
        assert np.nanmax(np.abs(pulls)) < 3.5
        assert np.nanmax(one.eigenvalue_errors) < 0.05
    turned = monte_carlo_rg(
        lambda lattice: SpinFilter(lattice, -np.ones((2, 2)), sharp=True),
        SQUARE.lattice,
        law.states[drawn],
        **options,
    )
    assert (
        abs(turned[1].eigenvalues[0, 0] - exact[1].eigenvalues[0, 0]) < 4 * turned[1].eigenvalue_errors[0, 0]
    )
    # Twin: the exact numbers of another rule.
    other = exact_stability(SQUARE, Decimation(SQUARE.lattice), even=2, odd=1)
    assert (
        abs(found[0].eigenvalues[0, 0] - other[0].eigenvalues[0, 0]) > 20 * found[0].eigenvalue_errors[0, 0]
    )


@pytest.fixture(scope="module")
def critical(tmp_path_factory):
    """20,000 critical configurations of 32x32, every fifth cluster."""
    plan = Simulation(
        "ising", (32, 32), (CRITICAL_TEMPERATURE,), algorithm="wolff", thin=5, samples=20_000
    ).plan()
    return simulate(plan, str(tmp_path_factory.mktemp("critical") / "E.zarr"))


# y_T with n = 1, 2, 3, 4 even operators and y_H with 1, 2, 4 odd ones, of 200,000 configurations of another
# program: majority, side 2, ties at random.
TABLE = {
    (32, False): ((0.9056, 0.9659, 0.9679, 0.9682), (20, 22, 22, 23)),
    (16, False): ((0.9533, 0.9978, 0.9994, 0.9970), (21, 17, 17, 20)),
    (8, False): ((0.9451, 0.9969, 0.9976, 0.9969), (24, 27, 28, 40)),
    (32, True): ((1.8807, 1.8803, None, 1.8811), (1, 1, 1, 1)),
    (16, True): ((1.8749, 1.8757, None, 1.8761), (1, 1, 1, 1)),
    (8, True): ((1.8709, 1.8738, None, 1.8745), (3, 3, 3, 3)),
}


def test_the_critical_ising_model(critical):
    found = monte_carlo_rg(majority, critical.lattice, critical, steps=3, key=jax.random.key(0), odd=4)
    assert [(step.fine.shape[0], step.odd) for step in found] == list(
        itertools.product((32, 16, 8), (False, True))
    )
    pulls = []
    for step in found:
        values, errors = TABLE[step.fine.shape[0], step.odd]
        for y, error, value, last in zip(
            step.exponents[:, 0], step.errors[:, 0], values, errors, strict=True
        ):
            if value is not None:
                pulls.append((y - value) / np.hypot(error, 1e-4 * last))
    assert np.abs(pulls).max() < 3.5
    assert np.mean(np.square(pulls)) < 2.5
    thermal = next(step for step in found if step.fine.shape == (16, 16) and not step.odd)
    assert thermal.errors[1, 0] < 0.01
    assert abs(thermal.exponents[1, 0] - 1) < 3 * thermal.errors[1, 0]
    assert critical.temperatures[0] == pytest.approx(CRITICAL_TEMPERATURE)


def test_away_from_criticality_the_exponents_leave(tmp_path):
    """Twin: at T = 3 the couplings flow to zero, and the matrix does not read the critical exponents."""
    plan = Simulation("ising", (32, 32), (3.0,), algorithm="wolff", thin=40, samples=20_000).plan()
    hot = simulate(plan, str(tmp_path / "E.zarr"))
    found = monte_carlo_rg(majority, hot.lattice, hot, steps=3, key=jax.random.key(0))
    last = [step for step in found if step.fine.shape == (8, 8)]
    assert last[0].exponents[1, 0] < 0.8
    assert last[1].exponents[0, 0] < 1.5


def test_a_power_of_the_matrix_is_one_larger_step():
    """With one operator that decimation keeps to itself, two steps of side 2 are one of side 4."""
    ring = Ising(Lattice((12,)), temperature=2.0)
    one, _ = exact_stability(ring, Decimation(ring.lattice))
    two, _ = exact_stability(ring, Decimation(ring.lattice, side=4))
    renormalised = Ising(Lattice((6,)), temperature=1 / np.arctanh(np.tanh(0.5) ** 2))
    second, _ = exact_stability(renormalised, Decimation(renormalised.lattice))
    np.testing.assert_allclose(two.matrix, second.matrix @ one.matrix, rtol=1e-9)


def test_singular_matrices_are_refused():
    with pytest.raises(NumericalError, match="does not fluctuate"):
        stability_matrix(np.diag([1.0, 0.0]), np.eye(2))
    with pytest.raises(NumericalError, match="linear combinations"):
        stability_matrix(np.ones((2, 2)), np.eye(2))


def spins(n=100, shape=(8, 8)):
    return np.random.default_rng(0).choice((-1.0, 1.0), size=(n, *shape))


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (BlockAverage, {}, "products of spins"),
        (majority, {"even": 9}, "in 2D there are 7"),
        (majority, {"even": 0, "odd": 0}, "needs an operator"),
        (majority, {"steps": 0}, "at least once"),
        (majority, {"steps": 2}, "does not fit on 2x2"),
        (majority, {"steps": 4, "even": 0, "odd": 1}, "do not tile"),
        (majority, {"blocks": 5}, "too few for an error"),
        (majority, {"blocks": 80}, "do not fill"),
    ],
)
def test_what_is_refused(rule, options, message):
    options = {"steps": 1, **options}
    with pytest.raises(UsageError, match=message):
        monte_carlo_rg(rule, Lattice((8, 8)), spins(), key=jax.random.key(0), **options)


def test_exact_averages_need_a_law_and_few_states():
    with pytest.raises(UsageError, match="has no ln p"):
        exact_stability(SQUARE, BlockAverage(SQUARE.lattice))
    chain = Ising(Lattice((26,)), temperature=1.0)
    with pytest.raises(UsageError, match=r"2\^13 states"):
        exact_stability(chain, Decimation(chain.lattice))


def test_operators_that_wrap_onto_themselves_are_refused():
    with pytest.raises(UsageError, match="two of its sites are the same"):
        SpinOperator("far", ((0, 0), (4, 0))).check(Lattice((4, 8)))
    assert len(spin_operators(Lattice((8, 8)), even=7, odd=4)) == 11
