"""A block, its buffer and its environment: which sites of a configuration each of them takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ...exact.blocking import frames
from ...lattice import Lattice
from ...runs.errors import UsageError

__all__ = ["Surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """The sites of a block V, of the buffer around it, which is left out, and of the environment E.

    sites: how many there are in all.
    block, environment: flat indices, of V in C order.
    lattice, shape: of the sites and of the block, None on a graph.

    Raises `UsageError` for sites that repeat, do not exist, or are in both.

    >>> around = Surroundings.on_lattice(Lattice((6, 6)), (2, 2), buffer=1)
    >>> around.block, len(around.environment)
    ((0, 1, 6, 7), 20)
    """

    sites: int
    block: tuple[int, ...]
    environment: tuple[int, ...]
    lattice: Lattice | None = None
    shape: tuple[int, ...] | None = None

    def __post_init__(self):
        for name, part in (("block", self.block), ("environment", self.environment)):
            if not part or len(set(part)) < len(part) or not all(0 <= site < self.sites for site in part):
                raise UsageError(
                    f"The {name} {list(part)} must hold different sites from 0 to {self.sites - 1}."
                )
        if both := sorted(set(self.block) & set(self.environment)):
            raise UsageError(f"The sites {both} are both in the block and in the environment.")

    @classmethod
    def on_lattice(
        cls, lattice: Lattice, block: Sequence[int], *, buffer: int, environment: int | None = None
    ) -> "Surroundings":
        """A block of that shape at the origin of a torus, a frame of `buffer` sites, a frame of environment.

        Frames have their corners. Without `environment` it is everything beyond the buffer. Raises
        `UsageError` for a block, buffer and environment that do not fit on the lattice.
        """
        shape = tuple(block)
        if len(shape) != lattice.ndim or min(shape, default=0) < 1:
            raise UsageError(
                f"A block of shape {shape} is none for the lattice {lattice}: it needs {lattice.ndim} "
                "extent(s), all of them 1 or more."
            )
        _check_widths(buffer, environment)
        room = [b + 2 * (buffer + (environment or 0)) for b in shape]
        if any(r > n for r, n in zip(room, lattice.shape, strict=True)):
            around = "" if environment is None else f" and an environment of {environment}"
            raise UsageError(
                f"A block of {'x'.join(map(str, shape))} with a buffer of {buffer}{around} takes "
                f"{'x'.join(map(str, room))} sites and overlaps itself on {lattice}; take a smaller block or "
                "narrower frames."
            )
        sites = np.ravel_multi_index(tuple(np.indices(shape).reshape(lattice.ndim, -1)), lattice.shape)
        steps = frames(lattice, sites.tolist())
        return cls(lattice.size, *_parts(steps, buffer, environment, str(lattice)), lattice, shape)

    @classmethod
    def on_graph(
        cls, adjacency: ArrayLike, block: Sequence[int], *, buffer: int, environment: int | None = None
    ) -> "Surroundings":
        """The same on a graph [sites, sites], with widths in steps along its edges.

        Raises `UsageError` for a matrix that is not square and symmetric, sites that it does not have, and
        when nothing is left for the environment.

        >>> ring = np.roll(np.eye(8), 1, axis=0) + np.roll(np.eye(8), -1, axis=0)
        >>> Surroundings.on_graph(ring, [0, 1], buffer=1).environment
        (3, 4, 5, 6)
        """
        edges = np.asarray(adjacency) != 0
        if edges.ndim != 2 or edges.shape[0] != edges.shape[1] or not np.array_equal(edges, edges.T):
            raise UsageError(
                f"An adjacency is a symmetric matrix [sites, sites], not of shape {edges.shape}."
            )
        chosen = list(dict.fromkeys(block))
        if not chosen or not all(0 <= site < len(edges) for site in chosen) or len(chosen) < len(block):
            raise UsageError(f"The block {list(block)} must hold different sites from 0 to {len(edges) - 1}.")
        _check_widths(buffer, environment)
        steps = dijkstra(coo_array(edges.astype(float)).tocsr(), indices=chosen, unweighted=True).min(axis=0)
        steps = np.where(np.isfinite(steps), steps, len(edges))
        _, outside = _parts(steps.astype(int), buffer, environment, f"a graph of {len(edges)} sites")
        return cls(len(edges), tuple(chosen), outside)

    def table(self, configurations: ArrayLike) -> np.ndarray:
        """Configurations [n, *lattice], or [n, *lattice, components], as [n, sites, components].

        Raises `UsageError` for another number of sites and for NaN.
        """
        array = np.asarray(configurations)
        size = math.prod(array.shape[1:])
        if array.ndim < 2 or size % self.sites or not size:
            raise UsageError(
                f"The configurations have shape {array.shape}: {size} numbers each, not a multiple of "
                f"{self.sites} sites."
            )
        if not np.isfinite(array).all():
            raise UsageError("The configurations hold NaN or infinity; find where the sampler fails.")
        kind = np.int8 if array.dtype.kind in "iub" else np.float32
        return array.astype(kind).reshape(len(array), self.sites, -1)

    def moved(self, shifts: Int[Array, "n ndim"]) -> Int[Array, "n chosen"]:
        """The sites of V and then of E when both are moved by every shift; not at all on a graph."""
        chosen = np.array(self.block + self.environment)
        if self.lattice is None:
            return jnp.broadcast_to(jnp.asarray(chosen), (len(shifts), chosen.size))
        sites = jnp.zeros((len(shifts), chosen.size), shifts.dtype)
        for axis, places in enumerate(np.unravel_index(chosen, self.lattice.shape)):
            extent = self.lattice.shape[axis]
            sites = (
                extent * sites + (jnp.asarray(places, shifts.dtype)[None] + shifts[:, axis, None]) % extent
            )
        return sites


def _check_widths(buffer: int, environment: int | None) -> None:
    if buffer < 0:
        raise UsageError(f"The buffer has a width of 0 or more, not {buffer}.")
    if environment is not None and environment < 1:
        raise UsageError(f"The environment has a width of 1 or more, not {environment}.")


def _parts(
    steps: np.ndarray, buffer: int, environment: int | None, what: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    last = steps.max() if environment is None else buffer + environment
    inside, outside = (np.flatnonzero(m).tolist() for m in (steps == 0, (steps > buffer) & (steps <= last)))
    if not outside:
        raise UsageError(
            f"A buffer of {buffer} around {len(inside)} sites leaves no environment on {what}; take a "
            "narrower buffer or a larger system."
        )
    return tuple(inside), tuple(outside)
