"""Block spins that a filter reads: one linear function of every block and its surroundings."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._blocking import BlockRule

__all__ = ["SpinFilter"]


class SpinFilter(BlockRule):
    """Coarse spins ±1 by one filter w for all blocks, P(h_I | x) = 1/(1 + exp(-2 h_I f_I)).

    f_I = sum_r w_r x_{stride I + offset + r} with r over the sites of the filter, whose side may exceed the
    stride; unless an offset is given, the filter lies symmetrically about the block of `stride` sites. It is
    the hidden layer of a translation-invariant RBM (J.-H. Chung and Y.-J. Kao, arXiv:2010.05703) and the
    linear rule of RSMI (M. Koch-Janusz and Z. Ringel, arXiv:1704.06279). With `sharp` the spin is the sign
    of f_I, and a fair coin where f_I = 0.

    `weights` has one axis per axis of the lattice, all of one length. Raises `UsageError` when it has not,
    when it holds NaN, and as the other rules for lattices that it does not tile.

    >>> rule = SpinFilter(Lattice((4,)), np.array([1.0, 1.0]), sharp=True)
    >>> rule.coarsen(jnp.array([1.0, 1.0, -1.0, -1.0]), key=jax.random.key(0)).tolist()
    [1.0, -1.0]
    """

    weights: Float[Array, "..."]
    sharp: bool = eqx.field(static=True)

    def __init__(
        self,
        fine: Lattice,
        weights: np.ndarray | Array,
        *,
        stride: int = 2,
        offset: int | tuple[int, ...] | None = None,
        sharp: bool = False,
    ):
        sides = set(np.shape(weights))
        if np.ndim(weights) != fine.ndim or len(sides) != 1:
            raise UsageError(
                f"A filter of shape {np.shape(weights)} is none for the lattice {fine}: it needs {fine.ndim} "
                "axes of one length."
            )
        if isinstance(weights, np.ndarray) and not np.isfinite(weights).all():
            raise UsageError("The filter holds NaN or infinity; its training diverged.")
        (side,) = sides
        middle = (stride - side) // 2 if offset is None else offset
        super().__init__(fine, side=side, stride=stride, offset=middle)
        self.weights, self.sharp = jnp.asarray(weights, jnp.float32), sharp

    @property
    def deterministic(self) -> bool:
        """False: the soft rule draws, and the sharp one does where f_I = 0."""
        return False

    def field(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """f_I of every block, by a convolution: its gradient is one too, that of a gather is slow."""
        axes = tuple(range(x.ndim))
        start = jnp.roll(x, tuple(-o for o in self.offset), axes)
        around = jnp.pad(start, (0, max(self.side - self.stride, 0)), mode="wrap")
        found = jax.lax.conv_general_dilated(
            around[None, None], self.weights[None, None].astype(x.dtype), (self.stride,) * x.ndim, "VALID"
        )
        return found[0, 0]

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """E[coarse | fine] = tanh f_I, or its sign."""
        return jnp.sign(self.field(x)) if self.sharp else jnp.tanh(self.field(x))

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """One draw per block, independent given the fine spins."""
        up = jax.random.uniform(key, self.coarse.shape, x.dtype) < (1 + self.mean(x)) / 2
        return jnp.where(up, 1.0, -1.0).astype(x.dtype)

    def log_prob(self, coarse: Float[Array, "*coarse"], x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln p(coarse | fine), of the soft rule - sum_I ln(1 + exp(-2 h_I f_I))."""
        if self.sharp:
            return jnp.sum(jnp.log((1 + coarse * self.mean(x)) / 2))
        return -jnp.sum(jax.nn.softplus(-2 * coarse * self.field(x)))
