"""What a Boltzmann machine is trained on: the likelihood's gradient with sampled negative statistics."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PRNGKeyArray, Scalar

from ...runs.errors import UsageError
from ._rbm import RBM

__all__ = ["ContrastiveDivergence"]

Statistics = tuple[Array, Array]


class ContrastiveDivergence(eqx.Module):
    """A loss whose gradient is that of the mean log-likelihood, with the model's averages from Gibbs chains:

        -dL/dW = ⟨v K'(b + W^T v)^T⟩_data - ⟨v K'(b + W^T v)^T⟩_chains, with v and K' as they stand.

    - CD-k (`persistent=False`): `steps` rounds from the data of the batch (Hinton 2002).
    - PCD-k (`persistent=True`): the chains are the carry of the training and go on from step to step
      (Tieleman 2008). Their number is that of the rows of the carry, whatever the batch.

    `l1` adds l1 sum |W|, `l2` adds l2/2 sum W^2. `centred` takes the gradient of the machine written in
    v - mu, h - lambda, with the averages over data and chains, and maps it back (Melchior, Fischer, Wiskott,
    J. Mach. Learn. Res. 17, 99 (2016), the enhanced gradient of Cho, Raiko, Ilin 2011 among them):

        dW = ⟨(v - mu)(h - lambda)^T⟩_data - ⟨...⟩_chains,
        da = ⟨v⟩_data - ⟨v⟩_chains - dW lambda,  db = ⟨h⟩_data - ⟨h⟩_chains - dW^T mu.

    The value of the loss is ⟨E⟩_data - ⟨E⟩_chains, with h at its mean; it is no likelihood. The hidden layer
    that the chains hold is drawn, and its mean given v enters the average: the same expectation with less
    noise. Raises `UsageError` for fewer than one step and negative penalties.

    >>> cd = ContrastiveDivergence(steps=1, persistent=False)
    >>> machine = RBM.create(4, 3, key=jax.random.key(0))
    >>> v = jnp.ones((10, 4), jnp.float32)
    >>> loss, metrics, _ = cd(machine, v, (), key=jax.random.key(1))
    >>> bool(jnp.isfinite(loss))
    True
    """

    steps: int = eqx.field(static=True, default=1)
    persistent: bool = eqx.field(static=True, default=True)
    l1: float = eqx.field(static=True, default=0.0)
    l2: float = eqx.field(static=True, default=0.0)
    centred: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.steps < 1:
            raise UsageError(f"steps = {self.steps} must be at least 1: the k of CD-k or PCD-k.")
        for name in ("l1", "l2"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} = {getattr(self, name)} must be at least 0.")

    def chains(self, machine: RBM, count: int, *, key: PRNGKeyArray) -> Float[Array, "count h"]:
        """The carry at the start: hidden layers drawn in zero field. For CD-k the carry is ()."""
        field = jnp.zeros((count, machine.weights.shape[1]), machine.weights.dtype)
        return machine.hidden.sample(field, key=key)

    def __call__(
        self, machine: RBM, batch: Array, carry: Array | tuple[()], *, key: PRNGKeyArray
    ) -> tuple[Scalar, dict[str, Scalar], Array | tuple[()]]:
        """Loss, metrics and the chains after their steps."""
        fixed = jax.lax.stop_gradient(machine)
        data = batch.astype(machine.weights.dtype)
        keys = jax.random.split(key, 2 * self.steps)
        h = carry if self.persistent else fixed.sample_hidden(data, key=keys[-1])
        v = _alternate(fixed, jnp.asarray(h), keys[: 2 * self.steps - 1])
        rows = jnp.concatenate([data, v])
        field = fixed.hidden_field(rows)  # one product for data and chains
        mean = fixed.hidden.mean(field)
        slopes = jax.tree.leaves(self._gradient(fixed, rows, mean, len(data)))
        loss = sum(jnp.vdot(x, g) for x, g in zip(jax.tree.leaves(machine), slopes, strict=True))
        if self.persistent:
            carry = fixed.hidden.sample(field[len(data) :], key=keys[-1])
        return jnp.asarray(loss + self._penalty(machine)), {}, carry

    def _gradient(self, machine: RBM, rows: Array, mean: Array, count: int) -> RBM:
        """-(dW, da, db) of the class, the first `count` rows data; zero for biases that are not there."""
        others = len(rows) - count
        share = jnp.asarray([-1 / count] * count + [1 / others] * others, mean.dtype)
        v, h = rows, mean
        if self.centred:
            mu, middle = ((x[:count].mean(0) + x[count:].mean(0)) / 2 for x in (rows, mean))
            v, h = rows - mu[None], mean - middle[None]
        # Transposed in memory first: a product with a transposed view takes up to 1.7 times as long.
        weights = jax.lax.optimization_barrier(v.T) @ (share[:, None] * h)
        visible, hidden = share @ rows, share @ mean
        if self.centred:
            visible, hidden = visible - weights @ middle, hidden - mu @ weights
        if not machine.biases:
            visible, hidden = jnp.zeros_like(visible), jnp.zeros_like(hidden)
        return RBM(weights, visible, hidden, machine.visible, machine.hidden, machine.biases)

    def _penalty(self, machine: RBM) -> Scalar | float:
        penalty = 0.0
        if self.l1:
            penalty = penalty + self.l1 * jnp.sum(jnp.abs(machine.weights))
        if self.l2:
            penalty = penalty + 0.5 * self.l2 * jnp.sum(machine.weights**2)
        return penalty


def _alternate(machine: RBM, h: Array, keys: Key[Array, " n"]) -> Array:
    """h -> v -> h -> ... -> v, one draw for each key."""
    v = machine.sample_visible(h, key=keys[0])

    def step(v: Array, pair: Key[Array, "2"]) -> tuple[Array, None]:
        return machine.sample_visible(machine.sample_hidden(v, key=pair[0]), key=pair[1]), None

    if len(keys) == 1:
        return v
    return jax.lax.scan(step, v, keys[1:].reshape(-1, 2))[0]
