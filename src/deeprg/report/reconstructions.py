"""Configurations and what was made of them, one below the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import FIELD_MAP, INK, bare
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_reconstructions"]


def plot_reconstructions(rows: Mapping[str, ArrayLike], *, label: str = "spin, or its mean") -> "Figure":
    """A figure with a row of pictures for every name.

    `rows` maps names to fields [n, height, width] in -1 ... 1; column k of every row belongs to the same
    configuration. One colour scale; white is undecided.

    Raises `UsageError` without a row, and for rows of different shapes.

    >>> spins = np.where(np.arange(64).reshape(1, 8, 8) % 3, 1.0, -1.0)
    >>> fig = plot_reconstructions({"configuration": spins, "mean": 0.5 * spins})
    >>> [ax.get_ylabel() for ax in fig.axes[:2]]
    ['configuration', 'mean']
    """
    from matplotlib.figure import Figure

    arrays = {name: np.asarray(fields, np.float64) for name, fields in rows.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise UsageError(f"rows have shapes {sorted(shapes)}; all must be the same [n, height, width].")
    count, height, width = next(iter(shapes))
    side = 1.5
    size = side * count + 2.5, (side * height / width + 0.08) * len(arrays) + 0.1  # names, colour bar
    fig = Figure(figsize=size, layout="constrained")
    grid = fig.subplots(len(arrays), count, squeeze=False)
    for line, (name, array) in zip(grid, arrays.items(), strict=True):
        for ax, field in zip(line, array, strict=True):
            image = ax.imshow(field, cmap=FIELD_MAP, vmin=-1, vmax=1, interpolation="nearest")
            bare(ax)
        line[0].set_ylabel(
            name.replace(", ", ",\n"), rotation=0, ha="right", va="center", color=INK, fontsize=10
        )
    bar = fig.colorbar(image, ax=list(grid.flat), shrink=0.5, pad=0.02, label=label)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return fig
