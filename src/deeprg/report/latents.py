"""What latents do, drawn: kernels by scale, correlations, information by displacement, paths of fields."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.probes.kernels import KernelSet
from deeprg.report.configurations import KINDS, spread
from deeprg.report.style import FIELD_MAP, GRID, INK, MUTED, bare, figure, finish, headline, style
from deeprg.report.vh_maps import plot_tiles
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "animate",
    "plot_correlation_matrix",
    "plot_frames",
    "plot_information_map",
    "plot_kernels",
]


def plot_kernels(axes: "Sequence[Axes]", kernels: KernelSet) -> list[Any]:
    """The mean kernel ∂x/∂z of one latent per scale, coarse to fine, one of `axes` each; returns the images.

    Every scale has its own symmetric colour range: kernels of coarse latents are broad and low, and would
    vanish beside those of fine ones. The latent's site is in the middle. A ring is drawn as a strip, of a 3D
    lattice the plane of the site, and so of a field of two components the component of the latent.

    Raises `UsageError` when there are not as many axes as scales.

    >>> fig, axes = figure(ncols=2)
    >>> kernels = KernelSet(np.ones((2, 4, 4)), np.ones((2, 4, 4)), np.zeros((2, 2)), 1)
    >>> [image.get_clim() for image in plot_kernels(axes, kernels)]
    [(-1.0, 1.0), (-1.0, 1.0)]
    """
    axes = np.ravel(np.asarray(axes, object)).tolist()
    if len(axes) != len(kernels.mean):
        raise UsageError(f"There are {len(kernels.mean)} scales but {len(axes)} axes; give one for each.")
    return [
        plot_tiles(ax, _through(kernel)[None], title=f"scale {scale}", label="⟨∂x/∂z⟩")
        for scale, (ax, kernel) in enumerate(zip(axes, kernels.mean, strict=True))
    ]


def plot_correlation_matrix(
    ax: "Axes", matrix: ArrayLike, edges: ArrayLike, labels: Sequence[str], *, title: str = ""
) -> Any:
    """A correlation matrix [N, N] with lines between its blocks edges[s] … edges[s + 1] - 1; the image.

    Colours reach to the largest |r| off the diagonal, which is grey. Blocks too narrow for a label of their
    own share one.

    Raises `UsageError` for a matrix that is not square, edges that do not go from 0 to N upwards, and another
    number of labels than blocks.

    >>> _, ax = figure()
    >>> image = plot_correlation_matrix(ax, np.eye(4) * 0.9 + 0.1, [0, 1, 4], ["0", "1"])
    >>> image.get_clim(), [tick.get_text() for tick in ax.get_xticklabels()]
    ((-0.1, 0.1), ['0', '1'])
    """
    shown, borders = np.array(matrix, np.float64), np.asarray(edges, int)
    size = len(shown)
    if shown.shape != (size, size):
        raise UsageError(f"A correlation matrix is square; this has shape {shown.shape}.")
    if len(borders) < 2 or borders[0] != 0 or borders[-1] != size or np.any(np.diff(borders) < 1):
        raise UsageError(f"The edges of blocks go upwards from 0 to {size}; they are {borders.tolist()}.")
    if len(labels) != len(borders) - 1:
        raise UsageError(f"There are {len(borders) - 1} blocks but {len(labels)} labels.")
    np.fill_diagonal(shown, np.nan)
    reach = float(np.nanmax(np.abs(shown))) if size > 1 else 1.0
    ax.set_facecolor(GRID)
    limits: dict[str, Any] = {"vmin": -(reach or 1.0), "vmax": reach or 1.0}
    image = ax.imshow(shown, cmap=FIELD_MAP, interpolation="nearest", **limits)
    for border in borders[1:-1]:
        ax.axvline(border - 0.5, color=INK, linewidth=0.6)
        ax.axhline(border - 0.5, color=INK, linewidth=0.6)
    places, names = _block_ticks(borders, labels)
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.tick_params(length=0)
    ax.grid(False)
    finish(ax, title=title, x="scale of latent", y="scale of latent")
    _bar(ax, image, "correlation r")
    return image


def _block_ticks(borders: np.ndarray, labels: Sequence[str]) -> tuple[list[float], list[str]]:
    """Middles and names of the blocks, narrow neighbours taken together until a label has room."""
    places, names, first = [], [], 0
    for block in range(len(labels)):
        wide = borders[block + 1] - borders[first] >= 0.06 * borders[-1]
        if wide or block == len(labels) - 1:
            places.append(float(borders[first] + borders[block + 1] - 1) / 2)
            names.append(", ".join(labels[first : block + 1]))
            first = block + 1
    return places, names


def plot_information_map(
    ax: "Axes", values: ArrayLike, centre: Sequence[int], *, title: str = "", label: str = "nats"
) -> Any:
    """Mutual information of a site with all others by displacement, [*shape]; returns the image.

    `values[centre]` is the site with itself: it is masked, and drawn in the middle. Colours go from 0 to the
    largest value. A ring is drawn as a strip, of a 3D lattice the plane of the site.

    Raises `UsageError` for other than 1 to 3 axes, and a centre outside.

    >>> _, ax = figure()
    >>> image = plot_information_map(ax, [9.0, 0.2, 0.1, 0.2], [0])
    >>> image.get_array().tolist(), image.get_clim()
    ([[0.1, 0.2, None, 0.2]], (0.0, 0.2))
    """
    array = np.array(values, np.float64)
    if not 1 <= array.ndim <= 3 or 0 in array.shape:
        raise UsageError(f"The map has shape {array.shape}; it must be a lattice of 1 to 3 axes.")
    inside = len(centre) == array.ndim and all(0 <= c < e for c, e in zip(centre, array.shape, strict=True))
    if not inside:
        raise UsageError(f"The centre {tuple(centre)} is no site of a map of shape {array.shape}.")
    array[tuple(centre)] = np.nan
    middle = tuple(extent // 2 for extent in array.shape)
    array = np.roll(array, np.subtract(middle, centre), axis=tuple(range(array.ndim)))
    if array.ndim == 3:
        array, middle = array[..., middle[-1]], middle[:-1]
        title = f"{title} (a plane)" if title else "a plane"
    flat = array.ndim == 1
    plane = array[None] if flat else array
    down, across = (0, *middle)[-2:]
    corners = (-across - 0.5, plane.shape[1] - across - 0.5, plane.shape[0] - down - 0.5, -down - 0.5)
    top = float(np.nanmax(plane)) if plane.size > 1 else 1.0
    ax.set_facecolor(MUTED)
    image = ax.imshow(
        np.ma.masked_invalid(plane),
        cmap="viridis",
        vmin=0.0,
        vmax=top or 1.0,
        extent=corners,
        aspect="auto" if flat else "equal",
        interpolation="nearest",
    )
    ax.grid(False)
    finish(ax, title=title, x="displacement", y="" if flat else "displacement")
    if flat:
        ax.set_yticks([])
    _bar(ax, image, label)
    return image


def plot_frames(x: ArrayLike, titles: Sequence[str], *, title: str = "", most: int = 9) -> "Figure":
    """A figure with a row of configurations x [*lattice, steps] in one common symmetric colour range.

    Of more than `most` steps so many are shown, evenly spread, both ends among them. A ring is drawn as a
    strip, of a 3D lattice the first plane.

    Raises `UsageError` for other than 1 to 3 axes of the lattice, and another number of titles than steps.

    >>> fig = plot_frames(np.zeros((4, 4, 3)), ["0", "½", "1"])
    >>> [ax.get_title() for ax in fig.axes[:3]]
    ['0', '½', '1']
    """
    planes = _planes(x)
    if len(titles) != len(planes):
        raise UsageError(f"There are {len(planes)} configurations but {len(titles)} titles.")
    chosen = spread(len(planes), most)
    flat = planes.shape[1] == 1
    size = (1.2 + 1.35 * len(chosen), (1.1 if flat else 0.55 + 1.35 * planes.shape[1] / planes.shape[2]))
    fig, grid = figure(*size, ncols=len(chosen), squeeze=False)
    headline(fig, title)
    everything = planes[chosen]
    for ax, number, plane in zip(grid[0], chosen, everything, strict=True):
        image = KINDS["field"](ax, plane, everything)
        ax.set_title(titles[number], fontsize=10, fontweight="normal", color=INK, pad=5, loc="center")
        bare(ax)
    _bar(list(grid[0]), image, "x")
    return fig


def animate(x: ArrayLike, path: str | Path, *, fps: int = 8) -> Path:
    """Write configurations x [*lattice, steps] as an animated GIF, `fps` frames a second; returns the path.

    One symmetric colour range for all frames, white is zero; it runs in a loop. The file is the old one or
    the new one, never half of either.

    Raises `UsageError` for another suffix than .gif, fewer than 2 steps, a rate outside 1 … 50, and a place
    that cannot be written.

    >>> path = Path(tempfile.mkdtemp()) / "path.gif"
    >>> animate(np.random.default_rng(0).normal(size=(4, 4, 3)), path).read_bytes()[:6]
    b'GIF89a'
    """
    from matplotlib.animation import PillowWriter

    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise UsageError(f"An animation is a GIF, so its name must end in .gif, unlike '{path.name}'.")
    if not 1 <= fps <= 50:
        raise UsageError(f"An animation has 1 to 50 frames a second, not {fps}.")
    planes = _planes(x)
    if len(planes) < 2:
        raise UsageError(f"An animation needs 2 configurations or more, not {len(planes)}.")
    with tempfile.TemporaryDirectory() as folder, style():
        height = 1.2 if planes.shape[1] == 1 else 0.3 + 3.2 * planes.shape[1] / planes.shape[2]
        fig, ax = figure(4.0, height)
        image = KINDS["field"](ax, planes[0], planes)
        bare(ax)
        _bar(ax, image, "x")
        drawn, writer = Path(folder) / "frames.gif", PillowWriter(fps=fps)
        with writer.saving(fig, str(drawn), dpi=90):
            for plane in planes:
                image.set_data(plane)
                writer.grab_frame()
        write_bytes(path, drawn.read_bytes())
    return path


def _through(kernel: np.ndarray) -> np.ndarray:
    """Of a kernel on three axes the plane of its middle."""
    return kernel[..., kernel.shape[-1] // 2] if kernel.ndim == 3 else kernel


def _planes(x: ArrayLike) -> np.ndarray:
    """[*lattice, steps] as pictures [steps, rows, columns]."""
    array = np.asarray(x, np.float64)
    if not 2 <= array.ndim <= 4 or 0 in array.shape:
        raise UsageError(
            f"x has shape {array.shape}; it must be [*lattice, steps], 1 to 3 axes of a lattice."
        )
    steps = np.moveaxis(array, -1, 0)
    return steps[:, None] if steps.ndim == 2 else steps if steps.ndim == 3 else steps[..., 0]


def _bar(axes: Any, image: Any, label: str) -> None:
    """A colour bar without a frame."""
    fig = (axes[0] if isinstance(axes, list) else axes).figure
    bar = fig.colorbar(image, ax=axes, shrink=0.9, pad=0.02, label=label)
    bar.outline.set_visible(False)
