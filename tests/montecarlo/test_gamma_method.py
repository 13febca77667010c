"""The Γ-method against AR(1) chains, whose autocorrelation time is known."""

import json

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from deeprg.montecarlo import autocovariance, gamma_method
from deeprg.runs.errors import NumericalError, UsageError

SEEDS = 200


def ar1(seed, a, shape):
    """Stationary AR(1) chains of unit variance and mean zero along the last axis."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[..., 1:] *= np.sqrt(1 - a * a)
    return lfilter([1.0], [1.0, -a], noise, axis=-1)


def exact_tau(a):
    return 0.5 * (1 + a) / (1 - a)


def estimates(a, chains, steps):
    return [gamma_method(x) for x in ar1(17, a, (SEEDS, chains, steps))]


def assert_unit_variance(pulls):
    """Mean square of the pulls is 1 within 4 standard errors √(2/SEEDS)."""
    assert abs(np.mean(np.square(pulls)) - 1) < 4 * np.sqrt(2 / len(pulls))


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("chains", "steps"), [(1, 8000), (4, 2000)])
def test_error_of_the_mean_is_honest(a, chains, steps):
    found = estimates(a, chains, steps)
    assert_unit_variance([e.mean / e.error for e in found])
    # Twin: the error for independent samples is wrong by the factor 2 τ_int in the variance.
    if a != 0:
        with pytest.raises(AssertionError):
            assert_unit_variance([e.mean / np.sqrt(e.variance / e.n) for e in found])


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("chains", "steps"), [(1, 8000), (4, 2000)])
def test_autocorrelation_time_and_its_error(a, chains, steps):
    found = estimates(a, chains, steps)
    tau = np.array([e.tau_int for e in found])
    error = np.array([e.tau_int_error for e in found])
    assert_unit_variance((tau - exact_tau(a)) / np.mean(error))
    # Truncation and choice of W bias τ by a part of the error of one estimate; a tenth of it is allowed here.
    bias = np.mean(tau) - exact_tau(a)
    assert abs(bias) < 4 * np.std(tau) / np.sqrt(SEEDS) + 0.1 * np.mean(error)
    assert not any(e.short for e in found)
    # Twin: the other convention, 1 + 2 Σρ.
    with pytest.raises(AssertionError):
        assert_unit_variance((2 * tau - exact_tau(a)) / np.mean(error))


def test_error_of_the_error():
    found = estimates(0.5, 4, 2000)
    errors = np.array([e.error for e in found])
    predicted = np.mean([e.error_of_error for e in found])
    assert np.std(errors) == pytest.approx(predicted, rel=4 / np.sqrt(2 * SEEDS) + 0.1)
    exact = np.sqrt(2 * exact_tau(0.5) / 8000)
    assert np.mean(errors) == pytest.approx(exact, abs=4 * np.std(errors) / np.sqrt(SEEDS) + 0.01 * exact)


def test_bias_correction_of_short_runs():
    """With 400 steps the uncorrected error² is low by the factor 1 - (2W + 1)/N, eq. (49)."""
    a, steps, runs = 0.5, 400, 2000
    chains = ar1(3, a, (runs, steps))
    found = [gamma_method(x) for x in chains]
    variance = np.array([e.variance for e in found])
    standard_error = np.std(variance) / np.sqrt(runs)
    assert abs(np.mean(variance) - 1) < 4 * standard_error
    uncorrected = np.mean([autocovariance(x, max_lag=0)[0] for x in chains])
    assert abs(uncorrected - 1) > 4 * standard_error  # twin


def test_autocovariance_is_the_plain_sum():
    rng = np.random.default_rng(0)
    chains = [rng.normal(size=n) for n in (7, 12, 30)]
    n = sum(c.size for c in chains)
    mean = sum(c.sum() for c in chains) / n
    for t, value in enumerate(autocovariance(chains, max_lag=6)):
        plain = sum(np.sum((c[: c.size - t] - mean) * (c[t:] - mean)) for c in chains) / (n - 3 * t)
        assert value == pytest.approx(plain, abs=1e-14)


def test_window_follows_the_defining_condition():
    x = ar1(5, 0.8, 5000)
    found = gamma_method(x, window_factor=1.5)
    gamma = autocovariance(x, max_lag=2500)
    for w in range(1, 2500):
        tau_int = 0.5 + gamma[1 : w + 1].sum() / gamma[0]
        tau = 1.5 / np.log((2 * tau_int + 1) / (2 * tau_int - 1))
        if np.exp(-w / tau) - tau / np.sqrt(w * 5000) < 0:
            break
    assert found.window == w
    c = gamma[0] + 2 * gamma[1 : w + 1].sum()
    assert found.error**2 == pytest.approx(c / 5000 * (1 + (2 * w + 1) / 5000), rel=1e-12)
    assert found.error**2 == pytest.approx(2 * found.tau_int * found.variance / found.n, rel=1e-12)
    assert found.tau_int_error == pytest.approx(found.tau_int * np.sqrt(4 / 5000 * (w + 0.5 - found.tau_int)))


def test_unequal_chains_weigh_by_their_length():
    x = ar1(7, 0.6, 6000)
    parts = gamma_method([x[:1000], x[1000:]])
    whole = gamma_method(x)
    assert parts.mean == pytest.approx(whole.mean, abs=1e-15)
    assert parts.error == pytest.approx(whole.error, rel=0.02)
    assert (parts.chains, parts.n) == (2, 6000)


def test_replica_probability_is_uniform_and_sees_a_shifted_chain():
    data = ar1(11, 0.5, (SEEDS, 5, 2000))
    assert stats.kstest([gamma_method(x).replica_q for x in data], "uniform").pvalue > 1e-3
    shifted = data[0] + np.array([0, 0, 0, 0, 0.5])[:, None]  # twin
    assert gamma_method(shifted).replica_q < 1e-6
    assert gamma_method(data[0, 0]).replica_q is None


def test_short_chains_are_flagged():
    x = ar1(13, 0.95, (4, 4000))  # τ_int = 19.5
    assert not gamma_method(x).short
    assert gamma_method(x[:, :300]).short


def test_scale_and_shift():
    x = ar1(19, 0.7, (2, 3000))
    base, moved = gamma_method(x), gamma_method(3.0 * x + 100.0)
    assert moved.mean == pytest.approx(3 * base.mean + 100)
    assert moved.error == pytest.approx(3 * base.error, rel=1e-9)
    assert moved.tau_int == pytest.approx(base.tau_int, rel=1e-9)


def test_refusals():
    with pytest.raises(NumericalError, match=r"All 100 samples equal 0\.1"):
        gamma_method(np.full(100, 0.1))
    with pytest.raises(NumericalError, match="anticorrelated"):
        gamma_method(np.tile([1.0, -1.0], 50))
    with pytest.raises(UsageError, match="NaN"):
        gamma_method([1.0, 2.0, np.nan, 3.0])
    with pytest.raises(UsageError, match=r"shape \(3,\)"):
        gamma_method([1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match="must be \\[steps\\]"):
        gamma_method(np.zeros((2, 3, 4)))
    with pytest.raises(UsageError, match="window_factor"):
        gamma_method(np.arange(9.0), window_factor=0.0)
    with pytest.raises(UsageError, match="max_lag = 9"):
        autocovariance(np.arange(9.0), max_lag=9)
    with pytest.raises(UsageError):
        gamma_method([])


def test_to_dict_is_json():
    assert json.loads(json.dumps(gamma_method(ar1(0, 0.0, 100)).to_dict()))["replica_q"] is None
