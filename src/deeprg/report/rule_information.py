"""Pictures of rules: the information that they keep against what they do to the couplings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import EXACT, INK, MUTED, finish, headline, legend, plain_numbers, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_ratio_against_information", "plot_rule_scan"]

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def plot_rule_scan(
    angles: ArrayLike,
    information: Mapping[str, ArrayLike],
    ratios: Mapping[str, Mapping[str, ArrayLike]],
    *,
    marks: Mapping[str, float] | None = None,
    floor: float = 1e-6,
    title: str = "",
) -> "Figure":
    """Share of the information and ratios of couplings over the angle of a rule's weights, panel over panel.

    `information` {curve: share [angles]}; `ratios` {axis label: {curve: sizes [angles]}}, on logarithmic axes
    that end at `floor`; `marks` {name: angle} are vertical lines.

    >>> share = {"weak": [0.1, 0.2], "strong": [0.3, 0.5]}
    >>> rule_scan = plot_rule_scan([0, 45], share, {"rangeness": {"weak": [0.1, 0.2], "strong": [0.0, 0.3]}})
    >>> [ax.get_ylabel() for ax in rule_scan.axes]
    ['I(X:E) / I(V:E)', 'rangeness']
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    x = np.asarray(angles, dtype=float)
    fig = Figure(figsize=(8.2, 2.3 * (1 + len(ratios)) + 0.5), layout="constrained")
    headline(fig, title)
    panels = np.ravel(fig.subplots(1 + len(ratios), 1, sharex=True))
    colours = dict(zip(information, reversed(shades(len(information))), strict=True))
    for name, share in information.items():
        panels[0].plot(x, np.asarray(share, dtype=float), color=colours[name], label=name)
    panels[0].set_ylim(bottom=0)
    finish(panels[0], title="", x="", y="I(X:E) / I(V:E)")
    for ax, (label, curves) in zip(panels[1:], ratios.items(), strict=True):
        for name, sizes in curves.items():
            ax.plot(x, np.maximum(np.asarray(sizes, dtype=float), floor / 10), color=colours[name])
        ax.set_yscale("log")
        ax.set_ylim(bottom=floor)
        finish(ax, title="", x="", y=label)
    for name, angle in (marks or {}).items():
        for ax in panels:
            ax.axvline(angle, color=MUTED, linestyle=":", linewidth=1.2)
        side = "right" if angle > x.mean() + 0.25 * np.ptp(x) else "left"
        panels[0].annotate(
            name,
            (angle, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if side == "right" else 3, 2),
            textcoords="offset points",
            ha=side,
            fontsize=9,
            color=MUTED,
        )
    panels[-1].set_xlabel(r"angle of the weights $(\lambda_1, \lambda_2)$ in degrees")
    panels[-1].xaxis.set_major_locator(MultipleLocator(15))
    panels[-1].set_xlim(x.min(), x.max())
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside right upper", title="strength $|\\lambda|$", frameon=False)
    return fig


def plot_ratio_against_information(
    ax: "Axes",
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    named: Sequence[tuple[str, float, float]] = (),
    floor: float = 1e-6,
    title: str = "",
    y: str = "rangeness",
) -> "Axes":
    """A ratio of couplings over the share of the information that the rule keeps, a marker per rule.

    `groups` {name: (shares, sizes)}; `named` (name, share, size) are labelled in a column.
    The axis of the ratio is logarithmic; what is below `floor` is drawn hollow at the floor: it is zero.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> soft = {"soft": ([0.1, 0.5], [0.2, 0.0])}
    >>> ax = plot_ratio_against_information(ax, soft, named=[("best", 0.5, 0.0)])
    >>> ax.get_xlabel()
    'I(X:E) / I(V:E)'
    """
    for number, (name, (shares, sizes)) in enumerate(groups.items()):
        x, size = np.asarray(shares, dtype=float), np.asarray(sizes, dtype=float)
        colour, marker = shades(len(groups))[number], _MARKERS[number % len(_MARKERS)]
        seen = size > floor
        ax.plot(
            x[seen],
            size[seen],
            marker,
            color=colour,
            markersize=4.5,
            alpha=0.75,
            label=name,
            markeredgewidth=0,
        )
        if seen.all():
            continue  # an empty unclipped line has no extent and would upset the layout
        hollow = np.full((~seen).sum(), floor)
        ax.plot(x[~seen], hollow, marker, color=colour, markersize=5, markerfacecolor="white", clip_on=False)
    _marks(ax, named, floor)
    ax.set_yscale("log")
    ax.set_ylim(bottom=floor)
    ax.set_xlim(left=0)
    if ax.get_ylim()[1] < 300 * floor:
        plain_numbers(ax.yaxis)
    finish(ax, title=title, x="I(X:E) / I(V:E)", y=y)
    _names(ax, named, floor)
    legend(ax, loc="best")
    return ax


def _marks(ax: "Axes", named: Sequence[tuple[str, float, float]], floor: float) -> None:
    for _, share, size in named:
        inside = EXACT if size > floor else "white"
        look: dict[str, Any] = {"color": EXACT, "markerfacecolor": inside, "zorder": 5, "clip_on": False}
        ax.plot([share], [max(size, floor)], "o", markersize=6, **look)


def _names(ax: "Axes", named: Sequence[tuple[str, float, float]], floor: float) -> None:
    """The names in a column on the right, moved apart where they would overlap, with a line to each mark."""
    low, high = np.log(ax.get_ylim())
    below = -np.inf
    for name, share, size in sorted(named, key=lambda one: one[2]):
        height = max(size, floor)
        below = max((np.log(height) - low) / (high - low), below + 0.062)
        ax.text(1.04, below, name, transform=ax.transAxes, fontsize=8.5, color=INK, va="center")
        line = ax.annotate(
            "",
            (share, height),
            xytext=(1.03, below),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkB": 4, "shrinkA": 0},
        )
        line.set_in_layout(False)
