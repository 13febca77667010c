"""Thermodynamics over temperature: points with errors, exact curves, the critical temperature."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.labels import axis_label, label, panel_title
from deeprg.report.style import (
    ACCENT,
    EXACT,
    GRID,
    MUTED,
    finish,
    headline,
    legend,
    log_bars,
    plain_numbers,
    shades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "plot_pull_curves", "plot_tau_curves", "plot_thermodynamic", "plot_thermodynamics"]

_SPANNING = ("correlation_length", "susceptibility")  # observables that may span decades
_DECADES = 30.0  # from this ratio of largest to smallest value their axis is logarithmic
_ORDER = ("measured", "exact")  # of the legend; T_c comes last


class Curve(NamedTuple):
    """An observable over temperature: measured with `errors`, or exact (on its own, denser grid) without."""

    temperatures: ArrayLike
    values: ArrayLike
    errors: ArrayLike | None = None


def plot_thermodynamic(
    ax: "Axes",
    temperatures: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    exact: Curve | None = None,
    critical: float | None = None,
    name: str = "energy_per_site",
) -> "Axes":
    """One observable over temperature: points with standard errors, the exact curve, a line at T_c.

    `exact` has its own grid of temperatures; with fewer than 20 points it is drawn as crosses, not as a line.
    What is not finite is left out.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> ax = plot_thermodynamic(ax, [2.0, 2.5], [-1.7, -1.1], [0.01, 0.01], critical=2.269)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('temperature T', 'e = E / N (units of J)')
    """
    x, y = np.asarray(temperatures, dtype=float), np.asarray(values, dtype=float)
    good = np.isfinite(y)
    bars = None if errors is None else np.nan_to_num(np.asarray(errors, dtype=float))[good]
    logarithmic = name in _SPANNING and good.any() and y[good].max() > _DECADES * y[good].min() > 0
    if critical is not None:
        ax.axvline(critical, color=MUTED, linestyle=":", linewidth=1.4, label=f"$T_c$ = {critical:.5g}")
    if exact is not None:
        grid, line = np.asarray(exact.temperatures, dtype=float), np.asarray(exact.values, dtype=float)
        dense = np.isfinite(line).sum() >= 20
        crosses = {"linestyle": "none", "marker": "x", "markersize": 8}
        mark: dict[str, Any] = {"linewidth": 1.5} if dense else crosses
        ax.plot(grid, line, color=EXACT, label="exact", **mark)
    ax.errorbar(
        x[good],
        y[good],
        yerr=log_bars(y[good], bars) if logarithmic else bars,
        fmt="o",
        color=ACCENT,
        markersize=4,
        capsize=2.5,
        linewidth=1.2,
        label="measured",
    )
    if logarithmic:
        ax.set_yscale("log")
        ax.set_ylim(0.5 * y[good].min(), 2.5 * y[good].max())
        plain_numbers(ax.yaxis)
    return finish(ax, title=panel_title(name), x="temperature T", y=axis_label(name))


def plot_thermodynamics(
    rows: Mapping[str, Curve],
    *,
    exact: Mapping[str, Curve] | None = None,
    critical: float | None = None,
    title: str = "",
    columns: int = 3,
    pulls: Mapping[str, Curve] | None = None,
    tau: Mapping[str, Curve] | None = None,
) -> "Figure":
    """A figure with a panel per observable; `exact` holds the curves of those that are known.

    `pulls` and `tau` have a panel each behind them, as `plot_pull_curves` and `plot_tau_curves` draw them.

    >>> row = Curve([2.0, 2.2], [1.0, 2.0], [0.1, 0.1])
    >>> rows = {"energy_per_site": row, "susceptibility": row}
    >>> len(plot_thermodynamics(rows, columns=2).axes)
    2
    """
    from matplotlib.figure import Figure

    panels = len(rows) + bool(pulls) + bool(tau)
    columns = min(columns, panels) or 1
    height = -(-panels // columns)
    fig = Figure(figsize=(3.9 * columns, 3.0 * height + 0.35), layout="constrained")
    fig.get_layout_engine().set(wspace=0.06, hspace=0.07)  # pyright: ignore
    headline(fig, title)
    grid = fig.subplots(height, columns, squeeze=False)
    for ax, (name, row) in zip(grid.flat, rows.items(), strict=False):
        curve = (exact or {}).get(name)
        plot_thermodynamic(ax, *row, exact=curve, critical=critical, name=name)
    more = iter(grid.flat[len(rows) :])
    if tau:
        plot_tau_curves(next(more), tau, critical=critical)
    if pulls:
        plot_pull_curves(next(more), pulls)
    for ax in more:
        ax.remove()
    entries: dict[str, Any] = {}
    for ax in grid.flat[: len(rows)]:
        entries |= {name: handle for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    order = [name for name in _ORDER if name in entries]
    order += [name for name in entries if name not in order]
    fig.legend([entries[name] for name in order], order, loc="outside upper right", ncols=len(order) or 1)
    return fig


def plot_pull_curves(ax: "Axes", pulls: Mapping[str, Curve]) -> "Axes":
    """The pulls (value − exact)/error of several observables over temperature, with bands of 1 and 2 σ.

    Beyond five is drawn at the edge, as a triangle.
    """
    edge = 5.0
    ax.axhspan(-2, 2, color=GRID, alpha=0.6, linewidth=0)
    ax.axhspan(-1, 1, color=GRID, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=1)
    for colour, marker, (name, curve) in zip(
        shades(len(pulls)), _markers(len(pulls)), pulls.items(), strict=True
    ):
        x, y = np.asarray(curve.temperatures, dtype=float), np.asarray(curve.values, dtype=float)
        x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        near = np.abs(y) <= edge
        ax.plot(x[near], y[near], marker, color=colour, markersize=5, label=label(name), linestyle="none")
        for sign, arrow in ((1, "^"), (-1, "v")):
            far = sign * y > edge
            ax.plot(x[far], np.full(far.sum(), sign * edge), arrow, color=EXACT, markersize=7)
    ax.set_ylim(-edge - 0.5, edge + 0.5)
    ax.grid(axis="y", visible=False)
    finish(ax, title="Against exact values", x="temperature T", y="(value − exact) / error")
    legend(ax, ncols=2 if len(pulls) > 2 else 1)
    return ax


def plot_tau_curves(ax: "Axes", curves: Mapping[str, Curve], *, critical: float | None = None) -> "Axes":
    """Integrated autocorrelation times τ_int over temperature, in kept configurations, on a log axis."""
    if critical is not None:
        ax.axvline(critical, color=MUTED, linestyle=":", linewidth=1.4)
    ax.axhline(0.5, color=MUTED, linewidth=1)
    ax.set_yscale("log")
    highest = 1.0
    for colour, marker, (name, curve) in zip(
        shades(len(curves)), _markers(len(curves)), curves.items(), strict=True
    ):
        x, y = np.asarray(curve.temperatures, dtype=float), np.asarray(curve.values, dtype=float)
        good = np.isfinite(y) & (y > 0)
        bars = None
        if curve.errors is not None:
            bars = np.nan_to_num(np.asarray(curve.errors, dtype=float))[good]
        ax.errorbar(
            x[good],
            y[good],
            yerr=log_bars(y[good], bars),
            fmt=marker + "-",
            color=colour,
            markersize=4,
            linewidth=1,
            capsize=2,
            label=label(name),
        )
        highest = max(highest, float(y[good].max(initial=0.5)))
    ax.set_ylim(0.4, (8 if len(curves) < 3 else 15) * highest)  # room for the legend
    plain_numbers(ax.yaxis)
    finish(ax, title="Autocorrelation times", x="temperature T", y=r"$\tau_{int}$ (configurations)")
    legend(ax, ncols=2 if len(curves) > 2 else 1)
    return ax


def _markers(count: int) -> Sequence[str]:
    return [("o", "s", "D", "^", "v", "P", "X")[i % 7] for i in range(count)]
