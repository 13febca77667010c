"""Real-space RG of lattice Hamiltonians: blocks, rules, the coarse action exactly and by cumulants."""

from ._action import SpinAction
from ._blocked import BlockedAction
from ._couplings import CouplingClass, coupling_classes, m_bodyness, rangeness
from ._cumulants import CumulantSeries, block_cumulants
from ._exact import Decomposition, block_exact, decompose
from ._partition import Partition
from ._rules import Decimation, Majority, Rule, Soft, UserRule
from ._transfer import action_at, block_transfer

__all__ = [
    "BlockedAction",
    "CouplingClass",
    "CumulantSeries",
    "Decimation",
    "Decomposition",
    "Majority",
    "Partition",
    "Rule",
    "Soft",
    "SpinAction",
    "UserRule",
    "action_at",
    "block_cumulants",
    "block_exact",
    "block_transfer",
    "coupling_classes",
    "decompose",
    "m_bodyness",
    "rangeness",
]
