"""From data to the real fields that a density is fitted to: fresh noise for every use, fixed bijectors."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key, PRNGKeyArray, Real, Shaped

from ...hamiltonians import ContinuousDual
from ...runs.errors import UsageError
from ...train.batches import RowBatches
from ._bijector import AbstractBijector

__all__ = [
    "AbstractDequantiser",
    "AsFields",
    "DualFields",
    "FreshBatches",
    "Logit",
    "Standardise",
    "UniformNoise",
    "bits_per_dimension",
]

_ROWS, _NOISE = 0, 1


class Standardise(AbstractBijector):
    """x = centre + scale z at every site, with fixed numbers: log|det dx/dz| = Σ ln scale.

    `centre` and `scale` are one number for all sites, or have the lattice's shape. They are part of the
    structure, not trained. Raises `UsageError` for other shapes, numbers that are not finite, and scales that
    are not positive.

    >>> import jax.numpy as jnp
    >>> x, log_det = Standardise((2, 2), centre=1.0, scale=2.0).forward(jnp.ones((2, 2)))
    >>> float(x[0, 0]), round(float(log_det), 4)
    (3.0, 2.7726)
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    centre: tuple[float, ...] = eqx.field(static=True)
    scale: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, shape: tuple[int, ...], *, centre: ArrayLike, scale: ArrayLike):
        values = []
        for name, given in (("centre", centre), ("scale", scale)):
            array = np.asarray(given, np.float64)
            if array.shape not in ((), tuple(shape)):
                raise UsageError(
                    f"The {name} has shape {array.shape}; give one number or the shape {tuple(shape)}."
                )
            if not np.isfinite(array).all():
                raise UsageError(f"The {name} of a standardisation must be finite.")
            values.append(tuple(np.broadcast_to(array, shape).ravel().tolist()))
        self.shape = tuple(shape)
        self.centre, self.scale = values
        if not min(self.scale) > 0:
            raise UsageError(f"The scale of a standardisation must be positive, not {min(self.scale):g}.")

    def _on(self, x: Array) -> tuple[Array, Array, Float[Array, "..."]]:
        """Centre and scale with axes for the batch, and the log-determinant."""
        batch = x.shape[len(self.shape) :]
        centre, scale = (
            jnp.asarray(np.reshape(values, (*self.shape, *(1,) * len(batch))), x.dtype)
            for values in (self.centre, self.scale)
        )
        return centre, scale, jnp.full(batch, np.log(self.scale).sum(), x.dtype)

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """centre + scale z, and Σ ln scale."""
        centre, scale, log_det = self._on(z)
        return centre + scale * z, log_det

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(x - centre)/scale, and -Σ ln scale."""
        centre, scale, log_det = self._on(x)
        return (x - centre) / scale, -log_det


class Logit(AbstractBijector):
    """z = logit(α + (1 - 2α) x) at every site of a lattice with `ndim` axes; x in [0, 1] is all in its range.

    The map of arXiv:1605.08803, section 4.1, with the margin α = 0.05 kept at both ends as in
    arXiv:1705.07057, section 4.3: x = 0 and x = 1 have finite latents. With σ the logistic function,

        x = (σ(z) - α)/(1 - 2α),    log|det dx/dz| = Σ [ln σ(z) + ln σ(-z) - ln(1 - 2α)].

    x outside (-α, 1 + α)/(1 - 2α) has no latent: its inverse is NaN. Raises `UsageError` for a margin outside
    [0, 1/2).

    >>> import jax.numpy as jnp
    >>> z, log_det = Logit(1).inverse(jnp.array([0.5]))
    >>> float(z[0]), round(float(log_det), 6)
    (0.0, 1.280934)
    """

    ndim: int = eqx.field(static=True)
    margin: float = eqx.field(static=True)

    def __init__(self, ndim: int, *, margin: float = 0.05):
        if not 0 <= margin < 0.5:
            raise UsageError(f"The margin of the logit map is in [0, 0.5), not {margin}.")
        self.ndim, self.margin = ndim, float(margin)

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and Σ [ln σ(z) + ln σ(-z) - ln(1 - 2α)]."""
        return (jax.nn.sigmoid(z) - self.margin) / (1 - 2 * self.margin), self._log_det(z)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z, and minus the log-determinant of `forward` there."""
        p = self.margin + (1 - 2 * self.margin) * x
        z = jnp.log(p) - jnp.log1p(-p)
        return z, -self._log_det(z)

    def _log_det(self, z: Array) -> Float[Array, "..."]:
        slope = jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z) - math.log1p(-2 * self.margin)
        return jnp.sum(slope, axis=tuple(range(self.ndim)))


class AbstractDequantiser(eqx.Module):
    """A row of data and fresh noise to a real field that has a density."""

    @abc.abstractmethod
    def __call__(self, row: Shaped[Array, "..."], *, key: PRNGKeyArray) -> Float[Array, "..."]:
        """One field for one row."""


class AsFields(AbstractDequantiser):
    """Rows that are real fields already; only their type changes.

    >>> import jax, jax.numpy as jnp
    >>> AsFields(jnp.float32)(jnp.ones((2, 2)), key=jax.random.key(0)).dtype.name
    'float32'
    """

    dtype: Any = eqx.field(static=True)

    def __call__(self, row: Shaped[Array, "..."], *, key: PRNGKeyArray) -> Float[Array, "..."]:
        """The row."""
        return row.astype(self.dtype)


class DualFields(AbstractDequantiser):
    """A field of the continuous dual for spins ±1, x | s ~ Normal(K s, K): exact, nothing is approximated.

    Where s has the law of the Ising model, x has the law π/Z of its dual (arXiv:1802.02840). Raw spins have
    no density: their likelihood under a flow can grow without bound.

    >>> import jax, jax.numpy as jnp
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> fields = DualFields(ContinuousDual(Ising(Lattice((4, 4)), temperature=2.0)), jnp.float32)
    >>> fields(jnp.ones((4, 4), jnp.int8), key=jax.random.key(0)).shape
    (4, 4)
    """

    dual: ContinuousDual
    dtype: Any = eqx.field(static=True)

    def __call__(self, row: Shaped[Array, "..."], *, key: PRNGKeyArray) -> Float[Array, "..."]:
        """A draw of x | s."""
        return self.dual.sample_given_spins(row.astype(self.dtype), key=key)


class UniformNoise(AbstractDequantiser):
    """x = (v + u)/levels in [0, 1) for integers v = 0 ... levels - 1, u ~ Uniform[0, 1) at every site.

    By Jensen's inequality E_u[ln q(x)] - D ln levels is at most ln P(v), the probability that the density q
    gives to the integers (arXiv:1511.01844, section 3.1). Raises `UsageError` for fewer than two levels.

    >>> import jax, jax.numpy as jnp
    >>> x = UniformNoise(4, jnp.float32)(jnp.array([3, 3]), key=jax.random.key(0))
    >>> bool(jnp.all((x >= 0.75) & (x < 1)))
    True
    """

    levels: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)

    def __check_init__(self):
        if self.levels < 2:
            raise UsageError(f"There are at least two levels, not {self.levels}.")

    def __call__(self, row: Shaped[Array, "..."], *, key: PRNGKeyArray) -> Float[Array, "..."]:
        """The row with noise, in units of the whole range."""
        noise = jax.random.uniform(key, row.shape, self.dtype)
        # Rounding may lift the highest level to 1, which the logit map still takes.
        return (row.astype(self.dtype) + noise) / self.levels


class FreshBatches(eqx.Module):
    """Rows of a data set, drawn uniformly with replacement, each with fresh noise: fields [size, *lattice].

    A function of the key alone, so a continued training sees the same batches. The field at place i of a
    batch depends on the key and i, not on how many devices share the batch.

    >>> import jax, jax.numpy as jnp
    >>> batches = FreshBatches(jnp.zeros((5, 2, 2), jnp.int8), UniformNoise(2, jnp.float32))
    >>> batches(jax.random.key(0), 3).shape
    (3, 2, 2)
    """

    rows: RowBatches
    dequantise: AbstractDequantiser

    def __init__(self, rows: Real[Array, "n ..."], dequantise: AbstractDequantiser):
        self.rows, self.dequantise = RowBatches(rows), dequantise

    def __call__(self, key: Key[Array, ""], size: int) -> Float[Array, "size ..."]:
        rows = self.rows(jax.random.fold_in(key, _ROWS), size)
        keys = jax.random.split(jax.random.fold_in(key, _NOISE), size)
        return jax.vmap(lambda row, k: self.dequantise(row, key=k))(rows, keys)


def bits_per_dimension(nll: float, size: int, levels: int) -> float:
    """-E[ln q(x)]/(D ln 2) + log2 levels, for q a density on fields (v + u)/levels of D = `size` sites.

    q is a density per unit of the *whole* range; a cell of one integer is 1/levels of it, at each site. An
    upper bound of -E[log2 P(v)]/D. The uniform density, ln q = 0, has log2 levels.

    >>> bits_per_dimension(0.0, 64, 16)
    4.0
    """
    return nll / (size * math.log(2)) + math.log2(levels)
