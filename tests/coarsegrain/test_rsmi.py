"""RSMI: windows against loops, the bound against exact information, and the rules that it finds."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.information import (
    BlockReader,
    RetainedInformation,
    Surroundings,
    Windows,
    canonical_filters,
    fit_rsmi,
    retained_information,
)
from deeprg.exact import enumerate_distribution
from deeprg.exact.blocking import Decimation, Majority, Partition, beyond, block_environment
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.simulation import Simulation
from deeprg.runs.errors import UsageError
from deeprg.studies._kjr_find import gradients
from deeprg.train import Plan


@pytest.mark.parametrize(
    ("shape", "block"), [((9,), (2,)), ((6, 6), (2, 2)), ((5, 7), (1, 3)), ((4, 4, 5), (2,) * 3)]
)
def test_sites_of_block_and_environment(shape, block):
    lattice = Lattice(shape)
    around = Surroundings.on_lattice(lattice, block, buffer=1)
    inside = [int(np.ravel_multi_index(site, shape)) for site in itertools.product(*map(range, block))]
    assert around.block == tuple(inside)
    assert around.environment == beyond(lattice, inside, 1)
    frame = Surroundings.on_lattice(Lattice((10, 10)), (2, 2), buffer=1, environment=2)
    assert len(frame.environment) == 8**2 - 4**2


def test_a_ring_is_a_graph():
    ring = np.roll(np.eye(12), 1, axis=0) + np.roll(np.eye(12), -1, axis=0)
    graph = Surroundings.on_graph(ring, [0, 1], buffer=1, environment=2)
    lattice = Surroundings.on_lattice(Lattice((12,)), (2,), buffer=1, environment=2)
    assert (graph.block, graph.environment) == (lattice.block, lattice.environment)


@pytest.mark.parametrize("period", [1, 2])
def test_windows_are_the_configurations_moved(period):
    """Every row is that of a translation by a multiple of the period, and all of them occur."""
    shape, rng = (4, 6), np.random.default_rng(0)
    x = rng.integers(-100, 100, (3, *shape, 2))
    around = Surroundings.on_lattice(Lattice(shape), (2, 2), buffer=1)
    drawn = np.asarray(Windows(around, jnp.asarray(around.table(x)), period)(jax.random.key(0), 2000))
    known = set()
    for one, a, b in itertools.product(x, range(0, 4, period), range(0, 6, period)):
        sites = np.roll(one, (-a, -b), (0, 1)).reshape(24, 2)
        known.add(tuple(sites[list(around.block + around.environment)].reshape(-1).tolist()))
    assert {tuple(row) for row in drawn.tolist()} == known


def test_the_objective_is_the_information_for_the_true_conditional():
    """With q = p(h | e) the bound is I(H:E) of the drawn hidden spins; with another it is less."""
    ring = Ising(Lattice((8,)), temperature=2.0)
    law = enumerate_distribution(ring)
    around = Surroundings.on_lattice(ring.lattice, (2,), buffer=1)
    reader = BlockReader(jnp.array([[0.9, 0.3]], jnp.float32), None, 1)
    v, e = (law.states.reshape(256, 8)[:, list(sites)] for sites in (around.block, around.environment))
    p = np.exp(np.asarray(jax.vmap(reader.log_probabilities)(jnp.asarray(v, jnp.float32))), dtype=np.float64)
    code = (e < 0) @ (1 << np.arange(e.shape[1]))
    joint = np.zeros((2, 1 << e.shape[1]))
    for k in range(2):
        np.add.at(joint[k], code, law.probabilities * p[:, k])
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    exact = np.sum(joint * np.log(joint / product))
    conditional = jnp.asarray(np.log(joint / joint.sum(0)).T, jnp.float32)
    powers = jnp.asarray(1 << np.arange(e.shape[1]), jnp.int32)

    def truth(row):
        return conditional[(row < 0).astype(jnp.int32) @ powers]

    rng = np.random.default_rng(0)
    drawn = rng.choice(256, 400_000, p=law.probabilities)
    rows = jnp.asarray(np.concatenate([v, e], axis=1)[drawn])
    bound = -float(RetainedInformation(2)((reader, truth), rows)[0])
    assert bound == pytest.approx(exact, abs=4 * 0.4 / np.sqrt(400_000))
    assert -float(RetainedInformation(2)((reader, lambda row: 0.5 * truth(row)), rows)[0]) < bound - 0.003


def independent(model, shape, temperature, samples, folder, **options):
    plan = Simulation(model, shape, (temperature,), samples=samples, **options).plan()
    found = simulate(plan, str(folder / "E.zarr"))
    drawn = np.concatenate(list(found.configuration_blocks(0)), axis=1).reshape(-1, *shape)
    return drawn[np.random.default_rng(0).permutation(len(drawn))]


def test_in_one_dimension_the_rule_is_decimation(tmp_path):
    ring = Ising(Lattice((16,)), temperature=2.0)
    spins = independent("ising", (16,), 2.0, 200_000, tmp_path)
    around = Surroundings.on_lattice(ring.lattice, (2,), buffer=1, environment=2)
    plan = Plan(steps=1200, batch=1000, learning_rate=5e-3, steps_per_call=50)
    found = fit_rsmi(around, spins, plan, key=jax.random.key(0))
    weights = np.abs(np.asarray(found.reader.weights))[0]
    assert weights.max() > 2 * weights.min()  # the sign of one spin
    known = block_environment(ring, Partition.cubic(ring.lattice, 2), buffer=1)
    best, other = (known.information(rule).kept for rule in (Decimation(), Majority("random")))
    assert abs(found.retained.value - best) < 3.5 * found.retained.error
    assert found.retained.value > other + 3 * found.retained.error  # twin: the majority keeps less
    assert not found.retained.checked(known.present).exceeds_bound


def test_in_two_dimensions_the_rule_is_the_majority(tmp_path):
    """6x6 at T_c: the best of all odd rules is a majority, 0.46105 to 0.46157 nats; one spin keeps 0.3806."""
    spins = independent("ising", (6, 6), CRITICAL_TEMPERATURE, 400_000, tmp_path, algorithm="wolff", thin=8)
    around = Surroundings.on_lattice(Lattice((6, 6)), (2, 2), buffer=1)
    plan = Plan(steps=1500, batch=1000, learning_rate=5e-3, steps_per_call=50)
    found = fit_rsmi(around, spins, plan, key=jax.random.key(0))
    weights = np.asarray(found.reader.weights)[0]
    assert np.abs(weights).max() < 1.5 * np.abs(weights).min()
    assert np.all(np.sign(weights) == np.sign(weights[0]))
    assert abs(found.retained.value - 0.4613) < max(0.01 * 0.4613, 3 * found.retained.error)
    assert found.retained.error < 0.003
    assert not found.retained.checked(0.54940140).exceeds_bound
    # Twin: one spin of the block, judged in the same way.
    one = BlockReader(jnp.array([[1.0, 0, 0, 0]], jnp.float32), None, 1)
    kept = retained_information(one, around, spins, plan, key=jax.random.key(1))
    assert abs(kept.value - 0.38056554) < max(0.01 * 0.3806, 3 * kept.error)


def test_canonical_filters_are_the_best_linear_pair():
    """Correlations of a Gaussian with a known cross covariance, and a constraint that is no direction."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(20_000, 2))
    v = hidden @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -0.5]])
    v = np.concatenate([v, -v.sum(axis=1, keepdims=True)], axis=1)  # the four add to nothing
    e = hidden * [0.8, 0.3] + rng.normal(size=(20_000, 2)) * [0.6, 0.954]
    filters, correlations = canonical_filters(v, e, 2)
    np.testing.assert_allclose(correlations, [0.8, 0.3], atol=0.02)
    read = v @ filters.T
    np.testing.assert_allclose(np.cov(read, rowvar=False), np.eye(2), atol=0.02)
    assert abs(np.corrcoef(read[:, 0], hidden[:, 0])[0, 1]) > 0.99
    with pytest.raises(UsageError, match="in 2 and 2 directions"):
        canonical_filters(v, e, 3)
    with pytest.raises(UsageError, match="twice as many"):
        canonical_filters(v[:8], e[:8], 1)


