"""The latents of a field: which scale each belongs to, and the way back from fields to latents."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import AbstractBijector, Chain
from ._flow import AbstractFlow, Flow, SymmetrisedFlow
from ._hierarchy import Hierarchy, level_shapes, sites_at

__all__ = ["base_flow", "checked_latents", "hierarchy_of", "latent_scales", "links_of", "pull"]


def base_flow(flow: AbstractFlow) -> Flow:
    """The flow itself, or the one that a flow averaged over a group averages.

    Raises `UsageError` for a flow that is neither a `Flow` nor a `SymmetrisedFlow`.

    >>> from deeprg.coarsegrain.flow import sign_group
    >>> flow = Flow(Lattice((2, 2)), Chain())
    >>> base_flow(SymmetrisedFlow(flow, sign_group())) is flow
    True
    """
    base = flow.flow if isinstance(flow, SymmetrisedFlow) else flow
    if not isinstance(base, Flow):
        raise UsageError(
            f"A {type(flow).__name__} has no hierarchy and no latents on the sites of its lattice; "
            "give a Flow or a SymmetrisedFlow."
        )
    return base


def links_of(flow: AbstractFlow) -> tuple[AbstractBijector, ...]:
    """The bijectors of the base flow, the first acts on the latents."""
    bijector = base_flow(flow).bijector
    return bijector.links if isinstance(bijector, Chain) else (bijector,)


def hierarchy_of(flow: AbstractFlow) -> Hierarchy:
    """The hierarchy that a flow, or the base flow of one averaged over a group, begins with.

    Raises `UsageError` for a flow without one, such as the flat layout "tebd".

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> flow = build_flow(build_hamiltonian("ising", Lattice((8, 8))), key=jax.random.key(0))
    >>> hierarchy_of(flow).depth
    3
    """
    links = links_of(flow)
    if not links or not isinstance(links[0], Hierarchy):
        raise UsageError(
            "This flow has no hierarchy: a flat layout keeps all sites and coarse-grains none, so its "
            "latents have no scales. Train the layout 'conditional', 'mera' or 'ttn' instead."
        )
    return links[0]


def latent_scales(lattice: Lattice) -> np.ndarray:
    """The scale of the latent of every site in a hierarchy, integers [*lattice].

    0 for the sites of the coarsest level, n for those that are new at level n. Where all extents are alike,
    scale = max(0, depth - v), 2^v the largest power of two that divides all coordinates of the site.

    Raises `UsageError` for a lattice that cannot be halved to at most 27 sites, as `level_shapes` does.

    >>> latent_scales(Lattice((4, 4))).tolist()
    [[0, 2, 1, 2], [2, 2, 2, 2], [1, 2, 1, 2], [2, 2, 2, 2]]
    """
    scales = np.empty(lattice.shape, np.int64)
    for level, shape in reversed(list(enumerate(level_shapes(lattice)))):
        sites_at(scales, shape)[...] = level
    return scales


def pull(flow: AbstractFlow, x: ArrayLike) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """z = T^-1(x) of fields x [*lattice, *batch], each latent at its own site, and log|det dz/dx| [*batch].

    A flow averaged over a group is inverted by its base flow: of the |G| latents of x, the one of the
    identity. Raises `UsageError` for fields of another lattice.

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Circulant
    >>> double = Flow(Lattice((2, 2)), Circulant(Lattice((2, 2)), spectrum=2 * np.ones((2, 2))))
    >>> z, log_det = pull(double, jnp.ones((2, 2)))
    >>> float(z[0, 0]), round(float(log_det), 4)
    (0.5, -2.7726)
    """
    base = base_flow(flow)
    return _inverse(base, checked_latents(base, x, "fields"))


@eqx.filter_jit
def _inverse(flow: Flow, x: Array) -> tuple[Array, Array]:
    z, log_det = flow.bijector.inverse(x)
    return z, jnp.broadcast_to(log_det, x.shape[flow.lattice.ndim :])


def checked_latents(flow: Flow, x: ArrayLike, what: str, batch: int | None = None) -> Array:
    """An array [*lattice, *batch] of the flow's type, `batch` (0 or 1) further axes where given.

    Raises `UsageError` for another shape.
    """
    lattice, array = flow.lattice, jnp.asarray(x, flow.dtype)
    further = array.ndim - lattice.ndim
    if array.shape[: lattice.ndim] != lattice.shape or (batch is not None and further != batch):
        rest = {None: ", *batch", 0: "", 1: ", n"}[batch]
        raise UsageError(
            f"The {what} have shape {array.shape}; on the lattice {lattice} it must be "
            f"[{', '.join(map(str, lattice.shape))}{rest}], the lattice first."
        )
    return array
