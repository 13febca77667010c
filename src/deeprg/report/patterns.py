"""Radial profiles of patterns, and their spatial autocorrelation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import PatternStatistics
from deeprg.report.style import ACCENT, EXACT, INK, MUTED, SECOND, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "plot_radial_profiles"]

# Of the coarse-grainings that one figure compares.
COLOURS = (ACCENT, SECOND, EXACT, "#3d8a6f", "#6d5a8d", MUTED, INK)


def plot_radial_profiles(ax: "Axes", statistics: Mapping[str, PatternStatistics]) -> "Axes":
    """M(r) around the centre of every pattern: the median over the patterns, and a band from 16 % to 84 %.

    `statistics` maps labels to results of `deeprg.probes.pattern_statistics`; patterns enter with their
    gauge sign.

    >>> from deeprg.probes import pattern_statistics
    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> found = pattern_statistics(np.random.default_rng(0).normal(size=(5, 8, 8)))
    >>> plot_radial_profiles(ax, {"random": found}).get_xlabel()
    'distance from the centre (lattice spacings)'
    """
    for number, (label, found) in enumerate(statistics.items()):
        colour = COLOURS[number % len(COLOURS)]
        some = ~np.all(np.isnan(found.profile), axis=0)
        low, middle, high = np.nanquantile(found.profile[:, some], [0.16, 0.5, 0.84], axis=0)
        ax.plot(found.r[some], middle, "o-", color=colour, markersize=3.5, label=label)
        ax.fill_between(found.r[some], low, high, color=colour, alpha=0.15, linewidth=0)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    legend(ax)
    return finish(
        ax, title="Radial profile", x="distance from the centre (lattice spacings)", y="pattern M(r)"
    )
