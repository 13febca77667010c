"""Exact moments of small Ising models by summing over all states."""

import math
from dataclasses import dataclass

import numpy as np

from ..hamiltonians import Ising
from ..runs.errors import UsageError

__all__ = ["EnumeratedIsing", "enumerate_states"]

_MAX_SPINS = 25
_TABULATED = 12
_CHUNK = 64


@dataclass(frozen=True)
class EnumeratedIsing:
    """Exact moments of an Ising model of N spins; m is the mean spin of a configuration.

    free_energy_per_site is -ln Z / N, dimensionless; energy_per_site the mean bond energy in units of the
    coupling, without the field term; specific_heat the variance of H / N; correlation is G(r), the average
    over i of ⟨s_i s_{i+r}⟩, [*shape].
    """

    log_partition: float
    free_energy_per_site: float
    energy_per_site: float
    specific_heat: float
    magnetization: float
    abs_magnetization: float
    magnetization_squared: float
    magnetization_fourth: float
    correlation: np.ndarray


def enumerate_states(ising: Ising) -> EnumeratedIsing:
    """All moments of a small Ising model with any couplings and field, by the sum over its 2^N states.

    Raises `UsageError` above 25 spins, where the sum takes seconds.

    >>> from deeprg.lattice import Lattice
    >>> exact = enumerate_states(Ising(Lattice((4, 4)), temperature=2.269185314213022))
    >>> round(exact.abs_magnetization, 9), round(exact.magnetization_squared, 9)
    (0.843860445, 0.761358909)
    """
    size = ising.lattice.size
    if size > _MAX_SPINS:
        raise UsageError(f"Enumeration takes at most {_MAX_SPINS} spins, but {ising.lattice} has {size}.")
    # The first spins and the others are two tables of states; all pairs of their rows are all states.
    matrix, split = _coupling_matrix(ising), min(size, _TABULATED)
    left, right = _states(split), _states(size - split)
    left_own = _log_weights(left, matrix[:split, :split], ising.field)
    right_own = _log_weights(right, matrix[split:, split:], ising.field)
    across = left @ matrix[:split, split:]

    def log_weights(rows: slice) -> np.ndarray:
        return across @ right[rows].T + left_own[:, None] + right_own[rows]

    chunks = [slice(start, start + _CHUNK) for start in range(0, len(right), _CHUNK)]
    highest = max(float(log_weights(rows).max()) for rows in chunks)
    sums, pairs = np.zeros(7), np.zeros((size, size))
    for rows in chunks:
        chunk, excess = right[rows], log_weights(rows) - highest
        weights = np.exp(excess)
        mean = (left.sum(axis=1)[:, None] + chunk.sum(axis=1)) / size
        powers = (excess, excess**2, mean, np.abs(mean), mean**2, mean**4)
        sums += np.array([weights.sum(), *(np.vdot(weights, column) for column in powers)])
        pairs[:split, :split] += left.T @ (weights.sum(axis=1)[:, None] * left)
        pairs[:split, split:] += left.T @ weights @ chunk
        pairs[split:, split:] += chunk.T @ (weights.sum(axis=0)[:, None] * chunk)
    pairs[split:, :split] = pairs[:split, split:].T
    norm = sums[0]
    pairs /= norm
    shift, spread, *moments = (float(value) for value in sums[1:] / norm)
    log_partition = highest + math.log(norm)
    correlation = np.zeros(size)
    np.add.at(correlation, ising.lattice.displacements(), pairs / size)
    return EnumeratedIsing(
        log_partition,
        -log_partition / size,
        -0.5 * ising.temperature * float(np.sum(matrix * pairs)) / size,
        (spread - shift**2) / size,
        *moments,
        correlation=correlation.reshape(ising.lattice.shape),
    )


def _states(size: int) -> np.ndarray:
    """All configurations of `size` spins ±1, [2^size, size]."""
    return 2.0 * ((np.arange(1 << size)[:, None] >> np.arange(size)) & 1) - 1.0


def _log_weights(states: np.ndarray, matrix: np.ndarray, field: float) -> np.ndarray:
    return np.sum((0.5 * states @ matrix + field) * states, axis=1)


def _coupling_matrix(ising: Ising) -> np.ndarray:
    kernel = np.zeros(ising.lattice.shape)
    for site, value in ising.kernel:
        kernel[site] += value
    return kernel.reshape(-1)[ising.lattice.displacements()]
