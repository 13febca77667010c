"""Pictures of renormalization: flows, fixed points, couplings by distance, errors of truncation."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import (
    ACCENT,
    EXACT,
    INK,
    MUTED,
    SECOND,
    finish,
    headline,
    legend,
    plain_numbers,
    shades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FlowCurve",
    "plot_beta_function",
    "plot_cobweb",
    "plot_couplings_by_distance",
    "plot_flow_diagram",
    "plot_one_coupling",
    "plot_truncation_error",
]

Points = ArrayLike | Sequence[Any]
"""Numbers or points: an array, or a sequence of numbers, lists or arrays, also an empty one."""

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


class FlowCurve(NamedTuple):
    """One curve of a figure: its abscissae and its values.

    >>> FlowCurve([1, 2], [0.4, 0.1]).values
    [0.4, 0.1]
    """

    x: ArrayLike
    values: ArrayLike


def plot_cobweb(
    ax: "Axes",
    couplings: ArrayLike,
    images: ArrayLike,
    *,
    paths: Sequence[Points] = (),
    fixed_points: Points = (),
    exact: float | int | None = None,
) -> "Axes":
    """The recursion K -> K' over K with the diagonal K' = K, and the steps of some flows as a staircase.

    `paths` are flows [steps]; `fixed_points` are marked where the curve meets the diagonal; `exact` is a line
    at the exact critical coupling.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_cobweb(ax, [0, 0.5, 1], [0, 0.4, 1.4], fixed_points=[0.7]).get_ylabel()
    "$K'$"
    """
    x, y = np.asarray(couplings, dtype=float), np.asarray(images, dtype=float)
    top = float(x.max())
    if exact is not None:
        ax.axvline(exact, color=EXACT, linestyle="--", linewidth=1.2, label=f"exact $K_c$ = {exact:.4f}")
    ax.plot([x.min(), top], [x.min(), top], color=MUTED, linewidth=1, label="$K' = K$")
    ax.plot(x, y, color=ACCENT, linewidth=2, label="one step")
    for number, path in enumerate(paths):
        stairs = np.repeat(np.asarray(path, dtype=float), 2)
        ax.plot(
            stairs[:-1],
            np.concatenate([[0.0], stairs[2:]]),
            color=SECOND,
            linewidth=1.1,
            label=None if number else "flow",
        )
    _fixed(ax, fixed_points, fixed_points)
    ax.set_xlim(x.min(), top)
    ax.set_ylim(x.min(), top)
    finish(ax, title="One step", x="$K$", y="$K'$")
    legend(ax, loc="best")
    return ax


def plot_beta_function(
    ax: "Axes",
    couplings: ArrayLike,
    change: ArrayLike,
    *,
    fixed_points: Points = (),
    exact: float | int | None = None,
) -> "Axes":
    """The change K' - K of one step over K: the flow runs to the right where it is positive.

    Arrows on the axis say where; `fixed_points` are its zeros.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_beta_function(ax, [0.0, 0.5, 1.0], [0.0, -0.1, 0.4]).get_ylabel()
    "$K' - K$"
    """
    x, y = np.asarray(couplings, dtype=float), np.asarray(change, dtype=float)
    if exact is not None:
        ax.axvline(exact, color=EXACT, linestyle="--", linewidth=1.2, label=f"exact $K_c$ = {exact:.4f}")
    ax.axhline(0, color=MUTED, linewidth=1)
    ax.fill_between(x, y, 0, where=y > 0, color=ACCENT, alpha=0.12, linewidth=0, interpolate=True)
    ax.fill_between(x, y, 0, where=y < 0, color=SECOND, alpha=0.15, linewidth=0, interpolate=True)
    ax.plot(x, y, color=ACCENT, linewidth=2)
    known = np.sort(np.asarray(fixed_points, dtype=float))
    edges = np.concatenate([[x.min()], known[(known > x.min()) & (known < x.max())], [x.max()]])
    reach = float(np.ptp(x))
    for low, high in itertools.pairwise(edges):
        middle, half = (low + high) / 2, min((high - low) * 0.22, 0.08 * reach)
        sign = np.sign(np.interp(middle, x, y))
        if sign:
            ax.annotate(
                "",
                xy=(middle + sign * half, 0),
                xytext=(middle - sign * half, 0),
                arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "mutation_scale": 15},
            )
    _fixed(ax, known, np.zeros(known.size))
    ax.set_xlim(x.min(), x.max())
    finish(ax, title="Change in one step", x="$K$", y="$K' - K$")
    legend(ax, loc="best")
    return ax


def plot_one_coupling(
    couplings: ArrayLike,
    images: ArrayLike,
    *,
    paths: Sequence[Points] = (),
    fixed_points: Points = (),
    exact: float | int | None = None,
    title: str = "",
) -> "Figure":
    """A figure of a flow in one coupling: the recursion with a cobweb, and the change in one step.

    >>> len(plot_one_coupling([0.0, 0.5, 1.0], [0.0, 0.4, 1.4]).axes)
    2
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(9.2, 4.1), layout="constrained")
    fig.get_layout_engine().set(wspace=0.06)  # pyright: ignore
    headline(fig, title)
    left, right = fig.subplots(1, 2)
    x, y = np.asarray(couplings, dtype=float), np.asarray(images, dtype=float)
    plot_cobweb(left, x, y, paths=paths, fixed_points=fixed_points, exact=exact)
    plot_beta_function(right, x, y - x, fixed_points=fixed_points, exact=exact)
    return fig


