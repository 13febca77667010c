"""A trained flow as a rule for Ising spins: through the continuous dual, to the signs of its coarse field."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..hamiltonians import ContinuousDual
from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractCoarseGraining
from ._flow import FlowCoarseGraining

__all__ = ["FlowSpins"]


class FlowSpins(AbstractCoarseGraining):
    """Spins s -> a dual field x | s ~ Normal(K s, K) -> the flow's coarse field -> its signs.

    The draw of the field is exact and random; the rest is deterministic. What is measured of the coarse spins
    is of the flow's coarse variable up to its size. Raises `UsageError` for a dual of another lattice.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> dual = build_hamiltonian("ising", Lattice((8, 8)))
    >>> rule = FlowSpins(FlowCoarseGraining(build_flow(dual, key=jax.random.key(0))), dual)
    >>> rule.coarsen(jnp.ones((8, 8)), key=jax.random.key(1)).shape
    (4, 4)
    """

    flow: FlowCoarseGraining
    dual: ContinuousDual

    def __init__(self, flow: FlowCoarseGraining, dual: ContinuousDual):
        if dual.lattice != flow.fine:
            raise UsageError(f"The dual lives on {dual.lattice}, the flow on {flow.fine}.")
        self.flow, self.dual = flow, dual

    @property
    def fine(self) -> Lattice:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lattice of the spins."""
        return self.flow.fine

    @property
    def coarse(self) -> Lattice:
        """The lattice of the coarse field."""
        return self.flow.coarse

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The signs of the coarse field of one draw of x | s."""
        field = self.dual.sample_given_spins(x.astype(jnp.float32), key=key)
        return jnp.where(self.flow.mean(field) < 0, -1, 1).astype(x.dtype)