@pytest.mark.slow
def test_dimers_are_read_by_their_height_gradients(tmp_path):
    """24x24: both units read the electric fields, one each; unlike filters at random."""
    bonds = independent("dimers", (24, 24), 15.0, 6000, tmp_path)
    bonds = np.where(np.stack([bonds == 0, bonds == 2], axis=-1), 1, -1).astype(np.int8)
    around = Surroundings.on_lattice(Lattice((24, 24)), (8, 8), buffer=4, environment=4)
    plan = Plan(steps=800, batch=500, learning_rate=3e-3, steps_per_call=20)
    found = fit_rsmi(around, bonds, plan, hidden=2, period=2, key=jax.random.key(0))
    fields = gradients(Lattice((8, 8))).reshape(2, -1) / 8
    weights = np.asarray(found.reader.weights)
    overlap = weights @ fields.T / np.linalg.norm(weights, axis=1)[:, None]
    assert np.linalg.norm(overlap, axis=1).min() > 0.93
    assert abs(np.linalg.det(overlap)) > 0.7  # two directions
    assert found.retained.value > 0.12
    assert not found.retained.flags


def test_independent_spins_keep_nothing():
    spins = np.random.default_rng(0).choice((-1, 1), size=(20_000, 8))
    around = Surroundings.on_lattice(Lattice((8,)), (2,), buffer=1)
    plan = Plan(steps=300, batch=500, learning_rate=5e-3, steps_per_call=50)
    found = fit_rsmi(around, spins, plan, hidden=2, width=8, key=jax.random.key(0))
    assert found.retained.value < 3 * found.retained.error
    assert found.retained.value > -0.01


