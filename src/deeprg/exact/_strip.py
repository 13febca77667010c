"""Ising models with any bonds on a narrow torus: the trace of a product of row transfer matrices."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ..hamiltonians import Ising, RandomBondIsing
from ..runs.errors import UsageError

__all__ = ["StripExact", "is_strip", "strip"]

_WIDEST = 10
_STEP = 1e-20


@dataclass(frozen=True)
class StripExact:
    """Exact values of one model; the energy per site is in units of the coupling, without the field term."""

    log_partition: float
    energy_per_site: float


def strip(model: Ising | RandomBondIsing) -> StripExact:
    """Z = Tr Π_r D_r V_r over the rows r, D_r the weights inside a row and V_r those between neighbours.

    Any bonds, any field, with bonds inside rows and between neighbouring rows only: random, triangular,
    frustrated. The rows lie across the longer axis. The energy is the derivative of ln Z by the strength of
    all bonds, a complex step of 1e-20, so exact to rounding.

    Raises `UsageError` where `is_strip` says no.

    >>> from deeprg.lattice import Lattice
    >>> exact = strip(RandomBondIsing.plus_minus(Lattice((8, 8)), 1.0, seed=0))
    >>> round(exact.log_partition, 6), round(exact.energy_per_site, 6)
    (100.439982, -1.418157)
    """
    if not is_strip(model):
        raise UsageError(
            f"A transfer matrix takes one or two axes, at most {_WIDEST} sites across, and bonds between "
            f"neighbouring rows only: {model.describe()}"
        )
    couplings, constant = _matrix(model)
    log_partition = _log_trace(couplings * (1 + 1j * _STEP), model.field, *_rows(model))
    bonds = log_partition.imag / _STEP
    energy = -model.temperature * (bonds + constant) / model.lattice.size
    return StripExact(float(log_partition.real) + constant, float(energy))


def is_strip(model: Ising | RandomBondIsing, width: int = _WIDEST) -> bool:
    """Whether `strip` can solve a model, with at most `width` sites across.

    >>> from deeprg.lattice import Lattice
    >>> is_strip(Ising(Lattice((64, 8)), 2.0)), is_strip(Ising(Lattice((4, 4, 4)), 2.0))
    (True, False)
    """
    if model.lattice.ndim > 2 or _rows(model)[1] > width:
        return False
    length, across = _rows(model)
    couplings = _matrix(model)[0]
    row = np.arange(length * across) // across
    apart = (row[:, None] - row[None, :]) % length
    return not np.any(couplings[(apart > 1) & (apart < length - 1)])


def _rows(model: Ising | RandomBondIsing) -> tuple[int, int]:
    """The number of rows and the sites of each."""
    shape = model.lattice.shape
    return (shape[0], 1) if len(shape) == 1 else (max(shape), min(shape))


def _matrix(model: Ising | RandomBondIsing) -> tuple[np.ndarray, float]:
    """J with sites numbered row after row, without bonds from a site to itself, and their sum, a constant."""
    size, shape = model.lattice.size, model.lattice.shape
    bonds = model.bonds()
    couplings = np.zeros((size, size))
    np.add.at(couplings, (np.arange(size)[:, None], bonds.neighbours), bonds.couplings)
    if isinstance(model, Ising):
        loops = 0.5 * size * sum(value for step, value in model.kernel if not any(step))
    else:
        strengths = np.asarray(model.couplings)
        loops = float(sum(strengths[axis].sum() for axis, extent in enumerate(shape) if extent == 1))
    if len(shape) == 2 and shape[0] < shape[1]:
        order = np.arange(size).reshape(shape).T.reshape(-1)
        couplings = couplings[np.ix_(order, order)]
    return couplings, loops


def _log_trace(couplings: np.ndarray, field: float, length: int, across: int) -> complex:
    """ln Z without the constant; the matrices are scaled by real numbers only."""
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=across)))
    blocks = couplings.reshape(length, across, length, across)
    product, scale = np.eye(len(states), dtype=complex), 0.0
    for row in range(length):
        inside = 0.5 * np.einsum("si,ij,sj->s", states, blocks[row, :, row], states) + field * states.sum(1)
        product = product * np.exp(inside - np.real(inside).max())
        scale += np.real(inside).max()
        if length > 1:
            bonds = blocks[row, :, (row + 1) % length]
            # Of two rows the first counts all bonds between them.
            between = np.asarray(states @ (0 * bonds if length == 2 and row == 1 else bonds) @ states.T)
            product = product @ np.exp(between - np.real(between).max())
            scale += np.real(between).max()
        largest = np.abs(product).max()
        product, scale = product / largest, scale + math.log(largest)
    return complex(np.log(np.trace(product)) + scale)
