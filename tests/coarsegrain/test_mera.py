"""The classical MERA against enumeration: probabilities, draws, gradients, marginals; and what it refuses."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from deeprg.coarsegrain.mera import (
    ClassicalMERA,
    DiscreteReverseKL,
    MERAStep,
    exact_free_energy,
    fill_order,
    fit_tables,
    grown,
    has_heat_bath,
    level_lattices,
    local_marginal,
    summed_energy,
    trainable,
)
from deeprg.coarsegrain.mera._objective import cost
from deeprg.exact.couplings import configurations
from deeprg.hamiltonians import Ising, build_model
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError
from deeprg.train import Plan, TrainState, key_batches, train

SQUARE = Lattice((4, 4))
CRITICAL = Ising(SQUARE, 1 / 0.44)
LOG_Z = 15.504726538718  # of CRITICAL, by Kaufman's formula
TARGETS = {
    "heat bath": CRITICAL,
    "triangular": Ising.triangular(SQUARE, 3.0),
    "field": Ising(SQUARE, 2.5, 1.0, 0.1),
    "ring": Ising(Lattice((16,)), 1.5),
    "antiferromagnet": Ising(SQUARE, 2.5, -1.0),
    "random bonds": build_model("random-bond", SQUARE, 1.5),
}


def shaken(model, size=0.4, seed=5):
    """The model with every parameter moved at random: nothing is special about its weights."""
    flat, unravel = ravel_pytree(eqx.filter(model, trainable(model)))
    noise = size * jax.random.normal(jax.random.key(seed), flat.shape, flat.dtype)
    return eqx.combine(unravel(flat + noise), model)


def every_state(lattice):
    return jnp.asarray(configurations(lattice.size).reshape(-1, *lattice.shape), jnp.float32)


def log_q_of_all(model):
    return model.log_prob_of_level(0, every_state(model.lattice).reshape(-1, model.lattice.size).T)


def small(target, **options):
    return shaken(ClassicalMERA(target, **{"reach": 2.3, "width": 3, "key": jax.random.key(0)} | options))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("reach", [2.3, None])
def test_probabilities_sum_to_one(name, reach):
    target = TARGETS[name]
    log_q = np.asarray(log_q_of_all(small(target, reach=reach)), np.float64)
    assert np.exp(log_q).sum() == pytest.approx(1.0, abs=2e-5)
    if name not in ("field",):
        assert np.allclose(log_q, log_q[::-1], atol=1e-4)  # even, as the Hamiltonian


def test_draws_have_the_probabilities_that_are_said():
    """Moments of 20 000 draws against sums over all states, within 4 errors; another model is not met."""
    model = small(TARGETS["field"])
    x, log_q = jax.vmap(model.draw)(jax.random.split(jax.random.key(1), 20_000))
    assert np.allclose(jax.vmap(model.log_prob)(x), log_q, atol=1e-3)
    states = np.asarray(every_state(SQUARE))

    def functions(x):
        m = x.mean(axis=(1, 2))
        return np.stack([m, m**2, (x * np.roll(x, 1, 1)).mean(axis=(1, 2)), x[:, 0, 0] * x[:, 1, 2]])

    def pulls(other):
        p = np.exp(np.asarray(log_q_of_all(other), np.float64))
        found = functions(np.asarray(x))
        exact = functions(states) @ p
        return np.abs(found.mean(axis=1) - exact) / (found.std(axis=1) / math.sqrt(len(x)))

    assert pulls(model).max() < 4
    assert pulls(small(TARGETS["field"], key=jax.random.key(7))).max() > 10


def test_heat_bath_is_the_conditional_distribution_of_the_target():
    model, x = small(CRITICAL), every_state(SQUARE)[12345]
    odd = np.flatnonzero(SQUARE.checkerboard(1))
    for site in odd[:3]:
        flipped = x.reshape(-1).at[site].multiply(-1).reshape(x.shape)
        ratio = model.log_prob(x) - model.log_prob(flipped)
        assert float(ratio) == pytest.approx(float(CRITICAL.energy(flipped) - CRITICAL.energy(x)), abs=1e-4)


def test_who_has_a_heat_bath():
    found = {name: has_heat_bath(target) for name, target in TARGETS.items()}
    assert found == {name: name != "triangular" for name in TARGETS}


def test_summed_energy_has_the_same_partition_function():
    x = np.asarray(every_state(SQUARE))
    kept = x[(x[:, SQUARE.checkerboard(1)] == 1).all(axis=1)]
    kept = np.where(SQUARE.checkerboard(1), 0, kept)
    energies = summed_energy(CRITICAL, jnp.asarray(np.moveaxis(kept, 0, -1)))
    assert len(kept) == 256
    assert float(jax.nn.logsumexp(-energies)) == pytest.approx(LOG_Z, abs=1e-5)


@pytest.mark.parametrize("name", ["heat bath", "triangular"])
def test_cost_of_a_draw_is_minus_its_log_weight(name):
    """With the heat bath summed as without: ln q + H of whole configurations."""
    target = TARGETS[name]
    model = small(target)
    for key in jax.random.split(jax.random.key(2), 5):
        x, log_q = model.draw(key)
        u = model.latent(key=key)[:, None]
        found, _ = cost(model, target, u[: model.n_latent])
        assert float(found[0]) == pytest.approx(float(log_q + target.energy(x)), abs=2e-4)


def free_energy_by_enumeration(model, target):
    log_q = log_q_of_all(model)
    energies = jax.vmap(target.energy)(every_state(target.lattice)).astype(log_q.dtype)
    return jnp.sum(jnp.exp(log_q) * (log_q + energies))


def test_gradient_is_that_of_the_free_energy():
    """The mean of 300 estimates from 128 draws against autodiff through the sum over all states."""
    model = small(CRITICAL, width=2, depth=1)
    flat, unravel = ravel_pytree(eqx.filter(model, eqx.is_inexact_array))
    whole = lambda flat: eqx.combine(unravel(flat), model)
    exact = jax.grad(lambda flat: free_energy_by_enumeration(whole(flat), CRITICAL))(flat)
    objective = DiscreteReverseKL(CRITICAL)

    @jax.jit
    def estimate(key):
        return jax.grad(lambda f: objective(whole(f), jax.random.split(key, 128))[0])(flat)

    found = np.asarray(jax.lax.map(estimate, jax.random.split(jax.random.key(3), 300)), np.float64)
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    seen = error > 1e-7

    def pull(truth):
        return np.sqrt(np.mean(((found.mean(axis=0) - np.asarray(truth)) / error)[seen] ** 2))

    wrong = jax.grad(lambda f: free_energy_by_enumeration(whole(f), Ising(SQUARE, 2.0)))(flat)
    assert seen.sum() > 50
    assert pull(exact) < 1.4
    assert pull(wrong) > 5


@pytest.mark.parametrize(
    "target", [CRITICAL, Ising(Lattice((16,)), 1.5), Ising(Lattice((8,)), 1.0, 1.0, 0.2)]
)
def test_free_energy_of_tables_is_that_of_enumeration(target):
    model = jax.tree.map(lambda x: x.astype(jnp.float64), small(target, reach=None))
    states = every_state(target.lattice).astype(jnp.float64)
    log_q = model.log_prob_of_level(0, states.reshape(-1, target.lattice.size).T)
    exact = jnp.sum(jnp.exp(log_q) * (log_q + jax.vmap(target.energy)(states)))
    assert float(exact_free_energy(model)) == pytest.approx(float(exact), abs=1e-9)


def test_marginal_of_a_block_is_that_of_enumeration():
    ring = Ising(Lattice((16,)), 1.5, 1.0, 0.2)
    model = small(ring, reach=None)
    q, x = np.exp(np.asarray(log_q_of_all(model), np.float64)), np.asarray(every_state(ring.lattice)) < 0
    pairs = np.zeros((2, 2))
    for i in range(16):
        np.add.at(pairs, (x[:, i].astype(int), x[:, (i + 1) % 16].astype(int)), q / 16)
    assert np.allclose(local_marginal(model), pairs, atol=1e-6)
    assert not np.allclose(local_marginal(model, 1), pairs, atol=1e-3)


def test_free_energy_of_tables_in_two_dimensions_is_that_of_draws():
    """8x8 and two levels of cones: 40 000 draws within 4 errors; other tables are not met."""
    target = Ising(Lattice((8, 8)), 1 / 0.44)
    model = shaken(ClassicalMERA(target, reach=None, key=jax.random.key(0)), 0.1)
    u = jax.random.uniform(jax.random.key(1), (model.n_latent, 40_000), jnp.float32)
    costs = np.asarray(jax.jit(lambda u: cost(model, target, u)[0])(u), np.float64)
    pull = lambda m: (costs.mean() - float(exact_free_energy(m))) / (costs.std() / math.sqrt(costs.size))
    assert abs(pull(model)) < 4
    assert abs(pull(shaken(model, 0.1))) > 10


def test_the_best_tables_of_a_ring_are_exact():
    target = Ising(Lattice((16,)), 1.5)
    keys = 16 * math.log(2 * math.cosh(1 / 1.5)) + math.log1p(math.tanh(1 / 1.5) ** 16)
    assert fit_tables(target).free_energy == pytest.approx(-keys, abs=1e-7)


def test_the_best_tables_of_a_square_are_an_upper_bound():
    found = fit_tables(CRITICAL)
    assert 0.01 < found.free_energy + LOG_Z < 0.03  # measured 0.01937


def test_steps_split_the_probability_into_levels():
    model = small(Ising(Lattice((8, 8)), 2.3))
    x, log_q = model.draw(jax.random.key(4))
    steps, total, key = [MERAStep(model, level) for level in (0, 1)], 0.0, jax.random.key(0)
    for step in steps:
        assert step.deterministic
        total, coarse = total + step.log_refine(x), step.coarsen(x, key=key)
        again = step.refine(coarse, key=jax.random.key(9))
        assert bool((step.coarsen(again, key=key) == coarse).all())
        assert not bool((again == x).all())
        x = coarse
    top = model.log_prob_of_level(2, x.reshape(-1, 1))[0]
    assert float(total + top) == pytest.approx(float(log_q), abs=1e-3)


def test_refined_draws_have_the_probability_that_is_said():
    """The four spins that a step adds to each of one 2x2 configuration, against exp(log_refine)."""
    model = small(TARGETS["field"])
    step, coarse = MERAStep(model), jnp.asarray([[1.0, -1.0], [1.0, 1.0]], jnp.float32)
    fine = jax.vmap(lambda k: step.refine(coarse, key=k))(jax.random.split(jax.random.key(1), 20_000))
    states = every_state(SQUARE)
    fitting = states[(np.asarray(states)[:, ::2, ::2] == np.asarray(coarse)).all(axis=(1, 2))]
    p = np.exp(np.asarray(jax.vmap(step.log_refine)(fitting), np.float64))
    assert p.sum() == pytest.approx(1.0, abs=1e-5)
    exact, found = np.tensordot(p, np.asarray(fitting), axes=1), np.asarray(fine)
    error = np.sqrt(np.maximum(1 - exact**2, 1e-12) / len(found))
    assert (np.abs(found.mean(axis=0) - exact) / error).max() < 4


def test_networks_pass_to_a_larger_lattice():
    little, large = (
        ClassicalMERA(Ising(Lattice((n, n)), 2.3), reach=2.0, key=jax.random.key(n)) for n in (8, 16)
    )
    little = shaken(little)
    model = grown(little, large)
    same = lambda one, other: all(
        bool((a == b).all()) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True)
    )
    assert same(model.levels[0], little.levels[0])
    assert same(model.top, little.top)
    centre, theirs = model.levels[1][0], little.levels[1][0]  # 8x8 sees what 4x4 sees, and more
    columns = [p.away.tolist() for m in (model, little) for _, p in [next(iter(m.conditionals(1)))]]
    for step, weights in zip(columns[0], centre.direct[0], strict=True):
        expected = theirs.direct[0, columns[1].index(step)] if step in columns[1] else 0.0
        assert float(weights) == float(expected)
    with pytest.raises(UsageError, match="width 32 and depth 2"):
        grown(little, ClassicalMERA(Ising(Lattice((16, 16)), 2.3), width=8, key=jax.random.key(1)))
    with pytest.raises(UsageError, match="Tables"):
        grown(little, ClassicalMERA(Ising(Lattice((16, 16)), 2.3), reach=None, key=jax.random.key(1)))


def test_a_grown_network_fills_as_the_small_one():
    """Where both see the same spins: the centres of an 8x8 pattern, repeated on 16x16."""
    little, large = (
        ClassicalMERA(Ising(Lattice((n, n)), 2.3), reach=1.5, width=4, key=jax.random.key(n)) for n in (8, 16)
    )
    little = shaken(little)
    x = jax.random.rademacher(jax.random.key(1), (8, 8), jnp.float32)
    tiled = jnp.tile(x, (2, 2)).reshape(-1, 1)
    one = little.log_fill(0, x.reshape(-1, 1))
    assert float(grown(little, large).log_fill(0, tiled)[0]) == pytest.approx(4 * float(one[0]), rel=1e-5)
    assert float(large.log_fill(0, tiled)[0]) != pytest.approx(4 * float(one[0]), rel=1e-3)


def test_training_comes_close_to_the_target():
    """4x4 in 400 steps: the divergence from Kaufman's ln Z, and ln Z from the weights within 4 errors."""
    plan = Plan(steps=400, batch=256, learning_rate=0.03, clip_norm=1.0, steps_per_call=50)
    model = ClassicalMERA(CRITICAL, reach=3.0, width=8, depth=1, key=jax.random.key(0))
    objective = DiscreteReverseKL(CRITICAL)
    state = train(TrainState.create(model, plan, key=jax.random.key(1)), objective, key_batches, plan).state
    best = state.averaged
    u = jax.random.uniform(jax.random.key(2), (best.n_latent, 50_000), jnp.float32)
    costs = np.asarray(cost(best, CRITICAL, u)[0], np.float64)
    weights = np.exp(-costs - LOG_Z)
    assert costs.mean() + LOG_Z < 0.005  # measured 0.0012; 2.4 before training
    assert abs(weights.mean() - 1) < 4 * weights.std() / math.sqrt(weights.size)


def test_fills_see_only_what_is_known():
    for lattice in (Lattice((8, 8)), Lattice((12,)), Lattice((4, 4, 4))):
        known = lattice.sublattice(2).reshape(-1).copy()
        for places in fill_order(lattice, 3.0, True):
            assert not known[places.targets].any()
            assert known[places.context].all()
            known[places.targets] = True
        assert known.all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: level_lattices(Lattice((7, 7))), "7x7"),
        (lambda: level_lattices(Lattice((2, 2))), "at least one halving"),
        (lambda: level_lattices(Lattice((16, 2))), "16x2"),
        (lambda: ClassicalMERA(CRITICAL, reach=1.0, key=jax.random.key(0)), "reach is 1.0"),
        (lambda: local_marginal(ClassicalMERA(CRITICAL, key=jax.random.key(0))), "tables"),
        (lambda: local_marginal(small(TARGETS["triangular"], reach=None)), "nearest"),
        (lambda: local_marginal(small(CRITICAL, reach=None), 1), "take 0 to 0"),
        (lambda: MERAStep(small(CRITICAL), 1), "take 0 to 0"),
    ],
)
def test_what_cannot_be_built_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()
