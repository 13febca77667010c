"""What the bit-parallel Ising samplers share: models they treat, binary thresholds, counting in bits."""

import math
import typing

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian, Ising, RandomBondIsing
from deeprg.montecarlo.samplers._base import Start, State, ordered_chains
from deeprg.runs.errors import UsageError

__all__ = [
    "PERIOD",
    "Rows",
    "acceptances",
    "binary_digits",
    "count_cube",
    "count_line",
    "count_square",
    "equal_bonds",
    "relaxation_sweeps",
    "spin_start",
]

PERIOD = 16
"""Every so many sweeps one is heat bath, which makes checkerboard Metropolis ergodic."""


def equal_bonds(hamiltonian: AbstractHamiltonian, name: str) -> tuple[float, np.ndarray]:
    """The strength K = |J|/T and the signs, int8 [sites, 2 ndim], of a model with bonds of equal strength.

    The signs are in the order of `Lattice.nearest_displacements()`. Raises `UsageError` with the reason
    and an alternative for anything but nearest neighbours of one strength K > 0, no field, even extents.

    >>> from deeprg.lattice import Lattice
    >>> strength, signs = equal_bonds(Ising(Lattice((4,)), temperature=2.0, coupling=-1.0), "multispin")
    >>> strength, signs[0].tolist()
    (0.5, [-1, -1])
    """

    def refuse(reason: str) -> UsageError:
        return UsageError(f"'{name}' cannot treat this model: {reason}. Take 'heat-bath', which can.")

    if not isinstance(hamiltonian, Ising | RandomBondIsing):
        raise UsageError(
            f"'{name}' treats Ising spins only, not {type(hamiltonian).__name__}; take 'metropolis'."
        )
    lattice, bonds = hamiltonian.lattice, hamiltonian.bonds()
    if any(extent % 2 for extent in lattice.shape):
        raise refuse(f"a checkerboard needs even extents, and the lattice is {lattice}")
    if bonds.field != 0:
        raise refuse(f"its field is h = {bonds.field:g}, and bits count neighbours only")
    near = lattice.neighbours()
    order, theirs = (np.argsort(table, axis=1, kind="stable") for table in (near, bonds.neighbours))
    same = near.shape == bonds.neighbours.shape and np.array_equal(
        np.take_along_axis(near, order, 1), np.take_along_axis(bonds.neighbours, theirs, 1)
    )
    if not same:
        raise refuse("it has bonds between other sites than nearest neighbours")
    strengths = np.abs(bonds.couplings)
    strength = float(strengths.max())
    if strength == 0 or not np.allclose(strengths, strength, rtol=1e-12, atol=0):
        raise refuse(
            "its bonds must have one strength |J| > 0, but range "
            f"from |J|/T = {strengths.min():g} to {strength:g}"
        )
    signs = np.empty(near.shape, np.int8)
    sorted_signs = np.sign(np.take_along_axis(bonds.couplings, theirs, 1)).astype(np.int8)
    np.put_along_axis(signs, order, sorted_signs, 1)
    return strength, signs


