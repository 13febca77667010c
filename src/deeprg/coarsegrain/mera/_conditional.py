"""A conditional distribution of one spin given a few others, as a table."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

__all__ = ["SpinTable", "state_numbers"]


class SpinTable(eqx.Module):
    """The field h(context) of p(s | context) = exp(h s) / 2 cosh h for each of the 2^c contexts.

    The order is that of `deeprg.exact.couplings.configurations`. `odd` makes it odd under a flip of all
    spins, h = [values(context) - values(-context)] / 2.

    >>> table = SpinTable(jnp.arange(4.0), odd=True)
    >>> table(jnp.array([[1.0], [1.0]])).tolist()
    [-1.5]
    """

    values: Float[Array, " states"]
    odd: bool = eqx.field(static=True)

    @property
    def fields(self) -> Float[Array, " states"]:
        """h for every context, in the order of its number."""
        return 0.5 * (self.values - self.values[::-1]) if self.odd else self.values

    def __call__(self, context: Float[Array, "c *sites"]) -> Float[Array, "*sites"]:
        """The field at every site."""
        return self.fields[state_numbers(context)]


def state_numbers(x: Float[Array, "c *sites"]) -> Int[Array, "*sites"]:
    """The number of the state of c spins: bit j is set where x_j = -1.

    >>> state_numbers(jnp.array([1.0, -1.0])).item()
    2
    """
    powers = (2 ** np.arange(x.shape[0])).astype(np.int32)
    return jnp.tensordot(powers, (x < 0).astype(jnp.int32), axes=1)
