"""The multistate Bennett acceptance ratio for one family of temperatures, solved by pymbar."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.special

from deeprg.runs.errors import NumericalError

__all__ = ["first_guess", "least_overlap", "log_mixture", "quiet_pymbar", "solve"]

_LEAST_OVERLAP = 1e-3


def first_guess(reduced: np.ndarray, numbers: np.ndarray, sampled: np.ndarray) -> np.ndarray:
    """Free energies by the trapezoidal rule d(-ln Z)/d(1/T) = N ⟨e⟩, relative to the first temperature."""
    edges = np.cumsum(numbers)[:-1]
    mean = np.array([part.mean() for part in np.split(reduced[0], edges)]) * sampled[0]
    order = np.argsort(1 / sampled)
    steps = np.diff(1 / sampled[order]) * (mean[order][1:] + mean[order][:-1]) / 2
    free = np.empty(sampled.size)
    free[order] = np.concatenate([[0.0], np.cumsum(steps)])
    return free - free[0]


def least_overlap(weights: np.ndarray, numbers: np.ndarray, sampled: np.ndarray) -> float | None:
    """Smallest probability that a sample of one temperature could be of the next, arXiv:0801.1426."""
    if sampled.size < 2:
        return None
    order = np.argsort(sampled)
    matrix = (weights @ weights.T) * numbers
    pairs = matrix[order][:, order]
    least = int(np.argmin(found := np.minimum(np.diag(pairs, 1), np.diag(pairs, -1))))
    if found[least] < _LEAST_OVERLAP:
        raise NumericalError(
            f"The simulations at T = {sampled[order][least]:.6g} and {sampled[order][least + 1]:.6g} share "
            f"no energies (overlap {found[least]:.1e} < {_LEAST_OVERLAP:g}). Add temperatures between them."
        )
    return float(found[least])


def log_mixture(reduced: np.ndarray, counts: np.ndarray, free: np.ndarray) -> np.ndarray:
    """ln Σ_k n_k exp(f_k - H_k) of every sample, [n]."""
    shifted = (np.log(counts) + free)[:, None] - reduced
    return np.asarray(scipy.special.logsumexp(shifted, axis=0))


def solve(reduced: np.ndarray, counts: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """The self-consistent f_k with f_0 = 0, by Newton's method with safe steps."""
    if len(counts) == 1:
        return np.zeros(1)
    with quiet_pymbar() as pymbar:
        protocol = ({"method": "adaptive", "options": {"min_sc_iter": 0}},)
        solver = pymbar.MBAR(reduced, counts, initial_f_k=guess, solver_protocol=protocol)
        free: Any = np.array(solver.f_k, dtype=np.float64)
    again = -np.asarray(scipy.special.logsumexp(-reduced - log_mixture(reduced, counts, free), axis=1))
    worst = float(np.abs(again - again[0] - free).max())
    if not worst < 1e-6:
        raise NumericalError(
            f"The multi-histogram equations are off by {worst:.1e} after the solver stopped. Neighbouring "
            "simulations probably do not overlap: add temperatures between them."
        )
    return free


@contextlib.contextmanager
def quiet_pymbar() -> Iterator[Any]:
    """pymbar as a context, without its notices and without its hold on JAX.

    It switches JAX to 64 bits for the whole process, and says so, whenever it finds it at 32; inside this
    context 64 bits are already on, for this thread only.
    """
    import jax

    logger = logging.getLogger("pymbar")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            jax.enable_x64(True),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
        ):
            warnings.simplefilter("ignore")
            import pymbar

            yield pymbar
    finally:
        logger.setLevel(level)
