"""Functions of means against exact values, naive errors, and pyerrors."""

import warnings

import numpy as np
import pytest

from deeprg.montecarlo import autocorrelation_function, gamma_derived, gamma_method
from deeprg.runs.errors import NumericalError, UsageError

SEEDS = 400


def variance(x, x2):
    return x2 - x**2


def test_errors_and_autocorrelation_of_a_variance_are_honest(ar1, tau_of, assert_unit_variance):
    """x² of a Gaussian AR(1) has ρ(t) = a^2t."""
    a = 0.8
    found = [gamma_derived(variance, {"x": x, "x2": x**2}) for x in ar1(1, a, (SEEDS, 2, 4000))]
    assert_unit_variance([(e.mean - 1) / e.error for e in found])
    tau = np.array([e.tau_int for e in found])
    assert np.mean(tau) == pytest.approx(tau_of(a * a), rel=0.02)
    assert not any(e.short for e in found)
    with pytest.raises(AssertionError):  # twin: independent samples supposed
        assert_unit_variance([(e.mean - 1) / np.sqrt(e.variance / e.n) for e in found])
    with pytest.raises(AssertionError):  # twin: a wrong truth
        assert_unit_variance([(e.mean - 1.05) / e.error for e in found])


def test_error_of_the_autocorrelation_time(ar1, tau_of, assert_unit_variance):
    """Eq. (42) is approximate: the squared pulls are 0.8 for this Gaussian series and 1.4 for x² above."""
    found = [gamma_derived(lambda x: np.exp(x), {"x": x}) for x in ar1(9, 0.8, (SEEDS, 2, 4000))]
    tau = np.array([e.tau_int for e in found])
    error = np.mean([e.tau_int_error for e in found])
    assert_unit_variance((tau - tau_of(0.8)) / error, 0.35)
    with pytest.raises(AssertionError):
        assert_unit_variance((tau - 1.15 * tau_of(0.8)) / error, 0.35)


def test_correlations_between_observables_count(ar1, assert_unit_variance):
    """A ratio of nearly equal series is known far better than its parts."""
    pulls, twins = [], []
    for x, y in ar1(2, 0.5, (SEEDS, 2, 3000)):
        a, b = 5 + x, 5 + x + 0.1 * y
        found = gamma_derived(lambda a, b: a / b, {"a": a, "b": b})
        pulls.append((found.mean - 1) / found.error)
        apart = np.hypot(gamma_method(a).error, gamma_method(b).error) / 5
        twins.append((found.mean - 1) / apart)
    assert_unit_variance(pulls)
    with pytest.raises(AssertionError):
        assert_unit_variance(twins)


def test_a_single_mean_is_the_gamma_method(ar1):
    x = ar1(3, 0.7, (3, 2000))
    plain, derived = gamma_method(x), gamma_derived(lambda x: 2 * x + 1, {"x": x})
    assert derived.mean == pytest.approx(2 * plain.mean + 1, abs=1e-13)
    assert derived.error == pytest.approx(2 * plain.error, rel=1e-9)
    assert derived.tau_int == pytest.approx(plain.tau_int, rel=1e-9)
    assert derived.replica_q == pytest.approx(plain.replica_q, rel=1e-6)
    assert derived.window == plain.window


def test_constants_take_no_part(ar1):
    x = ar1(4, 0.5, (2, 1000))
    found = gamma_derived(lambda x, c: c * x, {"x": x, "c": np.full((2, 1000), 0.3)})
    assert found.error == pytest.approx(0.3 * gamma_method(x).error, rel=1e-9)


def test_short_chains_are_flagged(ar1):
    x = ar1(5, 0.95, (4, 4000))
    assert not gamma_derived(variance, {"x": x, "x2": x**2}).short
    assert gamma_derived(variance, {"x": x[:, :150], "x2": x[:, :150] ** 2}).short


def test_agrees_with_pyerrors(ar1):
    """The same window rule: the numbers of one data set agree, not only on average."""
    x = 2 + ar1(6, 0.8, (2, 5000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyerrors = pytest.importorskip("pyerrors")
        a = pyerrors.Obs([*x], ["e|1", "e|2"])
        b = pyerrors.Obs([*(x**2)], ["e|1", "e|2"])
        theirs = b / a**2
        theirs.gamma_method(S=1.5)
    ours = gamma_derived(lambda a, b: b / a**2, {"a": x, "b": x**2}, window_factor=1.5)
    assert ours.mean == pytest.approx(theirs.value, rel=1e-12)
    assert ours.error == pytest.approx(theirs.dvalue, rel=1e-2)
    assert ours.tau_int == pytest.approx(theirs.e_tauint["e"], rel=2e-2)
    assert ours.tau_int_error == pytest.approx(theirs.e_dtauint["e"], rel=5e-2)
    assert ours.window == theirs.e_windowsize["e"]


def test_autocorrelation_function_and_its_error(ar1):
    a, lags = 0.8, np.arange(31)
    found = [autocorrelation_function(x, 30) for x in ar1(7, a, (SEEDS, 2, 4000))]
    rho, error = (np.array(part) for part in zip(*found, strict=True))
    assert np.all(rho[:, 0] == 1)
    assert np.all(error[:, 0] == 0)
    spread = rho.std(axis=0)[1:]
    assert np.mean(error, axis=0)[1:] == pytest.approx(spread, rel=0.15)
    # ρ is biased by -2 tau_int/N; the average is within 4 of its own errors of that.
    bias = rho.mean(axis=0) - a**lags + 9 / 8000
    assert np.all(np.abs(bias[1:]) < 4 * spread / np.sqrt(SEEDS))
    assert np.any(np.abs(rho.mean(axis=0) - 0.82**lags)[1:] > 4 * spread / np.sqrt(SEEDS))  # twin


def test_refusals(ar1):
    x = ar1(8, 0.5, (2, 100))
    with pytest.raises(UsageError, match="empty"):
        gamma_derived(lambda: 1.0, {})
    with pytest.raises(UsageError, match="'y' has chains of \\[50, 50\\]"):
        gamma_derived(lambda x, y: x, {"x": x, "y": x[:, :50]})
    with pytest.raises(UsageError, match="NaN"):
        gamma_derived(lambda x: x, {"x": [1.0, np.nan, 2.0, 3.0]})
    with pytest.raises(NumericalError, match="function is nan"):
        gamma_derived(lambda x: np.sqrt(x - 100), {"x": x})
    with pytest.raises(NumericalError):
        gamma_derived(lambda a, b: a - b, {"a": x, "b": x})
    with pytest.raises(NumericalError, match="do not fluctuate"):
        autocorrelation_function(np.full(100, 0.1), 3)
    with pytest.raises(UsageError, match="max_lag"):
        autocorrelation_function(x, 100)
