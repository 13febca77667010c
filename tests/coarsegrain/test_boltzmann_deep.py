"""Deep Boltzmann machines against sums over the states of all layers."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from deeprg.coarsegrain.boltzmann import DeepBoltzmannMachine, DeepObjective
from deeprg.runs.errors import UsageError
from deeprg.train import Plan, RowBatches, TrainState, train

KEY = jax.random.key(9)


def machine(widths=(3, 2, 2), units="spin", seed=0, scale=0.5):
    made = DeepBoltzmannMachine.create(
        widths, units=units, scale=scale, dtype=jnp.float64, key=jax.random.key(seed)
    )
    keys = jax.random.split(jax.random.key(seed + 100), len(widths))
    biases = tuple(0.3 * jax.random.normal(k, (n,)) for k, n in zip(keys, widths, strict=True))
    return eqx.tree_at(lambda m: m.biases, made, biases)


def every(made):
    """All states of all layers together, as a tuple of arrays [states, n_l]."""
    values = [made.units[p].states[:, 0] for p, n in enumerate(made.widths) for _ in range(n)]
    states = np.array(list(itertools.product(*values)))
    return tuple(jnp.asarray(part) for part in np.split(states, np.cumsum(made.widths)[:-1], axis=1))


def slow_energy(made, layers):
    total = 0.0
    for x, b in zip(layers, made.biases, strict=True):
        total -= np.einsum("si,i->s", x, b)
    for x, w, y in zip(layers, made.weights, layers[1:], strict=False):
        total -= np.einsum("si,ij,sj->s", x, w, y)
    return total


CASES = [
    ((3, 2, 2), "spin"),
    ((2, 3), "binary"),
    ((2, 2, 2, 2), "spin"),
    ((3, 2, 2), ["binary", "spin", "binary"]),
]


@pytest.mark.parametrize(("widths", "units"), CASES)
def test_energy_and_partition_function(widths, units):
    made = machine(widths, units)
    states = every(made)
    np.testing.assert_allclose(made.energy(states), slow_energy(made, states), atol=1e-13)
    exact = np.logaddexp.reduce(-slow_energy(made, states))
    assert made.log_partition() == pytest.approx(exact, abs=1e-12)
    for half in (range(0, len(widths), 2), range(1, len(widths), 2)):
        assert float(made.log_sum_over(half)) == pytest.approx(exact, abs=1e-12)


def test_gaussian_layer_by_the_layers_beside_it():
    made = machine((3, 2), ["spin", "gaussian"])
    v = every(machine((3, 1)))[0][::2]
    field = np.asarray(v @ made.weights[0] + made.biases[1][None])
    exact = np.logaddexp.reduce(np.asarray(v @ made.biases[0]) + 0.5 * (field**2).sum(1))
    assert made.log_partition() == pytest.approx(exact, abs=1e-12)


def statistic(draws, states, law):
    code = [np.asarray(x) > 0 for x in (draws, states)]
    weights = 2.0 ** np.arange(code[0].shape[1])
    counts = np.bincount((code[0] @ weights).astype(int), minlength=len(law))[(code[1] @ weights).astype(int)]
    return np.sum((counts - len(draws) * law) ** 2 / (len(draws) * law))


@pytest.mark.parametrize("clamped", [False, True])
def test_gibbs_draws_the_joint_and_the_clamped_law(clamped):
    made, other = machine(), machine(seed=1)
    states = every(made)
    v = jnp.asarray([1.0, -1.0, 1.0])
    start = (jnp.tile(v, (20000, 1)), jnp.ones((20000, 2)), jnp.ones((20000, 2)))
    draws = jnp.concatenate(made.gibbs(start, steps=40, clamped=clamped, key=KEY), axis=1)
    keep = (
        np.all(np.asarray(states[0]) == np.asarray(v), axis=1) if clamped else np.ones(len(states[0]), bool)
    )

    def chi(net):
        log_law = -slow_energy(net, states)[keep]
        law = np.exp(log_law - np.logaddexp.reduce(log_law))
        flat = np.concatenate(states, axis=1)[keep]
        if clamped:
            return statistic(np.asarray(draws)[:, 3:], flat[:, 3:], law), keep.sum() - 1
        return statistic(draws, flat, law), keep.sum() - 1

    value, freedom = chi(made)
    assert value < chi2.isf(1e-4, freedom)
    assert chi(other)[0] > chi2.isf(1e-12, freedom)


def log_likelihood(made, v):
    states = every(made)
    same = np.all(np.asarray(states[0]) == np.asarray(v), axis=1)
    log_weights = -slow_energy(made, states)
    return np.logaddexp.reduce(log_weights[same]) - np.logaddexp.reduce(log_weights)


def test_the_bound_is_one_and_is_exact_with_one_hidden_layer():
    v = jnp.asarray([[1.0, -1.0, 1.0]])
    deep, shallow = machine(), machine((3, 3))
    gaps = []
    for rounds in (1, 2, 5, 30):
        means = deep.mean_field(v, rounds=rounds)
        gaps.append(log_likelihood(deep, v[0]) - float(deep.bound(means)[0] - deep.log_partition()))
    assert np.all(np.diff(gaps) <= 1e-12)
    assert 1e-6 < gaps[-1] < 0.5
    states = every(deep)
    same = np.all(np.asarray(states[0]) == np.asarray(v), axis=1)
    hidden = np.concatenate(states[1:], axis=1)[same]
    q = np.prod((1 + hidden * np.concatenate(means[1:], axis=1)) / 2, axis=1)
    by_hand = q @ (-slow_energy(deep, states)[same] - np.log(q))
    assert float(deep.bound(means)[0]) == pytest.approx(by_hand, abs=1e-12)
    exact = log_likelihood(shallow, v[0])
    assert float(
        shallow.bound(shallow.mean_field(v, rounds=1))[0]
    ) - shallow.log_partition() == pytest.approx(exact, abs=1e-12)


def test_gradient_is_that_of_the_bound():
    made, other = machine(), machine(seed=1)
    v = jnp.asarray([[1.0, -1.0, 1.0], [1.0, 1.0, 1.0]])
    objective = DeepObjective(steps=30)

    def sampled(key):
        start, go = jax.random.split(key)
        carry = objective.chains(made, 2000, key=start)
        return jax.grad(lambda m: objective(m, v, carry, key=go)[0])(made)

    found = jax.lax.map(sampled, jax.random.split(KEY, 20))
    flat = np.concatenate([np.asarray(x).reshape(20, -1) for x in jax.tree.leaves(found)], axis=1)
    mean, error = flat.mean(0), flat.std(0, ddof=1) / np.sqrt(20)

    def bound(net):
        means = jax.lax.stop_gradient(net.mean_field(v, rounds=10))
        return net.log_sum_over((0, 2)) - jnp.mean(net.coupling(means))

    def chi(net):
        exact = np.concatenate([np.ravel(x) for x in jax.tree.leaves(jax.grad(bound)(net))])
        return np.sum(((mean - exact) / error) ** 2)

    assert chi(made) < 55
    assert chi(other) > 500


def test_training_raises_the_likelihood_of_the_data():
    rows = np.sign(np.random.default_rng(0).normal(size=(1000, 1)) * np.ones(6))
    made = DeepBoltzmannMachine.create((6, 3, 2), scale=0.1, key=KEY)
    objective = DeepObjective()
    plan = Plan(steps=600, batch=50, learning_rate=0.05, optimiser="sgd", ema_decay=0.9, steps_per_call=50)
    state = TrainState.create(made, plan, key=KEY, carry=objective.chains(made, 100, key=KEY))
    trained = train(state, objective, RowBatches(jnp.asarray(rows, jnp.float32)), plan).state.averaged
    up = np.ones(6)
    assert log_likelihood(made, up) < -4.0
    assert log_likelihood(trained, up) > -1.2  # two states share almost everything: ln 1/2 = -0.69


def test_bad_input():
    with pytest.raises(UsageError, match="do not fit"):
        DeepBoltzmannMachine((jnp.ones((2, 3)),), (jnp.ones(2), jnp.ones(2)), machine((2, 2)).units)
    with pytest.raises(UsageError, match=r"widths = \(3,\)"):
        DeepBoltzmannMachine.create((3,), key=KEY)
    with pytest.raises(UsageError, match=r"sum over 1\.07e\+09 states"):
        DeepBoltzmannMachine.create((30, 40), key=KEY).log_partition()
    with pytest.raises(UsageError, match="steps = 0"):
        DeepObjective(steps=0)
    with pytest.raises(UsageError, match=r"l1 = -1\.0"):
        DeepObjective(l1=-1.0)
