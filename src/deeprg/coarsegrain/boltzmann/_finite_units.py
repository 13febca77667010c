"""Units with finitely many states: spins ±1, bits, and Potts colours."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...exact.layered import BernoulliPrior, HiddenPrior, IsingPrior, PottsPrior
from ...montecarlo.chance import at_odds
from ...runs.errors import UsageError
from ._unit import AbstractUnit, refuse

__all__ = ["Binary", "Potts", "Spin"]


class Spin(AbstractUnit):
    """A unit ±1 without a weight of its own: K = ln(2 cosh t), mean tanh t.

    >>> round(float(Spin().mean(jnp.array([0.5]))[0]), 6)
    0.462117
    """

    name: ClassVar[str] = "spin"
    q: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def prior(self) -> HiddenPrior:
        """K(t) = ln(2 cosh t)."""
        return IsingPrior()

    @property
    def states(self) -> np.ndarray:
        """+1 and -1, in the order of `deeprg.exact.couplings.configurations`."""
        return np.array([[1.0], [-1.0]])

    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """tanh t."""
        return jnp.tanh(field)

    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """artanh m."""
        return jnp.arctanh(mean)

    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """+1 with probability (1 + tanh t)/2."""
        return jnp.where(at_odds(key, 2 * field), jnp.ones_like(field), -jnp.ones_like(field))

    def check(self, x: Any, what: str) -> None:
        """Only -1 and +1."""
        refuse(
            x,
            lambda a: np.abs(a) == 1,
            what,
            "spin units take -1 and +1; turn 0 and 1 into spins with 2 x - 1, or use 'binary' units",
        )


class Binary(AbstractUnit):
    """A unit in {0, 1} without a weight of its own: K = ln(1 + e^t), mean 1/(1 + e^-t).

    >>> round(float(Binary().mean(jnp.array([0.5]))[0]), 6)
    0.622459
    """

    name: ClassVar[str] = "binary"
    q: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def prior(self) -> HiddenPrior:
        """K(t) = ln(1 + e^t)."""
        return BernoulliPrior()

    @property
    def states(self) -> np.ndarray:
        """0 and 1."""
        return np.array([[0.0], [1.0]])

    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """1/(1 + e^-t)."""
        return jax.nn.sigmoid(field)

    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """ln(m/(1 - m))."""
        return jnp.log(mean) - jnp.log1p(-mean)

    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """1 with probability 1/(1 + e^-t)."""
        return at_odds(key, field).astype(field.dtype)

    def check(self, x: Any, what: str) -> None:
        """Only 0 and 1."""
        refuse(
            x,
            lambda a: (a == 0) | (a == 1),
            what,
            "binary units take 0 and 1; turn spins ±1 into bits with (x + 1)/2, threshold grey values, "
            "or use 'spin' units",
        )

    def encode(self, values: Float[Array, "*batch n"]) -> Float[Array, "*batch m"]:
        """Spins ±1 become bits, (s + 1)/2."""
        return 0.5 * (values + 1)

    def decode(self, x: Float[Array, "*batch m"]) -> Float[Array, "*batch n"]:
        """Bits become spins ±1, 2 b - 1."""
        return 2 * x - 1

    def check_values(self, values: Any, what: str) -> None:
        """Only spins ±1."""
        good = "a lattice configuration for binary units has spins -1 and +1, which encode turns into bits"
        refuse(values, lambda a: np.abs(a) == 1, what, good)


class Potts(AbstractUnit):
    """A unit with q colours, a one-hot vector: K = logsumexp_c t_c, mean softmax(t). No weight of its own.

    Raises `UsageError` for q < 2.

    >>> Potts(3).mean(jnp.array([0.0, 0.0, jnp.log(2.0)])).round(6).tolist()
    [0.25, 0.25, 0.5]
    """

    name: ClassVar[str] = "potts"
    q: int = eqx.field(static=True)

    def __init__(self, q: int):
        PottsPrior(q)  # refuses fewer than two colours
        self.q = q

    @property
    def prior(self) -> HiddenPrior:
        """K(t) = logsumexp_c t_c."""
        return PottsPrior(self.q)

    @property
    def states(self) -> np.ndarray:
        """The unit vectors, colour 0 first."""
        return np.eye(self.q)

    def log_sum(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch units"]:
        """logsumexp over the colours of each unit, [..., n]."""
        return self.prior.log_sum(self._split(field))

    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """softmax over the colours of each unit."""
        return jax.nn.softmax(self._split(field), axis=-1).reshape(field.shape)

    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """ln m minus its mean over the colours: the field whose colours add up to zero."""
        field = jnp.log(self._split(mean))
        return (field - field.mean(axis=-1, keepdims=True)).reshape(mean.shape)

    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """Colour c with probability softmax(t)_c, by Gumbel noise."""
        colours = jax.random.categorical(key, self._split(field))
        return jax.nn.one_hot(colours, self.q, dtype=field.dtype).reshape(field.shape)

    def check(self, x: Any, what: str) -> None:
        """Only one-hot vectors."""
        array = np.asarray(x)
        remedy = f"Potts units take one-hot vectors of {self.q} numbers; make them from colours with encode"
        if array.ndim == 0 or array.shape[-1] % self.q:
            raise UsageError(f"{what} has shape {array.shape}, not [..., n * {self.q}]; {remedy}.")
        refuse(array, lambda a: (a == 0) | (a == 1), what, remedy)
        sums = array.reshape(*array.shape[:-1], -1, self.q).sum(axis=-1)
        if (sums != 1).any():
            unit = sums[sums != 1].flat[0]
            raise UsageError(f"{what} has a unit with {unit:g} colours at once; {remedy}.")

    def encode(self, values: Float[Array, "*batch n"]) -> Float[Array, "*batch m"]:
        """Colours 0 ... q - 1, [..., n], become one-hot vectors, [..., n q]."""
        vectors = jax.nn.one_hot(values.astype(jnp.int32), self.q, dtype=values.dtype)
        return vectors.reshape(*values.shape[:-1], -1)

    def decode(self, x: Float[Array, "*batch m"]) -> Float[Array, "*batch n"]:
        """One-hot vectors become colours 0 ... q - 1."""
        return jnp.argmax(self._split(x), axis=-1).astype(x.dtype)

    def check_values(self, values: Any, what: str) -> None:
        """Only colours 0 ... q - 1."""
        good = f"Potts units take whole colours 0 ... {self.q - 1}"
        refuse(values, lambda a: (a == np.round(a)) & (a >= 0) & (a < self.q), what, good)

    def _split(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], -1, self.q)
