"""Units with real states: Gaussian and rectified."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...exact.layered import GaussianPrior, HiddenPrior, RectifiedPrior
from ._truncated_normal import rectified_normal
from ._unit import AbstractUnit, refuse

__all__ = ["Gaussian", "Rectified"]


class Gaussian(AbstractUnit):
    """A real unit, U = x^2/(2 s^2) + ln sqrt(2 pi s^2) with `variance` s^2: Normal(s^2 t, s^2) in a field t.

    exp(-U) is normalised, so K = s^2 t^2/2. Raises `UsageError` unless the variance is positive.

    >>> unit = Gaussian(4.0)
    >>> float(unit.mean(jnp.array([0.5]))[0]), float(unit.log_sum(jnp.array([0.5]))[0])
    (2.0, 0.5)
    """

    name: ClassVar[str] = "gaussian"
    q: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]
    variance: float = eqx.field(static=True)

    def __init__(self, variance: float | int = 1.0):
        GaussianPrior(variance)  # refuses a variance that is not positive
        self.variance = float(variance)

    @property
    def prior(self) -> HiddenPrior:
        """K(t) = s^2 t^2/2."""
        return GaussianPrior(self.variance)

    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """s^2 t."""
        return self.variance * field

    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """m/s^2."""
        return mean / self.variance

    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """s^2 t + s times a standard normal number."""
        noise = jax.random.normal(key, field.shape, field.dtype)
        return self.variance * field + math.sqrt(self.variance) * noise

    def self_energy(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """sum x^2/(2 s^2) + n ln sqrt(2 pi s^2)."""
        constant = 0.5 * x.shape[-1] * math.log(2 * math.pi * self.variance)
        return jnp.sum(x * x, axis=-1) / (2 * self.variance) + constant

    def check(self, x: Any, what: str) -> None:
        """Only finite numbers."""
        refuse(
            x,
            np.isfinite,
            what,
            "Gaussian units take finite real numbers; remove the bad rows, and if the machine made them, "
            "its weights have grown beyond what Gaussian units can hold (check_normalisable)",
        )


class Rectified(AbstractUnit):
    """A unit x >= 0 with U = x^2/2: Normal(t, 1) cut at zero; K = t^2/2 + ln Phi(t) + ln(2 pi)/2.

    >>> round(float(Rectified().mean(jnp.array([-100.0]))[0]), 6)
    0.009998
    """

    name: ClassVar[str] = "rectified"
    q: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def prior(self) -> HiddenPrior:
        """K(t) = t^2/2 + ln Phi(t) + ln(2 pi)/2."""
        return RectifiedPrior()

    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """t + phi(t)/Phi(t), without its cancellation at very negative t."""
        return self.prior.mean(field)

    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """By bisection between -1/m and m."""

        def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bracket
            middle = 0.5 * (low + high)
            below = self.mean(middle) < mean
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        low, high = jax.lax.fori_loop(0, 64, halve, (-1 / mean, mean))
        return 0.5 * (low + high)

    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """The inverse of the distribution function, in a form without cancellation for every field."""
        return rectified_normal(field, key=key)

    def self_energy(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """sum x^2/2."""
        return 0.5 * jnp.sum(x * x, axis=-1)

    def check(self, x: Any, what: str) -> None:
        """Only finite numbers that are not negative."""
        refuse(
            x,
            lambda a: np.isfinite(a) & (a >= 0),
            what,
            "rectified units take finite numbers >= 0; shift the data, or use 'gaussian' units",
        )
