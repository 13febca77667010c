"""Real-space mutual information: what the coarse spins of some blocks know of the spins far from them."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import entr, rel_entr

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._action import ActionLike, action_of
from ._marginal import log_marginal
from ._partition import partition_of
from ._rules import rule_tables
from ._split import BlockLike, RuleLike

__all__ = ["BlockEnvironment", "Information", "beyond", "block_environment", "frames", "mutual_information"]


def mutual_information(joint: np.ndarray) -> float:
    """I = sum_xy p(x, y) ln[p(x, y)/(p(x) p(y))] of a joint distribution [m, n], in nats.

    The table is normalised first; a sum that rounding leaves below zero is zero.

    Raises `UsageError` for a table that is not two-dimensional, with negative or non-finite entries or none
    above zero.

    >>> round(mutual_information(np.eye(2)), 9)  # two equal bits: ln 2
    0.693147181
    """
    joint = np.asarray(joint, np.float64)
    if joint.ndim != 2 or not np.isfinite(joint).all() or (joint < 0).any() or not joint.sum() > 0:
        raise UsageError(
            f"A joint distribution is a table [m, n] of numbers >= 0 that are not all 0, not of shape "
            f"{joint.shape} with entries from {joint.min(initial=np.inf):g} to "
            f"{joint.max(initial=-np.inf):g}."
        )
    joint = joint / joint.sum()
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return max(0.0, float(rel_entr(joint, product).sum()))


@dataclass(frozen=True)
class Information:
    """What a rule keeps, in nats.

    `kept` is I(X:E) of the coarse spins X and the environment E, `present` I(V:E) of the blocks' spins V,
    `read` I(X:V), `entropy` H(X). X depends on E through V only, so that
    0 <= I(X:E) <= min(I(V:E), I(X:V)) and I(X:V) <= H(X), with I(X:V) = H(X) for deterministic rules.

    >>> Information(kept=0.1, present=0.4, read=0.6, entropy=0.7).share
    0.25
    """

    kept: float
    present: float
    read: float
    entropy: float

    @property
    def share(self) -> float:
        """I(X:E)/I(V:E), between 0 and 1; nan where the block knows nothing of the environment."""
        return self.kept / self.present if self.present > 0 else float("nan")


@dataclass(frozen=True)
class BlockEnvironment:
    """The joint distribution of some blocks and their environment, the buffer summed over.

    `joint` p(V, E) [2^v, 2^e]; `blocks` the sites of each of the blocks and `environment` those of E, in the
    order of the bits of the table's row and column.
    """

    joint: np.ndarray
    blocks: tuple[tuple[int, ...], ...]
    environment: tuple[int, ...]

    @functools.cached_property
    def present(self) -> float:
        """I(V:E), the most that any rule can keep."""
        return mutual_information(self.joint)

    def information(self, rule: RuleLike) -> Information:
        """I(X:E), I(V:E), I(X:V) and H(X) of a rule, or of one rule for each of the blocks.

        Raises `UsageError` for rules as `block_exact` does.

        >>> from deeprg.exact.blocking import Decimation, Partition
        >>> from deeprg.hamiltonians import Ising
        >>> ring = Ising(Lattice((16,)), temperature=10.0)
        >>> known = block_environment(ring, Partition.cubic(ring.lattice, 2), buffer=1)
        >>> round(known.information(Decimation()).share, 4)
        0.505
        """
        tables = rule_tables(rule, [len(block) for block in self.blocks])
        table = functools.reduce(lambda low, high: np.kron(high, low), tables)  # P(X | V), block 0 lowest
        coarse = table.T @ self.joint
        read = self.joint.sum(axis=1)[:, None] * table
        return Information(
            kept=mutual_information(coarse),
            present=self.present,
            read=mutual_information(read),
            entropy=float(entr(coarse.sum(axis=1)).sum()),
        )


def frames(lattice: Lattice, sites: Sequence[int]) -> np.ndarray:
    """In which frame around `sites` every site lies, [N]: 0 for them, 1 for their neighbours and corners, ...

    >>> frames(Lattice((8,)), [0, 1]).tolist()
    [0, 0, 1, 2, 3, 3, 2, 1]
    """
    places = np.stack(np.unravel_index(np.arange(lattice.size), lattice.shape), axis=-1)
    steps = np.abs(places[:, None] - places[list(sites)][None])
    return np.minimum(steps, np.asarray(lattice.shape) - steps).max(axis=-1).min(axis=1)


def beyond(lattice: Lattice, sites: Sequence[int], buffer: int) -> tuple[int, ...]:
    """The sites more than `buffer` steps away from `sites` along every path of axis and diagonal steps.

    The buffer is a frame of that width, corners included. Raises `UsageError` for a negative width, and when
    no site is left.

    >>> beyond(Lattice((8,)), [0, 1], 1), len(beyond(Lattice((6, 6)), [0, 1, 6, 7], 1))
    ((3, 4, 5, 6), 20)
    """
    if buffer < 0:
        raise UsageError(f"The buffer has a width of 0 or more, not {buffer}.")
    far = tuple(np.flatnonzero(frames(lattice, sites) > buffer).tolist())
    if not far:
        raise UsageError(
            f"A buffer of {buffer} around {len(sites)} sites leaves no environment on {lattice}; take a "
            "narrower buffer or a larger lattice."
        )
    return far


def block_environment(
    action: ActionLike,
    blocks: BlockLike,
    *,
    buffer: int = 1,
    of: Sequence[int] = (0,),
    environment: Sequence[int] | None = None,
) -> BlockEnvironment:
    """p(V, E) = sum_B exp(K)/Z of the blocks numbered `of` and their environment, exactly.

    E are the sites `beyond` a frame of width `buffer` on the action's lattice, or those of `environment`: on
    a long ring with couplings of nearest neighbours the two sites next to the buffer suffice, because they
    screen all others. Every other spin is summed over, spin by spin.

    Raises `UsageError` for blocks that do not tile the sites or do not exist, an environment that is empty
    or overlaps them, no lattice to measure the buffer on, and more than 24 spins in V and E together.

    >>> from deeprg.exact.blocking import Decimation, Majority, Partition
    >>> from deeprg.hamiltonians import Ising
    >>> ring = Ising(Lattice((200,)), temperature=1.0)
    >>> known = block_environment(ring, Partition.cubic(ring.lattice, 2), environment=[3, 198])
    >>> [round(known.information(rule).kept, 6) for rule in (Decimation(), Majority(ties="random"))]
    [0.247033, 0.240568]
    """
    action = action_of(action)
    partition = partition_of(blocks, action.size)
    if not of or len(set(of)) < len(of) or not all(0 <= one < len(partition.blocks) for one in of):
        raise UsageError(
            f"There are the blocks 0 ... {len(partition.blocks) - 1}, each to be named once, not {list(of)}."
        )
    chosen = tuple(tuple(partition.blocks[one]) for one in of)
    inside = [site for block in chosen for site in block]
    if environment is None:
        if action.lattice is None:
            raise UsageError(
                "The buffer is measured on a lattice, but the action has none; give environment=."
            )
        environment = beyond(action.lattice, inside, buffer)
    if not environment or set(environment) & set(inside):
        raise UsageError(
            f"The environment must have sites outside the blocks' own {inside}, and only such; it is "
            f"{list(environment)}."
        )
    weights = log_marginal(action, [*inside, *environment])
    joint = np.exp(weights - weights.max())
    joint = (joint / joint.sum()).reshape(-1, 1 << len(inside)).T
    return BlockEnvironment(joint, chosen, tuple(environment))
