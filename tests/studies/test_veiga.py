"""The study of flows and thermometers: its data, its verdicts, and verdicts on wrong numbers."""

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest

from deeprg.montecarlo import Estimate
from deeprg.probes import NetworkReading, Reading, StartDependence
from deeprg.report.style import data_uri
from deeprg.runs.errors import UsageError
from deeprg.studies import _veiga_find as finding
from deeprg.studies._ends import End, near_critical
from deeprg.studies._spins import ising_data, mean_field_data
from deeprg.studies._veiga_claims import (
    judge_cause,
    judge_ising,
    judge_magnetization,
    judge_network,
    judge_start,
)
from deeprg.studies._veiga_redrawn import redrawn_flow
from deeprg.studies.veiga import VEIGA

SMALL: dict[str, Any] = {
    "size": 4,
    "step": 1.0,
    "samples": 120,
    "hidden": 16,
    "steps": 300,
    "control_steps": 100,
    "chains": 100,
    "length": 8,
    "network_hidden": 16,
    "network_steps": 200,
}


def reading(peak, *, flags=()):
    return NetworkReading(np.array([1.0]), peak, Estimate(peak, 0.01), 0.3, 0.1, tuple(flags))


def end(m=0.65, peak=2.5, from_m=2.38, from_e=3.0, case="all T", start="T = 0"):
    return End(case, start, m, 0.005, reading(peak), Reading(from_m, 0.01), Reading(from_e, 0.02), 2.0)


# --- data


def test_mean_field_data_have_the_enumerated_law():
    """The law of m on 2x2 sites, by the sum over all 16 states."""
    states = np.array(list(itertools.product([-1, 1], repeat=4)))
    total = states.sum(axis=1)
    weights = np.exp(4.0 * total**2 / (2 * 4 * 3.0))
    expected = weights @ total**2 / weights.sum()
    found = mean_field_data(2, 3.0, 20_000, 4.0, np.random.default_rng(0)).sum(axis=(1, 2)) ** 2.0
    error = found.std() / math.sqrt(found.size)
    assert abs(found.mean() - expected) < 4 * error
    other = mean_field_data(2, 4.0, 20_000, 4.0, np.random.default_rng(0)).sum(axis=(1, 2)) ** 2.0
    assert abs(other.mean() - expected) > 4 * error


def test_mean_field_data_forget_the_lattice():
    x = mean_field_data(6, 3.0, 5000, 4.0, np.random.default_rng(0)).astype(float)
    near, far = (x * np.roll(x, 1, 2)).mean(), (x * np.roll(x, (3, 3), (1, 2))).mean()
    assert near == pytest.approx(far, abs=0.01)
    assert near > 0.2


def test_ising_data_know_their_temperature():
    assert np.all(abs(ising_data(4, 0.0, 50, 0).mean(axis=(1, 2))) == 1)
    x = ising_data(4, 2.269185314213022, 4000, 0).astype(float)
    energy = -(x * np.roll(x, 1, 1) + x * np.roll(x, 1, 2)).mean(axis=(1, 2))
    assert energy.mean() == pytest.approx(-1.565624, abs=4 * 0.4 / math.sqrt(4000) * 2)


def test_redrawn_weights_have_the_law_of_drawn_matrices():
    """Against matrices that are drawn in full, for every chain and half step."""
    rng = np.random.default_rng(0)
    start = np.ones((3000, 9))
    options = {"length": 2, "every": 2, "rng": rng}
    flow = list(redrawn_flow(start, 6, -0.2, 0.9, **options))
    assert [n for n, _ in flow] == [0, 2]
    v = (start + 1) / 2
    for _ in range(2):
        w = rng.normal(-0.2, 0.9, (3000, 9, 6))
        h = rng.random((3000, 6)) < 1 / (1 + np.exp(-np.einsum("ni,nij->nj", v, w)))
        w = rng.normal(-0.2, 0.9, (3000, 9, 6))
        v = (rng.random((3000, 9)) < 1 / (1 + np.exp(-np.einsum("nj,nij->ni", h, w)))).astype(float)
    for moment in (1, 2):
        a, b = flow[1][1].mean(axis=1) ** moment, (2 * v - 1).mean(axis=1) ** moment
        assert abs(a.mean() - b.mean()) < 4 * math.hypot(a.std(), b.std()) / math.sqrt(3000)
    other = list(redrawn_flow(start, 6, -0.5, 0.9, **options))[1][1].mean(axis=1)
    assert abs(other.mean() - (2 * v - 1).mean()) > 0.05


