"""The rule of most information, by trying all that map a block to one sign."""

import numpy as np

from ...runs.errors import UsageError
from ._information import BlockEnvironment, Information
from ._rules import UserRule

__all__ = ["best_odd_rule"]

_MOST = 4


def best_odd_rule(known: BlockEnvironment) -> tuple[UserRule, Information]:
    """The deterministic rule, odd under a flip of all spins, that keeps the most information, and how much.

    I(X:E) is convex in p(x | V), so that no rule keeps more than the best deterministic one; of blocks of b
    spins 2^(2^(b-1) - 1) odd ones differ by more than the name of the signs, and all are tried.

    Raises `UsageError` for several blocks, and for blocks of more than 4 spins.

    >>> from deeprg.exact.blocking import Partition, block_environment
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((200,)), temperature=2.0)
    >>> known = block_environment(ring, Partition.cubic(ring.lattice, 2), environment=[3, 198])
    >>> rule, most = best_odd_rule(known)
    >>> rule.table(2)[:, 0].tolist(), round(most.kept, 8)                        # decimation
    ([1.0, 0.0, 1.0, 0.0], 0.02763417)
    """
    sizes = [len(block) for block in known.blocks]
    if len(sizes) != 1 or sizes[0] > _MOST:
        raise UsageError(
            f"All rules are tried for one block of at most {_MOST} spins, not for blocks of {sizes}."
        )
    half = 1 << sizes[0] >> 1
    best: tuple[UserRule, Information] | None = None
    for number in range(1 << (half - 1)):
        plus = np.append(1.0, number >> np.arange(half - 1) & 1)
        plus = np.concatenate([plus, 1.0 - plus[::-1]])
        rule = UserRule(np.stack([plus, 1.0 - plus], axis=1))
        found = known.information(rule)
        if best is None or found.kept > best[1].kept * (1 + 1e-12):
            best = rule, found
    assert best is not None
    return best
