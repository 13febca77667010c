"""What is known without sampling: Kaufman, Onsager, the ring, enumeration, the free field."""

from ..hamiltonians import CRITICAL_TEMPERATURE, critical_temperature
from ._enumeration import EnumeratedIsing, enumerate_states
from ._free_field import FreeFieldExact, free_field
from ._kaufman import IsingExact, ising_chain, kaufman
from ._onsager import OnsagerExact, onsager
from ._reference import Reference, reference

__all__ = [
    "CRITICAL_TEMPERATURE",
    "EnumeratedIsing",
    "FreeFieldExact",
    "IsingExact",
    "OnsagerExact",
    "Reference",
    "critical_temperature",
    "enumerate_states",
    "free_field",
    "ising_chain",
    "kaufman",
    "onsager",
    "reference",
]
