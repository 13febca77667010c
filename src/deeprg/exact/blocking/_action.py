"""The action K(s) = -beta H(s) of Ising spins as a list of multi-spin couplings."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...hamiltonians import AbstractHamiltonian, Ising, RandomBondIsing
from ...lattice import Lattice
from ...runs.errors import UsageError
from ..couplings import Couplings, inverse_walsh_hadamard, walsh_hadamard
from ..couplings._checks import real_numbers, whole_sites
from ..layered import SpinHamiltonian
from ._states import MAX_SPINS, check_enumerable, log_sum

__all__ = ["ActionLike", "SpinAction", "action_of"]

Sites = tuple[int, ...]


@dataclass(frozen=True)
class SpinAction:
    """The action exponent K(s) = sum_S J_S prod_{i in S} s_i of `size` spins s_i = ±1, weight exp(K).

    K = -beta H is minus the dimensionless energy. `couplings` maps tuples of sites to J_S, the empty tuple
    to a constant; the order inside a tuple does not matter and every set counts once, so that a tuple given
    in two orders must have the same value (J_ij = J_ji). `lattice`, where given, is the geometry of the
    sites.

    Raises `UsageError` for a site outside 0 ... size - 1 or repeated in a tuple (s_i^2 = 1), numbers that are
    not finite, two values for one set, and a lattice of another size.

    >>> action = SpinAction(3, {(0, 1): 0.5, (0, 1, 2): 0.1, (2,): -0.3})
    >>> round(float(action.values()[0]), 12), round(action.log_partition, 6)
    (0.3, 2.23538)
    """

    size: int
    couplings: Mapping[Sites, float | int]
    lattice: Lattice | None = field(default=None)

    def __post_init__(self):
        if self.size < 1:
            raise UsageError(f"An action needs at least one spin, not {self.size}.")
        if self.lattice is not None and self.lattice.size != self.size:
            raise UsageError(f"The lattice {self.lattice} has {self.lattice.size} sites, not {self.size}.")
        merged: dict[Sites, float] = {}
        for sites, value in self.couplings.items():
            key, number = self._checked(sites), real_numbers("coupling", value).item()
            if not np.isfinite(number):
                raise UsageError(f"The coupling of the sites {tuple(sites)} must be finite, not {number}.")
            if merged.setdefault(key, number) != number:
                raise UsageError(
                    f"The couplings are not symmetric: the sites {key} have both {merged[key]} and {number}. "
                    "Give each set of sites once, in any order."
                )
        object.__setattr__(self, "couplings", merged)

    @classmethod
    def of(cls, hamiltonian: Ising | RandomBondIsing | SpinHamiltonian | Couplings) -> "SpinAction":
        """K = -beta H of a pair Hamiltonian or of couplings of all orders, {0, 1} turned into ±1.

        Double bonds of a lattice add up, a bond of a site to itself is a constant.

        >>> SpinAction.of(Ising(Lattice((4,)), temperature=2.0)).couplings
        {(0, 1): 0.5, (0, 3): 0.5, (1, 2): 0.5, (2, 3): 0.5}
        """
        if isinstance(hamiltonian, SpinHamiltonian):
            hamiltonian = hamiltonian.as_couplings()
        if isinstance(hamiltonian, Couplings):
            orders = hamiltonian.converted("pm").by_order().values()
            return cls(hamiltonian.n, {sites: j for order in orders for sites, j in order.items() if j})
        lattice, bonds = hamiltonian.lattice, hamiltonian.bonds()
        couplings: dict[Sites, float] = {}
        for here, (others, values) in enumerate(zip(bonds.neighbours, bonds.couplings, strict=True)):
            for there, value in zip(others.tolist(), values.tolist(), strict=True):
                if here < there:  # every bond is listed at both of its ends
                    couplings[here, there] = couplings.get((here, there), 0.0) + value
        if bonds.field:
            couplings |= {(site,): float(bonds.field) for site in range(lattice.size)}
        if isinstance(hamiltonian, Ising):
            constant = lattice.size * sum(j for step, j in hamiltonian.kernel if not any(step)) / 2
        else:
            axes = [axis for axis, extent in enumerate(lattice.shape) if extent == 1]
            constant = float(np.sum(np.asarray(hamiltonian.couplings)[axes]))
        if constant:
            couplings[()] = constant
        return cls(lattice.size, couplings, lattice)

    @classmethod
    def of_matrix(
        cls, matrix: np.ndarray, fields: np.ndarray | float | int = 0.0, lattice: Lattice | None = None
    ) -> "SpinAction":
        """K = 1/2 s^T J s + h . s with `matrix` J [N, N] and `fields` h [N] or one number, dimensionless.

        Raises `UsageError` for a matrix that is not square or not symmetric, naming the worst pair.

        >>> SpinAction.of_matrix(np.array([[0.0, 0.4], [0.4, 0.0]]), 0.1).couplings
        {(0, 1): 0.4, (0,): 0.1, (1,): 0.1}
        """
        matrix = real_numbers("couplings", matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise UsageError(f"The couplings must be a square matrix, but their shape is {matrix.shape}.")
        skew = np.abs(matrix - matrix.T)
        if skew.max(initial=0.0) > 1e-12 * np.abs(matrix).max(initial=0.0):
            i, j = (int(k) for k in np.unravel_index(np.argmax(skew), skew.shape))
            raise UsageError(
                f"The couplings are not symmetric: J[{i}, {j}] = {matrix[i, j]}, but J[{j}, {i}] = "
                f"{matrix[j, i]}. Give (J + J^T)/2, which has the same energy."
            )
        size = len(matrix)
        pairs = {(i, j): float(matrix[i, j]) for i in range(size) for j in range(i + 1, size) if matrix[i, j]}
        fields = np.broadcast_to(real_numbers("fields", fields), (size,))
        single = {(i,): float(h) for i, h in enumerate(fields) if h}
        constant = {(): float(np.trace(matrix)) / 2} if np.trace(matrix) else {}
        return cls(size, pairs | single | constant, lattice)

    @classmethod
    def of_binary(
        cls, size: int, couplings: Mapping[Sites, float | int], lattice: Lattice | None = None
    ) -> "SpinAction":
        """The same action with couplings on n_i = (1 + s_i)/2 in {0, 1}: K = sum_S J_S prod_{i in S} n_i.

        prod_{i in S} n_i = 2^-|S| sum_{T in S} prod_{i in T} s_i.

        >>> SpinAction.of_binary(2, {(0, 1): 0.4}).couplings
        {(): 0.1, (0,): 0.1, (1,): 0.1, (0, 1): 0.1}
        """
        spins: dict[Sites, float] = {}
        for sites, value in cls(size, couplings).couplings.items():
            for order in range(len(sites) + 1):
                for subset in itertools.combinations(sites, order):
                    spins[subset] = spins.get(subset, 0.0) + value / 2 ** len(sites)
        return cls(size, spins, lattice)

    @classmethod
    def of_values(cls, values: np.ndarray, lattice: Lattice | None = None) -> "SpinAction":
        """The action with given values K(s) on all 2^n states: J_S = 2^-n sum_s K(s) prod_{i in S} s_i.

        Raises `UsageError` unless the number of finite values is a power of 2.

        >>> SpinAction.of_values(np.array([0.3, -0.3, -0.3, 0.3])).couplings
        {(0, 1): 0.3}
        """
        values = real_numbers("values", values)
        size = len(values).bit_length() - 1
        if values.shape != (1 << size,) or size < 1 or not np.isfinite(values).all():
            raise UsageError(
                f"An action needs 2^n finite values, n >= 1, but the values have shape {values.shape}."
            )
        coefficients = walsh_hadamard(values, limit=MAX_SPINS)
        numbers = sorted(np.flatnonzero(coefficients).tolist(), key=lambda mask: (mask.bit_count(), mask))
        return cls(size, {_sites(mask): float(coefficients[mask]) for mask in numbers}, lattice)

    def as_couplings(self) -> Couplings:
        """The same action as `Couplings` of spins ±1; all sets that are not named have none.

        >>> SpinAction(2, {(0, 1): 0.5}).as_couplings()[1, 0]
        0.5
        """
        return Couplings.from_terms(self.size, self.couplings)

    def as_hamiltonian(self) -> SpinHamiltonian:
        """H = -K with beta = 1; raises `UsageError` where three or more spins are coupled.

        >>> SpinAction(2, {(0, 1): 0.5}).as_hamiltonian().pairs.tolist()
        [[0.0, 0.5], [0.5, 0.0]]
        """
        return SpinHamiltonian.from_couplings(self.as_couplings())

    def values(self) -> np.ndarray:
        """K(s) of all 2^N states, [2^N]; bit i of the index is set where s_i = -1.

        Raises `UsageError` above 24 spins, with the memory that it would take.

        >>> SpinAction(2, {(0, 1): 0.5, (0,): 0.25}).values().tolist()
        [0.75, -0.75, -0.25, 0.25]
        """
        check_enumerable(self.size, "Use block_transfer or action_at on rings, chains and strips.")
        coefficients = np.zeros(1 << self.size)
        for sites, value in self.couplings.items():
            coefficients[sum(1 << site for site in sites)] = value
        return inverse_walsh_hadamard(coefficients, limit=MAX_SPINS)

    @property
    def log_partition(self) -> float:
        """ln Z = ln sum_s exp(K(s)), by enumeration.

        >>> round(SpinAction.of(Ising(Lattice((4,)), temperature=1.0)).log_partition, 9)
        4.797713747
        """
        return float(log_sum(self.values()))

    def relabelled(self, order: list[int]) -> "SpinAction":
        """The action of the sites `order` in that order, without the couplings that reach other sites.

        >>> SpinAction(3, {(0, 2): 0.5, (1,): 0.1}).relabelled([2, 0]).couplings
        {(0, 1): 0.5}
        """
        place = {site: index for index, site in enumerate(order)}
        inside = {
            tuple(place[site] for site in sites): value
            for sites, value in self.couplings.items()
            if all(site in place for site in sites)
        }
        return SpinAction(len(order), inside)

    def _checked(self, sites: Sites) -> Sites:
        key = tuple(sorted(whole_sites(sites)))
        if key and (key[0] < 0 or key[-1] >= self.size):
            raise UsageError(f"The sites of an action are 0 ... {self.size - 1}, but a coupling joins {key}.")
        if len(set(key)) < len(key):
            raise UsageError(
                f"The coupling of the sites {key} repeats a site; leave it out in pairs, since s_i^2 = 1."
            )
        return key


ActionLike = SpinAction | AbstractHamiltonian | SpinHamiltonian | Couplings


def action_of(action: ActionLike) -> SpinAction:
    """The action itself, or that of a Hamiltonian or of couplings that `SpinAction.of` takes.

    Raises `UsageError` for other models.

    >>> action_of(Ising(Lattice((4,)), temperature=2.0)).size
    4
    """
    if isinstance(action, SpinAction):
        return action
    if isinstance(action, AbstractHamiltonian) and not isinstance(action, Ising | RandomBondIsing):
        raise UsageError(f"Blocking takes Ising spins or a SpinAction, not {action.describe()}")
    return SpinAction.of(action)


def _sites(mask: int) -> Sites:
    return tuple(site for site in range(mask.bit_length()) if mask >> site & 1)
