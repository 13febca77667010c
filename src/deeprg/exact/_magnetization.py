"""The exact law of the magnetization of a small 2D Ising model, by a transfer matrix that counts up spins."""

import math
from dataclasses import dataclass

import numpy as np

from ..hamiltonians import Ising
from ..runs.errors import UsageError

__all__ = ["MagnetizationDistribution", "magnetization_distribution"]

_WIDEST = 10
_MOST_SITES = 400
_CHUNK_BYTES = 1 << 25


@dataclass(frozen=True)
class MagnetizationDistribution:
    """The probabilities [N + 1] of the mean spins `values` [N + 1] = -1, -1 + 2/N, ..., 1, and ln Z."""

    values: np.ndarray
    probabilities: np.ndarray
    log_partition: float

    def moment(self, power: int, *, absolute: bool = False) -> float:
        """⟨m^power⟩, or ⟨|m|^power⟩.

        >>> from deeprg.lattice import Lattice
        >>> law = magnetization_distribution(Ising(Lattice((8, 8)), temperature=2.269185314213022))
        >>> round(law.moment(1, absolute=True), 10), round(law.moment(4), 10)
        (0.7773310928, 0.4858152341)
        """
        base = np.abs(self.values) if absolute else self.values
        return float(self.probabilities @ base**power)

    @property
    def binder_cumulant(self) -> float:
        """1 - ⟨m^4⟩/(3 ⟨m^2⟩^2)."""
        return 1 - self.moment(4) / (3 * self.moment(2) ** 2)


def magnetization_distribution(ising: Ising) -> MagnetizationDistribution:
    """The law of the mean spin of the nearest-neighbour model on a ring or torus, any coupling and field.

    Row after row, Z(first row, last row, number of up spins) is multiplied by the vertical bonds, one site at
    a time, and by the weight of the new row; then the last row is closed with the first. First rows that a
    translation or a reflection maps onto each other are counted once. All terms are positive, so also the
    rare magnetizations have small relative errors.

    Raises `UsageError` for other couplings, in 3D, when both extents exceed 10, and above 400 sites.

    >>> from deeprg.lattice import Lattice
    >>> law = magnetization_distribution(Ising(Lattice((4, 4)), temperature=2.269185314213022))
    >>> round(law.log_partition, 9), round(law.binder_cumulant, 9)
    (15.521915459, 0.617199318)
    """
    reason = _unsuited(ising)
    if reason:
        raise UsageError(f"The law of the magnetization is not available: {reason}")
    assert ising.coupling is not None
    size, bond = ising.lattice.size, ising.coupling / ising.temperature
    width, height = (1, size) if ising.lattice.ndim == 1 else sorted(ising.lattice.shape)
    spins = 2 * ((np.arange(1 << width)[:, None] >> np.arange(width)) & 1) - 1
    ups = (spins > 0).sum(axis=1)
    across = (spins * np.roll(spins, 1, axis=1)).sum(axis=1) if ising.lattice.ndim == 2 else 0 * ups
    row = bond * across + ising.field * spins.sum(axis=1)
    flip = math.exp(-2 * abs(bond))
    equal, opposite = (1.0, flip) if bond >= 0 else (flip, 1.0)
    first, multiplicity = _first_rows(width)
    law, scale = np.zeros(size + 1), -math.inf
    step = max(1, _CHUNK_BYTES // (8 * (size + 1) << width))
    for start in range(0, len(first), step):
        rows, counts = first[start : start + step], multiplicity[start : start + step]
        part, log_scale = _transfer(rows, ups, row, (equal, opposite), height, size)
        closed = counts @ part
        highest = max(scale, log_scale)
        law = law * math.exp(scale - highest) + closed * math.exp(log_scale - highest)
        scale = highest
    total = law.sum()
    values = (2 * np.arange(size + 1) - size) / size
    log_partition = scale + math.log(total) + size * abs(bond)
    return MagnetizationDistribution(values, law / total, float(log_partition))


def has_magnetization_distribution(ising: Ising, widest: int, most_sites: int) -> bool:
    """Whether the law can be had, within the given limits."""
    extents = ising.lattice.shape
    narrow = ising.lattice.ndim == 1 or min(extents) <= widest
    return not _unsuited(ising) and narrow and ising.lattice.size <= most_sites


def _unsuited(ising: Ising) -> str:
    lattice = ising.lattice
    if ising.coupling is None:
        return "it needs nearest-neighbour couplings."
    if lattice.ndim == 3:
        return f"it needs one or two extents, but the lattice is {lattice}."
    if lattice.ndim == 2 and min(lattice.shape) > _WIDEST:
        return f"one extent must be at most {_WIDEST}, but the lattice is {lattice}."
    if lattice.size > _MOST_SITES:
        return f"at most {_MOST_SITES} sites are possible, but the lattice is {lattice}."
    return ""


def _first_rows(width: int) -> tuple[np.ndarray, np.ndarray]:
    """One row of every class under translations and reflections, and the size of its class."""
    states = np.arange(1 << width)
    bits = (states[:, None] >> np.arange(width)) & 1
    weights = 1 << np.arange(width)
    images = [
        np.roll(order, shift, axis=1) @ weights for order in (bits, bits[:, ::-1]) for shift in range(width)
    ]
    return np.unique(np.min(images, axis=0), return_counts=True)


def _transfer(
    first: np.ndarray,
    ups: np.ndarray,
    row: np.ndarray,
    vertical: tuple[float, float],
    height: int,
    size: int,
) -> tuple[np.ndarray, float]:
    """Z by first row and number of up spins [first, size + 1], and the logarithm of the factor taken out."""
    width, states = len(ups).bit_length() - 1, len(ups)
    index = np.arange(len(first))
    state = np.zeros((len(first), states, size + 1))
    state[index, first, 0] = 1.0
    weight, log_scale = np.exp(row - row.max())[None, :, None], float(height * row.max())
    equal, opposite = vertical
    for number in range(height):
        filled = width * number + 1
        part = state[..., :filled]
        for bit in range(width):
            pair = part.reshape(len(first), -1, 2, 1 << bit, filled)
            down, up = pair[:, :, 0], pair[:, :, 1]
            part = np.stack([equal * down + opposite * up, opposite * down + equal * up], axis=2)
        part = part.reshape(len(first), states, filled) * weight
        state = np.zeros_like(state)
        for count in range(width + 1):
            chosen = ups == count
            state[:, chosen, count : count + filled] = part[:, chosen]
        highest = state.max()
        state /= highest
        log_scale += math.log(highest)
    return state[index, first], log_scale
