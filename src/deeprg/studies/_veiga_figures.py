"""Tables and figures of the study."""

import math

import numpy as np

from deeprg.exact import kaufman
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.report.flow_observables import plot_ends, plot_flow_observable
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.report.thermometers import (
    plot_confusion,
    plot_probabilities,
    plot_readings,
    plot_reliability,
)
from deeprg.studies._veiga_claims import near_critical
from deeprg.studies._veiga_find import ALL, Findings

__all__ = ["figures", "tables"]

_FLOW = ("abs_magnetization", "energy_per_site", "susceptibility", "correlation_length", "up")
_MARKED = (2.0, CRITICAL_TEMPERATURE, 2.5, 3.0, 4.0)


def tables(found: Findings) -> list[StudyTable]:
    """End points of every case, the flow of the main machine, and what the thermometers do to known data."""
    return [_ends(found), _stages(found), _calibration(found)]


def _ends(found: Findings) -> StudyTable:
    rows = []
    for case in found.cases.values():
        for start, record in case.flows.items():
            stage = record.end
            assert stage.network is not None
            seen = stage.observables
            agree = None if stage.agreement is None else stage.agreement.agree
            rows.append(
                [
                    case.name,
                    start,
                    seen["abs_magnetization"].value,
                    seen["abs_magnetization"].error,
                    seen["energy_per_site"].value,
                    seen["up"].value,
                    str(stage.readings["|m|"]),
                    str(stage.readings["e"]),
                    "no" if agree is False else "yes" if agree else "—",
                    stage.network.peak,
                    stage.network.mean.value,
                    "yes" if near_critical(stage.network) else "no",
                    "no" if stage.network.trusted else "yes",
                    _number(record.relaxation()),
                    "yes" if case.dependence.dependent else "no",
                ]
            )
    return StudyTable(
        "ends",
        "Where the flows end",
        (
            "weights from",
            "start",
            "|m|",
            "±",
            "e",
            "share m > 0",
            "T from |m|",
            "T from e",
            "one T",
            "network: peak",
            "mean",
            "near T_c",
            "flagged",
            "relaxation",
            "start matters",
        ),
        rows,
        f"After {found.settings.length} rounds, {found.settings.chains} chains each. A bound (< or >) is "
        "outside the table of a thermometer. Relaxation of |m| in rounds; the last column compares the ends "
        "from T = 0 and T = ∞.",
    )


def _stages(found: Findings) -> StudyTable:
    flows = found.cases[ALL].flows
    count = len(flows["T = 0"].stages)
    shown = sorted({0, 1, 2, 5, 10, count // 2, count - 1} & set(range(count)))
    rows = []
    for start, record in flows.items():
        for k in shown:
            stage = record.stages[k]
            assert stage.network is not None
            rows.append(
                [
                    start,
                    stage.rounds,
                    *(_number(stage.observables[name].value) for name in _FLOW),
                    str(stage.readings["|m|"]),
                    str(stage.readings["e"]),
                    stage.network.mean.value,
                ]
            )
    return StudyTable(
        "flow",
        "The flow of the machine trained on all temperatures",
        ("start", "rounds", "|m|", "e", "χ", "ξ", "share m > 0", "T from |m|", "T from e", "network"),
        rows,
        "χ = N(⟨m²⟩ − ⟨|m|⟩²); ξ is the second-moment length, a dash where it is not defined.",
    )


def _calibration(found: Findings) -> StudyTable:
    calibration = found.network.calibration
    assert calibration is not None
    size = found.settings.size
    rows = []
    for k, t in enumerate(calibration.temperatures.tolist()):
        inside = found.magnetization.range[0] <= t <= found.magnetization.range[1]
        rows.append(
            [
                t,
                float(calibration.mean[k]),
                float(calibration.spread[k]),
                float(calibration.confusion[k, k]),
                found.magnetization.expected(t) if inside else None,
                kaufman((size, size), t).energy_per_site if t > 0 else -2.0,
            ]
        )
    return StudyTable(
        "thermometers",
        "The thermometers on data of known temperature",
        ("T", "network: mean", "spread", "right class", "⟨|m|⟩(T)", "e(T), exact"),
        rows,
        "Mean and spread over held-out configurations. The direct thermometers invert the last two columns.",
    )


def figures(found: Findings) -> list[StudyFigure]:
    """Observables, readings, what the network says and can, and the end points against the Ising line."""
    with style():
        return [_observables(found), _ends_figure(found), _readings(found), _network(found)]


def _observables(found: Findings) -> StudyFigure:
    at = {"abs_magnetization": found.magnetization.expected(CRITICAL_TEMPERATURE)}
    at["energy_per_site"] = found.energy.expected(CRITICAL_TEMPERATURE)
    fig, axes = figure(13.5, 7.0, nrows=2, ncols=3)
    for ax, name in zip(axes.flat, _FLOW, strict=False):
        plot_flow_observable(ax, found.cases[ALL].flows, name, critical=at.get(name))
    plot_readings(axes.flat[5], found.cases[ALL].flows["T = ∞"], critical=CRITICAL_TEMPERATURE)
    return StudyFigure(
        "flow",
        "The machine trained on all temperatures, from three starts. The end is a state of its own: the two "
        "direct thermometers part.",
        fig,
        wide=True,
    )


def _ends_figure(found: Findings) -> StudyFigure:
    low, high = found.magnetization.range
    line = np.array(
        [(found.magnetization.expected(t), found.energy.expected(t)) for t in np.linspace(low, high, 111)]
    )
    marked = {t: (found.magnetization.expected(t), found.energy.expected(t)) for t in _MARKED}
    ends = {}
    for case in found.cases.values():
        seen = case.flows["T = ∞"].end.observables
        ends[case.name] = (seen["abs_magnetization"].value, seen["energy_per_site"].value)
    fig, ax = figure(6.4, 4.6)
    plot_ends(ax, ends, line, temperatures=marked)
    return StudyFigure(
        "ends",
        "End points from T = ∞. An Ising ensemble of this lattice lies on the line, at its temperature.",
        fig,
    )


def _readings(found: Findings) -> StudyFigure:
    fig, ax = figure(6.4, 4.6)
    readings = {name: case.flows["T = ∞"].end.network for name, case in found.cases.items()}
    kept = {name: reading for name, reading in readings.items() if reading is not None}
    plot_probabilities(ax, found.network.temperatures, kept, CRITICAL_TEMPERATURE)
    return StudyFigure(
        "network",
        "P(T) at the ends from T = ∞. Dashed: the ensemble is unlike the training data, or the peak is at an "
        "end of the grid.",
        fig,
    )


def _network(found: Findings) -> StudyFigure:
    calibration = found.network.calibration
    assert calibration is not None
    fig, axes = figure(10.0, 4.4, ncols=2)
    image = plot_confusion(axes[0], calibration)
    fig.colorbar(image, ax=axes[0], label="share")
    plot_reliability(axes[1], calibration)
    return StudyFigure("calibration", "The neural thermometer on held-out data.", fig, wide=True)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
