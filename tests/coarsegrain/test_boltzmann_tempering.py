"""Tempering over scaled weights and along a training, against the laws of machines with two modes."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from deeprg.coarsegrain.boltzmann import (
    RBM,
    Potts,
    parallel_tempering,
    trajectory_tempering,
)
from deeprg.runs.errors import NumericalError, UsageError

OPTIMISED = True
KEY = jax.random.key(5)
CHAINS, SITES = 4000, 6


def states(unit):
    values = {"spin": [1.0, -1.0], "binary": [0.0, 1.0]}[unit]
    return np.array(list(itertools.product(values, repeat=SITES)))


def law(machine, every):
    """p(v) by summing over every (v, h) term by term: no closed form of the package."""
    hidden = np.array(list(itertools.product(machine.hidden.states.ravel(), repeat=machine.n_hidden)))
    w, a, b = (np.asarray(x) for x in (machine.weights, machine.visible_bias, machine.hidden_bias))
    weights = np.exp(every @ w @ hidden.T + (every @ a)[:, None] + hidden @ b).sum(axis=1)
    return weights / weights.sum()


def bimodal(unit="spin", strength=1.0):
    """Nearly all units alike, either way: two modes of unequal weight that Gibbs does not connect."""
    rng = np.random.default_rng(1)
    weights = strength * (0.75 + 0.1 * rng.normal(size=(SITES, 3)))
    a, b = 0.06 * rng.normal(size=SITES) + 0.04, np.zeros(3)
    if unit == "binary":  # the same law in bits
        a, b, weights = 2 * a - 2 * weights.sum(1), 2 * b - 2 * weights.sum(0), 4 * weights
    made = RBM.create(SITES, 3, visible_unit=unit, hidden_unit=unit, dtype=jnp.float64, key=KEY)
    arrays = jnp.asarray(weights), jnp.asarray(a), jnp.asarray(b)
    return eqx.tree_at(lambda m: (m.weights, m.visible_bias, m.hidden_bias), made, arrays)


def p_value(samples, probabilities, every):
    """Chi-squared of independent draws; states with fewer than 5 expected draws are one class."""
    match = (samples[:, None, :] == every[None]).all(-1)
    assert match.any(-1).all()
    counts, expected = match.sum(0), len(samples) * probabilities
    rare = expected < 5
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    return scipy.stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


def up(count=CHAINS):
    return np.ones((count, SITES))


@pytest.mark.parametrize("unit", ["spin", "binary"])
def test_parallel_tempering_draws_the_enumerated_law_where_gibbs_is_stuck(unit):
    machine, every = bimodal(unit), states(unit)
    exact = law(machine, every)
    found = parallel_tempering(machine, betas=7, burn_in=150, start=up(), key=KEY)
    assert p_value(found.samples[-1], exact, every) > 0.001
    assert 0.05 < found.swap_rates.min() <= found.swap_rates.max() <= 1
    assert found.renewals > 2 * CHAINS
    stuck = machine.gibbs(jnp.asarray(up()), steps=150, key=KEY)
    assert p_value(np.asarray(stuck), exact, every) < 1e-100  # the twin: the same rounds without exchanges
    assert p_value(found.samples[-1], law(bimodal(unit, 0.9), every), every) < 1e-6  # another target


def test_the_machines_between_have_their_own_laws():
    machine, every = bimodal(), states("spin")
    data, betas = np.concatenate([up(6), -up(5)]), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    found = parallel_tempering(machine, betas=betas, burn_in=120, data=data, start=up(), key=KEY)
    mean = (data.sum(0)) / (len(data) + 1)  # one more row with the mean of a free spin, 0
    w, a, b = (np.asarray(x) for x in (machine.weights, machine.visible_bias, machine.hidden_bias))
    for rung, beta in enumerate(betas):
        arrays = beta * w, (1 - beta) * np.arctanh(mean) + beta * a, b + (1 - beta) * w.T @ mean
        mixed = RBM(*(jnp.asarray(x) for x in arrays), machine.visible, machine.hidden)
        assert p_value(found.replicas[rung], law(mixed, every), every) > 0.001
    assert p_value(found.replicas[2], law(machine, every), every) < 1e-6


def test_swap_rates_are_the_mean_metropolis_ratio():
    low, high = bimodal(strength=0.3), bimodal(strength=0.5)
    every = states("spin")
    found = trajectory_tempering([low, high], chains=2000, draws=50, burn_in=20, key=KEY)
    p, q = law(low, every), law(high, every)
    expected = np.minimum(np.outer(p, q), np.outer(q, p)).sum()  # p(x) q(y), and q(x) p(y) after the swap
    assert found.swap_rates.shape == (1,)
    assert abs(found.swap_rates[0] - expected) < 5 * np.sqrt(expected * (1 - expected) / (35 * 2000))


@pytest.fixture(scope="module")
def trajectory():
    """Checkpoints of a training by the exact gradient on data with two modes."""
    every = jnp.asarray(states("spin"))
    size = every.sum(1)
    target = jax.nn.softmax(jnp.abs(size) + 0.08 * size)

    def step(machine, _):
        def loss(machine):
            F = machine.free_energy(every)
            return target @ F + jax.nn.logsumexp(-F)

        moved = jax.tree.map(lambda x, g: x - 0.1 * g, machine, jax.grad(loss)(machine))
        return moved, moved

    machine = RBM.create(SITES, 4, dtype=jnp.float64, key=KEY)
    _, path = jax.jit(lambda m: jax.lax.scan(step, m, length=400))(machine)
    later = [jax.tree.map(lambda x, t=t: x[t], path) for t in (10, 20, 30, 40, 60, 90, 140, 220, 399)]
    return [machine, *later]


@pytest.mark.slow
def test_trajectory_tempering_draws_the_enumerated_law_of_a_trained_machine(trajectory):
    every = states("spin")
    exact = law(trajectory[-1], every)
    found = trajectory_tempering(trajectory, burn_in=200, start=up(), key=KEY)
    assert p_value(found.samples[-1], exact, every) > 0.001
    assert found.swap_rates.min() > 0.2
    assert found.renewals > CHAINS
    stuck = trajectory[-1].gibbs(jnp.asarray(up()), steps=20, key=KEY)
    assert p_value(np.asarray(stuck), exact, every) < 1e-6
    assert p_value(found.samples[-1], law(trajectory[1], every), every) < 1e-6


def test_draws_of_one_run_and_its_continuation():
    machine, every = bimodal(), states("spin")
    first = parallel_tempering(machine, betas=7, burn_in=100, start=up(), key=KEY)
    again = parallel_tempering(
        machine, betas=7, draws=3, thin=20, burn_in=0, start=first.replicas, key=jax.random.key(9)
    )
    assert again.samples.shape == (3, CHAINS, SITES)
    assert np.array_equal(again.samples[-1], again.replicas[-1])
    for draw in again.samples:
        assert p_value(draw, law(machine, every), every) > 0.001


def test_potts_units_and_single_precision():
    machine = RBM.create(3, 2, visible_unit=Potts(3), hidden_unit="binary", scale=2.0, key=KEY)
    found = parallel_tempering(machine, betas=5, chains=4000, burn_in=50, key=KEY)
    assert found.samples.dtype == np.float32
    every = np.array([np.eye(3)[list(c)].ravel() for c in itertools.product(range(3), repeat=3)])
    exact = law(jax.tree.map(lambda x: x.astype(jnp.float64), machine), every)
    assert p_value(found.samples[-1], exact, every) > 0.001


def test_what_cannot_be_a_ladder_is_refused():
    machine = bimodal()
    other = RBM.create(SITES, 2, dtype=jnp.float64, key=KEY)
    cases = [
        ("two machines", lambda: trajectory_tempering([machine], key=KEY)),
        ("Machine 1 .* 2 'spin'", lambda: trajectory_tempering([machine, other], key=KEY)),
        ("data has shape", lambda: parallel_tempering(machine, data=np.ones((3, 2)), key=KEY)),
        ("rise strictly", lambda: parallel_tempering(machine, betas=[0.0, 0.5, 0.5, 1.0], key=KEY)),
        ("rise strictly", lambda: parallel_tempering(machine, betas=[0.1, 1.0], key=KEY)),
        ("betas = 1 ", lambda: parallel_tempering(machine, betas=1, key=KEY)),
        ("chains = 0", lambda: parallel_tempering(machine, chains=0, key=KEY)),
        ("draws = 0", lambda: parallel_tempering(machine, draws=0, key=KEY)),
        ("thin = 0", lambda: parallel_tempering(machine, thin=0, key=KEY)),
        ("burn_in = -1", lambda: parallel_tempering(machine, burn_in=-1, key=KEY)),
        (r"shape \(6,\)", lambda: parallel_tempering(machine, start=np.ones(6), key=KEY)),
        ("start holds 0", lambda: parallel_tempering(machine, start=np.zeros((2, 6)), key=KEY)),
    ]
    for message, call in cases:
        with pytest.raises(UsageError, match=message):
            call()
    wild = RBM.create(4, 3, visible_unit="gaussian", hidden_unit="gaussian", scale=2.0, key=KEY)
    with pytest.raises(NumericalError, match="singular value"):
        parallel_tempering(wild, key=KEY)
