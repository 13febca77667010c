"""Energies, conditional laws, draws and symmetries of a machine, against sums over all joint states."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from deeprg.coarsegrain.boltzmann import RBM, Binary, Gaussian, Potts, Rectified, Spin, visible_distribution
from deeprg.coarsegrain.boltzmann._normalisable import gain_bounds
from deeprg.exact.couplings import configurations, walsh_hadamard
from deeprg.runs.errors import NumericalError, UsageError

UNITS = [Spin(), Binary(), Gaussian(0.6), Rectified(), Potts(3)]
PAIRS = [(UNITS[i], UNITS[(i + k) % 5]) for k in (0, 2) for i in range(5)]


def layer(unit, n):
    """Statistics [k, n q] of all states of n units, or of quadrature nodes, and ln of their weights [k]."""
    if unit.states is not None:
        values, log_weights = unit.states, np.zeros(len(unit.states))
    else:
        nodes, weights = np.polynomial.legendre.leggauss(120)
        low = 0.0 if isinstance(unit, Rectified) else -10.0
        values = (low + (10 - low) * (nodes[:, None] + 1) / 2).reshape(-1, 1)
        variance = getattr(unit, "variance", 1.0)
        norm = 0.5 * np.log(2 * np.pi * variance) if isinstance(unit, Gaussian) else 0.0
        log_weights = np.log(weights * (10 - low) / 2) - values[:, 0] ** 2 / (2 * variance) - norm
    index = np.array(list(itertools.product(range(len(values)), repeat=n)))
    return values[index].reshape(len(index), -1), log_weights[index].sum(axis=1)


def machine(visible, hidden, sizes, seed=0, scale=0.4):
    rng = np.random.default_rng(seed)
    nv, nh = sizes[0] * visible.q, sizes[1] * hidden.q
    arrays = scale * rng.normal(size=(nv, nh)), scale * rng.normal(size=nv), scale * rng.normal(size=nh)
    return RBM(*(jnp.asarray(x) for x in arrays), visible, hidden)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS, ids=str)
def test_energies_and_conditional_means(visible, hidden):
    rbm = machine(visible, hidden, (2, 2))
    W, a, b = (np.asarray(x) for x in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    rng = np.random.default_rng(1)
    vs, (hs, log_weights) = layer(visible, 2)[0], layer(hidden, 2)
    v = vs[rng.integers(0, len(vs), 5)]
    exponents = (v @ a)[:, None] + (hs @ b)[None] + v @ W @ hs.T + log_weights[None]  # without U_v
    bare = np.zeros(5) if visible.states is not None else np.asarray(visible.self_energy(jnp.asarray(v)))
    np.testing.assert_allclose(
        rbm.free_energy(jnp.asarray(v)), bare - scipy.special.logsumexp(exponents, axis=1), atol=1e-10
    )
    law = scipy.special.softmax(exponents, axis=1)
    np.testing.assert_allclose(rbm.hidden_mean(jnp.asarray(v)), law @ hs, atol=1e-10)
    if visible.states is not None and hidden.states is not None:
        first = rbm.energy(jnp.asarray(v), jnp.broadcast_to(jnp.asarray(hs[:1]), (5, hs.shape[1])))
        np.testing.assert_allclose(first, -exponents[:, 0], atol=1e-12)
    turned = rbm.transposed
    np.testing.assert_allclose(turned.visible_mean(jnp.asarray(v)), law @ hs, atol=1e-10)
    np.testing.assert_allclose(turned.hidden_free_energy(jnp.asarray(v)), rbm.free_energy(jnp.asarray(v)))


def test_the_energy_has_the_units_own_weights():
    rbm = machine(Gaussian(0.6), Rectified(), (2, 1))
    v, h = np.array([0.3, -1.2]), np.array([0.7])
    W, a, b = (np.asarray(x) for x in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    expected = -a @ v - b @ h - v @ W @ h + v @ v / 1.2 + np.log(2 * np.pi * 0.6) + h @ h / 2
    assert float(rbm.energy(jnp.asarray(v), jnp.asarray(h))) == pytest.approx(expected, abs=1e-12)


def counts(samples, states):
    """How often each state occurs among the samples."""
    places = (np.asarray(samples)[:, None, :] == states[None]).all(axis=-1)
    assert places.any(axis=1).all()
    return places.sum(axis=0)


@pytest.mark.parametrize("units", [(Spin(), Spin()), (Potts(3), Rectified())], ids=str)
def test_gibbs_sampling_reaches_the_exact_law(units):
    rbm = machine(*units, (2, 2), seed=3, scale=0.8)
    states = layer(units[0], 2)[0]
    weights = -np.asarray(rbm.free_energy(jnp.asarray(states)))
    law = scipy.special.softmax(weights)
    n = 8000
    end = rbm.gibbs(
        jnp.broadcast_to(jnp.asarray(states[:1]), (n, states.shape[1])), steps=30, key=jax.random.key(0)
    )
    found = counts(end, states)
    assert scipy.stats.chisquare(found, n * law).pvalue > 1e-3
    wrong = scipy.special.softmax(0.8 * weights)  # the twin: the law at another temperature
    assert scipy.stats.chisquare(found, n * wrong).pvalue < 1e-4


def test_one_gibbs_step_draws_h_given_v_and_v_given_h():
    """p(v' | v) of one step, by enumeration; the twin leaves the hidden draw out (mean field)."""
    rbm = machine(Spin(), Spin(), (2, 2), seed=5, scale=1.0)
    states, hs = layer(Spin(), 2)[0], layer(Spin(), 2)[0]
    v = states[1]
    up = np.exp(hs @ np.asarray(rbm.hidden_field(jnp.asarray(v))))
    down = np.exp(states @ np.asarray(rbm.visible_field(jnp.asarray(hs))).T)
    law = (down / down.sum(axis=0)) @ (up / up.sum())
    n = 20_000
    found = counts(rbm.gibbs(jnp.broadcast_to(jnp.asarray(v)[None], (n, 2)), key=jax.random.key(1)), states)
    assert scipy.stats.chisquare(found, n * law).pvalue > 1e-3
    mean_field = np.exp(states @ np.asarray(rbm.visible_field(rbm.hidden_mean(jnp.asarray(v)))))
    assert scipy.stats.chisquare(found, n * mean_field / mean_field.sum()).pvalue < 1e-4


def test_a_gaussian_layer_is_drawn_with_its_variance():
    rbm = machine(Gaussian(0.6), Spin(), (2, 1))
    h = jnp.array([[1.0]])
    v = np.asarray(rbm.sample_visible(jnp.broadcast_to(h, (20_000, 1)), key=jax.random.key(2)))
    mean = 0.6 * np.asarray(rbm.visible_field(h))[0]
    for i in range(2):
        assert scipy.stats.kstest(v[:, i], scipy.stats.norm(mean[i], np.sqrt(0.6)).cdf).pvalue > 1e-3
        assert scipy.stats.kstest(v[:, i], scipy.stats.norm(mean[i], 0.6).cdf).pvalue < 1e-4


def test_flipping_a_hidden_spin_is_a_gauge_move():
    rbm = machine(Spin(), Spin(), (4, 3), scale=0.7)
    sign = jnp.array([1.0, -1.0, -1.0])
    where = lambda m: (m.weights, m.hidden_bias)
    flipped = eqx.tree_at(where, rbm, (rbm.weights * sign[None], rbm.hidden_bias * sign))
    np.testing.assert_allclose(visible_distribution(flipped), visible_distribution(rbm), atol=1e-14)
    half = eqx.tree_at(lambda m: m.weights, rbm, rbm.weights * sign[None])  # the twin: the bias forgotten
    assert np.abs(visible_distribution(half) - visible_distribution(rbm)).max() > 1e-3
    v = jnp.ones(4)
    np.testing.assert_allclose(flipped.hidden_mean(v), sign * rbm.hidden_mean(v), atol=1e-14)


def test_the_zero_sum_gauge_of_all_parameters_keeps_the_law():
    rbm = machine(Potts(3), Potts(2), (3, 2), scale=0.8)
    W = np.asarray(rbm.weights).reshape(3, 3, 2, 2)
    over_v, over_h = W.mean(axis=1, keepdims=True), W.mean(axis=3, keepdims=True)
    both = W.mean(axis=(1, 3), keepdims=True)
    gauged = jnp.asarray((W - over_v - over_h + both).reshape(9, 4))
    a = np.asarray(rbm.visible_bias).reshape(3, 3) + over_h[..., 0].sum(axis=2)
    b = np.asarray(rbm.hidden_bias).reshape(2, 2) + (over_v - both)[:, 0].sum(axis=0)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    moved = RBM(gauged, jnp.asarray(a.reshape(-1)), jnp.asarray(b.reshape(-1)), Potts(3), Potts(2))
    np.testing.assert_allclose(visible_distribution(moved), visible_distribution(rbm), atol=1e-14)
    np.testing.assert_allclose(
        visible_distribution(moved.transposed), visible_distribution(rbm.transposed), atol=1e-14
    )
    only = RBM(gauged, rbm.visible_bias, rbm.hidden_bias, Potts(3), Potts(2))  # the twin: W alone
    assert np.abs(visible_distribution(only) - visible_distribution(rbm)).max() > 1e-3


def test_couplings_by_order_are_those_of_the_free_energy():
    for hidden in (Spin(), Rectified()):
        rbm = machine(Spin(), hidden, (5, 3))
        states = configurations(5).astype(float)
        exact = walsh_hadamard(-np.asarray(rbm.free_energy(jnp.asarray(states))))
        found = rbm.couplings(order=3)
        assert found[1, 3] == pytest.approx(exact[0b01010], abs=1e-12)
        assert found[0, 2, 4] == pytest.approx(exact[0b10101], abs=1e-12)
        assert found[2] == pytest.approx(exact[0b00100], abs=1e-12)
    with pytest.raises(UsageError, match="couplings_of"):
        machine(Gaussian(), Spin(), (2, 2)).couplings()
    with pytest.raises(UsageError, match="'potts'"):
        machine(Spin(), Potts(3), (2, 2)).couplings()


@pytest.mark.parametrize(("visible", "hidden"), [(Spin(), Binary()), (Potts(3), Gaussian())], ids=str)
def test_everything_stays_in_the_dtype_of_the_weights(visible, hidden):
    rbm = RBM.create(4, 3, visible_unit=visible, hidden_unit=hidden, scale=0.1, key=jax.random.key(0))
    v = rbm.sample_visible(jnp.ones((2, 3), jnp.float32), key=jax.random.key(1))
    h = rbm.sample_hidden(v, key=jax.random.key(2))
    outs = v, h, rbm.energy(v, h), rbm.free_energy(v), rbm.hidden_mean(v), rbm.gibbs(v, key=jax.random.key(3))
    assert {x.dtype for x in outs} == {jnp.dtype(jnp.float32)}
    assert (rbm.n_visible, rbm.n_hidden) == (4, 3)
    jitted = eqx.filter_jit(lambda m, x: m.free_energy(x))(rbm, v)
    np.testing.assert_allclose(jitted, rbm.free_energy(v), rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_two_gaussian_layers_exist_while_the_joint_precision_is_positive(seed):
    rbm = machine(Gaussian(0.6), Gaussian(1.7), (4, 3), seed=seed)
    precision = np.diag(np.repeat([1 / 0.6, 1 / 1.7], [4, 3]))
    precision[:4, 4:] = -np.asarray(rbm.weights)
    precision[4:, :4] = -np.asarray(rbm.weights).T
    inner = np.diag(np.repeat([0.6, 1.7], [4, 3])) ** 0.5
    gain = 1 - np.linalg.eigvalsh(inner @ precision @ inner)[0]
    assert gain_bounds(np.asarray(rbm.weights), rbm.visible, rbm.hidden) == pytest.approx((gain, gain))
    scaled = lambda factor: eqx.tree_at(lambda m: m.weights, rbm, factor / gain * rbm.weights)
    scaled(0.999).check_normalisable()
    with pytest.raises(NumericalError, match=r"largest singular value.*learning rate"):
        scaled(1.001).check_normalisable()


@pytest.mark.parametrize("units", [(Gaussian(0.6), Rectified()), (Rectified(), Rectified())], ids=str)
def test_rectified_layers_are_bounded_from_both_sides(units):
    rng = np.random.default_rng(6)
    for _ in range(5):
        W = rng.normal(size=(3, 2))
        lower, upper = gain_bounds(W, *units)
        s = np.sqrt(0.6) if isinstance(units[0], Gaussian) else 1.0
        angle = np.linspace(0, np.pi / 2, 4001)
        fields = s * W @ np.stack([np.cos(angle), np.sin(angle)])
        if isinstance(units[0], Rectified):
            fields = np.maximum(fields, 0)
        best = np.linalg.norm(fields, axis=0).max()  # the exact gain, on a grid of rays
        assert lower == pytest.approx(best, abs=1e-6)
        assert best <= upper + 1e-9
    certain = machine(*units, (2, 2))
    with pytest.raises(NumericalError, match="no normalisable law"):
        eqx.tree_at(lambda m: m.weights, certain, 5 * jnp.ones((2, 2))).check_normalisable()
    machine(Spin(), units[0], (2, 2), scale=50.0).check_normalisable()  # finite states are always safe


def test_wrong_arguments():
    key = jax.random.key(0)
    for arguments, message in [
        ({"visible": 0, "hidden": 3}, "at least one unit"),
        ({"visible": 2, "hidden": 3, "scale": -1.0}, "scale = -1"),
        ({"visible": 2, "hidden": 3, "visible_unit": "binray"}, "Did you mean 'binary'"),
    ]:
        with pytest.raises(UsageError, match=message):
            RBM.create(**arguments, key=key)
    with pytest.raises(UsageError, match="not a layer of 'potts'"):
        RBM(jnp.zeros((4, 2)), jnp.zeros(4), jnp.zeros(2), Potts(3), Spin())
    with pytest.raises(UsageError, match="steps = -1"):
        machine(Spin(), Spin(), (2, 2)).gibbs(jnp.ones((1, 2)), steps=-1, key=key)
