"""Tables and figures of the study."""

from collections.abc import Sequence

import numpy as np

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import compare_readings
from deeprg.report.flow_observables import plot_ends, plot_flow_observable
from deeprg.report.heat_curves import HeatPoint, plot_heat_curves, plot_heat_flow
from deeprg.report.power_law import FittedLaw, plot_power_laws
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.studies._ends import finite
from deeprg.studies._followed import RANDOM
from deeprg.studies._funai_exponent import BETA
from deeprg.studies._funai_finals import Aim, Final, aim_of, finals_of, pool_of
from deeprg.studies._funai_find import EVERY, Case, Findings, field_name

__all__ = ["figures", "tables"]

_READ = ("|m|, in a field m", "e", "T from it", "T from e", "one T", "c", "±", "Ising at the T of e")


def tables(found: Findings) -> list[StudyTable]:
    """What is exact, end points, one flow, the data in one pot, the exponent."""
    return [_maxima(found), _ends(found), _flow(found), _pools(found), _exponents(found)]


def figures(found: Findings) -> list[StudyFigure]:
    """Specific heats, flows without and with a field, ends in the plane of |m| and e, the exponent."""
    with style():
        return [_heats(found), _flows(found), _plane(found), _laws(found)]


def _maxima(found: Findings) -> StudyTable:
    aims = [aim_of(found, h) for h in found.settings.fields]
    critical = found.table.at(CRITICAL_TEMPERATURE)
    rows: list[list[float | str]] = [
        [f"largest c at H = {aim.field:g}", aim.temperature, aim.heat, aim.energy, aim.order] for aim in aims
    ]
    size = found.settings.size
    rows.append(
        [
            "T_c, H = 0",
            CRITICAL_TEMPERATURE,
            critical.specific_heat,
            critical.energy,
            critical.abs_magnetization,
        ]
    )
    return StudyTable(
        "exact",
        f"The Ising model on {size} x {size}, exactly",
        ("where", "T", "c", "e", "⟨|m|⟩, in a field ⟨m⟩"),
        rows,
        "From the exact laws of m at 14 couplings, with a polynomial between them: c is off by "
        f"{found.table.error:.1g} at most, against Kaufman's formula at H = 0. e is the energy of the bonds.",
    )


def _ends(found: Findings) -> StudyTable:
    rows = []
    for case in found.cases:
        for final, flow in zip(finals_of(found, case), case.flows.values(), strict=True):
            rows.append(
                [
                    case.name,
                    final.start,
                    *_read(final),
                    "yes" if final.meets(aim_of(found, case.field)) else "no",
                    finite(flow.record.relaxation()),
                    "yes" if case.dependence.dependent else "no",
                ]
            )
    return StudyTable(
        "ends",
        "Where the flows end",
        (
            "machine",
            "start",
            *_READ,
            "at the largest c",
            "relaxation",
            "start matters",
        ),
        rows,
        f"After {found.settings.length} rounds, {found.settings.chains} chains each. T and c suppose the "
        "field of the data, H = 0 where they have several. c: by fluctuations, beside that of the Ising "
        "ensemble with this e. A dash: e gives only a bound. The last column compares m, |m| and "
        "e from T = 0 and T = ∞.",
    )


def _read(final: Final) -> list[float | str | None]:
    agree = compare_readings([final.from_order, final.from_energy]).agree
    return [
        final.order,
        final.energy,
        str(final.from_order),
        str(final.from_energy),
        "no" if agree is False else "yes" if agree else "—",
        finite(final.heat.value),
        finite(final.heat.error),
        finite(final.expected),
    ]


