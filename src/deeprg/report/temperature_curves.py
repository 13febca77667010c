"""Four panels on a conditioned flow: gap and effective samples, energy, specific heat, Binder cumulant."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import TemperatureCurves
from deeprg.report.labels import axis_label, panel_title
from deeprg.report.style import ACCENT, GRID, SECOND, finish, headline, legend
from deeprg.report.thermodynamic_curves import Curve, plot_thermodynamic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_curve_quality", "plot_temperature_curves"]


def plot_curve_quality(ax: "Axes", curves: TemperatureCurves) -> "Axes":
    """The gap per site (left axis) and the effective sample size (right axis) over the parameter.

    >>> from deeprg.report.style import figure
    >>> import numpy as np
    >>> from deeprg.probes import ParameterCurve
    >>> one = ParameterCurve(np.array([0.1, 0.2]), np.array([0.01, 0.01]), np.zeros(2))
    >>> found = TemperatureCurves("temperature", (4, 4), (2.0, 3.0), np.array([2.0, 3.0]), 1000, {"gap": one},
    ...                           np.array([0.8, 0.9]), np.zeros(2), np.zeros(2, bool))
    >>> plot_curve_quality(figure()[1], found).get_ylabel()
    'gap per site (nats)'
    """
    gap, sites = curves.curves["gap"], int(np.prod(curves.shape))
    bars = {"fmt": "o-", "markersize": 4, "capsize": 2.5, "linewidth": 1.2}
    ax.errorbar(curves.values, gap.value / sites, yerr=gap.error / sites, color=ACCENT, label="gap", **bars)
    ax.set_ylim(bottom=min(0.0, float((gap.value / sites).min())))
    right = ax.twinx()
    right.plot(curves.values, curves.ess, "s--", color=SECOND, markersize=4, linewidth=1.2, label="ESS")
    right.set_ylim(0, 1.05)
    right.set_ylabel("ESS (fraction of the draws)", color=SECOND)
    right.grid(False)
    _mark_interval(ax, curves)
    return finish(ax, title="Gap and effective samples", x=_axis(curves.parameter), y="gap per site (nats)")


def plot_temperature_curves(
    curves: TemperatureCurves,
    *,
    exact: Mapping[str, Curve] | None = None,
    critical: float | None = None,
    title: str = "",
) -> "Figure":
    """Gap and ESS, energy, specific heat, and the Binder cumulant over the parameter, errors as bars.

    `exact` are lines on their own grid; without them the exact values at the points are drawn as crosses,
    where they are known. What lies outside the trained interval is on grey ground.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(8.6, 6.4), layout="constrained")
    headline(fig, title)
    grid = fig.subplots(2, 2)
    plot_curve_quality(grid[0, 0], curves)
    for ax, name in zip(grid.flat[1:], (*curves.conjugate, "binder_cumulant"), strict=True):
        row = curves.curves[name]
        line = (exact or {}).get(name)
        if line is None and np.isfinite(row.exact).any():
            line = Curve(curves.values, row.exact)
        plot_thermodynamic(ax, curves.values, row.value, row.error, exact=line, critical=critical, name=name)
        _mark_interval(ax, curves)
        finish(ax, title=panel_title(name), x=_axis(curves.parameter), y=axis_label(name))
    legend(grid[0, 1], loc="best")
    return fig


def _axis(parameter: str) -> str:
    return "temperature T" if parameter == "temperature" else parameter.replace("_", " ")


def _mark_interval(ax: "Axes", curves: TemperatureCurves) -> None:
    if curves.extrapolates.any():
        low, high = float(curves.values.min()), float(curves.values.max())
        for start, end in ((low, curves.interval[0]), (curves.interval[1], high)):
            if start < end:
                ax.axvspan(start, end, color=GRID, linewidth=0, zorder=0)
