"""The study of the classical MERA: judges on wrong numbers, and a small run to its verdict."""

import pytest

from deeprg.runs.errors import UsageError
from deeprg.studies import STUDIES
from deeprg.studies._beny_claims import judge_chain, judge_fields, judge_rival, judge_tables
from deeprg.studies._beny_find import Trained

STUDY = STUDIES["beny"]


def trained(divergence, ess, error=0.0005):
    return Trained(divergence, error, ess, 0.5, 10.0, 100)


@pytest.mark.parametrize(
    ("divergence", "holds"), [(1e-9, True), (-3e-8, True), (1e-3, False), (-1e-3, False)]
)
def test_a_chain_is_exact_or_not(divergence, holds):
    assert judge_chain(divergence, 64).holds is holds


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (trained(0.0018, 0.997), True),
        (trained(0.0018, 0.990), False),  # fewer effective samples than published
        (trained(0.0060, 0.997), False),  # eight errors farther away
    ],
)
def test_the_rival_is_met_in_both_numbers(one, holds):
    claim = judge_rival({8: one})
    assert claim.holds is holds
    assert "0.996" in claim.measured


def test_tables_are_judged_at_every_size():
    assert judge_tables({8: trained(0.01, 0.95), 16: trained(0.01, 0.92)}).holds
    assert not judge_tables({8: trained(0.01, 0.95), 16: trained(0.8, 0.3)}).holds


@pytest.mark.parametrize(
    ("critical", "hot", "holds"),
    [([1.0, 0.95], [0.9, 0.1], True), ([1.0, 0.5], [0.9, 0.1], False), ([1.0, 0.95], [0.9, 0.8], False)],
)
def test_scales_are_alike_at_the_critical_point_only(critical, hot, holds):
    assert judge_fields({"T_c": critical, "T = 3.5": hot}).holds is holds


@pytest.mark.parametrize(
    "settings", [{"sizes": (16, 8)}, {"sizes": (8, 12)}, {"sizes": (8,), "steps": (1, 2)}]
)
def test_sizes_and_steps_belong_together(settings):
    with pytest.raises(UsageError, match="rising powers of 2"):
        STUDY.resolve(**settings)


@pytest.mark.slow
def test_the_study_finds_what_its_page_says():
    result = STUDY.answer()
    verdicts = [claim.holds for claim in result.claims]
    assert verdicts[0] is True
    assert verdicts[1] is False
    assert verdicts[3:5] == [True, True]
    assert result.numbers["exact_tables"][8] == pytest.approx(0.1577, abs=2e-3)
    assert {figure.name for figure in result.figures} == {"distance"}
