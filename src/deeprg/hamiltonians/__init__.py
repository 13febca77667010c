"""Dimensionless energies of lattice configurations: spins, planar spins, real fields, dimers."""

from ._abstract_dual import AbstractDual
from ._base import AbstractHamiltonian, is_even
from ._bonds import Bonds, frustrated, gauge
from ._coupling_matrix import DenseMatrix
from ._critical import CriticalPoint, critical_point, nishimori_temperature
from ._dimers import Dimers
from ._dual import ContinuousDual
from ._family import HamiltonianFamily
from ._gaussian import GaussianField
from ._ising import CRITICAL_TEMPERATURE, Ising, critical_temperature
from ._models import MODELS, ModelEntry, build_model, critical_temperature_of
from ._phi4 import CanonicalPhi4, HoppingPhi4, Phi4
from ._potts import Potts
from ._random_bond import RandomBondIsing
from ._registry import (
    HAMILTONIANS,
    HamiltonianEntry,
    HamiltonianOption,
    build_hamiltonian,
)
from ._xy import XY, cos_sin
from ._xy_dual import XYDual

__all__ = [
    "CRITICAL_TEMPERATURE",
    "HAMILTONIANS",
    "MODELS",
    "XY",
    "AbstractDual",
    "AbstractHamiltonian",
    "Bonds",
    "CanonicalPhi4",
    "ContinuousDual",
    "CriticalPoint",
    "DenseMatrix",
    "Dimers",
    "GaussianField",
    "HamiltonianEntry",
    "HamiltonianFamily",
    "HamiltonianOption",
    "HoppingPhi4",
    "Ising",
    "ModelEntry",
    "Phi4",
    "Potts",
    "RandomBondIsing",
    "XYDual",
    "build_hamiltonian",
    "build_model",
    "cos_sin",
    "critical_point",
    "critical_temperature",
    "critical_temperature_of",
    "frustrated",
    "gauge",
    "is_even",
    "nishimori_temperature",
]
