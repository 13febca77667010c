"""The figure of a sweep: each number over one setting, a curve for every combination of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deeprg.report.style import ACCENT, finish, headline, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SweepCurve", "plot_sweep", "plot_sweep_number"]

_MOST_TICKS = 10


@dataclass(frozen=True)
class SweepCurve:
    """Numbers `y` with errors (None: unknown) at `x`; points at one x differ in their seed."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float | None]


def plot_sweep_number(ax: "Axes", curves: Sequence[SweepCurve], *, axis: str, title: str) -> "Axes":
    """Each curve through the means over points of one x, and every point with its error bar.

    >>> from deeprg.report.style import figure
    >>> one = SweepCurve("width 8", [2.0, 2.0, 2.5], [0.1, 0.3, 0.4], [0.01, 0.01, None])
    >>> ax = plot_sweep_number(figure()[1], [one], axis="temperature", title="gap (nats)")
    >>> [round(float(y), 3) for y in ax.lines[0].get_ydata()]
    [0.2, 0.4]

    Whole numbers are the ticks themselves.

    >>> sizes = SweepCurve("", [3.0, 4.0, 5.0], [0.1, 0.2, 0.3], [None, None, None])
    >>> plot_sweep_number(figure()[1], [sizes], axis="size", title="gap (nats)").get_xticks().tolist()
    [3.0, 4.0, 5.0]
    """
    colours = [ACCENT] if len(curves) == 1 else shades(len(curves))
    for curve, colour in zip(curves, colours, strict=True):
        x, y = np.asarray(curve.x, float), np.asarray(curve.y, float)
        error = np.array([np.nan if one is None else one for one in curve.error])  # no bar
        places = np.unique(x)
        means = [y[x == place].mean() for place in places]
        ax.plot(places, means, color=colour, linewidth=1.2, label=curve.label or None)
        ax.errorbar(x, y, yerr=error, fmt="o", color=colour, markersize=4, capsize=2.5, linewidth=1.2)
    everywhere = np.unique(np.concatenate([np.asarray(curve.x, float) for curve in curves]))
    if np.all(everywhere == np.round(everywhere)):
        ax.set_xticks(_apart(everywhere))
    return finish(ax, title=title, x=axis.rpartition(".")[2].replace("_", " "), y="")


def _apart(places: np.ndarray) -> list[float]:
    """Those of the rising numbers whose labels have room beside each other.

    >>> _apart(np.array([2.0, 8.0, 64.0])), _apart(np.arange(32.0))[:3]
    ([2.0, 64.0], [0.0, 4.0, 8.0])
    """
    kept = [float(places[0])]
    for place in places[1:].tolist():
        if place - kept[-1] >= (places[-1] - places[0]) / _MOST_TICKS:
            kept.append(place)
    return kept


def plot_sweep(panels: Mapping[str, Sequence[SweepCurve]], *, axis: str, title: str = "") -> "Figure":
    """One panel side by side for every number, by its name, over the setting `axis`.

    >>> one = SweepCurve("", [2.0, 2.5], [0.1, 0.4], [0.01, 0.02])
    >>> len(plot_sweep({"gap (nats)": [one], "ESS": [one]}, axis="temperature").axes)
    2
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(0.4 + 3.9 * len(panels), 3.6), layout="constrained")
    headline(fig, title)
    for ax, (name, curves) in zip(
        fig.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        plot_sweep_number(ax, curves, axis=axis, title=name)
    handles, labels = fig.axes[-1].get_legend_handles_labels()
    if labels:
        fig.legend(handles, labels, loc="outside right upper")
    return fig
