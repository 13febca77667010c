"""The correlator G(r): reweighted, as drawn, exact."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, SECOND, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_correlation"]


def plot_correlation(
    ax: "Axes",
    r: ArrayLike,
    value: ArrayLike,
    *,
    error: ArrayLike | None = None,
    direct: ArrayLike | None = None,
    exact: ArrayLike | None = None,
) -> "Axes":
    """G(r) along an axis with error bars; `direct` is the biased average over the model, `exact` a line.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_correlation(ax, [0, 1, 2], [1.0, 0.7, 0.6]).get_xlabel()
    'distance r (lattice spacings)'
    """
    from matplotlib.ticker import MaxNLocator

    x = np.asarray(r)
    if exact is not None:
        ax.plot(x, np.asarray(exact), color=EXACT, linestyle="--", linewidth=1.4, label="exact")
    if direct is not None:
        ax.plot(
            x,
            np.asarray(direct),
            "s",
            color=SECOND,
            markersize=6,
            markerfacecolor="none",
            label="as drawn (biased)",
        )
    ax.errorbar(
        x,
        np.asarray(value),
        yerr=None if error is None else np.asarray(error),
        fmt="o",
        color=ACCENT,
        markersize=4.5,
        capsize=2.5,
        label="reweighted",
    )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if np.min(np.asarray(value)) > 0:
        ax.set_ylim(0, None)
    ax.legend(loc="upper right")
    return finish(ax, title="Correlation along an axis", x="distance r (lattice spacings)", y="G(r)")
