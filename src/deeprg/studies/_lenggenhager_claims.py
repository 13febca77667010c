"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import math
from collections.abc import Sequence

from deeprg.report.study import Claim
from deeprg.studies._lenggenhager_find import COARSE, Findings
from deeprg.studies._lenggenhager_measure import (
    ROUNDING,
    TIE,
    Measured,
    RankCorrelation,
    rank_correlation,
    sampled_correlation,
)

__all__ = ["MONOTONE", "claims", "drawn_groups", "falls", "leads", "sampled_fall"]

MONOTONE = -0.9
"""A rank correlation at or below this counts as "falls with"; +0.9 would be the opposite."""

_PAPER = "Lenggenhager et al. 2020"
_ABSTRACT = f"{_PAPER}, abstract"
_OWN = "control, not in the paper"
_JUDGED = f"± bootstrap error, [95 % interval]; open where an interval contains {MONOTONE} and none is above"
_CAPTURE, _CAPTURED_RANGE = 0.999, 1e-4


def falls(correlations: Sequence[float | None]) -> bool | None:
    """Whether every rank correlation shows a fall: at most -0.9; None where one has no order to judge.

    >>> falls([-0.95, -1.0]), falls([-0.95, -0.3, None]), falls([-0.95, None])
    (True, False, None)
    """
    if any(value is not None and value > MONOTONE for value in correlations):
        return False
    return None if None in correlations else True


def sampled_fall(correlations: Sequence[RankCorrelation]) -> bool | None:
    """Whether rules drawn at random show a fall, their 95 % intervals considered.

    True where all intervals end at or below -0.9, False where one lies above it, else None.

    >>> rising = [0.1, 0.2, 0.3, 0.4, 0.5]
    >>> sampled_fall([sampled_correlation(rising, rising)])
    False
    """
    if any(one.low is not None and one.low > MONOTONE for one in correlations):
        return False
    return True if all(one.high is not None and one.high <= MONOTONE for one in correlations) else None


def leads(rules: Sequence[Measured], what: str) -> bool:
    """Whether a most informative rule also has the smallest `what`, up to rounding.

    Numbers that agree to 1e-9 of the largest, and ratios below 1e-12, count as equal.
    """
    most = max(one.kept for one in rules)
    best = [one for one in rules if one.kept >= most * (1 - TIE)]
    least = min(getattr(one, what) for one in rules)
    return min(getattr(one, what) for one in best) <= least * (1 + TIE) + ROUNDING


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, and the controls that it lacks."""
    return [
        *_decimation(found),
        *_monotone(found),
        *_arbitrary(found),
        _capture(found),
        *_square(found),
    ]


def _decimation(found: Findings) -> list[Claim]:
    settings = found.settings
    lead = -math.inf
    for k in settings.couplings:
        others = [found.scans[k].best, *found.deterministic[k]]
        others += [one for group in found.random[k].values() for one in group]
        most = max(one.kept for one in others)
        lead = max(lead, 1 - found.named[k]["decimation"].kept / most)
    rules = [found.named[k]["decimation"] for k in settings.couplings]
    longest = max(one.rest * abs(one.nearest) for one in rules)
    exact = [math.atanh(math.tanh(k) ** settings.block) for k in settings.couplings]
    off = max(abs(one.nearest - value) for one, value in zip(rules, exact, strict=True))
    shares = ", ".join(f"{one.share:.4f}" for one in rules)
    named = "½ ln cosh 2K" if settings.block == 2 else f"artanh(tanh^{settings.block} K)"
    return [
        Claim(
            "In 1D decimation keeps the most information of all rules measured",
            _PAPER,
            f"the best other rule is a share of {max(lead, 0.0):.0e} above decimation (up to {TIE:g} is "
            f"rounding); "
            f"decimation keeps {shares} of I(V:E) at K = {_list(settings.couplings)}",
            lead <= TIE,
        ),
        Claim(
            f"Its K' has nearest neighbours only, with K₂(1) = {named}",
            _PAPER,
            f"the root of the sum of squares of all other couplings is {longest:.0e} per pair of neighbours, "
            f"and K₂(1) is off by {off:.0e} (both must be below {ROUNDING:g})",
            max(longest, off) <= ROUNDING,
        ),
    ]


def _monotone(found: Findings) -> list[Claim]:
    """Within each strength and pooled; the restrictions to strong rules and to one sign are this study's."""
    settings = found.settings
    sharp = f"|λ| ≥ {settings.sharp:g}"
    own = f"{_ABSTRACT}; the restriction is this study's"
    result = []
    for what, name in (("rangeness", "Rangeness"), ("m_bodyness", "M-bodyness")):
        fall = f"{name} falls as information grows, soft rules"
        strengths = _Fall(found, what, 0.0, positive=False)
        result += [
            Claim(f"{fall} of one strength each", _ABSTRACT, strengths.within(), falls(strengths.each)),
            Claim(
                f"{fall} of all strengths together",
                _ABSTRACT,
                f"{strengths.pooled()}; {MONOTONE} or below counts"
                + (_between(found, strengths) if what == "rangeness" else ""),
                falls(strengths.all),
            ),
        ]
        for positive in (False, True):
            part = _Fall(found, what, settings.sharp, positive=positive)
            result.append(
                Claim(
                    f"{fall} with {sharp}{', angles 0 to 45°' if positive else ''}, of one strength each and "
                    "together",
                    own,
                    f"{part.within()}; {part.pooled()}",
                    falls([*part.each, *part.all]),
                    asserted=False,
                )
            )
    return result


