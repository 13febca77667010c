"""Pictures of a decimated chain: its couplings at each step, and the correlators of the spins that stay."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.rg_flow import FlowCurve
from deeprg.report.style import MUTED, finish, legend, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_coupling_flow", "plot_survivors"]

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def plot_coupling_flow(
    ax: "Axes", found: Mapping[str, ArrayLike], expected: Mapping[str, ArrayLike]
) -> "Axes":
    """Couplings over the step of a flow: markers as found, lines as expected, which may go on further.

    Both are numbers for the steps 0, 1, ... under the same names.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_coupling_flow(ax, {"$K$": [0.3, 0.085]}, {"$K$": [0.3, 0.085, 0.007]}).get_xlabel()
    'step'
    """
    from matplotlib.ticker import MaxNLocator

    for number, (name, values) in enumerate(found.items()):
        colour = shades(len(found))[number]
        line, points = np.asarray(expected[name], dtype=float), np.asarray(values, dtype=float)
        ax.plot(np.arange(line.size), line, color=colour, linewidth=1.2, label=f"{name}, closed form")
        look: dict[str, Any] = {"color": colour, "markersize": 6, "linestyle": "none"}
        ax.plot(np.arange(points.size), points, _MARKERS[number], label=f"{name}, marginalised", **look)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(ax, title="Couplings at each scale", x="step", y="coupling")
    legend(ax, loc="best")
    return ax


def plot_survivors(ax: "Axes", curves: Mapping[str, FlowCurve]) -> "Axes":
    """Correlators of the spins that remain over their distance in the first lattice, by scale.

    Preserved ones fall on each other: later scales are drawn as larger open markers around the earlier ones.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> curves = {"16 spins": FlowCurve([1, 2], [0.5, 0.3]), "8 spins": FlowCurve([2], [0.3])}
    >>> plot_survivors(ax, curves).get_xlabel()
    'distance in the first lattice'
    """
    from matplotlib.ticker import MaxNLocator

    for number, (name, curve) in enumerate(curves.items()):
        look: dict[str, Any] = {"color": shades(len(curves))[number], "label": name, "clip_on": False}
        if number == 0:
            ax.plot(np.asarray(curve.x), np.asarray(curve.values), "o-", markersize=4, linewidth=1.0, **look)
        else:
            look |= {"markerfacecolor": "none", "markeredgewidth": 1.5, "linestyle": "none"}
            ax.plot(np.asarray(curve.x), np.asarray(curve.values), "o", markersize=4 + 4 * number, **look)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(
        ax, title="Correlators of the spins that remain", x="distance in the first lattice", y="$⟨s_0 s_r⟩$"
    )
    legend(ax)
    return ax
