"""The two-sample test is calibrated on correlated chains of one law, and sees differences."""

import json

import numpy as np
import pytest
from scipy import stats

from deeprg.montecarlo import two_sample_test
from deeprg.runs.errors import NumericalError, UsageError

SEEDS = 300


@pytest.fixture(scope="module")
def null(ar1):
    """Pairs of series of one law, but of unequal correlation and length."""
    slow, fast = ar1(1, 0.9, (SEEDS, 2, 10000)), ar1(2, 0.5, (SEEDS, 2, 3000))
    return slow, fast, [two_sample_test(a, b) for a, b in zip(slow, fast, strict=True)]


def test_probabilities_are_uniform_under_the_null(null):
    slow, fast, found = null
    assert stats.kstest([row.p_mean for row in found], "uniform").pvalue > 1e-3
    assert stats.kstest([row.p_ks for row in found], "uniform").pvalue > 1e-3
    assert np.mean([row.p < 0.05 for row in found]) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / SEEDS)
    assert not any(row.short for row in found)
    # Twin: without thinning the Kolmogorov-Smirnov test rejects what is equal.
    plain = [
        stats.ks_2samp(a.ravel(), b.ravel(), method="asymp").pvalue
        for a, b in zip(slow[:100], fast[:100], strict=True)
    ]
    assert stats.kstest(plain, "uniform").pvalue < 1e-6


def test_differences_are_seen(null):
    slow, fast, _ = null
    shifted = two_sample_test(slow[0], fast[0] + 0.3)
    assert shifted.p_mean < 1e-4
    assert shifted.p < 1e-3
    assert abs(shifted.difference + 0.3) < 4 * shifted.difference_error
    wider = two_sample_test(slow[0], 1.5 * fast[0])
    assert wider.p_mean > 1e-3
    assert wider.p_ks < 1e-4


def test_few_discrete_values_do_not_reject(ising16):
    """Ties make the Kolmogorov-Smirnov test err on the side of agreement; the means still tell."""
    pairs = [
        [ising16.series(2 * seed + k, 2.5, 0.7, (2, 2000))["energy_per_site"] for k in range(2)]
        for seed in range(100)
    ]
    found = [two_sample_test(a, b) for a, b in pairs]
    assert stats.kstest([row.p_mean for row in found], "uniform").pvalue > 1e-3
    assert np.mean([row.p_ks < 0.05 for row in found]) < 0.1
    hotter = ising16.series(0, 2.7, 0.7, (2, 2000))["energy_per_site"]
    assert two_sample_test(pairs[0][0], hotter).p < 1e-3


def test_refusals_and_json(ar1):
    x = ar1(3, 0.0, 1000)
    with pytest.raises(UsageError, match="Series b"):
        two_sample_test(x, x[:10])
    with pytest.raises(NumericalError):
        two_sample_test(x, np.ones(100))
    assert json.loads(json.dumps(two_sample_test(x, x).to_dict()))["z"] == 0
