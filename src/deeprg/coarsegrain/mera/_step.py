"""A step of a classical MERA as a coarse-graining: decimation, with the inverse that the network learned."""

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from .._blocking import Decimation
from ._mera import ClassicalMERA

__all__ = ["MERAStep"]


class MERAStep(Decimation):
    """From a level of a MERA to the next: keep the sites with even coordinates; `refine` fills the others.

    Every judge of the coarse spins sees plain decimation. What is learned is q(fine | coarse): `refine`
    draws from it and `log_refine` is its logarithm, exact.

    Raises `UsageError` for a level that has no coarser one.

    >>> import jax.numpy as jnp
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> model = ClassicalMERA(Ising(Lattice((4, 4)), 2.5), key=jax.random.key(0))
    >>> step = MERAStep(model)
    >>> coarse = jnp.ones((2, 2), jnp.float32)
    >>> fine = step.refine(coarse, key=jax.random.key(1))
    >>> fine.shape, bool((step.coarsen(fine, key=jax.random.key(2)) == coarse).all())
    ((4, 4), True)
    """

    model: ClassicalMERA
    level: int = eqx.field(static=True)

    def __init__(self, model: ClassicalMERA, level: int = 0):
        if not 0 <= level < len(model.levels):
            raise UsageError(f"Level {level} has no coarser one; take 0 to {len(model.levels) - 1}.")
        super().__init__(model.lattices[level], side=2)
        self.model, self.level = model, level

    @eqx.filter_jit
    def refine(self, coarse: Float[Array, "*coarse"], *, key: PRNGKeyArray) -> Float[Array, "*fine"]:
        """A fine configuration with that coarse one."""
        u = jax.random.uniform(key, (self.fine.size, 1), self.model.top.dtype)
        kept = coarse.reshape(-1, 1).astype(u.dtype)
        return self.model.fill(self.level, kept, u)[0].reshape(self.fine.shape).astype(coarse.dtype)

    @eqx.filter_jit
    def log_refine(self, x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln q(fine | coarse) at the coarse configuration of x."""
        return self.model.log_fill(self.level, x.reshape(-1, 1).astype(self.model.top.dtype))[0]
