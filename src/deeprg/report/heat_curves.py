"""Specific heats: exact curves with measured ensembles on them, and along flows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from deeprg.report.patterns import COLOURS
from deeprg.report.style import INK, MUTED, finish, legend, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HeatPoint", "plot_heat_curves", "plot_heat_flow"]

HeatPoint = tuple[float, float, float]
"""T, c and its error."""

_MARKERS = "soD^vPX"


def plot_heat_curves(
    ax: "Axes",
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    points: Mapping[str, Mapping[str, Sequence[HeatPoint]]],
) -> "Axes":
    """c(T) by label, a star at the largest; `points` are ensembles that belong to a curve, in its colour.

    A point is placed at the temperature of its energy and has the c of its fluctuations: an Ising ensemble
    lies on the curve, a mixture of temperatures above it. A kind of marker for each name of points.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> t = np.linspace(1.0, 4.0, 7)
    >>> ax = plot_heat_curves(ax, {"H = 0": (t, 1 / t)}, {"H = 0": {"ends": [(2.0, 0.4, 0.1)]}})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['H = 0', 'largest', 'ends']
    """
    markers: dict[str, str] = {}
    for number, (label, (t, heat)) in enumerate(curves.items()):
        colour, best = COLOURS[number % len(COLOURS)], int(np.argmax(heat))
        ax.plot(t, heat, color=colour, label=label)
        ax.plot(t[best], heat[best], "*", color=colour, markersize=12)
        for name, rows in points.get(label, {}).items():
            marker = markers.setdefault(name, _MARKERS[len(markers) % len(_MARKERS)])
            for temperature, value, error in rows:
                ax.errorbar(temperature, value, yerr=error, fmt=marker, color=colour, markersize=6)
    ax.plot([], [], "*", color=INK, markersize=12, linestyle="none", label="largest")
    for name, marker in markers.items():
        ax.plot([], [], marker, color=INK, markersize=6, linestyle="none", label=name)
    ax.set_yscale("log")
    plain_numbers(ax.yaxis)
    legend(ax, loc="best", ncols=2)
    return finish(ax, title="Specific heat", x="T (units of J)", y="c (units of k)")


def plot_heat_flow(
    ax: "Axes",
    flows: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    largest: float | None = None,
) -> "Axes":
    """c along flows, as (rounds, values, errors) by start; NaN, where it has no temperature, is left out.

    `largest` is that of the Ising model, a dashed line.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> n = np.arange(3)
    >>> plot_heat_flow(ax, {"data": (n, n + 1.0, 0.1 * n)}, largest=1.3).get_ylabel()
    'c by fluctuations'
    """
    for number, (start, (rounds, values, errors)) in enumerate(flows.items()):
        colour = COLOURS[number % len(COLOURS)]
        low, high = values - np.nan_to_num(errors), values + np.nan_to_num(errors)
        ax.fill_between(rounds, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(rounds, values, color=colour, label=f"from {start}")
    if largest is not None:
        ax.axhline(largest, color=MUTED, linestyle="--", linewidth=1.2, label="largest of the Ising model")
    ax.set_yscale("log")
    plain_numbers(ax.yaxis)
    ax.margins(x=0.01)
    legend(ax, loc="best")
    return finish(ax, title="Specific heat", x="rounds v → h → v′", y="c by fluctuations")
