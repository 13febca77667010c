"""The histogram of log weights: how far the model is from its target, sample by sample."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, INK, SECOND, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_log_weights"]

_FILLED = 0.62  # of the height; the legend is above


def plot_log_weights(
    ax: "Axes", log_weights: ArrayLike, *, log_partition: float | None = None, of: str = ""
) -> "Axes":
    """Density of ln w = −H − ln q beside the Gaussian of the same mean and width.

    Shown relative to `log_partition`, the exact ln Z (or its estimate from the weights when None): a perfect
    model is a spike at zero, the mean lies at minus the gap, a tail to the right is what ruins reweighting.
    `of` is written behind ln Z.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_log_weights(ax, np.random.default_rng(0).normal(size=1000)).get_ylabel()
    'density (1/nat)'
    """
    values = np.asarray(log_weights, dtype=float)
    values = values[np.isfinite(values)]
    top = values.max()
    estimate = top + np.log(np.mean(np.exp(values - top)))
    reference = estimate if log_partition is None else log_partition
    values = values - reference
    mean, std = values.mean(), values.std()
    low, high = np.quantile(values, [1e-4, 1 - 1e-4])
    low, high = min(low, mean - 4 * std, -0.1), max(high, mean + 4 * std, 0.1)
    bins = int(np.clip(2 * values.size ** (1 / 3), 20, 120))
    ax.hist(
        values,
        bins=np.linspace(low, high, bins + 1).tolist(),
        density=True,
        color=ACCENT,
        alpha=0.75,
        label="draws",
    )
    if std > 0:
        x = np.linspace(low, high, 400)
        gauss = np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
        ax.plot(x, gauss, color=SECOND, label=f"Gaussian, width {std:.3g}")
    ax.axvline(
        0.0,
        ymax=_FILLED,
        color=EXACT,
        linestyle="--",
        linewidth=1.4,
        label=f"ln Z{of}, " + ("estimated" if log_partition is None else "exact"),
    )
    ax.axvline(mean, ymax=_FILLED, color=INK, linestyle=":", linewidth=1.6, label=f"mean ln w: {mean:+.3g}")
    ax.set_xlim(low, high)
    ax.locator_params(axis="x", nbins=6)
    ax.set_ylim(0, ax.get_ylim()[1] / _FILLED)
    ax.legend(loc="upper left")
    return finish(ax, title="Log importance weights", x="ln w − ln Z (nats)", y="density (1/nat)")
