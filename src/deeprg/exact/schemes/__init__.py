"""Real-space renormalization in closed form and truncated: recursions, fixed points, exponents, flows."""

from ._blocks import (
    TriangleMoments,
    majority_square,
    niemeijer_van_leeuwen,
    plaquette_mean,
    triangle_moments,
)
from ._bond_moving import decimation_1d, maris_kadanoff, migdal_kadanoff
from ._decimation import (
    ChainDecimation,
    SquareDecimation,
    SquareField,
    decimate_chain,
    decimate_ising_chain,
    decimate_potts_chain,
    decimate_square,
    decimate_square_field,
)
from ._fixed_points import FixedPoint, fixed_point, fixed_points
from ._flow import critical_coupling, flow, phase
from ._free_energy import FreeEnergy, free_energy
from ._known import chain_log_partition, known_values, square_log_partition, triangular_log_partition
from ._registry import SCHEMES, find_scheme
from ._scheme import Scheme
from ._stability import Exponents, Stability, exponents, jacobian, stability
from ._wilson import wilson

__all__ = [
    "SCHEMES",
    "ChainDecimation",
    "Exponents",
    "FixedPoint",
    "FreeEnergy",
    "Scheme",
    "SquareDecimation",
    "SquareField",
    "Stability",
    "TriangleMoments",
    "chain_log_partition",
    "critical_coupling",
    "decimate_chain",
    "decimate_ising_chain",
    "decimate_potts_chain",
    "decimate_square",
    "decimate_square_field",
    "decimation_1d",
    "exponents",
    "find_scheme",
    "fixed_point",
    "fixed_points",
    "flow",
    "free_energy",
    "jacobian",
    "known_values",
    "majority_square",
    "maris_kadanoff",
    "migdal_kadanoff",
    "niemeijer_van_leeuwen",
    "phase",
    "plaquette_mean",
    "square_log_partition",
    "stability",
    "triangle_moments",
    "triangular_log_partition",
    "wilson",
]
