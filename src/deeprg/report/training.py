"""Curves of a training: free energy against the exact line, gap, effective sample size."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, MUTED, finish, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ess", "plot_free_energy", "plot_gap", "telling"]


def plot_free_energy(
    ax: "Axes",
    steps: ArrayLike,
    free_energy: ArrayLike,
    *,
    error: ArrayLike | None = None,
    exact: float | None = None,
    of: str = "",
) -> "Axes":
    """Variational free energy (nats) against training steps, with the exact value as a line.

    The window is that of the second half of the training, so that the fall at the start does not hide the
    end. `error` is the standard error of each value and is drawn as a band; `of` is written behind ln Z.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_free_energy(ax, [1, 2, 3], [5.0, 2.0, 1.5], exact=1.0).get_xlabel()
    'training step'
    """
    x, y = _finite(steps, free_energy)
    ax.plot(x, y, color=ACCENT, label="variational $F$")
    if error is not None:
        width = np.nan_to_num(
            np.asarray(error, dtype=float)[np.isfinite(np.asarray(free_energy, dtype=float))]
        )
        ax.fill_between(x, y - width, y + width, color=ACCENT, alpha=0.2, linewidth=0)
    if exact is not None:
        ax.axhline(exact, color=EXACT, linestyle="--", linewidth=1.4, label=f"exact $-\\ln Z${of}")
    if y.size:
        late = y[x >= 0.5 * (x[0] + x[-1])] if x.size > 8 else y[-3:]
        low = min(late.min(), late.min() if exact is None else exact)
        high = np.quantile(late, 0.99)
        reach = max(high - low, 1e-6)
        ax.set_ylim(low - 0.12 * reach, high + 1.2 * reach)
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
    return finish(ax, title="Free energy while training", x="training step", y="free energy (nats)")


def plot_gap(
    ax: "Axes",
    steps: ArrayLike,
    gap: ArrayLike,
    *,
    final: float | None = None,
    final_label: str = "final weights",
) -> "Axes":
    """Distance F − F_exact = KL(q|π) (nats) against training steps, both logarithmic.

    `final` is the gap of the final averaged weights from many samples.
    """
    x, y = _finite(steps, gap)
    seen = y > 0
    ax.plot(x[seen], y[seen], color=ACCENT, label="training batches")
    if final is not None and final > 0:
        ax.axhline(final, color=MUTED, linestyle=":", linewidth=1.6, label=f"{final_label}: {final:.3g} nats")
    ax.set_yscale("log")
    plain_numbers(ax.yaxis)
    if x.size and x[-1] > 20 * max(x[0], 1):
        ax.set_xscale("log")
        plain_numbers(ax.xaxis)
    ax.grid(which="minor", axis="y", alpha=0.4)
    ax.legend(loc="upper right")
    return finish(ax, title="Gap to the exact free energy", x="training step", y="$F - F_{exact}$ (nats)")


def plot_ess(ax: "Axes", steps: ArrayLike, ess: ArrayLike, *, final: float | None = None) -> "Axes":
    """Effective sample size of the training batches, a fraction: noisy and biased, but it shows the trend."""
    x, y = _finite(steps, ess)
    ax.plot(x, y, color=ACCENT, label="training batches")
    if final is not None:
        ax.axhline(final, color=MUTED, linestyle=":", linewidth=1.6, label=f"final weights: {final:.3g}")
    ax.set_ylim(0, 1)
    ax.legend(loc="lower right")
    return finish(ax, title="Effective sample size", x="training step", y="ESS / draws")


def telling(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records without the short chunks at the end, whose averages over few steps are only noise."""
    if len(records) < 8:
        return list(records)
    lengths = np.diff([0, *(record["step"] for record in records)])
    typical, half = np.median(lengths), len(records) // 2
    return [r for i, (r, n) in enumerate(zip(records, lengths, strict=True)) if i < half or n > 0.3 * typical]


def _finite(steps: ArrayLike, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    good = np.isfinite(y)
    return x[good], y[good]
