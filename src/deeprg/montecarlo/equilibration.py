"""How many steps to drop at the start of chains, and whether they have forgotten it at all."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.special

from deeprg.montecarlo.autocorrelation import Samples, checked_chains, gamma_method
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["Equilibration", "compare_starts", "equilibration_start"]

_BATCH = 5
_FEWEST = 10 * _BATCH
_AGREE = 0.01


@dataclass(frozen=True)
class Equilibration:
    """How many steps to drop at the start of every chain of `steps`, and whether the rest can be believed.

    `equilibrated` is false when more than half of the chain would have to go: then the chain is too short,
    whatever is dropped. `agreement` is the probability that hot and cold starts in equilibrium differ as much
    as these do after the drop; None when there was only one kind of start.
    """

    start: int
    steps: int
    equilibrated: bool
    agreement: float | None = None


def equilibration_start(series: Samples) -> Equilibration:
    """The number of steps to drop, by the rule of the smallest marginal standard error (MSER-5).

    After averaging over batches of 5 steps, the start d minimises Σ_{t≥d} (x_t - x̄_d)²/(n - d)²: dropping a
    transient lowers the scatter, dropping equilibrium lowers n (K. P. White, Simulation 69, 323 (1997)).
    Of several chains, the larger of two starts counts: that of all chains about their common mean, so that
    chains from different sides must meet, and that of their average, whose noise is lower.
    `pymbar.timeseries.detect_equilibration`, which maximises the number of effective samples instead, takes
    one chain and an autocorrelation analysis for every candidate; MSER is one pass over cumulative sums and
    has no window to choose.

    The rule sees the observable it is given, and only what happens within the chain: chains that are all
    stuck on the same side look equilibrated. Compare hot and cold starts (`compare_starts`).

    Args:
        series: `[steps]`, `[chains, steps]`, or a list of vectors, which are cut to the shortest.

    Raises:
        UsageError: NaN, or chains of fewer than 50 steps.

    A transient 5 exp(-t/40) under unit noise:

    >>> x = np.random.default_rng(0).normal(size=(4, 2000)) + 5 * np.exp(-np.arange(2000) / 40)
    >>> equilibration_start(x)
    Equilibration(start=140, steps=2000, equilibrated=True, agreement=None)
    """
    array = _rectangle(series)
    steps = array.shape[1]
    batches = steps // _BATCH
    x = array[:, : batches * _BATCH].reshape(len(array), batches, _BATCH).mean(axis=2)
    x = x - x.mean()
    drop = _BATCH * max(_smallest_scatter(x), _smallest_scatter(x.mean(axis=0, keepdims=True)))
    return Equilibration(drop, steps, equilibrated=2 * drop <= steps)


def compare_starts(hot: Samples, cold: Samples) -> Equilibration:
    """The number of steps after which chains from disordered and from ordered starts agree.

    Begins at the larger of the two `equilibration_start`, and drops more, by half each time, until the means
    differ by no more than chance allows: z = (h̄ - c̄)/√(σ_h² + σ_c²) with Γ-method errors, two-sided
    probability 0.01. `equilibrated` is false if that takes more than half of the chain.

    Raises:
        UsageError: NaN, or chains of fewer than 50 steps.

    >>> decay = np.exp(-np.arange(2000) / 40)
    >>> noise = np.random.default_rng(0).normal(size=(2, 4, 2000))
    >>> found = compare_starts(noise[0] - 5 * decay, noise[1] + 5 * decay)
    >>> print(found.start, found.equilibrated, round(found.agreement, 2))
    130 True 0.35
    """
    both = [_rectangle(hot), _rectangle(cold)]
    steps = min(array.shape[1] for array in both)
    both = [array[:, :steps] for array in both]
    start = max(equilibration_start(array).start for array in both)
    while True:
        agreement = _agreement(*(array[:, start:] for array in both))
        if agreement >= _AGREE or 2 * start > steps:
            return Equilibration(start, steps, 2 * start <= steps and agreement >= _AGREE, agreement)
        start = min(max(start + _BATCH, start * 3 // 2), 3 * steps // 4)


def _smallest_scatter(x: np.ndarray) -> int:
    """The d that minimises the scatter of x[:, d:] over its number squared; a quarter is always kept."""
    steps = x.shape[1]
    left = len(x) * np.arange(steps, 0, -1)
    total, squares = (np.cumsum(y.sum(axis=0)[::-1])[::-1] for y in (x, x**2))
    scatter = (squares - total**2 / left) / left**2
    return int(np.argmin(scatter[: 3 * steps // 4]))


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided probability of a difference of the means at least as large."""
    difference = float(first.mean() - second.mean())
    variance = 0.0
    for array in (first, second):
        try:
            variance += gamma_method(array).error ** 2
        except NumericalError:  # a constant: no error of its own
            continue
    if variance == 0:
        return 1.0 if math.isclose(float(first.mean()), float(second.mean())) else 0.0
    return float(scipy.special.erfc(abs(difference) / math.sqrt(2 * variance)))


def _rectangle(series: Samples) -> np.ndarray:
    chains = checked_chains(series)
    steps = min(chain.size for chain in chains)
    if steps < _FEWEST:
        raise UsageError(f"The chains have {steps} steps; judging their start needs {_FEWEST} or more.")
    return np.stack([chain[:steps] for chain in chains])
