"""Tables and figures of the study."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.exact.blocking import CumulantSeries
from deeprg.report.rg_flow import FlowCurve, plot_couplings_by_distance, plot_truncation_error
from deeprg.report.rule_information import plot_ratio_against_information, plot_rule_scan
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, legend, style
from deeprg.studies._lenggenhager_find import COARSE, SIDE, Findings
from deeprg.studies._lenggenhager_measure import ROUNDING, TIE, Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["figures", "tables"]

_SHORT = {"decimation", "majority, ties random", "majority", "soft (1, 0)", "soft (1, 1)"}
_RULE = ("rule", "I(X:E)", "share", "K₂(1)", "K₂(2)", "K₄(1,1,1)", "rangeness", "m-bodyness", "all others")


def tables(found: Findings) -> list[StudyTable]:
    """Named rules in 1D and 2D, correlations, variations, dimers, cumulants."""
    settings = found.settings
    wide = settings.control_block
    return [
        StudyTable(
            "chain",
            "Named rules on the chain",
            ("K", *_RULE),
            [(k, *_row(one)) for k, rules in found.named.items() for one in rules.values()],
            f"Blocks of {settings.block}, buffer {settings.buffer}; I in nats, the share is of I(V:E). "
            f"Rangeness and m-bodyness are magnitudes, |K₂(2)/K₂(1)| and |K₄(1,1,1)/K₂(1)|. {_REST} I(V:E) = "
            + ", ".join(f"{value:.6g} at K = {k:g}" for k, value in found.present.items())
            + ".",
        ),
        StudyTable(
            "wide",
            f"Named rules on the chain, blocks of {wide}",
            ("K", *_RULE),
            [(k, *_row(one)) for k, rules in found.wide_named.items() for one in rules.values()],
            "The inner spin of a block makes the same action as its first spin, with less of the "
            "information. Columns as for blocks of two.",
        ),
        StudyTable(
            "correlations",
            "Rank correlation of the couplings' ratios with the information, soft rules",
            (
                "K",
                "strength",
                "rangeness",
                "m-bodyness",
                "all others",
                "rangeness, 0–45°",
                "m-bodyness, 0–45°",
            ),
            [row for k in settings.couplings for row in _correlations(found, k)],
            "Spearman, for rules of one strength and for several strengths pooled. Angles from −45° "
            "(difference of two spins) by 0° (decimation) to 45° (majority); the last two columns leave out "
            "weights of opposite sign. Numbers that differ by less than 1e-9 of the largest share a rank; "
            "empty where all do. These rules are a grid and not drawn, so that the correlations have no "
            "statistical error.",
        ),
        StudyTable(
            "variations",
            "The same on other rings and with other buffers",
            (
                "variation",
                "K",
                f"rangeness, strength ≥ {settings.sharp:g}",
                "rangeness, all",
                "decimation, share",
                "best rule, share",
                "decimation is best",
            ),
            [
                (name, k, *one.values(), _best(one))
                for name, group in found.varied.items()
                for k, one in group.items()
            ],
            f"Rank correlations of soft rules of all strengths pooled, on a scan of "
            f"{min(COARSE, settings.angles)} angles: compare rows with 'as set', which has the same scan and "
            "so differs from the table of correlations. The best rule is the best of the soft and of all "
            "deterministic rules, decimation among them.",
        ),
        StudyTable(
            "dimers",
            "A chain of dimers: the information becomes complete",
            ("inner K", "majority, share", "rangeness", "m-bodyness", "decimation, share"),
            [
                (inner, one.share, _clean(one.rangeness), _clean(one.m_bodyness), other.share)
                for inner, one, other in found.dimers
            ],
            f"The coupling between the blocks is {found.between:g} throughout; inner K is that within them. "
            "Shares are of I(V:E), which changes with the inner K.",
        ),
        StudyTable(
            "cumulants",
            "The cumulant expansion of K'",
            (
                "K",
                "rule",
                "radius above",
                *(f"order {order}" for order in _orders(settings.order)),
                "converges",
            ),
            [
                (
                    k,
                    name,
                    one.radius[0],
                    *_errors(one),
                    "yes" if one.converges else "no" if one.diverges else "open",
                )
                for k, group in found.series.items()
                for name, one in group.items()
            ],
            "Largest error of K' over all coarse states. The series converges at K itself when its "
            "radius, in units "
            "of the coupling between blocks, exceeds 1.",
        ),
        StudyTable(
            "square",
            f"Named rules on the {SIDE}×{SIDE} torus, blocks of 2×2",
            ("K", *_RULE),
            [(k, *_row(one)) for k, rules in found.squares.items() for one in rules.values()],
            "K₂(2) joins diagonal neighbours, K₄ the four spins of a plaquette. The three columns of "
            "couplings are averages with sign over all directions; the ratios are magnitudes, "
            "√⟨K₂(2)²⟩ / √⟨K₂(1)²⟩ with both averages over all directions. That is |K₂(2)/K₂(1)| where the "
            "directions are alike, and not the ratio of the columns for rules that favour some spins (ties "
            f"first, sign of a row or diagonal), whose couplings differ by direction. {_REST} I(V:E) = "
            + ", ".join(f"{value:.6g} at K = {k:.4g}" for k, value in found.square_present.items())
            + ".",
        ),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """The scan, information against range in 1D and 2D, couplings by distance, truncation error."""
    from matplotlib.ticker import MaxNLocator

    k = found.settings.couplings[0]
    rules = found.scans[k]
    names = [f"{strength:g}" for strength in rules.strengths]

    def curves(what: str) -> dict[str, list[float]]:
        return {name: [getattr(o, what) for o in row] for name, row in zip(names, rules.rows, strict=True)}

    with style():
        scanned = plot_rule_scan(
            rules.angles,
            curves("share"),
            {"rangeness": curves("rangeness"), "m-bodyness": curves("m_bodyness")},
            marks={"difference": -45.0, "decimation": 0.0, "majority": 45.0},
            floor=1e-9,
            title=f"Soft rules on the chain, K = {k:g}",
        )
        plane, axes = figure(10.4, 4.0, ncols=2)
        for ax, what, name in zip(
            axes, ("rangeness", "m_bodyness"), ("rangeness", "m-bodyness"), strict=True
        ):
            _scatter(ax, found, k, what, name)
        by_distance, ax = figure()
        shown = found.named[k]
        steps = {
            name: FlowCurve(np.arange(1, len(one.by_distance) + 1), one.by_distance)
            for name, one in shown.items()
            if name in _SHORT
        }
        plot_couplings_by_distance(ax, steps, floor=1e-12)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_title(f"Pair couplings of K', K = {k:g}")
        square, ax = figure(6.8, 4.2)
        _square(ax, found)
        truncated, ax = figure(7.4, 3.6)
        errors = {
            f"{name}, K = {coupling:g}": FlowCurve(np.arange(1, len(one.errors)), one.errors[1:])
            for coupling, group in found.series.items()
            for name, one in group.items()
        }
        plot_truncation_error(ax, errors, y="largest error of K'")
        legend(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0))  # off the curves and the level of rounding
    return [
        StudyFigure("scan", _SCAN, scanned, wide=True),
        StudyFigure("plane", _PLANE, plane, wide=True),
        StudyFigure("couplings", "Couplings below 1e-12 are hollow at the floor: zero.", by_distance),
        StudyFigure("truncation", "Partial sums of the cumulants against the exact K'.", truncated),
        StudyFigure("square", _SQUARE.format(k=found.last_square), square),
    ]


_REST = (
    "All others: root of the sum of squares of all couplings of two and more spins that do not join nearest "
    "neighbours, over that of those that do; so it is never below rangeness."
)
_SCAN = (
    "Information kept, rangeness and m-bodyness over one axis. Sharp dips are changes of sign: a ratio "
    "can vanish "
    "where the information is not largest."
)
_PLANE = (
    "The same rules and those drawn without a form, information against ratio. Near the right edge (close to "
    "deterministic) one falls with the other; rules without a form fill the plane. Hollow: zero."
)
_SQUARE = "Rules of 2×2 blocks at K = {k:.4g}: named ones in red, drawn ones in other colours."


def _scatter(ax: "Axes", found: Findings, k: float, what: str, name: str) -> None:
    settings = found.settings
    everything = [one for row in found.scans[k].rows for one in row]
    sharp = [
        one
        for strength, row in zip(settings.strengths, found.scans[k].rows, strict=True)
        for one in row
        if strength >= settings.sharp
    ]
    weak = [one for one in everything if one not in sharp]
    wide = [one for rules in found.wide[k].values() for one in rules]
    groups = {
        "soft, weak": weak,
        f"soft, |λ| ≥ {settings.sharp:g}": sharp,
        "random": [one for rules in found.random[k].values() for one in rules],
        f"random, blocks of {settings.control_block}": wide,
    }
    named = [
        (name, one) for name, one in found.named[k].items() if name in ("decimation", "majority, ties random")
    ]
    floor = 1e-5 if what == "rangeness" else 1e-10
    plot_ratio_against_information(
        ax,
        {
            label: ([o.share for o in rules], [getattr(o, what) for o in rules])
            for label, rules in groups.items()
        },
        named=[(label.split(",")[0], one.share, getattr(one, what)) for label, one in named],
        floor=floor,
        title=f"Chain, K = {k:g}",
        y=name,
    )


def _square(ax: "Axes", found: Findings) -> None:
    named = found.squares[found.last_square]
    drawn = found.square_random
    everything = [*named.values(), *(one for rules in drawn.values() for one in rules)]
    plot_ratio_against_information(
        ax,
        {name: ([o.share for o in rules], [o.rangeness for o in rules]) for name, rules in drawn.items()},
        named=[(name, one.share, one.rangeness) for name, one in named.items()],
        floor=0.7 * min((one.rangeness for one in everything if one.rangeness > ROUNDING), default=1.0),
        title=f"Square torus, K = {found.last_square:.4g}",
    )


def _correlations(found: Findings, k: float) -> list[tuple[float | str | None, ...]]:
    rules, settings = found.scans[k], found.settings
    parts: dict[str, Callable[..., float | None]] = {
        **{f"{strength:g}": rules.only(strength).correlation for strength in rules.strengths},
        f"≥ {settings.sharp:g}": lambda what, **more: rules.correlation(what, least=settings.sharp, **more),
        "all": rules.correlation,
    }
    return [
        (
            k,
            name,
            *(part(what) for what in ("rangeness", "m_bodyness", "rest")),
            *(part(what, positive=True) for what in ("rangeness", "m_bodyness")),
        )
        for name, part in parts.items()
    ]


def _row(one: Measured) -> tuple[float | str, ...]:
    couplings = (one.nearest, one.second, one.four, one.rangeness, one.m_bodyness, one.rest)
    return (one.name, one.kept, one.share, *(_clean(value) for value in couplings))


def _best(one: Mapping[str, float | None]) -> str:
    decimation, best = one["decimation"], one["best"]
    return "yes" if decimation is not None and best is not None and best <= decimation * (1 + TIE) else "no"


def _orders(highest: int) -> list[int]:
    return sorted({order for order in (1, 2, 4, highest) if order <= highest})


def _errors(one: CumulantSeries) -> list[float]:
    return [float(one.errors[order]) for order in _orders(one.order)]


def _clean(value: float) -> float:
    return 0.0 if abs(value) < ROUNDING else value
