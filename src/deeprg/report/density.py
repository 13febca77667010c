"""The course of a density that is fitted to data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.report.style import ACCENT, SECOND, finish, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["is_density", "plot_density"]


def is_density(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether records of a training are of one on data.

    >>> is_density([{"loss": 1.0, "held_out_nll": 1.2}]), is_density([])
    (True, False)
    """
    return bool(records) and "held_out_nll" in records[-1]


def plot_density(ax: "Axes", records: Sequence[Mapping[str, Any]]) -> "Axes":
    """Held-out data against training steps: KL(π|q) where it is known, else −ln q beside the batches'.

    Held-out values are those of the averaged weights, those of batches of the current ones.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> records = [{"step": n, "held_out_nll": 9.0, "held_out_kl": 1 / n} for n in (1, 2)]
    >>> plot_density(ax, records).get_ylabel()
    'KL(π|q) (nats)'
    """
    steps = [record["step"] for record in records]
    if all(record.get("held_out_kl") is not None for record in records):
        values = np.array([record["held_out_kl"] for record in records], dtype=float)
        seen = values > 0
        ax.plot(np.array(steps)[seen], values[seen], color=ACCENT, label="held-out data")
        ax.set_yscale("log")
        plain_numbers(ax.yaxis)
        ax.legend(loc="upper right")
        return finish(ax, title="Forward divergence", x="training step", y="KL(π|q) (nats)")
    batches = np.array([record["loss"] for record in records], dtype=float)
    held_out = np.array([record["held_out_nll"] for record in records], dtype=float)
    ax.plot(steps, batches, color=SECOND, alpha=0.7, label="training batches")
    ax.plot(steps, held_out, color=ACCENT, label="held-out data")
    late = np.concatenate([values[len(values) // 4 :] for values in (batches, held_out)])
    late = late[np.isfinite(late)]
    if late.size:
        reach = max(float(np.ptp(late)), 1e-6)
        ax.set_ylim(late.min() - 0.1 * reach, late.max() + 0.3 * reach)
    ax.legend(loc="upper right")
    return finish(ax, title="Likelihood of data", x="training step", y="−ln q (nats)")
