"""Snapshots: one configuration at each of a few temperatures."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.report.style import ACCENT, FIELD_MAP, INK, MUTED, SECOND, bare, headline
from deeprg.runs.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["KINDS", "plot_configurations", "spread"]

_SPINS = ("#f3ead7", "#1d3d5f")  # −1 light, +1 dark
_STATES = ("#1d3d5f", "#d9822b", "#7fb3a6", "#b3261e", "#c9b458", "#6d5a8d", "#9fb6cd", "#5c6b3c")
_COLUMNS = ((ACCENT, "#8fb8dc"), (SECOND, "#ecc391"))  # dimers: [axis][parity of their first site]
_MOST_DIMERS = 48  # larger lattices show a corner


def spread(count: int, most: int = 6, through: int | None = None) -> list[int]:
    """Up to `most` of `count` indices, evenly spread, first and last among them, and `through` as well.

    >>> spread(25, 6), spread(3), spread(25, 6, through=12)
    ([0, 5, 10, 14, 19, 24], [0, 1, 2], [0, 5, 12, 14, 19, 24])
    """
    if count == 0:
        return []
    chosen = sorted({round(float(i)) for i in np.linspace(0, count - 1, min(count, most))})
    if through is not None and through not in chosen:
        nearest = min(chosen[1:-1] or chosen, key=lambda i: abs(i - through))
        chosen = sorted({*chosen, through} - {nearest})
    return chosen


def plot_configurations(
    fields: Sequence[tuple[str, np.ndarray]], kind: str, *, title: str = "", most: int = 6
) -> "Figure":
    """A figure with one panel per configuration, at most `most` of them, spread over those given.

    `fields` holds pairs of a title and an array of the shape of the lattice: ±1 for "ising", 0 … q−1 for
    "potts", angles in radians for "xy", reals for "field" (white is zero), and for "dimers" the direction of
    every site's partner, 0 to 3 for (+1,0), (−1,0), (0,+1), (0,−1). The first axis runs downwards. A ring is
    drawn as a strip; of a 3D lattice the first plane is shown, of more than 48×48 dimers a corner, and the
    title says so.

    Raises `UsageError` without a configuration, and for an unknown kind.

    >>> spins = np.where(np.arange(64).reshape(8, 8) % 3, 1, -1)
    >>> fig = plot_configurations([("T = 2", spins), ("T = 3", -spins)], "ising")
    >>> [ax.get_title() for ax in fig.axes]
    ['T = 2', 'T = 3']
    """
    from matplotlib.figure import Figure

    if kind not in KINDS:
        raise UsageError(f"There is no kind '{kind}' of configurations; choose from {', '.join(KINDS)}.")
    if not fields:
        raise UsageError("There is no configuration to draw; give pairs of a title and an array.")
    chosen = [(fields[i][0], np.asarray(fields[i][1])) for i in spread(len(fields), most)]
    flat = all(field.ndim == 1 for _, field in chosen)
    panels = [_panel(name, field, kind) for name, field in chosen]
    columns = 1 if flat else 4 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    if flat:
        size = (9.0, 0.5 + 0.62 * rows)
    else:
        tallest = max(field.shape[0] / field.shape[1] for _, field in panels)
        side = 9.6 / max(columns, 3)
        size = (side * columns + 0.6, (side * min(tallest, 2.0) + 0.3) * rows + 0.3)
    fig = Figure(figsize=size, layout="constrained")
    headline(fig, title)
    grid = fig.subplots(rows, columns, squeeze=False)
    everything = np.concatenate([field.ravel() for _, field in panels])
    image: Any = None
    for ax, (name, field) in zip(grid.flat, panels, strict=False):
        drawn = KINDS[kind](ax, field, everything)
        image = drawn if drawn is not None else image
        ax.set_title(name, fontsize=10, fontweight="normal", color=INK, pad=5, loc="center")
        bare(ax)
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    used = list(grid.flat[: len(panels)])
    if kind in ("xy", "field"):
        bar = fig.colorbar(image, ax=used, shrink=0.9 if flat else min(0.8, 2.4 / size[1]), pad=0.02)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        if kind == "xy":
            bar.set_ticks([-np.pi, 0, np.pi], labels=["−π", "0", "π"])
    return fig


def _panel(name: str, field: np.ndarray, kind: str) -> tuple[str, np.ndarray]:
    """What is drawn of a configuration, always [rows, columns], and its title."""
    notes = []
    if field.ndim == 1:
        field = field[None, :]
    if field.ndim > 2:
        notes.append(f"first plane of {'×'.join(map(str, field.shape))}")
        field = field[(..., *(0,) * (field.ndim - 2))]
    if kind == "dimers" and max(field.shape) > _MOST_DIMERS:
        notes.append(f"a corner of {'×'.join(map(str, field.shape))}")
        field = field[:_MOST_DIMERS, :_MOST_DIMERS]
    return ", ".join([part for part in (name, *notes) if part]), field


def _image(ax: "Axes", field: np.ndarray, **options: Any) -> Any:
    aspect = "auto" if field.shape[0] == 1 else "equal"
    return ax.imshow(field, interpolation="nearest", aspect=aspect, **options)


def _ising(ax: "Axes", field: np.ndarray, everything: np.ndarray) -> Any:
    from matplotlib.colors import ListedColormap

    return _image(ax, field, cmap=ListedColormap(_SPINS), vmin=-1, vmax=1)


def _potts(ax: "Axes", field: np.ndarray, everything: np.ndarray) -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    states = int(everything.max()) + 1
    cycle = colormaps["tab20"].colors if states > len(_STATES) else _STATES  # pyright: ignore
    colours = [cycle[state % len(cycle)] for state in range(states)]
    return _image(ax, field, cmap=ListedColormap(colours), vmin=-0.5, vmax=states - 0.5)


def _xy(ax: "Axes", field: np.ndarray, everything: np.ndarray) -> Any:
    angles = np.mod(field + np.pi, 2 * np.pi) - np.pi
    return _image(ax, angles, cmap="twilight", vmin=-np.pi, vmax=np.pi)


def _field(ax: "Axes", field: np.ndarray, everything: np.ndarray) -> Any:
    reach = float(np.quantile(np.abs(everything), 0.98)) or 1.0
    return _image(ax, field, cmap=FIELD_MAP, vmin=-reach, vmax=reach)


def _dimers(ax: "Axes", field: np.ndarray, everything: np.ndarray) -> None:
    """One short bar per dimer; axis and parity of its first site give its colour, so that columns show."""
    from matplotlib.collections import LineCollection

    rows, columns = field.shape
    for axis in (0, 1):
        step = np.array([1, 0] if axis == 0 else [0, 1])
        for parity in (0, 1):
            lower = np.argwhere((field == 2 * axis) & (np.indices(field.shape)[axis] % 2 == parity))
            # A bar around the edge is drawn at both ends of the picture, which cuts it.
            far = lower[lower[:, axis] == field.shape[axis] - 1]
            beyond = far - step * field.shape[axis]
            ends = np.concatenate([lower, beyond])
            segments = np.stack([ends[:, ::-1], (ends + step)[:, ::-1]], axis=1)
            width = 84 / max(rows, columns)
            colour = _COLUMNS[axis][parity]
            ax.add_collection(LineCollection(segments.tolist(), colors=colour, linewidths=width))
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_facecolor("white")
    ax.tick_params(labelcolor=MUTED)


# How each kind is drawn on axes, given the array of one panel and the values of all.
KINDS: dict[str, Callable[["Axes", np.ndarray, np.ndarray], Any]] = {
    "ising": _ising,
    "potts": _potts,
    "xy": _xy,
    "field": _field,
    "dimers": _dimers,
}
