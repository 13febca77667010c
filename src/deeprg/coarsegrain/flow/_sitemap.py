"""The masked conditional site map: mask x context network x scalar map."""

from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ._bijector import AbstractBijector
from ._cells import Offset, site_indices
from ._context import ContextNet
from ._placed import PlacedNet
from ._scalar import AbstractScalarMap

__all__ = ["SiteMap"]


class SiteMap(AbstractBijector):
    """Changes the active sites, each by a monotone map whose parameters its surroundings set.

        x_i = f(z_i; θ(z at i + d, d in `context`))  for i active,    x_i = z_i  otherwise,

    log|det dx/dz| = Σ_active ln f'. The mask repeats with the unit cell `period`; active sites sit at the
    offsets `active` in it and `context` lists displacements to sites that are not active, so the Jacobian is
    triangular. Networks and maps are evaluated at active sites alone. With an odd scalar map and an odd
    context network the map commutes with x -> -x; it always commutes with translations by the period.

    Fills, checkerboard disentanglers and couplings are all of this kind. Raises `UsageError` when an active
    site is not in the unit cell or a context site is itself active, and for a field that the period does not
    divide.

    >>> import jax, jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Affine, ContextNet
    >>> net = ContextNet(2, n_even=1, n_odd=1, start=[0.5], key=jax.random.key(0))
    >>> stripes = SiteMap((2,), [(1,)], [(-1,), (1,)], net, Affine())
    >>> x, log_det = stripes.forward(jnp.zeros(4))
    >>> x.tolist(), bool(0.8 < log_det < 1.2)
    ([0.0, 0.0, 0.0, 0.0], True)
    """

    period: Offset = eqx.field(static=True)
    active: tuple[Offset, ...] = eqx.field(static=True)
    context: tuple[Offset, ...] = eqx.field(static=True)
    net: ContextNet | PlacedNet
    scalar: AbstractScalarMap

    def __init__(
        self,
        period: Offset,
        active: Sequence[Offset],
        context: Sequence[Offset],
        net: ContextNet | PlacedNet,
        scalar: AbstractScalarMap,
    ):
        self.period, self.active, self.context = tuple(period), tuple(active), tuple(context)
        self.net, self.scalar = net, scalar
        for site in self.active:
            if len(site) != len(self.period) or not all(
                0 <= i < p for i, p in zip(site, self.period, strict=True)
            ):
                raise UsageError(f"The active site {site} lies outside the unit cell {self.period}.")
            for d in self.context:
                there = tuple((i + j) % p for i, j, p in zip(site, d, self.period, strict=True))
                if there in self.active:
                    raise UsageError(f"The context {d} of the active site {site} is itself active.")

    @property
    def mask(self) -> np.ndarray:
        """The active sites of one unit cell, booleans [*period]."""
        mask = np.zeros(self.period, bool)
        mask[tuple(np.array(self.active).T)] = True
        return mask

    def _read(self, x: Array) -> tuple[np.ndarray, np.ndarray, Array, Array, Array]:
        """Indices of the active sites and their contexts, the flat field, and its values there."""
        ndim = len(self.period)
        sites, around = site_indices(x.shape[:ndim], self.period, self.active, self.context)
        flat = x.reshape(-1, *x.shape[ndim:])
        return sites, around, flat, flat[sites], flat[around]

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and Σ ln f' over the active sites."""
        sites, _, flat, latent, context = self._read(z)
        values, log_slope = _change(self.scalar, latent, *self.net(context))
        return _replaced(flat, sites, values).reshape(z.shape), jnp.sum(log_slope, axis=0)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and -Σ ln f' over the active sites."""
        sites, _, flat, values, context = self._read(x)
        latent, log_slope = self.scalar.inverse(values, *self.net(context))
        return _replaced(flat, sites, latent).reshape(x.shape), jnp.sum(log_slope, axis=0)

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """x, its log-determinant and the score at x, by one reverse pass through the network, no inverse.

        With δ the score before: δ_active <- (δ_active - ∂ ln f'/∂z) / f', and what the context reads gets
        δ <- δ - (∂f/∂x)^T δ_active - ∂ ln f'/∂x.
        """
        sites, around, flat, latent, context = self._read(z)
        parameters, pull_net = jax.vjp(self.net, context)
        (values, log_slope), pull_map = jax.vjp(partial(_change, self.scalar), latent, *parameters)
        one = jnp.ones_like(log_slope)
        bend = pull_map((jnp.zeros_like(values), one))[0]
        delta = score.reshape(flat.shape)
        active = (delta[sites] - bend) * jnp.exp(-log_slope)
        (read,) = pull_net(pull_map((active, one))[1:])
        delta = _replaced(delta.at[around].add(-read), sites, active)
        return (
            _replaced(flat, sites, values).reshape(z.shape),
            jnp.sum(log_slope, axis=0),
            delta.reshape(z.shape),
        )


@eqx.filter_jit
def _change(scalar: AbstractScalarMap, z: Array, even: Array, odd: Array) -> tuple[Array, Array]:
    # Under jit, so that site maps of equal shapes are traced once.
    return scalar.forward(z, even, odd)


def _replaced(flat: Array, sites: np.ndarray, values: Array) -> Array:
    # A gather moves whole rows of samples; a scatter would run row by row.
    source = np.arange(len(flat))
    source[sites] = len(flat) + np.arange(len(sites))
    return jnp.concatenate([flat, values])[source]
