"""The studies of NeuralRG: verdicts on right and wrong numbers, and tiny runs from end to end."""

import numpy as np
import pytest

from deeprg.studies._architectures_claims import judge_bottleneck, judge_depth, judge_gaps, judge_temperature
from deeprg.studies._neural_rg_claims import (
    judge_approach,
    judge_bound,
    judge_couplings,
    judge_information,
    judge_speed,
)
from deeprg.studies.neural_rg import NEURAL_RG
from deeprg.studies.neural_rg_architectures import NEURAL_RG_ARCHITECTURES


def course(values, error=0.01):
    array = np.asarray(values, float)
    return array, np.full(array.shape, error)


def test_the_bound_holds_from_above_and_within_half_a_percent():
    assert judge_bound("x", 0.1, 0.01, -148.0).holds
    assert judge_bound("x", -0.01, 0.01, -148.0).holds  # below by one error: chance
    assert not judge_bound("x", -0.1, 0.01, -148.0).holds
    assert not judge_bound("x", 0.8, 0.01, -148.0).holds


def test_information_has_to_fall_sixfold_in_every_flow():
    assert judge_information({"a": (0.5, 0.05), "b": (0.5, 0.08)}, {"a": 0.001, "b": 0.001}).holds
    assert not judge_information({"a": (0.5, 0.05), "b": (0.5, 0.1)}, {"a": 0.001, "b": 0.001}).holds


def test_the_approach_counts_ten_trajectories_in_a_row():
    right = course([0.0] * 20 + [0.6] * 300)
    never = course(np.linspace(0.0, 0.4, 600))
    assert judge_approach(right, never, 0.6).holds
    assert "after 30 in" in judge_approach(right, never, 0.6).measured
    assert not judge_approach(never, right, 0.6).holds
    assert not judge_approach(course([0.0, 0.6] * 200), never, 0.6).holds


def test_speed_is_a_factor_of_twenty():
    assert judge_speed(3.0, 100.0, short=False).holds
    assert not judge_speed(6.0, 100.0, short=True).holds


def test_couplings_flow_apart_in_the_order_of_temperatures():
    def flows(cold, critical, hot):
        pairs = {"T_c": critical, "T = 2": cold, "T = 2.7": hot}
        return {name: [(1.0, 0.01), (value, 0.01)] for name, value in pairs.items()}

    assert judge_couplings(flows(1.5, 1.0, 0.5)).holds
    assert not judge_couplings(flows(0.5, 1.0, 1.5)).holds


def test_verdicts_on_layouts():
    errors = dict.fromkeys(("mera", "ttn", "tebd"), 0.01)
    assert judge_gaps({"mera": 0.5, "ttn": 0.9, "tebd": 0.8}, errors, 2.27).holds
    assert not judge_gaps({"mera": 0.5, "ttn": 0.51, "tebd": 0.8}, errors, 2.27).holds
    assert judge_depth([(1, 1.0), (4, 2.0), (2, 1.5)]).holds
    assert not judge_depth([(1, 1.0), (2, 0.9)]).holds
    assert judge_bottleneck((0.5, 0.02), (1.15, 0.01)).holds
    assert not judge_bottleneck((0.5, 0.02), (1.3, 0.01)).holds
    assert judge_temperature({"mera": [0.1, 0.5, 0.2]}, [1.0, 2.0, 3.0]).holds
    assert not judge_temperature({"mera": [0.1, 0.2, 0.5]}, [1.0, 2.0, 3.0]).holds


@pytest.mark.slow
def test_a_small_study_of_neural_rg_runs_to_its_verdict():
    result = NEURAL_RG.answer(
        size=4, steps=150, original_steps=150, temperatures=[3.0], fields=3000, kernels=100, samples=5000,
        chains=32, updates=60, physical_updates=490, coarse_fields=400,
    )  # fmt: skip
    assert len(result.claims) == 11
    assert {table.name for table in result.tables} == {"flows", "scales", "chains", "couplings"}
    assert len(result.figures) == 8
    assert result.numbers["chains"]["latent-hmc"]["divergences"] == 0


@pytest.mark.slow
def test_a_small_study_of_layouts_runs_to_its_verdict():
    result = NEURAL_RG_ARCHITECTURES.answer(
        size=4, temperatures=[2.0, 3.0], steps=30, batch=32, layers=[1, 2], samples=4000
    )
    assert len(result.claims) == 7
    trees = [row for row in result.numbers["variants"] if row["layout"] == "ttn"]
    assert all(row["cut"] is not None for row in trees)
    assert all(row["cut"] is None for row in result.numbers["variants"] if row["layout"] in ("mera", "tebd"))
