"""Critics f(x, y), the learned log density ratios behind variational bounds."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

__all__ = ["ConcatenatedCritic", "GaussianRatio", "SeparableCritic"]


class GaussianRatio(eqx.Module):
    """ln p(x, y)/(p(x) p(y)) of canonical pairs with correlations ρ = tanh t, which are trained.

    Σ_i [½ sinh(2t_i) x_i y_i - ½ sinh²(t_i) (x_i² + y_i²) + ln cosh t_i], the log ratio of Gaussian variables
    of unit variance with ρ_i between x_i and y_i. It needs no large weights where ρ is close to 1.

    >>> ratio = GaussianRatio(jnp.arctanh(jnp.array([0.6], jnp.float32)))
    >>> round(float(ratio(jnp.zeros((1, 1), jnp.float32), jnp.zeros((1, 1), jnp.float32))[0, 0]), 4)
    0.2231
    """

    strengths: Float[Array, " pairs"]

    def __call__(self, x: Float[Array, "n dx"], y: Float[Array, "k dy"]) -> Float[Array, "n k"]:
        """The ratio of all pairs of rows."""
        t, pairs = self.strengths, len(self.strengths)
        a, b = x[:, :pairs], y[:, :pairs]
        squares = jnp.sinh(t) ** 2
        constant = jnp.sum(jnp.log(jnp.cosh(t)))
        alone = 0.5 * ((a**2 @ squares)[:, None] + (b**2 @ squares)[None, :])
        return (a * (0.5 * jnp.sinh(2 * t))[None]) @ b.T - alone + constant


class SeparableCritic(eqx.Module):
    """f(x, y) = g(x, y) + c [⟨u(x), v(y)⟩/√k + a(x) + b(y)]: all pairs of n samples cost 2n networks.

    g is a `GaussianRatio`; u, a and v, b are networks, whose sum begins at zero, so that f is exact for
    Gaussian variables before any training, and they learn what the Gaussian misses. `gain` is c, not trained.

    >>> critic = SeparableCritic.create(3, 2, jnp.zeros(2, jnp.float32), key=jax.random.key(0))
    >>> critic.scores(jnp.ones((5, 3), jnp.float32), jnp.ones((4, 2), jnp.float32)).shape
    (5, 4)
    """

    gaussian: GaussianRatio
    left: eqx.nn.MLP
    right: eqx.nn.MLP
    gain: float | Float[Array, ""] = 1.0
    together: int = eqx.field(static=True, default=1 << 30)
    group: int = eqx.field(static=True, default=4096)

    @classmethod
    def create(
        cls,
        dx: int,
        dy: int,
        strengths: Float[Array, " pairs"],
        *,
        width: int = 64,
        depth: int = 2,
        embedding: int = 16,
        key: PRNGKeyArray,
    ) -> "SeparableCritic":
        """A critic whose Gaussian part has these tanh⁻¹ ρ; `embedding` is the length k of u and v."""
        one, two = jax.random.split(key)
        left, right = (
            eqx.nn.MLP(d, embedding + 1, width, depth, jax.nn.silu, dtype=jnp.float32, key=key)
            for d, key in ((dx, one), (dy, two))
        )
        return cls(GaussianRatio(strengths), silent(left, slice(embedding, None)), silent(right))

    def scores(self, x: Float[Array, "n dx"], y: Float[Array, "k dy"]) -> Float[Array, "n k"]:
        """f of all pairs of rows."""
        u, v = jax.vmap(self.left)(x), jax.vmap(self.right)(y)
        product = u[:, :-1] @ v[:, :-1].T / math.sqrt(u.shape[1] - 1)
        return self.gaussian(x, y) + self.gain * (product + u[:, -1:] + v[None, :, -1])


class ConcatenatedCritic(eqx.Module):
    """f(x, y) = g(x, y) + c a(x, y) with one network a of both: n² networks for all pairs of n samples.

    It needs no embedding, and so sees sharp dependence that few products cannot; g and c as in
    `SeparableCritic`. Batches are cut into groups of 64 in training, and into 512 where it is judged.

    >>> critic = ConcatenatedCritic.create(3, 2, jnp.zeros(2, jnp.float32), key=jax.random.key(0))
    >>> critic.scores(jnp.ones((5, 3), jnp.float32), jnp.ones((4, 2), jnp.float32)).shape
    (5, 4)
    """

    gaussian: GaussianRatio
    network: eqx.nn.MLP
    gain: float | Float[Array, ""] = 1.0
    together: int = eqx.field(static=True, default=64)
    group: int = eqx.field(static=True, default=512)

    @classmethod
    def create(
        cls,
        dx: int,
        dy: int,
        strengths: Float[Array, " pairs"],
        *,
        width: int = 64,
        depth: int = 2,
        key: PRNGKeyArray,
    ) -> "ConcatenatedCritic":
        """A critic whose Gaussian part has these tanh⁻¹ ρ."""
        network = eqx.nn.MLP(dx + dy, "scalar", width, depth, jax.nn.silu, dtype=jnp.float32, key=key)
        return cls(GaussianRatio(strengths), silent(network))

    def scores(self, x: Float[Array, "n dx"], y: Float[Array, "k dy"]) -> Float[Array, "n k"]:
        """f of all pairs of rows."""
        one = lambda a, b: self.network(jnp.concatenate([a, b]))
        return self.gaussian(x, y) + self.gain * jax.vmap(jax.vmap(one, (None, 0)), (0, None))(x, y)


CRITICS = {"separable": SeparableCritic, "concatenated": ConcatenatedCritic}


def silent(network: eqx.nn.MLP, rows: slice = slice(None)) -> eqx.nn.MLP:
    """The network with these outputs zero."""
    last = network.layers[-1]
    weight, bias = last.weight.at[rows].set(0.0), jnp.asarray(last.bias).at[rows].set(0.0)
    return eqx.tree_at(lambda n: (n.layers[-1].weight, n.layers[-1].bias), network, (weight, bias))
