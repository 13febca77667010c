"""Real-space RG of lattice Hamiltonians: blocks, rules P(coarse | block), the coarse action exactly and by cumulants."""

from ._action import SpinAction
from ._blocked import BlockedAction
from ._exact import Decomposition, block_exact, decompose
from ._partition import Partition
from ._rules import Decimation, Majority, Rule, Soft, UserRule

__all__ = [
    "BlockedAction",
    "Decimation",
    "Decomposition",
    "Majority",
    "Partition",
    "Rule",
    "Soft",
    "SpinAction",
    "UserRule",
    "block_exact",
    "decompose",
]
