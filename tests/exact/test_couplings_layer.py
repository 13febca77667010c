"""The couplings of a hidden layer, every method against the exact transform of the whole action."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.couplings import (
    TruncationWarning,
    configurations,
    couplings_of,
    rbm_couplings,
    set_coupling,
)
from deeprg.exact.layered import BernoulliPrior, IsingPrior
from deeprg.runs.errors import NumericalError, UsageError

PRIORS = {
    "±1": lambda t: np.logaddexp(t, -t),
    "{0,1}": lambda t: np.logaddexp(t, 0.0),
    "Gaussian": lambda t: 0.7 * t**2 / 2,
    "Poisson": lambda t: 0.3 * np.exp(t),
}


def ising(t):
    return jnp.logaddexp(t, -t)


def layer(n, m, seed, scale=0.5, density=1.0):
    rng = np.random.default_rng(seed)
    W = scale * rng.normal(size=(n, m)) * (rng.random((n, m)) < density)
    return W, 0.3 * rng.normal(size=m), 0.2 * rng.normal(size=n)


def whole(W, b, a, cgf, spins="pm"):
    """The couplings by the transform of the action over all states: no use of the layer's structure."""
    x = configurations(len(W), spins).astype(float)
    return couplings_of(x @ a + np.asarray(cgf(jnp.asarray(x @ W + b))).sum(axis=1), spins)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(
    n=st.integers(1, 6),
    m=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    name=st.sampled_from(list(PRIORS)),
    spins=st.sampled_from(["pm", "binary"]),
    density=st.sampled_from([0.5, 1.0]),
)
def test_exact_couplings_of_all_orders(n, m, seed, name, spins, density):
    W, b, a = layer(n, m, seed, density=density)
    found = rbm_couplings(W, b, a, PRIORS[name], order=n, spins=spins)
    truth = whole(W, b, a, PRIORS[name], spins)
    np.testing.assert_allclose(found.dense(), truth.dense(), atol=2e-12)
    chosen = rbm_couplings(W, b, a, PRIORS[name], sets=[tuple(range(n)), (0,), (0,)], spins=spins)
    assert chosen[0] == pytest.approx(truth[0], abs=2e-12)
    assert chosen[tuple(range(n))] == pytest.approx(truth[tuple(range(n))], abs=2e-12)


def test_one_unit_with_four_legs_is_the_decimation_of_the_square_lattice():
    K = 0.37
    found = rbm_couplings(np.full((4, 1), K), [0.0], np.zeros(4), ising, order=4)
    two, four = np.log(np.cosh(2 * K)), np.log(np.cosh(4 * K))
    np.testing.assert_allclose(found.order(2).values, four / 8, atol=1e-14)
    assert found[0, 1, 2, 3] == pytest.approx(four / 8 - two / 2, abs=1e-14)
    assert found.constant == pytest.approx(np.log(2) + two / 2 + four / 8, abs=1e-14)
    assert np.abs(found.order(1).values).max() + np.abs(found.order(3).values).max() < 1e-14


def test_a_chain_in_a_field_is_decimated():
    """Every second spin of a ring of 200, K = 0.4 and h = 0.1, is a hidden unit with two legs."""
    K, h, n = 0.4, 0.1, 100
    W = np.zeros((n, n))
    W[np.arange(n), np.arange(n)] = W[(np.arange(n) + 1) % n, np.arange(n)] = K
    found = rbm_couplings(W, np.full(n, h), np.full(n, h), ising)
    plus, minus, own = np.cosh(2 * K + h), np.cosh(2 * K - h), np.cosh(h)
    np.testing.assert_allclose(found.fields(), h + np.log(plus / minus) / 2, atol=1e-13)
    assert found[0, 99] == found[4, 5] == pytest.approx(np.log(plus * minus / own**2) / 4, abs=1e-13)
    assert found[0, 2] == 0
    assert found.constant / n == pytest.approx(np.log(2) + np.log(plus * minus * own**2) / 4, abs=1e-13)


def test_the_central_limit_is_close_and_the_truncated_formula_is_not():
    W, b, a = layer(10, 10, seed=3, scale=0.5)
    truth = whole(W, b, a, ising)
    clt = rbm_couplings(W, b, a, ising, order=3, method="clt")
    with pytest.warns(TruncationWarning, match=r"off by \d+%"):
        truncated = rbm_couplings(W, b, a, ising, order=3, method="truncated")
    size = np.abs(truth.order(2).values).max()
    off = {
        name: np.abs(found.order(2).values - truth.order(2).values).max() / size
        for name, found in {"clt": clt, "truncated": truncated}.items()
    }
    assert off["clt"] < 0.1
    assert off["truncated"] > 1
    np.testing.assert_allclose(clt.fields(), truth.fields(), atol=0.05)
    triples = truth.order(3).values
    assert np.std(clt.order(3).values - triples) < 0.3 * np.std(triples)
    assert (truncated.order(3).values == 0).all()


