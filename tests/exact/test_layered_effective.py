"""Effective energies against sums over the hidden units, their series, and decimation as marginalisation."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.layered import (
    BernoulliPrior,
    FiniteStatePrior,
    GaussianMachine,
    GaussianPrior,
    IsingPrior,
    PoissonPrior,
    PottsPrior,
    RectifiedPrior,
    effective_energy,
    quadratic_hamiltonian,
    truncated_energy,
    truncation_report,
)
from deeprg.runs.errors import NumericalError, UsageError

PM, BINARY = (-1.0, 1.0), (0.0, 1.0)


def layer(n, m, seed, scale=0.5):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=n), scale * rng.normal(size=(n, m)), scale * rng.normal(size=m)


def states(values, n):
    return np.array(list(itertools.product(values, repeat=n)))


@pytest.mark.parametrize("visible", [PM, BINARY], ids=["pm", "binary"])
@given(
    st.sampled_from([(1, 1), (4, 3)]),
    st.sampled_from(
        [
            (BernoulliPrior(), BINARY, (0.0, 0.0)),
            (IsingPrior(), PM, (0.0, 0.0)),
            (FiniteStatePrior([-1.0, 0.3, 2.0], [0.1, 0.0, -0.7]), (-1.0, 0.3, 2.0), (0.1, 0.0, -0.7)),
        ]
    ),
    st.integers(0, 10**6),
)
@settings(derandomize=True, max_examples=15, deadline=None)
def test_the_exact_energy_equals_the_sum_over_hidden_states(visible, sizes, unit, seed):
    n, m = sizes
    prior, values, log_weights = unit
    a, w, b = layer(n, m, seed, scale=1.2)
    x, weight_of = states(visible, n), dict(zip(values, log_weights, strict=True))
    terms = [x @ a + (x @ w + b) @ h + sum(weight_of[value] for value in h) for h in states(values, m)]
    expected = -np.logaddexp.reduce(terms)
    np.testing.assert_allclose(effective_energy(x, a, w, b, prior), expected, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("visible", [PM, BINARY], ids=["pm", "binary"])
def test_integrals_over_real_counted_and_potts_units(visible):
    a, w, b = layer(3, 1, seed=3)
    x = states(visible, 3)
    field = (x @ w + b)[:, 0]
    node, weight = np.polynomial.legendre.leggauss(200)
    h = 8 * (node + 1)  # 0 ... 16
    rectified = np.log((8 * weight * np.exp(field[:, None] * h - h**2 / 2)).sum(axis=1))
    np.testing.assert_allclose(effective_energy(x, a, w, b, RectifiedPrior()), -x @ a - rectified, atol=1e-12)
    h = 16 * node
    density = 16 * weight * np.exp(-(h**2) / 2) / math.sqrt(2 * math.pi)
    gaussian = np.log((density * np.exp(field[:, None] * h)).sum(axis=1))
    np.testing.assert_allclose(effective_energy(x, a, w, b, GaussianPrior()), -x @ a - gaussian, atol=1e-12)
    count = np.arange(120)
    log_weights = -np.array([math.lgamma(k + 1) for k in count]) + count * math.log(0.7)
    poisson = np.logaddexp.reduce(field[:, None] * count + log_weights, axis=1)
    np.testing.assert_allclose(effective_energy(x, a, w, b, PoissonPrior(0.7)), -x @ a - poisson, atol=1e-12)
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(3, 2, 3)), rng.normal(size=(2, 3))
    t = np.einsum("si,ijc->sjc", x, weights) + bias
    potts = np.logaddexp.reduce([t[:, 0, c] + t[:, 1, d] for c in range(3) for d in range(3)])
    np.testing.assert_allclose(
        effective_energy(x, a, weights, bias, PottsPrior(3)), -x @ a - potts, atol=1e-12
    )


@pytest.mark.parametrize("spins", ["pm", "binary"])
def test_gaussian_units_are_the_gaussian_machine(spins):
    a, w, b = layer(4, 3, seed=9)
    machine = GaussianMachine([w], a, [b], spins=spins)
    hamiltonian = machine.spin_hamiltonian()
    quadratic = quadratic_hamiltonian(a, w, b, GaussianPrior(), spins=spins)
    np.testing.assert_allclose(quadratic.pairs, hamiltonian.pairs, atol=1e-13)
    np.testing.assert_allclose(quadratic.fields, hamiltonian.fields, atol=1e-13)
    gaussian = 1.5 * math.log(2 * math.pi)  # the machine's weight exp(-h^2/2) is not normalised
    assert quadratic.constant - gaussian == pytest.approx(hamiltonian.constant, abs=1e-13)


@pytest.mark.parametrize("spins", ["pm", "binary"])
@pytest.mark.parametrize("prior", [IsingPrior(), RectifiedPrior()], ids=["ising", "rectified"])
def test_the_quadratic_hamiltonian_is_the_second_order(prior, spins):
    a, w, b = layer(3, 2, seed=4, scale=0.4)
    x = states(PM if spins == "pm" else BINARY, 3)
    expected = truncated_energy(x, a, w, b, prior, 2)
    np.testing.assert_allclose(
        quadratic_hamiltonian(a, w, b, prior, spins=spins).energy(x), expected, atol=1e-12
    )


@pytest.mark.parametrize(
    "prior",
    [pytest.param(IsingPrior(), marks=pytest.mark.slow), RectifiedPrior(), PottsPrior(3)],
    ids=lambda prior: type(prior).__name__,
)
def test_gradients_equal_finite_differences(prior):
    rng = np.random.default_rng(2)
    tail = (3,) if isinstance(prior, PottsPrior) else ()
    a, w, b = (jnp.asarray(0.3 * rng.normal(size=shape)) for shape in ((3,), (3, 2, *tail), (2, *tail)))
    x = jnp.asarray(rng.choice(PM, size=3))

    def exact(x, a, w, b):
        return effective_energy(x, a, w, b, prior)

    def truncated(x, a, w, b):
        return truncated_energy(x, a, w, b, prior, 4, allow_divergent=True)

    for energy in (exact, truncated):
        both = jax.jit(jax.value_and_grad(energy, argnums=(0, 1, 2, 3)))  # compiled once for all differences
        _, gradients = both(x, a, w, b)
        for position, gradient in enumerate(gradients):
            direction = jnp.asarray(rng.normal(size=gradient.shape))

            def along(step, position=position, direction=direction, both=both):
                arguments = [x, a, w, b]
                arguments[position] = arguments[position] + step * direction
                return float(both(*arguments)[0])

            h = 2e-3  # eighth-order central differences
            stencil = [(1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280)]
            slope = sum(c * (along(k * h) - along(-k * h)) for k, c in stencil) / h
            assert float(jnp.vdot(gradient, direction)) == pytest.approx(slope, abs=1e-11)


def test_truncation_orders_and_the_report():
    prior = IsingPrior()
    a, w, b = layer(4, 2, seed=6, scale=0.25)
    x = states(PM, 4)
    exact = np.asarray(effective_energy(x, a, w, b, prior))
    report = truncation_report(x, a, w, b, prior, 12)
    assert report.converges
    orders = (1, 2, 12)
    energies = [np.asarray(truncated_energy(x, a, w, b, prior, n)) for n in orders]
    for n, energy in zip(orders, energies, strict=True):
        assert report.errors[n - 1] == pytest.approx(np.abs(energy - exact).max(), abs=1e-14)
    assert report.changes[1] == pytest.approx(np.abs(energies[1] - energies[0]).max(), abs=1e-14)
    assert report.errors[-1] < 0.02 * report.errors[1]
    expected = np.abs(x @ w).max(axis=0) / np.sqrt(b**2 + math.pi**2 / 4)
    np.testing.assert_allclose(report.reach, expected, rtol=1e-14)
    assert report.unit == int(np.argmax(expected))
    by_hand = x @ a + (
        np.log(2 * np.cosh(b)) + (x @ w) * np.tanh(b) + (x @ w) ** 2 / np.cosh(b) ** 2 / 2
    ).sum(1)
    np.testing.assert_allclose(energies[1], -by_hand, atol=1e-14)


def test_gaussian_series_end_at_second_order():
    a, w, b = layer(3, 2, seed=1, scale=2.0)
    x = states(PM, 3)
    prior = GaussianPrior(1.3, 0.2)
    np.testing.assert_allclose(
        truncated_energy(x, a, w, b, prior, 2), effective_energy(x, a, w, b, prior), atol=1e-12
    )
    report = truncation_report(x, a, w, b, prior, 5)
    assert report.converges
    assert not report.changes[2:].any()
    assert not report.reach.any()


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_series_outside_its_radius_is_refused(factor):
    prior, a, b = IsingPrior(), np.zeros(2), np.array([0.0, 0.3])
    w = np.array([[0.1, 0.5], [0.1, 0.5]]) * factor * math.hypot(0.3, math.pi / 2)
    x = np.array([[1.0, 1.0], [1.0, -1.0]])
    report = truncation_report(x, a, w, b, prior, 200)
    assert report.reach[1] == pytest.approx(factor)
    assert report.converges == (factor < 1)
    if factor < 1:
        value = truncated_energy(x, a, w, b, prior, 200)
        assert np.isfinite(value).all()
        assert report.changes[150:].max() < report.changes[50:100].max()
        return
    with pytest.raises(NumericalError, match=r"hidden unit 1 is 1\.02 radii"):
        truncated_energy(x, a, w, b, prior, 200)
    diverged = truncated_energy(x, a, w, b, prior, 200, allow_divergent=True)
    assert np.abs(diverged - effective_energy(x, a, w, b, prior)).max() == pytest.approx(report.errors[-1])
    assert report.changes[150:].max() > report.changes[50:100].max()
    truncated_energy(x[1], a, w, b, prior, 4)  # this configuration alone is inside


def test_potts_units_outside_their_radius_are_refused():
    weights = np.zeros((1, 1, 2))
    weights[0, 0, 0] = 1.01 * math.pi
    arguments = ([0.0], weights, np.zeros((1, 2)), PottsPrior(2), 3)
    with pytest.raises(NumericalError, match=r"1\.01 radii"):
        truncated_energy([1.0], *arguments)
    truncated_energy([1.0], [0.0], 0.9 * weights, *arguments[2:])


def test_inputs_that_are_refused():
    a, w, b = layer(3, 2, seed=0)
    prior = IsingPrior()
    with pytest.raises(UsageError, match="do not fit"):
        effective_energy([1, 1], a, w, b, prior)
    with pytest.raises(UsageError, match=r"W must be \[n, m, q\]"):
        effective_energy([1, 1, 1], a, w, b, PottsPrior(2))
    with pytest.raises(UsageError, match="at least 1, not 0"):
        truncated_energy([1, 1, 1], a, w, b, prior, 0)
    with pytest.raises(UsageError, match="radius of convergence cannot be checked"):
        jax.grad(lambda x: truncated_energy(x, a, w, b, prior, 2))(jnp.ones(3))
    with pytest.raises(UsageError, match="spins"):
        quadratic_hamiltonian(a, w, b, prior, spins="ising")


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
@settings(derandomize=True, max_examples=30, deadline=None)
def test_decimation_of_the_chain_is_marginalisation(bond, field):
    """Section 5: every second spin is a hidden ±1 unit with weights K to its neighbours and bias h."""
    x = states(PM, 2)
    energy = effective_energy(x, np.zeros(2), np.full((2, 1), bond), [field], IsingPrior())
    action = dict(zip(map(tuple, x), -np.asarray(energy), strict=True))
    pp, pm, mm = action[1.0, 1.0], action[1.0, -1.0], action[-1.0, -1.0]
    plus, minus, zero = (math.cosh(2 * bond + field), math.cosh(2 * bond - field), math.cosh(field))
    assert (pp + mm - 2 * pm) / 4 == pytest.approx(0.25 * math.log(plus * minus / zero**2), abs=1e-12)
    # each kept spin has two such neighbours, hence twice the field of one
    assert field + (pp - mm) / 2 == pytest.approx(field + 0.5 * math.log(plus / minus), abs=1e-12)
    constant = math.log(2) + 0.25 * math.log(plus * minus * zero**2)
    assert (pp + mm + 2 * pm) / 4 == pytest.approx(constant, abs=1e-12)


@pytest.mark.parametrize("bond", [0.1, 0.44, 1.3])
def test_the_decimated_ring_keeps_z_and_has_the_new_coupling(bond):
    n = 6  # kept spins of a ring of 12
    w = np.zeros((n, n))
    for j in range(n):
        w[j, j] = w[(j + 1) % n, j] = bond
    x = states(PM, n)
    action = -np.asarray(effective_energy(x, np.zeros(n), w, np.zeros(n), IsingPrior()))
    coarse = 0.5 * math.log(math.cosh(2 * bond))
    assert math.tanh(coarse) == pytest.approx(math.tanh(bond) ** 2, abs=1e-14)
    expected = coarse * (x * np.roll(x, 1, axis=1)).sum(axis=1) + n * (math.log(2) + coarse)
    np.testing.assert_allclose(action, expected, atol=1e-12)
    log_z = math.log((2 * math.cosh(bond)) ** 12 + (2 * math.sinh(bond)) ** 12)
    assert np.logaddexp.reduce(action) == pytest.approx(log_z, abs=1e-12)


@pytest.mark.parametrize("bond", [0.2, 0.7])
def test_a_unit_with_four_legs_makes_pairs_and_a_quartet(bond):
    x = states(PM, 4)
    action = -np.asarray(effective_energy(x, np.zeros(4), np.full((4, 1), bond), [0.0], IsingPrior()))
    four, two = math.log(math.cosh(4 * bond)), math.log(math.cosh(2 * bond))
    for i, j in itertools.combinations(range(4), 2):
        assert np.mean(action * x[:, i] * x[:, j]) == pytest.approx(four / 8, abs=1e-13)
    assert np.mean(action * x.prod(axis=1)) == pytest.approx(four / 8 - two / 2, abs=1e-13)
    assert np.mean(action) == pytest.approx(math.log(2) + two / 2 + four / 8, abs=1e-13)
