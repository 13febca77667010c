"""The study of Monte Carlo RG: judges on wrong numbers, exact values, and a small run to its verdict."""

import numpy as np
import pytest

from deeprg.lattice import Lattice
from deeprg.probes import Stability
from deeprg.runs.errors import UsageError
from deeprg.studies import STUDIES
from deeprg.studies._spins import ising_chains, ising_data
from deeprg.studies._swendsen_claims import (
    judge_convergence,
    judge_decimation,
    judge_drift,
    judge_exact,
    judge_operators,
    judge_second,
    judge_space,
)
from deeprg.studies._swendsen_find import exact_exponents

STUDY = STUDIES["swendsen"]


def stability(odd, exponent, error=0.0):
    """A step from 4x4 to 2x2 with one operator."""
    value = np.array([[2.0**exponent, np.nan]])
    wrong = np.array([[error * np.log(2.0) * 2.0**exponent, np.nan]])
    exponents, errors = np.array([[exponent, np.nan]]), np.array([[error, np.nan]])
    return Stability(
        Lattice((4, 4)), Lattice((2, 2)), odd, 2.0, ("x",), value, wrong, exponents, errors, np.eye(1)
    )


@pytest.mark.parametrize(
    ("thermal", "magnetic", "holds"),
    [
        ([0.96, 0.99, 1.00], [1.880, 1.875, 1.874], True),  # the first step is not judged
        ([0.96, 0.99, 0.94], [1.880, 1.875, 1.874], False),
        ([0.96, 0.99, 1.00], [1.880, 1.875, 1.864], False),
        ([1.00, 0.70, 1.00], [1.875, 1.875, 1.875], False),
    ],
)
def test_convergence(thermal, magnetic, holds):
    series = {"y_T": [(y, 0.005) for y in thermal], "y_H": [(y, 0.001) for y in magnetic]}
    claim = judge_convergence("the rule converges", "a paper", series, scale=3)
    assert claim.holds is holds
    assert "(3)" in claim.measured
    assert "(7.8452)" in claim.measured  # 3^(15/8), as published


def test_operators():
    good = [(0.95, 0.004), (0.99, 0.004), (0.995, 0.004), (0.993, 0.005), (0.99, 0.006)]
    assert judge_operators(good, "16x16").holds
    assert not judge_operators([*good[:4], (0.95, 0.006)], "16x16").holds
    assert not judge_operators([*good[:4], (0.99, 0.003)], "16x16").holds
    assert not judge_operators([(y - 0.06, e) for y, e in good], "16x16").holds


def test_the_second_eigenvalue():
    steps = [[(-2.1, 0.1), (-1.1, 0.1)], [(-2.2, 0.1), (np.nan, np.nan)]]
    claim = judge_second({"rule": steps})
    assert claim.holds
    assert "of 3" in claim.measured
    assert not judge_second({"rule": [*steps, [(-0.2, 0.1)]]}).holds


def test_exact_values_tell_rules_apart():
    exact = [stability(False, 0.86987), stability(True, 1.86948)]
    other = [stability(False, 0.59404), stability(True, 1.93093)]
    sampled = [stability(False, 0.875, 0.007), stability(True, 1.870, 0.0012)]
    assert judge_exact(sampled, exact, other).holds
    assert not judge_exact(sampled, other, exact).holds  # twin: the values of decimation
    assert not judge_exact([stability(False, 0.9, 0.007), sampled[1]], exact, other).holds


def test_decimation_and_drift():
    moving = {"y_T": [(1.1, 0.01), (0.7, 0.01)], "y_H": [(1.95, 0.001), (1.91, 0.001)]}
    exact = [stability(False, 0.594), stability(True, 1.931)]
    assert judge_decimation(moving, exact).holds
    assert not judge_decimation(moving | {"y_T": [(1.02, 0.01), (0.99, 0.01)]}, exact).holds
    assert not judge_decimation(moving | {"y_H": [(1.91, 0.001), (1.91, 0.001)]}, exact).holds
    away, still = [(1.90, 0.001), (1.95, 0.001)], [(1.876, 0.001), (1.877, 0.001)]
    assert judge_drift("y_H", away, away, 0.05).holds
    assert not judge_drift("y_H", away, still, 0.05).holds


def test_three_dimensions():
    exact = exact_exponents(3)
    near = {name: [(0.9 * value, 0.001), (1.01 * value, 0.001)] for name, value in exact.items()}
    assert judge_space(near, exact).holds
    assert judge_space(near | {"y_H": [(2.40, 0.001)]}, exact).holds is False
    assert judge_space(near | {"y_T": [(1.59, 0.1)]}, exact).holds is None


def test_chains_and_rows_are_the_same_configurations():
    chains = ising_chains(Lattice((4, 4)), 2.5, 100, 3)
    assert chains.shape == (40, 3, 4, 4)
    assert chains.dtype == np.int8
    rows = ising_data(4, 2.5, 100, 3)
    np.testing.assert_array_equal(rows[:40], chains[:, 0])
    np.testing.assert_array_equal(rows[40:80], chains[:, 1])


@pytest.mark.parametrize("assignment", ["size=24", "cube=12", "triple=54", "even=2", "distance=0"])
def test_what_is_refused(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        STUDY.resolve(None, [assignment])


@pytest.mark.slow
def test_a_small_study_runs_to_its_verdict():
    result = STUDY.answer(size=16, samples=8000, controls=4000, triple=36, triples=2000, cube=8, cubes=2000)
    assert len(result.claims) == 10
    assert sum(claim.asserted for claim in result.claims) == 3
    held = {claim.statement: claim.holds for claim in result.claims}
    assert held["On 4x4 sampling gives the exact eigenvalues of its rule, and not those of another"]
    assert held["Decimation does not converge to the exponents"]
    assert held["Off criticality y_H drifts away with the steps, above and below T_c"]
    assert {table.name for table in result.tables} == {"exponents", "operators", "exact", "usual"}
    assert [one.name for one in result.figures] == ["operators", "steps", "cube"]
    assert len(result.numbers["sampled"]) == 8
