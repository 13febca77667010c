"""Couplings of any energy by order, cumulants and connected correlators, and variational RG."""

from ._by_distance import BodyRange, PairsByDistance, couplings_by_range, pairs_by_distance
from ._correlators import (
    CorrelatorEstimate,
    connected_correlators,
    cumulants,
    joint_cumulant,
    joint_moments,
    sampled_correlators,
)
from ._couplings import Couplings, Terms, couplings_of
from ._cumulants import (
    cumulants_to_moments,
    joint_cumulants_to_moments,
    joint_moments_to_cumulants,
    moments_to_cumulants,
    set_partitions,
)
from ._layer import TruncationWarning, rbm_couplings, set_coupling
from ._transforms import (
    configurations,
    inverse_mobius,
    inverse_walsh_hadamard,
    mobius,
    walsh_hadamard,
)
from ._variational import (
    VariationalRG,
    coarse_energy,
    log_trace,
    operator_of_rbm,
    operator_of_rule,
    rbm_energy,
    rbm_of_operator,
    unfaithful_operator,
    variational_rg,
)

__all__ = [
    "BodyRange",
    "CorrelatorEstimate",
    "Couplings",
    "PairsByDistance",
    "Terms",
    "TruncationWarning",
    "VariationalRG",
    "coarse_energy",
    "configurations",
    "connected_correlators",
    "couplings_by_range",
    "couplings_of",
    "cumulants",
    "cumulants_to_moments",
    "inverse_mobius",
    "inverse_walsh_hadamard",
    "joint_cumulant",
    "joint_cumulants_to_moments",
    "joint_moments",
    "joint_moments_to_cumulants",
    "log_trace",
    "mobius",
    "moments_to_cumulants",
    "operator_of_rbm",
    "operator_of_rule",
    "pairs_by_distance",
    "rbm_couplings",
    "rbm_energy",
    "rbm_of_operator",
    "sampled_correlators",
    "set_coupling",
    "set_partitions",
    "unfaithful_operator",
    "variational_rg",
    "walsh_hadamard",
]
