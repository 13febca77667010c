"""The study of range and information: its measurements, its verdicts, and verdicts on wrong numbers."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from deeprg.exact.blocking import Decimation, Majority, Partition, Soft, block_exact, m_bodyness, rangeness
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.information import InformationEstimate
from deeprg.report.rule_information import plot_ratio_against_information, plot_rule_scan
from deeprg.report.style import figure
from deeprg.runs.errors import UsageError
from deeprg.studies import _lenggenhager_find as finding
from deeprg.studies._lenggenhager_claims import claims, falls, leads, sampled_fall
from deeprg.studies._lenggenhager_figures import figures, tables
from deeprg.studies._lenggenhager_learned import Learned, chain_samples, learned_rule, sharp_rule
from deeprg.studies._lenggenhager_learned_claims import (
    judge_controls,
    judge_decimation,
    judge_range,
    judge_square,
    learned_table,
)
from deeprg.studies._lenggenhager_measure import (
    RankCorrelation,
    odd_rule,
    rank_correlation,
    ring_bench,
    sampled_correlation,
    square_bench,
)
from deeprg.studies.lenggenhager import LENGGENHAGER, numbers

pytestmark = pytest.mark.slow

EACH = "Rangeness falls as information grows, soft rules of one strength each"
SHARP = "Rangeness falls as information grows, soft rules with |λ| ≥ 2, of one strength each and together"
SMALL: dict[str, Any] = {
    "couplings": [0.3],
    "angles": 9,
    "random_rules": 6,
    "strengths": [0.25, 2.0, 50.0],
    "series_couplings": [0.3],
    "order": 4,
    "inner": [0.3, 2.0, 4.0],
    "square_random": 4,
    "learned": [0.5],
    "samples": 20_000,
    "square_samples": 4000,
    "steps": 50,
}


@pytest.fixture(scope="module")
def found():
    """All parts on a small grid; a chain with blocks of four stands in for the slow square."""
    settings = finding.Settings.model_validate(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            finding,
            "square_bench",
            lambda coupling, side, buffer: ring_bench(coupling, ring=16, block=4, buffer=buffer, chain=400),
        )
        return finding.find(settings, lambda line: None)


def verdicts(found):
    return {claim.statement: claim.holds for claim in claims(found)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Decimation(), (0.08507, 0, 0)),
        (Majority(ties="random"), (0.12335, -0.00924, -0.00017)),
        (Soft((1.0, 0.0)), (0.0492, 0.0035, -2e-5)),
    ],
)
def test_couplings_of_four_coarse_spins(rule, expected):
    one = ring_bench(0.3, ring=8, block=2, buffer=1, chain=400).measure("rule", rule)
    np.testing.assert_allclose([one.nearest, one.second, one.four], expected, atol=6e-5)


def test_ratios_are_those_of_the_coarse_action():
    ring = Ising(Lattice((16,)), temperature=2.0)
    coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), Soft((1.0, 0.4)))
    one = ring_bench(0.5, ring=16, block=2, buffer=1, chain=400).measure("soft", Soft((1.0, 0.4)))
    assert one.rangeness == pytest.approx(abs(rangeness(coarse)), rel=1e-10)
    assert one.m_bodyness == pytest.approx(abs(m_bodyness(coarse)), rel=1e-9)
    expected = [coarse.coupling(0, distance) for distance in (1, 2, 3, 4)]
    np.testing.assert_allclose(one.by_distance, expected, rtol=0, atol=1e-14)
    pairs_and_more = [mask for mask in range(256) if mask.bit_count() > 1]
    near = [1 << site | 1 << (site + 1) % 8 for site in range(8)]
    rest = math.hypot(*(coarse.coefficients[mask] for mask in pairs_and_more if mask not in near))
    assert one.rest == pytest.approx(rest / math.hypot(*coarse.coefficients[near]), rel=1e-9)
    assert one.rest >= one.rangeness  # the same norm


def test_inner_coupling_is_within_the_blocks():
    bench = ring_bench(0.3, ring=16, block=2, buffer=1, chain=400, inner=0.7)
    expected = 0.5 * math.log(math.cosh(1.0) / math.cosh(0.4))  # one bond of each kind in series
    assert bench.measure("decimation", Decimation()).nearest == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_square_ratios_are_those_of_the_coarse_action():
    torus = Ising(Lattice((6, 6)), temperature=5.0)
    from deeprg.exact.blocking import block_transfer

    coarse = block_transfer(torus, Partition.cubic(torus.lattice, 2), Majority(ties="random"), width=3)
    one = square_bench(0.2, side=6, buffer=1).measure("majority", Majority(ties="random"))
    assert one.rangeness == pytest.approx(abs(rangeness(coarse)), rel=1e-9)
    assert one.m_bodyness == pytest.approx(abs(m_bodyness(coarse)), rel=1e-9)


def test_odd_rule_changes_sign_with_the_spins():
    table = odd_rule(np.random.default_rng(0).random(8)).table(4)
    np.testing.assert_allclose(table[::-1, 1], table[:, 0], atol=1e-15)


def test_rank_correlation_against_ranks_by_hand():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=30).tolist(), rng.normal(size=30).tolist()
    distance = np.argsort(np.argsort(first)) - np.argsort(np.argsort(second))
    assert rank_correlation(first, second) == pytest.approx(1 - 6 * np.sum(distance**2) / (30 * 899))
    assert rank_correlation([1.0, 2.0, 3.0], [1e-17, 2e-17, 0.0]) is None  # differences of rounding


def test_ties_are_relative_and_do_not_depend_on_the_place_of_a_bin():
    noise = np.array([0.0, 3e-12, -3e-12, 0.0])
    for share in (0.505, 0.5049665310745):
        shares = [*(share + noise).tolist(), 0.2]
        assert rank_correlation(shares, [1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(
            spearmanr([2, 2, 2, 2, 1], [1, 2, 3, 4, 5])[0]
        )
    apart = [0.5, 0.5 + 1e-8, 0.5 + 2e-8]
    assert rank_correlation(apart, [1.0, 2.0, 3.0]) == pytest.approx(1.0)


def test_error_of_a_sampled_correlation():
    """Against the scatter over independent samples of the same law."""
    rng = np.random.default_rng(5)

    def sample(size):
        x = rng.normal(size=size)
        return x.tolist(), (0.5 * x + rng.normal(size=size)).tolist()

    scatter = np.std([float(np.asarray(spearmanr(*sample(60)))[0]) for _ in range(400)], ddof=1)
    errors = [sampled_correlation(*sample(60)).error or 0.0 for _ in range(20)]
    assert np.mean(errors) == pytest.approx(scatter, rel=0.15)
    assert np.mean(errors) != pytest.approx(scatter / math.sqrt(2), rel=0.15)  # that of twice the rules


def test_few_rules_leave_the_verdict_open():
    few = RankCorrelation(-0.85, 0.2, -1.0, -0.2)
    fall, none = RankCorrelation(-0.99, 0.01, -1.0, -0.95), RankCorrelation(-0.3, 0.1, -0.5, -0.1)
    assert sampled_fall([few, fall]) is None
    assert sampled_fall([few, none]) is False
    assert sampled_fall([fall]) is True
    assert sampled_fall([fall, RankCorrelation(None, None, None, None)]) is None


def test_verdicts_of_the_chain(found):
    holds = verdicts(found)
    assert holds["In 1D decimation keeps the most information of all rules measured"] is True
    assert holds["Its K' has nearest neighbours only, with K₂(1) = ½ ln cosh 2K"] is True
    assert holds[EACH] is True
    assert holds["The most informative of all rules has the smallest rangeness"] is True
    assert holds["A rule that keeps all of the information adds no range"] is True
    assert holds["M-bodyness falls as information grows, soft rules of all strengths together"] is False


def test_pooling_hides_a_fall_within_each_strength(found):
    """Two strengths that fall each for itself, the second with more of both."""
    scans = {}
    for coupling, rules in found.scans.items():
        rows = [
            tuple(
                dataclasses.replace(one, share=0.1 * n + size, rangeness=1.0 - 0.1 * n + 5 * size)
                for n, one in enumerate(row)
            )
            for size, row in enumerate(rules.rows)
        ]
        scans[coupling] = dataclasses.replace(rules, rows=tuple(rows))
    pooled = dataclasses.replace(found, scans=scans)
    holds = verdicts(pooled)
    assert holds[EACH] is True
    assert holds["Rangeness falls as information grows, soft rules of all strengths together"] is False
    assert holds[SHARP] is False  # both must hold
    texts = {claim.statement: claim.measured for claim in claims(pooled)}
    assert (
        "Within each strength it falls" in texts[EACH.replace("one strength each", "all strengths together")]
    )


def test_one_strength_that_rises_decides(found):
    """Pooled with others it may pass; a verdict on |λ| >= 2 does not depend on which strengths are there."""
    scans = {}
    for coupling, rules in found.scans.items():
        rows = list(rules.rows)
        place = rules.strengths.index(2.0)
        rows[place] = tuple(dataclasses.replace(one, rangeness=one.share) for one in rows[place])
        scans[coupling] = dataclasses.replace(rules, rows=tuple(rows))
    assert verdicts(dataclasses.replace(found, scans=scans))[SHARP] is False


def test_claims_that_the_paper_does_not_make(found):
    for claim in claims(found):
        own = "control" in claim.source or "this study's" in claim.source
        assert claim.asserted is not own, claim.statement


def test_controls_are_no_soft_rules(found):
    assert all("random, odd" not in rules for rules in found.random.values())
    assert all("random, odd" in rules for rules in found.wide.values())


def test_no_correlation_is_nan(found):
    """All values tied: nothing in results.json is nan, which JSON does not have."""
    scans = {
        coupling: dataclasses.replace(
            rules,
            rows=tuple(tuple(dataclasses.replace(one, rangeness=0.0) for one in row) for row in rules.rows),
        )
        for coupling, rules in found.scans.items()
    }
    tied = dataclasses.replace(found, scans=scans)
    assert verdicts(tied)[EACH] is None
    json.dumps(numbers(tied), allow_nan=False)
    json.dumps([table.rows for table in tables(tied) if table.name == "correlations"], allow_nan=False)


def test_shuffled_rangeness_does_not_hold(found):
    rng = np.random.default_rng(0)
    wrong = dataclasses.replace(found, scans={})
    for coupling, rules in found.scans.items():
        values = rng.permutation([one.rangeness for row in rules.rows for one in row]).tolist()
        rows = tuple(
            tuple(dataclasses.replace(one, rangeness=values.pop()) for one in row) for row in rules.rows
        )
        wrong.scans[coupling] = dataclasses.replace(rules, rows=rows)
    assert verdicts(wrong)[EACH] is False
    assert verdicts(wrong)[SHARP] is False


def test_wrong_numbers_do_not_hold(found):
    worse = {
        coupling: rules | {"decimation": dataclasses.replace(rules["decimation"], kept=0.0, nearest=0.1)}
        for coupling, rules in found.named.items()
    }
    holds = verdicts(dataclasses.replace(found, named=worse))
    assert holds["In 1D decimation keeps the most information of all rules measured"] is False
    assert holds["Its K' has nearest neighbours only, with K₂(1) = ½ ln cosh 2K"] is False
    weak = dataclasses.replace(found, dimers=found.dimers[:1])
    assert verdicts(weak)["A rule that keeps all of the information adds no range"] is None
    first, *others = found.dimers[-1:]
    long = [(first[0], dataclasses.replace(first[1], rangeness=0.1), first[2]), *others]
    wrong = dataclasses.replace(found, dimers=[*found.dimers[:-1], *long])
    assert verdicts(wrong)["A rule that keeps all of the information adds no range"] is False


def test_leads_needs_the_smallest_ratio():
    one = ring_bench(0.5, ring=16, block=2, buffer=1, chain=400).measure("majority", Majority(ties="random"))
    better = dataclasses.replace(one, kept=2 * one.kept, rangeness=0.5 * one.rangeness)
    assert leads([one, better], "rangeness")
    assert not leads([one, dataclasses.replace(better, rangeness=2 * one.rangeness)], "rangeness")
    assert not falls([-0.99, 0.2])


def test_tables_and_figures_of_every_part(found):
    shown = tables(found)
    assert [table.name for table in shown] == [
        "chain", "wide", "correlations", "variations", "dimers", "cumulants", "square",
    ]  # fmt: skip
    assert all(table.rows for table in shown)
    assert {one.name for one in figures(found)} == {"scan", "plane", "couplings", "truncation", "square"}


def chain_rule(weights, value, error, shuffled=0.0):
    """What a search would have found on the chain at K = 0.5."""
    bench = ring_bench(0.5, ring=16, block=2, buffer=1, chain=400)
    named = [
        bench.measure(name, rule) for name, rule in (("d", Decimation()), ("m", Majority(ties="random")))
    ]
    return Learned(
        tuple(weights),
        InformationEstimate(value, error, 1000, ""),
        bench.measure("sharp", sharp_rule(np.array(weights))),
        bench.measure("soft", Soft(weights)),
        *named,
        InformationEstimate(named[0].kept, error, 1000, ""),
        InformationEstimate(shuffled, 1e-4, 1000, ""),
    )


def test_judges_of_rules_from_samples():
    right = chain_rule((2.3, 0.6), 0.0277, 0.0002)
    assert judge_decimation({0.5: right}).holds
    assert not judge_decimation({0.5: chain_rule((2.3, 2.0), 0.0277, 0.0002)}).holds
    assert not judge_decimation({0.5: chain_rule((2.3, 0.6), 0.0290, 0.0002)}).holds  # too much
    assert not judge_decimation({0.5: chain_rule((2.3, 0.6), 0.0277, 0.001)}).holds  # not to a per cent
    assert not judge_decimation({0.5: chain_rule((2.3, 0.6), 0.0243, 0.0002)}).holds  # the majority's
    assert judge_range({0.5: right}).holds
    wrong = dataclasses.replace(right, sharp=right.majority)
    assert not judge_range({0.5: wrong}).holds
    assert not judge_range({0.5: chain_rule((2.0, 1.9), 0.0277, 0.0002)}).holds  # as long as majority's
    assert judge_controls({0.5: right}, None).holds
    assert not judge_controls({0.5: chain_rule((2.3, 0.6), 0.0277, 0.0002, shuffled=0.01)}, right).holds
    off = dataclasses.replace(right, judged=InformationEstimate(0.03, 0.0002, 1000, ""))
    assert not judge_controls({0.5: off}, None).holds
    square = dataclasses.replace(right, sharp=right.majority)  # any two rules in the order of the square
    assert not judge_square(square).holds  # decimation is shorter here
    long = dataclasses.replace(right.decimation, rangeness=0.1)
    assert judge_square(dataclasses.replace(square, decimation=long)).holds
    assert not judge_square(dataclasses.replace(square, sharp=long, decimation=long)).holds


def test_samples_of_the_chain_are_those_of_the_ring():
    spins, around = chain_samples(0.5, 1, 400_000, 0)
    known = ring_bench(0.5, ring=16, block=2, buffer=1, chain=400).known
    v, e = ((spins[:, list(s)] < 0) @ np.array([1, 2]) for s in (around.block, around.environment[::-1]))
    counts = np.bincount(4 * v + e, minlength=16).reshape(4, 4) / len(spins)
    np.testing.assert_allclose(counts, known.joint, atol=5 * 0.5 / np.sqrt(len(spins)))
    other = ring_bench(0.4, ring=16, block=2, buffer=1, chain=400).known
    assert np.abs(counts - other.joint).max() > 5 * 0.5 / np.sqrt(len(spins))  # twin


def test_a_search_in_samples_ends_at_decimation():
    spins, around = chain_samples(0.5, 1, 1_500_000, 1)
    bench = ring_bench(0.5, ring=16, block=2, buffer=1, chain=400)
    found = {0.5: learned_rule(bench, around, spins, 800, 1)}
    assert judge_decimation(found).holds
    assert judge_range(found).holds
    assert judge_controls(found, None).holds


def test_rules_from_samples_are_in_the_tables(found):
    assert len(learned_table(found).rows) == 2
    assert set(numbers(found)["learned"]) == {"0.5", "square"}


def test_groups_without_zeros_keep_the_layout():
    row, axes = figure(10.4, 4.0, ncols=2)
    for ax in axes:
        groups = {f"group {n}": ([0.1 * n, 0.5], [1e-3, 1e-2]) for n in range(6)}
        plot_ratio_against_information(ax, groups, named=[("decimation", 0.5, 0.0)])
    row.draw_without_rendering()
    assert all(ax.get_position().width > 0.2 for ax in axes)


def test_scatter_marks_zeros_at_the_floor():
    _, ax = figure()
    plot_ratio_against_information(
        ax, {"rules": ([0.1, 0.2], [1e-3, 0.0])}, named=[("best", 0.2, 0.0)], floor=1e-6
    )
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [float(line.get_ydata()[0]) for line in hollow] == [1e-6, 1e-6]
    scanned = plot_rule_scan(
        [0, 45], {"1": [0.1, 0.2]}, {"rangeness": {"1": [0.1, 0.0]}}, marks={"majority": 45.0}
    )
    assert scanned.axes[1].get_ylim()[0] == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("ring=15", "7 to 10 blocks"),
        ("chain=401", "whole blocks"),
        ("sharp=200", "none of the strengths"),
        ("couplings=[0.1, -0.3]", "couplings"),
    ],
)
def test_settings_out_of_bounds(assignment, words):
    with pytest.raises(UsageError, match=words):
        LENGGENHAGER.resolve(assignments=[assignment])


@pytest.mark.parametrize("preset", LENGGENHAGER.presets)
def test_presets_are_valid(preset):
    assert LENGGENHAGER.resolve(preset)[1].seed == 0


@pytest.mark.slow
def test_the_whole_study_in_two_dimensions():
    settings = finding.Settings.model_validate(SMALL | {"square_couplings": [0.440686793509772]})
    result = LENGGENHAGER.run(settings, lambda line: None)
    holds = {claim.statement: claim.holds for claim in result.claims}
    assert holds["In 2D the most informative named rule has the smallest rangeness"] is True
    share = result.numbers["square"]["0.440687"]["majority, ties random"]["share"]
    assert share == pytest.approx(0.46104465 / 0.54940140, abs=1e-7)
