"""Weights of a layer: singular values against a random matrix, bands of W Wᵀ, receptive fields in depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

__all__ = [
    "BandStructure",
    "WeightSpectrum",
    "band_structure",
    "marchenko_pastur",
    "receptive_fields",
    "weight_spectrum",
]


@dataclass(frozen=True)
class WeightSpectrum:
    """Singular values of W [n, m], descending, beside those of an iid matrix of the same spread.

    spread: root mean square σ of the entries.
    edges: smallest and largest singular value of a large iid matrix, σ |√n ∓ √m|.
    outliers: how many singular values lie above the upper edge; an iid matrix has none, but for fluctuations
        of relative size n^(-2/3).
    participation: (sum s²)² / sum s⁴, the effective rank.
    """

    singular_values: np.ndarray
    shape: tuple[int, int]
    spread: float
    edges: tuple[float, float]
    outliers: int
    participation: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        plain = {"singular_values": self.singular_values.tolist()}
        return {k: plain.get(k, list(v) if isinstance(v, tuple) else v) for k, v in vars(self).items()}


@dataclass(frozen=True)
class BandStructure:
    """(W Wᵀ)_ij against the displacement j - i on the lattice.

    bands: mean over i for every displacement, [*shape].
    r, mean, spread: distances, and mean and standard deviation of all elements (i, j) at each of them.
    """

    bands: np.ndarray
    r: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() for k, v in vars(self).items()}


def _matrix(weights: ArrayLike, name: str = "weights") -> np.ndarray:
    array = np.asarray(weights, np.float64)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        finite = "" if np.isfinite(array).all() else " and holds NaN or infinity"
        raise UsageError(
            f"{name} has shape {array.shape}{finite}; it must be a finite matrix [visible, hidden]."
        )
    return array


def weight_spectrum(weights: ArrayLike) -> WeightSpectrum:
    """Singular values of W and the edges of an iid matrix with entries of the same mean square.

    Large iid matrices with variance σ² have singular values within σ|√n - √m| ... σ(√n + √m)
    (V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1, 457 (1967)). What was learned enters σ too, so that
    the edge is conservative.

    Raises:
        UsageError: not a matrix, or not finite.

    A rank-one signal in noise:

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=(100, 50))
    >>> found = weight_spectrum(noise + 0.5 * np.outer(np.ones(100), rng.choice([-1, 1], size=50)))
    >>> found.outliers, weight_spectrum(noise).outliers
    (1, 0)
    >>> print(found.singular_values.round(1)[:2], round(found.edges[1], 1))
    [37.2 15.9] 19.0
    """
    matrix = _matrix(weights)
    values = np.linalg.svd(matrix, compute_uv=False)
    n, m = matrix.shape
    spread = float(np.sqrt(np.mean(matrix**2)))
    edges = spread * abs(n**0.5 - m**0.5), spread * (n**0.5 + m**0.5)
    total = float(np.sum(values**4))
    return WeightSpectrum(
        singular_values=values,
        shape=(n, m),
        spread=spread,
        edges=edges,
        outliers=int(np.sum(values > edges[1])),
        participation=float(np.sum(values**2)) ** 2 / total if total > 0 else 0.0,
    )


def marchenko_pastur(values: ArrayLike, shape: tuple[int, int], spread: float) -> np.ndarray:
    """Density of the min(n, m) singular values s of a large iid matrix [n, m], entries of variance spread².

    ρ(s) = √((s₊² - s²)(s² - s₋²)) / (π k σ² s), k = min(n, m), between the edges s∓ = σ|√n ∓ √m|; else 0.

    >>> s = np.linspace(0.0, 4.0, 4001)[1:]
    >>> round(float(marchenko_pastur(s, (100, 25), 0.1).sum() * 0.001), 3)
    1.0
    """
    s = np.asarray(values, np.float64)
    n, m = shape
    if not spread > 0:
        raise UsageError(f"spread = {spread}: an iid matrix without spread has no density.")
    low, high = spread**2 * (n**0.5 - m**0.5) ** 2, spread**2 * (n**0.5 + m**0.5) ** 2
    inside = np.clip((high - s**2) * (s**2 - low), 0, None)
    safe = np.where(s > 0, s, 1.0)
    return np.where(s > 0, np.sqrt(inside) / (np.pi * min(shape) * spread**2 * safe), 0.0)


def band_structure(weights: ArrayLike, shape: tuple[int, ...]) -> BandStructure:
    """W Wᵀ by lattice displacement: `weights` [sites, hidden], the sites of a lattice of `shape` in C order.

    bands(d) = mean_i (W Wᵀ)_{i, i+d}. The spread is that of sites, directions and displacements of equal
    length; a random W has mean 0 but at d = 0.

    Raises:
        UsageError: another number of rows than sites, or not finite.

    >>> found = band_structure(np.eye(4) + np.roll(np.eye(4), 1, axis=1), (4,))
    >>> found.r.tolist(), found.mean.tolist(), found.spread.tolist()
    ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0])
    """
    matrix, lattice = _matrix(weights), Lattice(shape)
    if len(matrix) != lattice.size:
        raise UsageError(
            f"weights has {len(matrix)} rows, but the lattice {lattice} has {lattice.size} sites."
        )
    gram = (matrix @ matrix.T).reshape(-1)
    there = lattice.displacements().reshape(-1)
    bands = np.bincount(there, gram) / lattice.size
    r, shell = np.unique(lattice.distances().round(9), return_inverse=True)
    shell = shell.reshape(-1)[there]
    count = np.bincount(shell)
    mean = np.bincount(shell, gram) / count
    square = np.bincount(shell, (gram - mean[shell]) ** 2) / count
    return BandStructure(bands.reshape(lattice.shape), r, mean, np.sqrt(square))


def receptive_fields(weights: Sequence[ArrayLike]) -> list[np.ndarray]:
    """r^(1) = W^(1), r^(l) = r^(l-1) W^(l): what the units of layer l see of the visible ones.

    `weights` are W^(l) [units of layer l - 1, units of layer l]. Returns one array [units of layer l, visible
    units] per layer: patterns as `pattern_statistics` takes them. They are exact for linear units, and first
    order in the weights otherwise. The effective receptive fields of arXiv:1410.3831.

    Raises:
        UsageError: no weights, or shapes that do not follow each other.

    >>> fields = receptive_fields([np.ones((4, 2)), np.full((2, 1), 0.5)])
    >>> [field.shape for field in fields], fields[-1].tolist()
    ([(2, 4), (1, 4)], [[1.0, 1.0, 1.0, 1.0]])
    """
    if not len(weights):
        raise UsageError("There are no weights; give one matrix per layer.")
    fields: list[np.ndarray] = []
    for number, layer in enumerate(weights, start=1):
        matrix = _matrix(layer, f"the weights of layer {number}")
        if fields and len(fields[-1]) != len(matrix):
            raise UsageError(
                f"Layer {number} has weights from {len(matrix)} units, but layer {number - 1} has "
                f"{len(fields[-1])}."
            )
        fields.append(matrix.T @ fields[-1] if fields else matrix.T)
    return fields
