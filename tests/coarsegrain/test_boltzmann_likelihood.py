"""ln Z, moments, gradients and divergences against autodiff of sums over states and nodes."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp

from deeprg.coarsegrain.boltzmann import (
    RBM,
    Binary,
    Gaussian,
    Potts,
    Rectified,
    Spin,
    exact_moments,
    kl_divergence,
    log_likelihood,
    log_likelihood_gradient,
    log_partition,
    visible_distribution,
)
from deeprg.coarsegrain.boltzmann import _enumeration as enumeration
from deeprg.exact import enumerate_distribution
from deeprg.exact.couplings import configurations
from deeprg.hamiltonians import Ising
from deeprg.hamiltonians import Potts as PottsModel
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError, UsageError

UNITS = [Spin(), Binary(), Gaussian(0.6), Rectified(), Potts(3)]
PAIRS = [pair for pair in itertools.product(UNITS, UNITS) if any(unit.states is not None for unit in pair)]


def layer(unit, n):
    """Statistics [k, n q] of all states of n units, or of quadrature nodes, and ln of their weights [k]."""
    if unit.states is not None:
        values, log_weights = unit.states, np.zeros(len(unit.states))
    else:
        nodes, weights = np.polynomial.legendre.leggauss(100)
        low = 0.0 if isinstance(unit, Rectified) else -10.0
        values = (low + (10 - low) * (nodes[:, None] + 1) / 2).reshape(-1, 1)
        variance = getattr(unit, "variance", 1.0)
        norm = 0.5 * np.log(2 * np.pi * variance) if isinstance(unit, Gaussian) else 0.0
        log_weights = np.log(weights * (10 - low) / 2) - values[:, 0] ** 2 / (2 * variance) - norm
    index = np.array(list(itertools.product(range(len(values)), repeat=n)))
    return values[index].reshape(len(index), -1), log_weights[index].sum(axis=1)


def machine(visible, hidden, sizes, seed=0, scale=0.4, dtype=jnp.float64):
    rng = np.random.default_rng(seed)
    nv, nh = sizes[0] * visible.q, sizes[1] * hidden.q
    arrays = scale * rng.normal(size=(nv, nh)), scale * rng.normal(size=nv), scale * rng.normal(size=nh)
    return RBM(*(jnp.asarray(x, dtype) for x in arrays), visible, hidden)


def joint_log_partition(arrays, vs, hs):
    """ln of the sum over all pairs of states or nodes: no formula of the package is used."""
    weights, a, b = arrays
    exponents = (vs[0] @ a + vs[1])[:, None] + (hs[0] @ b + hs[1])[None] + vs[0] @ weights @ hs[0].T
    return logsumexp(exponents)


def truth(rbm, data):
    """ln Z, its gradient, and the gradient of the mean of ln p over the data, by autodiff."""
    arrays = rbm.weights, rbm.visible_bias, rbm.hidden_bias
    vs, hs = layer(rbm.visible, rbm.n_visible), layer(rbm.hidden, rbm.n_hidden)

    def clamped(arrays):
        weights, a, b = arrays
        exponents = data @ weights @ hs[0].T + (hs[0] @ b + hs[1])[None]
        return jnp.mean(data @ a + logsumexp(exponents, axis=1))

    @jax.jit
    def every(arrays):
        free = jax.value_and_grad(joint_log_partition)(arrays, vs, hs)
        return free, jax.grad(clamped)(arrays)

    (log_z, model), positive = every(arrays)
    return float(log_z), model, jax.tree.map(lambda x, y: x - y, positive, model)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS, ids=str)
def test_ln_z_moments_and_gradient(visible, hidden):
    finite = all(unit.states is not None for unit in (visible, hidden))
    rbm = machine(visible, hidden, (3, 2) if finite else (2, 2))
    states = layer(visible, rbm.n_visible)[0]
    data = states[np.random.default_rng(1).integers(0, len(states), 7)]
    log_z, model, gradient = truth(rbm, jnp.asarray(data))
    assert log_partition(rbm) == pytest.approx(log_z, abs=1e-10)
    moments = exact_moments(rbm)
    for ours, theirs in zip((moments.coupled, moments.visible, moments.hidden), model, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    ours = log_likelihood_gradient(rbm, data)
    parts = ours.weights, ours.visible_bias, ours.hidden_bias
    for mine, theirs in zip(parts, gradient, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-10)
    assert np.abs(gradient[0]).max() > 1e-3  # a gradient of zero would pass for nothing


def test_the_larger_layer_is_never_enumerated(monkeypatch):
    rbm = machine(Spin(), Spin(), (30, 4))
    hs = layer(Spin(), 4)[0]
    fields = np.asarray(rbm.visible_bias)[None] + hs @ np.asarray(rbm.weights).T
    terms = hs @ np.asarray(rbm.hidden_bias) + np.log(2 * np.cosh(fields)).sum(axis=1)
    expected = np.logaddexp.reduce(terms)
    for turned in (rbm, rbm.transposed):
        assert log_partition(turned) == pytest.approx(expected, abs=1e-11)
    monkeypatch.setattr(enumeration, "_NUMBERS", 100)  # many blocks instead of one
    assert log_partition(rbm) == pytest.approx(expected, abs=1e-11)
    potts = machine(Potts(3), Potts(2), (3, 2), seed=2)
    moments = exact_moments(potts)
    monkeypatch.undo()
    whole = exact_moments(potts)
    np.testing.assert_allclose(moments.coupled, whole.coupled, atol=1e-13)
    np.testing.assert_allclose(moments.hidden, whole.hidden, atol=1e-13)


def test_single_precision_machines_are_summed_in_double_precision():
    rbm = machine(Spin(), Binary(), (6, 4), scale=3.0, dtype=jnp.float32)
    exact = jax.tree.map(lambda x: x.astype(jnp.float64), rbm)
    assert log_partition(rbm) == log_partition(exact)
    huge = eqx.tree_at(lambda m: m.weights, exact, 1e4 * exact.weights)
    assert np.isfinite(log_partition(huge))


def test_likelihoods_of_all_states_add_up_to_one():
    for rbm in (machine(Potts(3), Rectified(), (3, 2)), machine(Binary(), Spin(), (4, 9))):
        states = layer(rbm.visible, rbm.n_visible)[0]
        values = log_likelihood(rbm, states)
        assert np.exp(values).sum() == pytest.approx(1, abs=1e-12)
        order = enumeration.layer_states(rbm.visible, rbm.n_visible)
        np.testing.assert_allclose(visible_distribution(rbm), np.exp(log_likelihood(rbm, order)), atol=1e-13)
    assert log_likelihood(rbm, states[:6].reshape(2, 3, 4)).shape == (2, 3)
    np.testing.assert_array_equal(enumeration.layer_states(Spin(), 3), configurations(3))
    np.testing.assert_array_equal(enumeration.layer_states(Binary(), 3), configurations(3, "binary"))


def test_a_gaussian_density_integrates_to_one():
    rbm = machine(Gaussian(0.6), Spin(), (1, 3))
    x = np.linspace(-12, 12, 4001)
    assert np.exp(log_likelihood(rbm, x[:, None])).sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-10)


def test_spin_and_binary_machines_with_one_law():
    """s = 2 x - 1 on both sides: W_s = W_b/4, a_s = a_b/2 + sum W_b/4, and a constant in ln Z."""
    bits = machine(Binary(), Binary(), (5, 3), scale=1.2)
    W, a, b = bits.weights, bits.visible_bias, bits.hidden_bias
    spins = RBM(W / 4, a / 2 + W.sum(axis=1) / 4, b / 2 + W.sum(axis=0) / 4, Spin(), Spin())
    np.testing.assert_allclose(visible_distribution(spins)[::-1], visible_distribution(bits), atol=1e-14)
    constant = float(a.sum() / 2 + b.sum() / 2 + W.sum() / 4)
    assert log_partition(bits) == pytest.approx(log_partition(spins) + constant, abs=1e-11)
    np.testing.assert_allclose(2 * exact_moments(bits).visible - 1, exact_moments(spins).visible, atol=1e-12)
    wrong = RBM(W / 4, a / 2, b / 2, Spin(), Spin())  # the twin: biases mapped as if W were not shifted
    assert np.abs(visible_distribution(wrong)[::-1] - visible_distribution(bits)).max() > 1e-3


def test_divergence_from_enumerated_models():
    ising = enumerate_distribution(Ising(Lattice((3, 3)), temperature=2.269185314213022))
    flat = ising.states.reshape(512, 9).astype(float)
    for unit, values in ((Spin(), flat), (Binary(), (flat + 1) / 2)):
        rbm = machine(unit, Spin(), (9, 4))
        p = ising.probabilities
        weights = np.exp(-np.asarray(rbm.free_energy(jnp.asarray(values))))
        expected = np.sum(p * (np.log(p) - np.log(weights / weights.sum())))
        assert kl_divergence(rbm, ising) == pytest.approx(expected, abs=1e-11)
    # one hidden spin between each pair of a ring makes the ring itself: no divergence
    ring = enumerate_distribution(Ising(Lattice((4,)), temperature=1.0))
    w = 0.5 * np.arccosh(np.exp(2.0))
    weights = w * (np.eye(4) + np.roll(np.eye(4), 1, axis=0))
    rbm = RBM(jnp.asarray(weights), jnp.zeros(4), jnp.zeros(4), Spin(), Spin())
    assert kl_divergence(rbm, ring) == pytest.approx(0, abs=1e-12)
    colours = enumerate_distribution(PottsModel(Lattice((2, 2)), temperature=1.0, states=3))
    uniform = RBM.create(4, 2, visible_unit=Potts(3), scale=0.0, key=jax.random.key(0))
    p = colours.probabilities
    assert kl_divergence(uniform, colours) == pytest.approx(4 * np.log(3) + np.sum(p * np.log(p)), abs=1e-11)


def test_what_cannot_be_summed_says_so():
    large = machine(Spin(), Spin(), (40, 30))
    with pytest.raises(UsageError, match=r"40 visible and 30 hidden.*10\^9.0 states \(2\^30\).*2\^24.*ais"):
        log_partition(large)
    with pytest.raises(UsageError, match=r"neither layer has finitely many states"):
        log_partition(machine(Gaussian(), Rectified(), (2, 2)))
    with pytest.raises(UsageError, match=r"2\^3"):
        log_partition(machine(Spin(), Spin(), (5, 4)), limit=3)
    with pytest.raises(UsageError, match="too many states to list"):
        visible_distribution(large)
    broken = machine(Spin(), Spin(), (3, 2), dtype=jnp.float32)
    broken = eqx.tree_at(lambda m: m.weights, broken, broken.weights.at[0, 0].set(jnp.nan))
    with pytest.raises(NumericalError, match="not finite"):
        log_partition(broken)


def test_data_that_do_not_fit():
    rbm = machine(Spin(), Spin(), (4, 2))
    with pytest.raises(UsageError, match=r"v holds 0.*2 x - 1"):
        log_likelihood(rbm, np.zeros((2, 4)))
    with pytest.raises(UsageError, match=r"shape \(2, 3\).*\[..., 4\]"):
        log_likelihood_gradient(rbm, np.ones((2, 3)))
    with pytest.raises(UsageError, match="no configuration"):
        log_likelihood_gradient(rbm, np.ones((0, 4)))
    ring = enumerate_distribution(Ising(Lattice((5,)), temperature=1.0))
    with pytest.raises(UsageError, match="5 variables, but the machine has 4"):
        kl_divergence(rbm, ring)
    with pytest.raises(UsageError, match="density"):
        kl_divergence(machine(Gaussian(), Spin(), (5, 2)), ring)
