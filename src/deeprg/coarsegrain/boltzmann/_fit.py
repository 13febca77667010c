"""Training of a Boltzmann machine on rows of data, by the one loop of `deeprg.train`."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PRNGKeyArray, Shaped

from ...runs.errors import NumericalError, UsageError
from ...train import Plan, RowBatches, TrainResult, TrainState, train
from ._monitor import monitor
from ._objective import ContrastiveDivergence
from ._rbm import RBM
from ._running import RunningEstimate, RunningPartition

__all__ = ["fit", "initial_state", "matched_bias", "trainable"]

_MONITORED = 500  # rows that the monitors see, from all over the data
_ROUNDS, _FEWEST_ROUNDS = 0.1, 100  # of the running ln Z, for each training step and at least
_EXPLODED = 1e6  # a Gaussian unit this many of its own standard deviations away is no model of anything


def matched_bias(machine: RBM, data: Shaped[Array, "n v"]) -> RBM:
    """The machine with a visible bias that gives every unit its mean in the data, where W = 0.

    Means are drawn a little towards that of the unit in zero field, so that units that never change stay
    finite. A machine without biases is returned as it is. Source: Hinton 2012, section 8.

    >>> machine = RBM.create(2, 1, visible_unit="binary", key=jax.random.key(0))
    >>> data = jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]], jnp.float32)
    >>> [round(x, 3) for x in matched_bias(machine, data).visible_bias.tolist()]
    [0.847, 0.847]
    """
    if not machine.biases:
        return machine
    rows = len(data)
    neutral = machine.visible.mean(jnp.zeros_like(machine.visible_bias))
    mean = jnp.mean(data.astype(neutral.dtype), axis=0)
    bias = machine.visible.field_of((rows * mean + neutral) / (rows + 1))
    return eqx.tree_at(lambda m: m.visible_bias, machine, bias)


def initial_state(
    machine: RBM, objective: ContrastiveDivergence, plan: Plan, *, chains: int = 100, key: PRNGKeyArray
) -> TrainState:
    """The state before the first step: what is trained, and the persistent chains as its carry.

    Raises `UsageError` for fewer than one chain.
    """
    if chains < 1:
        raise UsageError(f"chains = {chains} must be at least 1.")
    training, starting = jax.random.split(key)
    carry = objective.chains(machine, chains, key=starting) if objective.persistent else ()
    return TrainState.create(machine, plan, key=training, trainable=trainable(machine), carry=carry)


def trainable(machine: RBM) -> Any:
    """Which arrays a training moves, as a machine of truth values: all, or without biases the weights only.

    >>> trainable(RBM.create(2, 1, biases=False, key=jax.random.key(0))).visible_bias
    False
    """
    trained = jax.tree.map(lambda _: True, machine)
    if machine.biases:
        return trained
    return eqx.tree_at(lambda m: (m.visible_bias, m.hidden_bias), trained, (False, False))


def fit(
    machine: RBM,
    data: ArrayLike,
    plan: Plan,
    *,
    objective: ContrastiveDivergence | None = None,
    chains: int = 100,
    held_out: ArrayLike | None = None,
    state: TrainState | None = None,
    running_partition: bool = False,
    key: PRNGKeyArray,
    on_chunk: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> TrainResult:
    """Train `machine` on rows of statistics; `result.state.model` is the trained one.

    `data` and `held_out` are checked against the units. `objective` defaults to PCD-1. Every second or two
    `on_chunk` gets a record with the monitors; with `running_partition` also log_partition, its error, and
    the mean log_likelihood of training and held-out rows by `RunningPartition`, where a tenth of the time is
    enough for it. `state` continues an earlier training; `options` go to `deeprg.train.train` (checkpoints,
    stop, time_limit, devices, ...).

    Raises:
        UsageError: data that are not in the domain of the visible units, of the wrong width, or empty.
        NumericalError: units without a bound that ran away, with the singular value that lets them.

    >>> plan = Plan(steps=200, batch=20, learning_rate=0.05, optimiser="sgd", steps_per_call=20)
    >>> rows = np.sign(np.random.default_rng(0).normal(size=(500, 1)) * np.ones(4))    # all up or down
    >>> result = fit(RBM.create(4, 2, key=jax.random.key(0)), rows, plan, key=jax.random.key(1))
    >>> F = result.state.model.free_energy(jnp.array([[1.0, 1, 1, 1], [1, -1, 1, -1]], jnp.float32))
    >>> bool(F[0] < F[1] - 1)
    True
    """
    rows = _checked(machine, data, "data")
    others = None if held_out is None else _checked(machine, held_out, "held_out")
    objective = ContrastiveDivergence() if objective is None else objective
    machine.check_normalisable()
    starting, watching = jax.random.split(key)
    if state is None:
        state = initial_state(machine, objective, plan, chains=chains, key=starting)
    kind = machine.weights.dtype
    seen = _some(rows).astype(kind)
    unseen = None if others is None else _some(others).astype(kind)

    running, step = None, int(state.step)

    def watch(state: TrainState) -> dict[str, float]:
        nonlocal running, step
        _refuse_runaway(state)
        down, along = jax.random.split(jax.random.fold_in(watching, state.step))
        numbers = monitor(state.model, seen, unseen, key=down)
        if running_partition:
            if running is None:
                running = RunningPartition(state.model, seen, key=along)
            rounds = max(_FEWEST_ROUNDS, round(_ROUNDS * (int(state.step) - step)))
            found = running.update(state.model, rounds=rounds, key=along)
            step = int(state.step)
            numbers |= {} if found is None else _likelihoods(state.model, found, seen, unseen)
        return numbers

    return train(state, objective, RowBatches(rows), plan, monitor=watch, on_chunk=on_chunk, **options)


def _likelihoods(machine: RBM, found: RunningEstimate, seen: Array, unseen: Array | None) -> dict[str, float]:
    parts = {"log_likelihood": seen} | ({} if unseen is None else {"log_likelihood_held_out": unseen})
    means = {
        name: -float(machine.free_energy(rows).mean()) - found.log_partition for name, rows in parts.items()
    }
    return {"log_partition": found.log_partition, "log_partition_error": found.error} | means


def _checked(machine: RBM, data: Any, what: str) -> Array:
    array = np.asarray(data)
    width = machine.weights.shape[0]
    if array.ndim != 2 or array.shape[1] != width or not len(array):
        raise UsageError(
            f"{what} has shape {array.shape}; rows of {width} numbers are needed, [n, {width}] "
            f"({machine.n_visible} '{machine.visible.name}' units)."
        )
    machine.visible.check(array, what)
    small = machine.visible.states is not None  # whole numbers of few values: a byte each
    return jnp.asarray(array.astype(np.int8 if small else machine.weights.dtype))


def _some(rows: Array) -> Array:
    """Up to `_MONITORED` rows at equal distances."""
    return rows[:: -(-len(rows) // _MONITORED)]


def _refuse_runaway(state: TrainState) -> None:
    """Chains of unbounded units that have left every scale, before they become infinite."""
    state.model.check_normalisable()
    if isinstance(state.carry, tuple) or state.model.hidden.states is not None:
        return
    largest = float(jnp.max(jnp.abs(state.carry)))
    if not largest < _EXPLODED:
        raise NumericalError(
            f"'{state.model.hidden.name}' hidden units reached {largest:.3g} after {int(state.step)} steps: "
            "the machine has no normalisable law or is about to lose it. Lower learning_rate, raise l2, or "
            "take bounded units on one side."
        )
