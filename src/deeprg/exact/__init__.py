"""What is known without sampling: Kaufman, Onsager, rings, enumeration, transfer matrices, the free field."""

from ..hamiltonians import CRITICAL_TEMPERATURE, critical_temperature
from ._bottleneck import GaussianBottleneck, gaussian_bottleneck
from ._cylinder import IsingCylinder, ising_cylinder
from ._dimer_count import log_dimer_count
from ._discrete import DiscreteDistribution, dimer_coverings, enumerate_distribution
from ._enumeration import EnumeratedIsing, enumerate_states
from ._free_field import FreeFieldExact, free_field
from ._kaufman import IsingExact, ising_chain, kaufman
from ._magnetization import MagnetizationDistribution, magnetization_distribution
from ._onsager import OnsagerExact, onsager
from ._reference import Reference, reference
from ._rings import Phi4RingExact, XYRingExact, phi4_ring, xy_ring
from ._strip import StripExact, is_strip, strip

__all__ = [
    "CRITICAL_TEMPERATURE",
    "DiscreteDistribution",
    "EnumeratedIsing",
    "FreeFieldExact",
    "GaussianBottleneck",
    "IsingCylinder",
    "IsingExact",
    "MagnetizationDistribution",
    "OnsagerExact",
    "Phi4RingExact",
    "Reference",
    "StripExact",
    "XYRingExact",
    "critical_temperature",
    "dimer_coverings",
    "enumerate_distribution",
    "enumerate_states",
    "free_field",
    "gaussian_bottleneck",
    "is_strip",
    "ising_chain",
    "ising_cylinder",
    "kaufman",
    "log_dimer_count",
    "magnetization_distribution",
    "onsager",
    "phi4_ring",
    "reference",
    "strip",
    "xy_ring",
]
