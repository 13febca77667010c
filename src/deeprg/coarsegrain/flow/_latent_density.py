"""The target pulled back to the latents of a flow: where chains move, and with which force."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError
from ._flow import AbstractFlow, Flow, SymmetrisedFlow

__all__ = ["LatentDensity"]


class LatentDensity(eqx.Module):
    """The target exp(-H(x)) in the latents of a flow x = T(z), up to its Z.

    ln p̃(z) = ln p(z) + ln w(T(z)), ln w(x) = -H(x) - ln q(x) (arXiv:1802.02840, eq. (5)). For a flow that is
    one map this is -H(T(z)) + log|det ∂x/∂z|. If z has the law p̃/Z, x = T(z) has the law exp(-H)/Z; for an
    average over a group, x = g T(z) with g drawn uniformly. A perfect flow makes p̃ the prior itself.

    Called with one latent [*lattice] it is a log density for any sampler; `jax.grad` and `jax.vmap` are
    known to it: a batch goes through the flow in its own layout, one reverse pass for value and force.

    Raises `UsageError` for a flow of another kind and for a Hamiltonian on another lattice.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import Chain
    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> target = GaussianField(Lattice((2, 2)), mass_squared=1.0)
    >>> density = LatentDensity(Flow(target.lattice, Chain()), target)
    >>> z = jnp.ones((2, 2))
    >>> float(density(z)), jax.grad(density)(z).tolist()
    (-2.0, [[-1.0, -1.0], [-1.0, -1.0]])
    """

    flow: AbstractFlow
    hamiltonian: AbstractHamiltonian

    def __init__(self, flow: AbstractFlow, hamiltonian: AbstractHamiltonian):
        if not isinstance(flow, Flow | SymmetrisedFlow):
            raise UsageError(f"A {type(flow).__name__} has no latents in which a chain could move.")
        if flow.lattice != hamiltonian.lattice:
            raise UsageError(f"The flow is on {flow.lattice}, but the Hamiltonian on {hamiltonian.lattice}.")
        self.flow, self.hamiltonian = flow, hamiltonian

    @property
    def _base(self) -> Flow:
        assert isinstance(self.flow, Flow | SymmetrisedFlow)
        return self.flow.flow if isinstance(self.flow, SymmetrisedFlow) else self.flow

    def draw(self, *, key: PRNGKeyArray, count: int) -> Float[Array, "count *lattice"]:
        """Latents from the prior."""
        keys = jax.random.split(key, count)
        return jax.vmap(lambda k: self._base.latent(key=k))(keys)

    @eqx.filter_jit
    def fields(self, latents: Float[Array, "n *lattice"], *, key: PRNGKeyArray) -> Float[Array, "n *lattice"]:
        """The fields of latents, each with a uniformly drawn element of the group where there is one."""
        z = jnp.moveaxis(latents, 0, -1)
        if not isinstance(self.flow, SymmetrisedFlow):
            return jnp.moveaxis(self._base.push(z)[0], -1, 0)
        element = jax.random.randint(key, (z.shape[-1],), 0, len(self.flow.group))
        return jnp.moveaxis(self.flow.scales((z, element))[-1], -1, 0)

    def log_prior(self, latents: Float[Array, "n *lattice"]) -> Float[Array, " n"]:
        """ln p of latents."""
        return self._base.log_prior(jnp.moveaxis(latents, 0, -1))

    @eqx.filter_jit
    def log_weight(self, latents: Float[Array, "n *lattice"]) -> Float[Array, " n"]:
        """ln w = ln p̃ - ln p of latents, without a gradient."""
        z = jnp.moveaxis(latents, 0, -1)
        return self._log_density(z) - self._base.log_prior(z)

    def _log_density(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """ln p̃ of latents [*lattice, n]."""
        if isinstance(self.flow, SymmetrisedFlow):
            x, log_q = self.flow.push((z, jnp.zeros(z.shape[-1], jnp.int32)))
        else:
            x, log_q = self._base.push(z)
        energy = jax.vmap(self.hamiltonian.energy, in_axes=-1)(x)
        return self._base.log_prior(z) - log_q - energy

    def __call__(self, z: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """ln p̃ of one latent configuration, up to a constant."""
        arrays, rest = eqx.partition(self, eqx.is_array)

        def log_density(arrays: LatentDensity, z: Array) -> Array:
            return eqx.combine(arrays, rest)._log_density(z)

        return _batched(log_density)(arrays, z)


def _batched(log_density: Callable[[PyTree, Array], Array]) -> Callable[[PyTree, Array], Array]:
    """A function of arrays and one z, whose vmapped value and gradient are those of z [*lattice, n] at once.

    `log_density(arrays, z [*lattice, n])` is [n]. Custom rules may not close over traced arrays, which are
    therefore an argument; they get no gradient.
    """

    def value_and_gradient(arrays: PyTree, z: Array) -> tuple[Array, Array]:
        value, pull = jax.vjp(functools.partial(log_density, arrays), z)
        return value, pull(jnp.ones_like(value))[0]

    @jax.custom_batching.custom_vmap
    def one(arrays: PyTree, z: Array) -> tuple[Array, Array]:
        value, gradient = value_and_gradient(arrays, z[..., None])
        return value[0], gradient[..., 0]

    @one.def_vmap
    def _(size: int, batched: PyTree, arrays: PyTree, z: Array):
        value, gradient = value_and_gradient(arrays, jnp.moveaxis(z, 0, -1))
        return (value, jnp.moveaxis(gradient, -1, 0)), (True, True)

    @jax.custom_vjp
    def density(arrays: PyTree, z: Array) -> Array:
        return one(arrays, z)[0]

    density.defvjp(one, lambda gradient, slope: (None, slope * gradient))
    return density
