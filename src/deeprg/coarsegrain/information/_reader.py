"""The rule that RSMI learns: hidden spins that read a block, linearly or through a small network."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...runs.errors import UsageError

__all__ = ["BlockReader"]

_MOST_HIDDEN = 10
_START = 0.1


class BlockReader(eqx.Module):
    """p(h | v) = prod_j 1/(1 + exp(-2 h_j f_j(v))) of hidden spins h_j = ±1; f = W v, or an odd network.

    `weights` [hidden, v] for the linear rule (arXiv:1704.06279, eq. 4), None for the network, which reads
    f(v) = (g(v) - g(-v))/2, so that turning all spins turns all hidden spins.

    Raises `UsageError` for no hidden spins or more than 10, whose 2^h states are summed exactly.

    >>> reader = BlockReader.create(4, 2, key=jax.random.key(0))
    >>> round(float(jnp.exp(reader.log_probabilities(jnp.ones(4, jnp.float32))).sum()), 5)
    1.0
    """

    weights: Float[Array, "hidden v"] | None
    network: eqx.nn.MLP | None
    hidden: int = eqx.field(static=True)

    @classmethod
    def create(cls, size: int, hidden: int = 1, *, width: int = 0, key: PRNGKeyArray) -> "BlockReader":
        """A reader of blocks of `size` numbers; of the given width a network, of width 0 linear."""
        if not 1 <= hidden <= _MOST_HIDDEN:
            raise UsageError(
                f"{hidden} hidden spins have 2^{hidden} states; from 1 to {_MOST_HIDDEN} are summed exactly."
            )
        if width:
            return cls(
                None, eqx.nn.MLP(size, hidden, width, 2, jax.nn.tanh, dtype=jnp.float32, key=key), hidden
            )
        start = _START * jax.random.normal(key, (hidden, size), jnp.float32) / math.sqrt(size)
        return cls(start, None, hidden)

    @property
    def states(self) -> np.ndarray:
        """All states of the hidden spins [2^hidden, hidden], in the order of all probabilities here."""
        return np.array(list(itertools.product((1, -1), repeat=self.hidden)), np.float32)

    def fields(self, v: Float[Array, " v"]) -> Float[Array, " hidden"]:
        """f(v)."""
        if self.network is not None:
            return (self.network(v) - self.network(-v)) / 2
        return jnp.asarray(self.weights) @ v

    def log_probabilities(self, v: Float[Array, " v"]) -> Float[Array, " states"]:
        """ln p(h | v) of all states of h."""
        return jnp.sum(jax.nn.log_sigmoid(2 * self.states * self.fields(v)[None]), axis=-1)

    def sharp(self, v: Float[Array, "n v"]) -> Int[Array, " n"]:
        """The number of the most probable state of every row; f = 0 counts as +1."""
        minus = jax.vmap(self.fields)(v) < 0
        return minus.astype(jnp.int32) @ jnp.asarray(1 << np.arange(self.hidden - 1, -1, -1), jnp.int32)
