"""The one idea: a coarse-graining, a conditional distribution p(coarse | fine)."""

import abc

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice

__all__ = ["AbstractCoarseGraining"]


class AbstractCoarseGraining(eqx.Module):
    """One renormalization step: a fine configuration becomes a coarse one, perhaps at random.

    A new one is one final subclass and one line in `COARSE_GRAININGS`. `coarsen` is all that a probe may
    ask for; a subclass that can do more says so by having the method:

        mean(x)              E[coarse | fine], [*coarse]
        log_prob(coarse, x)  ln p(coarse | fine), a number
        refine(coarse, key)  a fine configuration with that coarse one
        check(x)             raise `UsageError` for a configuration [..., *fine] that is not its input

    `fine` and `coarse` are the lattices before and after.
    """

    fine: eqx.AbstractVar[Lattice]

    @property
    @abc.abstractmethod
    def coarse(self) -> Lattice:
        """The lattice of the coarse configuration."""

    @property
    def deterministic(self) -> bool:
        """Whether `coarsen` is known to ignore its key, so that a step after this one keeps its own law."""
        return False

    @abc.abstractmethod
    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw from p(coarse | fine); deterministic rules do not use the key."""
