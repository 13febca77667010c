"""Bijectors on blocks of sites, and the hierarchies made of them: MERA, TTN, TEBD."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import AbstractBijector, Chain, Repeated
from ._cells import Offset, halved_cell, join, offsets, split
from ._hierarchy import Hierarchy, level_shapes

__all__ = ["BlockLayer", "mera", "tebd", "ttn"]

# Builds the bijector of one block, a vector of that many sites, its weights drawn with the key.
MakeBlock = Callable[[int, PRNGKeyArray], AbstractBijector]


class BlockLayer(AbstractBijector):
    """The same small bijector on every block of a tiling: permute into blocks, map, permute back.

    Blocks have `sides` sites along the axes, the first begins at `offset` along each that they divide, and
    they wrap around: translation by a block is exact. log|det dx/dz| is the sum over blocks. Raises
    `UsageError` when the sides do not divide the field's extents.

    >>> import jax, jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import RealNVP
    >>> layer = BlockLayer(RealNVP(4, couplings=2, key=jax.random.key(0)), sides=(2, 2), offset=1)
    >>> x, log_det = layer.forward(jnp.ones((4, 4)))
    >>> bool(jnp.allclose(x, jnp.roll(x, (2, 2), (0, 1)))), float(log_det)
    (True, 0.0)
    """

    block: AbstractBijector
    sides: Offset = eqx.field(static=True)
    offset: int = eqx.field(static=True)

    def __init__(self, block: AbstractBijector, *, sides: Offset = (2, 2), offset: int = 0):
        self.block, self.sides, self.offset = block, sides, offset

    def _on_blocks(self, method: Callable, field: Array) -> tuple[Array, Float[Array, "..."]]:
        axes = tuple(range(len(self.sides)))
        shift = tuple(self.offset if side > 1 else 0 for side in self.sides)
        shifted = jnp.roll(field, [-s for s in shift], axes) if self.offset else field
        cells = split(shifted, self.sides)
        # Sites of a block lead, then blocks and samples: all blocks of all samples are one batch.
        columns, log_dets = method(jnp.stack([cells[o] for o in offsets(self.sides)]))
        out = join(dict(zip(offsets(self.sides), columns, strict=True)), self.sides)
        return (jnp.roll(out, shift, axes) if self.offset else out), jnp.sum(log_dets, axis=axes)

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and the sum of the blocks' log-determinants."""
        return self._on_blocks(self.block.forward, z)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and the sum of the blocks' inverse log-determinants."""
        return self._on_blocks(self.block.inverse, x)


def mera(
    lattice: Lattice,
    make: MakeBlock,
    *,
    repeats: int = 1,
    depth: int | None = None,
    shared: bool = False,
    key: PRNGKeyArray,
) -> Hierarchy:
    """The multi-scale entanglement renormalization layout: at each scale disentanglers, then decimators.

    From fine to coarse a scale has `repeats` pairs of block layers, at offset 0 and offset 1; every block
    holds one site that survives to the next scale (arXiv:1802.02840, Fig. 1). `depth` keeps only so many of
    the finest scales; `shared` gives all scales the same weights (those of blocks of one shape). Raises
    `UsageError` for extents that are no powers of 2, and for a depth that the lattice does not have.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import RealNVP
    >>> make = lambda size, key: RealNVP(size, couplings=10, hidden=3, width=10, key=key)
    >>> flow = mera(Lattice((16, 16)), make, key=jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array)))
    50560
    """
    return _network(lattice, make, [1, 0] * repeats, depth, shared, key)


def ttn(
    lattice: Lattice,
    make: MakeBlock,
    *,
    repeats: int = 1,
    depth: int | None = None,
    shared: bool = False,
    key: PRNGKeyArray,
) -> Hierarchy:
    """The tree layout: decimators only. Two halves A, B then share no more than their top variables a, b do,
    I(A:B) = I(a:b). Arguments as for `mera`.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import RealNVP
    >>> flow = ttn(Lattice((8, 8)), lambda size, key: RealNVP(size, key=key), key=jax.random.key(0))
    >>> flow.depth
    3
    """
    return _network(lattice, make, [0] * repeats, depth, shared, key)


def tebd(
    lattice: Lattice, make: MakeBlock, *, layers: int = 4, shared: bool = False, key: PRNGKeyArray
) -> Chain:
    """The flat layout: `layers` brick-wall pairs of block layers on all sites, nothing is factored out.

    The correlation length that it can reach grows with the number of layers. Raises `UsageError` for odd
    extents.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import RealNVP
    >>> make = lambda size, key: RealNVP(size, couplings=2, key=key)
    >>> len(tebd(Lattice((6, 6)), make, layers=3, key=jax.random.key(0)).links)
    3
    """
    if layers < 1:
        raise UsageError(f"At least one brick-wall layer is needed, not {layers}.")
    if any(extent % 2 for extent in lattice.shape):
        raise UsageError(
            f"Brick-wall layers of 2-site blocks need even extents, but the lattice is {lattice}."
        )
    sides = (2,) * lattice.ndim
    if shared:
        return Chain(Repeated(_level(sides, make, [1, 0], key), layers))
    return Chain(*(_level(sides, make, [1, 0], k) for k in jax.random.split(key, layers)))


def _level(sides: Offset, make: MakeBlock, order: list[int], key: PRNGKeyArray) -> Chain:
    keys, size = jax.random.split(key, len(order)), math.prod(sides)
    return Chain(
        *(BlockLayer(make(size, k), sides=sides, offset=o) for o, k in zip(order, keys, strict=True))
    )


def _network(
    lattice: Lattice, make: MakeBlock, order: list[int], depth: int | None, shared: bool, key: PRNGKeyArray
) -> Hierarchy:
    if not order:
        raise UsageError("At least one repeat of the block layers is needed.")
    base, *shapes = level_shapes(lattice)
    if max(base) > 1:
        raise UsageError(
            f"Halving the lattice {lattice} ends at {Lattice(base)}; blocks of 2 need powers of 2 as extents."
        )
    scales = len(shapes)
    kept = scales if depth is None else depth
    if not 1 <= kept <= scales:
        raise UsageError(f"The lattice {lattice} has {scales} scales, so the depth cannot be {depth}.")
    sides = [halved_cell(shape) for shape in shapes[scales - kept :]]
    level_of = [sorted(set(sides)).index(side) for side in sides] if shared else list(range(kept))
    blocks = sorted(set(sides)) if shared else sides
    keys = [key] if shared and len(blocks) == 1 else jax.random.split(key, len(blocks))
    levels = [_level(side, make, order, k) for side, k in zip(blocks, keys, strict=True)]
    if kept < scales:
        level_of = [len(levels)] * (scales - kept) + level_of
        levels.append(Chain())
    return Hierarchy(lattice, Chain(), tuple(levels), tuple(level_of))
