"""The Gaussian field's exact thermodynamics and correlator."""

import math
from dataclasses import dataclass

import numpy as np

from ..hamiltonians import GaussianField

__all__ = ["FreeFieldExact", "free_field"]


@dataclass(frozen=True)
class FreeFieldExact:
    """Exact moments of the free field on N sites; m is the mean field of a configuration.

    correlation is G(r) = ⟨phi_i phi_{i+r}⟩, [*shape]; action_per_site is ⟨S⟩/N = 1/2.
    """

    log_partition: float
    magnetization: float
    abs_magnetization: float
    magnetization_squared: float
    field_squared: float
    action_per_site: float
    correlation: np.ndarray


def free_field(model: GaussianField) -> FreeFieldExact:
    """Everything that is measured on a free field: the mean is Normal(0, 1/(N m2)), G from the propagator.

    >>> from deeprg.lattice import Lattice
    >>> round(free_field(GaussianField(Lattice((2,)), mass_squared=1.0)).field_squared, 9)
    0.6
    """
    propagator = model.propagator
    variance = 1 / (model.lattice.size * model.mass_squared)
    return FreeFieldExact(
        log_partition=model.log_partition,
        magnetization=0.0,
        abs_magnetization=math.sqrt(2 * variance / math.pi),
        magnetization_squared=variance,
        field_squared=float(propagator.reshape(-1)[0]),
        action_per_site=0.5,
        correlation=propagator,
    )
