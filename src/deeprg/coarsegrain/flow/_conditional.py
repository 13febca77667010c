"""The coarse-to-fine conditional hierarchy: keep the coarse sites, fill in the new ones."""

import itertools
import math
from collections.abc import Callable

import jax
from jaxtyping import PRNGKeyArray

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import Chain
from ._cells import Offset, context_of, halved_cell, offsets
from ._context import ContextNet
from ._hierarchy import Hierarchy, level_shapes
from ._scalar import AbstractScalarMap
from ._sitemap import SiteMap

__all__ = ["conditional_hierarchy", "fill_schedule"]

# Builds the site map of (period, active offsets, context displacements), its network drawn with the key.
_Make = Callable[[Offset, list[Offset], tuple[Offset, ...], PRNGKeyArray], SiteMap]


def fill_schedule(shape: Offset, *, colours: int = 2) -> tuple[Offset, list[list[Offset]]]:
    """The unit cell of a level and the groups of new sites in the order in which they are filled.

    New sites are grouped by which of their coordinates along the halved axes are odd, block centres (all odd)
    first and edges (one odd) last. With two colours each group is filled in two steps, as a checkerboard of
    its sites, where halved extents are multiples of 4 and the others even. Sites of one step do not see each
    other.

    Raises `UsageError` for another number of colours.

    >>> fill_schedule((2, 2))
    ((2, 2), [[(1, 1)], [(0, 1)], [(1, 0)]])
    >>> [len(step) for step in fill_schedule((4, 4), colours=2)[1]]
    [2, 2, 2, 2, 2, 2]
    """
    if colours not in (1, 2):
        raise UsageError(f"A fill has 1 or 2 colours, not {colours}.")
    cell = halved_cell(shape)
    coloured = colours == 2 and all(extent % (2 * c) == 0 for extent, c in zip(shape, cell, strict=True))
    period = tuple(2 * c if coloured else c for c in cell)
    steps, parities = [], itertools.product(*(range(c) for c in cell))
    for parity in sorted(parities, key=lambda p: (-sum(p), p))[:-1]:
        group = [o for o in offsets(period) if _modulo(o, cell) == parity]
        if coloured:
            blocks = {o: sum(i // c for i, c in zip(o, cell, strict=True)) for o in group}
            steps += [[o for o in group if blocks[o] % 2 == colour] for colour in (0, 1)]
        else:
            steps.append(group)
    return period, steps


def _modulo(site: Offset, cell: Offset) -> Offset:
    return tuple(i % c for i, c in zip(site, cell, strict=True))


def conditional_hierarchy(
    lattice: Lattice,
    scalar: AbstractScalarMap,
    *,
    width: int = 24,
    depth: int = 2,
    radius: float = 3.2,
    colours: int = 2,
    disentanglers: int = 0,
    shared: bool = False,
    odd: bool = True,
    dtype=None,
    key: PRNGKeyArray,
) -> Hierarchy:
    """A hierarchy that fills in each finer level with conditional site maps.

    The coarsest level is drawn site by site. On each finer level the sites that exist stay as they are, and
    each group of new sites (`fill_schedule`) becomes a monotone function of fresh noise, conditioned by a
    `ContextNet` of `width` and `depth` on the known sites within `radius`, in the level's own spacing; then
    `disentanglers` rounds of checkerboard site maps may move all sites of the level.

    Without disentanglers the coarse variable is plain decimation, and what is learned is p(fine | coarse);
    with them the kept variables are learned too. With `shared` all levels of one schedule have the same
    weights (scale invariance). With `odd` the whole map commutes with x -> -x.

    Raises `UsageError` for a lattice that cannot be halved down to 27 sites, a radius below one (no context),
    and numbers that are not positive.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import SumOfTanh
    >>> flow = conditional_hierarchy(Lattice((16, 16)), SumOfTanh(4), key=jax.random.key(0))
    >>> flow.depth, [len(level.links) for level in flow.levels]
    (4, [3, 6, 6, 6])
    """

    def make(period: Offset, active: list[Offset], context: tuple[Offset, ...], key: PRNGKeyArray) -> SiteMap:
        net = ContextNet(
            len(context),
            n_even=scalar.n_even,
            n_odd=scalar.n_odd,
            start=scalar.start(),
            width=width,
            depth=depth,
            odd=odd,
            dtype=dtype,
            key=key,
        )
        return SiteMap(period, active, context, net, scalar)

    if not 1 <= radius < math.inf:
        raise UsageError(f"The radius of the context must be at least 1 and finite, not {radius}.")
    if disentanglers < 0:
        raise UsageError(f"The number of disentanglers cannot be {disentanglers}; 0 is none.")
    shapes = level_shapes(lattice)
    base_key, *level_keys = jax.random.split(key, len(shapes))
    levels, level_of, built = [], [], {}
    for shape, level_key in zip(shapes[1:], level_keys, strict=True):
        period, steps = fill_schedule(shape, colours=colours)
        kind = (period, len(steps))
        if not (shared and kind in built):
            extents = None if shared else shape
            fill_key, tangle_key = jax.random.split(level_key)
            maps = _fills(shape, period, steps, make, radius, extents, fill_key)
            maps += _disentanglers(period, make, radius, extents, disentanglers, tangle_key)
            built[kind] = len(levels)
            levels.append(Chain(*maps))
        level_of.append(built[kind])
    return Hierarchy(lattice, _base(shapes[0], make, base_key), tuple(levels), tuple(level_of))


def _base(shape: Offset, make: _Make, key: PRNGKeyArray) -> Chain:
    """The coarsest level, site by site, each conditioned on all before it."""
    maps, known = [], []
    for site, site_key in zip(offsets(shape), jax.random.split(key, len(offsets(shape))), strict=True):
        context = tuple(tuple(k - s for k, s in zip(place, site, strict=True)) for place in known)
        maps.append(make(shape, [site], context, site_key))
        known.append(site)
    return Chain(*maps)


def _fills(
    shape: Offset,
    period: Offset,
    steps: list[list[Offset]],
    make: _Make,
    radius: float,
    extents: Offset | None,
    key: PRNGKeyArray,
) -> list[SiteMap]:
    cell = halved_cell(shape)
    known = {o for o in offsets(period) if not any(_modulo(o, cell))}
    maps = []
    for step, step_key in zip(steps, jax.random.split(key, len(steps)), strict=True):
        context = context_of(period, step, known, radius=radius, extents=extents)
        maps.append(make(period, step, context, step_key))
        known.update(step)
    return maps


def _disentanglers(
    period: Offset, make: _Make, radius: float, extents: Offset | None, rounds: int, key: PRNGKeyArray
) -> list[SiteMap]:
    """Checkerboard site maps on the whole level, each colour given the other."""
    maps = []
    for n, map_key in enumerate(jax.random.split(key, 2 * rounds)):
        active = [o for o in offsets(period) if sum(o) % 2 == n % 2]
        rest = [o for o in offsets(period) if sum(o) % 2 != n % 2]
        context = context_of(period, active, rest, radius=radius, extents=extents)
        maps.append(make(period, active, context, map_key))
    return maps
