"""Correlations in space: G(r), the structure factor S(k) and the correlation length, from configurations."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.lattice import Lattice
from deeprg.montecarlo._modes import FieldMap, axis_correlation, axis_structure, power_spectrum
from deeprg.montecarlo.derived import gamma_derived
from deeprg.montecarlo.estimate import Estimate
from deeprg.montecarlo.jackknife import (
    FEWEST_BLOCKS,
    TAUS_PER_BLOCK,
    Jackknife,
    delete_one,
    jackknife,
    slowest_tau,
)
from deeprg.montecarlo.thermodynamics import formulas
from deeprg.runs.errors import UsageError, nearest

__all__ = [
    "SpatialAverages",
    "SpatialCurve",
    "correlation_function",
    "spatial_averages",
    "structure_factor",
]

_MOST_BINS = 128
_SITES_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class SpatialCurve:
    """A function of distance or momentum with errors; `replicas` [blocks, ...] carry their correlations.

    `x` holds r or |k|, one per value; for the kind "lattice" the values have the lattice's shape and `x` its
    distances or momenta |k|.
    """

    x: np.ndarray
    value: np.ndarray
    error: np.ndarray
    replicas: np.ndarray
    short: bool = False


@dataclass(frozen=True)
class SpatialAverages:
    """What `spatial_averages` keeps of configurations on a lattice of `shape`.

    correlation, structure: G(r) and S(k = 2π n/L) of every draw along the longest axes, averaged over these,
        [chains, draws, L//2 + 1].
    mean: the average of the field of every draw, [components, chains, draws].
    maps, counts: sums over bins of consecutive draws of S(k) on the lattice, [bins, *shape], and the number
        of configurations in each bin.
    """

    shape: tuple[int, ...]
    correlation: np.ndarray
    structure: np.ndarray
    mean: np.ndarray
    maps: np.ndarray
    counts: np.ndarray

    def correlation_function(
        self, kind: str = "axis", *, connected: bool = False, blocks: int = 50
    ) -> SpatialCurve:
        """G(r) = ⟨φ_i φ*_{i+r}⟩ averaged over i; less |⟨φ⟩|² if `connected`.

        Kinds: "axis" (along the longest axes, r = 0 … L/2), "distance" (averaged over all displacements of
        one Euclidean length on the torus), "lattice" (every displacement, [*shape]). Errors by the jackknife
        over `blocks` blocks of draws, for the last two kinds made of the bins that were kept.

        Raises:
            UsageError: an unknown kind, or too few draws or bins for an error.
        """
        if kind == "axis":

            def profile(correlation: np.ndarray, **parts: np.ndarray) -> np.ndarray:
                return correlation - sum(np.square(part) for part in parts.values())

            series = {"correlation": self.correlation} | (self._mean_parts() if connected else {})
            r = np.arange(self.correlation.shape[-1])
            return _curve(r, jackknife(profile, series, blocks=self._blocks(blocks)))
        if connected:
            raise UsageError(f"connected is for the kind 'axis', not '{kind}'; subtract |⟨φ⟩|² yourself.")
        distances = Lattice(self.shape).distances()
        return self._from_maps(kind, blocks, distances, lambda maps: np.fft.ifftn(maps).real)

    def structure_factor(self, kind: str = "axis", *, blocks: int = 50) -> SpatialCurve:
        """S(k) = ⟨|Σ_j φ_j e^{-ikj}|²⟩/N, not connected: S(0) = N ⟨|φ̄|²⟩.

        Kinds: "axis" (k = 2π n/L along the longest axes, n = 0 … L/2), "distance" (averaged over all momenta
        of one length |k|), "lattice" (every momentum in the order of `numpy.fft.fftn`). Errors and exceptions
        as in `correlation_function`.
        """
        if kind == "axis":
            k = 2 * np.pi * np.arange(self.structure.shape[-1]) / max(self.shape)
            found = jackknife(lambda s: s, {"s": self.structure}, blocks=self._blocks(blocks))
            return _curve(k, found)
        angles = [2 * np.pi * np.fft.fftfreq(extent) for extent in self.shape]
        length = np.sqrt(sum(np.square(k) for k in np.meshgrid(*angles, indexing="ij")))
        return self._from_maps(kind, blocks, length, lambda maps: maps)

    def correlation_length(self) -> Estimate:
        """The second-moment length 1/(2 sin π/L) √(S(0)/S(2π/L) - 1) along the longest axes, Γ-method errors.

        Raises:
            NumericalError: S(0) <= S(2π/L) or S(2π/L) = 0, so that the samples define no length.
        """
        longest = max(self.shape)
        series = {"m2": self.structure[..., 0], "s": self.structure[..., 1]}
        _, formula = formulas(series, 1, None, (longest,))["correlation_length"]
        return Estimate.from_gamma(gamma_derived(formula, series))

    def _mean_parts(self) -> dict[str, np.ndarray]:
        """Real and imaginary parts of the mean of every component, [chains, draws, 1]."""
        parts = {}
        for index, component in enumerate(self.mean):
            parts[f"re{index}"] = component.real[..., None]
            if np.iscomplexobj(component):
                parts[f"im{index}"] = component.imag[..., None]
        return parts

    def _blocks(self, blocks: int) -> int:
        return min(blocks, self.correlation.shape[0] * self.correlation.shape[1] // 2)

    def _from_maps(
        self, kind: str, blocks: int, coordinate: np.ndarray, transform: Callable[[np.ndarray], np.ndarray]
    ) -> SpatialCurve:
        if kind not in ("distance", "lattice"):
            kinds = ("axis", "distance", "lattice")
            raise UsageError(f"Unknown kind '{kind}'; choose from {', '.join(kinds)}.{nearest(kind, kinds)}")
        if min(blocks, len(self.counts)) < FEWEST_BLOCKS:
            raise UsageError(
                f"{len(self.counts)} bins of draws in {blocks} blocks are too few for an error; "
                f"{FEWEST_BLOCKS} are needed. Pass the configurations in more and smaller blocks."
            )
        first = np.arange(0, len(self.counts), -(-len(self.counts) // blocks))
        maps, counts = np.add.reduceat(self.maps, first), np.add.reduceat(self.counts, first)
        steps = counts[:-1].min() / len(self.correlation)  # the last block takes what is left
        short = bool(steps < TAUS_PER_BLOCK * slowest_tau([*self.correlation]))
        values: Callable[[np.ndarray], np.ndarray] = transform
        if kind == "distance":
            coordinate, shell = np.unique(coordinate.round(9), return_inverse=True)
            shell = shell.reshape(-1)
            values = lambda maps: np.bincount(shell, transform(maps).reshape(-1)) / np.bincount(shell)
        return _curve(coordinate, delete_one(lambda maps: values(maps), {"maps": maps}, counts, short=short))


def spatial_averages(
    configurations: np.ndarray | Iterable[np.ndarray], *, field: FieldMap | None = None
) -> SpatialAverages:
    """Everything about correlations in space from configurations, by one Fourier transform of each.

    The configurations themselves are not kept: only what varies along an axis for every draw, and the full
    S(k) in at most 128 bins of draws, which merge as more arrive.

    Args:
        configurations: `[chains, draws, *shape]`, or an iterator of blocks `[draws, chains, *shape]` as
            samplers return them, all with the same chains. In an iterator every block makes a bin at first:
            10 or more blocks are needed for errors by distance or momentum.
        field: order-parameter field of a block, from `[..., *shape]` to real or complex values
            `[components, ..., *shape]`; the numbers as they are if None. See `potts_field`, `xy_field`.

    Raises:
        UsageError: no configurations, blocks that do not match, NaN, or a field map of the wrong shape.

    Independent spins: G(r) = 0 for r > 0.

    >>> spins = np.random.default_rng(0).choice([-1, 1], size=(2, 500, 8, 8)).astype(np.int8)
    >>> found = spatial_averages(spins)
    >>> curve = found.correlation_function()
    >>> curve.value.round(3)[:2], bool(abs(curve.value[1]) < 3 * curve.error[1])
    (array([ 1.   , -0.004]), True)
    """
    correlations, structures, means = [], [], []
    maps: list[np.ndarray] = []
    counts: list[int] = []
    shape: tuple[int, ...] | None = None
    chains = 0
    for block in _blocks(configurations):
        if shape is None:
            chains, shape = block.shape[1], block.shape[2:]
        if block.shape[1:] != (chains, *shape):
            raise UsageError(
                f"A block has shape {block.shape}, but the first one [draws, {chains}, *{shape}]; all blocks "
                "must have the same chains and lattice."
            )
        axes = [axis for axis, extent in enumerate(shape) if extent == max(shape)]
        maps.append(np.zeros(shape))
        counts.append(len(block) * chains)
        step = max(1, _SITES_AT_ONCE // block[0].size)
        for first in range(0, len(block), step):
            power, mean = power_spectrum(block[first : first + step], field, len(shape))
            correlations.append(np.mean([axis_correlation(power, axis) for axis in axes], axis=0))
            structures.append(np.mean([axis_structure(power, axis) for axis in axes], axis=0))
            means.append(mean)
            maps[-1] += power.sum(axis=(0, 1), dtype=np.float64)
        if len(maps) > _MOST_BINS:
            maps = [maps[i] + maps[i + 1] for i in range(0, _MOST_BINS, 2)] + maps[_MOST_BINS:]
            counts = [counts[i] + counts[i + 1] for i in range(0, _MOST_BINS, 2)] + counts[_MOST_BINS:]
    if shape is None:
        raise UsageError("there are no configurations; give [chains, draws, *shape] or blocks of them.")
    return SpatialAverages(
        shape=tuple(shape),
        correlation=np.swapaxes(np.concatenate(correlations), 0, 1),
        structure=np.swapaxes(np.concatenate(structures), 0, 1),
        mean=np.swapaxes(np.concatenate(means, axis=1), 1, 2),
        maps=np.stack(maps),
        counts=np.array(counts),
    )


def correlation_function(
    configurations: np.ndarray | Iterable[np.ndarray],
    kind: str = "axis",
    *,
    field: FieldMap | None = None,
    connected: bool = False,
    blocks: int = 50,
) -> SpatialCurve:
    """G(r) of configurations with errors: `spatial_averages` and its `correlation_function` in one call.

    The ring of 4 sites with mass 1 has G = (0.4667, 0.2, 0.1333):

    >>> rng = np.random.default_rng(0)
    >>> spectrum = 3 - 2 * np.cos(np.pi / 2 * np.arange(4))
    >>> noise = rng.normal(size=(4, 1000, 4))
    >>> fields = np.fft.ifft(np.fft.fft(noise) / np.sqrt(spectrum)).real
    >>> curve = correlation_function(fields)
    >>> print(curve.value.round(3), curve.error.round(3))
    [0.465 0.2   0.139] [0.006 0.006 0.006]
    """
    found = spatial_averages(configurations, field=field)
    return found.correlation_function(kind, connected=connected, blocks=blocks)


def structure_factor(
    configurations: np.ndarray | Iterable[np.ndarray],
    kind: str = "axis",
    *,
    field: FieldMap | None = None,
    blocks: int = 50,
) -> SpatialCurve:
    """S(k) of configurations with errors: `spatial_averages` and its `structure_factor` in one call.

    >>> noise = np.random.default_rng(0).normal(size=(4, 1000, 8))                       # S(k) = 1
    >>> curve = structure_factor(noise)
    >>> print(curve.value.round(2), curve.error.round(2))
    [0.97 1.01 0.98 1.01 0.99] [0.02 0.01 0.02 0.01 0.02]
    """
    return spatial_averages(configurations, field=field).structure_factor(kind, blocks=blocks)


def _blocks(configurations: np.ndarray | Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Blocks [draws, chains, *shape] of bounded size, never empty."""
    if isinstance(configurations, np.ndarray) or hasattr(configurations, "__array__"):
        array: Any = np.asarray(configurations)
        if array.ndim < 3:
            raise UsageError(f"configurations has shape {array.shape}; it must be [chains, draws, *shape].")
        pieces: Iterable[np.ndarray] = np.array_split(
            np.swapaxes(array, 0, 1), max(min(_MOST_BINS // 2, array.shape[1]), 1)
        )
    else:
        pieces = configurations
    for piece in pieces:
        block = np.asarray(piece)
        if block.ndim < 3:
            raise UsageError(f"A block has shape {block.shape}; it must be [draws, chains, *shape].")
        if 0 in block.shape:
            continue
        yield block


def _curve(x: np.ndarray, found: Jackknife) -> SpatialCurve:
    return SpatialCurve(x, np.asarray(found.value), np.asarray(found.error), found.replicas, found.short)
