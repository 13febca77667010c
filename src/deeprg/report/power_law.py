"""A magnetization against the distance from T_c, on logarithmic axes, with fitted power laws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.report.patterns import COLOURS
from deeprg.report.style import MUTED, finish, legend, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FittedLaw", "plot_power_laws"]


class FittedLaw(NamedTuple):
    """Points |m|(T) with errors below T_c, and the fit A (1 - T/T_c)^beta."""

    temperatures: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    amplitude: float
    beta: float


def plot_power_laws(ax: "Axes", laws: Mapping[str, FittedLaw], *, exponent: float | None = None) -> "Axes":
    """Points and fits by label; `exponent` is a dashed line of that slope through the first point.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> t = np.array([1.6, 1.9, 2.2])
    >>> law = FittedLaw(t, (1 - t / CRITICAL_TEMPERATURE) ** 0.125, np.full(3, 0.01), 1.0, 0.125)
    >>> plot_power_laws(ax, {"data": law}).get_legend().get_texts()[0].get_text()
    'data: β = 0.125'
    """
    for number, (label, law) in enumerate(laws.items()):
        x, colour = 1 - law.temperatures / CRITICAL_TEMPERATURE, COLOURS[number % len(COLOURS)]
        name = f"{label}: β = {law.beta:.3f}"
        ax.errorbar(x, law.values, yerr=law.errors, fmt="o", markersize=4, color=colour, label=name)
        ax.plot(x, law.amplitude * x**law.beta, color=colour, linewidth=1.2)
        if number == 0 and exponent is not None:
            guide = law.values[0] * (x / x[0]) ** exponent
            ax.plot(x, guide, color=MUTED, linestyle="--", linewidth=1.2, label=f"slope {exponent:g}")
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        plain_numbers(axis)
    legend(ax, loc="lower right")
    return finish(ax, title="Magnetization below T_c", x="1 − T/T_c", y="⟨|m|⟩")
