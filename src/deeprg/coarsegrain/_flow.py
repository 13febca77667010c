"""A trained flow read as a coarse-graining: undo the finest scales, keep what is left."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractCoarseGraining
from .flow import AbstractFlow, Chain, Flow, base_flow, hierarchy_of
from .flow._latents import links_of

__all__ = ["FlowCoarseGraining"]


class FlowCoarseGraining(AbstractCoarseGraining):
    """The inverse of a flow's finest `levels` scales: physical x to the hierarchy's own variable.

    Deterministic: the latents of the finer scales are put aside. `refine` draws them anew, so that
    coarsen(refine(y)) = y. A flow averaged over a group is coarse-grained by its base flow, which breaks the
    group's symmetry. Raises `UsageError` for a flow without a hierarchy and for levels that it does not have.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> flow = build_flow(build_hamiltonian("ising", Lattice((8, 8))), key=jax.random.key(0))
    >>> str(FlowCoarseGraining(flow, levels=2).coarse)
    '2x2'
    """

    flow: Flow
    levels: int = eqx.field(static=True)

    def __init__(self, flow: AbstractFlow, *, levels: int = 1):
        self.flow, self.levels = base_flow(flow), levels
        depth = hierarchy_of(flow).depth
        if not 1 <= levels <= depth:
            raise UsageError(f"The flow on {flow.lattice} has {depth} levels, so it cannot undo {levels}.")

    @property
    def fine(self) -> Lattice:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lattice of the physical field."""
        return self.flow.lattice

    @property
    def coarse(self) -> Lattice:
        """The lattice after undoing the finest levels."""
        return Lattice(tuple(extent // 2**self.levels for extent in self.fine.shape))

    @property
    def deterministic(self) -> bool:
        """Always: the inverse of a flow is a map."""
        return True

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The coarse variable of a physical field."""
        del key
        return self.mean(x)

    @eqx.filter_jit
    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """The same: the map has one value."""
        x, _ = Chain(*links_of(self.flow)[1:]).inverse(x)
        return hierarchy_of(self.flow).coarsen(x, levels=self.levels)

    @eqx.filter_jit
    def refine(self, coarse: Float[Array, "*coarse"], *, key: PRNGKeyArray) -> Float[Array, "*fine"]:
        """A physical field with the given coarse variable, its finer latents drawn from the prior."""
        z = self.flow.latent(key=key).astype(coarse.dtype)
        x, _ = hierarchy_of(self.flow).refine(coarse, z)
        return Chain(*links_of(self.flow)[1:]).forward(jnp.asarray(x))[0]
