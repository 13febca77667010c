"""The free field, whose everything is known: the test of samplers and estimators."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from . import circulant
from ._base import AbstractHamiltonian, check_field, positive
from ._moments import correlation, scalar_moments, with_correlation

__all__ = ["GaussianField"]


class GaussianField(AbstractHamiltonian):
    """The free field S = 1/2 sum_i [sum_mu (phi_{i+mu} - phi_i)^2 + m2 phi_i^2], m2 > 0.

    In momentum space S = 1/2 sum_k (m2 + sum_mu (2 - 2 cos k_mu)) |phi_k|^2 / N. Raises `UsageError` for a
    mass_squared that is not positive: exp(-S) could not be normalised.

    >>> model = GaussianField(Lattice((4, 4)), mass_squared=1.0)
    >>> round(model.log_partition, 6)
    2.687046
    """

    lattice: Lattice = eqx.field(static=True)
    mass_squared: float = eqx.field(static=True)

    def __init__(self, lattice: Lattice, mass_squared: float | int):
        self.lattice = lattice
        self.mass_squared = positive("mass_squared", mass_squared)

    @property
    def spectrum(self) -> np.ndarray:
        """The eigenvalues m2 + sum_mu (2 - 2 cos k_mu) of the action's matrix, [*shape]."""
        return self.mass_squared + 2 * self.lattice.ndim - self.lattice.dispersion()

    @property
    def log_partition(self) -> float:
        """ln Z = 1/2 [N ln(2 pi) - sum_k ln lambda_k], exact."""
        return 0.5 * (self.lattice.size * math.log(2 * math.pi) - float(np.log(self.spectrum).sum()))

    @property
    def propagator(self) -> np.ndarray:
        """G(r) = ⟨phi_i phi_{i+r}⟩, [*shape], exact.

        >>> GaussianField(Lattice((2,)), mass_squared=1.0).propagator.round(6).tolist()
        [0.6, 0.4]
        """
        return np.fft.ifftn(1 / self.spectrum).real

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "*lattice"]:
        """One exact, independent field in the default float type.

        >>> GaussianField(Lattice((4, 4)), mass_squared=1.0).sample(key=jax.random.key(0)).shape
        (4, 4)
        """
        noise = jax.random.normal(key, self.lattice.shape)
        return circulant.apply(noise, 1 / np.sqrt(self.spectrum))

    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The action of a field."""
        check_field(self.lattice, x)
        return 0.5 * (kinetic_sum(x) + self.mass_squared * jnp.sum(x**2))

    def scalars(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """Moments of the mean field, the mean of phi^2, the action per site, the smallest momenta."""
        return field_scalars(x, self.energy(x))

    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Moments of the mean field, ⟨phi^2⟩, the action per site and the correlator of one field."""
        return field_moments(x, self.energy(x))

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        return (
            f"Gaussian field on {self.lattice}: S = 1/2 sum [sum_mu (d_mu phi)^2 + m2 phi^2], "
            f"weight exp(-S), m2 = {self.mass_squared:.10g}"
        )


def kinetic_sum(x: Float[Array, "*lattice"]) -> Float[Array, ""]:
    """The sum over sites and axes of (phi_{i+mu} - phi_i)^2."""
    return sum((jnp.sum((jnp.roll(x, -1, axis) - x) ** 2) for axis in range(x.ndim)), jnp.zeros((), x.dtype))


def field_scalars(x: Float[Array, "*lattice"], action: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
    """The scalars of one real field."""
    return {
        **scalar_moments(x),
        "field_squared": jnp.mean(x**2),
        "action_per_site": action / x.size,
    }


def field_moments(x: Float[Array, "*lattice"], action: Float[Array, ""]) -> dict[str, Float[Array, "..."]]:
    """The observables of one real field."""
    return with_correlation(field_scalars(x, action), correlation(x))
