"""A restricted Boltzmann machine of one filter: its hidden layer is a learned block-spin rule."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, Scalar

from ...lattice import Lattice
from ...runs.errors import UsageError
from ...train import Plan, RowBatches, TrainResult, TrainState, train
from .._filter import SpinFilter

__all__ = ["FilterDivergence", "FilterMachine", "fit_filter"]

_START = 1e-5  # filters begin between plus and minus this


class FilterMachine(eqx.Module):
    """The translation-invariant RBM of spins E(v, h) = - sum_I h_I f_I(v), f_I the `SpinFilter` field.

    One filter w serves all blocks, so the machine that was trained on one lattice has a hidden layer on every
    lattice (`rule`): p(h | v) is a step of the renormalization group with w for its weight factor. There are
    no biases: it knows no field. Source: J.-H. Chung and Y.-J. Kao, Phys. Rev. Research 3, 023230 (2021),
    arXiv:2010.05703.

    >>> machine = FilterMachine(Lattice((4,)), jnp.array([0.5, 0.5]))
    >>> round(float(machine.free_energy(jnp.ones(4))), 4)                        # -2 ln 2cosh 1
    -2.2539
    """

    fine: Lattice = eqx.field(static=True)
    weights: Float[Array, "..."]
    stride: int = eqx.field(static=True, default=2)

    @classmethod
    def create(cls, fine: Lattice, side: int, *, stride: int = 2, key: PRNGKeyArray) -> "FilterMachine":
        """A machine with a filter of `side` sites along each axis, nearly zero."""
        shape = (side,) * fine.ndim
        weights = jax.random.uniform(key, shape, jnp.float32, -_START, _START)
        SpinFilter(fine, np.asarray(weights), stride=stride)  # checks the shapes
        return cls(fine, weights, stride)

    def rule(self, fine: Lattice | None = None, *, sharp: bool = False) -> SpinFilter:
        """p(h | v) on a lattice, by default the one of the training."""
        return SpinFilter(fine or self.fine, self.weights, stride=self.stride, sharp=sharp)

    def free_energy(self, v: Float[Array, "*fine"]) -> Float[Array, ""]:
        """F(v) = - sum_I ln 2 cosh f_I, p(v) = exp(-F)/Z."""
        field = self.rule().field(v)
        return -jnp.sum(jnp.logaddexp(field, -field))

    def gibbs(self, v: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*fine"]:
        """v -> h -> v', one draw of each layer."""
        up, down = jax.random.split(key)
        rule = self.rule()
        h = rule.coarsen(v, key=up)
        field = jax.grad(lambda x: jnp.vdot(h, rule.field(x)))(v)
        plus = jax.random.uniform(down, v.shape, v.dtype) < jax.nn.sigmoid(2 * field)
        return jnp.where(plus, 1.0, -1.0).astype(v.dtype)


class FilterDivergence(eqx.Module):
    """CD-k: the loss ⟨F⟩_data - ⟨F⟩_chains per hidden unit, chains `steps` rounds away from the batch.

    >>> machine = FilterMachine(Lattice((4,)), jnp.array([0.5, 0.5]))
    >>> loss, _, _ = FilterDivergence()(machine, jnp.ones((8, 4)), (), key=jax.random.key(0))
    >>> bool(loss < 0)
    True
    """

    steps: int = eqx.field(static=True, default=3)

    def __check_init__(self):
        if self.steps < 1:
            raise UsageError(f"steps = {self.steps} must be at least 1: the k of CD-k.")

    def __call__(
        self, machine: FilterMachine, batch: Array, carry: tuple[()], *, key: PRNGKeyArray
    ) -> tuple[Scalar, dict[str, Scalar], tuple[()]]:
        """Loss, metrics, nothing to carry."""
        data, fixed = batch.astype(machine.weights.dtype), jax.lax.stop_gradient(machine)

        def chain(v: Array, own: PRNGKeyArray) -> Array:
            return jax.lax.fori_loop(
                0, self.steps, lambda i, x: fixed.gibbs(x, key=jax.random.fold_in(own, i)), v
            )

        model = jax.vmap(chain)(data, jax.random.split(key, len(data)))
        energy = jax.vmap(machine.free_energy)
        hidden = machine.rule().coarse.size
        return (energy(data).mean() - energy(model).mean()) / hidden, {}, carry


def fit_filter(
    machine: FilterMachine,
    spins: ArrayLike,
    plan: Plan,
    *,
    objective: FilterDivergence | None = None,
    key: PRNGKeyArray,
    on_chunk: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> TrainResult:
    """Train the filter on configurations ±1 [n, *fine]; `result.state.model` is the trained machine.

    Raises `UsageError` for configurations of another lattice or that are no spins.

    Two aligned neighbours: the filter that sees them learns to look at both alike.

    >>> pairs = np.repeat(np.random.default_rng(0).choice((-1, 1), size=(500, 2)), 2, axis=1)
    >>> plan = Plan(steps=300, batch=50, learning_rate=0.02, steps_per_call=50)
    >>> start = FilterMachine.create(Lattice((4,)), 2, key=jax.random.key(0))
    >>> w = fit_filter(start, pairs, plan, key=jax.random.key(1)).state.model.weights
    >>> bool(w[0] * w[1] > 0.3)
    True
    """
    rows = np.asarray(spins)
    if rows.shape[1:] != machine.fine.shape or not len(rows):
        raise UsageError(
            f"The configurations have shape {rows.shape}; the machine on {machine.fine} needs "
            f"[n, {', '.join(map(str, machine.fine.shape))}]."
        )
    if (wrong := rows[np.abs(rows) != 1]).size:
        raise UsageError(f"A filter is trained on spins ±1, but the configurations hold {wrong.flat[0]:g}.")
    state = TrainState.create(machine, plan, key=key, carry=())
    batches = RowBatches(jnp.asarray(rows.astype(np.int8)))
    return train(state, objective or FilterDivergence(), batches, plan, on_chunk=on_chunk, **options)
