"""Real-space RG of lattice Hamiltonians: blocks, rules, the coarse action exactly and by cumulants."""

from ._action import SpinAction
from ._best import best_odd_rule
from ._blocked import BlockedAction
from ._couplings import CouplingClass, coupling_classes, m_bodyness, rangeness
from ._cumulants import CumulantSeries, block_cumulants
from ._exact import Decomposition, block_exact, decompose
from ._information import BlockEnvironment, Information, beyond, block_environment, frames, mutual_information
from ._marginal import log_marginal
from ._partition import Partition
from ._rules import Decimation, Majority, Rule, Soft, UserRule
from ._transfer import action_at, block_transfer

__all__ = [
    "BlockEnvironment",
    "BlockedAction",
    "CouplingClass",
    "CumulantSeries",
    "Decimation",
    "Decomposition",
    "Information",
    "Majority",
    "Partition",
    "Rule",
    "Soft",
    "SpinAction",
    "UserRule",
    "action_at",
    "best_odd_rule",
    "beyond",
    "block_cumulants",
    "block_environment",
    "block_exact",
    "block_transfer",
    "coupling_classes",
    "decompose",
    "frames",
    "log_marginal",
    "m_bodyness",
    "mutual_information",
    "rangeness",
]