SQUARE = Lattice((8, 8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Surroundings.on_lattice(SQUARE, (2, 2), buffer=3), "leaves no environment"),
        (lambda: Surroundings.on_lattice(SQUARE, (2, 2), buffer=2, environment=2), "overlaps itself"),
        (lambda: Surroundings.on_lattice(SQUARE, (2, 9), buffer=1), "overlaps itself"),
        (lambda: Surroundings.on_lattice(SQUARE, (2,), buffer=1), "is none for the lattice"),
        (lambda: Surroundings.on_lattice(SQUARE, (2, 2), buffer=-1), "0 or more"),
        (lambda: Surroundings.on_lattice(SQUARE, (2, 2), buffer=1, environment=0), "1 or more"),
        (lambda: Surroundings.on_graph(np.ones((3, 4)), [0], buffer=0), "symmetric matrix"),
        (lambda: Surroundings.on_graph(np.ones((3, 3)), [0, 0], buffer=0), "different sites"),
        (lambda: Surroundings.on_graph(np.ones((3, 3)), [3], buffer=0), "from 0 to 2"),
        (lambda: Surroundings.on_graph(np.ones((3, 3)), [0], buffer=1), "leaves no environment"),
        (lambda: BlockReader.create(4, 11, key=jax.random.key(0)), "2\\^11 states"),
        (lambda: BlockReader.create(4, 0, key=jax.random.key(0)), "from 1 to 10"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize(
    ("configurations", "options", "message"),
    [
        (np.ones((2000, 5)), {}, "not a multiple of 8"),
        (np.ones((500, 8)), {}, "500 configurations are too few"),
        (np.full((2000, 8), np.nan), {}, "NaN"),
        (np.ones((2000, 8)), {"held_out": 1.0}, "between 0 and 1"),
        (np.ones((2000, 8)), {"period": 3}, "does not divide"),
    ],
)
def test_configurations_that_do_not_serve_are_refused(configurations, options, message):
    around = Surroundings.on_lattice(Lattice((8,)), (2,), buffer=1)
    plan = Plan(steps=1, batch=10)
    with pytest.raises(UsageError, match=message):
        fit_rsmi(around, configurations, plan, key=jax.random.key(0), **options)
