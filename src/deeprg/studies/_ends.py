"""Ends of flows: what they are judged by, their rows of a table, the plane of |m| and e."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.exact import kaufman
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import Calibration, FlowRecord, NetworkReading, Reading, StartDependence
from deeprg.report.flow_observables import plot_ends
from deeprg.report.study import Claim, StudyFigure, StudyTable
from deeprg.report.style import figure
from deeprg.report.thermometers import plot_confusion, plot_reliability
from deeprg.studies._followed import Thermometers
from deeprg.studies._machines import FlowSettings

__all__ = [
    "FLOW",
    "NEAR",
    "End",
    "calibration_figure",
    "calibration_table",
    "end_numbers",
    "end_of",
    "ends_figure",
    "ends_table",
    "finite",
    "judge_starts",
    "near_critical",
    "stages_table",
]

NEAR = 0.3
"""A reading so close to T_c counts as "at T_c": one step of the grid, 0.25, and a little."""

_END_HEADER = (
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
)

FLOW = ("abs_magnetization", "energy_per_site", "susceptibility", "correlation_length", "up")
"""What is shown of a flow."""

_LEVEL = 0.01
_MARKED = (2.0, CRITICAL_TEMPERATURE, 2.5, 3.0, 4.0)


@dataclass(frozen=True)
class End:
    """Where one flow ends, as the claims need it."""

    case: str
    start: str
    m: float
    m_error: float
    network: NetworkReading
    from_m: Reading
    from_e: Reading
    relaxation: float

    @property
    def near(self) -> bool:
        """Whether the peak of P(T) is at T_c."""
        return near_critical(self.network)


def near_critical(reading: NetworkReading) -> bool:
    """Whether the peak of P(T) lies within 0.3 of T_c."""
    return abs(reading.peak - CRITICAL_TEMPERATURE) <= NEAR


def end_of(case: str, record: FlowRecord) -> End:
    """The end point of a flow."""
    stage = record.end
    assert stage.network is not None
    m = stage.observables["abs_magnetization"]
    return End(
        case,
        record.start,
        m.value,
        m.error,
        stage.network,
        stage.readings["|m|"],
        stage.readings["e"],
        record.relaxation(),
    )


def ends_table(
    labels: Sequence[str],
    entries: Iterable[tuple[Sequence[float | int | str], Mapping[str, FlowRecord], StartDependence]],
    settings: FlowSettings,
    note: str = "",
) -> StudyTable:
    """Where the flows end: one row for each start of each entry, which has its labels, flows and test."""
    rows = [
        [*names, start, *_end(record, dependence)]
        for names, flows, dependence in entries
        for start, record in flows.items()
    ]
    return StudyTable(
        "ends",
        "Where the flows end",
        (*labels, "start", *_END_HEADER),
        rows,
        f"After {settings.length} rounds, {settings.chains} chains each. A bound (< or >) is "
        "outside the table of a thermometer. Relaxation of |m| in rounds; the last column compares the ends "
        f"from T = 0 and T = ∞.{note}",
    )


def _end(record: FlowRecord, dependence: StartDependence) -> list[float | int | str | None]:
    stage = record.end
    assert stage.network is not None
    seen = stage.observables
    agree = None if stage.agreement is None else stage.agreement.agree
    return [
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
        finite(record.relaxation()),
        "yes" if dependence.dependent else "no",
    ]


def stages_table(flows: Mapping[str, FlowRecord], title: str) -> StudyTable:
    """A dozen stages of the flows of one machine."""
    count = len(next(iter(flows.values())).stages)
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
                    *(finite(stage.observables[name].value) for name in FLOW),
                    str(stage.readings["|m|"]),
                    str(stage.readings["e"]),
                    stage.network.mean.value,
                ]
            )
    return StudyTable(
        "flow",
        title,
        ("start", "rounds", "|m|", "e", "χ", "ξ", "share m > 0", "T from |m|", "T from e", "network"),
        rows,
        "χ = N(⟨m²⟩ − ⟨|m|⟩²); ξ is the second-moment length, a dash where it is not defined.",
    )


def end_numbers(record: FlowRecord) -> dict[str, Any]:
    """The end point as plain values."""
    reading = record.end.network
    return record.end.to_dict() | {
        "settled": record.settled,
        "near_critical": reading is not None and near_critical(reading),
    }


def judge_starts(p: Mapping[str, Mapping[str, float]], statement: str, source: str) -> Claim:
    """Two-sample tests of |m| and e from all up and from random spins, by machine; a question of our own.

    Which sign m has does not count.
    """
    smallest = {name: 2 * min(one["abs_magnetization"], one["energy_per_site"]) for name, one in p.items()}
    text = ", ".join(
        f"{f'{min(value, 1):.2g}' if value > 1e-99 else '< 1e-99'} ({name})"
        for name, value in smallest.items()
    )
    return Claim(
        statement,
        source,
        f"two-sample tests of |m| and e, smaller p times 2: {text} (to count: all above {_LEVEL:g}; the sign "
        "of m, which ±1 units keep for long, is left out)",
        all(value >= _LEVEL for value in smallest.values()),
        asserted=False,
    )


def ends_figure(readers: Thermometers, records: Mapping[str, FlowRecord], caption: str) -> StudyFigure:
    """End points by label in the plane of |m| and e, with the line of Ising ensembles."""

    def at(t: float) -> tuple[float, float]:
        return readers.magnetization.expected(t), readers.energy.expected(t)

    line = np.array([at(t) for t in np.linspace(*readers.magnetization.range, 111)])
    ends = {}
    for name, record in records.items():
        seen = record.end.observables
        ends[name] = (seen["abs_magnetization"].value, seen["energy_per_site"].value)
    fig, ax = figure(6.4, 4.6)
    plot_ends(ax, ends, line, temperatures={t: at(t) for t in _MARKED})
    return StudyFigure("ends", caption, fig)


def calibration_table(readers: Thermometers, size: int) -> StudyTable:
    """What the thermometers do to data of known temperature."""
    calibration = _calibration(readers)
    low, high = readers.magnetization.range
    rows = []
    for k, t in enumerate(calibration.temperatures.tolist()):
        rows.append(
            [
                t,
                float(calibration.mean[k]),
                float(calibration.spread[k]),
                float(calibration.confusion[k, k]),
                readers.magnetization.expected(t) if low <= t <= high else None,
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


def calibration_figure(readers: Thermometers) -> StudyFigure:
    """What the classifier says of held-out data, and how far its confidence is right."""
    calibration = _calibration(readers)
    fig, axes = figure(10.0, 4.4, ncols=2)
    image = plot_confusion(axes[0], calibration)
    fig.colorbar(image, ax=axes[0], label="share")
    plot_reliability(axes[1], calibration)
    return StudyFigure("calibration", "The neural thermometer on held-out data.", fig, wide=True)


def finite(value: float) -> float | None:
    """A value for a table, None where it is not finite."""
    return value if math.isfinite(value) else None


def _calibration(readers: Thermometers) -> Calibration:
    assert readers.network.calibration is not None
    return readers.network.calibration
