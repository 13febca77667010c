"""One picture of a run: training, weights, and one configuration from its coarsest scale to its finest."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.report.density import is_density, plot_density
from deeprg.report.log_weights import plot_log_weights
from deeprg.report.scales import scale_names
from deeprg.report.style import FIELD_MAP, INK
from deeprg.report.training import plot_free_energy, plot_gap, telling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_summary"]


def plot_summary(
    metrics: Sequence[Mapping[str, Any]],
    log_weights: np.ndarray,
    scales: Sequence[np.ndarray],
    *,
    exact_free_energy: float | None = None,
    final_gap: float | None = None,
    log_partition: float | None = None,
    title: str = "",
    of: str = "",
) -> "Figure":
    """A figure of three panels above a row of scales; call it inside `style.style()`.

    `metrics` are the records of the training, `log_weights` those of the final weights, `scales[level]` is
    [draws, *shape of that level], coarse first, of which the first draw is shown. `of` is written
    behind ln Z.

    >>> records = [{"step": n, "free_energy": 2.0 / n} for n in (1, 2, 3)]
    >>> fig = plot_summary(records, np.arange(9.0), [np.zeros((1, 2, 2)), np.ones((1, 4, 4))])
    >>> len(fig.axes)
    4
    """
    from matplotlib.figure import Figure

    exact = exact_free_energy
    fig = Figure(figsize=(12, 6.6), layout="constrained")
    parts: Any = fig.subfigures(2, 1, height_ratios=[1.15, 1])
    upper, lower = parts
    records = telling(metrics)
    steps = [record["step"] for record in records]
    on_data = is_density(records)
    panels = upper.subplots(1, 2 if exact is None or on_data else 3)
    energies = [] if on_data else [record["free_energy"] for record in records]
    if on_data:
        plot_density(panels[0], records)
    else:
        plot_free_energy(panels[0], steps, energies, exact=exact, of=of)
    if exact is not None and not on_data:
        plot_gap(panels[1], steps, np.asarray(energies, dtype=float) - exact, final=final_gap)
    plot_log_weights(panels[-1], log_weights, log_partition=log_partition, of=of)
    grid = np.atleast_1d(lower.subplots(1, len(scales)))
    lower.suptitle(
        title or "One configuration, from its coarsest scale to its finest",
        x=0.01,
        ha="left",
        fontsize=11.5,
        fontweight="bold",
        color=INK,
    )
    for ax, fields, name in zip(grid, scales, scale_names(scales), strict=True):
        field = fields[0]
        field = field[None, :] if field.ndim == 1 else field if field.ndim == 2 else field[0]
        reach = float(np.quantile(np.abs(fields), 0.98)) or 1.0
        ax.imshow(field, cmap=FIELD_MAP, vmin=-reach, vmax=reach, interpolation="nearest")
        ax.set_title(name, fontsize=10, color=INK)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
    return fig
