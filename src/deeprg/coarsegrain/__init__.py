"""From fine to coarse and back: every renormalization step of the package, under one protocol."""

from ._base import AbstractCoarseGraining
from ._blocking import BlockAverage, BlockRule, Decimation, Majority, blocked_shape
from ._composition import BLOCK_RULES, Composition, build_block_rule, check_block_options
from ._ensemble import CoarsenedBatch, coarsen_batches, coarsen_ensemble, ensemble_size
from ._filter import SpinFilter
from ._flow import FlowCoarseGraining
from ._flow_spins import FlowSpins
from ._principal import PrincipalCut, principal_modes
from .boltzmann import BoltzmannLayer, DeepBoltzmannLayer, PlacedUnits
from .mera import MERAStep

# Every coarse-graining by name; the command line lists it and the tests walk it.
COARSE_GRAININGS: dict[str, type[AbstractCoarseGraining]] = {
    **BLOCK_RULES,
    "composition": Composition,
    "filter": SpinFilter,
    "flow": FlowCoarseGraining,
    "flow-spins": FlowSpins,
    "boltzmann": BoltzmannLayer,
    "deep-boltzmann": DeepBoltzmannLayer,
    "placed": PlacedUnits,
    "principal": PrincipalCut,
    "mera": MERAStep,
}

__all__ = [
    "BLOCK_RULES",
    "COARSE_GRAININGS",
    "AbstractCoarseGraining",
    "BlockAverage",
    "BlockRule",
    "BoltzmannLayer",
    "CoarsenedBatch",
    "Composition",
    "Decimation",
    "DeepBoltzmannLayer",
    "FlowCoarseGraining",
    "FlowSpins",
    "MERAStep",
    "Majority",
    "PlacedUnits",
    "PrincipalCut",
    "SpinFilter",
    "blocked_shape",
    "build_block_rule",
    "check_block_options",
    "coarsen_batches",
    "coarsen_ensemble",
    "ensemble_size",
    "principal_modes",
]
