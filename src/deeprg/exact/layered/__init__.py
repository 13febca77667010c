"""Layered models marginalised exactly: Gaussian machines from UV to IR, hidden priors by their cumulants."""

from ._chain import ContinuedFraction, continued_fraction, joint_precision, schur_complement
from ._effective import (
    TruncationReport,
    effective_energy,
    quadratic_hamiltonian,
    truncated_energy,
    truncation_report,
)
from ._layer_prior import GaussianLayerPrior
from ._machine import GaussianMachine, MachineMoments, MarginalisationStep
from ._potts import PottsPrior
from ._prior import HiddenPrior
from ._priors import (
    BernoulliPrior,
    FiniteStatePrior,
    GaussianPrior,
    IsingPrior,
    PoissonPrior,
    RectifiedPrior,
    spin_prior,
)
from ._random_machine import random_machine
from ._spin import SpinHamiltonian, SpinMoments
from ._uniform import (
    UniformFixedPoint,
    beta_function,
    deepest_uniform_chain,
    linearised_step,
    symbol_minimum,
    uniform_fixed_point,
)

__all__ = [
    "BernoulliPrior",
    "ContinuedFraction",
    "FiniteStatePrior",
    "GaussianLayerPrior",
    "GaussianMachine",
    "GaussianPrior",
    "HiddenPrior",
    "IsingPrior",
    "MachineMoments",
    "MarginalisationStep",
    "PoissonPrior",
    "PottsPrior",
    "RectifiedPrior",
    "SpinHamiltonian",
    "SpinMoments",
    "TruncationReport",
    "UniformFixedPoint",
    "beta_function",
    "continued_fraction",
    "deepest_uniform_chain",
    "effective_energy",
    "joint_precision",
    "linearised_step",
    "quadratic_hamiltonian",
    "random_machine",
    "schur_complement",
    "spin_prior",
    "symbol_minimum",
    "truncated_energy",
    "truncation_report",
    "uniform_fixed_point",
]
