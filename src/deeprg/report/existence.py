"""Pictures of where a marginalisation exists: fixed point, eigenvalue, fractions of random machines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, MUTED, SECOND, finish, legend, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FractionCurve", "plot_existence", "plot_fixed_point"]

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


class FractionCurve(NamedTuple):
    """A measured fraction over a strength with its interval.

    >>> FractionCurve([1.0], [0.5], [0.4], [0.6]).value
    [0.5]
    """

    x: ArrayLike
    value: ArrayLike
    low: ArrayLike
    high: ArrayLike


def plot_existence(ax: "Axes", curves: Mapping[str, FractionCurve], *, threshold: float) -> "Axes":
    """The fraction of machines that exist over their coupling strength, with the threshold of wide layers.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> curve = FractionCurve([0.9, 1.1], [0.9, 0.1], [0.85, 0.07], [0.93, 0.15])
    >>> plot_existence(ax, {"width 16": curve}, threshold=1.0).get_ylabel()
    'fraction that exists'
    """
    ax.axvline(threshold, color=EXACT, linestyle="--", linewidth=1.2, label="wide layers")
    for number, (name, curve) in enumerate(curves.items()):
        x, value = np.asarray(curve.x, dtype=float), np.asarray(curve.value, dtype=float)
        bars = np.maximum([value - np.asarray(curve.low), np.asarray(curve.high) - value], 0.0)
        look: dict[str, Any] = {"color": shades(len(curves))[number], "markersize": 5, "linewidth": 1.2}
        ax.errorbar(x, value, bars, fmt=_MARKERS[number % len(_MARKERS)] + "-", label=name, **look)
    ax.set_ylim(-0.04, 1.04)
    finish(ax, title="Random machines", x="coupling strength $g$", y="fraction that exists")
    legend(ax)
    return ax


def plot_fixed_point(
    ax: "Axes",
    coupling: ArrayLike,
    fixed: ArrayLike,
    eigenvalue: ArrayLike,
    *,
    expected: tuple[ArrayLike, ArrayLike, ArrayLike],
    marginal: float = 0.5,
) -> "Axes":
    """Fixed point and eigenvalue of the uniform chain over w/λ: markers as found, lines (x, A*, eigenvalue).

    The marginal point, where the eigenvalue is 1, is marked, and no flow exists beyond.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_fixed_point(ax, [0.4], [0.8], [0.25], expected=([0.4], [0.8], [0.25])).get_xlabel()
    '$w/\\\\lambda$'
    """
    at, star, slope = (np.asarray(part, dtype=float) for part in expected)
    right = 1.25 * marginal
    ax.axvspan(marginal, right, color=EXACT, alpha=0.06, linewidth=0)
    ax.axvline(marginal, color=EXACT, linestyle="--", linewidth=1.2, label="marginal")
    ax.annotate("no fixed\npoint", ((marginal + right) / 2, 0.4), ha="center", color=MUTED, fontsize=8.5)
    ax.plot(at, star, color=ACCENT, linewidth=1.3)
    ax.plot(at, slope, color=SECOND, linewidth=1.3)
    look: dict[str, Any] = {"linestyle": "none", "markersize": 5.5}
    ax.plot(np.asarray(coupling), np.asarray(fixed), "o", color=ACCENT, label="$A^*/\\lambda$", **look)
    name = "$\\mathrm{d}A_l/\\mathrm{d}A_{l+1}$"
    ax.plot(np.asarray(coupling), np.asarray(eigenvalue), "s", color=SECOND, label=name, **look)
    ax.set_xlim(float(at.min()), right)
    ax.set_ylim(-0.03, 1.08)
    finish(ax, title="Uniform chain", x="$w/\\lambda$", y="fixed point, eigenvalue")
    legend(ax, loc="center left")
    return ax
