"""The classical MERA: a hierarchical Bayesian network of spins, trained from the energy alone."""

from ._conditional import SpinTable
from ._cone import exact_free_energy, local_marginal
from ._grow import grown
from ._heat_bath import has_heat_bath, summed_energy
from ._mera import ClassicalMERA, trainable
from ._objective import DiscreteReverseKL
from ._order import Places, fill_order, level_lattices
from ._step import MERAStep
from ._tables import FittedTables, fit_tables

__all__ = [
    "ClassicalMERA",
    "DiscreteReverseKL",
    "FittedTables",
    "MERAStep",
    "Places",
    "SpinTable",
    "exact_free_energy",
    "fill_order",
    "fit_tables",
    "grown",
    "has_heat_bath",
    "level_lattices",
    "local_marginal",
    "summed_energy",
    "trainable",
]
