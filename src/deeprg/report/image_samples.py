"""Generated images beside data: the same at every scale, and the nearest image that was trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import INK, bare, headline
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["nearest_rows", "plot_image_samples"]


def nearest_rows(queries: ArrayLike, rows: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """For each of the queries [m, ...] the number of the nearest of the rows [n, ...], and its distance.

    The distance is √(mean over all pixels of the squared difference). Raises `UsageError` for other shapes.

    >>> index, distance = nearest_rows(np.ones((1, 2, 2)), np.array([np.zeros((2, 2)), np.full((2, 2), 3.0)]))
    >>> index.tolist(), distance.tolist()
    ([0], [1.0])
    """
    some, all_rows = np.asarray(queries, np.float64), np.asarray(rows, np.float64)
    if some.shape[1:] != all_rows.shape[1:] or 0 in (len(some), len(all_rows)):
        raise UsageError(f"Images of shapes {some.shape} and {all_rows.shape} cannot be compared.")
    a, b = some.reshape(len(some), -1), all_rows.reshape(len(all_rows), -1)
    index = np.empty(len(a), int)
    for start in range(0, len(a), 500):
        part = a[start : start + 500]
        squares = (b**2).sum(axis=1) - 2 * part @ b.T
        index[start : start + 500] = squares.argmin(axis=1)
    return index, np.sqrt(((a - b[index]) ** 2).mean(axis=1))


def plot_image_samples(
    samples: ArrayLike,
    *,
    data: ArrayLike | None = None,
    nearest: ArrayLike | None = None,
    scales: Sequence[ArrayLike] = (),
    title: str = "",
) -> "Figure":
    """A figure of rows: samples [n, H, W] at every scale, their nearest images, and other data.

    Column k of `scales` (fields [n, h, w], coarse to fine, without the samples), of the samples and of
    `nearest` belongs to one sample; `data` are images that were not trained on. One grey scale, that of the
    samples and data together.

    Raises `UsageError` for rows that are not n pictures each.

    >>> fig = plot_image_samples(np.zeros((4, 8, 8)), data=np.ones((4, 8, 8)), scales=[np.zeros((4, 1, 1))])
    >>> [ax.get_ylabel() for ax in fig.axes if ax.get_ylabel()]
    ['data', '1×1', 'sample']
    """
    from matplotlib.figure import Figure

    drawn = np.asarray(samples, np.float64)
    rows: list[tuple[str, np.ndarray]] = []
    if data is not None:
        rows.append(("data", np.asarray(data, np.float64)))
    rows += [("×".join(map(str, np.shape(s)[1:])), np.asarray(s, np.float64)) for s in scales]
    rows.append(("sample", drawn))
    if nearest is not None:
        rows.append(("nearest\ntrained on", np.asarray(nearest, np.float64)))
    shapes = [row.shape for _, row in rows]
    if any(len(shape) != 3 or shape[0] != len(drawn) for shape in shapes):
        raise UsageError(f"rows of pictures have shapes {shapes}; all must be [n, height, width] of one n.")
    scale = np.concatenate([row.ravel() for name, row in rows if name in ("data", "sample")])
    low, high = float(scale.min()), float(scale.max())
    side = 0.85
    fig = Figure(figsize=(side * len(drawn) + 1.4, (side + 0.05) * len(rows) + 0.5), layout="constrained")
    headline(fig, title)
    grid = fig.subplots(len(rows), len(drawn), squeeze=False)
    for line, (name, row) in zip(grid, rows, strict=True):
        for ax, picture in zip(line, row, strict=True):
            ax.imshow(picture, cmap="gray_r", vmin=low, vmax=high if high > low else low + 1)
            bare(ax)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", color=INK, fontsize=10)
    return fig
