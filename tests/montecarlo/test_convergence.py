"""R-hat and the effective sample size against chains of known correlation."""

import numpy as np
import pytest

from deeprg.montecarlo import effective_sample_size, gamma_method, split_r_hat
from deeprg.runs.errors import UsageError


def test_effective_sample_size_of_ar1(ar1, tau_of):
    x = ar1(1, 0.9, (4, 20000))
    exact = x.size / (2 * tau_of(0.9))
    assert effective_sample_size(x) == pytest.approx(exact, rel=0.15)
    assert effective_sample_size(x) == pytest.approx(x.size / (2 * gamma_method(x).tau_int), rel=0.1)
    independent = effective_sample_size(ar1(2, 0.0, (4, 2000)))
    assert independent == pytest.approx(8000, rel=0.08)
    assert effective_sample_size(np.ones((4, 2000))) == 0


def test_chains_that_disagree_count_for_less(ar1):
    x = ar1(3, 0.5, (4, 2000))
    assert effective_sample_size(x + 2 * np.arange(4)[:, None]) < 0.01 * effective_sample_size(x)


def test_r_hat(ar1):
    x = ar1(4, 0.5, (4, 2000))
    assert split_r_hat(x) < 1.01
    assert split_r_hat(x + np.array([0, 0, 0, 1.0])[:, None]) > 1.05
    assert split_r_hat(x * np.array([1, 1, 1, 3.0])[:, None]) > 1.05  # the same mean, another width
    assert split_r_hat(x + np.linspace(0, 3, 2000)) > 1.05  # the halves differ
    assert split_r_hat(np.sign(x)) < 1.01  # ties


def test_constants_have_no_r_hat():
    assert np.isnan(split_r_hat(np.ones((4, 2000))))


@pytest.mark.parametrize("diagnostic", [split_r_hat, effective_sample_size])
def test_refusals(diagnostic):
    for shape in [(100,), (1, 100), (2, 7), (2, 10, 3)]:
        with pytest.raises(UsageError, match="must be \\[chains, steps\\]"):
            diagnostic(np.zeros(shape))
    with pytest.raises(UsageError, match="NaN"):
        diagnostic(np.full((2, 100), np.nan))
