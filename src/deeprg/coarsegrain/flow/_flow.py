"""The normalizing flow: a prior, a bijector, and if wanted the average over a symmetry group."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import AbstractBijector, Chain
from ._hierarchy import Hierarchy
from ._prior import AbstractPrior, Gaussian

__all__ = ["AbstractFlow", "Flow", "SymmetrisedFlow", "sign_group"]


class AbstractFlow(eqx.Module):
    """A normalised density over fields that can be sampled: ln q(x) is exact for every x.

    `latent` draws one; `push`, `push_score`, `log_prob` and `scales` take fields [*lattice] or, with a batch
    as further axes at the end, [*lattice, *batch], and return ln q of shape [*batch].
    """

    lattice: eqx.AbstractVar[Lattice]

    @abc.abstractmethod
    def latent(self, *, key: PRNGKeyArray) -> PyTree[Array]:
        """A draw of all that is random in a sample."""

    @abc.abstractmethod
    def push(self, latent: PyTree[Array]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The field that a latent generates and its ln q."""

    @abc.abstractmethod
    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The normalised ln q(x)."""

    @abc.abstractmethod
    def scales(self, latent: PyTree[Array]) -> list[Float[Array, "..."]]:
        """What the latent generates at every scale, coarse to fine; the last is the field of `push`."""

    @eqx.filter_jit
    def push_score(
        self, latent: PyTree[Array]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """The field, its ln q, and ∂ ln q/∂x there."""
        x, log_q = self.push(latent)
        return x, log_q, jax.grad(lambda x: jnp.sum(self.log_prob(x)))(x)

    @eqx.filter_jit
    def sample(self, *, key: PRNGKeyArray) -> tuple[Float[Array, "*lattice"], Float[Array, ""]]:
        """A field drawn from q, and its ln q."""
        return self.push(self.latent(key=key))


class Flow(AbstractFlow):
    """q is the law of x = T(z), z drawn from the prior: ln q(x) = ln p(z) - log|det dx/dz|.

    The leading axes of z and x are the lattice. `dtype` is that of the samples.

    >>> import jax, jax.numpy as jnp
    >>> flow = Flow(Lattice((2, 2)), Chain())
    >>> round(float(flow.log_prob(jnp.zeros((2, 2)))), 6)
    -3.675754
    """

    lattice: Lattice = eqx.field(static=True)
    prior: AbstractPrior
    bijector: AbstractBijector
    dtype: Any = eqx.field(static=True)

    def __init__(
        self,
        lattice: Lattice,
        bijector: AbstractBijector,
        *,
        prior: AbstractPrior | None = None,
        dtype=jnp.float32,
    ):
        self.lattice, self.bijector = lattice, bijector
        self.prior = Gaussian() if prior is None else prior
        self.dtype = jnp.dtype(dtype)

    @eqx.filter_jit
    def latent(self, *, key: PRNGKeyArray) -> Float[Array, "*lattice"]:
        """Independent draws from the prior, one per site."""
        return self.prior.sample(self.lattice.shape, key=key, dtype=self.dtype)

    @eqx.filter_jit
    def push(self, latent: PyTree[Array]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """T(z) and ln p(z) - log|det dx/dz|."""
        x, log_det = self.bijector.forward(latent)
        return x, self.log_prior(latent) - log_det

    @eqx.filter_jit
    def push_score(
        self, latent: PyTree[Array]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """The field, its ln q and score, through the bijector's own rule."""
        score = jax.grad(lambda z: jnp.sum(self.log_prior(z)))(latent)
        x, log_det, score = self.bijector.push_score(latent, score)
        return x, self.log_prior(latent) - log_det, score

    @eqx.filter_jit
    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """ln p(z) + log|det dz/dx| at z = T^-1(x)."""
        z, log_det = self.bijector.inverse(x)
        return self.log_prior(z) + log_det

    def log_prior(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """ln p of latents [*lattice, *batch], one number per latent configuration."""
        return jnp.sum(self.prior.log_density(z), axis=tuple(range(self.lattice.ndim)))

    @eqx.filter_jit
    def scales(self, latent: PyTree[Array]) -> list[Float[Array, "..."]]:
        """The fields of a hierarchy's levels in its own variable, and last the physical field.

        For a hierarchy followed by further links (a whitening, say) the links act on the finest field only;
        without a hierarchy latent and field are the two scales.
        """
        links = self.bijector.links if isinstance(self.bijector, Chain) else (self.bijector,)
        scales = [latent]
        for link in links:
            if isinstance(link, Hierarchy):
                scales = link.scales(scales[-1])
            else:
                scales.append(link.forward(scales[-1])[0])
        return scales


def sign_group() -> tuple[Callable[[Array], Array], ...]:
    """Z2: the identity and x -> -x."""
    return (_identity, jnp.negative)


def _identity(x: Array) -> Array:
    return x


class SymmetrisedFlow(AbstractFlow):
    """The average of a flow over a finite group: q(x) = (1/|G|) Σ_g q0(g x).

    `group` lists all elements, the identity first, each an orthogonal map of fields (sign, translations,
    rotations). One sample costs one pass and |G| - 1 inverse passes, for of the
    |G| terms the one at the drawn latent is known. Raises `UsageError` for an empty group.

    >>> import jax, jax.numpy as jnp
    >>> flow = SymmetrisedFlow(Flow(Lattice((2, 2)), Chain()), sign_group())
    >>> round(float(flow.log_prob(jnp.ones((2, 2)))), 6)
    -5.675754
    """

    flow: Flow
    group: tuple[Callable[[Array], Array], ...] = eqx.field(static=True)

    def __init__(self, flow: Flow, group: tuple[Callable[[Array], Array], ...]):
        if not group:
            raise UsageError("A group has at least one element, the identity, which comes first.")
        self.flow, self.group = flow, tuple(group)

    @property
    def lattice(self) -> Lattice:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lattice of the flow."""
        return self.flow.lattice

    @eqx.filter_jit
    def latent(self, *, key: PRNGKeyArray) -> PyTree[Array]:
        """The latents of the flow, and the number of the group element."""
        flow_key, group_key = jax.random.split(key)
        return self.flow.latent(key=flow_key), jax.random.randint(group_key, (), 0, len(self.group))

    @eqx.filter_jit
    def push(self, latent: PyTree[Array]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The transformed field, and ln q of it by one inverse pass for each further group element."""
        z, element = latent
        x, log_q = self.flow.push(z)
        # {g' g x : g' in G} = {h x : h in G}: the sum over the group does not depend on the element drawn.
        images = self._images(x)
        terms = jnp.stack([log_q, *(self.flow.log_prob(image) for image in images[1:])])
        return _select(images, element), jax.nn.logsumexp(terms, axis=0) - math.log(len(self.group))

    @eqx.filter_jit
    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """ln of the average of q0 over the images of x."""
        terms = jnp.stack([self.flow.log_prob(image) for image in self._images(x)])
        return jax.nn.logsumexp(terms, axis=0) - math.log(len(self.group))

    @eqx.filter_jit
    def scales(self, latent: PyTree[Array]) -> list[Float[Array, "..."]]:
        """The scales of the flow, with the group element applied to the finest field."""
        z, element = latent
        *coarse, x = self.flow.scales(z)
        return [*coarse, _select(self._images(x), element)]

    def _images(self, x: Array) -> list[Array]:
        fields = jnp.moveaxis(x.reshape(*self.lattice.shape, -1), -1, 0)
        return [jnp.moveaxis(jax.vmap(g)(fields), 0, -1).reshape(x.shape) for g in self.group]


def _select(images: list[Array], element: Array) -> Array:
    chosen = images[0]
    for number, image in enumerate(images[1:], start=1):
        chosen = jnp.where(element == number, image, chosen)
    return chosen
