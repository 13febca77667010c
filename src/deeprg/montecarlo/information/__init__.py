"""Mutual information, entropies and total correlation from samples, in nats, with errors and limits."""

from deeprg.montecarlo.information._discrete import discrete_information
from deeprg.montecarlo.information._entropy import (
    differential_entropy,
    marginal_entropies,
    total_correlation_removed,
)
from deeprg.montecarlo.information._gaussian import (
    gaussian_copula_information,
    gaussian_information,
    gaussian_information_from_samples,
)
from deeprg.montecarlo.information._ksg import ksg_information
from deeprg.montecarlo.information._pairwise import PairwiseInformation, pairwise_information
from deeprg.montecarlo.information._result import InformationEstimate

__all__ = [
    "InformationEstimate",
    "PairwiseInformation",
    "differential_entropy",
    "discrete_information",
    "gaussian_copula_information",
    "gaussian_information",
    "gaussian_information_from_samples",
    "ksg_information",
    "marginal_entropies",
    "pairwise_information",
    "total_correlation_removed",
]
