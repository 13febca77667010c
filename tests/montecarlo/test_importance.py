"""Importance weights against a Gaussian model of a Gaussian target, where every number is known."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest

from deeprg.montecarlo import gamma_method, importance_summary, reweighted
from deeprg.runs.errors import NumericalError, UsageError

SIGMA = 0.8  # target exp(-x²/(2σ²)), model Normal(0, 1)
A = 1 / SIGMA**2 - 1
LOG_Z = math.log(SIGMA * math.sqrt(2 * math.pi))
EXACT_F = -(-0.5 * A + 0.5 * math.log(2 * math.pi))
EXACT_UPPER = -0.5 * A * SIGMA**2 + 0.5 * math.log(2 * math.pi)
EXACT_ESS = math.sqrt(1 + 2 * A) / (1 + A)


def log_weight(x):
    return -0.5 * A * x**2 + 0.5 * math.log(2 * math.pi)


@pytest.fixture(scope="module")
def gaussian():
    rng = np.random.default_rng(42)
    forward = log_weight(SIGMA * rng.normal(size=100_000))
    return importance_summary(log_weight(rng.normal(size=200_000)), forward_log_weights=forward)


def test_free_energies_and_bounds(gaussian):
    s = gaussian
    assert abs(s.log_partition - LOG_Z) < 4 * s.log_partition_error
    assert abs(s.log_partition_corrected - LOG_Z) < 4 * s.log_partition_error
    assert abs(s.free_energy - EXACT_F) < 4 * s.free_energy_error
    assert abs(s.upper_bound - EXACT_UPPER) < 4 * s.upper_bound_error
    assert s.lower_bound + 10 * s.lower_bound_error < LOG_Z < s.upper_bound - 10 * s.upper_bound_error
    assert (s.lower_bound, s.lower_bound_error) == (-s.free_energy, s.free_energy_error)
    assert s.std_log_weight == pytest.approx(A / math.sqrt(2), rel=0.02)


def test_forgetting_ln_q_is_seen():
    """Twin: -H alone instead of -H - ln q."""
    x = np.random.default_rng(42).normal(size=200_000)
    s = importance_summary(-0.5 * x**2 / SIGMA**2)
    assert abs(s.log_partition - LOG_Z) > 50 * s.log_partition_error


def test_effective_sample_size(gaussian):
    assert gaussian.ess == pytest.approx(EXACT_ESS, abs=0.003)
    assert gaussian.ess_forward == pytest.approx(EXACT_ESS, abs=0.003)
    assert gaussian.ess_samples == gaussian.n == 200_000
    assert gaussian.ess_trusted
    assert not importance_summary(log_weight(np.linspace(-1, 1, 99_999))).ess_trusted


def test_forward_ess_sees_a_missed_mode():
    """Target ½ N(-5, 1) + ½ N(5, 1), model N(5, 1): reverse weights look perfect, forward ones do not."""
    rng = np.random.default_rng(0)

    def log_w(x):
        log_target = np.logaddexp(-0.5 * (x - 5) ** 2, -0.5 * (x + 5) ** 2) + math.log(0.5)
        return log_target + 0.5 * (x - 5) ** 2

    target = rng.normal(size=10_000) + 5 * rng.choice([-1, 1], size=10_000)
    s = importance_summary(log_w(5 + rng.normal(size=10_000)), forward_log_weights=log_w(target))
    assert s.ess > 0.99
    assert s.ess_forward < 1e-6
    assert s.upper_bound - s.lower_bound > 20


def test_errors_have_unit_pulls():
    seeds, n = 400, 500
    x = np.random.default_rng(7).normal(size=(seeds, n))
    found = [importance_summary(log_weight(row)) for row in x]
    tolerance = 4 * math.sqrt(2 / seeds)
    z = np.array([(s.log_partition - LOG_Z) / s.log_partition_error for s in found])
    f = np.array([(s.free_energy - EXACT_F) / s.free_energy_error for s in found])
    assert abs(np.mean(z**2) - 1) < tolerance
    assert abs(np.mean(f**2) - 1) < tolerance
    # Twin: an error that takes w for exactly normalised, 1/√n.
    wrong = np.array([(s.log_partition - LOG_Z) * math.sqrt(n) for s in found])
    assert abs(np.mean(wrong**2) - 1) > tolerance


def test_jackknife_removes_the_bias():
    """ln Z of 20 lognormal weights with variance e - 1: the bias of ln mean w is several standard errors."""
    runs, n = 2000, 20
    found = [importance_summary(row) for row in np.random.default_rng(1).normal(size=(runs, n)) - 0.5]
    plain = np.array([s.log_partition for s in found])
    corrected = np.array([s.log_partition_corrected for s in found])
    assert np.mean(plain) < -4 * np.std(plain) / math.sqrt(runs)  # twin: ln Z = 0 is missed
    assert abs(np.mean(corrected)) < 4 * np.std(corrected) / math.sqrt(runs)


def test_jackknife_is_the_plain_formula():
    log_w = np.random.default_rng(5).normal(size=12) + 300.0
    whole = np.log(np.mean(np.exp(log_w)))
    left = [np.log(np.mean(np.exp(np.delete(log_w, i)))) for i in range(12)]
    found = importance_summary(log_w).log_partition_corrected
    assert found == pytest.approx(12 * whole - 11 * np.mean(left), abs=1e-11)


@pytest.mark.parametrize("k", [0.0, 0.2, 0.5, 0.9, 1.4])
def test_pareto_k_of_known_tails(k):
    """w = u^-k has an exact generalised Pareto tail of shape k, -ln u one of shape 0; the prior shifts k."""
    runs, n = 12, 10_000
    u = np.random.default_rng(3).uniform(size=(runs, n))
    log_w = -k * np.log(u) if k > 0 else np.log(-np.log(u))
    found = np.array([importance_summary(row).pareto_k for row in log_w])
    tail = 300
    expected = (tail * k + 5) / (tail + 10)
    assert abs(np.mean(found) - expected) < 4 * (1 + k) / math.sqrt(tail * runs) + 0.01
    assert abs(np.mean(found) - (expected + 0.15)) > 4 * np.std(found) / math.sqrt(runs)  # twin


def test_pareto_k_where_the_fit_has_nothing_to_say():
    assert importance_summary(np.zeros(24)).pareto_k is None
    assert importance_summary(np.zeros(100)).pareto_k == 0.0
    assert importance_summary(np.repeat([0.0, 1.0], [99, 1])).pareto_k is None
    assert importance_summary(np.linspace(0, 1e6, 1000)).pareto_k > 100
    assert importance_summary(np.where(np.arange(1000) < 500, -np.inf, 0.0)).pareto_k == 0.0


def test_pareto_k_needs_no_x64():
    log_w = -0.6 * np.log(np.random.default_rng(0).uniform(size=1000))
    with jax.enable_x64(False):
        low = importance_summary(log_w).pareto_k
    assert low == importance_summary(log_w).pareto_k


def test_perfect_model():
    s = importance_summary(np.full(50, -1234.5), forward_log_weights=np.full(50, -1234.5))
    assert s.log_partition == s.log_partition_corrected == s.lower_bound == s.upper_bound == -1234.5
    assert (s.ess, s.ess_forward, s.log_partition_error, s.largest_weight) == (1.0, 1.0, 0.0, 0.02)


def test_large_offsets_do_not_overflow():
    log_w = np.random.default_rng(0).normal(size=1000)
    low, high = importance_summary(log_w), importance_summary(log_w - 1e5)
    assert high.log_partition == pytest.approx(low.log_partition - 1e5, abs=1e-9)
    assert high.ess == pytest.approx(low.ess, rel=1e-9)


def test_zero_weights():
    s = importance_summary(np.array([0.0, 0.0, -np.inf, -np.inf]))
    assert s.log_partition == pytest.approx(math.log(0.5))
    assert (s.free_energy, s.lower_bound, s.ess) == (math.inf, -math.inf, 0.5)
    assert s.to_dict()["free_energy"] is None
    alone = importance_summary(np.array([0.0, -np.inf, -np.inf]))
    assert alone.log_partition_corrected is None
    assert alone.largest_weight == 1.0
    json.dumps(alone.to_dict(), allow_nan=False)
    assert set(s.to_dict()) == {f.name for f in dataclasses.fields(s)}


def test_forward_chains_get_the_gamma_error():
    rng = np.random.default_rng(9)
    slow = np.repeat(rng.normal(size=(4, 500)), 10, axis=1)  # every value ten times: ten times the variance
    chains = importance_summary(np.zeros(10), forward_log_weights=slow)
    independent = importance_summary(np.zeros(10), forward_log_weights=slow.ravel())
    assert chains.upper_bound_error == gamma_method(slow).error
    assert chains.upper_bound_error / independent.upper_bound_error == pytest.approx(math.sqrt(10), rel=0.15)


def test_reweighted_average_and_error():
    seeds, n = 400, 500
    rng = np.random.default_rng(11)
    pulls, twins = [], []
    for x in rng.normal(size=(seeds, n)):
        mean, error = reweighted(np.stack([x, x**2], axis=1), log_weight(x))
        pulls.append((mean - np.array([0.0, SIGMA**2])) / error)
        twins.append((np.mean(x**2) - SIGMA**2) / (np.std(x**2) / math.sqrt(n)))
    tolerance = 4 * math.sqrt(2 / seeds)
    assert np.all(np.abs(np.mean(np.square(pulls), axis=0) - 1) < tolerance)
    assert abs(np.mean(np.square(twins)) - 1) > tolerance  # twin: no weights


def test_reweighted_shapes_and_zero_weights():
    log_w = np.array([0.0, -np.inf, math.log(3.0)])
    mean, error = reweighted(np.array([1.0, np.nan, 5.0]), log_w)
    assert mean.shape == error.shape == ()
    assert mean == pytest.approx(4.0)
    mean, error = reweighted(np.ones((3, 2, 4)), log_w)
    assert mean.shape == error.shape == (2, 4)
    assert np.all(error == 0)


@pytest.mark.parametrize(
    ("log_weights", "error", "match"),
    [
        (np.array([]), UsageError, "at least 2"),
        (np.array([1.0]), UsageError, "at least 2"),
        (np.zeros((3, 3)), UsageError, "1 axes"),
        (np.array([0.0, np.nan]), UsageError, "1 NaN"),
        (np.array([0.0, np.inf]), NumericalError, r"\+inf 1 times"),
        (np.array([-np.inf, -np.inf]), NumericalError, "zero"),
    ],
)
def test_refusals(log_weights, error, match):
    with pytest.raises(error, match=match):
        importance_summary(log_weights)
    with pytest.raises(error, match=match):
        reweighted(np.zeros(log_weights.shape[:1]), log_weights)


def test_more_refusals():
    with pytest.raises(UsageError, match="target"):
        importance_summary(np.zeros(5), forward_log_weights=np.array([0.0, -np.inf]))
    with pytest.raises(UsageError, match="first axis"):
        reweighted(np.zeros(4), np.zeros(5))
    with pytest.raises(UsageError, match="NaN or infinity"):
        reweighted(np.array([1.0, np.inf]), np.zeros(2))
