"""Information of a block against buffer, block size or temperature, beside exact values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, MUTED, SECOND, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_information"]

_COLOURS = (ACCENT, SECOND, "#3a7d44", "#7a4fa3")


def plot_information(
    ax: "Axes",
    estimates: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    *,
    exact: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    x: str,
    marks: Mapping[str, float] | None = None,
    title: str = "",
) -> "Axes":
    """Estimates {name: (positions, nats, errors)} and exact curves {name: (positions, nats)}.

    `marks` {name: position} are vertical lines, such as a critical temperature.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> ax = plot_information(ax, {"I(H:E)": ([1, 2], [0.2, 0.1], [0.01, 0.01])}, x="buffer")
    >>> ax.get_ylabel()
    'information in nats'
    """
    for (name, (at, value, error)), colour in zip(estimates.items(), _COLOURS * len(estimates), strict=False):
        ax.errorbar(
            np.asarray(at, float),
            np.asarray(value, float),
            np.asarray(error, float),
            fmt="o",
            color=colour,
            markersize=4.5,
            capsize=2,
            label=name,
        )
    styles = ("-", "--", ":", "-.")
    for (name, (at, value)), line in zip((exact or {}).items(), styles * len(exact or {}), strict=False):
        ax.plot(np.asarray(at, float), np.asarray(value, float), line, color=EXACT, linewidth=1.2, label=name)
    for name, position in (marks or {}).items():
        ax.axvline(position, color=MUTED, linestyle=":", linewidth=1.2)
        ax.annotate(
            name,
            (position, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -10),
            textcoords="offset points",
            fontsize=9,
            color=MUTED,
        )
    ax.set_ylim(bottom=0)
    finish(ax, title=title, x=x, y="information in nats")
    legend(ax, loc="best")
    return ax
