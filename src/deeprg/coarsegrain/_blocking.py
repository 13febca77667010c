"""Block-spin rules: average, majority and decimation on blocks of any side, stride and offset."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..exact.blocking import Majority as ExactMajority
from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractCoarseGraining

__all__ = ["BlockAverage", "BlockRule", "Decimation", "Majority", "blocked_shape"]


def blocked_shape(lattice: Lattice, stride: int) -> Lattice:
    """The lattice of blocks that start every `stride` sites along each axis.

    Raises:
        UsageError: an extent is no multiple of the stride; the message has the nearest shapes that are.

    >>> str(blocked_shape(Lattice((16, 8)), 2))
    '8x4'
    """
    if stride < 1:
        raise UsageError(f"The stride of blocks is {stride}; it must be at least 1.")
    if any(extent % stride for extent in lattice.shape):
        lower = [max(extent // stride, 1) * stride for extent in lattice.shape]
        upper = [-(-extent // stride) * stride for extent in lattice.shape]
        nearest = dict.fromkeys(str(Lattice(tuple(shape))) for shape in (lower, upper))
        common = int(np.gcd.reduce(lattice.shape))
        fitting = [str(d) for d in range(2, common + 1) if common % d == 0]
        raise UsageError(
            f"Blocks with a stride of {stride} do not tile the lattice {lattice}. The nearest lattices that "
            f"they tile: {', '.join(nearest)}; strides that tile {lattice}: {', '.join(fitting) or 'none'}."
        )
    return Lattice(tuple(extent // stride for extent in lattice.shape))


class BlockRule(AbstractCoarseGraining):
    """What rules share whose coarse site I depends on the block of sites stride I + offset + step.

    step runs over 0 ... side - 1 along each axis, in C order; blocks wrap around the lattice. The stride is
    the side unless given: smaller, blocks overlap; larger, sites between the blocks are ignored.
    """

    fine: Lattice = eqx.field(static=True)
    side: int = eqx.field(static=True)
    stride: int = eqx.field(static=True)
    offset: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        fine: Lattice,
        *,
        side: int,
        stride: int | None = None,
        offset: int | tuple[int, ...] = 0,
    ):
        if side < 2:
            raise UsageError(f"The side of a block is {side}; it must be at least 2.")
        blocked_shape(fine, side if stride is None else stride)
        if side > min(fine.shape):
            raise UsageError(
                f"Blocks of side {side} do not fit into the lattice {fine}: they would hold sites twice. "
                f"The side is at most {min(fine.shape)}."
            )
        offsets = (offset,) * fine.ndim if isinstance(offset, int) else tuple(offset)
        if len(offsets) != fine.ndim:
            raise UsageError(f"The offset {offsets} has {len(offsets)} components; the lattice is {fine}.")
        self.fine, self.side, self.offset = fine, side, offsets
        self.stride = side if stride is None else stride

    @property
    def coarse(self) -> Lattice:
        """The lattice of the blocks."""
        return blocked_shape(self.fine, self.stride)

    @property
    def sites(self) -> np.ndarray:
        """The flat indices of the sites of every block, integers [*coarse, side^ndim]."""
        inside = np.array(list(itertools.product(range(self.side), repeat=self.fine.ndim)))
        there = self.stride * self.coarse.coordinates()[:, None] + np.array(self.offset) + inside
        flat = np.ravel_multi_index(tuple(np.moveaxis(there, -1, 0)), self.fine.shape, mode="wrap")
        return np.asarray(flat).reshape(*self.coarse.shape, -1)

    @property
    def deterministic(self) -> bool:
        """True: the key is not used."""
        return True

    def _blocks(self, x: Array) -> Array:
        return x.reshape(-1)[self.sites]


class Decimation(BlockRule):
    """Keep every `side`-th site along each axis, coarse_I = x_{side I + offset}, and forget the others.

    >>> import jax, jax.numpy as jnp
    >>> rule = Decimation(Lattice((6,)), side=3, offset=1)
    >>> rule.coarsen(jnp.arange(6.0), key=jax.random.key(0)).tolist()
    [1.0, 4.0]
    """

    def __init__(self, fine: Lattice, *, side: int = 2, offset: int | tuple[int, ...] = 0):
        super().__init__(fine, side=side, offset=offset)

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """The kept sites."""
        return x.reshape(-1)[self.sites[..., 0]]

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The kept sites."""
        del key
        return self.mean(x)

    def log_prob(self, coarse: Float[Array, "*coarse"], x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln p(coarse | fine) of discrete variables: 0 where all kept sites agree, -inf otherwise."""
        return jnp.where(jnp.all(coarse == self.mean(x)), 0.0, -jnp.inf).astype(x.dtype)


class BlockAverage(BlockRule):
    """The mean of every block, coarse_I = side^-ndim sum of x over block I; a real number also for spins.

    It has no `log_prob`: given the fine field, the density of the mean is a delta function.

    >>> import jax, jax.numpy as jnp
    >>> BlockAverage(Lattice((4,)), side=2).coarsen(jnp.arange(4.0), key=jax.random.key(0)).tolist()
    [0.5, 2.5]
    >>> overlapping = BlockAverage(Lattice((4,)), side=3, stride=2)
    >>> overlapping.coarsen(jnp.arange(4.0), key=jax.random.key(0)).round(4).tolist()
    [1.0, 1.6667]
    """

    def __init__(
        self,
        fine: Lattice,
        *,
        side: int = 2,
        stride: int | None = None,
        offset: int | tuple[int, ...] = 0,
    ):
        super().__init__(fine, side=side, stride=stride, offset=offset)

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """The block means."""
        return jnp.mean(self._blocks(x), axis=-1)

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The block means."""
        del key
        return self.mean(x)


class Majority(BlockRule):
    """The sign of the sum of every block of spins ±1.

    A block of even size can tie, and `ties` must then say what happens: "random" takes each sign with
    probability 1/2, "first" and "last" that spin of the block (in C order), "plus" and "minus" a fixed sign,
    which breaks the symmetry under a flip of all spins. The law is that of `deeprg.exact.blocking.Majority`.

    Raises `UsageError` for an unknown tie rule, and for blocks of even size without one.

    >>> import jax, jax.numpy as jnp
    >>> spins = jnp.array([1.0, 1.0, -1.0, 1.0])
    >>> Majority(Lattice((4,)), ties="first").coarsen(spins, key=jax.random.key(0)).tolist()
    [1.0, -1.0]
    """

    ties: str | None = eqx.field(static=True)

    def __init__(
        self,
        fine: Lattice,
        *,
        side: int = 2,
        stride: int | None = None,
        offset: int | tuple[int, ...] = 0,
        ties: str | None = None,
    ):
        super().__init__(fine, side=side, stride=stride, offset=offset)
        # The exact rule refuses an unknown name, and no name where a block can tie.
        ExactMajority(ties).plus(np.ones((1, side**fine.ndim)))
        self.ties = ties

    @property
    def deterministic(self) -> bool:
        """Whether ties are not broken at random."""
        return self.ties != "random"

    def check(self, x: np.ndarray) -> None:
        """Raise `UsageError` unless all entries are ±1."""
        if (wrong := x[np.abs(x) != 1]).size:
            raise UsageError(
                f"A majority is taken of spins ±1, but the configurations hold {wrong.flat[0]:g}. "
                "Map other values to ±1 first, 0 and 1 by 2 x - 1."
            )

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """E[coarse | fine]: the sign, and for a tie what `ties` says, 0 for "random"."""
        blocks = self._blocks(x)
        total = blocks.sum(axis=-1)
        if self.ties in (None, "random"):
            return jnp.sign(total)
        chosen = {"first": blocks[..., 0], "last": blocks[..., -1], "plus": 1.0, "minus": -1.0}[self.ties]
        return jnp.sign(jnp.where(total == 0, chosen, total))

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The signs of the block sums, ties broken as `ties` says."""
        sign = self.mean(x)
        if self.deterministic:
            return sign
        return jnp.where(sign == 0, jax.random.rademacher(key, sign.shape, sign.dtype), sign)

    def log_prob(self, coarse: Float[Array, "*coarse"], x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln p(coarse | fine) = sum_I ln (1 + coarse_I E[coarse_I | fine])/2 for coarse spins ±1."""
        return jnp.sum(jnp.log((1 + coarse * self.mean(x)) / 2))
