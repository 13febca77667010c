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
    "bare",
    "data_uri",
    "figure",
    "finish",
    "headline",
    "legend",
    "log_bars",
    "plain_numbers",
    "shades",
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


def bare(ax: "Axes") -> None:
    """A picture of a lattice has a thin frame, and neither ticks nor grid."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#c8d0d9")


def headline(fig: "Figure", title: str) -> None:
    """The title of a figure of several panels; nothing for an empty one."""
    if title:
        fig.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold", color=INK)


def legend(ax: "Axes", **options: Any) -> None:
    """A legend on the upper right, over whatever is there; none when nothing has a name."""
    if ax.get_legend_handles_labels()[1]:
        look: dict[str, Any] = {
            "loc": "upper right",
            "frameon": True,
            "framealpha": 0.85,
            "edgecolor": "none",
        }
        ax.legend(**{**look, **options})


def shades(count: int) -> list[tuple[float, ...]]:
    """Colours for `count` ordered curves, dark for the coldest and light for the hottest.

    >>> len(shades(3)), len(set(shades(3)))
    (3, 3)
    """
    import numpy as np
    from matplotlib import colormaps

    places = np.linspace(0.05, 0.82, count) if count > 1 else np.array([0.25])
    return [tuple(map(float, colour)) for colour in colormaps["plasma"](places)]


def plain_numbers(axis: Any) -> None:
    """0.01, 0.1, 1, 10 on a logarithmic axis instead of powers of ten.

    An axis of up to two and a half decades has its numbers at 1, 2 and 5 as well.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if low > 0 and high < 300 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def log_bars(values: Any, errors: Any) -> Any:
    """Error bars for a logarithmic axis, lower ones first: they end above zero. None without errors."""
    import numpy as np

    if errors is None:
        return None
    return np.stack([np.minimum(errors, 0.9 * np.asarray(values)), errors])


def data_uri(fig: "Figure", kind: str = "svg", dpi: int = 180) -> str:
    """The figure as a data: address, to be put into a page."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    with style():
        fig.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    mime = "image/svg+xml" if kind == "svg" else f"image/{kind}"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"
