"""Affine couplings on a few variables, and the RealNVP block made of them."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._bijector import AbstractBijector
from ._initial import uniforms

__all__ = ["RealNVP"]


class RealNVP(AbstractBijector):
    """A chain of affine couplings on a vector of n variables.

    In each coupling half of the variables, chosen by a mask, set scale and shift of the others:

        x_> = z_> exp(s(z_<)) + t(z_<),    log|det dx/dz| = Σ s,

    Dinh et al., arXiv:1605.08803, eqs. (7)-(8). s and t are perceptrons with `hidden` layers of `width` and
    ELU; s is σ ⊙ tanh(·), σ starting at 0. Masks are drawn at random for every other coupling, which is
    followed by its complement (the layout of arXiv:1802.02840); they are stored with the weights. With `odd`,
    s is made even and t odd in z_<, so the map commutes with z -> -z. All couplings have one shape and run in
    one `lax.scan`.

    Raises `UsageError` for fewer than two variables or a number below one.

    >>> import jax, jax.numpy as jnp
    >>> block = RealNVP(4, couplings=10, hidden=3, width=10, key=jax.random.key(0))
    >>> x, log_det = block.forward(jnp.ones(4))
    >>> float(log_det), sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(block, eqx.is_inexact_array)))
    (0.0, 6320)
    """

    weights: list[Float[Array, "couplings 2 _ _"]]
    biases: list[Float[Array, "couplings 2 _"]]
    scale: Float[Array, "couplings n"]
    masks: Bool[Array, "couplings n"]
    odd: bool = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        couplings: int = 10,
        hidden: int = 3,
        width: int = 10,
        odd: bool = False,
        dtype=None,
        key: PRNGKeyArray,
    ):
        if size < 2:
            raise UsageError(f"A coupling needs at least two variables, not {size}.")
        if min(couplings, hidden, width) < 1:
            raise UsageError(
                "A RealNVP block needs at least one coupling, hidden layer and unit, "
                f"not couplings={couplings}, hidden={hidden}, width={width}."
            )
        mask_key, key = jax.random.split(key)
        self.masks = _masks(size, couplings, mask_key)
        sizes = [size, *([width] * hidden), size]
        keys = jax.random.split(key, 2 * len(sizes))
        self.weights, self.biases = [], []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            bound = fan_in**-0.5
            self.weights.append(uniforms(keys[2 * i], (couplings, 2, fan_out, fan_in), bound, dtype))
            self.biases.append(uniforms(keys[2 * i + 1], (couplings, 2, fan_out), bound, dtype))
        self.scale = jnp.zeros((couplings, size), self.weights[0].dtype)
        self.odd = odd

    def _scale_and_shift(self, kept: Array, weights, biases, scale) -> tuple[Array, Array]:
        def network(which: int, v: Array) -> Array:
            hidden = v
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                hidden = weight[which] @ hidden + bias[which][:, None]
                if layer < len(weights) - 1:
                    hidden = _elu(hidden)
            return hidden

        s, t = jnp.tanh(network(0, kept)), network(1, kept)
        if self.odd:
            s = 0.5 * (s + jnp.tanh(network(0, -kept)))
            t = 0.5 * (t - network(1, -kept))
        return scale[:, None] * s, t

    def _run(self, v: Array, *, reverse: bool) -> tuple[Array, Array]:
        def couple(state, parameters):
            v, log_det = state
            weights, biases, scale, mask = parameters
            keep = mask.astype(v.dtype)[:, None]
            s, t = self._scale_and_shift(keep * v, weights, biases, scale)
            s, t = (1 - keep) * s, (1 - keep) * t
            v = (v - t) * jnp.exp(-s) if reverse else v * jnp.exp(s) + t
            return (v, log_det - jnp.sum(s, 0) if reverse else log_det + jnp.sum(s, 0)), None

        batch = v.shape[1:]
        columns = v.reshape(v.shape[0], math.prod(batch))
        start = columns, jnp.zeros(columns.shape[1:], v.dtype)
        stacked = (self.weights, self.biases, self.scale, self.masks)
        # Hidden layers are recomputed in the backward pass: storing them costs more time than they do.
        columns, log_det = jax.lax.scan(jax.checkpoint(couple), start, stacked, reverse=reverse)[0]
        return columns.reshape(v.shape), log_det.reshape(batch)

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """x and the sum of all s."""
        return self._run(z, reverse=False)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """z and minus the sum of all s."""
        return self._run(x, reverse=True)


def _masks(size: int, couplings: int, key: PRNGKeyArray) -> Bool[Array, "couplings n"]:
    masks = []
    for subset_key in jax.random.split(key, (couplings + 1) // 2):
        chosen = jnp.isin(jnp.arange(size), jax.random.permutation(subset_key, size)[: size // 2])
        masks += [chosen, ~chosen]
    return jnp.stack(masks[:couplings])


def _elu(x: Array) -> Array:
    # exp - 1 instead of expm1: one pass of the vector unit, an absolute error of one rounding.
    return jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1)
