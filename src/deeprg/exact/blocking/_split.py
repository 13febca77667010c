"""The action split into intra-block and inter-block parts, and what the blocks alone give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._action import ActionLike, SpinAction, action_of
from ._partition import Partition, partition_of
from ._rules import Rule, rule_tables
from ._states import check_enumerable, log_sum, spin_table

__all__ = ["BlockLike", "RuleLike", "Split", "split"]

BlockLike = Partition | np.ndarray | Iterable[Iterable[int]]
RuleLike = Rule | Sequence[Rule]


@dataclass(frozen=True)
class Split:
    """K = J_0 + sum_i K_b(Y_i) + K_1, and the one-block distributions (eq:blk-block).

    Per block i: `tables` P(x | Y) [2^b, 2], `intra` K_b(Y) [2^b], `log_norms` ln Z_b, `log_coarse`
    ln p_b(x) [2], `conditionals` p_b(Y | x) [2^b, 2]. `inter` is K_1 and `action` K itself; in both the sites
    are numbered block after block, so that block 0 is the lowest bits.
    """

    partition: Partition
    action: SpinAction
    inter: SpinAction
    tables: list[np.ndarray]
    intra: list[np.ndarray]
    log_norms: np.ndarray
    log_coarse: np.ndarray
    conditionals: list[np.ndarray]

    @property
    def constant(self) -> float:
        """J_0 + sum_i ln Z_b, the first term of K' (eq:blk-terms) with the action's own constant."""
        return float(self.log_norms.sum()) + self.action.couplings.get((), 0.0)

    @property
    def count(self) -> int:
        """The number of blocks n."""
        return len(self.tables)

    @property
    def lattice(self) -> Lattice | None:
        """The coarse lattice, where the partition has one."""
        return self.partition.lattice

    def block_term(self, coarse: np.ndarray | None = None) -> np.ndarray:
        """sum_i ln p_b(x_i) of the coarse states `coarse` [m, n], ±1, or of all 2^n states."""
        if coarse is None:
            check_enumerable(self.count, "Ask for chosen coarse states with action_at.")
            coarse = spin_table(self.count)
        minus = (coarse < 0).astype(np.int64)
        return self.log_coarse[np.arange(self.count), minus].sum(axis=-1)


def split(action: ActionLike, blocks: BlockLike, rule: RuleLike) -> Split:
    """The parts of `action` for a partition and a rule (one, or one per block).

    Raises `UsageError` for blocks that do not tile the sites and for rules as `rule_tables` does.

    >>> from deeprg.exact.blocking import Soft
    >>> parts = split(SpinAction(4, {(0, 1): 0.5, (1, 2): 0.5}), [[0, 1], [2, 3]], Soft((1.0, 0.0)))
    >>> dict(parts.inter.couplings), parts.log_norms.round(6).tolist()
    ({(1, 2): 0.5}, [1.506409, 1.386294])
    """
    action = action_of(action)
    partition = partition_of(blocks, action.size)
    for index, block in enumerate(partition.blocks):
        if len(block) > 16:
            raise UsageError(
                f"Block {index} has {len(block)} spins, a rule with 2^{len(block)} rows; at most 16."
            )
    tables = rule_tables(rule, [len(block) for block in partition.blocks])
    place = {
        site: (index, local)
        for index, block in enumerate(partition.blocks)
        for local, site in enumerate(block)
    }
    position = {site: index for index, site in enumerate(partition.order)}
    inter: dict[tuple[int, ...], float] = {}
    within: list[dict[tuple[int, ...], float]] = [{} for _ in partition.blocks]
    for sites, value in action.couplings.items():
        homes = {place[site][0] for site in sites}
        if len(homes) > 1:
            inter[tuple(position[site] for site in sites)] = value
        elif homes:
            within[homes.pop()][tuple(place[site][1] for site in sites)] = value
    intra, norms, coarse, conditionals = [], [], [], []
    for block, table, own in zip(partition.blocks, tables, within, strict=True):
        values = SpinAction(len(block), own).values()
        with np.errstate(divide="ignore"):
            joint = values[:, None] + np.log(table)
        norm, log_coarse = log_sum(values), log_sum(joint)
        intra.append(values)
        norms.append(float(norm))
        coarse.append(log_coarse - norm)
        conditionals.append(np.exp(joint - log_coarse))
    return Split(
        partition,
        action.relabelled(partition.order),
        SpinAction(action.size, inter),
        tables,
        intra,
        np.array(norms),
        np.array(coarse),
        conditionals,
    )
