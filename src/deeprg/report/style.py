"""The look of all figures: one palette, one size of type, light background."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "EXACT",
    "FIELD_MAP",
    "GRID",
    "INK",
    "MUTED",
    "SECOND",
    "data_uri",
    "figure",
    "finish",
    "style",
]

INK, MUTED, GRID = "#1f2933", "#69788a", "#e4e8ed"
ACCENT, SECOND, EXACT = "#2563a8", "#d9822b", "#b3261e"
FIELD_MAP = "RdBu_r"

_RC: dict[str, Any] = {
    "axes.edgecolor": "#a9b4c0",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "text.color": INK,
    "xtick.color": "#a9b4c0",
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.color": "#a9b4c0",
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9.5,
}


@contextmanager
def style() -> Iterator[None]:
    """Within the block matplotlib draws in the style of the reports."""
    import matplotlib

    with matplotlib.rc_context(_RC):  # pyright: ignore[reportArgumentType]
        yield


def figure(width: float = 5.6, height: float = 3.5, **subplots: Any) -> "tuple[Figure, Any]":
    """A figure and its axes (as `Figure.subplots` returns them), apart from pyplot's global state.

    >>> with style():
    ...     fig, ax = figure()
    >>> round(float(fig.get_size_inches()[0]), 1)
    5.6
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(**subplots)


def finish(ax: "Axes", *, title: str, x: str, y: str) -> "Axes":
    """Title and axis labels."""
    ax.set_title(title)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def data_uri(fig: "Figure", kind: str = "svg", dpi: int = 180) -> str:
    """The figure as a data: address, to be put into a page."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    with style():
        fig.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    mime = "image/svg+xml" if kind == "svg" else f"image/{kind}"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"
