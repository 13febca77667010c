"""Cumulants and connected correlators: definitions, derivatives of ln Z, Ising, jackknife errors."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact import enumerate_distribution, enumerate_states
from deeprg.exact.couplings import (
    configurations,
    connected_correlators,
    cumulants,
    cumulants_to_moments,
    joint_cumulant,
    joint_cumulants_to_moments,
    joint_moments,
    joint_moments_to_cumulants,
    moments_to_cumulants,
    sampled_correlators,
    set_partitions,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

small = settings(derandomize=True, max_examples=10, deadline=None)


def law(n, seed):
    p = np.random.default_rng(seed).random(1 << n) ** 3
    return p / p.sum()


def test_one_variable_against_known_distributions():
    np.testing.assert_allclose(moments_to_cumulants([1, 2, 5, 15, 52, 203.0]), 1)  # Poisson: Bell numbers
    exponential = [math.factorial(k) for k in range(1, 8)]
    np.testing.assert_allclose(
        moments_to_cumulants(np.array(exponential, float)), [math.factorial(k - 1) for k in range(1, 8)]
    )
    np.testing.assert_allclose(
        cumulants([-1.0, 1.0], 8), [0, 1, 0, -2, 0, 16, 0, -272], atol=1e-11
    )  # ln cosh


@small
@given(seed=st.integers(0, 2**31), size=st.integers(2, 9))
def test_first_four_and_the_way_back(seed, size):
    rng = np.random.default_rng(seed)
    x, p = rng.normal(size=size), rng.random(size)
    p /= p.sum()
    mean = p @ x
    mu2, mu3, mu4 = (p @ (x - mean) ** k for k in (2, 3, 4))
    np.testing.assert_allclose(cumulants(x, 4, p), [mean, mu2, mu3, mu4 - 3 * mu2**2], atol=1e-13)
    moments = np.array([p @ x**k for k in range(1, 7)])
    np.testing.assert_allclose(cumulants_to_moments(moments_to_cumulants(moments)), moments, atol=1e-11)
    np.testing.assert_allclose(cumulants(x + 1e6, 4, p)[1:], cumulants(x, 4, p)[1:], atol=1e-6)


def test_partitions_are_counted_by_the_bell_numbers():
    assert [sum(1 for _ in set_partitions(n)) for n in range(8)] == [1, 1, 2, 5, 15, 52, 203, 877]
    for partition in set_partitions(5):
        assert sorted(itertools.chain.from_iterable(partition)) == list(range(5))


@small
@given(seed=st.integers(0, 2**31), n=st.integers(1, 6), spins=st.sampled_from(["pm", "binary"]))
def test_all_correlators_of_a_law_three_ways(seed, n, spins):
    p, x = law(n, seed), configurations(n, spins)
    moments = joint_moments(p, spins)
    for mask in range(1 << n):
        inside = [i for i in range(n) if mask >> i & 1]
        assert moments[mask] == pytest.approx(p @ x[:, inside].prod(axis=1), abs=1e-14)
    kappa = connected_correlators(p, spins)
    for mask in range(1, 1 << n):
        inside = [i for i in range(n) if mask >> i & 1]
        assert kappa[mask] == pytest.approx(joint_cumulant(x, inside, p), abs=1e-12)
    np.testing.assert_allclose(joint_cumulants_to_moments(kappa), moments, atol=1e-12)


def test_cumulants_are_derivatives_of_the_generating_function():
    """kappa_ijk.. is the mixed derivative of ln ⟨exp(t.x)⟩ at t = 0, also where an index is repeated."""
    p, x = law(3, 5), configurations(3).astype(float)

    def generating(t):
        return jax.scipy.special.logsumexp(jnp.asarray(x) @ t, b=jnp.asarray(p))

    derivative = jax.jit(jax.hessian(jax.hessian(generating)))(jnp.zeros(3))
    for indices in itertools.combinations_with_replacement(range(3), 4):
        assert joint_cumulant(x, indices, p) == pytest.approx(float(derivative[indices]), abs=1e-13)


@pytest.mark.parametrize("field", [0.0, 0.3])
def test_all_correlators_of_an_enumerated_ising_model(field):
    model = Ising(Lattice((3, 3)), 2.5, field=field)
    distribution = enumerate_distribution(model)
    p = distribution.probabilities[::-1]  # the order of configurations
    kappa, moments = connected_correlators(p), joint_moments(p)
    # the two-point function of the independent sum over tables
    exact = enumerate_states(model)
    pairs = np.array([[moments[(1 << i) ^ (1 << j)] for j in range(9)] for i in range(9)])
    found = np.zeros(9)
    np.add.at(found, model.lattice.displacements(), pairs / 9)
    np.testing.assert_allclose(found.reshape(3, 3), exact.correlation, atol=1e-13)
    assert kappa[1] == pytest.approx(exact.magnetization, abs=1e-13)
    # derivatives of ln Z with respect to fields on single sites
    energies = -np.log(p)
    x = configurations(9).astype(float)
    for sites in [(0, 1), (0, 4), (0, 1, 3), (0, 1, 2, 5)]:
        mask = sum(1 << site for site in sites)
        step, total = 0.02, 0.0
        for sign in itertools.product((1, -1), repeat=len(sites)):
            log_z = np.log(np.exp(-energies + step * x[:, list(sites)] @ np.array(sign)).sum())
            total += math.prod(sign) * log_z / (2 * step) ** len(sites)
        assert kappa[mask] == pytest.approx(total, abs=2e-3)
    flat = x.reshape(-1, 9)
    for mask in (0b11, 0b1011, 0b100110011, 0b11111111):
        inside = [i for i in range(9) if mask >> i & 1]
        assert kappa[mask] == pytest.approx(joint_cumulant(flat, inside, p), abs=1e-11)
    if field == 0:
        odd = np.bitwise_count(np.arange(512)) % 2 == 1
        assert np.abs(kappa[odd]).max() < 1e-12


def test_independent_variables_have_no_joint_cumulants():
    bias = np.array([0.2, -0.4, 0.7, 0.1])
    p = np.prod((1 + configurations(4) * bias) / 2, axis=1)
    kappa = connected_correlators(p)
    assert np.abs(kappa[np.bitwise_count(np.arange(16)) > 1]).max() < 1e-15
    np.testing.assert_allclose(kappa[[1, 2, 4, 8]], bias, atol=1e-15)


def test_samples_agree_with_the_law_within_jackknife_errors():
    p, x = law(3, 1), configurations(3)
    rng, sets = np.random.default_rng(0), [(0,), (0, 1), (1, 1), (0, 1, 2), (0, 0, 1, 2)]
    truth = np.array([joint_cumulant(x, s, p) for s in sets])
    pulls, errors = [], []
    for _ in range(60):
        found = sampled_correlators(x[rng.choice(8, 3000, p=p)], sets, blocks=30)
        pulls.append((found.value - truth) / found.error)
        errors.append(found.error)
    spread = np.std(pulls, axis=0)
    assert (np.abs(np.mean(pulls, axis=0)) < 4 / math.sqrt(60)).all()
    assert ((spread > 0.7) & (spread < 1.4)).all()
    # the failing twin: the cumulants of another law
    other = np.array([joint_cumulant(x, s, law(3, 2)) for s in sets])
    assert np.sort(np.abs(other - truth) / np.mean(errors, axis=0))[1] > 4
    single = sampled_correlators(x[rng.choice(8, 3000, p=p)], sets)
    assert single.sets == tuple(sets)


def test_errors_of_correlated_chains_need_long_blocks():
    """Every sample repeated 20 times: blocks of 100 steps know it, the naive error is sqrt(20) too small."""
    rng = np.random.default_rng(3)
    fresh = rng.integers(0, 2, (4, 250, 2)) * 2 - 1
    samples = np.repeat(fresh, 20, axis=1)
    found = sampled_correlators(samples, [(0, 1)], blocks=100)
    plain = sampled_correlators(fresh, [(0, 1)], blocks=100)
    assert found.value[0] == pytest.approx(plain.value[0], abs=1e-14)
    assert found.error[0] == pytest.approx(1 / math.sqrt(1000), rel=0.3)


def test_bias_of_the_plug_in_variance():
    samples = np.random.default_rng(0).normal(size=(200, 1))
    found = sampled_correlators(samples, [(0, 0)], blocks=100)
    assert found.value[0] - found.bias[0] == pytest.approx(samples.var(ddof=1), rel=2e-3)
    assert found.value[0] != pytest.approx(samples.var(ddof=1), rel=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joint_moments([0.5, 0.6]), "add up to 1.1"),
        (lambda: joint_moments([1.5, -0.5]), "not negative"),
        (lambda: joint_moments([0.5, 0.25, 0.25]), "3 probabilities"),
        (lambda: joint_moments(np.full((2, 2), 0.25)), r"\[2\^n\]"),
        (lambda: joint_moments_to_cumulants([2.0, 1.0]), "must be 1"),
        (lambda: joint_moments_to_cumulants(np.ones(3)), "3 joint moments"),
        (lambda: joint_moments_to_cumulants(np.ones(1 << 17)), "17 variables"),
        (lambda: moments_to_cumulants([np.nan]), "finite"),
        (lambda: cumulants([1.0, 2.0], 0), "start at order 1"),
        (lambda: cumulants([1.0, 2.0], 2, [1.0]), "2 states"),
        (lambda: cumulants(np.ones((2, 2)), 2), "finite vector"),
        (lambda: joint_cumulant(np.ones(3), (0,)), r"not \(3,\)"),
        (lambda: joint_cumulant(np.ones((3, 2)), (0, 2)), "numbers from 0 to 1"),
        (lambda: joint_cumulant(np.ones((3, 2)), (0,) * 9), "1 to 8"),
        (lambda: set_partitions(11), "0 to 10"),
        (lambda: sampled_correlators(np.ones((100, 2)), [(0,)], blocks=5), "do not fill 5 blocks"),
        (lambda: sampled_correlators(np.ones((30, 2)), [(0,)], blocks=20), "of 30 samples"),
        (lambda: sampled_correlators(np.full((100, 2), np.nan), [(0,)]), "finite"),
    ],
)
def test_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
