"""The restricted Boltzmann machine: two layers of units and the couplings between them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...exact.couplings import Couplings, rbm_couplings
from ...runs.errors import UsageError
from ._normalisable import check_gain
from ._units import AbstractUnit, Binary, Spin, build_unit

__all__ = ["RBM"]


class RBM(eqx.Module):
    """A joint law p(v, h) = exp(-E(v, h))/Z of a visible and a hidden layer of independent units,

        E(v, h) = -a.v - b.h - v^T W h + U_v(v) + U_h(h),

    dimensionless: a temperature is inside W, a and b. U is a unit's own weight (`AbstractUnit`). v and h are
    statistics, [..., n_v q_v] and [..., n_h q_h], leading axes a batch; W [n_v q_v, n_h q_h]. Everything is
    computed in the dtype of `weights`. Where `biases` is False, a and b are zero and training leaves them.
    Raises `UsageError` for shapes that do not fit each other or the units. Source: G. E. Hinton, Neural
    Comput. 14, 1771 (2002), for the name and {0, 1} units.

    >>> spin = build_unit("spin")
    >>> machine = RBM(jnp.array([[0.5], [0.5]]), jnp.zeros(2), jnp.zeros(1), spin, spin)
    >>> round(float(machine.free_energy(jnp.array([1.0, 1.0]))), 6)          # -ln(2 cosh 1)
    -1.126928
    """

    weights: Float[Array, "v h"]
    visible_bias: Float[Array, " v"]
    hidden_bias: Float[Array, " h"]
    visible: AbstractUnit = eqx.field(static=True)
    hidden: AbstractUnit = eqx.field(static=True)
    biases: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        shapes = [jnp.shape(x) for x in (self.weights, self.visible_bias, self.hidden_bias)]
        if len(shapes[0]) != 2 or shapes[1:] != [shapes[0][:1], shapes[0][1:]]:
            raise UsageError(
                f"weights {shapes[0]}, visible_bias {shapes[1]} and hidden_bias {shapes[2]} do not fit: "
                "[n_v q_v, n_h q_h], [n_v q_v] and [n_h q_h] are needed."
            )
        for unit, size in zip((self.visible, self.hidden), shapes[0], strict=True):
            if size == 0 or size % unit.q:
                raise UsageError(f"{size} numbers are not a layer of '{unit.name}' units, {unit.q} each.")

    @classmethod
    def create(
        cls,
        visible: int,
        hidden: int,
        *,
        visible_unit: str | AbstractUnit = "spin",
        hidden_unit: str | AbstractUnit = "spin",
        scale: float | int = 0.01,
        biases: bool = True,
        dtype: Any = jnp.float32,
        key: PRNGKeyArray,
    ) -> "RBM":
        """A machine of `visible` and `hidden` units: W normal with standard deviation `scale`, biases zero.

        Units by name (`UNITS`; for "potts", which needs q, pass `Potts(q)`). Raises `UsageError` for fewer
        than one unit on a side, an unknown unit and a scale that is negative or not finite.

        >>> machine = RBM.create(4, 3, hidden_unit="gaussian", key=jax.random.key(0))
        >>> machine.weights.shape, str(machine.weights.dtype), machine.n_hidden
        ((4, 3), 'float32', 3)
        """
        if visible < 1 or hidden < 1:
            raise UsageError(f"Each layer needs at least one unit, not {visible} visible, {hidden} hidden.")
        if not (np.isfinite(scale) and scale >= 0):
            raise UsageError(f"scale = {scale} must be a standard deviation: finite and not negative.")
        units = build_unit(visible_unit), build_unit(hidden_unit)
        shape = (visible * units[0].q, hidden * units[1].q)
        weights = scale * jax.random.normal(key, shape, dtype)
        return cls(weights, jnp.zeros(shape[0], dtype), jnp.zeros(shape[1], dtype), *units, biases)

    @property
    def n_visible(self) -> int:
        """The number of visible units; a Potts unit counts once."""
        return self.weights.shape[0] // self.visible.q

    @property
    def n_hidden(self) -> int:
        """The number of hidden units; a Potts unit counts once."""
        return self.weights.shape[1] // self.hidden.q

    @property
    def transposed(self) -> "RBM":
        """The same law with the roles of the layers exchanged."""
        return RBM(
            self.weights.T, self.hidden_bias, self.visible_bias, self.hidden, self.visible, self.biases
        )

    def hidden_field(self, v: Float[Array, "*batch v"]) -> Float[Array, "*batch h"]:
        """b + W^T v, what the hidden units feel."""
        return v @ self.weights + _row(self.hidden_bias, v)

    def visible_field(self, h: Float[Array, "*batch h"]) -> Float[Array, "*batch v"]:
        """a + W h, what the visible units feel."""
        return h @ self.weights.T + _row(self.visible_bias, h)

    @eqx.filter_jit
    def energy(self, v: Float[Array, "*batch v"], h: Float[Array, "*batch h"]) -> Float[Array, "*batch"]:
        """E(v, h) of the class, [...].

        >>> machine = RBM.create(2, 1, scale=0.0, key=jax.random.key(0))
        >>> float(machine.energy(jnp.ones(2, jnp.float32), -jnp.ones(1, jnp.float32)))
        0.0
        """
        coupled = jnp.sum(self.hidden_field(v) * h, axis=-1) + v @ self.visible_bias
        return self.visible.self_energy(v) + self.hidden.self_energy(h) - coupled

    @eqx.filter_jit
    def free_energy(self, v: Float[Array, "*batch v"]) -> Float[Array, "*batch"]:
        """F(v) = -ln sum_h exp(-E) = -a.v + U_v(v) - sum_j K_j(b + W^T v), [...]; p(v) = exp(-F)/Z."""
        own = self.visible.self_energy(v) - v @ self.visible_bias
        return own - jnp.sum(self.hidden.log_sum(self.hidden_field(v)), axis=-1)

    @eqx.filter_jit
    def hidden_free_energy(self, h: Float[Array, "*batch h"]) -> Float[Array, "*batch"]:
        """-ln sum_v exp(-E) = -b.h + U_h(h) - sum_i K_i(a + W h), [...]: the renormalized energy of h."""
        return self.transposed.free_energy(h)

    @eqx.filter_jit
    def hidden_mean(self, v: Float[Array, "*batch v"]) -> Float[Array, "*batch h"]:
        """⟨h | v⟩."""
        return self.hidden.mean(self.hidden_field(v))

    @eqx.filter_jit
    def visible_mean(self, h: Float[Array, "*batch h"]) -> Float[Array, "*batch v"]:
        """⟨v | h⟩."""
        return self.visible.mean(self.visible_field(h))

    @eqx.filter_jit
    def sample_hidden(self, v: Float[Array, "*batch v"], *, key: PRNGKeyArray) -> Float[Array, "*batch h"]:
        """A draw from p(h | v)."""
        return self.hidden.sample(self.hidden_field(v), key=key)

    @eqx.filter_jit
    def sample_visible(self, h: Float[Array, "*batch h"], *, key: PRNGKeyArray) -> Float[Array, "*batch v"]:
        """A draw from p(v | h)."""
        return self.visible.sample(self.visible_field(h), key=key)

    @eqx.filter_jit
    def hidden_log_prob(
        self, h: Float[Array, "*batch h"], v: Float[Array, "*batch v"]
    ) -> Float[Array, "*batch"]:
        """ln p(h | v) = h.t - U(h) - sum_j K(t_j), t = b + W^T v, [...].

        >>> machine = RBM.create(4, 2, scale=0.0, key=jax.random.key(0))
        >>> h, v = jnp.ones(2, jnp.float32), jnp.ones(4, jnp.float32)
        >>> round(float(machine.hidden_log_prob(h, v)), 6)                          # 2 ln 1/2
        -1.386294
        """
        field, unit = self.hidden_field(v), self.hidden
        return jnp.sum(h * field, axis=-1) - unit.self_energy(h) - jnp.sum(unit.log_sum(field), axis=-1)

    @eqx.filter_jit
    def visible_log_prob(
        self, v: Float[Array, "*batch v"], h: Float[Array, "*batch h"]
    ) -> Float[Array, "*batch"]:
        """ln p(v | h), [...]."""
        return self.transposed.hidden_log_prob(v, h)

    @eqx.filter_jit
    def gibbs(
        self, v: Float[Array, "*batch v"], *, steps: int = 1, key: PRNGKeyArray
    ) -> Float[Array, "*batch v"]:
        """v after `steps` rounds of v -> h -> v, each layer drawn from its conditional law.

        Leaves p(v) as it is. `UsageError` for a negative number of steps.

        >>> machine = RBM.create(4, 3, key=jax.random.key(0))
        >>> machine.gibbs(jnp.ones((10, 4), jnp.float32), steps=5, key=jax.random.key(1)).shape
        (10, 4)
        """
        if steps < 0:
            raise UsageError(f"steps = {steps} is out of range; a Gibbs chain takes 0 steps or more.")

        def step(x: Array, key: PRNGKeyArray) -> tuple[Array, None]:
            up, down = jax.random.split(key)
            return self.sample_visible(self.sample_hidden(x, key=up), key=down), None

        return jax.lax.scan(step, v, jax.random.split(key, steps))[0]

    def couplings(self, order: int = 2, method: str = "exact", **options: Any) -> Couplings:
        """The effective couplings of the visible units by order: -F(v) = a.v + sum_j K_j as a sum over sets.

        `method` and `options` as in `deeprg.exact.couplings.rbm_couplings`, with its errors. Raises
        `UsageError` unless the visible units are spins or bits and the hidden units are not Potts.

        >>> weights = jnp.array([[0.5], [0.5]])
        >>> machine = RBM(weights, jnp.zeros(2), jnp.zeros(1), build_unit("spin"), build_unit("gaussian"))
        >>> round(machine.couplings()[0, 1], 6)                     # s^2 w_0 w_1
        0.25
        """
        if not isinstance(self.visible, Spin | Binary) or self.hidden.q > 1:
            raise UsageError(
                f"Couplings by order need spin or binary visible units and hidden units with one field each, "
                f"not '{self.visible.name}' and '{self.hidden.name}'. For few visible units, "
                "deeprg.exact.couplings.couplings_of takes the values of -free_energy on all states."
            )
        weights, b, a = (
            np.asarray(x, np.float64) for x in (self.weights, self.hidden_bias, self.visible_bias)
        )
        spins = "pm" if isinstance(self.visible, Spin) else "binary"
        return rbm_couplings(
            weights, b, a, self.hidden.prior, order=order, method=method, spins=spins, **options
        )

    def check_normalisable(self) -> None:
        """Raise `NumericalError` where two layers of unbounded units certainly have no normalisable law.

        With spin, binary or Potts units on one side every machine has one. Two Gaussian layers have one if
        and only if s_v s_h ||W||_2 < 1. With rectified units the exact condition is expensive: the check is
        silent where neither bound of `_normalisable.gain_bounds` decides.

        >>> RBM.create(4, 3, visible_unit="gaussian", key=jax.random.key(0)).check_normalisable()
        """
        check_gain(np.asarray(self.weights), self.visible, self.hidden)


def _row(bias: Array, like: Array) -> Array:
    """The bias with the leading axes that strict rank promotion asks for."""
    return bias.reshape((1,) * (like.ndim - 1) + bias.shape)
