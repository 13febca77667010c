"""K' by enumeration of the fine states, directly and through the decomposition into blocks."""

from dataclasses import dataclass

import numpy as np

from ._action import ActionLike
from ._blocked import BlockedAction
from ._split import BlockLike, RuleLike, split
from ._states import contract, log_contract, log_sum

__all__ = ["Decomposition", "block_exact", "decompose"]


@dataclass(frozen=True)
class Decomposition:
    """The three terms of K' (eq:blk-terms of the theory chapter), and their sum.

    `constant` is n ln Z_b (summed over the blocks, with the action's own constant), `block` sum_i ln p_b(x_i)
    [2^n], `interaction` ln ⟨exp K_1⟩_{b|x} [2^n]; states are numbered as in `BlockedAction`.
    """

    constant: float
    block: np.ndarray
    interaction: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """K'(x), [2^n]."""
        return self.constant + self.block + self.interaction


def block_exact(action: ActionLike, blocks: BlockLike, rule: RuleLike) -> BlockedAction:
    """K'(x) = ln sum_chi prod_i P(x_i | Y_i) exp(K(chi)) by the sum over all fine states (eq:blk-step).

    The sum is contracted block by block as logarithms, so that it does not underflow at strong coupling. Up
    to 24 spins: 16 take milliseconds, 24 a few seconds and about 0.5 GiB.

    Raises `UsageError` above 24 spins (with memory and time), for blocks that overlap or miss sites, and for
    rules that are not normalised or leave ties open.

    >>> from deeprg.exact.blocking import Majority, Partition
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((8,)), temperature=1 / 0.3)
    >>> partition = Partition.cubic(ring.lattice, 2)
    >>> coarse = block_exact(ring, partition, Majority(ties="random"))
    >>> [round(coarse.coupling(*sites), 5) for sites in [(0, 1), (0, 2), (0, 1, 2, 3)]]
    [0.12335, -0.00924, -0.00017]
    """
    parts = split(action, blocks, rule)
    values = parts.action.values()
    with np.errstate(divide="ignore"):
        tables = [np.log(table) for table in parts.tables]
    return BlockedAction(log_contract(values, tables), float(log_sum(values)), parts.lattice)


def decompose(action: ActionLike, blocks: BlockLike, rule: RuleLike) -> Decomposition:
    """K'(x) = n ln Z_b + sum_i ln p_b(x_i) + ln ⟨exp K_1⟩_{b|x} (eq:blk-terms): three terms.

    The average is over the product of p_b(Y_i | x_i) (eq:blk-block). Raises `UsageError` as
    `block_exact`.

    >>> from deeprg.exact.blocking import Decimation, SpinAction
    >>> parts = decompose(SpinAction(4, {(0, 1): 0.3, (1, 2): 0.3}), [[0, 1], [2, 3]], Decimation())
    >>> round(parts.constant, 6), parts.block.round(6).tolist(), parts.interaction.round(4).tolist()
    (2.816929, [-1.386294, -1.386294, -1.386294, -1.386294], [0.1258, -0.0443, -0.0443, 0.1258])
    """
    parts = split(action, blocks, rule)
    values = parts.inter.values()
    highest = values.max()
    mean = contract(np.exp(values - highest), parts.conditionals)
    with np.errstate(divide="ignore"):
        interaction = highest + np.log(mean)
    return Decomposition(parts.constant, parts.block_term(), interaction)
