"""Tensor RG of square-lattice models: Levin and Nave's TRG, and HOTRG."""

from ._errors import TruncationError, truncation_errors
from ._flow import METHODS, Stage, tensor_flow
from ._free_energy import TensorFreeEnergy, tensor_free_energy, torus_log_partition
from ._hotrg import hotrg_isometry, hotrg_join, hotrg_step
from ._observables import TensorThermodynamics, tensor_order_parameter, tensor_thermodynamics
from ._scaling import ScalingSpectrum, plateau, scaling_flow, scaling_spectrum
from ._trg import trg_step
from ._weights import SquareWeights, site_tensor, square_weights

__all__ = [
    "METHODS",
    "ScalingSpectrum",
    "SquareWeights",
    "Stage",
    "TensorFreeEnergy",
    "TensorThermodynamics",
    "TruncationError",
    "hotrg_isometry",
    "hotrg_join",
    "hotrg_step",
    "plateau",
    "scaling_flow",
    "scaling_spectrum",
    "site_tensor",
    "square_weights",
    "tensor_flow",
    "tensor_free_energy",
    "tensor_order_parameter",
    "tensor_thermodynamics",
    "torus_log_partition",
    "trg_step",
    "truncation_errors",
]
