"""The study of neural Monte Carlo RG: judges on wrong numbers, and a small run to its verdict."""

import numpy as np
import pytest

from deeprg.lattice import Lattice
from deeprg.montecarlo.information import InformationEstimate
from deeprg.probes import Stability
from deeprg.runs.errors import UsageError
from deeprg.studies import STUDIES
from deeprg.studies._neural_mcrg_claims import judge_exponents, judge_information, judge_locality
from deeprg.studies._neural_mcrg_find import CRITICAL, Findings

STUDY = STUDIES["neural-mcrg"]


def step(odd, exponent, error):
    pair = np.array([[exponent, np.nan]])
    wrong = np.array([[error, np.nan]])
    return Stability(
        Lattice((8, 8)), Lattice((4, 4)), odd, 2.0, ("x",), 2**pair, wrong, pair, wrong, np.eye(1)
    )


@pytest.mark.parametrize(
    ("thermal", "magnetic", "holds"),
    [(1.0, 1.875, True), (1.03, 1.88, True), (1.06, 1.875, False), (0.9, 1.875, False), (1.0, 1.94, False)],
)
def test_exponents_are_judged_at_the_second_step(thermal, magnetic, holds):
    found = Findings(
        STUDY.resolve()[1], exponents={CRITICAL: [step(False, thermal, 0.005), step(True, magnetic, 0.001)]}
    )
    assert judge_exponents(found, CRITICAL, "paper").holds is holds


def test_information_and_locality_are_judged():
    def kept(mine, best):
        return {
            CRITICAL: InformationEstimate(mine, 0.001, 1000, ""),
            "most information": InformationEstimate(best, 0.001, 1000, ""),
        }

    assert judge_information(kept(0.46, 0.461)).holds
    assert not judge_information(kept(0.40, 0.461)).holds
    assert judge_locality(0.9).holds
    assert not judge_locality(0.25).holds  # of a uniform filter of 4x4


def test_sizes_that_do_not_halve_are_refused():
    with pytest.raises(UsageError, match="power of 2"):
        STUDY.resolve(None, ["size=24"])


@pytest.mark.slow
def test_a_small_study_runs_to_its_verdict():
    result = STUDY.answer(samples=4000, training=2000, steps=200, search=100, even=2, odd=1)
    assert len(result.claims) == 7
    assert sum(claim.asserted for claim in result.claims) == 2
    assert {table.name for table in result.tables} == {"exponents", "information"}
    decimation = next(claim for claim in result.claims if claim.statement.startswith("Decimation"))
    assert decimation.holds
    assert set(result.numbers["weights"]) == {CRITICAL, "trained at T = 4", "at random", "most information"}
