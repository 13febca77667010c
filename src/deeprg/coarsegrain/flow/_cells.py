"""Unit cells of a periodic field: its sublattices, and the sites around a site."""

import itertools
import math
from collections.abc import Collection, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import UsageError

__all__ = [
    "Cells",
    "Offset",
    "check_period",
    "context_of",
    "halved_cell",
    "join",
    "offsets",
    "site_indices",
    "split",
]

Offset = tuple[int, ...]
# The sublattice of every offset in the unit cell, each an array [L_1/p_1, ..., L_d/p_d].
# A batch may follow as further axes.
Cells = dict[Offset, Float[Array, "..."]]


def offsets(period: Offset) -> list[Offset]:
    """All sites of the unit cell, in C order.

    >>> offsets((2, 1))
    [(0, 0), (1, 0)]
    """
    return list(itertools.product(*(range(p) for p in period)))


def halved_cell(shape: Offset) -> Offset:
    """The unit cell of one step of coarse-graining: 2 along the longest of the even extents, else 1.

    So blocks become square before all axes are halved together.

    >>> halved_cell((16, 8)), halved_cell((8, 8)), halved_cell((3, 1))
    ((2, 1), (2, 2), (1, 1))
    """
    longest = max((extent for extent in shape if extent % 2 == 0), default=0)
    return tuple(2 if extent == longest else 1 for extent in shape)


def split(x: Float[Array, "..."], period: Offset) -> Cells:
    """The sublattices of a field; raises `UsageError` when the period does not divide its shape."""
    check_period(x.shape[: len(period)], period)
    return {o: x[tuple(slice(i, None, p) for i, p in zip(o, period, strict=True))] for o in offsets(period)}


def join(cells: Cells, period: Offset) -> Float[Array, "..."]:
    """The field whose sublattices are given, the inverse of `split`."""
    parts = [cells[o] for o in offsets(period)]
    for axis in reversed(range(len(period))):
        p = period[axis]
        groups = [parts[i : i + p] for i in range(0, len(parts), p)]
        parts = [_interleave(group, axis) for group in groups]
    return parts[0]


def _interleave(parts: list[Array], axis: int) -> Array:
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis=axis + 1).reshape(shape)


def context_of(
    period: Offset,
    active: Sequence[Offset],
    known: Collection[Offset],
    *,
    radius: float,
    extents: Offset | None = None,
) -> tuple[Offset, ...]:
    """The displacements within `radius` that lead from every active site to a known one, nearest first.

    With the lattice's `extents` given, displacements that reach the same site around the torus count once.

    >>> context_of((2, 2), [(1, 1)], [(0, 0)], radius=2.0)
    ((-1, -1), (-1, 1), (1, -1), (1, 1))
    >>> context_of((2, 2), [(1, 1)], [(0, 0)], radius=2.0, extents=(2, 2))
    ((-1, -1),)
    """
    reach = math.floor(radius)
    known = set(known)
    found, seen = [], set()
    near = itertools.product(range(-reach, reach + 1), repeat=len(period))
    for d in sorted(near, key=lambda d: (sum(i * i for i in d), d)):
        if sum(i * i for i in d) > radius * radius + 1e-9:
            continue
        if not all(_moved(site, d, period) in known for site in active):
            continue
        image = d if extents is None else tuple(i % e for i, e in zip(d, extents, strict=True))
        if image not in seen:
            seen.add(image)
            found.append(d)
    return tuple(found)


def _moved(site: Offset, displacement: Offset, period: Offset) -> Offset:
    return tuple((i + d) % p for i, d, p in zip(site, displacement, period, strict=True))


def site_indices(
    shape: Offset, period: Offset, active: Sequence[Offset], displacements: Sequence[Offset]
) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the active sites [a] of a periodic field, and of the sites around them [c, a].

    Raises `UsageError` when the unit cell does not divide the shape.

    >>> sites, around = site_indices((6,), (2,), [(1,)], [(1,), (-3,)])
    >>> sites.tolist(), around.tolist()
    ([1, 3, 5], [[2, 4, 0], [4, 0, 2]])
    """
    check_period(shape, period)
    corners = itertools.product(*(range(0, e, p) for e, p in zip(shape, period, strict=True)))
    cells = np.array(list(corners)).reshape(-1, len(shape))
    sites = np.concatenate([cells + np.array(offset) for offset in active])
    around = [np.ravel_multi_index(tuple(((sites + np.array(d)) % shape).T), shape) for d in displacements]
    flat = np.asarray(np.ravel_multi_index(tuple(sites.T), shape))
    return flat, np.array(around, dtype=flat.dtype).reshape(len(displacements), len(flat))


def check_period(shape: Offset, period: Offset) -> None:
    """Raise `UsageError` unless the unit cell divides the shape."""
    if len(period) != len(shape) or any(e % p for e, p in zip(shape, period, strict=True)):
        raise UsageError(f"A field of shape {shape} cannot be cut into unit cells of {period}.")
