"""Singular values of weights with the edge of a random matrix, and the bands of W Wᵀ."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes import BandStructure, WeightSpectrum
from deeprg.report.patterns import COLOURS
from deeprg.report.style import MUTED, finish, legend, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_bands", "plot_weight_spectra"]


def plot_weight_spectra(ax: "Axes", spectra: Mapping[str, WeightSpectrum]) -> "Axes":
    """Singular values against their rank; a dashed line of the same colour is the edge of an iid matrix.

    >>> from deeprg.probes import weight_spectrum
    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> found = weight_spectrum(np.random.default_rng(0).normal(size=(64, 16)))
    >>> ax = plot_weight_spectra(ax, {"random": found})
    >>> [line.get_label() for line in ax.lines[1:]]
    ['its random edge']
    """
    for number, (label, found) in enumerate(spectra.items()):
        colour = COLOURS[number % len(COLOURS)]
        positive = found.singular_values[found.singular_values > 0]
        name = f"{label}: {found.outliers} above the edge"
        ax.plot(np.arange(1, positive.size + 1), positive, "o", color=colour, markersize=3, label=name)
        edge = "its random edge" if number == 0 else None
        ax.axhline(found.edges[1], color=colour, linestyle="--", linewidth=1.2, label=edge)
    ax.set_yscale("log")
    plain_numbers(ax.yaxis)
    legend(ax, loc="best")
    return finish(ax, title="Spectrum of the weights", x="rank", y="singular value")


def plot_bands(ax: "Axes", bands: Mapping[str, BandStructure], *, most: float | None = None) -> "Axes":
    """(W Wᵀ)_ij over its diagonal by distance |i - j|: the mean, with one standard deviation of pairs.

    `most` is the largest distance shown.

    >>> from deeprg.probes import band_structure
    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_bands(ax, {"identity": band_structure(np.eye(16), (4, 4))}).get_ylabel()
    'W Wᵀ / diagonal'
    """
    for number, (label, found) in enumerate(bands.items()):
        colour = COLOURS[number % len(COLOURS)]
        scale = found.mean[0] or 1.0
        shown = found.r <= (np.inf if most is None else most)
        r, mean, spread = found.r[shown], found.mean[shown] / scale, found.spread[shown] / scale
        ax.errorbar(
            r,
            mean,
            yerr=spread,
            fmt="o-",
            color=colour,
            linewidth=0.9,
            elinewidth=0.8,
            markersize=3,
            label=label,
        )
    ax.axhline(0, color=MUTED, linewidth=0.8)
    legend(ax)
    return finish(ax, title="Bands of W Wᵀ", x="distance |i − j| (lattice spacings)", y="W Wᵀ / diagonal")
