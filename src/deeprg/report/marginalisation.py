"""Pictures of a marginalisation: couplings at each scale, correlators kept, cumulants and their series."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.rg_flow import FlowCurve
from deeprg.report.style import (
    ACCENT,
    EXACT,
    FIELD_MAP,
    INK,
    MUTED,
    SECOND,
    finish,
    headline,
    legend,
    shades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "plot_before_after",
    "plot_contributions",
    "plot_coupling_matrices",
    "plot_coupling_orders",
    "plot_series_radius",
]

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_ACROSS = 4  # panels in a row


def plot_coupling_matrices(
    scales: Mapping[str, ArrayLike], sizes: Sequence[Sequence[int]], *, title: str = ""
) -> "Figure":
    """The couplings between all units that remain, a panel for each scale, with one colour scale.

    `scales` are matrices [units, units] by name, `sizes` the units of their layers, visibles first; lines
    part the layers. Colours go with the square root of the size, so that weak couplings are seen as well.

    >>> plot_coupling_matrices({"H(x, y1)": np.eye(3), "H(x)": np.eye(2)}, [(2, 1), (2,)]).axes[0].get_title()
    'H(x, y1)'
    """
    from matplotlib.colors import FuncNorm
    from matplotlib.figure import Figure

    matrices = {name: np.asarray(matrix, dtype=float) for name, matrix in scales.items()}
    across = min(len(matrices), _ACROSS)
    down = -(-len(matrices) // across)
    fig = Figure(figsize=(2.75 * across + 0.9, 2.9 * down + 0.45 * bool(title)), layout="constrained")
    headline(fig, title)
    largest = max(float(np.abs(matrix).max()) for matrix in matrices.values()) or 1.0
    root = (lambda x: np.sign(x) * np.sqrt(np.abs(x)), lambda x: np.sign(x) * np.square(x))
    norm = FuncNorm(root, vmin=-largest, vmax=largest)
    panels = fig.subplots(down, across, squeeze=False)
    image: Any = None
    for ax, (name, matrix), layers in zip(panels.flat, matrices.items(), sizes, strict=False):
        image = ax.imshow(matrix, cmap=FIELD_MAP, norm=norm, interpolation="nearest")
        edges = np.cumsum([0, *layers])
        for edge in edges[1:-1] - 0.5:
            ax.axhline(edge, color=INK, linewidth=0.8)
            ax.axvline(edge, color=INK, linewidth=0.8)
        labels = ["$x$", *(f"$y_{layer}$" for layer in range(1, len(layers)))]
        places = (edges[:-1] + edges[1:] - 1) / 2
        ax.set_xticks(places, labels)
        ax.set_yticks(places, labels)
        ax.tick_params(length=0, labelcolor=INK)
        ax.grid(False)
        ax.set_title(name, loc="center", fontweight="normal")
    for ax in panels.flat[len(matrices) :]:
        ax.set_visible(False)
    bar = fig.colorbar(image, ax=panels, shrink=0.85, pad=0.02, aspect=25)
    bar.set_ticks([share * largest for share in (-1, -0.5, -0.1, 0, 0.1, 0.5, 1)])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}".replace("-", "−"))
    bar.ax.minorticks_off()
    bar.set_label("coupling $J_{uv}$")
    bar.outline.set_visible(False)  # pyright: ignore
    return fig


def plot_before_after(
    ax: "Axes", kinds: Mapping[str, FlowCurve], *, title: str, x: str = "before", y: str = "after"
) -> "Axes":
    """Correlators after a step over those before it, a kind of correlator for each marker.

    What is preserved lies on the diagonal; the largest deviation of all is written below it.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> pairs = FlowCurve([0.1, 0.2], [0.1, 0.25])
    >>> plot_before_after(ax, {"pairs": pairs}, title="A step").texts[0].get_text()
    'largest deviation 0.05'
    """
    points = [np.asarray(part, dtype=float).ravel() for curve in kinds.values() for part in curve]
    low, high = min(float(p.min()) for p in points), max(float(p.max()) for p in points)
    pad = 0.06 * (high - low) or 0.1
    ax.plot([low - pad, high + pad], [low - pad, high + pad], color=MUTED, linewidth=1, zorder=1)
    worst = 0.0
    for number, (name, curve) in enumerate(kinds.items()):
        before, after = (np.asarray(part, dtype=float).ravel() for part in curve)
        worst = max(worst, float(np.abs(after - before).max()))
        colour = (ACCENT, SECOND, EXACT)[number % 3]
        look: dict[str, Any] = {"markersize": 6, "markerfacecolor": "none", "linestyle": "none"}
        ax.plot(before, after, _MARKERS[number], color=colour, label=name, **look)
    ax.set_xlim(low - pad, high + pad)
    ax.set_ylim(low - pad, high + pad)
    ax.text(0.97, 0.04, f"largest deviation {worst:.2g}", transform=ax.transAxes, ha="right", color=MUTED)
    finish(ax, title=title, x=x, y=y)
    legend(ax, loc="upper left")
    return ax


def plot_coupling_orders(ax: "Axes", curves: Mapping[str, FlowCurve], *, floor: float = 1e-17) -> "Axes":
    """The size of couplings over the number of spins that they join, a curve for each kind of hidden unit.

    The axis of the sizes is logarithmic; what lies below `floor` is drawn on it.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_coupling_orders(ax, {"±1": FlowCurve([1, 2], [0.3, 0.1])}).get_xlabel()
    'spins in the coupling'
    """
    from matplotlib.ticker import MaxNLocator

    for number, (name, curve) in enumerate(curves.items()):
        x, sizes = np.asarray(curve.x, dtype=float), np.asarray(curve.values, dtype=float)
        look: dict[str, Any] = {"markersize": 5.5, "linewidth": 1.3, "color": shades(len(curves))[number]}
        ax.plot(x, np.maximum(sizes, floor), _MARKERS[number % len(_MARKERS)] + "-", label=name, **look)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(ax, title="What a layer leaves", x="spins in the coupling", y="root mean square coupling")
    legend(ax, loc="best", title="hidden units")
    return ax


def plot_contributions(ax: "Axes", sizes: ArrayLike, *, empty: float = 1e-10) -> "Axes":
    """Couplings of each order (columns) that each hidden cumulant (rows) leaves on its own.

    `sizes` [cumulants, orders]; sizes below `empty` times the largest are blank.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> len(plot_contributions(ax, [[0.3, 0.0], [0.0, 0.1]]).texts)
    2
    """
    found = np.asarray(sizes, dtype=float)
    there = found > empty * found.max()
    shown = np.where(there, np.log10(np.maximum(found, 1e-300)), np.nan)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    ax.imshow(shown, cmap="Blues", vmin=low - 0.5 * (high - low + 1), vmax=high + 0.6, aspect="auto")
    for n, k in np.argwhere(there):
        dark = shown[n, k] > high - 0.35 * (high - low)
        ax.text(
            k, n, f"{found[n, k]:.1g}", ha="center", va="center", fontsize=8.5, color="white" if dark else INK
        )
    ax.set_xticks(range(found.shape[1]), [str(k + 1) for k in range(found.shape[1])])
    ax.set_yticks(range(found.shape[0]), [f"$\\kappa_{n + 1}$" for n in range(found.shape[0])])
    ax.tick_params(length=0, labelcolor=INK)
    ax.grid(False)
    return finish(
        ax, title="From one cumulant alone, ±1 units", x="spins in the coupling", y="hidden cumulant"
    )


def plot_series_radius(ax: "Axes", curves: Mapping[str, FlowCurve], *, y: str = "largest error") -> "Axes":
    """Errors of partial sums over the field in units of the radius of convergence, which is marked.

    A curve for each order of the sum, on a logarithmic axis.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_series_radius(ax, {"order 2": FlowCurve([0.5, 1.5], [1e-2, 1.0])}).get_xlabel()
    'largest field / radius of convergence'
    """
    reach = np.concatenate([np.asarray(curve.x, dtype=float) for curve in curves.values()])
    ax.axvspan(1.0, max(float(reach.max()), 1.0), color=EXACT, alpha=0.06, linewidth=0)
    ax.axvline(1.0, color=EXACT, linestyle="--", linewidth=1.2, label="radius")
    for number, (name, curve) in enumerate(curves.items()):
        values = np.asarray(curve.values, dtype=float)
        look: dict[str, Any] = {"color": shades(len(curves))[number], "markersize": 4, "linewidth": 1.3}
        ax.plot(np.asarray(curve.x), values, _MARKERS[number % len(_MARKERS)] + "-", label=name, **look)
    ax.set_yscale("log")
    ax.set_xlim(float(reach.min()), max(float(reach.max()), 1.0))
    finish(ax, title="Inside and outside the radius", x="largest field / radius of convergence", y=y)
    legend(ax, loc="lower right")
    return ax
