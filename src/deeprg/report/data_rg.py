"""Coarse-graining of data: cumulants by cut, powers of cluster size, spectra, clusters on their lattice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.lattice import Lattice
from deeprg.probes import ClusterScaling, ModeFlow
from deeprg.report.patterns import COLOURS
from deeprg.report.style import INK, MUTED, bare, finish, legend, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_cluster_map", "plot_cluster_powers", "plot_cluster_spectra", "plot_mode_flows"]


def plot_mode_flows(ax: "Axes", flows: Mapping[str, ModeFlow]) -> "Axes":
    """The normalised fourth cumulant by the number of modes that are kept, fewer to the right; 0 is Gaussian.

    >>> from deeprg.report.style import figure
    >>> flow = ModeFlow(np.array([4, 2, 1]), np.ones(3), np.array([-2.0, -1.0, 0.0]), np.full(3, 0.1))
    >>> plot_mode_flows(figure()[1], {"spins": flow}).get_xlabel()
    'modes kept'
    """
    for number, (label, flow) in enumerate(flows.items()):
        colour = COLOURS[number % len(COLOURS)]
        ax.errorbar(
            flow.kept, flow.cumulant, flow.error, fmt="o-", color=colour, markersize=4, capsize=2, label=label
        )
    ax.axhline(0, color=INK, linestyle="--", linewidth=1)
    ax.set_xscale("log")
    ax.invert_xaxis()
    plain_numbers(ax.xaxis)
    legend(ax, loc="best")
    return finish(ax, title="Fourth cumulant of the cut field", x="modes kept", y="κ₄/κ₂²")


def plot_cluster_powers(
    ax: "Axes", clusters: Mapping[str, ClusterScaling], *, silent: bool = False
) -> "Axes":
    """Variance of clusters, or -ln of the probability that they are silent, by size, with the fitted power.

    >>> from deeprg.probes import cluster_scaling
    >>> from deeprg.report.style import figure
    >>> noise = np.random.default_rng(0).normal(size=(400, 16))
    >>> plot_cluster_powers(figure()[1], {"noise": cluster_scaling(noise)}).get_ylabel()
    'variance'
    """
    for number, (label, found) in enumerate(clusters.items()):
        colour, size, y, power = COLOURS[number % len(COLOURS)], found.size, found.variance, found.alpha
        fitted = len(size)
        if silent:
            seen = (found.silence > 0) & (found.silence < 1)
            size, y, power = size[seen], -np.log(found.silence[seen]), found.beta
            fitted = found.silent_slopes.shape[1] + 1
        name = label if power is None else f"{label}, {'β' if silent else 'α'} = {power.value:.3f}"
        ax.plot(size, y, "o", color=colour, markersize=4, label=name)
        if power is not None:
            ln_size, ln_y = np.log(size[:fitted]), np.log(y[:fitted])
            line = np.exp(ln_y.mean() + power.value * (ln_size - ln_size.mean()))
            ax.plot(size[:fitted], line, "-", color=colour, linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        plain_numbers(axis)
    legend(ax, loc="upper left")
    title, y_label = ("Silence", "−ln P(silent)") if silent else ("Variance", "variance")
    return finish(ax, title=f"{title} of clusters", x="units K of a cluster", y=y_label)


def plot_cluster_spectra(
    ax: "Axes", clusters: Mapping[str, ClusterScaling], *, exponent: float | None = None
) -> "Axes":
    """Eigenvalues of the covariance within the largest clusters by rank/K, each over the first of its kind.

    `exponent` is a dashed line (rank/K)^-exponent through the first spectrum at a tenth of the ranks.

    >>> from deeprg.probes import cluster_scaling
    >>> from deeprg.report.style import figure
    >>> noise = np.random.default_rng(0).normal(size=(400, 16))
    >>> plot_cluster_spectra(figure()[1], {"noise": cluster_scaling(noise)}, exponent=0.875).get_xlabel()
    'rank/K'
    """
    for number, (label, found) in enumerate(clusters.items()):
        rank = np.arange(1, len(found.spectrum) + 1) / len(found.spectrum)
        share = found.spectrum / found.spectrum[0]
        ax.plot(rank, share, "o-", color=COLOURS[number % len(COLOURS)], markersize=2.5, label=label)
        if number == 0 and exponent is not None:
            tenth = len(rank) // 10
            guide = share[tenth] * (rank / rank[tenth]) ** -exponent
            ax.plot(rank, guide, "--", color=INK, linewidth=1, label=f"slope −{exponent:g}")
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        plain_numbers(axis)
    legend(ax, loc="lower left")
    return finish(ax, title="Spectrum within clusters", x="rank/K", y="eigenvalue / largest")


def plot_cluster_map(ax: "Axes", clusters: np.ndarray, lattice: Lattice, *, title: str) -> "Axes":
    """Where the members of clusters [clusters, K] of sites are on a lattice of two dimensions.

    >>> from deeprg.report.style import figure
    >>> places = np.array([[0, 1], [2, 3]])
    >>> plot_cluster_map(figure()[1], places, Lattice((2, 2)), title="pairs").get_xlabel()
    '2 clusters of 2'
    """
    number = np.full(lattice.size, -1)
    number[clusters.reshape(-1)] = np.repeat(np.arange(len(clusters)), clusters.shape[1])
    ax.imshow(number.reshape(lattice.shape), cmap="tab20", interpolation="nearest")
    bare(ax)
    ax.set_title(title)
    ax.set_xlabel(f"{len(clusters)} clusters of {clusters.shape[1]}", color=MUTED)
    return ax
