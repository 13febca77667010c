"""Observables along a flow v -> h -> v', from several starts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import FlowRecord
from deeprg.report.labels import axis_label, panel_title
from deeprg.report.patterns import COLOURS
from deeprg.report.style import EXACT, INK, MUTED, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ends", "plot_flow_observable"]

_SYMBOLS = {"up": "share of chains with m > 0", "susceptibility": "N (⟨m²⟩ − ⟨|m|⟩²)"}
_TITLES = {"up": "Sign"}


def plot_flow_observable(
    ax: "Axes",
    records: Mapping[str, FlowRecord],
    name: str,
    *,
    critical: float | None = None,
    mark: str = "Ising at T_c",
) -> "Axes":
    """One observable against the number of rounds, a curve with its error band for each start.

    `critical` is the value of the model at T_c, or at another point that `mark` names: a dashed line.

    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import follow_flow
    >>> from deeprg.report.style import figure
    >>> record = follow_flow([(0, np.ones((20, 4, 4))), (1, np.ones((20, 4, 4)))], Lattice((4, 4)))
    >>> _, ax = figure()
    >>> plot_flow_observable(ax, {"T = 0": record}, "energy_per_site").get_xlabel()
    'rounds v → h → v′'
    """
    for number, (start, record) in enumerate(records.items()):
        colour = COLOURS[number % len(COLOURS)]
        value, error = record.curve(name)
        error = np.nan_to_num(error)
        ax.fill_between(record.rounds, value - error, value + error, color=colour, alpha=0.25, linewidth=0)
        ax.plot(record.rounds, value, color=colour, label=f"from {start}")
    if critical is not None:
        ax.axhline(critical, color=MUTED, linestyle="--", linewidth=1.2, label=mark)
    ax.margins(x=0.01)
    legend(ax, loc="best")
    symbol = _SYMBOLS.get(name, axis_label(name))
    return finish(ax, title=_TITLES.get(name, panel_title(name)), x="rounds v → h → v′", y=symbol)


def plot_ends(
    ax: "Axes",
    ends: Mapping[str, tuple[float, float]],
    curve: np.ndarray,
    *,
    temperatures: Mapping[float, tuple[float, float]] | None = None,
) -> "Axes":
    """End points as (⟨|m|⟩, e) by label, against the line [k, 2] on which all Ising ensembles lie.

    A point off the line belongs to no temperature, whatever a thermometer says. `temperatures` marks points
    of the line by their T.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_ends(ax, {"all T": (0.65, -0.85)}, np.array([[1.0, -2.0], [0.1, -0.3]])).get_xlabel()
    '⟨|m|⟩'
    """
    ax.plot(curve[:, 0], curve[:, 1], color=INK, linewidth=1.8, label="Ising, every T")
    for temperature, (m, e) in (temperatures or {}).items():
        ax.plot(m, e, "o", color=EXACT, markersize=4)
        ax.annotate(f"{temperature:.3g}", (m, e), (5, 4), textcoords="offset points", fontsize=8, color=EXACT)
    for number, (label, (m, e)) in enumerate(ends.items()):
        ax.plot(m, e, "s", color=COLOURS[number % len(COLOURS)], markersize=7, label=label)
    legend(ax, loc="lower left")
    return finish(ax, title="End points and the Ising line", x="⟨|m|⟩", y="e (units of J)")
