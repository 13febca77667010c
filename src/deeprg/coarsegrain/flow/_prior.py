"""Independent latents: Gaussian, Laplace or uniform, each with mean zero and variance one."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

__all__ = ["PRIORS", "AbstractPrior", "Gaussian", "Laplace", "Uniform"]


class AbstractPrior(eqx.Module):
    """The law of one latent variable; all latents are independent draws from it."""

    @abc.abstractmethod
    def sample(self, shape: tuple[int, ...], *, key: PRNGKeyArray, dtype=jnp.float32) -> Array:
        """Independent draws of the given shape and dtype."""

    @abc.abstractmethod
    def log_density(self, z: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """The normalised ln p at each value."""


class Gaussian(AbstractPrior):
    """ln p(z) = -z^2/2 - ln(2 pi)/2.

    >>> round(float(Gaussian().log_density(jnp.zeros(()))), 6)
    -0.918939
    """

    def sample(self, shape: tuple[int, ...], *, key: PRNGKeyArray, dtype=jnp.float32) -> Array:
        """Standard normal draws."""
        return jax.random.normal(key, shape, dtype)

    def log_density(self, z: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """ln p at each value."""
        return -0.5 * z * z - 0.5 * math.log(2 * math.pi)


class Laplace(AbstractPrior):
    """ln p(z) = -sqrt(2) |z| - ln(2)/2.

    >>> round(float(Laplace().log_density(jnp.zeros(()))), 6)
    -0.346574
    """

    def sample(self, shape: tuple[int, ...], *, key: PRNGKeyArray, dtype=jnp.float32) -> Array:
        """Laplace draws of variance one."""
        return jax.random.laplace(key, shape, dtype) * (0.5**0.5)

    def log_density(self, z: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """ln p at each value."""
        return -(2**0.5) * jnp.abs(z) - 0.5 * math.log(2)


class Uniform(AbstractPrior):
    """p(z) = 1/(2 sqrt 3) for |z| < sqrt 3, zero outside.

    The flow then reaches a bounded region only, unless its last map is unbounded: weights of a target that
    is not bounded are then undefined outside, so use it where the support is known.

    >>> round(float(Uniform().log_density(jnp.zeros(()))), 6)
    -1.242453
    """

    def sample(self, shape: tuple[int, ...], *, key: PRNGKeyArray, dtype=jnp.float32) -> Array:
        """Uniform draws of variance one."""
        return jax.random.uniform(key, shape, dtype, -(3**0.5), 3**0.5)

    def log_density(self, z: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """ln p at each value."""
        return jnp.where(jnp.abs(z) <= 3**0.5, -math.log(2 * 3**0.5), -jnp.inf).astype(z.dtype)


PRIORS: dict[str, type[AbstractPrior]] = {"gaussian": Gaussian, "laplace": Laplace, "uniform": Uniform}
