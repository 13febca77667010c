"""The bijector protocol: latent to physical, with the logarithm of the Jacobian's determinant."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["AbstractBijector", "Chain", "Repeated"]


class AbstractBijector(eqx.Module):
    """An invertible differentiable map between arrays of one shape, z latent and x physical.

    A new bijector is one file with a final subclass and one line in `BIJECTORS` (the tests walk it):

    - `forward(z) -> x, log|det dx/dz|`;
    - `inverse(x) -> z, log|det dz/dx|`;
    - `push_score(z, score)`, optional: what `forward` does to the gradient of a log density. The default goes
      through one derivative of `inverse`; override it where the forward pass already knows the answer.

    A bijector acts on the leading axes of an array; whatever axes follow are a batch, and log-determinants
    have the batch's shape. Samples then lie next to each other in memory, and every matrix product runs over
    sites and samples at once. `jax.vmap` works as well.

    >>> import jax.numpy as jnp, numpy as np
    >>> from deeprg.coarsegrain.flow import Circulant
    >>> from deeprg.lattice import Lattice
    >>> double = Circulant(Lattice((2, 2)), spectrum=2 * np.ones((2, 2)))
    >>> x, log_det = double.forward(jnp.ones((2, 2)))
    >>> float(x[0, 0]), round(float(log_det), 4)
    (2.0, 2.7726)
    """

    @abc.abstractmethod
    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and log|det dx/dz|, shapes [*shape, *batch] and [*batch]."""

    @abc.abstractmethod
    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and log|det dz/dx|, shapes [*shape, *batch] and [*batch]."""

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        r"""x, log|det dx/dz|, and the score ∂ ln q/∂x that the density with score ∂ ln p/∂z acquires.

        ∂ ln q/∂x = J^{-T} (∂ ln p/∂z - ∂ log|det J|/∂z), J = dx/dz (arXiv:2207.08219, section 4).
        """
        x, log_det = self.forward(z)
        _, pull = jax.vjp(self.inverse, x)
        (pushed,) = pull((score, jnp.ones_like(log_det)))
        return x, log_det, pushed


class Chain(AbstractBijector):
    """Bijectors one after the other; `forward` applies the first first. No links are the identity."""

    links: tuple[AbstractBijector, ...]

    def __init__(self, *links: AbstractBijector):
        self.links = links

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and the sum of the links' log-determinants."""
        log_det = jnp.zeros((), z.dtype)  # broadcasts to the batch
        for link in self.links:
            z, step = link.forward(z)
            log_det = step + log_det
        return z, log_det

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and the sum of the links' inverse log-determinants."""
        log_det = jnp.zeros((), x.dtype)
        for link in reversed(self.links):
            x, step = link.inverse(x)
            log_det = step + log_det
        return x, log_det

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """x, its log-determinant and score, link by link."""
        log_det = jnp.zeros((), z.dtype)
        for link in self.links:
            z, step, score = link.push_score(z, score)
            log_det = step + log_det
        return z, log_det, score


class Repeated(AbstractBijector):
    """One bijector applied `times` times, with one set of weights.

    >>> import jax.numpy as jnp, numpy as np
    >>> from deeprg.coarsegrain.flow import Circulant
    >>> from deeprg.lattice import Lattice
    >>> double = Circulant(Lattice((2, 2)), spectrum=2 * np.ones((2, 2)))
    >>> float(Repeated(double, 3).forward(jnp.ones((2, 2)))[0][0, 0])
    8.0
    """

    link: AbstractBijector
    times: int = eqx.field(static=True)

    def __init__(self, link: AbstractBijector, times: int):
        self.link, self.times = link, times

    @property
    def _chain(self) -> Chain:
        return Chain(*([self.link] * self.times))

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and the sum of the log-determinants."""
        return self._chain.forward(z)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and the sum of the inverse log-determinants."""
        return self._chain.inverse(x)

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """x, its log-determinant and score."""
        return self._chain.push_score(z, score)
