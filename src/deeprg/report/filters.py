"""Linear filters of block-spin rules, one picture per filter and component."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, MUTED, figure, finish
from deeprg.runs.errors import UsageError

__all__ = ["plot_filter_plane", "plot_filter_row", "plot_filters"]


def plot_filter_row(filters: Mapping[str, np.ndarray]) -> Any:
    """A figure of filters [rows, columns] side by side, by title, each with colours of its own.

    >>> len(plot_filter_row({"majority": np.ones((2, 2)), "one spin": np.eye(2)}).axes)
    4
    """
    fig, axes = figure(2.8 * len(filters), 2.7, ncols=len(filters))
    for ax, (title, w) in zip(np.atleast_1d(axes), filters.items(), strict=True):
        fig.colorbar(_panel(ax, w, float(np.abs(w).max()) or 1.0, title), ax=ax, shrink=0.75)
    return fig


def plot_filters(filters: ArrayLike, ndim: int) -> Any:
    """A figure of filters [hidden, *block] or [hidden, *block, components] of a block with `ndim` axes.

    Rows are hidden units, columns components, and the planes of a block in space; colours are symmetric and
    common to a unit. Raises `UsageError` for another number of axes.

    >>> len(plot_filters(np.ones((2, 2, 2)), 2).axes)                            # two panels, two bars
    4
    """
    w = np.asarray(filters, np.float64)
    if w.ndim == ndim + 1:
        w = w[..., None]
    if w.ndim != ndim + 2 or not 1 <= ndim <= 3:
        raise UsageError(f"Filters of shape {w.shape} are none of blocks with {ndim} axes.")
    if ndim == 1:
        w = w[:, None]
    planes = w.shape[1] if ndim == 3 else 1
    panels = w if ndim == 3 else w[:, None]
    count = planes * w.shape[-1]
    fig, axes = figure(2.6 * count + 0.6, 2.5 * len(w), nrows=len(w), ncols=count, squeeze=False)
    for unit, row in enumerate(axes):
        reach = float(np.abs(panels[unit]).max()) or 1.0
        image: Any = None
        for ax, (plane, part) in zip(row, itertools.product(range(planes), range(w.shape[-1])), strict=True):
            names = [f"unit {unit}"] if len(w) > 1 else []
            names += [f"plane {plane}"] if planes > 1 else []
            names += [f"axis {part}"] if w.shape[-1] > 1 else []
            image = _panel(ax, panels[unit, plane, ..., part], reach, ", ".join(names))
        fig.colorbar(image, ax=list(row), shrink=0.8)
    return fig


def plot_filter_plane(scores: ArrayLike, shares: ArrayLike) -> Any:
    """A figure of filters in the plane of their first two principal components, scores [n, 2 or more].

    Hollow: the same rules with the hidden states renamed, -w. The circle has what lies wholly in the plane. A
    ring of points is an emergent U(1), two points a Z2. Raises `UsageError` for other shapes.

    >>> angles = np.linspace(0, np.pi, 8)
    >>> fig = plot_filter_plane(np.stack([np.cos(angles), np.sin(angles)], axis=1), [0.5, 0.5])
    >>> fig.axes[0].get_xlabel()
    'component 1, 50 %'
    """
    from matplotlib.patches import Circle

    points, parts = np.asarray(scores, np.float64), np.asarray(shares, np.float64)
    if points.ndim != 2 or points.shape[1] < 2 or len(parts) < 2:
        raise UsageError(f"Scores are [filters, 2 or more components], not of shape {points.shape}.")
    fig, ax = figure(4.2, 4.2)
    ax.add_patch(Circle((0, 0), 1.0, fill=False, color=MUTED, linewidth=1.0))
    x, y = points[:, 0], points[:, 1]
    ax.plot(-x, -y, "o", color=ACCENT, markerfacecolor="none", label="states renamed")
    ax.plot(x, y, "o", color=ACCENT, label="filters")
    ax.set_aspect("equal")
    ax.set_xlim(-1.15, 1.15)
    ax.set_ylim(-1.15, 1.15)
    first, second = (f"component {i + 1}, {100 * parts[i]:.0f} %" for i in range(2))
    finish(ax, title="", x=first, y=second)
    return fig


def _panel(ax: Any, w: np.ndarray, reach: float, title: str) -> Any:
    image = ax.imshow(w, cmap="RdBu_r", vmin=-reach, vmax=reach)
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    return image
