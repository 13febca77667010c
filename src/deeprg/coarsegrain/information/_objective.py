"""What RSMI maximises: a bound of the information that hidden spins keep of the environment."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Scalar

from ._reader import BlockReader

__all__ = ["Classifier", "ReadInformation", "RetainedInformation", "classifier"]

Classifier = Callable[[Array], Array]
"""q: the environment to the log odds of the states of h."""


def classifier(size: int, states: int, *, width: int = 64, depth: int = 2, key: Array) -> Classifier:
    """q(h | e): a network from the environment to the log odds of the states of h.

    >>> classifier(20, 2, key=jax.random.key(0))(jnp.ones(20, jnp.float32)).shape
    (2,)
    """
    return eqx.nn.MLP(size, states, width, depth, jax.nn.silu, dtype=jnp.float32, key=key)


class RetainedInformation(eqx.Module):
    """Minus the bound I(H:E) >= H(p) + E_(v,e) sum_h p(h|v) ln q(h|e), p(h) = E_v p(h|v).

    Barber and Agakov's bound (2003) with an exact sum over the states of h: no relaxation of h, no negative
    samples, no ceiling of ln(batch). It is tight where q is p(h | e). The batch is rows (v, e) [n, v + e].

    >>> reader = BlockReader.create(2, 1, key=jax.random.key(0))
    >>> q = classifier(2, 2, key=jax.random.key(1))
    >>> loss, _ = RetainedInformation(2)((reader, q), jnp.ones((8, 4)))
    >>> bool(loss >= 0)                                                          # nothing varies
    True
    """

    size: int = eqx.field(static=True)

    def __call__(
        self, model: tuple[BlockReader, Classifier], batch: Array
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss, and the entropy of h."""
        reader, q = model
        rows = batch.astype(jnp.float32)
        log_p = jax.vmap(reader.log_probabilities)(rows[:, : self.size])
        log_q = jax.nn.log_softmax(jax.vmap(q)(rows[:, self.size :]))
        p = jnp.exp(log_p)
        entropy = jnp.sum(jax.scipy.special.entr(p.mean(axis=0)))
        bound = entropy + jnp.mean(jnp.sum(p * log_q, axis=-1))
        return -bound, {"entropy": entropy}


class ReadInformation(eqx.Module):
    """The cross entropy - E ln q(h | e) of the sharp states of a fixed reader; rows (v, e) as before.

    >>> reader = BlockReader.create(2, 1, key=jax.random.key(0))
    >>> loss, _ = ReadInformation(reader, 2)(classifier(2, 2, key=jax.random.key(1)), jnp.ones((8, 4)))
    >>> bool(loss > 0)
    True
    """

    reader: BlockReader
    size: int = eqx.field(static=True)

    def __call__(self, q: Classifier, batch: Array) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss, no metrics."""
        return -jnp.mean(self.log_likelihood(q, batch)[1]), {}

    def log_likelihood(self, q: Classifier, batch: Array) -> tuple[Array, Array]:
        """The sharp state of every row and ln q of it, [n] each."""
        rows = batch.astype(jnp.float32)
        states = self.reader.sharp(rows[:, : self.size])
        log_q = jax.nn.log_softmax(jax.vmap(q)(rows[:, self.size :]))
        return states, jnp.take_along_axis(log_q, states[:, None], axis=-1)[:, 0]
