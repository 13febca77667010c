"""A Boltzmann machine as a coarse-graining, and its flow, against the enumerated conditional law."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from deeprg.coarsegrain.boltzmann import (
    RBM,
    BoltzmannLayer,
    DeepBoltzmannLayer,
    DeepBoltzmannMachine,
    Potts,
    rbm_flow,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(5)
FINE, COARSE = Lattice((2, 2)), Lattice((2, 1))


def machine(unit="spin", seed=0, **options):
    return RBM.create(4, 2, visible_unit=unit, hidden_unit="spin", scale=0.7, dtype=jnp.float64,
                      key=jax.random.key(seed), **options)  # fmt: skip


def law(rbm, v):
    """p(h | v) of both hidden spins from the energies of all four states."""
    states = np.array(list(itertools.product([1.0, -1.0], repeat=2)))
    energies = np.array([float(rbm.energy(v, jnp.asarray(h))) for h in states])
    weights = np.exp(-energies)
    return states, weights / weights.sum()


@pytest.mark.parametrize("unit", ["spin", "binary"])
def test_draws_mean_and_log_prob_are_those_of_the_conditional_law(unit):
    rbm = machine(unit)
    layer = BoltzmannLayer(rbm, FINE, COARSE)
    x = jnp.asarray([[1.0, -1.0], [-1.0, -1.0]])
    v = x.reshape(-1) if unit == "spin" else 0.5 * (x.reshape(-1) + 1)
    states, p = law(rbm, v)
    np.testing.assert_allclose(layer.mean(x).ravel(), p @ states, atol=1e-13)
    logs = [float(layer.log_prob(jnp.asarray(h).reshape(2, 1), x)) for h in states]
    np.testing.assert_allclose(logs, np.log(p), atol=1e-12)
    draws = jax.vmap(lambda key: layer.coarsen(x, key=key))(jax.random.split(KEY, 20000)).reshape(-1, 2)
    counts = np.array([np.sum(np.all(np.asarray(draws) == h, axis=1)) for h in states])

    def statistic(p):
        return np.sum((counts - 20000 * p) ** 2 / (20000 * p))

    assert statistic(p) < chi2.isf(1e-4, 3)
    assert statistic(law(machine(unit, seed=1), v)[1]) > chi2.isf(1e-12, 3)


@pytest.mark.parametrize("unit", ["spin", "binary", Potts(3)])
def test_refine_gives_configurations_that_coarsen_takes(unit):
    rbm = machine(unit)
    layer = BoltzmannLayer(rbm, FINE, COARSE)
    fine = layer.refine(jnp.ones((2, 1)), key=KEY)
    assert fine.shape == (2, 2)
    layer.check(np.asarray(fine))
    draws = jax.vmap(lambda key: layer.refine(jnp.ones((2, 1)), key=key))(jax.random.split(KEY, 20000))
    field = np.asarray(rbm.visible_field(jnp.ones(2)))
    if isinstance(unit, Potts):
        weights = np.exp(field.reshape(4, 3))
        exact = (weights / weights.sum(1, keepdims=True)) @ np.arange(3.0)
    else:
        exact = np.tanh(field if unit == "spin" else field / 2)
    error = np.asarray(draws).reshape(-1, 4).std(0) / np.sqrt(20000)
    assert np.all(np.abs(np.asarray(draws).reshape(-1, 4).mean(0) - exact) < 4 * error)


def test_flow_reaches_the_law_of_the_machine_from_any_start():
    rbm = RBM.create(4, 3, scale=0.6, dtype=jnp.float64, key=KEY)
    states = jnp.asarray(list(itertools.product([1.0, -1.0], repeat=4)))
    p = np.asarray(jax.nn.softmax(-rbm.free_energy(states)))
    code = np.array([8.0, 4.0, 2.0, 1.0])
    order = np.argsort(-((np.asarray(states) + 1) / 2) @ code)
    for start in (jnp.ones((20000, 4)), -jnp.ones((20000, 4))):
        stages = list(rbm_flow(rbm, start, length=30, every=30, key=KEY))
        assert [n for n, _ in stages] == [0, 30]
        assert np.array_equal(stages[0][1], start)
        found = ((np.asarray(stages[-1][1]) + 1) / 2) @ code
        counts = np.bincount(found.astype(int), minlength=16)[::-1]
        assert np.sum((counts - 20000 * p[order]) ** 2 / (20000 * p[order])) < chi2.isf(1e-4, 15)


def test_flow_of_means_is_the_deterministic_map():
    rbm = machine()
    v = jnp.asarray([[1.0, -1.0, 1.0, 1.0]])
    by_hand = v
    for _ in range(3):
        by_hand = jnp.tanh(jnp.tanh(by_hand @ rbm.weights) @ rbm.weights.T)
    (_, _), (_, last) = rbm_flow(rbm, v, length=3, every=3, mean=True, key=KEY)
    np.testing.assert_allclose(last, by_hand, atol=1e-14)


def deep(seed=0, scale=0.9):
    return DeepBoltzmannMachine.create((4, 2, 2), scale=scale, dtype=jnp.float64, key=jax.random.key(seed))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_layer_of_a_deep_machine_is_drawn_given_the_fine_spins(depth):
    """p(x_l | x_0) by summing the joint law over the states of both hidden layers."""
    x = jnp.asarray([[1.0, -1.0], [1.0, 1.0]])
    pairs = np.array(list(itertools.product([1.0, -1.0], repeat=4)))
    both = jnp.asarray(pairs[:, :2]), jnp.asarray(pairs[:, 2:])
    v = jnp.broadcast_to(x.reshape(-1), (16, 4))

    def law(made):
        weights = np.exp(-np.asarray(made.energy((v, *both))))
        joint = (weights / weights.sum()).reshape(4, 4)
        return joint.sum(1 if depth == 1 else 0)

    layer = DeepBoltzmannLayer(deep(), FINE, COARSE, depth=depth)
    assert layer.coarse == COARSE
    draws = np.asarray(jax.vmap(lambda key: layer.coarsen(x, key=key))(jax.random.split(KEY, 20000)))
    states = pairs[::4, :2]
    counts = np.array([np.sum(np.all(draws.reshape(-1, 2) == h, axis=1)) for h in states])

    def statistic(p):
        return np.sum((counts - 20000 * p) ** 2 / (20000 * p))

    assert statistic(law(deep())) < chi2.isf(1e-4, 3)
    assert statistic(law(deep(seed=1))) > chi2.isf(1e-12, 3)
    # with weak couplings the mean field is the mean
    weak = deep(scale=0.01)
    mean = DeepBoltzmannLayer(weak, FINE, COARSE, depth=depth).mean(x)
    np.testing.assert_allclose(np.asarray(mean).ravel(), law(weak) @ states, atol=1e-5)


def test_one_hidden_layer_is_a_boltzmann_layer():
    made = DeepBoltzmannMachine.create((4, 2), scale=0.7, dtype=jnp.float64, key=KEY)
    machine = RBM(made.weights[0], *made.biases, *made.units)
    x = jnp.asarray([[1.0, -1.0], [1.0, 1.0]])
    found = DeepBoltzmannLayer(made, FINE, COARSE).mean(x)
    np.testing.assert_allclose(found, BoltzmannLayer(machine, FINE, COARSE).mean(x), atol=1e-13)


def test_bad_input_of_deep_layers():
    with pytest.raises(UsageError, match=r"depth = 3 must be in 1 \.\.\. 2"):
        DeepBoltzmannLayer(deep(), FINE, COARSE, depth=3)
    with pytest.raises(UsageError, match="rounds = 0"):
        DeepBoltzmannLayer(deep(), FINE, COARSE, rounds=0)
    with pytest.raises(UsageError, match=r"2 units \(layer 2\), but the lattice 2x2 has 4"):
        DeepBoltzmannLayer(deep(), FINE, FINE, depth=2)
    with pytest.raises(UsageError, match="holds 0"):
        DeepBoltzmannLayer(deep(), FINE).check(np.zeros((2, 2)))


def test_bad_input():
    rbm = machine()
    with pytest.raises(UsageError, match="4 visible units, but the lattice 3x2 has 6 sites"):
        BoltzmannLayer(rbm, Lattice((3, 2)), COARSE)
    with pytest.raises(UsageError, match="2 hidden units, but the lattice 2x2"):
        BoltzmannLayer(rbm, FINE, FINE)
    with pytest.raises(UsageError, match="Potts hidden"):
        BoltzmannLayer(RBM.create(4, 2, hidden_unit=Potts(3), key=KEY), FINE, COARSE)
    with pytest.raises(UsageError, match="holds 0"):
        BoltzmannLayer(machine("binary"), FINE, COARSE).check(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="holds 3"):
        BoltzmannLayer(machine(Potts(3)), FINE, COARSE).check(np.full((2, 2), 3.0))
    with pytest.raises(UsageError, match="length = -1"):
        list(rbm_flow(rbm, jnp.ones((1, 4)), length=-1, key=KEY))
