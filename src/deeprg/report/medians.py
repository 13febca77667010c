"""Medians with a spread at a few named places: by layer, by penalty, by depth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.patterns import COLOURS
from deeprg.report.style import MUTED, finish, legend, plain_numbers
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_medians"]


def plot_medians(
    ax: "Axes",
    places: Sequence[str],
    series: Mapping[str, ArrayLike],
    *,
    title: str,
    x: str,
    y: str,
    reference: tuple[str, ArrayLike] | None = None,
    log: bool = False,
) -> "Axes":
    """A point and a bar from low to high for every place and series; `series` maps labels to [places, 3].

    The three numbers are low, middle and high, such as quantiles over units; a place without numbers is NaN.
    Series stand side by side. `reference`: a label and one number per place, a dashed line with diamonds.

    Raises `UsageError` for series of another shape.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> widths = {"trained": [[1.0, 1.2, 1.5], [2.0, 2.2, 2.5]]}
    >>> plot_medians(ax, ["1", "2"], widths, title="Widths", x="layer", y="sites").get_ylabel()
    'sites'
    """
    at = np.arange(len(places), dtype=float)
    for number, (label, values) in enumerate(series.items()):
        array = np.asarray(values, np.float64)
        if array.shape != (len(places), 3):
            raise UsageError(f"series '{label}' has shape {array.shape}; it must be [{len(places)}, 3].")
        colour = COLOURS[number % len(COLOURS)]
        shift = 0.11 * (number - (len(series) - 1) / 2)
        bars = np.stack([array[:, 1] - array[:, 0], array[:, 2] - array[:, 1]])
        ax.errorbar(
            at + shift,
            array[:, 1],
            yerr=np.maximum(bars, 0),
            fmt="o-",
            color=colour,
            markersize=5,
            linewidth=1.0,
            elinewidth=1.6,
            capsize=2.5,
            label=label,
        )
    if reference is not None:
        name, line = reference
        ax.plot(at, np.asarray(line), "D--", color=MUTED, markersize=4, linewidth=1.0, label=name)
    if log:
        ax.set_yscale("log")
        plain_numbers(ax.yaxis)
    ax.set_xticks(at, labels=list(places))
    ax.set_xlim(-0.5, len(places) - 0.5)
    legend(ax, loc="best")
    return finish(ax, title=title, x=x, y=y)
