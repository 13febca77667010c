"""Context networks that know where they are: for images and random bonds, where no place is like another."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._bijector import Chain
from ._context import ContextNet
from ._hierarchy import Hierarchy, level_shapes
from ._initial import normals

__all__ = ["PlacedNet", "with_places"]


class PlacedNet(eqx.Module):
    """A context network with trained numbers of each site, `place` [k, sites], that shift its first layer.

    One network still serves all sites, but it is no longer the same function at each of them. The numbers
    of a site do not change sign with a field: a network that is odd in its context stays so, and one that is
    not has a linear path from them to its odd outputs as well. Raises `UsageError` for fewer than one number.

    >>> import jax, jax.numpy as jnp
    >>> net = ContextNet(2, n_even=1, n_odd=1, start=[0.0], key=jax.random.key(0))
    >>> even, odd = PlacedNet.of(net, 4, places=3, key=jax.random.key(1))(jnp.zeros((2, 4)))
    >>> len(set(even[0].tolist())), odd[0].tolist()
    (4, [0.0, 0.0, 0.0, 0.0])
    """

    net: ContextNet
    place: Float[Array, "k sites"]
    shift: Float[Array, "h k"]
    direct: Float[Array, "o k"] | None

    @classmethod
    def of(cls, net: ContextNet, sites: int, *, places: int, key: PRNGKeyArray) -> "PlacedNet":
        """The network with `places` normal numbers for each of the sites."""
        if places < 1:
            raise UsageError(f"Each site has at least one number of its own, not {places}.")
        first = net.mix_odd[0]
        place_key, weight_key = jax.random.split(key)
        inputs = first.shape[1] + places
        shift = normals(weight_key, (first.shape[0], places), first.dtype) / math.sqrt(inputs)
        direct = None if net.odd else jnp.zeros((net.direct.shape[0], places), first.dtype)
        return cls(net, normals(place_key, (places, sites), first.dtype), shift, direct)

    @property
    def bias(self) -> list[Array]:
        """The biases of the network's layers."""
        return self.net.bias

    @property
    def odd(self) -> bool:
        """Whether the network is odd in its context."""
        return self.net.odd

    def __call__(
        self, context: Float[Array, "c *sites"]
    ) -> tuple[Float[Array, "e *sites"], Float[Array, "o *sites"]]:
        """The even and the odd parameters at every site; the first axis of `sites` counts them."""
        count = self.place.shape[1]
        if context.shape[1] != count:
            raise UsageError(f"The network has places for {count} sites, not for {context.shape[1]}.")
        rest = (1,) * (context.ndim - 2)

        def everywhere(numbers: Array) -> Array:
            spread = numbers.reshape(*numbers.shape, *rest)
            return jnp.broadcast_to(spread, (numbers.shape[0], *context.shape[1:])).astype(context.dtype)

        even, odd = self.net(context, everywhere(self.shift @ self.place))
        if self.direct is not None:
            odd = odd + everywhere(self.direct @ self.place)
        return even, odd


def with_places(hierarchy: Hierarchy, *, places: int, key: PRNGKeyArray) -> Hierarchy:
    """The hierarchy with `places` trained numbers for every site of every map.

    Raises `UsageError` where levels share their weights, and as `PlacedNet`.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import Affine, conditional_hierarchy
    >>> from deeprg.lattice import Lattice
    >>> plain = conditional_hierarchy(Lattice((4, 4)), Affine(), odd=False, key=jax.random.key(0))
    >>> with_places(plain, places=2, key=jax.random.key(1)).levels[-1].links[0].net.place.shape
    (2, 2)
    """
    shapes = level_shapes(hierarchy.lattice)
    if len(set(hierarchy.level_of)) != hierarchy.depth:
        raise UsageError("Levels that share their weights have different sites; take shared = false.")
    base, *levels = (
        _placed(part, shape, places, jax.random.fold_in(key, number))
        for number, (part, shape) in enumerate(zip((hierarchy.base, *hierarchy.levels), shapes, strict=True))
    )
    return Hierarchy(hierarchy.lattice, base, tuple(levels), hierarchy.level_of)


def _placed(part: Any, shape: Sequence[int], places: int, key: PRNGKeyArray) -> Chain:
    links = []
    for link, link_key in zip(part.links, jax.random.split(key, len(part.links)), strict=True):
        cells = math.prod(extent // p for extent, p in zip(shape, link.period, strict=True))
        sites = cells * len(link.active)
        net = PlacedNet.of(link.net, sites, places=places, key=link_key)
        links.append(eqx.tree_at(lambda m: m.net, link, net))
    return Chain(*links)
