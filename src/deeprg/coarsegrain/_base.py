"""The one idea: a coarse-graining, a conditional distribution p(coarse | fine)."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError

__all__ = ["AbstractCoarseGraining", "BlockAverage", "Decimation", "blocked_shape"]


class AbstractCoarseGraining(eqx.Module):
    """One renormalization step: a fine configuration becomes a coarse one, perhaps at random.

    A new one is one final subclass and one line in `COARSE_GRAININGS`. `coarsen` is all that a probe may
    ask for; a subclass that can do more (`refine`, `log_prob`) says so by having the method. `fine` and
    `coarse` are the lattices before and after.
    """

    fine: eqx.AbstractVar[Lattice]

    @property
    @abc.abstractmethod
    def coarse(self) -> Lattice:
        """The lattice of the coarse configuration."""

    @abc.abstractmethod
    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw from p(coarse | fine); deterministic rules do not use the key."""


def blocked_shape(lattice: Lattice, side: int) -> Lattice:
    """The lattice of the blocks of the given side; raises `UsageError` when they do not tile it.

    >>> str(blocked_shape(Lattice((16, 8)), 2))
    '8x4'
    """
    if side < 2 or any(extent % side for extent in lattice.shape):
        raise UsageError(
            f"Blocks of side {side} do not tile the lattice {lattice}; take a common divisor >= 2."
        )
    return Lattice(tuple(extent // side for extent in lattice.shape))


class _BlockRule(AbstractCoarseGraining):
    """What the rules on blocks of `side` sites along each axis share."""

    fine: Lattice = eqx.field(static=True)
    side: int = eqx.field(static=True)

    def __init__(self, fine: Lattice, *, side: int = 2):
        blocked_shape(fine, side)
        self.fine, self.side = fine, side

    @property
    def coarse(self) -> Lattice:
        """The lattice of the blocks."""
        return blocked_shape(self.fine, self.side)


class Decimation(_BlockRule):
    """Keep every `side`-th site along each axis, coarse_I = x_{side I}, and forget the others.

    >>> import jax, jax.numpy as jnp
    >>> Decimation(Lattice((4,)), side=2).coarsen(jnp.arange(4.0), key=jax.random.key(0)).tolist()
    [0.0, 2.0]
    """

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The kept sites."""
        del key
        return x[(slice(None, None, self.side),) * self.fine.ndim]


class BlockAverage(_BlockRule):
    """The mean of every block of `side` sites along each axis.

    >>> import jax, jax.numpy as jnp
    >>> BlockAverage(Lattice((4,)), side=2).coarsen(jnp.arange(4.0), key=jax.random.key(0)).tolist()
    [0.5, 2.5]
    """

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The block means."""
        del key
        blocks = [number for extent in self.coarse.shape for number in (extent, self.side)]
        return jnp.mean(x.reshape(blocks), axis=tuple(range(1, len(blocks), 2)))
