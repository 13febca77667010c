"""Monotone maps of one variable, with parameters that are even or odd in the context."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...runs.errors import UsageError

__all__ = ["AbstractScalarMap", "Affine", "SumOfTanh"]


class AbstractScalarMap(eqx.Module):
    """A monotone map x = f(z; even, odd), elementwise over sites, the parameters on the leading axis.

    It obeys f(-z; even, -odd) = -f(z; even, odd): when `even` and `odd` are even and odd functions of a
    context, the map is equivariant under a global change of sign. `n_even` and `n_odd` count the parameters;
    `start()` are the values of the even ones at which training begins (the odd ones begin at zero).
    """

    n_even: eqx.AbstractVar[int]
    n_odd: eqx.AbstractVar[int]

    @abc.abstractmethod
    def start(self) -> list[float]:
        """Initial values of the even parameters, near the identity."""

    @abc.abstractmethod
    def forward(
        self, z: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """x and ln dx/dz at each site."""

    @abc.abstractmethod
    def inverse(
        self, x: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """z and ln dz/dx at each site."""


class Affine(AbstractScalarMap):
    """x = exp(s) z + t, s even and t odd.

    >>> import jax.numpy as jnp
    >>> x, slope = Affine().forward(jnp.ones(1), jnp.full((1, 1), 0.5), jnp.full((1, 1), 2.0))
    >>> round(float(x[0]), 4), float(slope[0])
    (3.6487, 0.5)
    """

    n_even: int = eqx.field(static=True, default=1)
    n_odd: int = eqx.field(static=True, default=1)

    def start(self) -> list[float]:
        """The identity."""
        return [0.0]

    def forward(
        self, z: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """exp(s) z + t, and s."""
        return jnp.exp(even[0]) * z + odd[0], even[0]

    def inverse(
        self, x: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """(x - t) exp(-s), and -s."""
        return (x - odd[0]) * jnp.exp(-even[0]), -even[0]


class SumOfTanh(AbstractScalarMap):
    """x = exp(s) [z + Σ_k a_k tanh(b_k (z - c_k))] + t with a_k, b_k > 0: bimodal where a_k b_k is large.

    Even: s, ln(e^{a_k} - 1) and ln b_k; odd: t and c_k; k = 1 ... `terms`. The inverse is solved by Newton
    steps inside a bracket down to rounding (slopes are at least one in the bracket's variable, so the
    residual bounds the error), with exact derivatives. Raises `UsageError` for fewer than one term.

    >>> import jax.numpy as jnp
    >>> bend = SumOfTanh(terms=1)
    >>> even, odd = jnp.array([[0.0], [3.0], [1.0]]), jnp.zeros((2, 1))
    >>> x, log_slope = bend.forward(jnp.zeros(1), even, odd)
    >>> round(float(log_slope[0]), 4)
    2.2286
    """

    terms: int = eqx.field(static=True)

    def __init__(self, terms: int = 4):
        if terms < 1:
            raise UsageError(f"A sum of tanh needs at least one term, not {terms}.")
        self.terms = terms

    @property
    def n_even(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """1 + 2 terms."""
        return 1 + 2 * self.terms

    @property
    def n_odd(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """1 + terms."""
        return 1 + self.terms

    def start(self) -> list[float]:
        """Small bends of several widths around the origin."""
        k = self.terms
        widths = [-0.3 + 1.2 * i / max(k - 1, 1) for i in range(k)]
        return [0.0, *([-2.0] * k), *widths]

    def _bends(
        self, even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "k *s"], Float[Array, "k *s"], Float[Array, "k *s"]]:
        k = self.terms
        return jax.nn.softplus(even[1 : 1 + k]), jnp.exp(even[1 + k :]), odd[1:]

    def forward(
        self, z: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """x and ln dx/dz at each site."""
        height, steep, centre = self._bends(even, odd)
        bent, slope = _bend(z, height, steep, centre)
        return jnp.exp(even[0]) * bent + odd[0], jnp.log(slope) + even[0]

    def inverse(
        self, x: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """z and ln dz/dx at each site."""
        height, steep, centre = self._bends(even, odd)
        target = (x - odd[0]) * jnp.exp(-even[0])
        z = _solve(*jax.lax.stop_gradient((target, height, steep, centre)))
        # One Newton step from the solution leaves the value alone and carries the exact derivative.
        bent, slope = _bend(z, height, steep, centre)
        z = z - (bent - target) / jax.lax.stop_gradient(slope)
        _, slope = _bend(z, height, steep, centre)
        return z, -jnp.log(slope) - even[0]


def _bend(z: Array, height: Array, steep: Array, centre: Array) -> tuple[Array, Array]:
    bend = jnp.tanh(steep * (z[None] - centre))
    return z + jnp.sum(height * bend, axis=0), 1 + jnp.sum(height * steep * (1 - bend * bend), axis=0)


def _solve(target: Array, height: Array, steep: Array, centre: Array) -> Array:
    """z with z + Σ a tanh(b (z - c)) = target, by Newton steps kept inside a shrinking bracket."""
    reach = jnp.sum(height, axis=0)
    tolerance = 4 * float(jnp.finfo(target.dtype).eps) * (1 + jnp.abs(target) + reach)

    def unfinished(state):
        _, _, _, residual, step = state
        return (step < 200) & jnp.any(jnp.abs(residual) > tolerance)

    def improve(state):
        z, low, high, _, step = state
        bent, slope = _bend(z, height, steep, centre)
        residual = bent - target
        low, high = jnp.where(residual < 0, z, low), jnp.where(residual > 0, z, high)
        newton = z - residual / slope
        inside = (newton > low) & (newton < high)
        # A bracket that no longer holds a number between its ends has reached rounding.
        better = jnp.where(inside, newton, 0.5 * (low + high))
        return jnp.where(jnp.abs(residual) > tolerance, better, z), low, high, residual, step + 1

    start = (target, target - reach, target + reach, jnp.full_like(target, jnp.inf), 0)
    return jax.lax.while_loop(unfinished, improve, start)[0]
