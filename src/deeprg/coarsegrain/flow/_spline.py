"""The monotone rational-quadratic spline as a scalar map."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ._scalar import AbstractScalarMap

__all__ = ["RationalQuadraticSpline"]

_SMALLEST = 1e-3


class RationalQuadraticSpline(AbstractScalarMap):
    """x = exp(s) spline(z) + t: a rational-quadratic spline on [-reach, reach], the identity outside.

    Durkan et al., arXiv:1906.04032, eqs. (4)-(8). The logits of the bins' widths and heights and of the inner
    slopes are split into parts symmetric and antisymmetric under the reversal of the bins; the former are the
    even parameters and the latter the odd ones, so that an odd context gives an odd map. The inverse is
    closed. Raises `UsageError` for fewer than two bins or a reach that is not positive.

    >>> import jax.numpy as jnp
    >>> spline = RationalQuadraticSpline(bins=4, reach=3.0)
    >>> even, odd = jnp.zeros((spline.n_even, 1)), jnp.zeros((spline.n_odd, 1))
    >>> x, log_slope = spline.forward(jnp.full(1, 1.2), even, odd)
    >>> round(float(x[0]), 6), abs(round(float(log_slope[0]), 6))
    (1.2, 0.0)
    """

    bins: int = eqx.field(static=True)
    reach: float = eqx.field(static=True)

    def __init__(self, bins: int = 8, reach: float = 5.0):
        if bins < 2:
            raise UsageError(f"A spline needs at least two bins, not {bins}.")
        if not reach > 0:
            raise UsageError(f"The reach of a spline must be positive, not {reach}.")
        self.bins, self.reach = bins, float(reach)

    @property
    def n_even(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The scale and the symmetric halves of widths, heights and slopes."""
        return 1 + 2 * ((self.bins + 1) // 2) + self.bins // 2

    @property
    def n_odd(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The shift and the antisymmetric halves of widths, heights and slopes."""
        return 1 + 2 * (self.bins // 2) + (self.bins - 1) // 2

    def start(self) -> list[float]:
        """The identity."""
        return [0.0] * self.n_even

    def _knots(
        self, even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "k *s"], Float[Array, "k *s"], Float[Array, "k *s"]]:
        """Knot positions z_k, x_k and slopes, each [bins + 1, *s]."""
        logits, e, o = [], even[1:], odd[1:]
        for count in (self.bins, self.bins, self.bins - 1):
            e_here, e = e[: (count + 1) // 2], e[(count + 1) // 2 :]
            o_here, o = o[: count // 2], o[count // 2 :]
            logits.append(_unfold(e_here, o_here))
        free = 1 - _SMALLEST * self.bins
        sides = []
        for raw in logits[:2]:
            size = 2 * self.reach * (_SMALLEST + free * jax.nn.softmax(raw, axis=0))
            inner = jnp.cumsum(size[:-1], axis=0) - self.reach
            end = jnp.full_like(size[:1], self.reach)
            sides.append(jnp.concatenate([-end, inner, end]))
        # Zero logits are slope one, the identity's.
        slope = _SMALLEST + (1 - _SMALLEST) * jax.nn.softplus(logits[2] + 0.5413248546129181)
        one = jnp.ones_like(sides[0][:1])
        return sides[0], sides[1], jnp.concatenate([one, slope, one])

    def forward(
        self, z: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """x and ln dx/dz at each site."""
        left, width, low, height, d0, d1 = self._bin(z, even, odd, by=0)
        secant = height / width
        t = jnp.clip((z - left) / width, 0, 1)
        below = secant + (d0 + d1 - 2 * secant) * t * (1 - t)
        inside = low + height * (secant * t**2 + d0 * t * (1 - t)) / below
        x, log_slope = self._outside(z, inside, _log_slope(secant, d0, d1, t, below))
        return jnp.exp(even[0]) * x + odd[0], log_slope + even[0]

    def inverse(
        self, x: Float[Array, "*s"], even: Float[Array, "e *s"], odd: Float[Array, "o *s"]
    ) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
        """z and ln dz/dx at each site: the root of a quadratic in each bin."""
        x = (x - odd[0]) * jnp.exp(-even[0])
        left, width, low, height, d0, d1 = self._bin(x, even, odd, by=1)
        secant = height / width
        rise = jnp.clip(x - low, 0, height)
        bend = d0 + d1 - 2 * secant
        a = height * (secant - d0) + rise * bend
        b = height * d0 - rise * bend
        c = -secant * rise
        t = -2 * c / (b + jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0)))
        below = secant + bend * t * (1 - t)
        z, log_slope = self._outside(x, left + t * width, _log_slope(secant, d0, d1, t, below))
        return z, -log_slope - even[0]

    def _bin(self, value: Array, even: Array, odd: Array, *, by: int) -> tuple[Array, ...]:
        """Left edge, width, lower edge, height and end slopes of the bin that holds each value."""
        z, x, slope = self._knots(even, odd)
        edges = (z, x)[by]
        # Masks instead of an index: a gather, and the scatter that is its derivative, run element by element.
        above = value[None] >= edges[1:-1]
        full = jnp.ones_like(above[:1])
        here = jnp.concatenate([full, above]) & ~jnp.concatenate([above, ~full])

        def at(knots: Array, shift: int) -> Array:
            return jnp.sum(jnp.where(here, knots[shift : shift + self.bins], 0), axis=0)

        return at(z, 0), at(z, 1) - at(z, 0), at(x, 0), at(x, 1) - at(x, 0), at(slope, 0), at(slope, 1)

    def _outside(self, value: Array, inside: Array, log_slope: Array) -> tuple[Array, Array]:
        within = jnp.abs(value) < self.reach
        return jnp.where(within, inside, value), jnp.where(within, log_slope, 0)


def _unfold(symmetric: Array, antisymmetric: Array) -> Array:
    """u with u + reversed(u) from the first part and u - reversed(u) from the second."""
    half = antisymmetric.shape[0]
    left = symmetric[:half] + antisymmetric
    right = (symmetric[:half] - antisymmetric)[::-1]
    return jnp.concatenate([left, symmetric[half:], right])


def _log_slope(secant: Array, d0: Array, d1: Array, t: Array, below: Array) -> Array:
    above = d1 * t**2 + 2 * secant * t * (1 - t) + d0 * (1 - t) ** 2
    return 2 * jnp.log(secant) + jnp.log(above) - 2 * jnp.log(below)
