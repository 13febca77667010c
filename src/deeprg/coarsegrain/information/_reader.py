"""The rule that RSMI learns: hidden units that read a block, linearly or through a small network."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...runs.errors import UsageError

__all__ = ["BlockReader"]

_MOST_STATES = 1024  # of all hidden units together
_START = 0.1


class BlockReader(eqx.Module):
    """p(h | v) of hidden units that read a block; f = W v, or a small network.

    Spins h_j = ±1 (`kinds` 2) have p = prod_j 1/(1 + exp(-2 h_j f_j)), `weights` [hidden, v]
    (arXiv:1704.06279, eq. 4). Units with q = `kinds` > 2 states, for Potts spins, have
    p = prod_j exp(f_{j h_j})/sum_a exp(f_{ja}), `weights` [hidden q, v], unit after unit. Without weights it
    is a network g; spins read the odd function f(v) = (g(v) - g(-v))/2, so that turning all spins turns all
    hidden spins.

    Raises `UsageError` for no hidden units, and for more than 1024 states of all of them, which are summed
    exactly.

    >>> reader = BlockReader.create(4, 2, key=jax.random.key(0))
    >>> round(float(jnp.exp(reader.log_probabilities(jnp.ones(4, jnp.float32))).sum()), 5)
    1.0
    """

    weights: Float[Array, "filters v"] | None
    network: eqx.nn.MLP | None
    hidden: int = eqx.field(static=True)
    kinds: int = eqx.field(static=True, default=2)

    @classmethod
    def create(
        cls, size: int, hidden: int = 1, *, width: int = 0, kinds: int = 2, key: PRNGKeyArray
    ) -> "BlockReader":
        """A reader of blocks of `size` numbers; of the given width a network, of width 0 linear."""
        if kinds < 2:
            raise UsageError(f"A hidden unit has 2 states or more, not {kinds}.")
        most = int(math.log(_MOST_STATES + 0.5, kinds))
        if not 1 <= hidden <= most:
            raise UsageError(
                f"{hidden} hidden units of {kinds} kinds have {kinds}^{hidden} states; "
                + (f"from 1 to {most} units are summed exactly." if most else f"at most {_MOST_STATES} are.")
            )
        filters = hidden * (kinds if kinds > 2 else 1)
        if width:
            network = eqx.nn.MLP(size, filters, width, 2, jax.nn.tanh, dtype=jnp.float32, key=key)
            return cls(None, network, hidden, kinds)
        start = _START * jax.random.normal(key, (filters, size), jnp.float32) / math.sqrt(size)
        return cls(start, None, hidden, kinds)

    @classmethod
    def whole(cls, sites: int, *, kinds: int = 2) -> "BlockReader":
        """The reader that copies every site of a block, whose information is I(V:E).

        Blocks are rows of ±1, or of one indicator for each of the `kinds` of a site (`one_hot`).

        >>> BlockReader.whole(2).sharp(jnp.array([[1, 1], [1, -1], [-1, 1]], jnp.float32)).tolist()
        [0, 1, 2]
        """
        size = sites * (kinds if kinds > 2 else 1)
        reader = cls.create(size, sites, kinds=kinds, key=jax.random.key(0))
        return cls(jnp.eye(size, dtype=jnp.float32), None, reader.hidden, kinds)

    @property
    def count(self) -> int:
        """How many states all hidden units have together."""
        return self.kinds**self.hidden

    @property
    def states(self) -> np.ndarray:
        """All states [count, hidden] in the order of all probabilities here: ±1, or 0 ... q - 1."""
        values = (1, -1) if self.kinds == 2 else range(self.kinds)
        return np.array(list(itertools.product(values, repeat=self.hidden)), np.float32)

    def fields(self, v: Float[Array, " v"]) -> Float[Array, " filters"]:
        """f(v)."""
        if self.network is None:
            return jnp.asarray(self.weights) @ v
        if self.kinds > 2:
            return self.network(v)
        return (self.network(v) - self.network(-v)) / 2

    def log_probabilities(self, v: Float[Array, " v"]) -> Float[Array, " states"]:
        """ln p(h | v) of all states of h."""
        if self.kinds == 2:
            return jnp.sum(jax.nn.log_sigmoid(2 * self.states * self.fields(v)[None]), axis=-1)
        each = jax.nn.log_softmax(self.fields(v).reshape(self.hidden, self.kinds))
        return jnp.sum(each[np.arange(self.hidden)[None], self.states.astype(int)], axis=-1)

    def sharp(self, v: Float[Array, "n v"]) -> Int[Array, " n"]:
        """The number of the most probable state of every row; of equal ones the first."""
        fields = jax.vmap(self.fields)(v)
        if self.kinds == 2:
            digits = (fields < 0).astype(jnp.int32)
        else:
            units = fields.reshape(len(v), self.hidden, self.kinds)
            digits = jnp.argmax(units, axis=-1).astype(jnp.int32)
        return digits @ jnp.asarray(self.kinds ** np.arange(self.hidden - 1, -1, -1), jnp.int32)
