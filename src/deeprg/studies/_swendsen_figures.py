"""Tables and figures of the study of Monte Carlo RG."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from deeprg.probes import Stability
from deeprg.report.exponents import plot_exponents
from deeprg.report.medians import plot_medians
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import INK, figure, style
from deeprg.studies._swendsen_find import (
    COLD,
    CUBE,
    DECIMATION,
    HOT,
    ONE_SPIN,
    PAIRS,
    TRIPLES,
    Findings,
    exact_exponents,
)

__all__ = ["figures", "tables"]

_SHOWN = (PAIRS, TRIPLES, ONE_SPIN, DECIMATION, HOT, COLD)
_HEADER = ("case", "step", "", "operators", "eigenvalue", "exponent", "±", "second", "±")
_NAMES = {False: ("y_T", "$y_T$"), True: ("y_H", "$y_H$")}


def tables(found: Findings) -> list[StudyTable]:
    """Exponents of every case and step, of more and more operators, of 4x4, and of the theory."""
    few = {False: found.settings.even, True: found.settings.odd}
    second = [one for one in found.steps[PAIRS] if one.fine == found.steps[PAIRS][0].coarse]
    usual = [
        [case, 1 / y, e / y**2, ndim + 2 - 2 * h, 2 * f]
        for case, ndim in ((PAIRS, 2), (TRIPLES, 2), (CUBE, 3))
        for (y, e), (h, f) in [_judged(found, case)]
    ]
    return [
        StudyTable(
            "exponents",
            "Exponents by case and step",
            _HEADER,
            [
                _row(case, one, min(few[one.odd], len(one.operators)))
                for case, steps in found.steps.items()
                for one in steps
            ],
            "eigenvalue, its exponent, and the exponent of the second eigenvalue where it is real",
        ),
        StudyTable(
            "operators",
            "Majority rule on blocks of side 2, second step, by the number of operators",
            _HEADER,
            _rows({PAIRS: second}),
        ),
        StudyTable("exact", "4x4 to 2x2, sums over all states", _HEADER, _rows(found.exact)),
        StudyTable(
            "usual",
            "ν = 1/y_T and η = d + 2 - 2 y_H",
            ["case", "ν", "±", "η", "±"],
            usual,
            "of the second step in the plane (1 and 0.25), of the last in space (0.6300 and 0.0363)",
        ),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Exponents by operators, by step, and in space."""
    with style():
        return [
            _by_operators(
                found, PAIRS, "operators", "Majority rule on blocks of side 2 at T_c, by step and operators."
            ),
            _by_step(found),
            _by_operators(
                found, CUBE, "cube", "Majority rule on the cubic lattice at T_c; dashed: the bootstrap."
            ),
        ]


def _judged(found: Findings, case: str) -> list[tuple[float, float]]:
    return [found.series(case, odd=odd)[-1 if case == CUBE else 1] for odd in (False, True)]


def _rows(cases: Mapping[str, Sequence[Stability]]) -> list[list[float | int | str | None]]:
    return [
        _row(case, one, n)
        for case, steps in cases.items()
        for one in steps
        for n in range(1, len(one.operators) + 1)
    ]


def _row(case: str, one: Stability, n: int) -> list[float | int | str | None]:
    pairs = [(one.exponents[n - 1, k], one.errors[n - 1, k]) for k in (0, 1)]
    numbers = [one.eigenvalues[n - 1, 0], *(value for pair in pairs for value in pair)]
    shown = [float(value) if math.isfinite(value) else None for value in numbers]
    return [case, f"{one.fine} → {one.coarse}", _NAMES[one.odd][0], n, *shown]


def _by_operators(found: Findings, case: str, name: str, caption: str) -> StudyFigure:
    fig, axes = figure(10.5, 4.0, ncols=2)
    exact = exact_exponents(3 if case == CUBE else 2)
    for ax, odd in zip(axes, (False, True), strict=True):
        steps = [one for one in found.steps[case] if one.odd is odd]
        plot_exponents(ax, steps, exact[_NAMES[odd][0]])
        ax.set_title("Thermal exponent" if not odd else "Magnetic exponent")
    return StudyFigure(name, caption, fig, wide=True)


def _by_step(found: Findings) -> StudyFigure:
    fig, axes = figure(12.0, 4.8, ncols=2)
    exact = exact_exponents(2)
    for ax, odd in zip(axes, (False, True), strict=True):
        name, label = _NAMES[odd]
        series = {case: found.series(case, odd=odd) for case in _SHOWN}
        most = max(map(len, series.values()))
        places = [str(step + 1) for step in range(most)]
        bars = {
            case.replace("T_c", "$T_c$"): np.pad(
                [[y - e, y, y + e] for y, e in values],
                ((0, most - len(values)), (0, 0)),
                constant_values=np.nan,
            )
            for case, values in series.items()
        }
        plot_medians(
            ax,
            places,
            bars,
            title="Thermal exponent" if not odd else "Magnetic exponent",
            x="step",
            y=label,
        )
        ax.axhline(exact[name], color=INK, linestyle="--", linewidth=1, label="exact")
        ax.get_legend().remove()
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    settings = found.settings
    return StudyFigure(
        "steps",
        f"Leading exponents with {settings.even} even and {settings.odd} odd operators by step: three good "
        f"rules, decimation, and the majority at {1 + settings.distance:g} and {1 - settings.distance:g} "
        "of T_c.",
        fig,
        wide=True,
    )
