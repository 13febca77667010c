"""How much is dropped: transients of known length, stationary chains, drifts, and chains that are stuck."""

import numpy as np
import pytest

from deeprg.montecarlo import compare_starts, equilibration_start, gamma_method
from deeprg.runs.errors import UsageError

SEEDS, STEPS = 200, 2000
DECAY = np.exp(-np.arange(STEPS) / 40)


def pulls_after(data, drop):
    found = [gamma_method(x[:, drop(x) :]) for x in data]
    return np.array([e.mean / e.error for e in found])


@pytest.mark.parametrize("chains", [1, 8])
def test_a_transient_is_dropped(ar1, chains):
    data = ar1(1, 0.8, (SEEDS, chains, STEPS)) + 5 * DECAY
    starts = [equilibration_start(x) for x in data]
    assert all(found.equilibrated for found in starts)
    assert 40 < np.median([found.start for found in starts]) < 200
    after = pulls_after(data, lambda x: equilibration_start(x).start)
    # What is left of the transient is below half an error; the pulls scatter by more than 1 only by that.
    assert abs(np.mean(after)) < 0.5
    assert np.mean(after**2) < 1.4
    assert np.mean(pulls_after(data, lambda x: 0)) > 0.8  # twin: nothing dropped


def test_little_is_dropped_in_equilibrium(ar1):
    starts = [equilibration_start(x) for x in ar1(2, 0.8, (SEEDS, 4, STEPS))]
    assert np.quantile([found.start for found in starts], 0.9) < 100
    assert all(found.equilibrated for found in starts)


def test_a_drift_is_flagged(ar1):
    noise = ar1(3, 0.5, (4, STEPS))
    assert equilibration_start(noise).equilibrated
    assert not equilibration_start(noise + 0.01 * np.arange(STEPS)).equilibrated


def test_chains_from_two_sides_must_meet(ar1):
    """Their average does not move: only the scatter about the common mean shows the transient."""
    noise = ar1(4, 0.5, (4, STEPS))
    sides = np.array([1, -1, 1, -1])[:, None]
    assert equilibration_start(noise + 5 * DECAY * sides).start > 40
    assert equilibration_start(noise + sides * np.linspace(5, 0, STEPS)).start > STEPS // 2


def test_hot_and_cold_starts(ar1):
    noise = ar1(5, 0.8, (2, 4, STEPS))
    found = compare_starts(noise[0] - 5 * DECAY, noise[1] + 5 * DECAY)
    assert found.equilibrated
    assert 40 < found.start < 400
    assert found.agreement > 0.01
    stuck = compare_starts(noise[0] - 1, noise[1] + 1)
    assert not stuck.equilibrated
    assert stuck.agreement < 1e-6
    # Each side alone looks in equilibrium: that is why two starts are compared.
    assert equilibration_start(noise[0] - 1).equilibrated


def test_agreement_of_starts_is_calibrated(ar1):
    """In equilibrium the first comparison fails in 1 % of the cases, and the rest is dropped in vain."""
    data = ar1(6, 0.5, (SEEDS, 2, 4, 1000))
    found = [compare_starts(hot, cold) for hot, cold in data]
    assert np.mean([row.equilibrated for row in found]) > 0.97
    assert np.mean([row.start > 200 for row in found]) < 0.05


def test_constants():
    ones = np.ones((2, 100))
    assert equilibration_start(ones).start == 0
    assert compare_starts(ones, ones).equilibrated
    assert not compare_starts(ones, 0 * ones).equilibrated


def test_refusals():
    with pytest.raises(UsageError, match="49 steps"):
        equilibration_start(np.arange(49.0))
    with pytest.raises(UsageError, match="NaN"):
        equilibration_start(np.full(100, np.nan))