class _Fall:
    """The rank correlations of one ratio: of each strength, and of all pooled, at every K."""

    def __init__(self, found: Findings, what: str, least: float, *, positive: bool) -> None:
        scans = [found.scans[k] for k in found.settings.couplings]
        self._couplings = found.settings.couplings
        self._rows = [one.each(what, least=least, positive=positive) for one in scans]
        self.each = [value for row in self._rows for value in row.values()]
        self.all = [one.correlation(what, least=least, positive=positive) for one in scans]

    def within(self) -> str:
        """The weakest fall of each strength."""
        parts = []
        for strength in self._rows[0]:
            values = [(row[strength], k) for row, k in zip(self._rows, self._couplings, strict=True)]
            known = [(value, k) for value, k in values if value is not None]
            worst = f"{max(known)[0]:+.2f} (K = {max(known)[1]:g})" if known else "no order"
            parts.append(f"{strength:g}: {worst}{', no order at another K' * (0 < len(known) < len(values))}")
        return (
            f"weakest rank correlation of any K within |λ| = {'; '.join(parts)}; {MONOTONE} or below counts"
        )

    def pooled(self) -> str:
        """The correlation of all strengths together."""
        return f"pooled {_signed(self.all)} at K = {_list(self._couplings)}"


def _between(found: Findings, strengths: _Fall) -> str:
    """Whether a missing fall comes from pooling strengths, and that it is none of size."""
    pooled = falls(strengths.all) is False and falls(strengths.each)
    why = ". Within each strength it falls, between strengths it does not" if pooled else ""
    return f"{why}. {_variations(found)}"


def _variations(found: Findings) -> str:
    """How far other rings and buffers move the correlations, all on one coarse scan."""
    own, *others = found.varied.values()
    moved = [
        abs(one[key] - own[k][key])  # pyright: ignore[reportOperatorIssue]
        for other in others
        for k, one in other.items()
        for key in ("sharp", "all")
        if one[key] is not None and own[k][key] is not None
    ]
    angles = min(COARSE, found.settings.angles)
    return (
        f"Other rings and buffers move it by at most {max(moved, default=0.0):.3f}, each compared on the "
        f"same scan of {angles} angles, which itself gives {_signed([one['all'] for one in own.values()])}"
    )


def drawn_groups(found: Findings, k: float) -> dict[str, Sequence[Measured]]:
    """The groups of rules without a form at one coupling."""
    settings = found.settings
    groups: dict[str, Sequence[Measured]] = {
        f"blocks of {settings.block}, {name}": rules for name, rules in found.random[k].items()
    }
    return groups | {
        f"blocks of {settings.control_block}, {name}": rules for name, rules in found.wide[k].items()
    }


