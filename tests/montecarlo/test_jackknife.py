"""Binning and the blocked jackknife against chains of known errors."""

import json

import numpy as np
import pytest

from deeprg.montecarlo import binning_analysis, gamma_derived, jackknife
from deeprg.runs.errors import NumericalError, UsageError

SEEDS = 400


def test_binning_finds_the_plateau(ar1, tau_of):
    found = [binning_analysis(x) for x in ar1(1, 0.8, (SEEDS, 2, 8000))]
    assert all(row.plateau for row in found)
    tau = np.array([row.tau_int for row in found])
    # Bins of size b miss a part tau/b of the error²: about 3 % at the 128 to 256 steps chosen here.
    assert np.mean(tau) == pytest.approx(tau_of(0.8), rel=0.06)
    assert np.std(tau) == pytest.approx(np.mean([row.tau_int_error for row in found]), rel=0.2)
    error = np.mean([row.error for row in found], axis=0)
    exact = np.sqrt(2 * tau_of(0.8) / 16000)
    assert error[0] == pytest.approx(exact / 3, rel=0.02)
    assert error[7] == pytest.approx(exact, rel=0.05)
    assert error[2] < 0.8 * exact  # twin: bins that are too short
    scatter = np.std([row.error for row in found], axis=0)
    predicted = np.mean([row.error_of_error for row in found], axis=0)
    assert scatter[7] == pytest.approx(predicted[7], rel=0.2)


def test_binning_says_when_there_is_no_plateau(ar1):
    assert not binning_analysis(ar1(2, 0.995, 500)).plateau


def test_binning_of_independent_samples(ar1):
    found = binning_analysis(ar1(3, 0.0, (5, 4000)))
    assert found.tau_int == pytest.approx(0.5, abs=3 * found.tau_int_error)
    assert json.loads(json.dumps(found.to_dict()))["bin_size"][:3] == [1, 2, 4]


def test_jackknife_errors_are_honest(ar1, assert_unit_variance):
    a = 0.8
    data = ar1(4, a, (SEEDS, 2, 2000))
    found = [jackknife(lambda x, x2: x2 - x**2, {"x": x, "x2": x**2}, blocks=50) for x in data]
    assert_unit_variance([(row.value - 1) / row.error for row in found])
    assert not any(row.short for row in found)
    # Twin: blocks of two steps.
    data = data[:60, :, :300]
    short = [jackknife(lambda x, x2: x2 - x**2, {"x": x, "x2": x**2}, blocks=300) for x in data]
    assert all(row.short for row in short)
    with pytest.raises(AssertionError):
        assert_unit_variance([(row.value - 1) / row.error for row in short])


def test_jackknife_agrees_with_the_projected_fluctuations(ar1):
    x = 1 + ar1(5, 0.5, (4, 20000))
    series = {"x": x, "x2": x**2}
    blocks, gamma = (
        jackknife(lambda x, x2: x2 / x**2, series, blocks=200),
        gamma_derived(lambda x, x2: x2 / x**2, series),
    )
    assert blocks.value == pytest.approx(gamma.mean, rel=1e-12)
    assert blocks.error == pytest.approx(gamma.error, rel=0.15)


def test_bias_is_estimated(ar1):
    """⟨x⟩² of n independent samples is too large by 1/n on average; corrected it is not."""
    found = [jackknife(lambda x: x**2, {"x": x}, blocks=20) for x in ar1(6, 0.0, (300, 40))]
    raw, corrected = np.array([r.value for r in found]), np.array([r.corrected for r in found])
    error = np.std(raw) / np.sqrt(len(found))
    assert abs(np.mean(raw) - 1 / 40) < 4 * error
    assert abs(np.mean(corrected)) < 4 * error
    assert abs(np.mean(raw)) > 4 * error  # twin


def test_arrays_and_their_covariance(ar1):
    """Means of correlated components: the covariance is that of the parent over n."""
    mix = np.array([[1.0, 0.0], [0.8, 0.6]])
    x = np.moveaxis(ar1(7, 0.0, (2, 4, 5000)), 0, -1) @ mix.T
    found = jackknife(lambda x: x, {"x": x}, blocks=400)
    assert found.value == pytest.approx(x.mean(axis=(0, 1)), abs=1e-14)
    assert found.covariance * 20000 == pytest.approx(mix @ mix.T, abs=0.25)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(found.error, rel=1e-12)
    assert found.replicas.shape == (400, 2)


def test_unequal_chains_lose_no_step(ar1):
    x = ar1(8, 0.3, 3001)
    found = jackknife(lambda x: x, {"x": [x[:701], x[701:]]}, blocks=30)
    assert found.value == pytest.approx(x.mean(), abs=1e-14)
    assert found.bias == pytest.approx(0, abs=1e-4)


def test_refusals(ar1):
    x = ar1(9, 0.0, (2, 100))
    with pytest.raises(UsageError, match="blocks = 9"):
        jackknife(lambda x: x, {"x": x}, blocks=9)
    with pytest.raises(UsageError, match="do not fill 150 blocks"):
        jackknife(lambda x: x, {"x": x}, blocks=150)
    with pytest.raises(UsageError, match="differ in length"):
        jackknife(lambda x, y: x, {"x": x, "y": x[:, :90]})
    with pytest.raises(UsageError, match="empty"):
        jackknife(lambda: 0.0, {})
    with pytest.raises(UsageError, match="NaN"):
        jackknife(lambda x: x, {"x": np.full((2, 50, 3), np.nan)})
    with pytest.raises(UsageError, match="31 samples"):
        binning_analysis(np.arange(31.0))
    with pytest.raises(NumericalError, match="without fluctuations"):
        binning_analysis(np.full(100, 0.1))
