"""The flow v -> h -> v' of a Boltzmann machine, from many starts at once."""

from collections.abc import Iterator

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._rbm import RBM

__all__ = ["rbm_flow"]


def rbm_flow(
    machine: RBM,
    v: Float[Array, "n v"],
    *,
    length: int,
    every: int = 1,
    mean: bool = False,
    key: PRNGKeyArray,
) -> Iterator[tuple[int, Float[Array, "n v"]]]:
    """The configurations after 0, `every`, 2 `every`, ... `length` rounds v -> h -> v', as (round, v).

    Each round draws h from p(h | v) and v' from p(v | h); it is Gibbs sampling, whose stationary law is p(v)
    from any start. With `mean` the averages are passed on instead, a deterministic map whose fixed points are
    no samples. One stage is in memory at a time. Source: Iso, Shiba, Yokoo, Phys. Rev. E 97, 053304 (2018),
    section III, who pass draws on.

    Raises `UsageError` for a negative length and for `every` below 1.

    >>> import jax.numpy as jnp
    >>> machine = RBM.create(4, 3, key=jax.random.key(0))
    >>> flow = rbm_flow(machine, jnp.ones((10, 4), jnp.float32), length=4, every=2, key=jax.random.key(1))
    >>> [(n, v.shape) for n, v in flow]
    [(0, (10, 4)), (2, (10, 4)), (4, (10, 4))]
    """
    if length < 0 or every < 1:
        raise UsageError(f"length = {length} must be at least 0 and every = {every} at least 1.")
    v = v.astype(machine.weights.dtype)
    yield 0, v
    for done in range(every, length + 1, every):
        v = _rounds(machine, v, every, mean, jax.random.fold_in(key, done))
        yield done, v


@eqx.filter_jit
def _rounds(machine: RBM, v: Array, rounds: int, mean: bool, key: PRNGKeyArray) -> Array:
    if not mean:
        return machine.gibbs(v, steps=rounds, key=key)
    return jax.lax.fori_loop(0, rounds, lambda _, x: machine.visible_mean(machine.hidden_mean(x)), v)
