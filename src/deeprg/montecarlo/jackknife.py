"""Errors from blocks: binning of a series, and the delete-one-block jackknife of any function of means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.montecarlo._summary import json_ready
from deeprg.montecarlo.autocorrelation import Samples, checked_chains, gamma_method, is_fluctuation
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["BinningAnalysis", "Jackknife", "binning_analysis", "jackknife"]

FEWEST_BLOCKS = 10
_FEWEST_BINS = 16
TAUS_PER_BLOCK = 10


@dataclass(frozen=True)
class BinningAnalysis:
    """The error of the mean against the size of bins, as `binning_analysis` returns it.

    bin_size, error, error_of_error: arrays over the sizes 1, 2, 4 …; `error` rises until bins are
        independent.
    plateau: whether some bin size is long enough; if not, the error is a lower bound.
    best: index of the first such size (of the last one when there is no plateau).
    tau_int: from the error at `best`, 0.5 for independent samples; `tau_int_error` is its error.
    """

    mean: float
    bin_size: np.ndarray
    error: np.ndarray
    error_of_error: np.ndarray
    plateau: bool
    best: int
    tau_int: float
    tau_int_error: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in json_ready(self).items()}


def binning_analysis(series: Samples) -> BinningAnalysis:
    """Error of the mean of a correlated series from means over bins of 1, 2, 4 … steps.

    error(b)² = var(bin means)/(number of bins), tau_int(b) = ½ error(b)²/error(1)². The smallest b with
    b³ > 2 N (error(b)/error(1))⁴ balances the correlation between bins against their number (R. M. Lee et
    al., Phys. Rev. E 83, 066706 (2011)). Bins do not cross chains and at least 16 remain. The
    errors of bins of finite size are too small by a part of order tau/b; `gamma_method` is more accurate.

    Raises:
        UsageError: NaN, or fewer than 32 samples.
        NumericalError: samples without fluctuations.

    AR(1) with coefficient 0.8: tau_int = 4.5.

    >>> from scipy.signal import lfilter
    >>> noise = np.random.default_rng(0).normal(size=(4, 20000))
    >>> found = binning_analysis(lfilter([1.0], [1.0, -0.8], noise, axis=1))
    >>> print(f"{found.bin_size[found.best]} steps: {found.tau_int:.1f} +- {found.tau_int_error:.1f}")
    256 steps: 4.8 +- 0.4
    """
    chains = checked_chains(series)
    n = sum(chain.size for chain in chains)
    if n < 2 * _FEWEST_BINS:
        raise UsageError(f"The series has {n} samples; binning needs at least {2 * _FEWEST_BINS}.")
    mean = float(sum(chain.sum() for chain in chains) / n)
    if not is_fluctuation(float(np.mean((np.concatenate(chains) - mean) ** 2)), mean):
        raise NumericalError(f"All {n} samples equal {mean:.6g}: without fluctuations there is no error.")
    sizes, errors, counts, size = [], [], [], 1
    while sum(bins := [chain.size // size for chain in chains]) >= _FEWEST_BINS:
        means = np.concatenate(
            [c[: k * size].reshape(k, size).mean(axis=1) for c, k in zip(chains, bins, strict=True)]
        )
        sizes.append(size)
        counts.append(means.size)
        errors.append(np.std(means, ddof=1) / np.sqrt(means.size))
        size *= 2
    bin_size, error = np.array(sizes), np.array(errors)
    growth = (error / error[0]) ** 2
    long_enough = np.flatnonzero(bin_size**3.0 > 2 * n * growth**2)
    best = int(long_enough[0]) if long_enough.size else len(sizes) - 1
    relative = 1 / np.sqrt(2 * (np.array(counts) - 1))
    return BinningAnalysis(
        mean=mean,
        bin_size=bin_size,
        error=error,
        error_of_error=error * relative,
        plateau=long_enough.size > 0,
        best=best,
        tau_int=float(growth[best] / 2),
        tau_int_error=float(growth[best] * relative[best]),
    )


@dataclass(frozen=True)
class Jackknife:
    """A function of means with its error, as `jackknife` returns it: numbers, or arrays of one shape.

    `value` is the function at the means, `bias` the estimate of its bias of order 1/n, `replicas` the values
    without one block each, [blocks, ...]. `short` is true when a block is shorter than 10 tau_int: blocks are
    then correlated, and the error is too small by 5 % or more.
    """

    value: Any
    error: Any
    bias: Any
    replicas: np.ndarray
    short: bool = False

    @property
    def corrected(self) -> Any:
        """The value with the estimated bias taken out; its error is the same to leading order."""
        return self.value - self.bias

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the (flattened) values, for fits of curves: (B - 1)/B Σ_b δ_b δ_bᵀ."""
        blocks = len(self.replicas)
        spread = (self.replicas - self.replicas.mean(axis=0)).reshape(blocks, -1)
        return (blocks - 1) / blocks * spread.T @ spread


