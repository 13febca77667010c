"""Dimensionless energies of lattice configurations: Ising, its continuous dual, phi^4, the Gaussian field."""

from ._base import AbstractHamiltonian, is_even
from ._dual import ContinuousDual
from ._gaussian import GaussianField
from ._ising import CRITICAL_TEMPERATURE, Ising, critical_temperature
from ._phi4 import Phi4
from ._registry import HAMILTONIANS, HamiltonianEntry, HamiltonianOption, build_hamiltonian

__all__ = [
    "CRITICAL_TEMPERATURE",
    "HAMILTONIANS",
    "AbstractHamiltonian",
    "ContinuousDual",
    "GaussianField",
    "HamiltonianEntry",
    "HamiltonianOption",
    "Ising",
    "Phi4",
    "build_hamiltonian",
    "critical_temperature",
    "is_even",
]
