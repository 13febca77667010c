"""Context networks: from the values around a site to the parameters of its scalar map."""

import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._initial import normals

__all__ = ["ContextNet"]


class ContextNet(eqx.Module):
    """A small perceptron at every site, shared by all sites: context [c, *sites] to (even, odd) parameters.

    With `odd` set, `even` is an even and `odd` an odd function of the context by construction. Every hidden
    unit is the pair of its values at the context and at minus the context, kept as half sum and half
    difference (the regular representation of Z2), with σ the activation and e, o the even and odd parts:

        e' , o' = [σ(A e + b + B o) ± σ(A e + b - B o)] / 2,    e = 0, o = context at the input.

    Without `odd` (a Hamiltonian with no such symmetry) it is an ordinary perceptron. The odd outputs have a
    linear path from the context as well. Outputs start near the given biases. Features lead and sites follow,
    so each layer is one matrix product over all sites and samples.

    >>> import jax, jax.numpy as jnp
    >>> net = ContextNet(4, n_even=1, n_odd=1, start=[0.3], width=8, depth=2, key=jax.random.key(0))
    >>> even, odd = net(jnp.zeros((4, 5)))
    >>> odd[0].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """

    mix_even: list[Float[Array, "h h"]]
    mix_odd: list[Float[Array, "h _"]]
    bias: list[Float[Array, " h"]]
    out_even: Float[Array, "e h"]
    out_odd: Float[Array, "o h"]
    out_bias: Float[Array, " e"]
    direct: Float[Array, "o c"]
    activation: Callable = eqx.field(static=True)
    odd: bool = eqx.field(static=True)

    def __init__(
        self,
        context: int,
        *,
        n_even: int,
        n_odd: int,
        start: Sequence[float],
        width: int = 24,
        depth: int = 2,
        activation: Callable = jnp.tanh,
        odd: bool = True,
        dtype=None,
        key: PRNGKeyArray,
    ):
        if width < 1 or depth < 1:
            raise UsageError(
                f"A context network needs width and depth of at least 1, not {width} and {depth}."
            )
        keys = iter(jax.random.split(key, 3 * depth + 2))
        normal = lambda rows, columns, size: size * normals(next(keys), (rows, columns), dtype)
        self.mix_odd = [normal(width, context, 1 / math.sqrt(max(context, 1)))]
        self.mix_even, self.bias = [], [0.5 * normals(next(keys), (width,), dtype)]
        for _ in range(depth - 1):
            self.mix_even.append(normal(width, width, 1 / math.sqrt(width)))
            self.mix_odd.append(normal(width, width, 1 / math.sqrt(width)))
            self.bias.append(0.1 * normals(next(keys), (width,), dtype))
        self.out_even, self.out_odd = normal(n_even, width, 0.01), normal(n_odd, width, 0.01)
        self.out_bias = jnp.asarray(list(start), self.out_even.dtype)
        self.direct = jnp.zeros((n_odd, context), self.out_even.dtype)
        self.activation, self.odd = activation, odd

    def __call__(
        self, context: Float[Array, "c *sites"], place: Float[Array, "h *sites"] | None = None
    ) -> tuple[Float[Array, "e *sites"], Float[Array, "o *sites"]]:
        """The even and the odd parameters at every site; `place` adds to the biases of the first layer."""
        sites = context.shape[1:]
        context = context.reshape(context.shape[0], math.prod(sites))
        even, odd = None, context
        for layer, bias in enumerate(self.bias):
            steady = bias[:, None]
            if layer == 0 and place is not None:
                steady = steady + place.reshape(place.shape[0], math.prod(sites))
            if even is not None:
                steady = self.mix_even[layer - 1] @ even + steady
            swing = self.mix_odd[layer] @ odd
            up = self.activation(steady + swing)
            if self.odd:
                down = self.activation(steady - swing)
                even, odd = 0.5 * (up + down), 0.5 * (up - down)
            else:
                even, odd = up, up
        assert even is not None
        even = self.out_even @ even + self.out_bias[:, None]
        odd = self.out_odd @ odd + self.direct @ context
        return even.reshape(-1, *sites), odd.reshape(-1, *sites)
