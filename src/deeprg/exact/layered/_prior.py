"""What a hidden unit is here: a cumulant generating function that JAX can differentiate."""

import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ..couplings._checks import real_numbers
from ._checks import Numbers

__all__ = ["HiddenPrior", "checked_order", "float_array", "real_array"]


class HiddenPrior(eqx.Module):
    """A hidden unit h with weights w(h), known by K(t) = ln sum_h w(h) exp(t h): an integral where h is real.

    t is the field W^T x + b that the unit feels, any shape [...]; all methods are elementwise, in JAX, and
    differentiable in t, in the precision of t: a session without jax_enable_x64 makes float32 of every
    array. K carries the normalisation that preserves Z; the cumulant generating function about
    a bias is K(bias + t) - K(bias). A new prior needs `log_sum` only; `taylor` then differentiates it (keep
    the order below 10 or write `taylor` out), and `radius` where truncation is wanted.
    """

    @abstractmethod
    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """K(t) = ln sum_h w(h) exp(t h), unnormalised, [...]."""

    def cgf(self, t: Numbers, bias: Numbers = 0.0) -> Float[Array, "..."]:
        """The cumulant generating function ln ⟨exp(t h)⟩ in the field `bias`: K(bias + t) - K(bias).

        >>> from deeprg.exact.layered import IsingPrior
        >>> round(float(IsingPrior().cgf(1.0)), 6)              # ln cosh 1
        0.433781
        """
        return self.log_sum(real_array(t) + real_array(bias)) - self.log_sum(bias)

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """The coefficients kappa_n/n! of K(bias + delta) in delta, n = 0 ... order: [order + 1, ...]

        >>> from deeprg.exact.layered import BernoulliPrior
        >>> BernoulliPrior().taylor(2, 0.0).round(6).tolist()        # ln 2, 1/2, 1/8
        [0.693147, 0.5, 0.125]
        """
        derivatives = [self.log_sum]
        for _ in range(checked_order(order, 0)):
            derivatives.append(_slope(derivatives[-1]))

        @jax.jit
        def coefficients(t: Array) -> Array:
            return jnp.stack([d(t) / math.factorial(n) for n, d in enumerate(derivatives)])

        return coefficients(real_array(bias))

    def cumulant(self, n: int, bias: Numbers = 0.0) -> Float[Array, "..."]:
        """The cumulant kappa_n = K^(n)(bias) of h in the field `bias`, [...]. `UsageError` for n < 1.

        >>> from deeprg.exact.layered import IsingPrior
        >>> round(float(IsingPrior().cumulant(4)), 9)
        -2.0
        """
        return math.factorial(checked_order(n, 1)) * self.taylor(n, bias)[n]

    def mean(self, t: Numbers = 0.0) -> Float[Array, "..."]:
        """⟨h⟩ = K'(t) in the field t."""
        return self.cumulant(1, t)

    def variance(self, t: Numbers = 0.0) -> Float[Array, "..."]:
        """⟨h^2⟩ - ⟨h⟩^2 = K''(t) in the field t."""
        return self.cumulant(2, t)

    def terms(self, order: int, bias: Numbers, delta: Numbers) -> Float[Array, "n ..."]:
        """The terms kappa_n delta^n/n! of K(bias + delta), n = 0 ... order, [order + 1, ...].

        >>> from deeprg.exact.layered import IsingPrior
        >>> float(abs(IsingPrior().terms(30, [0.5], [0.1]).sum() - IsingPrior().log_sum(0.6))) < 1e-14
        True
        """
        step = real_array(delta)
        _, powers = jax.lax.scan(lambda p, _: (p * step, p), jnp.ones_like(step), length=order + 1)
        coefficients = self.taylor(order, jnp.broadcast_to(real_array(bias), step.shape))
        return coefficients * powers

    def reach(self, bias: Numbers, delta: Numbers) -> np.ndarray:
        """|delta| over the radius of convergence about `bias`, float64 [...]; converges below 1."""
        return np.asarray(np.abs(float_array(delta)) / self.radius(bias))

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """The radius of convergence of the cumulant series about `bias`, float64 [...]; may be infinite."""
        raise UsageError(
            f"{type(self).__name__} does not say where its cumulant series converges; write its method "
            "radius(bias), the distance to the nearest complex zero of exp(K)."
        )


def _slope(function):
    """The elementwise derivative of an elementwise function."""
    return lambda t: jax.jvp(function, (t,), (jnp.ones_like(t),))[1]


def real_array(t: Numbers) -> Array:
    """t as a floating JAX array, keeping its precision."""
    try:
        array = jnp.asarray(t)
    except (TypeError, ValueError):
        real_numbers("numbers", t)  # says what is wrong
        raise
    if jnp.iscomplexobj(array):
        raise UsageError("Real numbers are needed here, not complex ones.")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.result_type(float))


def float_array(value: Numbers) -> np.ndarray:
    """The values as float64 NumPy."""
    return real_numbers("numbers", value)


def checked_order(order: int, lowest: int) -> int:
    """The order; `UsageError` below the lowest that makes sense."""
    if order < lowest:
        raise UsageError(f"The order must be at least {lowest}, not {order}.")
    return order
