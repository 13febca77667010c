"""Two-point functions on logarithmic axes, with the fit of a scaling dimension and its window."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import ScalingDimension, TwoPoint
from deeprg.report._numbers import with_error
from deeprg.report.patterns import COLOURS
from deeprg.report.style import finish, legend, log_bars, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_two_point"]


def plot_two_point(
    ax: "Axes", curves: Mapping[str, TwoPoint], fits: Mapping[str, ScalingDimension] | None = None
) -> "Axes":
    """G(r) against r, both logarithmic, by label; fits of the same labels are lines over shaded windows.

    Points within two errors of zero are left out, and r = 0.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> r = np.arange(17)
    >>> g = np.maximum(r, 1.0) ** -0.25
    >>> curve = TwoPoint("spin", False, 32, r, g, 0.01 * g, np.stack([g] * 10))
    >>> plot_two_point(ax, {"T_c": curve}).get_xscale()
    'log'
    """
    fits = fits or {}
    ax.set_xscale("log")
    ax.set_yscale("log")
    for number, (label, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        good = (curve.r > 0) & (curve.value > 2 * curve.error)
        bars = log_bars(curve.value[good], curve.error[good])
        name = label
        if (fit := fits.get(label)) is not None:
            low, high = fit.window
            r = np.geomspace(low, high, 60)
            ax.plot(r, fit.curve(r, curve.extent), color=colour, linewidth=1.4)
            ax.axvspan(low, high, color=colour, alpha=0.07, linewidth=0)
            name = f"{label}: Δ = {with_error(fit.value, fit.error)}"
        ax.errorbar(
            curve.r[good],
            curve.value[good],
            yerr=bars,
            fmt="o",
            color=colour,
            markersize=4,
            capsize=2,
            label=name,
        )
    plain_numbers(ax.xaxis)
    plain_numbers(ax.yaxis)
    legend(ax, loc="best")
    return finish(ax, title="Two-point functions", x="distance r (lattice spacings)", y="G(r)")
