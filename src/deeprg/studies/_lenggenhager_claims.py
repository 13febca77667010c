"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import math
from collections.abc import Sequence

from deeprg.report.study import Claim
from deeprg.studies._lenggenhager_find import Findings
from deeprg.studies._lenggenhager_measure import ROUNDING, TIE, Measured, rank_correlation

__all__ = ["MONOTONE", "claims", "falls", "leads"]

MONOTONE = -0.9
"""A rank correlation at or below this counts as "falls with"; +0.9 would be the opposite."""

_PAPER = "Lenggenhager et al. 2020"
_ABSTRACT = f"{_PAPER}, abstract"
_OWN = "control, not in the paper"
_CAPTURE, _CAPTURED_RANGE = 0.999, 1e-4


def falls(correlations: Sequence[float]) -> bool:
    """Whether every rank correlation shows a fall: at most -0.9, and a number.

    >>> falls([-0.95, -1.0]), falls([-0.95, -0.3]), falls([float("nan")])
    (True, False, False)
    """
    return all(value <= MONOTONE for value in correlations)


def leads(rules: Sequence[Measured], what: str) -> bool:
    """Whether a most informative rule also has the smallest `what`, up to rounding.

    Rules whose information agrees to 1e-9 of the largest share the lead.
    """
    most = max(one.kept for one in rules)
    best = [one for one in rules if one.kept >= most * (1 - TIE)]
    return min(getattr(one, what) for one in best) <= min(getattr(one, what) for one in rules) + ROUNDING


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
    longest = max(one.rest * abs(one.nearest) for one in rules)  # a sum of couplings, per nearest pair
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
            f"all other couplings add up to {longest:.0e} per pair of neighbours, and K₂(1) is off by "
            f"{off:.0e} (both must be "
            f"below {ROUNDING:g})",
            max(longest, off) <= ROUNDING,
        ),
    ]


def _monotone(found: Findings) -> list[Claim]:
    settings, result = found.settings, []
    for what, name in (("rangeness", "Rangeness"), ("m_bodyness", "M-bodyness")):
        for least, words in ((settings.sharp, f"with |λ| ≥ {settings.sharp:g}"), (0.0, "of any strength")):
            values = [found.scans[k].correlation(what, least=least) for k in settings.couplings]
            where = _list(settings.couplings)
            text = f"rank correlation {_signed(values)} at K = {where}; {MONOTONE} or below counts"
            if what == "rangeness":
                key = "sharp" if least else "all"
                other = [v[key] for one in found.varied.values() for v in one.values()]
                text += f". Other rings and buffers: {_signed([min(other), max(other)], ' to ')} over all K"
            result.append(
                Claim(
                    f"{name} falls as information grows, soft rules {words}", _ABSTRACT, text, falls(values)
                )
            )
    return result


def _arbitrary(found: Findings) -> list[Claim]:
    settings = found.settings
    correlations: dict[str, list[float]] = {}
    everything = []
    for k in settings.couplings:
        groups = {f"blocks of {settings.block}, {name}": rules for name, rules in found.random[k].items()}
        groups |= {
            f"blocks of {settings.control_block}, {name}": rules for name, rules in found.wide[k].items()
        }
        for name, rules in groups.items():
            correlations.setdefault(name, []).append(_correlation(rules, "rangeness"))
        small = [
            *found.named[k].values(),
            *found.deterministic[k],
            *(o for row in found.scans[k].rows for o in row),
        ]
        small += [one for rules in found.random[k].values() for one in rules]
        wide = [one for rules in found.wide[k].values() for one in rules] + list(found.wide_named[k].values())
        everything += [leads(small, "rangeness"), leads(wide, "rangeness")]
    text = "; ".join(f"{name}: {_signed(values)}" for name, values in correlations.items())
    return [
        Claim(
            "Rangeness falls as information grows, rules drawn without a form",
            _OWN,
            f"rank correlations at K = {_list(settings.couplings)}: {text}",
            falls([value for values in correlations.values() for value in values]),
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
    down = falls([rank_correlation(shares, ranges)])
    return Claim(
        "A rule that keeps all of the information adds no range",
        f"{_PAPER}, proposition 1",
        f"majority on a chain whose blocks are held together by K = {inner:g} keeps {majority.share:.5f} "
        f"and has "
        f"rangeness {majority.rangeness:.1e}, against {shares[0]:.3f} and {ranges[0]:.1e} at K = "
        f"{found.dimers[0][0]:g}; to count: share ≥ {_CAPTURE}, rangeness ≤ {_CAPTURED_RANGE:g}, falling",
        majority.share >= _CAPTURE and majority.rangeness <= _CAPTURED_RANGE and down
        if majority.share >= _CAPTURE
        else None,
    )


def _square(found: Findings) -> list[Claim]:
    settings, result = found.settings, []
    for what, words, source in (
        ("rangeness", "the smallest rangeness", _PAPER),
        ("rest", "the smallest sum of all couplings beyond nearest neighbours", _OWN),
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
            Claim(f"In 2D the most informative named rule has {words}", source, "; ".join(texts), holds)
        )
    values = [_correlation(rules, "rangeness") for rules in found.square_random.values()]
    text = ", ".join(f"{name} {value:+.2f}" for name, value in zip(found.square_random, values, strict=True))
    result.append(
        Claim(
            "In 2D rangeness falls as information grows, random rules",
            _OWN,
            f"rank correlations at K = {found.last_square:.4g}, {settings.square_random} rules each: {text}",
            falls(values),
        )
    )
    return result


def _correlation(rules: Sequence[Measured], what: str) -> float:
    return rank_correlation([one.share for one in rules], [getattr(one, what) for one in rules])


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _signed(values: Sequence[float], between: str = ", ") -> str:
    return between.join(f"{value:+.2f}" for value in values)
