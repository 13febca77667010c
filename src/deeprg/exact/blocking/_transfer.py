"""K' by transfer matrices along a sequence of blocks: long rings, open chains and 2D strips."""

import functools

import numpy as np

from ...runs.errors import NumericalError, UsageError
from ._action import ActionLike, SpinAction
from ._blocked import BlockedAction
from ._split import BlockLike, RuleLike, Split, split
from ._states import MAX_SPINS, check_enumerable

__all__ = ["Chain", "action_at", "block_transfer"]

_WIDEST = 16  # spins per group, whose states are listed
_MOST_WORK, _MOST_MEMORY = 1e12, 8 * 2.0**30


class Chain:
    """⟨exp(t K_1)⟩_{b|x} as a product of transfer matrices over groups of `width` consecutive blocks.

    K_1 may join blocks within a group and in neighbouring groups, the last and the first included (a ring).
    A group g enters as U_g(x; l, r), summed over its spins except those that K_1 joins to the group before
    (l) and to the group after (r): 2 x 2 matrices on a ring with nearest neighbours, whatever the blocks.

    Raises `UsageError` when `width` does not divide the number of blocks, a group has more than 16 spins, a
    coupling reaches beyond the neighbouring group, or the products for `states` coarse states would take
    many minutes or more than 8 GiB.
    """

    def __init__(self, parts: Split, width: int = 1, states: int = 1):
        if width < 1 or parts.count % width:
            raise UsageError(
                f"The width must divide the {parts.count} blocks into equal groups, but it is {width}."
            )
        sizes = np.array([len(block) for block in parts.partition.blocks]).reshape(-1, width).sum(axis=1)
        if sizes.max() > _WIDEST:
            raise UsageError(
                f"A group of {width} blocks has {sizes.max()} spins, and a table of 2^{sizes.max()} rows; "
                f"at most {_WIDEST} spins."
            )
        ends = np.cumsum(sizes).tolist()
        sites = [list(range(end - size, end)) for end, size in zip(ends, sizes.tolist(), strict=True)]
        self.parts, self.width, self.groups = parts, width, len(sites)
        self.tables = [_product(parts.conditionals[k : k + width]) for k in range(0, parts.count, width)]
        own, link = self._assign(sites)
        after = [_touched(joint, group) for joint, group in zip(link, sites, strict=True)]
        before = [_touched(link[g - 1], group) if self.groups > 1 else [] for g, group in enumerate(sites)]
        self.shapes = [(1 << len(left), 1 << len(right)) for left, right in zip(before, after, strict=True)]
        self._check_cost(states)
        size = parts.action.size
        self.inside = [
            SpinAction(size, couplings).relabelled(group).values()
            for couplings, group in zip(own, sites, strict=True)
        ]
        self.legs = [
            _codes(group, left, right) for group, left, right in zip(sites, before, after, strict=True)
        ]
        self.links = [
            _link(SpinAction(size, couplings), right, left)
            for couplings, right, left in zip(link, after, before[1:] + before[:1], strict=True)
        ]

    def log_mean(self, t: complex | float, coarse: np.ndarray | None = None) -> np.ndarray:
        """ln ⟨exp(t K_1)⟩_{b|x} for the coarse states [m, n], ±1, or for all 2^n; complex where t is."""
        codes = None
        if coarse is not None:
            bits = (coarse < 0).reshape(len(coarse), self.groups, self.width)
            codes = (bits * (1 << np.arange(self.width))).sum(axis=-1)
        return self._trace(t, self.tables, codes)

    def log_partition(self) -> float:
        """ln Z of the fine action, without the rule."""
        norms = zip(self.parts.intra, self.parts.log_norms, strict=True)
        blocks = [np.exp(own - norm) for own, norm in norms]
        tables = [_product(blocks[k : k + self.width])[:, None] for k in range(0, len(blocks), self.width)]
        return self.parts.constant + float(self._trace(1.0, tables, None)[0])

    def _assign(self, sites: list[list[int]]) -> tuple[list[dict], list[dict]]:
        """The couplings of K_1 within each group, and between each group and the next."""
        owner = {site: group for group, members in enumerate(sites) for site in members}
        own: list[dict] = [{} for _ in sites]
        link: list[dict] = [{} for _ in sites]
        for joined, value in self.parts.inter.couplings.items():
            touched = sorted({owner[site] for site in joined})
            if len(touched) == 1:
                own[touched[0]][joined] = value
            elif len(touched) == 2 and touched[1] - touched[0] == 1:
                link[touched[0]][joined] = value
            elif len(touched) == 2 and touched == [0, len(sites) - 1]:
                link[-1][joined] = value
            else:
                order = self.parts.partition.order
                raise UsageError(
                    f"The coupling of the sites {tuple(order[site] for site in joined)} joins the groups "
                    f"{touched}, but a transfer matrix joins neighbouring groups only. Order the blocks "
                    f"along the chain, or take wider groups than {self.width}."
                )
        return own, link

    def _check_cost(self, states: int) -> None:
        start, widest = self.shapes[0][0], max(left * right for left, right in self.shapes)
        work, memory = 4.0 * states * start * widest, 32.0 * states * start * max(max(s) for s in self.shapes)
        if work > _MOST_WORK or memory > _MOST_MEMORY:
            raise UsageError(
                f"Transfer matrices of {max(max(s) for s in self.shapes)} rows, {states} coarse states: "
                f"{work:.2g} steps and {memory / 2**30:.3g} GiB; take a narrower strip, couplings of shorter "
                "range, or fewer states by action_at."
            )

    def _trace(self, t: complex | float, tables: list[np.ndarray], codes: np.ndarray | None) -> np.ndarray:
        """ln of the product around the groups for all coarse states, or for rows of codes [m, groups].

        The rows [states, l of the first group, r of the last one so far] are rescaled as they go.
        """
        edge = np.eye(self.shapes[0][0])
        rows, logs = edge[None], np.zeros(1)
        for group, (table, energies) in enumerate(zip(tables, self.inside, strict=True)):
            highest = float(np.max(np.real(t) * energies))
            weights = np.exp(t * energies - highest)[:, None] * table
            order, starts, filled = self.legs[group]
            shape = self.shapes[group]
            vertex = np.zeros((shape[0] * shape[1], table.shape[1]), weights.dtype)
            vertex[filled] = np.add.reduceat(weights[order], starts, axis=0)
            vertex = vertex.T.reshape(-1, *shape)  # [coarse states of the group, l, r]
            logs = logs + highest
            if codes is not None:
                rows = (rows @ edge) @ vertex[codes[:, group]]
            else:  # the later group's coarse spins are higher bits
                before = (rows @ edge).reshape(-1, shape[0])
                rows = np.stack([before @ one for one in vertex]).reshape(-1, rows.shape[1], shape[1])
                logs = np.tile(logs, len(vertex))
            scale = np.abs(rows).max(axis=(1, 2))
            scale = np.where(scale > 0, scale, 1.0)
            rows, logs = rows / scale[:, None, None], logs + np.log(scale)
            highest = float(np.max(np.real(t) * self.links[group]))
            edge = np.exp(t * self.links[group] - highest)  # [r, l of the next group]
            logs = logs + highest
        total = np.einsum("xlr,rl->x", rows, edge)
        if not np.all(np.abs(total) > 0):
            raise NumericalError(
                "The product of transfer matrices vanishes in double precision: couplings are too strong."
            )
        return np.log(total) + logs


