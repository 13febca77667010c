"""RSMI of Potts spins, with hidden units of q states, and of Ising spins in space."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import rel_entr

from deeprg.coarsegrain.information import (
    BlockReader,
    RetainedInformation,
    Surroundings,
    enumerated_information,
    fit_rsmi,
    one_hot,
    retained_information,
)
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Potts
from deeprg.lattice import Lattice
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.simulation import Simulation
from deeprg.train import Plan

OPTIMISED = True  # searches run longer than they compile
Q, K = 3, 1.2
PLAN = Plan(steps=300, batch=1000, learning_rate=0.01, steps_per_call=50)
CHAIN = Surroundings(8, block=(3, 4), environment=(1, 6))  # of an open chain: the law of the infinite one
FIRST = BlockReader(jnp.asarray(np.eye(6)[:Q], jnp.float32), None, 1, Q)


def joint():
    """p(v1 v2; e1 e2) [9, 9] of the infinite chain, by its transfer matrix, a buffer of one."""
    step = np.where(np.eye(Q) > 0, np.exp(K), 1.0) / (np.exp(K) + Q - 1)
    far = step @ step
    return (np.einsum("ea,ab,bf->abef", far, step, far) / Q).reshape(Q * Q, Q * Q)


def information(table):
    return float(rel_entr(table, table.sum(1, keepdims=True) * table.sum(0, keepdims=True)).sum())


def kept(states):
    """I(H:E) of a map of the nine blocks to states."""
    return information(np.eye(Q)[np.asarray(states)].T @ joint())


def chain(n, seed=0):
    rng = np.random.default_rng(seed)
    same = rng.random((n, 8)) < np.exp(K) / (np.exp(K) + Q - 1)
    steps = np.where(same, 0, rng.integers(1, Q, (n, 8)))
    return (np.cumsum(steps, axis=1) + rng.integers(0, Q, (n, 1))) % Q


BLOCKS = np.array(list(itertools.product(range(Q), repeat=2)))


def states_of(reader):
    rows = one_hot(BLOCKS, Q).reshape(len(BLOCKS), -1)
    return np.asarray(reader.sharp(jnp.asarray(rows, jnp.float32)))


def test_of_all_maps_decimation_keeps_the_most():
    found = {states: kept(states) for states in itertools.product(range(Q), repeat=Q * Q)}
    best = max(found.values())
    assert kept(BLOCKS[:, 0]) == pytest.approx(best, rel=1e-12)
    assert kept(np.where(BLOCKS[:, 0] == BLOCKS[:, 1], BLOCKS[:, 0], 0)) < 0.95 * best  # twin
    np.testing.assert_array_equal(states_of(FIRST), BLOCKS[:, 0])


def test_listing_all_states_of_a_ring():
    """A ring of eight: two routes, all 6561 states and powers of the transfer matrix."""
    law = enumerate_distribution(Potts(Lattice((8,)), temperature=1 / K, states=Q))
    around = Surroundings.on_lattice(Lattice((8,)), (2,), buffer=1, environment=1)
    step = np.where(np.eye(Q) > 0, np.exp(K), 1.0)
    power = np.linalg.matrix_power
    table = np.einsum("ea,ab,bf,fe->abef", power(step, 2), step, power(step, 2), power(step, 3))
    table = table.reshape(9, 9) / table.sum()
    rows = one_hot(law.states, Q)
    assert enumerated_information(around, rows, law.probabilities) == pytest.approx(
        information(table), rel=1e-9
    )
    by_first = table.reshape(3, 3, 9).sum(axis=1)
    found = enumerated_information(around, rows, law.probabilities, FIRST)
    assert found == pytest.approx(information(by_first), rel=1e-9)


@pytest.mark.parametrize("hidden", [1, 2])
def test_probabilities_are_products_of_softmaxes(hidden):
    reader = BlockReader.create(6, hidden, kinds=Q, key=jax.random.key(1))
    v = np.random.default_rng(0).normal(size=6).astype(np.float32)
    found = np.exp(np.asarray(reader.log_probabilities(jnp.asarray(v)), np.float64))
    f = (np.asarray(reader.weights, np.float64) @ v).reshape(hidden, Q)
    units = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    expected = [np.prod(units[range(hidden), h]) for h in itertools.product(range(Q), repeat=hidden)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert int(reader.sharp(jnp.asarray(v[None]))[0]) == int(np.argmax(expected))


def test_the_objective_is_the_information_for_the_true_conditional():
    rows = one_hot(np.array(list(itertools.product(range(Q), repeat=4))), Q).reshape(81, -1)
    p = np.asarray(jax.nn.softmax(jnp.asarray(rows[::9, :6] @ np.asarray(FIRST.weights).T)), np.float64)
    table = p.T @ joint()
    conditional = jnp.asarray(np.log(table / table.sum(0)).T, jnp.float32)  # [e, h]

    def truth(e):
        return conditional[jnp.argmax(e[:Q]) * Q + jnp.argmax(e[Q:])]

    numbers = np.random.default_rng(0).choice(81, 400_000, p=joint().reshape(-1))
    bound = -float(RetainedInformation(6)((FIRST, truth), jnp.asarray(rows[numbers]))[0])
    assert bound == pytest.approx(information(table), abs=4 * 0.1 / np.sqrt(400_000))
    assert bound != pytest.approx(1.2 * information(table), abs=4 * 0.1 / np.sqrt(400_000))  # twin


def test_decimation_is_judged_by_its_exact_information():
    found = retained_information(FIRST, CHAIN, one_hot(chain(100_000), Q), PLAN, key=jax.random.key(0))
    exact = kept(BLOCKS[:, 0])
    assert abs(found.value - exact) < 3.5 * found.error
    assert found.error < 0.003
    assert not found.checked(exact).exceeds_bound
    assert abs(found.value - information(joint())) > 3.5 * found.error  # twin: I(V:E)


@pytest.mark.slow
def test_the_best_of_some_searches_is_decimation():
    """Ties of two states may be given to either spin: the searches have local optima."""
    rows = one_hot(chain(150_000), Q)
    plan = Plan(steps=800, batch=1000, learning_rate=0.01, steps_per_call=50)
    found = [
        fit_rsmi(CHAIN, rows, plan, kinds=Q, mixed=True, judging=PLAN, key=jax.random.key(seed))
        for seed in range(3)
    ]
    best = max(found, key=lambda one: one.retained.value)
    states = states_of(best.reader)
    assert kept(states) == pytest.approx(kept(BLOCKS[:, 0]), rel=1e-9)
    assert len(np.unique(states)) == Q
    for one in found:
        assert not one.retained.checked(kept(BLOCKS[:, 0])).exceeds_bound


@pytest.mark.slow
def test_in_space_the_filter_is_uniform(tmp_path):
    """6x6x6 near T_c, blocks of 2x2x2: as much information as the majority."""
    plan = Simulation("ising", (6, 6, 6), (4.5115,), samples=20_000, algorithm="wolff", thin=4).plan()
    found = simulate(plan, str(tmp_path / "E.zarr"))
    spins = np.concatenate(list(found.configuration_blocks(0)), axis=1).reshape(-1, 6, 6, 6)
    spins = spins[np.random.default_rng(0).permutation(len(spins))]
    around = Surroundings.on_lattice(Lattice((6, 6, 6)), (2, 2, 2), buffer=1, environment=1)
    assert len(around.environment) == 6**3 - 4**3
    rsmi = fit_rsmi(around, spins, PLAN, key=jax.random.key(0))
    weights = np.asarray(rsmi.reader.weights)[0]
    assert abs(weights.sum()) / np.linalg.norm(weights) / np.sqrt(8) > 0.97
    assert np.ptp(np.sign(weights)) == 0
    majority = BlockReader(jnp.asarray([[1.2] + [1.0] * 7], jnp.float32), None, 1)  # ties by one spin
    kept = retained_information(majority, around, spins, PLAN, key=jax.random.key(1))
    assert abs(rsmi.retained.value - kept.value) < 3 * np.hypot(rsmi.retained.error, kept.error)
    one = BlockReader(jnp.asarray([[1.0] + [0.0] * 7], jnp.float32), None, 1)
    less = retained_information(one, around, spins, PLAN, key=jax.random.key(2))
    assert less.value < kept.value - 5 * np.hypot(less.error, kept.error)  # twin
