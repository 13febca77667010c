"""The hierarchy: one bijector per scale, the coarse field in place at the even sites of the next scale."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import AbstractBijector
from ._cells import Cells, Offset, halved_cell, join, offsets, split

__all__ = ["Hierarchy", "level_shapes", "sites_at"]

_LARGEST_BASE = 27  # 5x5 and 3x3x3


def level_shapes(lattice: Lattice) -> list[Offset]:
    """The shapes of all levels, coarse to fine; each halves the longest even extents, see `halved_cell`.

    Raises `UsageError` when more than 27 sites remain at the coarsest level.

    >>> level_shapes(Lattice((16, 4)))
    [(1, 1), (2, 2), (4, 4), (8, 4), (16, 4)]
    """
    shapes = [lattice.shape]
    while (cell := halved_cell(shapes[0])) != (1,) * lattice.ndim:
        shapes.insert(0, tuple(extent // c for extent, c in zip(shapes[0], cell, strict=True)))
    base = Lattice(shapes[0])
    if base.size > _LARGEST_BASE:
        raise UsageError(
            f"Halving the lattice {lattice} ends at {base} with {base.size} sites; a hierarchy can start "
            f"from {_LARGEST_BASE} at most. Choose extents with more factors of 2, such as 16, 24 or 32."
        )
    return shapes


def sites_at(x: Array | np.ndarray, shape: Offset) -> Any:
    """The values of a field [*lattice, ...] at the sites that a level of this shape keeps, the even ones.

    >>> sites_at(np.arange(8), (2,)).tolist()
    [0, 4]
    """
    return x[tuple(slice(None, None, e // kept) for e, kept in zip(x.shape, shape, strict=False))]


class Hierarchy(AbstractBijector):
    """Generates a field scale by scale: x_n = T_n(x_{n-1} at the even sites, fresh latents elsewhere).

    `base` acts on the coarsest level and `levels[level_of[n]]` on the whole of level n + 1, so levels can
    share weights. The latent of a site enters at its own position: z and x have one shape, and

        log|det dx/dz| = log|det base| + Σ_n log|det T_n|.

    Read from fine to coarse it is a renormalization group: T_n^-1 decouples the latents of scale n, which are
    put aside, from the coarse variable x_{n-1}, which is handed on. MERA, TTN and the coarse-to-fine
    conditional hierarchy differ in T_n alone.

    Raises `UsageError` when the lattice cannot be halved to at most 27 sites, or the number of levels is
    another than the lattice has.

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain
    >>> identity = Hierarchy(Lattice((4, 4)), Chain(), (Chain(),), (0, 0))
    >>> [scale.shape for scale in identity.scales(jnp.ones((4, 4)))]
    [(1, 1), (2, 2), (4, 4)]
    """

    lattice: Lattice = eqx.field(static=True)
    base: AbstractBijector
    levels: tuple[AbstractBijector, ...]
    level_of: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        lattice: Lattice,
        base: AbstractBijector,
        levels: tuple[AbstractBijector, ...],
        level_of: tuple[int, ...],
    ):
        depth = len(level_shapes(lattice)) - 1
        if len(level_of) != depth:
            raise UsageError(f"The lattice {lattice} has {depth} levels above its base, not {len(level_of)}.")
        self.lattice, self.base, self.levels, self.level_of = lattice, base, levels, level_of

    @property
    def depth(self) -> int:
        """The number of levels above the base."""
        return len(self.level_of)

    def scales(self, z: Float[Array, "..."]) -> list[Float[Array, "..."]]:
        """The fields of all levels that one latent configuration generates, coarse to fine."""
        self._check(z)
        x, _ = self.base.forward(self._level(z, 0))
        return [x, *(field for field, _ in self._ascend(x, z, from_level=0))]

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The finest field and log|det dx/dz|."""
        self._check(z)
        x, log_det = self.base.forward(self._level(z, 0))
        return self._finest(x, z, log_det, from_level=0)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The latents, each at its own site, and log|det dz/dx|."""
        self._check(x)
        coarse, latents, log_det = self._descend(x, self.depth)
        field, step = self.base.inverse(coarse)
        for latent in reversed(latents):
            field = self._merge(field, latent)
        return field, step + log_det

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """The finest field, its log-determinant and its score, level by level."""
        self._check(z)
        x, log_det, delta = self.base.push_score(self._level(z, 0), self._level(score, 0))
        for level, index in enumerate(self.level_of, 1):
            x, step, delta = self.levels[index].push_score(
                self._merge(x, self._level(z, level)), self._merge(delta, self._level(score, level))
            )
            log_det = step + log_det
        return x, log_det, delta

    def coarsen(self, x: Float[Array, "..."], *, levels: int = 1) -> Float[Array, "..."]:
        """The coarse variable that is left after undoing the finest `levels` levels.

        Raises `UsageError` when there are not so many.
        """
        self._check(x)
        if not 0 <= levels <= self.depth:
            raise UsageError(f"The hierarchy on {self.lattice} has {self.depth} levels, not {levels}.")
        return self._descend(x, levels)[0]

    def refine(
        self, coarse: Float[Array, "..."], z: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The fine field that a coarse one and the finer latents of `z` generate, and log|det d fine/dz|.

        `z` covers the whole lattice; its values at the coarse sites are not used. Raises `UsageError` for a
        coarse shape that is no level's.
        """
        shapes, shape = level_shapes(self.lattice), coarse.shape[: self.lattice.ndim]
        if shape not in shapes:
            raise UsageError(f"A coarse field of shape {shape} is none of the levels {shapes}.")
        self._check(z)
        return self._finest(coarse, z, jnp.zeros((), coarse.dtype), from_level=shapes.index(shape))

    def _finest(self, x: Array, z: Array, log_det: Array, *, from_level: int) -> tuple[Array, Array]:
        for field, step in self._ascend(x, z, from_level=from_level):
            x, log_det = field, step + log_det
        return x, log_det

    def _ascend(self, x: Array, z: Array, *, from_level: int):
        for level in range(from_level, self.depth):
            x, step = self.levels[self.level_of[level]].forward(self._merge(x, self._level(z, level + 1)))
            yield x, step

    def _descend(self, x: Array, levels: int) -> tuple[Array, list[Array], Float[Array, "..."]]:
        latents, log_det = [], jnp.zeros((), x.dtype)
        for level in range(self.depth - 1, self.depth - 1 - levels, -1):
            field, step = self.levels[self.level_of[level]].inverse(x)
            latents.append(field)
            x, log_det = self._level(field, level), step + log_det
        return x, latents, log_det

    def _check(self, x: Array) -> None:
        if x.shape[: self.lattice.ndim] != self.lattice.shape:
            raise UsageError(f"The field has shape {x.shape}, but the hierarchy is built for {self.lattice}.")

    def _level(self, z: Array, level: int) -> Array:
        """The values at the sites of a level, of a field on the whole lattice or on a finer level."""
        return sites_at(z, level_shapes(self.lattice)[level])

    def _merge(self, coarse: Array, fine: Array) -> Array:
        """The fine field with its even sites replaced by the coarse field."""
        period = halved_cell(fine.shape[: self.lattice.ndim])
        cells: Cells = split(fine, period)
        cells[offsets(period)[0]] = coarse
        return join(cells, period)