def test_the_central_limit_is_exact_without_outside_spins_and_for_gaussians():
    W, b, a = layer(3, 4, seed=1)
    found = rbm_couplings(W, b, a, ising, sets=[(0, 1, 2)], method="clt")
    assert found[0, 1, 2] == pytest.approx(whole(W, b, a, ising)[0, 1, 2], abs=1e-14)
    W, b, a = layer(7, 4, seed=2)
    for method in ("clt", "truncated"):  # no warning: the second order is all there is
        found = rbm_couplings(W, b, a, PRIORS["Gaussian"], order=2, method=method)
        np.testing.assert_allclose(
            found.dense(), whole(W, b, a, PRIORS["Gaussian"]).truncated(2).dense(), atol=1e-12
        )


def test_the_truncated_formula_holds_for_weak_weights():
    W, b, a = layer(6, 3, seed=5, scale=1e-3)
    found = rbm_couplings(W, b, a, ising, method="truncated")
    np.testing.assert_allclose(found.pairs(), whole(W, b, a, ising).pairs(), atol=1e-10)
    np.testing.assert_allclose(found.fields(), whole(W, b, a, ising).fields(), atol=1e-7)


def test_monte_carlo_within_its_errors_and_not_for_other_weights():
    W, b, a = layer(10, 6, seed=7)
    found = rbm_couplings(W, b, a, ising, method="monte-carlo", samples=3000, seed=1)
    truth = whole(W, b, a, ising)
    for k in (0, 1, 2):
        pull = (found.order(k).values - truth.order(k).values) / found.order(k).errors
        assert np.abs(pull).max() < 4.5
        assert 0.5 < np.sqrt(np.mean(pull**2)) < 1.6 or k == 0
    wrong = whole(1.2 * W, b, a, ising).order(2).values
    assert (np.abs(found.order(2).values - wrong) / found.order(2).errors).max() > 8
    again = rbm_couplings(W, b, a, ising, method="monte-carlo", samples=3000, seed=1)
    np.testing.assert_array_equal(again.pairs(), found.pairs())


def test_chosen_sets_of_a_wide_layer():
    W, b, a = layer(300, 20, seed=4, scale=0.1)
    sets = [(0, 1), (3, 200), (5, 6, 7), (8,)]
    clt = rbm_couplings(W, b, a, ising, sets=sets, method="clt")
    sampled = rbm_couplings(W, b, a, ising, sets=sets, method="monte-carlo", samples=20000)
    for k in (1, 2, 3):
        difference = np.abs(clt.order(k).values - sampled.order(k).values)
        assert (difference < 4 * sampled.order(k).errors + 1e-4).all()
    assert np.isnan(clt.pairs()[0, 2])
    with pytest.raises(UsageError, match=r"\(0, 2\) was not computed"):
        clt[0, 2]
    with pytest.raises(UsageError, match="order 4 were not computed"):
        clt.order(4)


def test_a_prior_object_is_taken_with_its_normalisation():
    class Prior:
        def log_sum(self, t):
            return ising(t)

        def cgf(self, t):
            return ising(t) - np.log(2)

    W, b, a = layer(4, 3, seed=0)
    np.testing.assert_array_equal(
        rbm_couplings(W, b, a, Prior()).dense(), rbm_couplings(W, b, a, ising).dense()
    )


@pytest.mark.parametrize(
    ("prior", "function"), [(IsingPrior(), PRIORS["±1"]), (BernoulliPrior(), PRIORS["{0,1}"])]
)
def test_the_hidden_priors_are_accepted(prior, function):
    W, b, a = layer(4, 3, seed=0)
    for method in ("exact", "clt"):
        found = rbm_couplings(W, b, a, prior, order=4, method=method)
        assert found[0, 1, 2, 3] == pytest.approx(whole(W, b, a, function)[0, 1, 2, 3], abs=1e-13)


