"""Pair couplings of spins from their configurations, by maximum pseudo-likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import delete_one
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["PairCouplings", "fit_pair_couplings"]

_STEPS, _BLOCKS = 50, 50
_SMALL = 1e-12


@dataclass(frozen=True)
class PairCouplings:
    """Dimensionless couplings by shell of neighbours, nearest first: weight exp(sum_r K_r sum_pairs s s').

    names: "(1, 0)", "(1, 1)", …; values, errors: of the jackknife over blocks of configurations.
    """

    names: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray


def fit_pair_couplings(configurations: ArrayLike, *, shells: int = 2) -> PairCouplings:
    """The pair couplings under which every spin, given all others, is most likely what it is.

    Maximises sum ln p(s_i | others), p = exp(s_i h_i)/2 cosh h_i, h_i = sum_r K_r sum of the neighbours in
    shell r: consistent where the spins have such a law (J. Besag, Statistician 24, 179 (1975)), else the
    couplings that describe single spins best. Counted by values of (s_i, neighbour sums), so that the cost
    does not grow with the number of Newton steps.

    Args:
        configurations: spins ±1, [n, *lattice], consecutive draws of a chain next to each other.
        shells: of neighbours.

    Raises:
        UsageError: values other than ±1, fewer than 100 configurations, a lattice too small for the shells.
        NumericalError: spins so ordered that the likelihood has no maximum.

    >>> spins = np.random.default_rng(0).choice((-1, 1), size=(1000, 8, 8))
    >>> found = fit_pair_couplings(spins)
    >>> found.names, bool(np.all(np.abs(found.values) < 4 * found.errors))
    (('(1, 0)', '(1, 1)'), True)
    """
    x = np.asarray(configurations)
    if x.ndim < 2 or len(x) < 2 * _BLOCKS:
        raise UsageError(f"Couplings need {2 * _BLOCKS} configurations [n, *lattice], not shape {x.shape}.")
    if (wrong := x[np.abs(x) != 1]).size:
        raise UsageError(f"Couplings are fitted to spins ±1, but the configurations hold {wrong.flat[0]:g}.")
    steps = _shells(Lattice(x.shape[1:]), shells)
    lattice_axes = tuple(range(1, x.ndim))
    spins = x.astype(np.int16)
    sums = np.stack([sum(np.roll(spins, s, lattice_axes) for s in shell) for shell in steps])
    lowest = np.array([-len(shell) for shell in steps])
    sizes = tuple(2 * len(shell) + 1 for shell in steps)
    code = np.ravel_multi_index(tuple(sums - lowest.reshape(-1, *(1,) * x.ndim)), sizes)
    code = (2 * code + (spins > 0)).reshape(len(x), -1)
    kinds = 2 * int(np.prod(sizes))
    parts = np.array_split(code, _BLOCKS)
    counts = np.stack([np.bincount(part.reshape(-1), minlength=kinds) for part in parts]).astype(np.float64)
    values = np.stack(np.unravel_index(np.arange(kinds) // 2, sizes), axis=1) + lowest
    up = np.arange(kinds) % 2

    def fitted(counts: np.ndarray) -> np.ndarray:
        return _newton(counts, values.astype(np.float64), 2.0 * up - 1)

    weights = np.array([part.size for part in parts], np.float64)
    found = delete_one(fitted, {"counts": counts}, weights)
    names = tuple(str(tuple(sorted(map(abs, shell[0]), reverse=True))) for shell in steps)
    return PairCouplings(names, np.asarray(found.value), np.asarray(found.error))


def _newton(counts: np.ndarray, sums: np.ndarray, spins: np.ndarray) -> np.ndarray:
    """argmax_K sum_kinds counts ln sigmoid(2 s K.sums)."""
    share, couplings = counts / counts.sum(), np.zeros(sums.shape[1])
    for _ in range(_STEPS):
        field = sums @ couplings
        missing = spins * expit(-2 * spins * field)  # d/dh of ln sigmoid(2 s h), halved
        slope = 2 * (share * missing) @ sums
        variance = share * 4 * expit(2 * field) * expit(-2 * field)
        curvature = (sums.T * variance) @ sums
        if np.linalg.cond(curvature) > 1 / _SMALL or not np.isfinite(couplings).all():
            break
        change = np.linalg.solve(curvature, slope)
        couplings = couplings + change
        if np.abs(change).max() < 1e-10:
            return couplings
    raise NumericalError("The couplings have no finite estimate: the spins are too ordered, or too few.")


def _shells(lattice: Lattice, count: int) -> list[list[tuple[int, ...]]]:
    """The displacements of each shell, all images; `UsageError` where a torus is too small for them."""
    reach = count + 1
    grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * lattice.ndim, indexing="ij"), axis=-1)
    steps = grid.reshape(-1, lattice.ndim)
    square = (steps**2).sum(axis=1)
    chosen = [r for r in np.unique(square) if r][:count]
    if count < 1 or min(lattice.shape) <= 2 * int(np.sqrt(chosen[-1])):
        raise UsageError(f"A lattice {lattice} does not hold {count} shells of neighbours apart; take fewer.")
    return [[tuple(int(d) for d in s) for s in steps[square == r]] for r in chosen]