def plot_flow_diagram(
    ax: "Axes",
    paths: Sequence[Points],
    *,
    field: tuple[Points, Points] | None = None,
    fixed_points: Points = (),
    surface: Points | None = None,
    critical: float | int | None = None,
    exact: float | int | None = None,
    window: tuple[float | int, float | int, float | int, float | int] | None = None,
    names: tuple[str, str] = ("K", "L"),
    title: str = "Flow of two couplings",
) -> "Axes":
    """Flows in the plane of two couplings, with the critical surface that parts the two phases.

    `paths` are flows [steps, 2] with an arrow along each step, grey where they end nearer to 0 than they
    start; `field` is (points [m, 2], their changes in one step [m, 2]), drawn as arrows of one length;
    `fixed_points` [m, 2], the trivial one among them; `surface` [points, 2] the critical line; `critical`
    where it meets the first axis, `exact` the exact critical coupling there. `window` is (left, right,
    bottom, top).

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> ax = plot_flow_diagram(ax, [[[0.4, 0.0], [0.32, 0.16]]], fixed_points=[[1 / 3, 1 / 9]])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('$K$', '$L$')
    """
    lines = [np.asarray(path, dtype=float) for path in paths]
    points = np.asarray(fixed_points, dtype=float).reshape(-1, 2)
    if window is None:
        everything = np.concatenate([*lines, points])
        window = _window(everything)
    left, right, bottom, top = window
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    reach = np.array([right - left, top - bottom])
    if field is not None:
        at, change = (np.asarray(part, dtype=float) for part in field)
        change = change / np.maximum(np.linalg.norm(change / reach, axis=1, keepdims=True), 1e-300)
        look: dict[str, Any] = {"scale": 32, "width": 0.0022, "color": "#c3ccd6", "pivot": "mid"}
        ax.quiver(at[:, 0], at[:, 1], *(change / reach).T, headwidth=4.5, **look)
    for line in lines:
        colour = ACCENT if np.abs(line[-1]).max() > np.abs(line[0]).max() else MUTED
        ax.plot(line[:, 0], line[:, 1], "o-", color=colour, linewidth=1.1, markersize=3)
        _arrows(ax, line, reach, colour)
    if surface is not None:
        line = np.asarray(surface, dtype=float)
        ax.plot(line[:, 0], line[:, 1], color=SECOND, linewidth=2.2, label="critical surface")
    if critical is not None:
        name = f"${names[0]}_c$ = {critical:.4f}"
        ax.plot([critical], [0], "D", color=SECOND, markersize=6, label=name, zorder=5)
    if exact is not None:
        name = f"exact ${names[0]}_c$ = {exact:.4f}"
        ax.plot([exact], [0], "x", color=EXACT, markersize=8, markeredgewidth=2, label=name, zorder=5)
    _fixed(ax, points[:, 0], points[:, 1])
    finish(ax, title=title, x=f"${names[0]}$", y=f"${names[1]}$")
    legend(ax)
    return ax