@pytest.mark.parametrize("width", [0.0, 0.2, 1.0, 5.0, 40.0, 700.0])
def test_the_central_limit_at_every_width_of_the_outside_field(width):
    """Against Gauss-Legendre panels that are dense where a kink is, 10 digits; and e^t in closed form."""
    w, b = np.array([0.8, -0.6, 1.1]), 0.4
    W = np.append(w, width)[:, None]
    points, weights = np.polynomial.legendre.leggauss(60)
    kinks = -(np.array([b]) + np.array([[s, t, u] for s in (1, -1) for t in (1, -1) for u in (1, -1)]) @ w)
    edges = {-12.0, 12.0, *np.linspace(-12, 12, 13)}
    for kink in kinks / max(width, 1e-3):
        edges |= {kink + side * 2.0**-k for k in range(-3, 14) for side in (1, -1)}
    edges = np.array(sorted(e for e in edges if abs(e) <= 12))
    z = ((edges[1:] + edges[:-1])[:, None] + np.diff(edges)[:, None] * points).ravel() / 2
    law = (np.diff(edges)[:, None] * weights / 2).ravel() * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    truth = 0.0
    for signs in itertools.product((1, -1), repeat=3):
        t = b + np.dot(signs, w) + width * z
        truth += np.prod(signs) * law @ np.logaddexp(t, -t) / 8
    found = rbm_couplings(W, [b], np.zeros(4), ising, sets=[(0, 1, 2)], method="clt")[0, 1, 2]
    assert found == pytest.approx(truth, rel=1e-10, abs=1e-15 * max(1.0, width))
    if width <= 5:
        grown = rbm_couplings(W, [b], np.zeros(4), jnp.exp, sets=[(0, 1, 2)], method="clt")[0, 1, 2]
        assert grown == pytest.approx(np.sinh(w).prod() * math.exp(b + width**2 / 2), rel=1e-10)


def test_a_field_too_wide_for_the_nodes_is_not_a_number():
    W = jnp.full((9, 1), 2.0)

    def coupling(W):
        return set_coupling(W, jnp.zeros(1), ising, (0, 1), nodes=256)

    assert jnp.isnan(jax.jit(coupling)(W))
    truth = rbm_couplings(W / 2, [0.0], np.zeros(9), ising, sets=[(0, 1)], method="clt")[0, 1]
    assert float(jax.jit(coupling)(W / 2)) == pytest.approx(truth, rel=1e-9)
    with pytest.raises(NumericalError, match="does not converge"):
        rbm_couplings(W, [0.0], np.zeros(9), lambda t: jnp.exp(t**2), sets=[(0, 1)], method="clt")


@pytest.mark.parametrize("method", ["exact", "clt", "truncated"])
def test_gradients_equal_finite_differences(method):
    W, b, _ = layer(5, 3, seed=6)

    def coupling(W, b):
        return set_coupling(W, b, ising, (1, 3), method=method)

    value = jax.jit(coupling)
    slope_w, slope_b = jax.jit(jax.grad(coupling, argnums=(0, 1)))(jnp.asarray(W), jnp.asarray(b))
    truth = rbm_couplings(W, b, np.zeros(5), ising, method="exact" if method == "truncated" else method)
    if method != "truncated":
        assert float(value(W, b)) == pytest.approx(truth[1, 3], abs=1e-13)
    for place in [(1, 0), (2, 1), (3, 2)]:
        shift = np.zeros_like(W)
        shift[place] = 1e-5
        difference = (value(W + shift, b) - value(W - shift, b)) / 2e-5
        assert slope_w[place] == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
    shift = np.array([0, 1e-5, 0])
    assert slope_b[1] == pytest.approx(float(value(W, b + shift) - value(W, b - shift)) / 2e-5, rel=1e-6)


def test_the_gradient_is_finite_without_outside_weights():
    slope = jax.jit(jax.grad(lambda W: set_coupling(W, jnp.zeros(1), ising, (0, 1))))(jnp.full((2, 1), 0.4))
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rbm_couplings(np.ones((2, 1)), [0.0], [0.0], ising), r"\[n, m\]"),
        (lambda: rbm_couplings(np.full((2, 1), np.nan), [0.0], [0.0, 0.0], ising), "NaN"),
        (lambda: rbm_couplings(*layer(2, 1, 0), ising, method="magic"), "exact, clt"),
        (lambda: rbm_couplings(*layer(2, 1, 0), ising, method="clt", spins="binary"), "needs no average"),
        (lambda: rbm_couplings(*layer(2, 1, 0), ising, order=3), "orders 0 to 2"),
        (lambda: rbm_couplings(*layer(2, 1, 0), ising, sets=[(0, 2)]), "not a set"),
        (
            lambda: set_coupling(np.full((9, 1), 2.0), np.zeros(1), ising, (0, 1), nodes=64),
            r"64.*width 5\.29.*286",
        ),
        (lambda: rbm_couplings(*layer(2, 1, 0), ising, method="monte-carlo", samples=1), "no error"),
        (lambda: rbm_couplings(*layer(2, 1, 0), lambda t: t.sum(-1)), "returned the shape"),
        (lambda: rbm_couplings(*layer(25, 1, 0), ising), r"unit 0 .* 25 spins.*2\^25 states, 0.27 GB.*clt"),
        (lambda: set_coupling(np.ones((2, 1)), np.zeros(1), ising, (0,), method="magic"), "unknown here"),
        (lambda: set_coupling(np.ones((22, 1)), np.zeros(1), ising, (0,), method="exact"), r"2\^22 states"),
    ],
)
def test_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
