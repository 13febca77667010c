"""Approach to equilibrium and autocorrelation of several algorithms side by side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.montecarlo import autocorrelation_function
from deeprg.probes.dynamics import ChainCourse
from deeprg.report.labels import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_approach", "plot_forgetting"]


def plot_approach(
    ax: "Axes",
    courses: Mapping[str, ChainCourse],
    name: str = "magnetization_squared",
    *,
    by: str = "updates",
    exact: float | None = None,
) -> None:
    """The average over chains of one scalar against updates, gradients or seconds, with a band of its error.

    `by` is "updates", "gradients" (algorithms without them are left out) or "seconds" (of all chains).

    >>> from deeprg.report.style import figure
    >>> fig, ax = figure()
    >>> course = ChainCourse("hmc", {"m": np.random.default_rng(0).normal(size=(50, 8))}, 25, seconds=0.1)
    >>> plot_approach(ax, {"hmc": course}, "m", exact=0.0)
    >>> len(ax.lines)
    2
    """
    units = {"updates": "updates per chain", "gradients": "forces per chain", "seconds": "seconds"}
    for course in courses.values():
        if by == "gradients" and course.gradients is None:
            continue
        scale = {"updates": 1.0, "gradients": course.gradients or 0.0, "seconds": course.seconds}[by]
        value, error = course.mean(name)
        steps = scale * np.arange(1, len(value) + 1)
        (line,) = ax.plot(steps, value, label=course.name)
        ax.fill_between(steps, value - error, value + error, alpha=0.25, color=line.get_color(), linewidth=0)
    if exact is not None:
        ax.axhline(exact, color="black", linestyle="--", linewidth=1, label="exact")
    ax.set_xscale("log")
    ax.set_xlabel(units[by])
    ax.set_ylabel(label(name))
    ax.legend(frameon=False)


def plot_forgetting(
    ax: "Axes", courses: Mapping[str, ChainCourse], name: str = "abs_magnetization", *, lags: int = 100
) -> None:
    """The autocorrelation ρ(t) of one scalar in equilibrium, and tau_int in the legend.

    >>> from deeprg.report.style import figure
    >>> fig, ax = figure()
    >>> course = ChainCourse("hmc", {"m": np.random.default_rng(0).normal(size=(90, 8))}, 20, seconds=0.1)
    >>> plot_forgetting(ax, {"hmc": course}, "m", lags=10)
    >>> len(ax.lines[0].get_xdata())
    11
    """
    for course in courses.values():
        chains = course.series[name][course.stationary :].T
        reach = min(lags, chains.shape[1] // 2)
        estimate = course.estimate(name)
        sign = ">" if estimate.short else "="
        text = f"{course.name}: τ_int {sign} {estimate.tau_int:.3g}"
        rho, error = autocorrelation_function(chains, max_lag=reach)
        t = np.arange(reach + 1)
        (line,) = ax.plot(t, rho, label=text)
        ax.fill_between(t, rho - error, rho + error, alpha=0.25, color=line.get_color(), linewidth=0)
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set_xlabel("lag in updates")
    ax.set_ylabel(f"ρ of {label(name)}")
    ax.legend(frameon=False)
