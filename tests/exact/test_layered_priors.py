"""Hidden priors: cumulants against contour integrals, sums and limits; radii against series that fail."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.layered import (
    BernoulliPrior,
    FiniteStatePrior,
    GaussianPrior,
    HiddenPrior,
    IsingPrior,
    PoissonPrior,
    PottsPrior,
    RectifiedPrior,
    spin_prior,
)
from deeprg.runs.errors import UsageError

ODD = FiniteStatePrior([-1.3, 0.2, 0.9, 2.0], [0.3, -0.5, 0.0, -1.0])

# ln of the generating sum, for complex fields, written out independently
COMPLEX = {
    "bernoulli": (BernoulliPrior(), lambda z: np.log1p(np.exp(z))),
    "ising": (IsingPrior(), lambda z: np.log(2 * np.cosh(z))),
    "gaussian": (GaussianPrior(1.7, mean=-0.4), lambda z: -0.4 * z + 0.85 * z**2),
    "rectified": (
        RectifiedPrior(),
        lambda z: z**2 / 2 + scipy.special.log_ndtr(z) + 0.5 * math.log(2 * math.pi),
    ),
    "poisson": (PoissonPrior(1.3), lambda z: 1.3 * np.exp(z)),
    "spin 3/2": (spin_prior(1.5), lambda z: np.log(np.sinh(2 * z) / np.sinh(z / 2))),
    "finite": (ODD, lambda z: np.log(np.exp(z[:, None] * ODD.states + ODD.log_weights).sum(axis=1))),
}


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("bias", [-1.6, 0.05, 0.7])
def test_all_cumulants_equal_a_contour_integral(name, bias):
    prior, function = COMPLEX[name]
    radius, points = 0.75 * min(float(prior.radius(bias)), 3.0), 256
    circle = radius * np.exp(2j * np.pi * np.arange(points) / points)
    # taken as a difference along the circle, the logarithm stays on one branch
    values = function(bias + circle)
    values = values.real + 1j * np.unwrap(values.imag)
    expected = np.fft.fft(values).real / points / radius ** np.arange(points)
    series = np.asarray(prior.taylor(12, bias))
    scale = radius ** -np.arange(13.0)
    np.testing.assert_allclose(series / scale, expected[:13] / scale, atol=1e-12)
    assert float(prior.cumulant(5, bias)) == pytest.approx(120 * expected[5], abs=1e-10)
    assert float(prior.mean(bias)) == pytest.approx(expected[1], abs=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in ("rectified", "spin 3/2", "finite") else n
        for n in COMPLEX
    ],
)
def test_values_and_derivatives_of_the_generating_function(name):
    prior, function = COMPLEX[name]
    t = np.array([-1.2, -0.3, 0.4, 1.9])
    np.testing.assert_allclose(prior.log_sum(t), function(t + 0j).real, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(prior.cgf(t, 0.3), prior.log_sum(t + 0.3) - prior.log_sum(0.3), atol=1e-15)
    assert float(prior.cgf(0.0, 0.8)) == 0.0
    slope = jax.grad(prior.log_sum)
    derivatives = jax.jit(jax.vmap(lambda u: (slope(u), jax.grad(slope)(u))))(jnp.asarray(t))
    series = prior.taylor(3, t)
    np.testing.assert_allclose(derivatives[0], series[1], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(derivatives[1], 2 * series[2], rtol=1e-11, atol=1e-12)
    if name in ("rectified", "finite"):
        thirds = jax.jit(jax.vmap(jax.grad(prior.variance)))(jnp.asarray(t))
        np.testing.assert_allclose(thirds, 6 * series[3], rtol=1e-10, atol=1e-11)
        assert prior.taylor(3, t.reshape(2, 2)).shape == (4, 2, 2)
    assert prior.radius(t).shape == (4,)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-2, 2)), min_size=4, max_size=4, unique_by=lambda s: s[0]),
    st.floats(-2, 2),
)
@settings(derandomize=True, max_examples=10, deadline=None)
def test_a_finite_unit_equals_direct_sums(pairs, bias):
    states, log_weights = np.array(pairs).T
    prior = FiniteStatePrior(states, log_weights)
    law = np.exp(log_weights + bias * states)
    norm = law.sum()
    law = law / norm
    mean = law @ states
    central = [law @ (states - mean) ** k for k in range(5)]
    expected = [math.log(norm), mean, central[2], central[3], central[4] - 3 * central[2] ** 2]
    cumulants = np.asarray(prior.taylor(4, bias)) * [1, 1, 2, 6, 24]
    np.testing.assert_allclose(cumulants, expected, rtol=1e-12, atol=1e-12)
    if np.ptp(states) > 0.1:
        assert float(prior.radius(bias)) >= (1 - 1e-12) * math.pi / np.ptp(states)


@pytest.mark.slow
def test_the_rectified_unit_far_from_zero():
    prior = RectifiedPrior()
    t = np.array([-3e4, -300.0, -20.0, -5.0, 0.0, 5.0, 40.0, 3e4])
    erfcx = scipy.special.erfcx(-t[:5] / math.sqrt(2))
    np.testing.assert_allclose(
        prior.log_sum(t[:5]), np.log(math.sqrt(math.pi / 2) * erfcx), rtol=1e-13, atol=1e-14
    )
    positive = t[5:] ** 2 / 2 + scipy.special.log_ndtr(t[5:]) + 0.5 * math.log(2 * math.pi)
    np.testing.assert_allclose(prior.log_sum(t[5:]), positive, rtol=1e-14)
    mean = np.asarray(prior.mean(t))
    mills = math.sqrt(2 / math.pi) / scipy.special.erfcx(-t[2:7] / math.sqrt(2))
    np.testing.assert_allclose(mean[2:7], t[2:7] + mills, rtol=1e-11, atol=1e-12)
    s = 3e4  # exponential with mean 1/s, and corrections of relative order 1/s^2
    cumulants = np.asarray(prior.taylor(6, -s))[1:] * s ** np.arange(1.0, 7.0) * np.arange(1.0, 7.0)
    np.testing.assert_allclose(cumulants, 1, atol=1e-6)
    assert float(prior.variance(3e4)) == pytest.approx(1, abs=1e-11)
    assert np.isfinite(jax.jit(jax.vmap(jax.grad(prior.log_sum)))(jnp.asarray(t))).all()


def test_a_prior_needs_its_generating_function_only():
    class Laplace(HiddenPrior):
        def log_sum(self, t):
            return -jnp.log1p(-jnp.square(jnp.asarray(t)))

    prior = Laplace()
    assert float(prior.variance(0.0)) == pytest.approx(2)
    assert float(prior.cumulant(4)) == pytest.approx(12)
    np.testing.assert_allclose(prior.taylor(4, jnp.zeros(2))[:, 0], [0, 0, 1, 0, 0.5], atol=1e-14)
    with pytest.raises(UsageError, match="Laplace does not say"):
        prior.radius()


@pytest.mark.parametrize("bias", [-3.0, 0.0, 0.4, 12.0])
def test_closed_radii(bias):
    assert float(IsingPrior().radius(bias)) == pytest.approx(math.sqrt(bias**2 + math.pi**2 / 4), rel=1e-15)
    assert float(BernoulliPrior().radius(bias)) == pytest.approx(math.sqrt(bias**2 + math.pi**2), rel=1e-15)
    assert float(GaussianPrior().radius(bias)) == float(PoissonPrior().radius(bias)) == math.inf
    # the general search finds the same
    pm, binary = FiniteStatePrior([-1.0, 1.0]), FiniteStatePrior([0.0, 1.0])
    assert float(pm.radius(bias)) == pytest.approx(float(IsingPrior().radius(bias)), rel=1e-12)
    assert float(binary.radius(bias)) == pytest.approx(float(BernoulliPrior().radius(bias)), rel=1e-12)
    for spin in (0.5, 1, 2.5):  # zeros of sinh((2S + 1) t/2)/sinh(t/2)
        expected = math.hypot(bias, 2 * math.pi / (2 * spin + 1))
        assert float(spin_prior(spin).radius(bias)) == pytest.approx(expected, rel=1e-11)


@given(st.integers(0, 10**6), st.integers(3, 6), st.floats(-2, 2))
@settings(derandomize=True, max_examples=10, deadline=None)
def test_the_radius_search_equals_polynomial_roots(seed, count, bias):
    rng = np.random.default_rng(seed)
    log_weights = rng.normal(size=count)
    roots = np.log(np.roots(np.exp(log_weights)[::-1]).astype(complex))  # y = e^t
    distances = [abs(root + 2j * math.pi * k - bias) for root in roots for k in (-1, 0, 1)]
    radius = float(FiniteStatePrior(np.arange(float(count)), log_weights).radius(bias))
    assert radius == pytest.approx(min(distances), rel=1e-9)


def test_a_double_zero_and_a_frozen_unit():
    # (1 + e^t)^2 has a double zero at i pi
    radius = FiniteStatePrior([0.0, 1.0, 2.0], np.log([1.0, 2.0, 1.0])).radius()
    assert float(radius) == pytest.approx(math.pi, rel=1e-6)
    assert float(FiniteStatePrior([1.5]).radius()) == math.inf
    assert float(FiniteStatePrior([0.0, 1.0], [0.0, -math.inf]).radius()) == math.inf
    assert float(FiniteStatePrior([0.0, 1.0], [0.0, -math.inf]).cumulant(2)) == 0.0


@pytest.mark.parametrize("bias", [-40.0, -2.0, 0.0, 3.0, 25.0])
def test_the_rectified_radius_is_a_zero_of_phi(bias):
    radius = float(RectifiedPrior().radius(bias))
    # |Phi| on the circle has a zero there and none inside, counted by its winding
    points = bias + radius * (1 + 1e-6) * np.exp(1j * np.linspace(0, math.pi, 200_001))
    inner = bias + radius * (1 - 1e-6) * np.exp(1j * np.linspace(0, math.pi, 200_001))

    def turns(z):
        phase = scipy.special.log_ndtr(z).imag
        return round(float(np.angle(np.exp(1j * np.diff(phase))).sum()) / (2 * math.pi))

    assert turns(inner) == 0
    assert turns(points) >= 1


@pytest.mark.parametrize(
    ("prior", "bias"),
    [
        (IsingPrior(), 0.0),
        (IsingPrior(), 0.8),
        (BernoulliPrior(), -1.0),
        (spin_prior(1), 0.5),
        (ODD, 0.3),
        (RectifiedPrior(), 0.0),
        (RectifiedPrior(), -2.0),
    ],
)
def test_the_series_converges_inside_and_diverges_outside(prior, bias):
    radius, order = float(prior.radius(bias)), 150
    series = np.asarray(prior.taylor(order, bias))
    inside = series * (0.8 * radius) ** np.arange(order + 1.0)
    exact = float(prior.log_sum(bias + 0.8 * radius))
    assert inside.sum() == pytest.approx(exact, abs=1e-11)
    outside = np.abs(series * (1.1 * radius) ** np.arange(order + 1.0))
    assert outside[-20:].max() > 10 * outside[20:40].max()
    just_inside = np.abs(series * (0.97 * radius) ** np.arange(order + 1.0))
    assert just_inside[-20:].max() < 0.2 * just_inside[20:40].max()


def test_potts_units():
    prior, rng = PottsPrior(3), np.random.default_rng(0)
    field, step = rng.normal(size=(2, 3)), 0.4 * rng.normal(size=(2, 3))
    np.testing.assert_allclose(prior.log_sum(field), np.log(np.exp(field).sum(axis=1)), atol=1e-14)
    law = np.exp(field) / np.exp(field).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(prior.mean(field), law, atol=1e-14)
    covariance = np.array([np.diag(p) - np.outer(p, p) for p in law])
    np.testing.assert_allclose(prior.variance(field), covariance, atol=1e-14)
    third = np.asarray(prior.cumulant(3, field))
    terms = np.asarray(prior.terms(40, field, step))
    np.testing.assert_allclose(
        terms[3] * 6, np.einsum("uabc,ua,ub,uc->u", third, step, step, step), atol=1e-14
    )
    np.testing.assert_allclose(terms.sum(axis=0), prior.log_sum(field + step), atol=1e-12)
    # two states are a {0, 1} unit in the difference of the fields
    reach = PottsPrior(2).reach(np.array([1.0, 0.4]), np.array([5.0, 0.5]))
    assert float(reach) == pytest.approx(4.5 / float(BernoulliPrior().radius(0.6)), rel=1e-12)


def test_inputs_that_are_refused():
    for wrong, message in (
        (lambda: FiniteStatePrior([]), "vectors of one length"),
        (lambda: FiniteStatePrior([0.0, 1.0], [0.0]), "vectors of one length"),
        (lambda: FiniteStatePrior([0.0, math.inf]), "must be finite"),
        (lambda: FiniteStatePrior([0.0], [-math.inf]), "not all -inf"),
        (lambda: GaussianPrior(0.0), "variance must be positive"),
        (lambda: PoissonPrior(-1), "rate must be positive"),
        (lambda: spin_prior(0.7), "spin must be"),
        (lambda: PottsPrior(1), "at least 2 states"),
        (lambda: PottsPrior(3).log_sum([0.0, 1.0]), "last axis must be 3"),
        (lambda: PottsPrior(3).radius(), "direction"),
        (lambda: PottsPrior(3).taylor(2), "terms"),
        (lambda: IsingPrior().cumulant(0), "at least 1, not 0"),
        (lambda: IsingPrior().taylor(-1), "at least 0, not -1"),
    ):
        with pytest.raises(UsageError, match=message):
            wrong()
