"""The flow of a real-space scheme as a figure, by its number of couplings."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.exact.schemes import (
    Scheme,
    critical_coupling,
    find_scheme,
    fixed_point,
    fixed_points,
    flow,
)
from deeprg.report.rg_flow import plot_flow_diagram, plot_one_coupling
from deeprg.report.style import SECOND, headline, legend, style
from deeprg.runs.errors import NumericalError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["default_start", "plot_scheme"]

_OFF = (0.94, 0.99, 1.01, 1.06)  # starts of flows, in units of the critical coupling
_SURFACE = 11  # points of the critical line
_FIELD = 17  # arrows along each axis


def default_start(scheme: Scheme) -> np.ndarray:
    """Couplings [n] from which a flow is told when none are given: the exact K_c on the axis.

    1 where that is infinite, and nine tenths of the scheme's own where it is not known.

    >>> default_start(find_scheme("decimation-1d")).tolist()
    [1.0]
    """
    known = scheme.exact.get("critical_coupling")
    first = 0.9 * critical_coupling(scheme) if known is None else known
    return scheme.vector([first if math.isfinite(first) else 1.0, *[0.0] * (len(scheme.couplings) - 1)])


def plot_scheme(
    scheme: str | Scheme, order: int | None = None, *, start: Any = None, steps: int = 12
) -> "Figure":
    """The flow diagram of a scheme: recursion and change for one coupling, planes of couplings for several.

    Flows start at `default_start` and next to the critical surface, or at `start` [n] where that is given.
    In more than two couplings each panel shows flows projected on the first and one other coupling, and two
    sections of the critical surface: that where all further couplings vanish, which holds K_c, and that
    through the fixed point.

    Raises:
        UsageError: an unknown scheme or order, a start of the wrong length.

    >>> len(plot_scheme("migdal-kadanoff").axes)
    2
    """
    scheme = find_scheme(scheme, order)
    title = scheme.title[0].upper() + scheme.title[1:]
    with style():
        if len(scheme.couplings) == 1:
            return _one(scheme, title, start, steps)
        return _several(scheme, title, start, steps)


def _one(scheme: Scheme, title: str, start: Any, steps: int) -> "Figure":
    star = float(fixed_point(scheme)[0])
    exact = scheme.exact.get("critical_coupling", math.inf)
    if math.isfinite(star):
        top = max(2.0 * star, 1.2 * exact if math.isfinite(exact) else 0.0)
        starts = [0.93 * star, 1.07 * star]
    else:
        top, starts = 2.0, []
    starts = [*default_start(scheme), *starts] if start is None else scheme.vector(start).tolist()
    top = max(top, 1.7 * starts[0])
    low = min(0.0, 1.2 * starts[0])
    paths = [_inside(flow(scheme, k, steps), max(top, -low)) for k in starts]
    grid = np.linspace(low, top, 301)
    images = np.array([scheme.recursion(np.array([k]))[0] for k in grid])
    known = [float(point.couplings[0]) for point in fixed_points(scheme)]
    return plot_one_coupling(
        grid,
        images,
        paths=[path[:, 0] for path in paths],
        fixed_points=[k for k in known if low <= k < top],
        exact=exact if math.isfinite(exact) else None,
        title=title,
    )


def _several(scheme: Scheme, title: str, start: Any, steps: int) -> "Figure":
    from matplotlib.figure import Figure

    star, critical = fixed_point(scheme), critical_coupling(scheme)
    count = star.size - 1
    fig = Figure(figsize=(5.4 * count + 0.4, 4.4), layout="constrained")
    headline(fig, title)
    for place, ax in enumerate(np.ravel(fig.subplots(1, count)), 1):
        size = abs(star[place])
        low, high = sorted((-1.2 * np.sign(star[place]) * size, 2.4 * star[place]))
        starts = [default_start(scheme), *([factor * critical, *np.zeros(count)] for factor in _OFF)]
        begin = np.zeros(count + 1)
        if start is not None:
            begin = scheme.vector(start)
            starts = [begin]
        low, high = min(low, 1.2 * begin[place]), max(high, 1.2 * begin[place])
        left, right = 1.2 * min(begin[0], 0.0), max(2.1 * star[0], 2.1 * critical, 1.2 * begin[0])
        window = (float(left), float(right), float(low), float(high))
        paths = [flow(scheme, k, steps)[:, [0, place]] for k in starts]
        trivial = np.zeros_like(star)
        plot_flow_diagram(
            ax,
            paths,
            field=_changes(scheme, star, place, window),
            fixed_points=np.stack([trivial, star])[:, [0, place]],
            critical=critical,
            exact=scheme.exact.get("critical_coupling"),
            window=window,
            names=(scheme.couplings[0], scheme.couplings[place]),
            title=f"Flow of {scheme.couplings[0]} and {scheme.couplings[place]}",
        )
        values = np.linspace(low, high, _SURFACE)
        for name, (line, dashes) in _sections(scheme, star, place, values).items():
            ax.plot(line[:, 0], line[:, 1], dashes, color=SECOND, linewidth=2.2, label=name)
        legend(ax, loc="best")  # where the flows leave room
    return fig


def _changes(
    scheme: Scheme, star: np.ndarray, place: int, window: tuple[float, float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Points [m, 2] of the plane through K* and what one step changes there [m, 2]."""
    left, right, bottom, top = window
    cells = np.arange(_FIELD) + 0.5
    across, up = np.meshgrid(left + (right - left) * cells / _FIELD, bottom + (top - bottom) * cells / _FIELD)
    points = np.tile(star, (across.size, 1))
    points[:, 0], points[:, place] = across.ravel(), up.ravel()
    changes = np.stack([scheme.recursion(point) - point for point in points])
    return points[:, [0, place]], changes[:, [0, place]]


def _sections(
    scheme: Scheme, star: np.ndarray, place: int, values: np.ndarray
) -> dict[str, tuple[np.ndarray, str]]:
    """Critical lines [points, 2] by their names in a legend, and how they are drawn.

    One line in two couplings. In more, a plane cuts the surface where the further couplings are zero, and
    another where they are those of K*: the second misses K_c, the first misses K*.
    """
    further = [n for n in range(1, star.size) if n != place]
    if not further:
        return {"critical surface": (_surface(scheme, star, place, values), "-")}
    letters = [scheme.couplings[n] for n in further]
    zero = np.zeros_like(star)
    return {
        f"critical surface at ${' = '.join(letters)} = 0$": (_surface(scheme, zero, place, values), "-"),
        "critical surface at " + ", ".join(f"${letter} = {letter}^*$" for letter in letters): (
            _surface(scheme, star, place, values),
            "--",
        ),
    }


def _surface(scheme: Scheme, through: np.ndarray, place: int, values: np.ndarray) -> np.ndarray:
    """The critical line [points, 2] in the plane of the first coupling and one other, at a point [n]."""
    line = []
    for value in values:
        others = through.copy()
        others[place] = value
        try:
            line.append((critical_coupling(scheme, others=others[1:], tolerance=1e-4), value))
        except NumericalError:
            continue  # the surface leaves K > 0
    return np.array(line).reshape(-1, 2)


def _inside(path: np.ndarray, top: float) -> np.ndarray:
    """The path as far as it stays in the picture."""
    beyond = np.flatnonzero(np.abs(path).max(1) > top)
    return path if not beyond.size else path[: beyond[0] + 1]