def _flow(found: Findings) -> StudyTable:
    case = found.cases[0]
    rows = []
    for start, flow in case.flows.items():
        count = len(flow.record.stages)
        for k in sorted({0, 1, 2, 3, 5, count // 2, count - 1} & set(range(count))):
            stage, heat = flow.record.stages[k], flow.heats[k]
            rows.append(
                [
                    start,
                    stage.rounds,
                    stage.observables["abs_magnetization"].value,
                    stage.observables["energy_per_site"].value,
                    str(stage.readings["|m|"]),
                    str(stage.readings["e"]),
                    finite(heat.value),
                    finite(heat.error),
                ]
            )
    return StudyTable(
        "flow",
        f"The flow of {case.name}",
        ("start", "rounds", "|m|", "e", "T from |m|", "T from e", "c", "±"),
        rows,
    )


def _pools(found: Findings) -> StudyTable:
    rows = []
    for pool in found.pools:
        final = pool_of(found, pool)
        rows.append([pool.name, *_read(final), "yes" if final.meets(aim_of(found, pool.field)) else "no"])
    return StudyTable(
        "pots",
        "The training data, read as one ensemble",
        ("data", *_READ, "at the largest c"),
        rows,
        "The flow is Gibbs sampling: an exact machine, followed for long enough, ends in its training data.",
    )


def _exponents(found: Findings) -> StudyTable:
    rows = [[n, law.beta, law.error, law.amplitude, law.chi2] for n, law in found.laws.items()]
    low, high = found.laws[0].temperatures[[0, -1]]
    return StudyTable(
        "exponent",
        "The exponent of the magnetization, from data and from their reconstructions",
        ("rounds", "beta", "±", "amplitude", "χ²/dof"),
        rows,
        f"⟨|m|⟩ = A (1 − T/T_c)^beta from T = {low:g} … {high:g}; errors are widened by √(χ²/dof).",
    )


def _heats(found: Findings) -> StudyFigure:
    grid = np.linspace(found.table.low, found.table.high, 211)
    curves, points = {}, {}
    for h in found.settings.fields:
        name = field_name(h)
        curves[name] = (grid, np.array([found.table.at(float(t), h).specific_heat for t in grid]))
        own: dict[str, list[HeatPoint]] = {}
        for case in found.of(name):
            label = "ends, ±1 units" if case.unit == "spin" else "ends, {0, 1} units"
            own[label] = _points(finals_of(found, case))
        own["data in one pot"] = _points([pool_of(found, p) for p in found.pools if p.name == name])
        points[name] = own
    fig, ax = figure(7.6, 5.0)
    plot_heat_curves(ax, curves, points)
    return StudyFigure(
        "heat",
        "Exact specific heats in a field, and the ensembles at the ends of flows: at the temperature of "
        "their energy, with the c of their fluctuations. What lies far above its curve is a mixture.",
        fig,
    )


def _points(finals: Sequence[Final]) -> list[HeatPoint]:
    return [
        (final.from_energy.temperature, final.heat.value, np.nan_to_num(final.heat.error))
        for final in finals
        if final.heat.value > 0
    ]


def _flows(found: Findings) -> StudyFigure:
    without, with_field = (found.of(field_name(h))[0] for h in found.settings.fields[:2])
    fig, axes = figure(13.5, 7.2, nrows=2, ncols=3)
    for row, case in zip(axes, (without, with_field), strict=True):
        aim = aim_of(found, case.field)
        names = ("abs_magnetization" if case.field == 0 else "magnetization", "energy_per_site")
        for ax, name, value in zip(row, names, (aim.order, aim.energy), strict=False):
            plot_flow_observable(ax, case.records, name, critical=value, mark="at the largest c")
            ax.set_title(f"{ax.get_title(loc='left')}, {case.data}", loc="left")
        plot_heat_flow(row[2], _courses(case), largest=aim.heat)
        row[2].set_title(f"Specific heat, {case.data}", loc="left")
    return StudyFigure(
        "flow",
        f"Flows of machines of ±1 units, without a field and at {with_field.data}. While chains pass from "
        "one kind of order to another the ensemble is a mixture, and c by fluctuations is large.",
        fig,
        wide=True,
    )


def _courses(case: Case) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return {
        start: (
            flow.record.rounds,
            np.array([heat.value for heat in flow.heats]),
            np.array([heat.error for heat in flow.heats]),
        )
        for start, flow in case.flows.items()
    }


def _plane(found: Findings) -> StudyFigure:
    shown = [case for case in found.cases if case.data in (field_name(0.0), EVERY)]
    ends = {case.name: _place(case.flows[RANDOM].record.end.observables) for case in shown[:5]}
    for pool in found.pools:
        if pool.name in (field_name(0.0), EVERY):
            ends[f"data: {pool.name}"] = _place(pool.record.end.observables)
    states = [found.table.at(float(t)) for t in found.table.temperatures]
    line = np.array([(state.abs_magnetization, state.energy) for state in states])
    aim: Aim = aim_of(found, 0.0)
    marked = {t: found.table.at(t) for t in (2.0, CRITICAL_TEMPERATURE, aim.temperature, 3.0, 4.0)}
    fig, ax = figure(6.8, 5.0)
    plot_ends(ax, ends, line, temperatures={t: (s.abs_magnetization, s.energy) for t, s in marked.items()})
    return StudyFigure(
        "ends",
        f"End points from T = ∞ without a field, and training data in one pot. The largest specific heat is "
        f"at T = {aim.temperature:.3f}.",
        fig,
    )


def _place(observables) -> tuple[float, float]:
    return observables["abs_magnetization"].value, observables["energy_per_site"].value


def _laws(found: Findings) -> StudyFigure:
    laws = {
        "data" if n == 0 else f"{n} round{'s' if n > 1 else ''}": FittedLaw(
            law.temperatures, law.values, law.errors, law.amplitude, law.beta
        )
        for n, law in found.laws.items()
    }
    fig, ax = figure(6.4, 4.6)
    plot_power_laws(ax, laws, exponent=BETA)
    return StudyFigure(
        "exponent",
        f"The magnetization of data and of their reconstructions by {found.cases[0].name}, with fits.",
        fig,
    )
