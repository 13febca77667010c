"""Real-space mutual information: rules for a block that keep the most information of its environment."""

from ._by_size import BlockInformation, information_by_size, information_curve, oriented
from ._canonical import canonical_filters
from ._enumerated import enumerated_information, exact_environment, one_hot
from ._fit import RSMI, fit_rsmi, retained_information
from ._objective import Classifier, ReadInformation, RetainedInformation, classifier
from ._principal import PrincipalFilters, principal_filters
from ._reader import BlockReader
from ._several import FilterEnsemble, filter_ensemble
from ._surroundings import Surroundings
from ._windows import Windows

__all__ = [
    "RSMI",
    "BlockInformation",
    "BlockReader",
    "Classifier",
    "FilterEnsemble",
    "PrincipalFilters",
    "ReadInformation",
    "RetainedInformation",
    "Surroundings",
    "Windows",
    "canonical_filters",
    "classifier",
    "enumerated_information",
    "exact_environment",
    "filter_ensemble",
    "fit_rsmi",
    "information_by_size",
    "information_curve",
    "one_hot",
    "oriented",
    "principal_filters",
    "retained_information",
]