def jackknife(function: Callable[..., Any], series: Mapping[str, Any], *, blocks: int = 50) -> Jackknife:
    """Any function of the means of several series, with the error of the delete-one-block jackknife.

    With θ_b the function at the means over all chains without block b, error² = (B-1)/B Σ_b (θ_b - θ̄)² and
    bias = (B-1)(θ̄ - θ). Blocks are consecutive steps of one chain and should be 10 tau_int long. Unlike
    `gamma_derived` this takes arrays, needs no derivative, and knows the bias. Source: B. Efron, The
    jackknife, the bootstrap and other resampling plans (1982), chapters 2 and 3.

    Args:
        function: called with the means as keywords; returns a number or an array.
        series: name to samples of the same chains: `[steps]`, `[chains, steps]`, a list of vectors, or
            `[chains, steps, ...]`, where means are arrays.
        blocks: how many over all chains, 10 or more; 50 to 100 is usual. Each chain gives at least one.

    Raises:
        UsageError: fewer than 10 blocks, fewer than 2 steps a block, series that differ in length, or NaN.

    >>> x = np.random.default_rng(0).normal(size=(4, 500))
    >>> found = jackknife(lambda x: x**2, {"x": x + 1.0}, blocks=40)             # exact 1; bias 1/2000
    >>> print(f"{found.value:.3f} +- {found.error:.3f}, bias {found.bias:.4f}")
    0.945 +- 0.045, bias 0.0005
    """
    chains = {name: _chains(name, samples) for name, samples in series.items()}
    if not chains:
        raise UsageError("series is empty; give at least one, as a mapping of names to samples.")
    lengths = {name: [len(chain) for chain in parts] for name, parts in chains.items()}
    if any(found != next(iter(lengths.values())) for found in lengths.values()):
        raise UsageError(f"The series differ in length, {lengths}; they must come from the same chains.")
    summed = {name: block_sums(parts, blocks) for name, parts in chains.items()}
    counts = next(iter(summed.values()))[1]
    tau = max(slowest_tau(parts) for parts in chains.values())
    return delete_one(
        function,
        {name: sums for name, (sums, _) in summed.items()},
        counts,
        short=bool(counts.min() < TAUS_PER_BLOCK * tau),
    )


def block_sums(chains: list[np.ndarray], blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over consecutive blocks of nearly equal length, [blocks, ...], and their numbers of steps."""
    total = sum(len(chain) for chain in chains)
    if blocks < FEWEST_BLOCKS:
        raise UsageError(f"blocks = {blocks} is too few for an error; take {FEWEST_BLOCKS} or more.")
    if total < 2 * blocks:
        raise UsageError(f"{total} samples do not fill {blocks} blocks of 2 or more; take fewer blocks.")
    sums, counts = [], []
    for chain in chains:
        pieces = min(max(1, round(blocks * len(chain) / total)), len(chain))
        edges = np.linspace(0, len(chain), pieces + 1).astype(int)
        sums.append(np.add.reduceat(chain, edges[:-1], axis=0))
        counts.append(np.diff(edges))
    return np.concatenate(sums), np.concatenate(counts)


def delete_one(
    function: Callable[..., Any], sums: Mapping[str, np.ndarray], counts: ArrayLike, *, short: bool = False
) -> Jackknife:
    """The jackknife from sums over blocks, [blocks, ...] each, and the blocks' weights or step counts."""
    weights = np.asarray(counts, dtype=np.float64)
    total = {name: parts.sum(axis=0) for name, parts in sums.items()}

    def at(without: int | None) -> np.ndarray:
        if without is None:
            return np.asarray(function(**{k: t / weights.sum() for k, t in total.items()}), dtype=np.float64)
        left = weights.sum() - weights[without]
        return np.asarray(
            function(**{k: (t - sums[k][without]) / left for k, t in total.items()}), dtype=np.float64
        )

    return from_replicas(at(None), np.stack([at(b) for b in range(weights.size)]), short=short)


def from_replicas(value: np.ndarray, replicas: np.ndarray, *, short: bool = False) -> Jackknife:
    """Error and bias from the value on all data and the values without one block each, [blocks, ...]."""
    blocks = len(replicas)
    centre = replicas.mean(axis=0)
    error = np.sqrt((blocks - 1) / blocks * np.sum((replicas - centre) ** 2, axis=0))
    bias = (blocks - 1) * (centre - value)
    if np.ndim(value) == 0:
        return Jackknife(float(value), float(error), float(bias), replicas, short)
    return Jackknife(value, error, bias, replicas, short)


def _chains(name: str, samples: Any) -> list[np.ndarray]:
    if isinstance(samples, (list, tuple)) or np.ndim(samples) < 3:
        return checked_chains(samples)
    array = np.asarray(samples, dtype=np.float64)
    if not np.isfinite(array).all():
        raise UsageError(f"Series '{name}' holds NaN or infinity; find where the observable fails.")
    return list(array)


def slowest_tau(chains: list[np.ndarray]) -> float:
    """tau_int of a series, of the mean over its trailing axes when it has any; 0.5 for a constant."""
    try:
        return gamma_method([c.mean(axis=tuple(range(1, c.ndim))) for c in chains]).tau_int
    except NumericalError:
        return 0.5
