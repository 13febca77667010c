"""Restricted Boltzmann machines with units of any kind."""

from ._ais import AISEstimate, ais, independent_base, reverse_ais
from ._belief import BeliefNetwork, fit_greedy, hidden_rows
from ._deep import DeepBoltzmannMachine
from ._deep_layer import DeepBoltzmannLayer
from ._deep_objective import DeepObjective
from ._estimator import BoltzmannMachine
from ._filter_machine import FilterDivergence, FilterMachine, fit_filter
from ._fit import fit, initial_state, matched_bias, trainable
from ._flow import rbm_flow
from ._layer import BoltzmannLayer
from ._likelihood import (
    ExactMoments,
    exact_moments,
    kl_divergence,
    log_likelihood,
    log_likelihood_gradient,
    log_partition,
    visible_distribution,
)
from ._monitor import free_energy_gap, monitor, pseudo_likelihood, reconstruction_error, singular_values
from ._objective import ContrastiveDivergence
from ._placed import PlacedUnits
from ._rbm import RBM
from ._running import RunningEstimate, RunningPartition
from ._tempering import TemperedSamples, parallel_tempering, trajectory_tempering
from ._units import UNITS, AbstractUnit, Binary, Gaussian, Potts, Rectified, Spin, build_unit

__all__ = [
    "RBM",
    "UNITS",
    "AISEstimate",
    "AbstractUnit",
    "BeliefNetwork",
    "Binary",
    "BoltzmannLayer",
    "BoltzmannMachine",
    "ContrastiveDivergence",
    "DeepBoltzmannLayer",
    "DeepBoltzmannMachine",
    "DeepObjective",
    "ExactMoments",
    "FilterDivergence",
    "FilterMachine",
    "Gaussian",
    "PlacedUnits",
    "Potts",
    "Rectified",
    "RunningEstimate",
    "RunningPartition",
    "Spin",
    "TemperedSamples",
    "ais",
    "build_unit",
    "exact_moments",
    "fit",
    "fit_filter",
    "fit_greedy",
    "free_energy_gap",
    "hidden_rows",
    "independent_base",
    "initial_state",
    "kl_divergence",
    "log_likelihood",
    "log_likelihood_gradient",
    "log_partition",
    "matched_bias",
    "monitor",
    "parallel_tempering",
    "pseudo_likelihood",
    "rbm_flow",
    "reconstruction_error",
    "reverse_ais",
    "singular_values",
    "trainable",
    "trajectory_tempering",
    "visible_distribution",
]
