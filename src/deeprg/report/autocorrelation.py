"""Autocorrelation functions: how long a chain remembers."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, MUTED, SECOND, finish, legend, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_autocorrelation"]

_COLOURS = (ACCENT, SECOND, "#2e7d4f", "#6d5a8d")
_CURVE = "autocorrelation"  # tells the curves of earlier calls from other lines
_SLOW = 3.0  # τ_int from which a logarithmic axis shows more than a linear one


def plot_autocorrelation(
    ax: "Axes",
    lags: ArrayLike,
    rho: ArrayLike,
    error: ArrayLike | None = None,
    *,
    tau_int: float | None = None,
    tau_error: float | None = None,
    window: int | None = None,
    label: str = "",
    logarithmic: bool | None = None,
    title: str = "Autocorrelation",
) -> "Axes":
    """The normalised autocorrelation ρ(t) against the lag t (kept configurations), with a band of one error.

    τ_int = ½ + Σ_{t=1}^W ρ(t) stands in the legend; a short bar on the zero line marks the window W up to
    which it is summed. Lags beyond three windows are noise and are not drawn. The vertical axis is
    logarithmic when τ_int ≥ 3, unless `logarithmic` says otherwise. Call it again on the same axes for
    further observables.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> ax = plot_autocorrelation(ax, [0, 1, 2], [1.0, 0.5, 0.2], tau_int=1.2, tau_error=0.1, label="energy")
    >>> ax.get_legend().get_texts()[0].get_text()
    'energy: τ = 1.20 ± 0.10'
    """
    from matplotlib.ticker import MaxNLocator

    from deeprg.report._numbers import with_error

    t, r = np.asarray(lags, dtype=float), np.asarray(rho, dtype=float)
    sigma = None if error is None else np.nan_to_num(np.asarray(error, dtype=float))
    if window is not None:
        seen = t <= max(3 * window, 10)
        t, r, sigma = t[seen], r[seen], None if sigma is None else sigma[seen]
    earlier = sum(line.get_gid() == _CURVE for line in ax.lines)
    colour = _COLOURS[earlier % len(_COLOURS)]
    if logarithmic is None:
        logarithmic = ax.get_yscale() == "log" or (earlier == 0 and (tau_int or 0.0) >= _SLOW)
    name = label
    if tau_int is not None:
        name = f"{label}: τ = {with_error(tau_int, tau_error)}".removeprefix(": ")
    floor = 0.0
    if logarithmic:
        floor = _floor(r, sigma)
        keep = r > floor
        first = keep.size if keep.all() else int(np.argmin(keep))  # all beyond is noise
        t, r, sigma = t[:first], r[:first], None if sigma is None else sigma[:first]
    ax.plot(t, r, color=colour, label=name, gid=_CURVE, marker="o" if t.size <= 30 else None, markersize=3.5)
    if sigma is not None:
        low, high = r - sigma, r + sigma
        if logarithmic:
            low = np.maximum(low, floor)
        ax.fill_between(t, low, high, color=colour, alpha=0.18, linewidth=0)
    if logarithmic:
        ax.set_yscale("log")
        lowest = min(floor, ax.get_ylim()[0]) if earlier else floor
        ax.set_ylim(lowest, 1.6)
        plain_numbers(ax.yaxis)
    elif earlier == 0:
        ax.axhline(0, color=MUTED, linewidth=1)
    if window is not None and t.size and window <= t[-1]:
        height = float(np.interp(window, t, r))
        ax.annotate("W", (window, height), (0, 14), textcoords="offset points", ha="center", color=colour,
                    fontsize=9, arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1})  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax)
    return finish(ax, title=title, x="lag t (configurations)", y="ρ(t)")


def _floor(rho: np.ndarray, error: np.ndarray | None) -> float:
    """Where the values drown in their errors, between 0.001 and 0.1."""
    noise = 0.01 if error is None else float(np.median(error[error > 0])) if (error > 0).any() else 0.01
    return float(np.clip(noise, 1e-3, 0.1))
