"""Mutual information, entropies and total correlation from samples, in nats, with errors and limits."""

from deeprg.montecarlo.information._barber_agakov import barber_agakov_information
from deeprg.montecarlo.information._bounds import NWJ, DonskerVaradhan, InfoNCE, Smile
from deeprg.montecarlo.information._classified import classified_information
from deeprg.montecarlo.information._critics import ConcatenatedCritic, GaussianRatio, SeparableCritic
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
from deeprg.montecarlo.information._registry import ESTIMATORS, InformationEstimator, mutual_information
from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._training import DEFAULT_PLAN
from deeprg.montecarlo.information._variational import variational_information

__all__ = [
    "DEFAULT_PLAN",
    "ESTIMATORS",
    "NWJ",
    "ConcatenatedCritic",
    "DonskerVaradhan",
    "GaussianRatio",
    "InfoNCE",
    "InformationEstimate",
    "InformationEstimator",
    "PairwiseInformation",
    "SeparableCritic",
    "Smile",
    "barber_agakov_information",
    "classified_information",
    "differential_entropy",
    "discrete_information",
    "gaussian_copula_information",
    "gaussian_information",
    "gaussian_information_from_samples",
    "ksg_information",
    "marginal_entropies",
    "mutual_information",
    "pairwise_information",
    "total_correlation_removed",
    "variational_information",
]
