"""The coarse action K'(x) with its couplings, correlators and partition function."""

import functools
from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError
from ..couplings import inverse_walsh_hadamard, walsh_hadamard
from ._action import SpinAction
from ._states import MAX_SPINS, log_sum

__all__ = ["BlockedAction"]


@dataclass(frozen=True)
class BlockedAction:
    """K'(x) of all coarse states: exp(K'(x)) = sum_chi p(x | chi) exp(K(chi)) (eq:blk-step).

    `values` [2^n], bit i of the index set where x_i = -1; the constant is included, so that Z is preserved.
    `fine_log_partition` is ln Z of the fine action, computed without the rule; `lattice` the coarse lattice.
    """

    values: np.ndarray
    fine_log_partition: float
    lattice: Lattice | None = None

    @property
    def size(self) -> int:
        """The number of coarse spins n."""
        return len(self.values).bit_length() - 1

    @functools.cached_property
    def coefficients(self) -> np.ndarray:
        """The couplings J_S = 2^-n sum_x K'(x) prod_{i in S} x_i of every set S (its bits), [2^n].

        >>> from deeprg.exact.blocking import Decimation, block_exact
        >>> ring = SpinAction(4, {(0, 1): 0.3, (1, 2): 0.3, (2, 3): 0.3, (0, 3): 0.3})
        >>> block_exact(ring, [[0, 1], [2, 3]], Decimation()).coefficients.round(6).tolist()
        [1.55643, 0.0, 0.0, 0.170135]
        """
        return walsh_hadamard(self.values, limit=MAX_SPINS)

    @property
    def constant(self) -> float:
        """The coupling of the empty set, the part of the free energy that left the spins."""
        return float(self.coefficients[0])

    def coupling(self, *sites: int) -> float:
        """J_S of the given sites; raises `UsageError` for sites outside 0 ... n - 1 or given twice."""
        if len(set(sites)) < len(sites) or not all(0 <= site < self.size for site in sites):
            raise UsageError(f"A coupling needs different sites of 0 ... {self.size - 1}, not {sites}.")
        return float(self.coefficients[sum(1 << site for site in sites)])

    @property
    def action(self) -> SpinAction:
        """K' as the action of a next step, on the coarse lattice.

        >>> from deeprg.exact.blocking import Majority, block_exact
        >>> step = block_exact(SpinAction(3, {(0, 1, 2): 0.2}), [[0], [1], [2]], Majority())
        >>> {sites: round(value, 12) for sites, value in step.action.couplings.items() if abs(value) > 1e-15}
        {(0, 1, 2): 0.2}
        """
        return SpinAction.of_values(self.values, self.lattice)

    @functools.cached_property
    def log_partition(self) -> float:
        """ln Z' = ln sum_x exp(K'(x)), which equals `fine_log_partition`."""
        return float(log_sum(self.values))

    @property
    def partition_error(self) -> float:
        """|ln Z' - ln Z|, zero up to rounding for every normalised rule.

        >>> from deeprg.exact.blocking import Majority, block_exact
        >>> chain = SpinAction(3, {(0, 1): 0.4, (1, 2): 0.3})
        >>> step = block_exact(chain, [[0, 1], [2]], Majority(ties="random"))
        >>> step.partition_error < 1e-14
        True
        """
        return abs(self.log_partition - self.fine_log_partition)

    @functools.cached_property
    def correlators(self) -> np.ndarray:
        """⟨prod_{i in S} x_i⟩ under exp(K')/Z' of every set S, [2^n], in the order of `coefficients`.

        They are those of the coarse spins under p(x | chi) p(chi).

        >>> from deeprg.exact.blocking import Decimation, block_exact
        >>> ring = SpinAction(4, {(0, 1): 0.3, (1, 2): 0.3, (2, 3): 0.3, (0, 3): 0.3})
        >>> block_exact(ring, [[0, 1], [2, 3]], Decimation()).correlators.round(6).tolist()
        [1.0, 0.0, 0.0, 0.168512]
        """
        return inverse_walsh_hadamard(np.exp(self.values - self.log_partition), limit=MAX_SPINS)
