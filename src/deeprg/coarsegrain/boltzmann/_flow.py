"""The flow v -> h -> v' of a Boltzmann machine or a stack of them, from many starts at once."""

from collections.abc import Iterator

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._belief import BeliefNetwork
from ._rbm import RBM

__all__ = ["rbm_flow"]


def rbm_flow(
    machine: RBM | BeliefNetwork,
    v: Float[Array, "n v"],
    *,
    length: int,
    every: int = 1,
    depth: int | None = None,
    mean: bool = False,
    key: PRNGKeyArray,
) -> Iterator[tuple[int, Float[Array, "n v"]]]:
    """The configurations after 0, `every`, 2 `every`, ... `length` rounds v -> h -> v', as (round, v).

    Each round draws h from p(h | v) and v' from p(v | h); it is Gibbs sampling, whose stationary law is p(v)
    from any start. Of a belief network h is the layer `depth` (the top one by default), drawn layer by layer,
    and v' is drawn back from it: the stationary law is then that of no machine. With `mean` the averages are
    passed on instead, a deterministic map whose fixed points are no samples. One stage is in memory at a
    time. Source: Iso, Shiba, Yokoo, Phys. Rev. E 97, 053304 (2018), section III, who pass draws on.

    Raises `UsageError` for a negative length, `every` below 1, and a depth that the network does not have.

    >>> import jax.numpy as jnp
    >>> machine = RBM.create(4, 3, key=jax.random.key(0))
    >>> flow = rbm_flow(machine, jnp.ones((10, 4), jnp.float32), length=4, every=2, key=jax.random.key(1))
    >>> [(n, v.shape) for n, v in flow]
    [(0, (10, 4)), (2, (10, 4)), (4, (10, 4))]
    """
    if length < 0 or every < 1:
        raise UsageError(f"length = {length} must be at least 0 and every = {every} at least 1.")
    network = machine if isinstance(machine, BeliefNetwork) else BeliefNetwork((machine,))
    network = network.up_to(depth)
    v = v.astype(network.machines[0].weights.dtype)
    yield 0, v
    for done in range(every, length + 1, every):
        v = _rounds(network, v, every, mean, jax.random.fold_in(key, done))
        yield done, v


@eqx.filter_jit
def _rounds(network: BeliefNetwork, v: Array, rounds: int, mean: bool, key: PRNGKeyArray) -> Array:
    def drawn(v: Array, key: PRNGKeyArray) -> tuple[Array, None]:
        up, down = jax.random.split(key)
        return network.down(network.up(v, key=up), mean=False, key=down), None

    def averaged(_: Array, v: Array) -> Array:
        for machine in network.machines:
            v = machine.hidden_mean(v)
        for machine in network.machines[::-1]:
            v = machine.visible_mean(v)
        return v

    if mean:
        return jax.lax.fori_loop(0, rounds, averaged, v)
    return jax.lax.scan(drawn, v, jax.random.split(key, rounds))[0]
