"""Variational RG: the map to an RBM and back, the trace condition, and why Delta F = 0 is not enough."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.couplings import (
    coarse_energy,
    configurations,
    couplings_of,
    log_trace,
    operator_of_rbm,
    operator_of_rule,
    rbm_energy,
    rbm_of_operator,
    unfaithful_operator,
    variational_rg,
)
from deeprg.runs.errors import UsageError

small = settings(derandomize=True, max_examples=10, deadline=None)
logsumexp = scipy.special.logsumexp


def ring(n, K):
    x = configurations(n).astype(float)
    return -K * (x * np.roll(x, 1, axis=1)).sum(axis=1)


def random_rbm(n, m, seed, spins="pm"):
    rng = np.random.default_rng(seed)
    return rbm_energy(rng.normal(size=(n, m)), rng.normal(size=m), rng.normal(size=n), spins)


@small
@given(
    n=st.integers(1, 4),
    m=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    spins=st.sampled_from(["pm", "binary"]),
)
def test_the_rbm_as_an_operator(n, m, seed, spins):
    E, H = random_rbm(n, m, seed, spins), np.random.default_rng(seed + 1).normal(size=1 << n)
    rng = np.random.default_rng(seed)
    W, b, a = rng.normal(size=(n, m)), rng.normal(size=m), rng.normal(size=n)
    for v, h, value in [(1, 0, E[1, 0]), (-1, -1, E[-1, -1])]:
        x, y = configurations(n, spins)[v], configurations(m, spins)[h]
        assert value == pytest.approx(-a @ x - b @ y - x @ W @ y, abs=1e-12)
    T = operator_of_rbm(E, H)
    np.testing.assert_allclose(rbm_of_operator(T, H), E, atol=1e-14)
    # e^T = p(h|v) e^(H(v) - H_RBM(v)), and H' is the hidden layer's energy
    own = -logsumexp(-E, axis=1)
    conditional = np.exp(-E + own[:, None])
    np.testing.assert_allclose(np.exp(T), conditional * np.exp(H - own)[:, None], rtol=1e-12)
    np.testing.assert_allclose(coarse_energy(T, H), -logsumexp(-E, axis=0), atol=1e-12)
    found = variational_rg(T, H)
    np.testing.assert_allclose(found.log_trace, H - own, atol=1e-12)
    np.testing.assert_allclose(found.coarse_energy, coarse_energy(T, H))
    assert found.violation == pytest.approx(np.abs(H - own).max(), abs=1e-12)
    # Delta F = ln Z - ln Z_RBM; KL by its definition
    assert found.delta_f == pytest.approx(logsumexp(-H) - logsumexp(-E), abs=1e-12)
    p, q = np.exp(-H - logsumexp(-H)), np.exp(-own - logsumexp(-own))
    assert found.kl == pytest.approx(p @ np.log(p / q), abs=1e-12)
    assert not found.exact


@small
@given(seed=st.integers(0, 2**31), n=st.integers(1, 5))
def test_every_rule_is_exact(seed, n):
    rng = np.random.default_rng(seed)
    P = rng.random((1 << n, 4)) * (rng.random((1 << n, 4)) < 0.7) + np.eye(4)[rng.integers(0, 4, 1 << n)]
    P /= P.sum(axis=1, keepdims=True)
    H = rng.normal(size=1 << n)
    found = variational_rg(operator_of_rule(P), H)
    assert found.exact
    assert abs(found.delta_f) + found.kl < 1e-12
    p = np.exp(-H - logsumexp(-H))
    coarse = np.exp(-found.coarse_energy - logsumexp(-found.coarse_energy))
    np.testing.assert_allclose(coarse, p @ P, atol=1e-13)  # the marginal law of h


def test_decimation_as_an_operator():
    """Keep every second spin of a ring of 8: K' = 1/2 ln cosh 2K, tanh K' = tanh^2 K."""
    K, v = 0.6, configurations(8)
    P = np.zeros((256, 16))
    P[np.arange(256), (v[:, ::2] == -1) @ (1 << np.arange(4))] = 1
    found = variational_rg(operator_of_rule(P), ring(8, K))
    couplings = couplings_of(-found.coarse_energy)
    assert found.exact
    assert couplings[0, 1] == couplings[0, 3] == pytest.approx(np.log(np.cosh(2 * K)) / 2, abs=1e-13)
    assert np.tanh(couplings[1, 2]) == pytest.approx(np.tanh(K) ** 2, abs=1e-13)
    assert abs(couplings[0, 2]) + abs(couplings[0, 1, 2, 3]) < 1e-12


@pytest.mark.parametrize("K", [0.2, 0.5, 1.5])
def test_delta_f_zero_does_not_make_a_step_exact(K):
    faithful = np.arccosh(np.exp(2 * K)) / 2
    for w in [0.0, 0.3, faithful, 2.0]:
        T, H = unfaithful_operator(K, w)
        found = variational_rg(T, H)
        assert found.delta_f == pytest.approx(0, abs=1e-13)
        # by hand, from the definitions
        weights = np.exp(T - H[:, None])
        assert weights.sum() == pytest.approx(np.exp(-H).sum(), rel=1e-13)
        assert found.exact == (w == faithful)
        aligned, opposite = 2 * np.cosh(2 * w) * np.exp(-K), 2 * np.exp(K)
        constant = np.cosh(K) / (np.cosh(2 * w) + 1)
        np.testing.assert_allclose(
            np.exp(found.log_trace), constant * np.array([aligned, opposite, opposite, aligned]), rtol=1e-12
        )
        if w != faithful:
            assert found.violation > 0.05
            assert found.kl > 1e-3
    # the blind step: h does not depend on v, and the coarse system is a free spin with the right F
    T, H = unfaithful_operator(K, 0.0)
    assert np.ptp(variational_rg(T, H).coarse_energy) < 1e-14


def test_kl_zero_does_not_make_a_step_exact_either():
    """A constant in T leaves the visible law alone and spoils the trace and F."""
    T, H = unfaithful_operator(0.5, np.arccosh(np.exp(1.0)) / 2)
    found = variational_rg(T + 0.3, H)
    assert found.kl < 1e-13
    assert found.delta_f == pytest.approx(-0.3, abs=1e-13)
    assert found.violation == pytest.approx(0.3, abs=1e-13)
    assert not found.exact


def test_large_weights_do_not_overflow():
    found = variational_rg(*unfaithful_operator(400.0, 500.0))
    assert found.delta_f == pytest.approx(0, abs=1e-10)
    assert np.isfinite(found.log_trace).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rbm_energy([[1.0]], [0.0, 0.0], [0.0]), r"W \[n, m\]"),
        (lambda: rbm_energy(np.ones((15, 7)), np.zeros(7), np.zeros(15)), r"2\^22 states.*GB"),
        (lambda: operator_of_rule([[0.5, 0.6]]), "add up to 1"),
        (lambda: operator_of_rbm(np.ones((2, 2)), np.ones(3)), r"\(2, 2\) and \(3,\)"),
        (lambda: log_trace([[np.nan]]), "without NaN"),
        (lambda: log_trace(np.ones(3)), r"\(3,\)"),
        (lambda: unfaithful_operator(np.inf, 0.0), "finite"),
    ],
)
def test_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
