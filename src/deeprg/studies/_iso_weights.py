"""W Wᵀ of trained machines in numbers, and the claims about it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeprg.probes import band_structure, weight_spectrum
from deeprg.report.study import Claim, StudyTable

__all__ = [
    "Weights",
    "judge_bands",
    "judge_decay",
    "judge_diagonal",
    "judge_edge",
    "weights_of",
    "weights_table",
]

_BAND, _TENTH = 0.1, 0.5
_PAPER = "Iso et al. 2018"


@dataclass(frozen=True)
class Weights:
    """What is off the diagonal of W Wᵀ, by distance, and how its spectrum decays.

    neighbours, farthest: mean element of nearest neighbours and of pairs at the largest distance, in units of
        the mean diagonal element.
    tenth: the tenth singular value of W over the first; the last one of a smaller machine.
    first, edge, outliers: the first singular value, the edge of an iid matrix of the same spread, and how
        many lie above it.
    rank: the effective one, (Σ s²)²/Σ s⁴.
    """

    neighbours: float
    farthest: float
    tenth: float
    first: float
    edge: float
    outliers: int
    rank: float


def weights_of(weights: np.ndarray, size: int) -> Weights:
    """The numbers of W [size², hidden].

    >>> found = weights_of(np.eye(16) + np.roll(np.eye(16), 1, axis=1), 4)
    >>> found.neighbours, found.farthest, round(found.tenth, 3)
    (0.1875, 0.0, 0.556)
    """
    bands, spectrum = band_structure(weights, (size, size)), weight_spectrum(weights)
    values = spectrum.singular_values
    return Weights(
        neighbours=float(bands.mean[1] / bands.mean[0]),
        farthest=float(bands.mean[-1] / bands.mean[0]),
        tenth=float(values[min(9, len(values) - 1)] / values[0]),
        first=float(values[0]),
        edge=spectrum.edges[1],
        outliers=spectrum.outliers,
        rank=spectrum.participation,
    )


def weights_table(found: Mapping[str, Weights]) -> StudyTable:
    """One row for each machine."""
    return StudyTable(
        "weights",
        "W Wᵀ",
        (
            "machine",
            "neighbours / diagonal",
            "farthest / diagonal",
            "first singular value",
            "random edge",
            "above it",
            "tenth / first",
            "effective rank",
        ),
        [
            [name, w.neighbours, w.farthest, w.first, w.edge, w.outliers, w.tenth, w.rank]
            for name, w in found.items()
        ],
        "Means of W Wᵀ over pairs of sites at one distance, and singular values of W. The edge is that of a "
        "matrix of independent entries of the same mean square.",
    )


def judge_bands(v: Mapping[int, float]) -> Claim:
    """Elements of nearest neighbours over the diagonal, by size of the machine."""
    return Claim(
        "W Wᵀ of V has bands off its diagonal",
        _PAPER,
        f"between nearest neighbours, over the diagonal: {_sizes(v)} (to count: above {_BAND:g})",
        all(ratio > _BAND for ratio in v.values()),
    )


def judge_diagonal(h: Mapping[int, float], v: Mapping[int, float]) -> Claim:
    """The same of H, against V of the same sizes."""
    return Claim(
        "W Wᵀ of H is nearly diagonal, unlike that of V",
        _PAPER,
        f"between nearest neighbours, over the diagonal: {_sizes(h)}; of V "
        f"{_sizes({n: v[n] for n in h})} (to count: below {_BAND:g} and below half of V)",
        all(ratio < _BAND and ratio < 0.5 * v[n] for n, ratio in h.items()),
    )


def judge_decay(v: Mapping[int, float], low: Mapping[int, float]) -> Claim:
    """The tenth singular value over the first, of V and, to compare, of L."""
    return Claim(
        "The spectrum of V decays slowly: there is no one dominant mode",
        _PAPER,
        f"tenth singular value over the first: {_sizes(v)}; of L {_sizes(low)} (to count: at least "
        f"{_TENTH:g} for more than half of the machines V)",
        2 * sum(ratio >= _TENTH for ratio in v.values()) > len(v),
    )


def judge_edge(v: Mapping[int, int]) -> Claim:
    """How many singular values lie above the edge of a random matrix."""
    text = ", ".join(f"{count} (N_h = {n})" for n, count in v.items())
    return Claim(
        "What V has learned stands out of the spectrum of a random matrix",
        "control, not in the paper",
        f"singular values above the edge of an iid matrix of the same spread: {text} (to count: "
        "one for each)",
        all(count > 0 for count in v.values()),
        asserted=False,
    )


def _sizes(ratios: Mapping[int, float]) -> str:
    return ", ".join(f"{ratio:.2f} (N_h = {n})" for n, ratio in ratios.items())