def acceptances(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """The flip probabilities [3], c = 1, 2, 3, of Metropolis, exp(-4 K c), and heat bath, 1/(1 + exp(4 K c)).

    >>> [p.round(3).tolist() for p in acceptances(0.25)]
    [[0.368, 0.135, 0.05], [0.269, 0.119, 0.047]]
    """
    cost = 4 * strength * np.arange(1, 4)
    return np.exp(-cost), 1 / (1 + np.exp(cost))


def binary_digits(probabilities: np.ndarray, count: int) -> np.ndarray:
    """The first binary digits of numbers in [0, 1), booleans [..., count].

    >>> binary_digits(np.array([0.625]), 4).astype(int).tolist()
    [[1, 0, 1, 0]]
    """
    rest, digits = np.asarray(probabilities, np.float64), []
    for _ in range(count):
        digits.append(rest >= 0.5)
        rest = 2 * rest - digits[-1]
    return np.stack(digits, axis=-1)


def spin_start(count: int, chains: int, shape: tuple[int, ...], *, seed: int, order: Start) -> State:
    """Spins [temperatures, chains, *shape], all up or drawn at random."""
    hot = np.random.default_rng([seed, 1]).choice(np.array([-1, 1], np.int8), (count, chains, *shape))
    ordered = ordered_chains(order, chains).reshape(1, -1, *(1 for _ in shape))
    return {"configurations": np.where(ordered, np.int8(1), hot)}


def relaxation_sweeps(shape: tuple[int, ...]) -> int:
    """Ten relaxation times of a critical system, about L^2 sweeps, within bounds.

    >>> relaxation_sweeps((32, 32))
    10240
    """
    return int(np.clip(10 * max(shape) ** 2, 200, 20_000))


class Rows:
    """The rows of a lattice along its last axis: their parity [rows] and the rows beside them.

    `beside` [rows, 2 (ndim - 1)] is in the order of `Lattice.nearest_displacements()`.

    >>> Rows((4, 2)).beside.tolist()
    [[1, 3], [2, 0], [3, 1], [0, 2]]
    """

    def __init__(self, shape: tuple[int, ...]):
        across = shape[:-1]
        numbers = np.arange(math.prod(across)).reshape(across)
        beside = [np.roll(numbers, -step, axis) for axis in range(len(across)) for step in (1, -1)]
        self.beside = np.stack([b.reshape(-1) for b in beside], axis=1) if beside else np.zeros((1, 0), int)
        self.parity = (np.indices(across).sum(axis=0) % 2).reshape(-1) if across else np.zeros(1, int)
        self._shape = shape

    def of_colour(self, values: np.ndarray, colour: int) -> np.ndarray:
        """The values [..., *shape] at the sites of one colour, row by row, [..., rows, extent / 2]."""
        lines = values.reshape(*values.shape[: values.ndim - len(self._shape)], self.parity.size, -1)
        first = (self.parity + colour) % 2
        return np.stack([lines[..., row, first[row] :: 2] for row in range(self.parity.size)], axis=-2)


# Antiparallel neighbours are counted by binary adders on words. Each function returns the masks of the bits
# with n = z/2, then n = z/2 - 1, - 2, - 3, then n = z/2 + 1, + 2, + 3. They serve JAX arrays and numba
# scalars.


@typing.no_type_check
def count_line(x, y):
    """The masks for z = 2.

    >>> [int(mask) & 1 for mask in count_line(0, 1)]
    [1, 0, 0, 0, 0, 0, 0]
    """
    none = x ^ x
    return x ^ y, ~(x | y), none, none, x & y, none, none


@typing.no_type_check
def count_square(x, y, z, w):
    """The masks for z = 4.

    >>> [int(mask) & 1 for mask in count_square(0, 1, 0, 0)]
    [0, 1, 0, 0, 0, 0, 0]
    """
    s, carry, t, other = x ^ y, x & y, z ^ w, z & w
    one = s ^ t  # n = one + 2 two + 4 four
    two = carry ^ other ^ (s & t)
    four = carry & other
    none = x ^ x
    return two & ~one, one & ~two, ~(one | two | four), none, one & two, four, none


@typing.no_type_check
def count_cube(x, y, z, w, u, v):
    """The masks for z = 6.

    >>> [int(mask) & 1 for mask in count_cube(1, 1, 1, 1, 0, 1)]
    [0, 0, 0, 0, 0, 1, 0]
    """
    s, carry = x ^ y ^ z, (x & y) | (z & (x ^ y))
    t, other = w ^ u ^ v, (w & u) | (v & (w ^ u))
    one, third = s ^ t, s & t
    two = carry ^ other ^ third
    four = (carry & other) | (third & (carry ^ other))
    less = (two & ~one & ~four, one & ~two & ~four, ~(one | two | four))
    return one & two, less[0], less[1], less[2], four & ~one & ~two, four & one, four & two
