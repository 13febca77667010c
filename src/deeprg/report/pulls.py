"""Observables against exact values: how many standard errors apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deeprg.report.style import ACCENT, EXACT, GRID, MUTED, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_pulls"]


def plot_pulls(ax: "Axes", names: Sequence[str], pulls: Sequence[float]) -> "Axes":
    """The pulls (value − exact)/error, with bands of one and two standard errors.

    Two of three should lie in the inner band, 95 % in the outer; beyond four is drawn at the edge, in red.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_pulls(ax, ["energy"], [0.5]).get_xlabel()
    '(value − exact) / error'
    """
    edge = 4.0
    ax.axvspan(-2, 2, color=GRID, alpha=0.6, linewidth=0)
    ax.axvspan(-1, 1, color=GRID, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=1)
    rows = np.arange(len(names))[::-1]
    for row, pull in zip(rows, pulls, strict=True):
        far = abs(pull) > edge
        shown = float(np.clip(pull, -edge, edge))
        colour = EXACT if abs(pull) > 3 else ACCENT
        ax.plot([0, shown], [row, row], color=colour, linewidth=2)
        ax.plot(shown, row, marker=(">" if pull > 0 else "<") if far else "o", color=colour, markersize=7)
        ax.annotate(f"{pull:+.1f}", (shown, row), (0, 9), textcoords="offset points", ha="center", fontsize=9)
    ax.set_yticks(rows, list(names))
    ax.tick_params(axis="y", length=0, labelcolor="#1f2933")
    ax.set_ylim(-0.7, len(names) - 0.3)
    ax.set_xlim(-edge - 0.4, edge + 0.4)
    ax.grid(axis="y", visible=False)
    return finish(ax, title="Against exact values", x="(value − exact) / error", y="")
