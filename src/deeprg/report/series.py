"""Series of one number per configuration: the history of every chain, and the distribution."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.labels import axis_label
from deeprg.report.style import ACCENT, EXACT, GRID, MUTED, SECOND, finish, legend, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_distribution", "plot_series"]

_STARTS = {"hot": SECOND, "cold": ACCENT}
_POINTS = 400


def plot_series(
    ax: "Axes",
    values: ArrayLike,
    *,
    name: str,
    starts: Sequence[str] | None = None,
    discarded: int = 0,
    exact: float | None = None,
    most: int = 8,
    title: str = "",
) -> "Axes":
    """The history of up to `most` chains, `values[chain, draw]`; hot starts in orange, cold ones in blue.

    `starts` names the start of every chain. More than 400 draws are averaged in blocks. The first `discarded`
    draws lie under a grey band.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> ax = plot_series(ax, np.zeros((2, 10)), name="energy_per_site", starts=["hot", "cold"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['hot start', 'cold start']
    """
    chains = np.atleast_2d(np.asarray(values, dtype=float))
    shown = _some_of_each(starts, len(chains), most)
    block = max(1, chains.shape[1] // _POINTS)
    length = chains.shape[1] // block
    x = block * (np.arange(length) + 0.5) - 0.5
    greys = shades(len(shown))
    seen: set[str] = set()
    for place, chain in enumerate(shown):
        y = chains[chain, : length * block].reshape(length, block).mean(axis=1)
        start = None if starts is None else starts[chain]
        colour = greys[place] if start is None else _STARTS.get(start, MUTED)
        name_of = f"{start} start" if start is not None and start not in seen else None
        seen |= {start} if start is not None else set()
        ax.plot(x, y, color=colour, linewidth=0.8, alpha=0.75 if len(shown) > 1 else 1.0, label=name_of)
    if discarded > 0:
        ax.axvspan(0, discarded, color=GRID, linewidth=0, zorder=0, label="discarded")
    if exact is not None:
        ax.axhline(exact, color=EXACT, linestyle="--", linewidth=1.3, label="exact")
    ax.margins(x=0.01)
    if ax.get_legend_handles_labels()[0]:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.22 * (high - low))  # room for the legend
        legend(ax, ncols=4)
    unit = "draw" if block == 1 else f"draw (averages of {block})"
    return finish(ax, title=title or "History of the chains", x=unit, y=axis_label(name, averaged=False))


def plot_distribution(
    ax: "Axes", values: Mapping[str, ArrayLike], *, name: str, bins: int = 60, title: str = ""
) -> "Axes":
    """Densities of one series at several temperatures, by label; all chains together.

    The bins are common and no finer than the steps of a discrete observable.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> values = {"T = 2": [0.1, 0.5], "T = 3": [0.0, 0.2]}
    >>> plot_distribution(ax, values, name="abs_magnetization").get_xlabel()
    '|m|'
    """
    series = {key: np.asarray(v, dtype=float).ravel() for key, v in values.items()}
    series = {key: v[np.isfinite(v)] for key, v in series.items()}
    everything = np.concatenate(list(series.values()))
    edges = _edges(everything, bins)
    colours = [ACCENT] if len(series) == 1 else shades(len(series))
    highest = 0.0
    for colour, (key, v) in zip(colours, series.items(), strict=True):
        density, _ = np.histogram(v, edges, density=True)
        highest = max(highest, float(density.max()))
        ax.stairs(density, edges, color=colour, fill=True, alpha=0.15)
        ax.stairs(density, edges, color=colour, linewidth=1.5, label=key)
    ax.set_ylim(0, (1.25 if len(series) <= 3 else 1.45) * highest)
    legend(ax, ncols=3)
    return finish(ax, title=title or "Distribution", x=axis_label(name, averaged=False), y="density")


def _some_of_each(starts: Sequence[str] | None, chains: int, most: int) -> list[int]:
    """Up to `most` chains, as many of each start as there is room for."""
    if starts is None or chains <= most:
        return list(range(min(chains, most)))
    kinds = list(dict.fromkeys(starts))
    share = max(most // len(kinds), 1)
    return sorted(i for kind in kinds for i in [j for j in range(chains) if starts[j] == kind][:share])


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    levels = np.unique(np.round(values, 9))
    if levels.size > 1 and levels.size <= 4000:  # discrete: whole numbers of levels per bin, centred on them
        step = float(np.diff(levels).min())
        count = round((high - low) / step) + 1
        per = max(1, -(-count // bins))
        if step > 1e-6 and count <= 20 * levels.size:
            return low - 0.5 * step + step * per * np.arange(-(-count // per) + 1)
    return np.linspace(low, high, bins + 1)
