"""Information between parts of an infinite Ising cylinder, by the transfer matrix from ring to ring."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from ..hamiltonians import Ising
from ..lattice import Lattice
from ..runs.errors import UsageError
from .blocking import mutual_information
from .blocking._states import spin_table

__all__ = ["IsingCylinder", "ising_cylinder"]

_WIDEST = 11


@dataclass(frozen=True, eq=False)
class IsingCylinder:
    """The rings of an infinite cylinder: a Markov chain with 2^L states, as `ising_cylinder` makes it.

    `ring` [2^L] is the law of one ring and `step` [2^L, 2^L] the conditional law of the next; bit i of a
    state is set where s_i = -1. All informations are in nats.
    """

    ring: np.ndarray
    step: np.ndarray

    @property
    def length(self) -> int:
        """L, the number of sites around."""
        return len(self.ring).bit_length() - 1

    @functools.cached_property
    def ring_entropy(self) -> float:
        """H of one ring."""
        return float(entr(self.ring).sum())

    @functools.cached_property
    def half_information(self) -> float:
        """I between the two halves of the cylinder on both sides of a cut: that of the rings at the cut."""
        return self.information(1)

    @functools.cached_property
    def ring_information(self) -> float:
        """I between the two halves of a ring, of L//2 and L - L//2 sites next to each other."""
        return mutual_information(self.ring.reshape(-1, 1 << (self.length // 2)))

    def pair(self, distance: int) -> np.ndarray:
        """The joint law of two rings at this distance along the cylinder, [2^L, 2^L].

        Raises `UsageError` for a distance below 1.
        """
        if distance < 1:
            raise UsageError(f"Two rings are at a distance of 1 or more, not {distance}.")
        return self.ring[:, None] * np.linalg.matrix_power(self.step, distance)

    def information(self, distance: int) -> float:
        """I between two rings at this distance, which is also that of the half cylinders that they end.

        Raises `UsageError` for a distance below 1.

        >>> cylinder = ising_cylinder(4, temperature=2.269185314213022)
        >>> [round(cylinder.information(r), 6) for r in (1, 2, 4, 8)]
        [0.457668, 0.254125, 0.103915, 0.019755]
        """
        return mutual_information(self.pair(distance))


def ising_cylinder(length: int, temperature: float, coupling: float = 1.0) -> IsingCylinder:
    """The nearest-neighbour model without field on a cylinder that is infinite one way and L sites around.

    With K = J/T and T(s, s') = exp[K Σ_i (s_i s'_i + ½ s_i s_{i+1} + ½ s'_i s'_{i+1})], largest eigenvalue λ
    and its vector φ > 0 of unit length, one ring has the law φ(s)², and two neighbours φ(s) T(s, s') φ(s')/λ.
    φ is even under s -> -s, and found among even vectors, so that it is precise where λ is nearly double. As
    on the torus, 2 sites around have two bonds. A block and an environment behind a buffer are those of a
    long torus: `deeprg.exact.blocking.block_environment` with the rings next to the buffer as `environment`.

    Raises `UsageError` for a length outside 2 ... 11, and a temperature that is not positive.

    >>> cylinder = ising_cylinder(8, temperature=2.269185314213022)
    >>> print(f"{cylinder.half_information:.8f} {cylinder.ring_entropy:.8f} {cylinder.ring_information:.8f}")
    0.78049321 3.26528788 0.49398021
    """
    if not 2 <= length <= _WIDEST:
        raise UsageError(
            f"A cylinder of {length} sites around has 2^{length} states a ring; 2 ... {_WIDEST} are possible."
        )
    bond = coupling / Ising(Lattice((length,)), temperature, coupling).temperature
    spins = spin_table(length)
    half = spins[: len(spins) // 2]  # one of each pair s, -s
    around = 0.5 * np.sum(spins * np.roll(spins, 1, axis=1), axis=1)
    log_weight = bond * (half @ spins.T + around[: len(half), None] + around)
    log_weight -= log_weight.max()
    weight = np.exp(log_weight)
    even = weight[:, : len(half)] + weight[:, : len(half) - 1 : -1]
    vector = np.abs(np.linalg.eigh(even)[1][:, -1])
    vector = np.concatenate([vector, vector[::-1]]) / np.sqrt(2)
    matrix = np.concatenate([weight, weight[::-1, ::-1]]) * vector
    return IsingCylinder(vector**2, matrix / matrix.sum(axis=1, keepdims=True))
