"""Stacked machines: their draws against enumerated conditionals, and greedy training."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from deeprg.coarsegrain.boltzmann import (
    RBM,
    BeliefNetwork,
    build_unit,
    fit_greedy,
    log_likelihood,
    log_partition,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError
from deeprg.train import Plan

KEY = jax.random.key(2)


def network(widths=(4, 3, 2), scale=0.6, seed=0):
    keys = jax.random.split(jax.random.key(seed), len(widths) - 1)
    return BeliefNetwork(
        tuple(
            RBM.create(n, m, scale=scale, dtype=jnp.float64, key=k)
            for n, m, k in zip(widths, widths[1:], keys, strict=False)
        )
    )


def spins(n):
    return np.array(list(itertools.product([1.0, -1.0], repeat=n)))


def transition(field, states):
    """p(state | field) of independent spins, [rows, states]."""
    weights = np.exp(np.asarray(field) @ states.T)
    return weights / weights.sum(1, keepdims=True)


def test_draws_upwards_and_downwards_have_the_laws_of_their_chains():
    made, other = network(), network(seed=1)
    v = np.array([1.0, -1.0, -1.0, 1.0])
    draws = np.asarray(made.up(jnp.tile(jnp.asarray(v), (20000, 1)), key=KEY))

    def law_up(net):
        middle = transition(net.machines[0].hidden_field(jnp.asarray(v[None])), spins(3))
        return (middle @ transition(net.machines[1].hidden_field(jnp.asarray(spins(3))), spins(2)))[0]

    def statistic(draws, states, law):
        counts = np.array([np.sum(np.all(draws == s, axis=1)) for s in states])
        return np.sum((counts - len(draws) * law) ** 2 / (len(draws) * law))

    assert statistic(draws, spins(2), law_up(made)) < chi2.isf(1e-4, 3)
    assert statistic(draws, spins(2), law_up(other)) > chi2.isf(1e-12, 3)

    top = np.array([1.0, -1.0])
    down = np.asarray(made.down(jnp.tile(jnp.asarray(top), (20000, 1)), mean=False, key=KEY))
    middle = transition(made.machines[1].visible_field(jnp.asarray(top[None])), spins(3))
    law = (middle @ transition(made.machines[0].visible_field(jnp.asarray(spins(3))), spins(4)))[0]
    assert statistic(down, spins(4), law) < chi2.isf(1e-4, 15)
    averages = np.asarray(made.down(jnp.tile(jnp.asarray(top), (20000, 1)), key=KEY))
    np.testing.assert_allclose(averages.mean(0), law @ spins(4), atol=4 / np.sqrt(20000))


def test_the_bound_is_what_enumeration_says_and_lies_below_ln_p():
    made = network(scale=0.8)
    lower, top = made.machines
    v, middle = spins(4), spins(3)
    q = transition(lower.hidden_field(jnp.asarray(v)), middle)  # [v, h]
    down = transition(lower.visible_field(jnp.asarray(middle)), v)  # [h, v]
    weights = np.exp(-np.asarray(top.free_energy(jnp.asarray(middle))))
    p_top = weights / weights.sum()
    exact = np.log(p_top @ down)
    bound = (q * (np.log(down.T) + np.log(p_top) - np.log(q))).sum(1)
    assert np.all(bound <= exact + 1e-12)
    assert (exact - bound).max() > 1e-3
    log_z = log_partition(top)
    assert log_z == pytest.approx(np.log(weights.sum()), abs=1e-12)
    many = jnp.tile(jnp.asarray(v), (4000, 1, 1))
    draws = np.asarray(made.log_bound(many, log_partition=log_z, key=KEY))
    error = draws.std(0) / np.sqrt(4000)
    assert np.all(np.abs(draws.mean(0) - bound) < 4.5 * error)
    # the twin: the entropy of q left out
    no_entropy = (q * (np.log(down.T) + np.log(p_top))).sum(1)
    assert np.all(np.abs(draws.mean(0) - no_entropy) > 4.5 * error)


def test_the_bound_of_one_machine_is_its_likelihood():
    machine = network((4, 3)).machines[0]
    found = BeliefNetwork((machine,)).log_bound(
        jnp.asarray(spins(4)), log_partition=log_partition(machine), key=KEY
    )
    np.testing.assert_allclose(found, log_likelihood(machine, spins(4)), atol=1e-12)


@pytest.mark.parametrize(
    ("visible", "hidden"), [("spin", "binary"), ("binary", "spin"), ("spin", "gaussian")]
)
def test_conditionals_and_joint_agree(visible, hidden):
    """ln p(h|v) + ln p(v) = ln p(v|h) + ln p(h) = -E - ln Z."""
    rng = np.random.default_rng(1)
    w, a, b = (jnp.asarray(rng.normal(size=n)) for n in ((4, 2), 4, 2))
    machine = RBM(w, a, b, build_unit(visible), build_unit(hidden))
    v = jnp.asarray(rng.choice([-1.0, 1.0] if visible == "spin" else [0.0, 1.0], size=(9, 4)))
    h = machine.sample_hidden(v, key=KEY)
    energy = -np.asarray(machine.energy(v, h))
    np.testing.assert_allclose(machine.hidden_log_prob(h, v) - machine.free_energy(v), energy, atol=1e-12)
    np.testing.assert_allclose(
        machine.visible_log_prob(v, h) - machine.hidden_free_energy(h), energy, atol=1e-12
    )


def test_coarse_graining_has_the_same_steps():
    made = network((16, 4, 1))
    rule = made.coarse_graining(Lattice((4, 4)), Lattice((2, 2)), Lattice((1, 1)))
    assert [link.coarse.shape for link in rule.links] == [(2, 2), (1, 1)]
    x = jnp.ones((4, 4))
    first = np.asarray(rule.links[0].mean(x)).ravel()
    np.testing.assert_allclose(first, np.tanh(np.asarray(made.machines[0].weights).sum(0)), atol=1e-12)


def test_greedy_training_feeds_each_machine_with_draws_of_the_layer_below():
    """Two copies of one hidden bit: the first layer finds it, the second keeps it."""
    rows = np.sign(np.random.default_rng(0).normal(size=(2000, 1)) * np.ones(6))
    keys = jax.random.split(KEY, 2)
    machines = [RBM.create(6, 2, scale=0.1, key=keys[0]), RBM.create(2, 1, scale=0.1, key=keys[1])]
    plan = Plan(steps=800, batch=50, learning_rate=0.1, optimiser="sgd", ema_decay=0.9, steps_per_call=50)
    trained, results = fit_greedy(machines, rows, [plan, plan], key=KEY)
    assert [result.reason for result in results] == ["done", "done"]
    up = trained.machines[0].hidden_mean(jnp.ones((1, 6), jnp.float32))
    assert np.abs(up).max() > 0.9
    two = jnp.asarray(np.stack([np.ones(6), -np.ones(6)]), jnp.float32)
    top = np.asarray(trained.up(jnp.repeat(two, 500, axis=0), key=KEY)).reshape(2, 500)
    assert abs(top[0].mean() - top[1].mean()) > 1.0
    untrained = np.asarray(BeliefNetwork(tuple(machines)).up(jnp.repeat(two, 500, axis=0), key=KEY))
    assert abs(untrained.reshape(2, 500).mean(1) @ np.array([1, -1])) < 0.4


def test_bad_input():
    a, b = RBM.create(4, 3, key=KEY), RBM.create(2, 1, key=KEY)
    with pytest.raises(UsageError, match="machine 1 ends with 3 'spin' units, but machine 2 starts with 2"):
        BeliefNetwork((a, b))
    with pytest.raises(UsageError, match="at least one machine"):
        BeliefNetwork(())
    with pytest.raises(UsageError, match=r"depth = 3 must be in 1 \.\.\. 2"):
        network().up(jnp.ones(4), depth=3, key=KEY)
    with pytest.raises(UsageError, match="1 plans for 2 machines"):
        fit_greedy(network().machines, np.ones((5, 4)), [Plan(steps=1)], key=KEY)
    with pytest.raises(UsageError, match="2 lattices for 3 layers"):
        network().coarse_graining(Lattice((2, 2)), Lattice((3,)))
