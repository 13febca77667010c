"""The Gaussian law of a hidden layer, whose cumulants become the couplings of the layer above it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["GaussianLayerPrior"]


@dataclass(frozen=True, eq=False)
class GaussianLayerPrior:
    """The law of a hidden layer with its upper couplings cut, Normal(mean, covariance): (9) and (18).

    `mean` A^-1 b' [m], `covariance` (beta A)^-1 [m, m].

    >>> prior = GaussianLayerPrior(np.array([0.5]), np.array([[2.0]]))
    >>> float(prior.cgf(np.array([0.3])))
    0.24
    """

    mean: Float[np.ndarray, " m"]
    covariance: Float[np.ndarray, "m m"]

    def cgf(self, t: Any) -> Any:
        """The cumulant generating function ln ⟨exp(t.z)⟩ = t.mean + 1/2 t.covariance.t: (10) and (19).

        t [..., m], NumPy or JAX; the result has shape [...].
        """
        return t @ self.mean + 0.5 * ((t @ self.covariance) * t).sum(axis=-1)

    def cumulant(self, order: int) -> np.ndarray:
        """The tensor of joint cumulants kappa^(n) [m, ..., m] that (13) contracts; zero beyond n = 2.

        >>> GaussianLayerPrior(np.array([0.5]), np.array([[2.0]])).cumulant(3).tolist()
        [[[0.0]]]
        """
        match order:
            case 1:
                return self.mean
            case 2:
                return self.covariance
            case _:
                return np.zeros((self.mean.size,) * order)