def _arbitrary(found: Findings) -> list[Claim]:
    settings = found.settings
    correlations: dict[str, list[RankCorrelation]] = {}
    everything = []
    for k in settings.couplings:
        for name, rules in drawn_groups(found, k).items():
            correlations.setdefault(name, []).append(_sampled(rules))
        small = [
            *found.named[k].values(),
            *found.deterministic[k],
            *(o for row in found.scans[k].rows for o in row),
        ]
        small += [one for rules in found.random[k].values() for one in rules]
        wide = [one for rules in found.wide[k].values() for one in rules] + list(found.wide_named[k].values())
        everything += [leads(small, "rangeness"), leads(wide, "rangeness")]
    text = "; ".join(f"{name}: {', '.join(map(_with_error, row))}" for name, row in correlations.items())
    return [
        Claim(
            "Rangeness falls as information grows, rules drawn without a form",
            _OWN,
            f"rank correlations at K = {_list(settings.couplings)}: {text}; {_JUDGED}",
            sampled_fall([value for values in correlations.values() for value in values]),
            asserted=False,
        ),
        Claim(
            "The most informative of all rules has the smallest rangeness",
            _PAPER,
            f"in {sum(everything)} of {len(everything)} cases (K and blocks of {settings.block} and "
            f"{settings.control_block} spins; soft, named, random and deterministic rules together)",
            all(everything),
        ),
    ]


def _capture(found: Findings) -> Claim:
    inner, majority, _ = found.dimers[-1]
    shares = [one.share for _, one, _ in found.dimers]
    ranges = [one.rangeness for _, one, _ in found.dimers]
    down = falls([rank_correlation(shares, ranges)]) is True
    return Claim(
        "A rule that keeps all of the information adds no range",
        f"{_PAPER}, proposition 1",
        f"majority on a chain with coupling {found.between:g} between the blocks and {inner:g} within them "
        f"keeps {majority.share:.5f} and has rangeness {majority.rangeness:.1e}, against "
        f"{shares[0]:.3f} and {ranges[0]:.1e} with {found.dimers[0][0]:g} within; to count: share "
        f"≥ {_CAPTURE}, rangeness ≤ {_CAPTURED_RANGE:g}, falling",
        majority.share >= _CAPTURE and majority.rangeness <= _CAPTURED_RANGE and down
        if majority.share >= _CAPTURE
        else None,
    )


def _square(found: Findings) -> list[Claim]:
    settings, result = found.settings, []
    for what, words, source in (
        ("rangeness", "the smallest rangeness", _PAPER),
        ("rest", "the smallest size of all couplings beyond nearest neighbours", _OWN),
    ):
        texts = []
        for k, rules in found.squares.items():
            best = max(rules.values(), key=lambda one: one.kept)
            least = min(rules.values(), key=lambda one: getattr(one, what))
            texts.append(
                f"K = {k:.4g}: most informative {best.name} ({best.share:.4f}), {getattr(best, what):.4f}; "
                f"smallest {least.name}, {getattr(least, what):.4f}"
            )
        holds = all(leads(list(rules.values()), what) for rules in found.squares.values())
        result.append(
            Claim(
                f"In 2D the most informative named rule has {words}",
                source,
                "; ".join(texts),
                holds,
                asserted=source == _PAPER,
            )
        )
    values = [_sampled(rules) for rules in found.square_random.values()]
    text = ", ".join(
        f"{name} {_with_error(one)}" for name, one in zip(found.square_random, values, strict=True)
    )
    result.append(
        Claim(
            "In 2D rangeness falls as information grows, random rules",
            _OWN,
            f"rank correlations at K = {found.last_square:.4g}, {settings.square_random} rules each: {text}; "
            f"{_JUDGED}",
            sampled_fall(values),
            asserted=False,
        )
    )
    return result


def _sampled(rules: Sequence[Measured]) -> RankCorrelation:
    return sampled_correlation([one.share for one in rules], [one.rangeness for one in rules])


def _with_error(one: RankCorrelation) -> str:
    if one.value is None:
        return "no order"
    return f"{one.value:+.2f} ± {one.error:.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _signed(values: Sequence[float | None]) -> str:
    return ", ".join("no order" if value is None else f"{value:+.2f}" for value in values)
