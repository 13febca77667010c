"""Maps ⟨v h⟩, receptive fields and other patterns as tiles under one colour scale."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import FIELD_MAP, GRID, bare
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_tiles", "tile"]


def tile(patterns: np.ndarray, columns: int) -> np.ndarray:
    """Patterns [n, rows, columns] side by side with one line of NaN between them.

    >>> tile(np.ones((3, 2, 2)), 2).shape
    (5, 5)
    """
    count, height, width = patterns.shape
    rows = -(-count // columns)
    mosaic = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for number, pattern in enumerate(patterns):
        top, left = (number // columns) * (height + 1), (number % columns) * (width + 1)
        mosaic[top : top + height, left : left + width] = pattern
    return mosaic


def plot_tiles(
    ax: "Axes",
    patterns: ArrayLike,
    *,
    title: str = "",
    label: str = "⟨v h⟩",
    columns: int = 8,
    most: int = 64,
    reach: float | None = None,
) -> Any:
    """The first `most` of patterns [n, *shape] in `columns` columns; returns the image, for its colour bar.

    One diverging scale from -reach to reach for all tiles (white is zero), by default the largest absolute
    value. On a ring every pattern is one line; of a 3D lattice the first plane is shown.

    Raises `UsageError` without a pattern, and for other than 1 to 3 axes of the lattice.

    >>> from deeprg.report.style import figure
    >>> fig, ax = figure()
    >>> image = plot_tiles(ax, np.eye(16).reshape(16, 4, 4), columns=4)
    >>> image.get_array().shape, image.get_clim()
    ((19, 19), (-1.0, 1.0))
    """
    array = np.asarray(patterns, dtype=np.float64)
    if not 2 <= array.ndim <= 4 or 0 in array.shape:
        raise UsageError(f"patterns has shape {array.shape}; it must be [patterns, *lattice], 1 to 3 axes.")
    notes = [title] if title else []
    if len(array) > most:
        notes.append(f"{most} of {len(array)}")
        array = array[:most]
    if array.ndim == 4:
        notes.append("first plane")
        array = array[:, 0]
    if reach is None:
        reach = float(np.nanmax(np.abs(array))) or 1.0
    mosaic = array if array.ndim == 2 else tile(array, min(columns, len(array)))
    ax.set_facecolor(GRID)
    aspect = "auto" if array.ndim == 2 else "equal"
    options: dict[str, Any] = {"cmap": FIELD_MAP, "vmin": -reach, "vmax": reach, "aspect": aspect}
    image = ax.imshow(mosaic, interpolation="nearest", **options)
    ax.set_title(", ".join(notes))
    bare(ax)
    if (fig := ax.figure) is not None:
        bar = fig.colorbar(image, ax=ax, shrink=0.9, pad=0.02, label=label)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return image
