"""Where batches come from: `batches(key, size)` returns an array whose axis 0 is the batch."""

import equinox as eqx
import jax
from jaxtyping import Array, Key, Shaped

from deeprg.runs.errors import UsageError

__all__ = ["RowBatches", "key_batches"]


def key_batches(key: Key[Array, ""], size: int) -> Key[Array, "size"]:
    """One PRNG key per draw, for objectives that sample the model themselves.

    The bits depend on `key` and the index in the batch only, never on how many devices or processes share it.

    >>> key_batches(jax.random.key(0), 4).shape
    (4,)
    """
    return jax.random.split(key, size)


class RowBatches(eqx.Module):
    """Rows of a data set, drawn uniformly with replacement.

    `rows` has shape [n, ...]. It is an argument of the compiled step, not a constant in it, and every device
    holds all of it. Raises `UsageError` when there are no rows.

    >>> import jax.numpy as jnp
    >>> RowBatches(jnp.arange(10.0).reshape(5, 2))(jax.random.key(0), 3).shape
    (3, 2)
    """

    rows: Shaped[Array, "n ..."]

    def __check_init__(self):
        if self.rows.shape[0] == 0:
            raise UsageError(f"the data set has shape {self.rows.shape}: there are no rows to draw from.")

    def __call__(self, key: Key[Array, ""], size: int) -> Shaped[Array, "size ..."]:
        return self.rows[jax.random.randint(key, (size,), 0, self.rows.shape[0])]
