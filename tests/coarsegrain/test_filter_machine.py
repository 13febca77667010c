"""The one-filter machine: its law by enumeration, its training, and the rule that it is on other lattices."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.boltzmann import FilterDivergence, FilterMachine, fit_filter
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError
from deeprg.train import Plan


def states(shape):
    return np.array(list(itertools.product((1.0, -1.0), repeat=int(np.prod(shape)))), np.float32).reshape(
        -1, *shape
    )


@pytest.mark.parametrize(("shape", "side"), [((8,), 4), ((2, 4), 2), ((4, 4), 3)])
def test_the_free_energy_is_the_sum_over_hidden_spins(shape, side):
    weights = np.random.default_rng(0).normal(size=(side,) * len(shape)).astype(np.float32)
    machine = FilterMachine(Lattice(shape), jnp.asarray(weights))
    for v in states(shape)[:: 1 << (np.prod(shape) - 4)]:
        field = np.asarray(machine.rule().field(jnp.asarray(v))).reshape(-1)
        energies = [-np.dot(h, field) for h in itertools.product((1, -1), repeat=field.size)]
        total = -np.log(np.sum(np.exp(-np.array(energies))))
        assert float(machine.free_energy(jnp.asarray(v))) == pytest.approx(total, rel=1e-5)


def test_gibbs_sampling_keeps_the_law():
    """Draws of the exact law are draws of it after one round; a machine with other weights moves them."""
    shape, rng = (8,), np.random.default_rng(1)
    machine = FilterMachine(Lattice(shape), jnp.array([0.3, 0.6, -0.4, 0.2]))
    all_states = states(shape)
    weights = np.exp(-np.asarray(jax.vmap(machine.free_energy)(jnp.asarray(all_states)), np.float64))
    law = weights / weights.sum()
    drawn = all_states[rng.choice(len(law), 64_000, p=law)]

    def surprise(moving):
        after = jax.vmap(lambda v, k: moving.gibbs(v, key=k))(
            jnp.asarray(drawn), jax.random.split(jax.random.key(0), len(drawn))
        )
        code = (np.asarray(after) < 0) @ (1 << np.arange(7, -1, -1))
        counts = np.bincount(code, minlength=256)
        chi2 = np.sum((counts - len(drawn) * law) ** 2 / (len(drawn) * law))
        return (chi2 - 255) / np.sqrt(2 * 255)

    assert abs(surprise(machine)) < 4
    assert surprise(FilterMachine(machine.fine, 0.8 * machine.weights)) > 20  # twin


def test_long_chains_give_the_gradient_of_the_likelihood():
    shape, rng = (4,), np.random.default_rng(0)
    machine = FilterMachine(Lattice(shape), jnp.array([0.3, -0.2]))
    all_states = jnp.asarray(states(shape))
    data = jnp.asarray(rng.choice((-1.0, 1.0), size=(4000, 4), p=(0.3, 0.7)).astype(np.float32))

    def likelihood(m):
        energy = jax.vmap(m.free_energy)
        return (energy(data).mean() + jax.nn.logsumexp(-energy(all_states))) / 2

    exact = jax.grad(likelihood)(machine).weights
    repeats = [
        jax.grad(lambda m, key: FilterDivergence(steps=40)(m, data, (), key=key)[0])(machine, key).weights
        for key in jax.random.split(jax.random.key(0), 10)
    ]
    mean, error = np.mean(repeats, axis=0), np.std(repeats, axis=0, ddof=1) / np.sqrt(10)
    assert np.all(np.abs(mean - exact) < 4.5 * error)
    assert np.all(np.abs(mean + exact) > 20 * error)  # twin: the other sign


def test_a_machine_learns_the_blocks_of_its_data():
    """Spins that come in equal pairs: an aligned filter sees them, and where it starts is learned."""
    rng = np.random.default_rng(0)
    pairs = np.roll(np.repeat(rng.choice((-1, 1), size=(2000, 8)), 2, axis=1), 1, axis=1)
    plan = Plan(steps=600, batch=50, learning_rate=0.02, steps_per_call=100)
    start = FilterMachine.create(Lattice((16,)), 4, key=jax.random.key(3))
    w = np.asarray(fit_filter(start, pairs, plan, key=jax.random.key(1)).state.model.weights)
    # sites -1, 0, 1, 2 of a block; pairs are (-1, 0) and (1, 2)
    strongest = max((0, 1), (2, 3), key=lambda pair: abs(w[list(pair)].sum()))
    assert w[strongest[0]] * w[strongest[1]] > 0.3


def test_the_rule_serves_other_lattices():
    machine = FilterMachine(Lattice((8, 8)), jnp.ones((4, 4)))
    assert machine.rule(Lattice((4, 16))).coarse.shape == (2, 8)
    with pytest.raises(UsageError, match="do not fit"):
        machine.rule(Lattice((2, 2)))


def test_what_is_refused():
    machine = FilterMachine.create(Lattice((4,)), 2, key=jax.random.key(0))
    plan = Plan(steps=1, batch=2)
    with pytest.raises(UsageError, match="needs"):
        fit_filter(machine, np.ones((10, 5)), plan, key=jax.random.key(0))
    with pytest.raises(UsageError, match="hold 0"):
        fit_filter(machine, np.zeros((10, 4)), plan, key=jax.random.key(0))
    with pytest.raises(UsageError, match="at least 1"):
        FilterDivergence(steps=0)
    with pytest.raises(UsageError, match="do not fit"):
        FilterMachine.create(Lattice((4,)), 5, key=jax.random.key(0))
