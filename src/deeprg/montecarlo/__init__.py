"""Exact statements from samples: importance weights, Markov chains, their errors and what follows."""

from deeprg.montecarlo._modes import potts_field, xy_field
from deeprg.montecarlo.autocorrelation import (
    GammaEstimate,
    autocorrelation_function,
    autocovariance,
    gamma_method,
)
from deeprg.montecarlo.convergence import effective_sample_size, split_r_hat
from deeprg.montecarlo.derived import gamma_derived
from deeprg.montecarlo.equilibration import Equilibration, compare_starts, equilibration_start
from deeprg.montecarlo.estimate import Estimate
from deeprg.montecarlo.importance import ImportanceSummary, importance_summary, reweighted
from deeprg.montecarlo.independence import IndependenceChains, chain_averages, independence_metropolis
from deeprg.montecarlo.jackknife import BinningAnalysis, Jackknife, binning_analysis, jackknife
from deeprg.montecarlo.reweighting import Curve, ReweightedCurves, multi_histogram, reweight_temperature
from deeprg.montecarlo.spatial import (
    SpatialAverages,
    SpatialCurve,
    correlation_function,
    spatial_averages,
    structure_factor,
)
from deeprg.montecarlo.thermodynamics import thermodynamics
from deeprg.montecarlo.two_sample import TwoSampleTest, two_sample_test

__all__ = [
    "BinningAnalysis",
    "Curve",
    "Equilibration",
    "Estimate",
    "GammaEstimate",
    "ImportanceSummary",
    "IndependenceChains",
    "Jackknife",
    "ReweightedCurves",
    "SpatialAverages",
    "SpatialCurve",
    "TwoSampleTest",
    "autocorrelation_function",
    "autocovariance",
    "binning_analysis",
    "chain_averages",
    "compare_starts",
    "correlation_function",
    "effective_sample_size",
    "equilibration_start",
    "gamma_derived",
    "gamma_method",
    "importance_summary",
    "independence_metropolis",
    "jackknife",
    "multi_histogram",
    "potts_field",
    "reweight_temperature",
    "reweighted",
    "spatial_averages",
    "split_r_hat",
    "structure_factor",
    "thermodynamics",
    "two_sample_test",
    "xy_field",
]