# --- verdicts


def test_near_is_one_step_of_the_grid():
    near = [near_critical(reading(t)) for t in (1.75, 2.0, 2.25, 2.5, 2.75)]
    assert near == [False, True, True, True, False]


def test_magnetization_is_judged_by_its_distance_and_by_the_length_of_training():
    paper = 32_000.0
    assert judge_magnetization([end(), end(0.68)], paper, 10).holds is True
    assert judge_magnetization([end(), end(0.75)], paper, 10).holds is False
    assert judge_magnetization([end(), end(0.75)], 0.1 * paper, 10).holds is None
    assert judge_magnetization([end(), end()], paper, 8).holds is None


def test_the_network_is_judged_by_its_peak():
    assert judge_network([end(), end()]).holds is True
    assert judge_network([end(), end(peak=3.5)]).holds is False


def test_an_ising_ensemble_needs_one_temperature_near_the_critical_one():
    assert judge_ising(end(from_m=2.28, from_e=2.27)).holds is True
    assert judge_ising(end(from_m=2.4, from_e=3.1)).holds is False
    assert judge_ising(end(from_m=3.0, from_e=3.02)).holds is False
    bound = dataclasses.replace(end(), from_e=Reading(12.0, math.nan, "above"))
    assert judge_ising(bound).holds is False


def test_one_false_positive_is_enough():
    good, bad = end(peak=6.0, case="noise"), end(peak=2.5, case="redrawn")
    assert judge_cause([good]).holds is True
    claim = judge_cause([good, bad])
    assert claim.holds is False
    assert "1 of 2" in claim.measured


def test_starts_are_judged_by_their_tests():
    def case(p):
        return finding.Case("all T", True, {}, StartDependence({"m": p, "e": 0.5}, {"m": 0.1, "e": 0.0}))

    assert judge_start(case(0.4)).holds is True
    assert judge_start(case(1e-5)).holds is False


# --- the whole


@pytest.fixture(scope="module")
def result():
    return VEIGA.answer(**SMALL)


@pytest.mark.slow
def test_a_small_run_has_all_parts(result):
    assert len(result.claims) == 10
    assert [table.name for table in result.tables] == ["ends", "flow", "thermometers"]
    assert [figure.name for figure in result.figures] == ["flow", "ends", "network", "calibration"]
    assert all(data_uri(figure.figure).startswith("data:image/svg") for figure in result.figures)
    cases = result.numbers["cases"]
    assert set(cases) == {
        finding.ALL,
        finding.EXTREMES,
        finding.MEAN_FIELD,
        finding.HOT,
        finding.COLD,
        "redrawn, as in the paper",
        "redrawn, moments of W",
    }
    assert len(result.tables[0].rows) == 3 * len(cases)
    assert any("L = 4" in line for line in result.changed)
    assert result.citations


@pytest.mark.slow
def test_machines_trained_on_nothing_but_order_or_disorder_stay_there(result):
    ends = result.numbers["cases"][finding.HOT]["ends"]["T = 0"]["observables"]
    assert ends["abs_magnetization"]["value"] < 0.5


@pytest.mark.slow
def test_everything_random_comes_from_the_seed(result):
    again = VEIGA.answer(**SMALL)
    assert again.tables[0].rows == result.tables[0].rows
    other = VEIGA.answer(**SMALL, seed=1)
    assert other.tables[0].rows != result.tables[0].rows


@pytest.mark.parametrize(
    "assignment", ["size=3", "rate=0", "length=9", "chains=5", "mean_field=-1", "steps=0"]
)
def test_settings_out_of_bounds(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        VEIGA.resolve(None, [assignment])
