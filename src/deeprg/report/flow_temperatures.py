"""Temperatures along the flows of several machines, and where they end while a machine learns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import FlowRecord
from deeprg.report.patterns import COLOURS
from deeprg.report.style import INK, MUTED, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_end_temperatures", "plot_flow_temperatures"]

_LINES = ("-", "--", ":")


def plot_flow_temperatures(
    ax: "Axes",
    flows: Mapping[str, Mapping[str, FlowRecord]],
    reading: str,
    *,
    critical: float | None = None,
    title: str = "",
) -> "Axes":
    """T(n) of several machines: a colour for each machine, a kind of line for each start.

    `reading` is "network" for the mean of the neural thermometer, or the name of a direct one. Bounds, where
    a value lies outside the table of a thermometer, are left out. `critical` is a dotted line.

    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import energy_thermometer, follow_flow
    >>> from deeprg.report.style import figure
    >>> spins = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 4, 4), p=[0.1, 0.9])
    >>> flow = follow_flow([(0, spins)], Lattice((4, 4)), thermometers={"e": energy_thermometer((4, 4))})
    >>> _, ax = figure()
    >>> ax = plot_flow_temperatures(ax, {"V": {"T = 0": flow}}, "e", title="From the energy")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['V', 'from T = 0']
    """
    starts: dict[str, str] = {}
    for number, (label, records) in enumerate(flows.items()):
        colour = COLOURS[number % len(COLOURS)]
        ax.plot([], [], color=colour, label=label)
        for start, record in records.items():
            style = starts.setdefault(start, _LINES[len(starts) % len(_LINES)])
            n, value = _course(record, reading)
            ax.plot(n, value, color=colour, linestyle=style)
    for start, style in starts.items():
        ax.plot([], [], color=INK, linestyle=style, label=f"from {start}")
    if critical is not None:
        ax.axhline(critical, color=MUTED, linestyle=":", linewidth=1.2, label="T_c")
    ax.margins(x=0.01)
    legend(ax, loc="best", ncols=2)
    return finish(ax, title=title or f"T from {reading}", x="rounds v → h → v′", y="T (units of J)")


def plot_end_temperatures(
    ax: "Axes",
    courses: Mapping[str, Mapping[int, FlowRecord]],
    *,
    critical: float | None = None,
) -> "Axes":
    """T at the end of the flow against the length of training, by every direct thermometer.

    `courses` maps the label of a machine to its flows by number of steps. A colour for each machine, a kind
    of line for each thermometer; bounds are left out.

    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import energy_thermometer, follow_flow
    >>> from deeprg.report.style import figure
    >>> spins = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 4, 4), p=[0.1, 0.9])
    >>> flow = follow_flow([(0, spins)], Lattice((4, 4)), thermometers={"e": energy_thermometer((4, 4))})
    >>> _, ax = figure()
    >>> plot_end_temperatures(ax, {"V": {1000: flow}}).get_xlabel()
    'steps of training'
    """
    for number, (label, course) in enumerate(courses.items()):
        colour = COLOURS[number % len(COLOURS)]
        names = next(iter(course.values())).end.readings
        for kind, name in enumerate(names):
            read = [(steps, record.end.readings[name]) for steps, record in course.items()]
            rows = [(steps, one.temperature, one.error) for steps, one in read if one.inside]
            if not rows:
                continue
            steps, value, error = np.array(rows).T
            style = _LINES[kind % len(_LINES)]
            ax.errorbar(
                steps,
                value,
                yerr=error,
                fmt="o",
                markersize=4,
                color=colour,
                linestyle=style,
                label=f"{label}, from {name}",
            )
    ax.set_xscale("log")
    if critical is not None:
        ax.axhline(critical, color=MUTED, linestyle=":", linewidth=1.2, label="T_c")
    legend(ax, loc="best")
    return finish(ax, title="Ends while the machine learns", x="steps of training", y="T (units of J)")


def _course(record: FlowRecord, reading: str) -> tuple[np.ndarray, np.ndarray]:
    rows = []
    for stage in record.stages:
        if reading == "network":
            assert stage.network is not None
            rows.append((stage.rounds, stage.network.mean.value))
        elif stage.readings[reading].inside:
            rows.append((stage.rounds, stage.readings[reading].temperature))
    n, value = np.array(rows).reshape(-1, 2).T
    return n, value
