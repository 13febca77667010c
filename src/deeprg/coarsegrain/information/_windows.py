"""Blocks and environments anywhere in the configurations, drawn for a training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num, PRNGKeyArray

from ...runs.errors import UsageError
from ._surroundings import Surroundings

__all__ = ["Windows"]


class Windows(eqx.Module):
    """Rows (v, e) of random configurations, each moved by a random multiple of `period` along every axis.

    `table` is `Surroundings.table`. The period is that of what a filter may depend on, 1 where all sites are
    alike and 2 where sublattices are told apart; on a graph nothing moves.

    Raises `UsageError` for a period that does not divide the extents.

    >>> from deeprg.lattice import Lattice
    >>> around = Surroundings.on_lattice(Lattice((8,)), (2,), buffer=1, environment=1)
    >>> Windows(around, jnp.zeros((5, 8, 1), jnp.int8), 1)(jax.random.key(0), 3).shape
    (3, 4)
    """

    around: Surroundings = eqx.field(static=True)
    table: Num[Array, "n sites components"]
    period: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        lattice = self.around.lattice
        if self.period < 1 or (lattice is not None and any(n % self.period for n in lattice.shape)):
            raise UsageError(f"A period of {self.period} does not divide the extents of {lattice}.")

    @property
    def size(self) -> int:
        """The length of v."""
        return len(self.around.block) * self.table.shape[2]

    @property
    def width(self) -> int:
        """The length of a row."""
        return self.size + len(self.around.environment) * self.table.shape[2]

    def __call__(self, key: PRNGKeyArray, size: int) -> Num[Array, "size row"]:
        """`size` rows of configurations drawn with replacement."""
        choosing, moving = jax.random.split(key)
        chosen = jax.random.randint(choosing, (size,), 0, len(self.table))
        return self.rows(chosen, key=moving)

    def rows(self, chosen: Array | np.ndarray, *, key: PRNGKeyArray) -> Num[Array, "n row"]:
        """Rows of the configurations of these numbers."""
        shape = () if self.around.lattice is None else self.around.lattice.shape
        steps = np.array([shape], np.int32) // self.period
        shifts = jax.random.randint(key, (len(chosen), len(shape)), 0, steps) * self.period
        sites = self.around.moved(shifts)
        return self.table[jnp.asarray(chosen)[:, None], sites].reshape(len(chosen), -1)
