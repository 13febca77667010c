"""From fine to coarse and back: every renormalization step of the package, under one protocol."""

from ._base import AbstractCoarseGraining, BlockAverage, Decimation
from ._flow import FlowCoarseGraining

# Every coarse-graining by name; the command line lists it and the tests walk it.
COARSE_GRAININGS: dict[str, type[AbstractCoarseGraining]] = {
    "decimation": Decimation,
    "average": BlockAverage,
    "flow": FlowCoarseGraining,
}

__all__ = ["COARSE_GRAININGS", "AbstractCoarseGraining", "BlockAverage", "Decimation", "FlowCoarseGraining"]
