"""The Hamiltonian of binary or ±1 variables with fields and pair couplings, summed over all states."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...runs.errors import UsageError
from ..couplings import Couplings
from ..couplings._checks import real_numbers
from ..couplings._transforms import rows
from ._checks import Numbers, check_spins, checked_states, finite_array, finite_number, symmetric_matrix

__all__ = ["SpinHamiltonian", "SpinMoments"]

_MOST_SPINS = 25
_CHUNK = 1 << 15


@dataclass(frozen=True, eq=False)
class SpinMoments:
    """Exact moments: `log_partition` ln Z, `mean` ⟨x_i⟩ [n], `second` ⟨x_i x_j⟩ [n, n]."""

    log_partition: float
    mean: np.ndarray
    second: np.ndarray

    @property
    def connected(self) -> np.ndarray:
        """⟨x_i x_j⟩ - ⟨x_i⟩⟨x_j⟩, [n, n]."""
        return self.second - np.outer(self.mean, self.mean)


@dataclass(frozen=True, eq=False, init=False)
class SpinHamiltonian:
    """Spins with fields and pair couplings, H(x) = constant - f.x - 1/2 x^T J x, weight exp(-beta H).

    `pairs` J [n, n] is symmetric with zero diagonal, `fields` f [n]; spins "pm" (±1) or "binary" ({0, 1}).
    Arrays are float64, configurations [..., n]. Raises `UsageError` for shapes that do not fit, a J that is
    not symmetric or has a diagonal (for that: `from_quadratic`), no spins, numbers that are not real and
    finite, beta that is not positive.

    >>> pair = SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.0, 0.0])
    >>> float(pair.energy([1, 1])), round(pair.log_partition, 9)
    (-0.5, 1.506408868)
    """

    pairs: np.ndarray
    fields: np.ndarray
    constant: float
    beta: float
    spins: str

    def __init__(
        self,
        pairs: Numbers,
        fields: Numbers,
        constant: float | int = 0.0,
        *,
        beta: float | int = 1.0,
        spins: str = "pm",
    ):
        fields = np.atleast_1d(real_numbers("fields", fields))
        fields = finite_array("fields", fields, (fields.size,))
        if fields.size == 0:
            raise UsageError("A spin Hamiltonian needs at least one spin, but the fields are empty.")
        pairs = symmetric_matrix("pairs", pairs, fields.size)
        if np.diag(pairs).any():
            raise UsageError(
                "pairs has a diagonal, which is a field or a constant; use SpinHamiltonian.from_quadratic."
            )
        beta = finite_number("beta", beta)
        if not beta > 0:
            raise UsageError(f"beta must be positive, not {beta}.")
        for name, value in (
            ("pairs", pairs),
            ("fields", fields),
            ("constant", finite_number("constant", constant)),
            ("beta", beta),
            ("spins", check_spins(spins)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_quadratic(
        cls,
        matrix: Numbers,
        fields: Numbers,
        constant: float | int = 0.0,
        *,
        beta: float | int = 1.0,
        spins: str = "pm",
    ) -> "SpinHamiltonian":
        """The same from a matrix with a diagonal, which goes where the convention puts it.

        x in {0, 1}: x_i^2 = x_i, so J_ii/2 adds to the field; x = ±1: x_i^2 = 1, so -J_ii/2 adds to the
        constant. Raises `UsageError` for a matrix that is not symmetric.

        >>> h = SpinHamiltonian.from_quadratic([[1.0, 0.5], [0.5, 1.0]], [0.0, 0.0], spins="binary")
        >>> h.fields.tolist(), h.constant
        ([0.5, 0.5], 0.0)
        """
        fields = np.atleast_1d(real_numbers("fields", fields))
        matrix = symmetric_matrix("matrix", matrix, fields.size)
        half = np.diag(matrix) / 2
        if check_spins(spins) == "binary":
            fields = fields + half
        else:
            constant = constant - float(half.sum())
        return cls(matrix - np.diag(2 * half), fields, constant, beta=beta, spins=spins)

    @classmethod
    def from_couplings(cls, couplings: Couplings, *, beta: float | int = 1.0) -> "SpinHamiltonian":
        """The Hamiltonian with -beta H = f of an action f of orders 0 to 2, in its convention of spins.

        Raises `UsageError` where an order above 2 has a coupling, or one up to 2 was not computed.

        >>> action = Couplings.from_terms(2, {(0, 1): 0.5, (0,): 0.1})
        >>> SpinHamiltonian.from_couplings(action).pairs.tolist()
        [[0.0, 0.5], [0.5, 0.0]]
        """
        higher = [k for k in couplings.orders if k > 2 and np.any(couplings.order(k).values)]
        if higher:
            raise UsageError(
                f"The action couples {higher[-1]} variables; a spin Hamiltonian holds fields and pairs. Take "
                "couplings.truncated(2) to leave the rest out."
            )
        if np.isnan(couplings.absent) and not {0, 1, 2} <= set(couplings.orders):
            raise UsageError(f"The orders 0, 1 and 2 are needed; computed were {couplings.orders}.")
        parts = [couplings.pairs() / beta, couplings.fields() / beta, -couplings.constant / beta]
        return cls(*parts, beta=beta, spins=couplings.spins)

    def as_couplings(self) -> Couplings:
        """The action f = -beta H as couplings of orders 0, 1 and 2, in the same convention of spins.

        >>> SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.1, 0.0], beta=2.0).as_couplings()[0, 1]
        1.0
        """
        scaled = self.dimensionless()
        terms: dict[tuple[int, ...], float | int] = {(): -scaled.constant}
        terms |= {(i,): float(h) for i, h in enumerate(scaled.fields)}
        for i, j in zip(*np.nonzero(np.triu(scaled.pairs)), strict=True):
            terms[int(i), int(j)] = float(scaled.pairs[i, j])
        return Couplings.from_terms(self.size, terms, self.spins)

    @property
    def size(self) -> int:
        """The number of spins n."""
        return self.fields.size

    def energy(self, x: Numbers) -> np.ndarray:
        """H(x) of configurations [..., n], shape [...]; `UsageError` for values outside the convention.

        >>> SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.1, 0.0]).energy([[1, 1], [1, -1]]).tolist()
        [-0.6, 0.4]
        """
        return self._energy(checked_states(x, self.size, self.spins))

    def in_convention(self, spins: str) -> "SpinHamiltonian":
        """The same energies with the other variables, x_pm = 2 x_binary - 1.

        >>> pm = SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.1, 0.0])
        >>> float(pm.in_convention("binary").energy([1, 0])), float(pm.energy([1, -1]))
        (0.4, 0.4)
        """
        if check_spins(spins) == self.spins:
            return self
        # x = s y + o with y the new variable
        scale, offset = (2.0, -1.0) if spins == "binary" else (0.5, 0.5)
        shift = np.full(self.size, offset)
        return SpinHamiltonian(
            scale**2 * self.pairs,
            scale * (self.fields + self.pairs @ shift),
            float(self._energy(shift)),
            beta=self.beta,
            spins=spins,
        )

    def dimensionless(self) -> "SpinHamiltonian":
        """beta H as a Hamiltonian with beta = 1; its pairs are the K_ij = beta J_ij of lattice models.

        >>> SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.0, 0.0], beta=2.0).dimensionless().pairs[0, 1]
        np.float64(1.0)
        """
        beta = self.beta
        return SpinHamiltonian(
            beta * self.pairs, beta * self.fields, beta * self.constant, beta=1.0, spins=self.spins
        )

    @property
    def log_partition(self) -> float:
        """ln Z = ln sum_x exp(-beta H(x)), the constant included; `UsageError` above 25 spins."""
        return self.moments().log_partition

    def moments(self) -> SpinMoments:
        """ln Z, ⟨x_i⟩ and ⟨x_i x_j⟩ by the sum over all states. Raises `UsageError` above 25 spins.

        >>> moments = SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.0, 0.0]).moments()
        >>> round(float(moments.second[0, 1]), 9)          # tanh(1/2)
        0.462117157
        """
        n = self.size
        highest, norm = -math.inf, 0.0
        mean, second = np.zeros(n), np.zeros((n, n))
        for states, action in self._chunks():
            top = max(highest, float(action.max()))
            weights, old = np.exp(action - top), math.exp(highest - top)
            weighted = weights[:, None] * states
            norm = old * norm + float(weights.sum())
            mean = old * mean + weighted.sum(axis=0)
            second = old * second + weighted.T @ states
            highest = top
        return SpinMoments(highest + math.log(norm), mean / norm, second / norm)

    def correlator(self, *sites: int) -> float:
        """⟨x_i x_j ...⟩ of any sites, by the sum over all states. `UsageError` above 25 spins.

        >>> ring = SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.3, 0.0])
        >>> round(ring.correlator(0, 1), 9), round(ring.correlator(0), 9)
        (0.462117157, 0.291312612)
        """
        if any(not 0 <= site < self.size for site in sites):
            raise UsageError(f"Sites must lie in 0 ... {self.size - 1}, but {sites} were given.")
        highest, norm, total = -math.inf, 0.0, 0.0
        for states, action in self._chunks():
            top = max(highest, float(action.max()))
            weights, old = np.exp(action - top), math.exp(highest - top)
            norm = old * norm + float(weights.sum())
            total = old * total + float(weights @ states[:, list(sites)].prod(axis=1))
            highest = top
        return total / norm

    def states(self) -> np.ndarray:
        """All 2^n configurations, [2^n, n], in the order of `couplings.configurations`.

        Bit i of the row number set means x_i = -1, for {0, 1} x_i = 1. Raises `UsageError` above 25 spins.

        >>> SpinHamiltonian([[0.0, 0.5], [0.5, 0.0]], [0.0, 0.0], spins="binary").states().tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
        """
        self._check_size()
        return self._states(0, 1 << self.size)

    def _energy(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.constant - x @ self.fields - 0.5 * np.sum((x @ self.pairs) * x, axis=-1))

    def _states(self, start: int, stop: int) -> np.ndarray:
        return rows(np.arange(start, stop), self.size, self.spins).astype(np.float64)

    def _chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The states and their -beta H, chunk after chunk."""
        self._check_size()
        for start in range(0, 1 << self.size, _CHUNK):
            states = self._states(start, min(start + _CHUNK, 1 << self.size))
            yield states, -self.beta * self._energy(states)

    def _check_size(self) -> None:
        if self.size > _MOST_SPINS:
            raise UsageError(
                f"The exact sum takes at most {_MOST_SPINS} visibles, not {self.size}: 2^{self.size} "
                f"states, whose energies alone would fill {8 * 2.0**self.size / 2**30:.3g} GiB. "
                "Sample the spin Hamiltonian instead."
            )