def plot_couplings_by_distance(
    ax: "Axes", steps: Mapping[str, FlowCurve], *, floor: float | None = None
) -> "Axes":
    """The sizes |J(r)| of the pair couplings over the distance r, a curve for each step of a flow.

    The axis of the couplings is logarithmic. Couplings below `floor`, by default 1e-16 of the largest, are
    drawn hollow at the floor: they are zero.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> steps = {"step 0": FlowCurve([1, 2], [0.4, 0.0]), "step 1": FlowCurve([1, 2], [0.3, 0.05])}
    >>> plot_couplings_by_distance(ax, steps).get_ylabel()
    'pair coupling |J(r)|'
    """
    sizes = {name: np.abs(np.asarray(curve.values, dtype=float)) for name, curve in steps.items()}
    largest = max((float(size.max(initial=0.0)) for size in sizes.values()), default=1.0) or 1.0
    present = [value for size in sizes.values() for value in size[size > 1e-16 * largest]]
    low = floor if floor is not None else 0.3 * min(present, default=0.1 * largest)
    for number, (name, curve) in enumerate(steps.items()):
        colour, marker = shades(len(steps))[number], _MARKERS[number % len(_MARKERS)]
        x, y = np.asarray(curve.x, dtype=float), sizes[name]
        seen = y > low
        ax.plot(x, np.where(seen, y, low), color=colour, linewidth=1, alpha=0.6)
        ax.plot(x[seen], y[seen], marker, color=colour, markersize=5, label=name)
        if seen.all():
            continue  # an empty line that is not clipped would spoil the layout
        hollow: dict[str, Any] = {"markerfacecolor": "white", "linestyle": "none", "clip_on": False}
        ax.plot(x[~seen], np.full((~seen).sum(), low), marker, color=colour, markersize=5, **hollow)
    ax.set_yscale("log")
    ax.set_ylim(0.7 * low, 3 * largest)
    if largest < 1e4 * low:
        plain_numbers(ax.yaxis)
    finish(ax, title="Couplings by distance", x="distance $r$", y="pair coupling |J(r)|")
    legend(ax)
    return ax


def plot_truncation_error(
    ax: "Axes",
    curves: Mapping[str, FlowCurve],
    *,
    rounding: float | None = 2e-16,
    y: str = "largest error",
) -> "Axes":
    """Errors of partial sums over their order, on a logarithmic axis, with the level of rounding.

    Errors below `rounding` are drawn on its line; what is not finite is left out.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> curve = FlowCurve([1, 2, 4, 8, 12], [2e-2, 1.6e-4, 6e-7, 9e-12, 9e-16])
    >>> plot_truncation_error(ax, {"decimation, K = 0.1": curve}).get_xlabel()
    'order of the expansion'
    """
    from matplotlib.ticker import MaxNLocator

    for number, (name, curve) in enumerate(curves.items()):
        x, error = np.asarray(curve.x, dtype=float), np.abs(np.asarray(curve.values, dtype=float))
        good = np.isfinite(error)
        if rounding is not None:
            error = np.maximum(error, rounding)
        ax.plot(
            x[good],
            error[good],
            _MARKERS[number % len(_MARKERS)] + "-",
            color=shades(len(curves))[number],
            markersize=5,
            linewidth=1.3,
            label=name,
        )
    if rounding is not None:
        ax.axhline(rounding, color=MUTED, linestyle=":", linewidth=1.4)
        ax.annotate(
            "rounding",
            (0, rounding),
            xycoords=("axes fraction", "data"),
            xytext=(4, 4),
            textcoords="offset points",
            color=MUTED,
            fontsize=8.5,
        )
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(ax, title="Error of the truncation", x="order of the expansion", y=y)
    legend(ax, loc="best")
    return ax


def _fixed(ax: "Axes", x: Points, y: Points) -> None:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.size:
        look: dict[str, Any] = {"color": "white", "markeredgecolor": INK, "markeredgewidth": 1.6}
        ax.plot(x, y, "o", markersize=8, label="fixed points", zorder=6, clip_on=False, **look)


def _arrows(ax: "Axes", line: np.ndarray, reach: np.ndarray, colour: str) -> None:
    """An arrowhead in the middle of every step that is long enough to see."""
    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    for start, end in itertools.pairwise(line):
        step = (end - start) / reach
        middle = (start + end) / 2
        if np.hypot(*step) > 0.05 and ((low < middle) & (middle < high)).all():
            tip = middle + (end - start) / np.hypot(*step) * 0.01
            ax.annotate(
                "",
                xy=tuple(tip),
                xytext=tuple(middle),
                arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 0, "mutation_scale": 11},
            )


def _window(points: np.ndarray) -> tuple[float, float, float, float]:
    """A frame around the points with a margin."""
    low, high = points.min(0), points.max(0)
    pad = 0.06 * np.maximum(high - low, 1e-3)
    return float(low[0] - pad[0]), float(high[0] + pad[0]), float(low[1] - pad[1]), float(high[1] + pad[1])
