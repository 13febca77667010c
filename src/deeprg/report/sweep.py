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
    """
    colours = [ACCENT] if len(curves) == 1 else shades(len(curves))
    for curve, colour in zip(curves, colours, strict=True):
        x, y = np.asarray(curve.x, float), np.asarray(curve.y, float)
        error = np.array([np.nan if one is None else one for one in curve.error])  # no bar
        places = np.unique(x)
        means = [y[x == place].mean() for place in places]
        ax.plot(places, means, color=colour, linewidth=1.2, label=curve.label or None)
        ax.errorbar(x, y, yerr=error, fmt="o", color=colour, markersize=4, capsize=2.5, linewidth=1.2)
    return finish(ax, title=title, x=axis.rpartition(".")[2].replace("_", " "), y="")


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