def _touched(couplings: dict, group: list[int]) -> list[int]:
    """The sites of the group that the couplings reach."""
    reached = {site for joined in couplings for site in joined}
    return [site for site in group if site in reached]


def _codes(group: list[int], left: list[int], right: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The states of a group sorted by those of its left and right legs: order, starts, codes."""
    states, legs = np.arange(1 << len(group)), np.zeros(1 << len(group), np.int64)
    for place, site in enumerate(right + left):  # the right leg's bits are the lowest
        legs |= ((states >> group.index(site)) & 1) << place
    order = np.argsort(legs, kind="stable")
    filled, starts = np.unique(legs[order], return_index=True)
    return order, starts, filled


def _link(action: SpinAction, right: list[int], left: list[int]) -> np.ndarray:
    """K_1 between the right leg of a group and the left leg of the next, [r, l]; zero for none."""
    if not right:
        return np.zeros((1, 1))
    return action.relabelled(right + left).values().reshape(1 << len(left), -1).T


def _product(tables: list[np.ndarray]) -> np.ndarray:
    """The joint table of several blocks; the first has the lowest bits."""
    return functools.reduce(lambda low, high: np.kron(high, low), tables)


def block_transfer(action: ActionLike, blocks: BlockLike, rule: RuleLike, *, width: int = 1) -> BlockedAction:
    """K'(x) of all 2^n coarse states as traces of products of transfer matrices, for many fine spins.

    Its last term (eq:blk-terms) has ⟨exp K_1⟩_{b|x} = tr prod_g [diag(p_b(Y_g | x_g)) exp K_1(Y_g, Y_{g+1})].
    The groups g are `width` consecutive blocks: 1 on a ring or chain of blocks, the number of blocks across
    a 2D strip. Only the spins of a group that K_1 joins to its neighbours enter the matrices: with l of them
    the time is 2^n 8^l on a ring of groups and 2^n 4^l on an open chain, however large the blocks.

    Raises `UsageError` above 24 coarse spins, and as `Chain` does; `NumericalError` when the product
    underflows.

    >>> from deeprg.exact.blocking import Decimation, Partition
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((40,)), temperature=1 / 0.3)
    >>> coarse = block_transfer(ring, Partition.cubic(ring.lattice, 4), Decimation())
    >>> round(coarse.coupling(0, 1), 9), round(float(np.arctanh(np.tanh(0.3) ** 4)), 9)
    (0.00720186, 0.00720186)
    """
    parts = split(action, blocks, rule)
    check_enumerable(
        parts.count, f"More than {MAX_SPINS} blocks: ask for chosen coarse states with action_at."
    )
    chain = Chain(parts, width, 1 << parts.count)
    values = parts.constant + parts.block_term() + chain.log_mean(1.0)
    return BlockedAction(values, chain.log_partition(), parts.lattice)


def action_at(
    coarse: np.ndarray, action: ActionLike, blocks: BlockLike, rule: RuleLike, *, width: int = 1
) -> np.ndarray:
    """K'(x) of chosen coarse states `coarse` [m, n], entries ±1, by transfer matrices, [m]; any length.

    Raises `UsageError` for a wrong shape or other entries, otherwise as `block_transfer`.

    >>> from deeprg.exact.blocking import Decimation, Partition
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((1000,)), temperature=1 / 0.3)
    >>> up = np.ones((1, 500))
    >>> value = action_at(up, ring, Partition.cubic(ring.lattice, 2), Decimation()).item()
    >>> round(value, 9), round(500 * float(np.log(2 * np.cosh(0.6))), 9)
    (431.641233669, 431.641233669)
    """
    parts = split(action, blocks, rule)
    coarse = np.asarray(coarse, np.float64)
    if coarse.ndim != 2 or coarse.shape[1] != parts.count or not np.all(np.abs(coarse) == 1):
        raise UsageError(
            f"Coarse states are ±1 of shape [m, {parts.count}], but the shape is {coarse.shape}"
            f"{'' if np.all(np.abs(coarse) == 1) else ' and some entries are not ±1'}."
        )
    return parts.constant + parts.block_term(coarse) + Chain(parts, width, len(coarse)).log_mean(1.0, coarse)
