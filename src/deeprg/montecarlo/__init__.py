"""Exact statements from samples: importance weights, independence Metropolis, errors of Markov chains."""

from deeprg.montecarlo.autocorrelation import GammaEstimate, autocovariance, gamma_method
from deeprg.montecarlo.importance import ImportanceSummary, importance_summary, reweighted
from deeprg.montecarlo.independence import IndependenceChains, chain_averages, independence_metropolis

__all__ = [
    "GammaEstimate",
    "ImportanceSummary",
    "IndependenceChains",
    "autocovariance",
    "chain_averages",
    "gamma_method",
    "importance_summary",
    "independence_metropolis",
    "reweighted",
]
