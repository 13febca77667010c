"""Samples at every scale of a hierarchy: the same draws from coarse to fine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deeprg.report.style import FIELD_MAP, INK, MUTED, bare, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_scales", "scale_names"]


def plot_scales(
    scales: Sequence[np.ndarray], *, title: str = "Samples at every scale, coarse to fine"
) -> "Figure":
    """A figure with one row per scale and one column per draw; every row has its own symmetric colour range.

    `scales[level]` is [draws, *shape of that level], coarse first. A 1D field is drawn as a strip, of a 3D
    field the first plane. White is zero.

    >>> plot_scales([np.zeros((2, 2, 2)), np.ones((2, 4, 4))]).axes[0].get_ylabel()
    '2×2'
    """
    from matplotlib.figure import Figure

    names = scale_names(scales)
    rows, columns = len(scales), scales[0].shape[0]
    flat = scales[-1].ndim == 2
    height = 0.55 if flat else 1.45
    fig = Figure(figsize=(0.9 + 1.45 * columns, 0.5 + height * rows), layout="constrained")
    headline(fig, title)
    grid = fig.subplots(rows, columns, squeeze=False)
    for level, fields in enumerate(scales):
        reach = float(np.quantile(np.abs(fields), 0.98)) or 1.0
        for column in range(columns):
            ax = grid[level, column]
            ax.imshow(
                _plane(fields[column]),
                cmap=FIELD_MAP,
                vmin=-reach,
                vmax=reach,
                interpolation="nearest",
                aspect="auto",
            )
            if not flat:
                ax.set_box_aspect(_plane(fields[column]).shape[0] / _plane(fields[column]).shape[1])
            bare(ax)
        grid[level, 0].set_ylabel(
            names[level].replace(" ", "\n"), rotation=0, ha="right", va="center", fontsize=10, color=INK
        )
        grid[level, -1].yaxis.set_label_position("right")
        if columns > 1:
            grid[level, -1].set_ylabel(
                f"|x| ≤ {reach:.2g}", rotation=0, ha="left", va="center", fontsize=8.5, color=MUTED
            )
    return fig


def scale_names(scales: Sequence[np.ndarray]) -> list[str]:
    """The extents of every scale; one that the physical field follows in the same shape is the flow's own.

    >>> scale_names([np.zeros((1, 2)), np.zeros((1, 4)), np.zeros((1, 4))])
    ['2', "4 (flow's variable)", '4 field']
    """
    names = ["×".join(str(extent) for extent in fields.shape[1:]) for fields in scales]
    if len(scales) > 1 and scales[-1].shape == scales[-2].shape:
        names[-2] += " (flow's variable)"
        names[-1] += " field"
    return names


def _plane(field: np.ndarray) -> np.ndarray:
    if field.ndim == 1:
        return field[None, :]
    return field if field.ndim == 2 else field[0]
