"""The study of rules of most information: judges on wrong numbers, and a small run to its verdict."""

import numpy as np
import pytest

from deeprg.lattice import Lattice
from deeprg.montecarlo.information import InformationEstimate
from deeprg.runs.errors import UsageError
from deeprg.studies import STUDIES
from deeprg.studies._kjr_claims import judge_chain, judge_dimers, judge_spectators, judge_square
from deeprg.studies._kjr_find import gradients

STUDY = STUDIES["koch-janusz-ringel"]
KEPT = InformationEstimate(0.0276, 0.0005, 1000, "")
EXACT = {"present": 0.0457, "decimation": 0.02763, "majority": 0.02426}


def test_judges_tell_right_from_wrong():
    assert judge_square(np.array([1.0, 1.2, 0.9, 1.1]), KEPT).holds
    assert not judge_square(np.array([1.0, -1.2, 0.9, 1.1]), KEPT).holds
    assert not judge_square(np.array([1.0, 0.2, 0.9, 1.1]), KEPT).holds
    spectators = np.array([[1.0, 0.05]] * 4)
    assert judge_spectators(spectators).holds
    assert not judge_spectators(spectators[:, ::-1]).holds
    assert judge_dimers([0.97, 0.99], 80.0).holds
    assert not judge_dimers([0.97, 0.90], 80.0).holds
    assert not judge_dimers([0.97, 0.99], 5.0).holds  # one gradient twice
    assert judge_chain(np.array([3.0, 1.0]), KEPT, EXACT).holds
    assert not judge_chain(np.array([1.1, 1.0]), KEPT, EXACT).holds
    assert not judge_chain(np.array([3.0, 1.0]), KEPT, EXACT | {"majority": 0.027}).holds


def test_gradients_vanish_on_columns_and_count_the_height():
    """A columnar state along an axis has every second bond: the gradient along it is the full tilt or 0."""
    block = gradients(Lattice((4, 4)))
    columns = np.zeros((4, 4, 2))
    columns[::2, :, 0] = 1  # all dimers along axis 0 start at even rows
    assert np.sum(block[0] * columns) == 0
    staggered = np.zeros((4, 4, 2))
    staggered[..., 0] = (np.add.outer(np.arange(4), np.arange(4)) % 2) == 0
    assert np.sum(block[0] * staggered) == 8
    assert np.sum(block[1] * staggered) == 0


def test_odd_lattices_of_dimers_are_refused():
    with pytest.raises(UsageError, match="even"):
        STUDY.resolve(None, ["dimer_size=33"])


@pytest.mark.slow
def test_a_small_study_runs_to_its_verdict():
    result = STUDY.answer(
        samples=20_000, steps=300, dimers=1000, dimer_size=24, dimer_steps=100, size=8, judged=2000
    )
    assert len(result.claims) == 6
    assert {table.name for table in result.tables} == {"searches", "rules", "exponents"}
    assert len(result.figures) == 2
    assert set(result.numbers["systems"]) == {"square", "spectators", "chain", "dimers"}
