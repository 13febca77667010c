"""Real-space mutual information: rules for a block that keep the most information of its environment."""

from ._canonical import canonical_filters
from ._fit import RSMI, fit_rsmi, retained_information
from ._objective import Classifier, ReadInformation, RetainedInformation, classifier
from ._reader import BlockReader
from ._surroundings import Surroundings
from ._windows import Windows

__all__ = [
    "RSMI",
    "BlockReader",
    "Classifier",
    "ReadInformation",
    "RetainedInformation",
    "Surroundings",
    "Windows",
    "canonical_filters",
    "classifier",
    "fit_rsmi",
    "retained_information",
]
