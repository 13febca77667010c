"""Connected correlators: joint cumulants from exact distributions, and from samples with errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._checks import real_numbers, whole_sites
from ._cumulants import joint_moments_to_cumulants, moments_to_cumulants, set_partitions
from ._transforms import check_spins, inverse_mobius, inverse_walsh_hadamard, variables_of

__all__ = [
    "CorrelatorEstimate",
    "connected_correlators",
    "cumulants",
    "joint_cumulant",
    "joint_moments",
    "sampled_correlators",
]

_HIGHEST_ORDER = 8
_FEWEST_BLOCKS = 10


@dataclass(frozen=True)
class CorrelatorEstimate:
    """Connected correlators from samples: sets of indices with `value`, `error` and `bias`, [sets].

    The bias is the jackknife's estimate, of order 1/n; it has not been subtracted.
    """

    sets: tuple[tuple[int, ...], ...]
    value: np.ndarray
    error: np.ndarray
    bias: np.ndarray


def joint_moments(probabilities: ArrayLike, spins: str = "pm") -> np.ndarray:
    """All 2^n moments ⟨prod_{i in S} x_i⟩ of n two-valued variables from the probabilities of their states.

    One fast transform of the probabilities in the order of `configurations`; element S of the result belongs
    to the bit mask S. With `joint_moments_to_cumulants`: all connected correlators at once.

    Raises `UsageError` when the probabilities are negative, do not add up to 1, or are not 2^n.

    >>> joint_moments([0.5, 0.0, 0.0, 0.5]).tolist()               # two aligned spins
    [1.0, 0.0, 0.0, 1.0]
    """
    check_spins(spins)
    p = _probabilities(probabilities)
    if p.ndim != 1:
        raise UsageError(f"Probabilities of states are [2^n], not {p.shape}.")
    variables_of(p.size, "probabilities")
    if spins == "pm":
        return inverse_walsh_hadamard(p)
    # ⟨prod_S x⟩ is the sum over the states that contain S: the subset sum with all bits reversed.
    return inverse_mobius(p[::-1])[::-1]


def connected_correlators(probabilities: ArrayLike, spins: str = "pm") -> np.ndarray:
    """All 2^n connected correlators kappa_S of n <= 16 two-valued variables, exact; element S is a bit mask.

    Raises `UsageError` as `joint_moments` and `joint_moments_to_cumulants` do.

    >>> p = np.exp([0.5, -0.5, -0.5, 0.5])                          # two spins, K = 0.5
    >>> round(float(connected_correlators(p / p.sum())[0b11]), 6)   # tanh K
    0.462117
    """
    return joint_moments_to_cumulants(joint_moments(probabilities, spins))


def cumulants(values: ArrayLike, order: int, probabilities: ArrayLike | None = None) -> np.ndarray:
    """The cumulants kappa_1 ... kappa_order of one quantity, [order], from samples or an exact distribution.

    `values` [states] with `probabilities` [states], or samples [n] of equal weight. Central moments are used,
    so a large mean does not hurt; the estimate from samples is the plug-in one, biased at order 1/n.

    Raises `UsageError` for shapes that do not fit, order < 1, or probabilities that are no distribution.

    >>> cumulants([-1.0, 1.0], 4).tolist()                          # ln cosh t
    [0.0, 1.0, 0.0, -2.0]
    """
    x = real_numbers("values", values)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise UsageError(f"Values are a finite vector, not an array {x.shape}.")
    if order < 1:
        raise UsageError(f"order = {order}; cumulants start at order 1.")
    p = _weights(probabilities, x.size)
    mean = p @ x
    kappa = moments_to_cumulants([p @ (x - mean) ** k for k in range(1, order + 1)])
    kappa[0] = mean
    return kappa


def joint_cumulant(
    values: ArrayLike, indices: Sequence[int], probabilities: ArrayLike | None = None
) -> float:
    """The connected correlator kappa(X_i1, ..., X_ik), from samples or an exact distribution; k <= 8.

        kappa = sum over set partitions of (-1)^(p - 1) (p - 1)! prod_blocks ⟨prod_{i in block} X_i⟩,

    with p the number of blocks. An index may be repeated: (i, i) is the variance. For k >= 2 the means are
    subtracted first, which changes nothing but rounding.

    Args:
        values: [states, n] with `probabilities` [states], or samples [samples, n] of equal weight.
        indices: which variables, 1 to 8 of them.

    Raises:
        UsageError: shapes that do not fit, indices out of range, values that are not finite, or
            probabilities that are no distribution.

    >>> joint_cumulant([[1, 1], [-1, -1]], (0, 1)), joint_cumulant([[1.0], [-1.0]], (0, 0, 0, 0))
    (1.0, -2.0)
    """
    x = real_numbers("values", values)
    if x.ndim != 2 or len(x) == 0:
        raise UsageError(f"Values are [states, n] or [samples, n], not {x.shape}.")
    _check_finite("values", x)
    chosen = _indices(indices, x.shape[1])
    p = _weights(probabilities, len(x))
    columns = x[:, chosen]
    if len(chosen) > 1:
        columns = columns - p @ columns
    moment: dict[tuple[int, ...], float] = {}
    total = 0.0
    for partition in set_partitions(len(chosen)):
        term = (-1.0) ** (len(partition) - 1) * math.factorial(len(partition) - 1)
        for block in map(tuple, partition):
            if block not in moment:
                moment[block] = float(p @ columns[:, block].prod(axis=1))
            term *= moment[block]
        total += term
    return total


def sampled_correlators(
    samples: ArrayLike, sets: Sequence[Sequence[int]], *, blocks: int = 50
) -> CorrelatorEstimate:
    """Connected correlators of chosen variables from samples, with errors by the delete-one-block jackknife.

    error² = (B-1)/B sum_b (kappa_b - mean)², with kappa_b from all samples but block b: right for a nonlinear
    function of means, and for correlated samples when a block is many autocorrelation times long.

    Args:
        samples: [samples, n] in the order they were drawn, or [chains, samples, n]; blocks keep to a chain.
        sets: index tuples of 1 to 8 variables each; an index may be repeated.
        blocks: over all chains, 10 or more; 50 to 100 is usual.

    Raises:
        UsageError: shapes that do not fit, indices out of range, too few blocks or samples, NaN.

    >>> spins = np.random.default_rng(0).integers(0, 2, (4000, 2)) * 2 - 1
    >>> found = sampled_correlators(spins, [(0,), (0, 1)])
    >>> bool(np.all(np.abs(found.value) < 3 * found.error)), found.error.round(3).tolist()
    (True, [0.017, 0.016])
    """
    x = real_numbers("samples", samples)
    x = x[None] if x.ndim == 2 else x
    if x.ndim != 3:
        raise UsageError(f"Samples are [samples, n] or [chains, samples, n], not {x.shape}.")
    _check_finite("samples", x)
    chains, steps, n = x.shape
    per_chain = max(1, blocks // max(chains, 1))
    if blocks < _FEWEST_BLOCKS or per_chain * chains < _FEWEST_BLOCKS or steps < 2 * per_chain:
        raise UsageError(
            f"{chains} chains of {steps} samples do not fill {blocks} blocks of 2 or more; at least "
            f"{_FEWEST_BLOCKS} blocks are needed for an error."
        )
    edges = np.linspace(0, steps, per_chain + 1).astype(int)
    counts = np.tile(np.diff(edges), chains).astype(np.float64)
    centre = x.mean(axis=(0, 1))
    value, error, bias = np.empty(len(sets)), np.empty(len(sets)), np.empty(len(sets))
    for place, indices in enumerate(sets):
        chosen = _indices(indices, n)
        shift = centre[chosen] if len(chosen) > 1 else np.zeros(1)
        monomials = np.ones((chains, steps, 1))
        for column in np.moveaxis(x[:, :, chosen] - shift, -1, 0):
            monomials = np.concatenate([monomials, monomials * column[..., None]], axis=-1)
        sums = np.add.reduceat(monomials, edges[:-1], axis=1).reshape(len(counts), -1)
        total = sums.sum(axis=0)
        means = np.concatenate(
            [(total / counts.sum())[None], (total - sums) / (counts.sum() - counts)[:, None]]
        )
        means[:, 0] = 1.0
        kappa = joint_moments_to_cumulants(means)[:, -1]
        spread = kappa[1:] - kappa[1:].mean()
        value[place] = kappa[0]
        error[place] = math.sqrt((len(counts) - 1) / len(counts) * float(spread @ spread))
        bias[place] = (len(counts) - 1) * (kappa[1:].mean() - kappa[0])
    return CorrelatorEstimate(tuple(tuple(int(i) for i in s) for s in sets), value, error, bias)


def _indices(indices: Sequence[int], n: int) -> list[int]:
    chosen = list(whole_sites(indices))
    if not 1 <= len(chosen) <= _HIGHEST_ORDER or any(not 0 <= index < n for index in chosen):
        raise UsageError(
            f"The indices {tuple(chosen)} are not 1 to {_HIGHEST_ORDER} numbers from 0 to {n - 1}."
        )
    return chosen


def _weights(probabilities: ArrayLike | None, size: int) -> np.ndarray:
    if probabilities is None:
        return np.full(size, 1 / size)
    p = _probabilities(probabilities)
    if p.shape != (size,):
        raise UsageError(f"There are {size} states, but probabilities of the shape {p.shape}.")
    return p


def _probabilities(probabilities: ArrayLike) -> np.ndarray:
    p = real_numbers("probabilities", probabilities)
    _check_finite("probabilities", p)
    if (p < 0).any():
        raise UsageError(f"Probabilities are not negative, but the smallest is {p.min():.9g}.")
    total = float(p.sum())
    if abs(total - 1) > 1e-9:
        raise UsageError(f"Probabilities add up to 1, but these add up to {total:.9g}; divide by the sum.")
    return p


def _check_finite(name: str, x: np.ndarray) -> None:
    if not np.isfinite(x).all():
        bad = x[~np.isfinite(x)]
        raise UsageError(f"The {name} hold {bad.size} numbers that are not finite, the first {bad[0]}.")
