"""What held of rules that were found from samples."""

from collections.abc import Mapping

from deeprg.report.study import Claim, StudyTable
from deeprg.studies._lenggenhager_find import SIDE, Findings
from deeprg.studies._lenggenhager_learned import Learned
from deeprg.studies._lenggenhager_measure import ROUNDING

__all__ = [
    "judge_controls",
    "judge_decimation",
    "judge_range",
    "judge_square",
    "learned_claims",
    "learned_table",
]

_PAPER, _OWN = "Lenggenhager et al. 2020", "control, not in the paper"
_ERRORS, _NEAR = 3.0, 0.01
_SINGLE = 2.0
_MAJORITY = 0.002


def learned_claims(found: Findings) -> list[Claim]:
    """Of the chain, the square, and the controls."""
    return [
        judge_decimation(found.learned),
        judge_range(found.learned),
        *([judge_square(found.learned_square)] if found.learned_square is not None else []),
        judge_controls(found.learned, found.learned_square),
    ]


def judge_decimation(learned: Mapping[float, Learned]) -> Claim:
    """One spin of the pair, with decimation's information; to 1 % at the strongest coupling."""
    holds, texts = [], []
    for k, one in learned.items():
        exact = one.decimation.kept
        off = abs(one.estimate.value - exact)
        near = off <= _ERRORS * one.estimate.error
        if k == max(learned):
            near = near and off <= _NEAR * exact + one.estimate.error and one.estimate.error <= _NEAR * exact
        above = one.estimate.value > one.majority.kept + _ERRORS * one.estimate.error
        holds.append(one.ratio >= _SINGLE and near and above)
        texts.append(
            f"K = {k:g}: weights {one.ratio:.1f} to 1, {one.estimate.value:.6f} ± {one.estimate.error:.6f} "
            f"nats (decimation {exact:.6f}, majority {one.majority.kept:.6f})"
        )
    return Claim(
        "A search in samples alone finds decimation on the chain",
        _PAPER,
        f"{'; '.join(texts)}; to count: weights {_SINGLE:g} to 1, within {_ERRORS:g} errors of decimation "
        f"and as far above majority; at the largest K the error is below {_NEAR:.0%}, and so is the "
        "difference up to an error",
        all(holds),
    )


def judge_range(learned: Mapping[float, Learned]) -> Claim:
    """Zero when sharp, below half of the majority's as trained."""
    texts = [
        f"K = {k:g}: sharp {_clean(one.sharp.rangeness):.1e}, as trained {one.soft.rangeness:.4f}, majority "
        f"{one.majority.rangeness:.4f}; m-bodyness {_clean(one.sharp.m_bodyness):.1e}, "
        f"{one.soft.m_bodyness:.1e}, {one.majority.m_bodyness:.1e}"
        for k, one in learned.items()
    ]
    holds = all(
        max(one.sharp.rangeness, one.sharp.m_bodyness) <= ROUNDING
        and one.majority.rangeness > 1e3 * ROUNDING
        and one.soft.rangeness < one.majority.rangeness / 2
        for one in learned.values()
    )
    return Claim(
        "The rule that was found leaves nearest neighbours only, majority does not",
        _PAPER,
        f"{'; '.join(texts)}; to count: below {ROUNDING:g} when sharp, below half of "
        "majority's rangeness as trained",
        holds,
    )


def judge_square(one: Learned) -> Claim:
    """The exact information of the rule that was found, beside that of the majority."""
    uniform = one.sharp.kept >= one.majority.kept * (1 - _MAJORITY)
    shorter = one.sharp.rangeness < one.decimation.rangeness
    return Claim(
        "In 2D the search finds a majority",
        _PAPER,
        f"{SIDE}×{SIDE} torus: largest over smallest weight {one.ratio:.2f}; the sharp rule keeps exactly "
        f"{one.sharp.kept:.5f} nats (majority with random ties {one.majority.kept:.5f}, decimation "
        f"{one.decimation.kept:.5f}) and has rangeness {one.sharp.rangeness:.4f} "
        f"({one.majority.rangeness:.4f}, {one.decimation.rangeness:.4f}); to count: at most {_MAJORITY:.1%} "
        "less than majority, and a shorter range than decimation",
        uniform and shorter,
    )


def judge_controls(learned: Mapping[float, Learned], square: Learned | None) -> Claim:
    """Nothing is kept of an environment of other samples; decimation is judged at its exact value."""
    named = {f"K = {k:g}": one for k, one in learned.items()}
    if square is not None:
        named["2D"] = square
    texts = [
        f"{name}: shuffled {one.shuffled.value:.1e} ± {one.shuffled.error:.1e}, decimation "
        f"{one.judged.value:.5f} ± {one.judged.error:.5f} ({one.decimation.kept:.5f})"
        for name, one in named.items()
    ]
    return Claim(
        "Nothing is found with an environment of other samples, and decimation is judged right",
        _OWN,
        f"{'; '.join(texts)}; to count: {_ERRORS:g} errors",
        all(
            one.shuffled.value <= _ERRORS * one.shuffled.error
            and abs(one.judged.value - one.decimation.kept) <= _ERRORS * one.judged.error
            for one in named.values()
        ),
        asserted=False,
    )


def learned_table(found: Findings) -> StudyTable:
    """A row per system."""
    rows = {f"chain, K = {k:g}": one for k, one in found.learned.items()}
    if found.learned_square is not None:
        rows[f"{SIDE}×{SIDE}, K = {found.last_square:.4g}"] = found.learned_square
    return StudyTable(
        "learned",
        "Rules found from samples",
        (
            "system",
            "I(X:E), samples",
            "±",
            "exact",
            "exact, as trained",
            "weights, ratio",
            "rangeness, sharp",
            "as trained",
            "majority",
        ),
        [
            (
                name,
                one.estimate.value,
                one.estimate.error,
                one.sharp.kept,
                one.soft.kept,
                one.ratio,
                _clean(one.sharp.rangeness),
                one.soft.rangeness,
                one.majority.rangeness,
            )
            for name, one in rows.items()
        ],
        "The search sees samples only. Its rule is then measured exactly: sharp, as it was judged, and with "
        "the strength of the weights as trained.",
    )


def _clean(value: float) -> float:
    return 0.0 if abs(value) < ROUNDING else value
