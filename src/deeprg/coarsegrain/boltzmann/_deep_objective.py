"""Training of a deep Boltzmann machine: mean field on the data, persistent chains for the model."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, Scalar

from ...runs.errors import UsageError
from ._deep import DeepBoltzmannMachine, Layers

__all__ = ["DeepObjective"]


class DeepObjective(eqx.Module):
    """A loss whose gradient is that of the mean-field bound, with the model's averages from chains:

        -d/dW_l = ⟨m_l m_{l+1}^T⟩_data - ⟨x_l x_{l+1}^T⟩_chains,

    m the means of `DeepBoltzmannMachine.mean_field` after `rounds` sweeps, x persistent chains that make
    `steps` Gibbs rounds between training steps (Salakhutdinov & Hinton 2009, sections 2.1 and 2.2). `l1`
    adds l1 sum |W|. The chains are the carry of the training. Raises `UsageError` for fewer than one round
    or step.

    >>> machine = DeepBoltzmannMachine.create((4, 3, 2), key=jax.random.key(0))
    >>> objective = DeepObjective()
    >>> carry = objective.chains(machine, 10, key=jax.random.key(1))
    >>> loss, _, carry = objective(machine, jnp.ones((5, 4), jnp.float32), carry, key=jax.random.key(2))
    >>> [x.shape for x in carry]
    [(10, 4), (10, 3), (10, 2)]
    """

    steps: int = eqx.field(static=True, default=1)
    rounds: int = eqx.field(static=True, default=10)
    l1: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        if self.steps < 1 or self.rounds < 1:
            raise UsageError(f"steps = {self.steps} and rounds = {self.rounds} must be at least 1.")
        if not self.l1 >= 0:
            raise UsageError(f"l1 = {self.l1} must be at least 0.")

    def chains(self, machine: DeepBoltzmannMachine, count: int, *, key: PRNGKeyArray) -> Layers:
        """The carry at the start: every layer drawn in zero field."""
        keys = jax.random.split(key, len(machine.units))
        return tuple(
            unit.sample(jnp.zeros((count, len(bias)), bias.dtype), key=own)
            for unit, bias, own in zip(machine.units, machine.biases, keys, strict=True)
        )

    def __call__(
        self, machine: DeepBoltzmannMachine, batch: Array, carry: Layers, *, key: PRNGKeyArray
    ) -> tuple[Scalar, dict[str, Scalar], Layers]:
        """Loss, metrics and the chains after their steps."""
        fixed = jax.lax.stop_gradient(machine)
        means = fixed.mean_field(batch.astype(machine.biases[0].dtype), rounds=self.rounds)
        carry = fixed.gibbs(carry, steps=self.steps, key=key)
        loss = jnp.mean(machine.coupling(carry)) - jnp.mean(machine.coupling(means))
        if self.l1:
            loss = loss + self.l1 * sum(jnp.sum(jnp.abs(weight)) for weight in machine.weights)
        return loss, {}, carry
