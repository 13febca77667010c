"""The compiled training step: batch, loss, gradient, update, average."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, Scalar

from deeprg.runs.errors import UsageError
from deeprg.train.distributed import check_divisible
from deeprg.train.plan import Plan
from deeprg.train.state import TrainState, build_optimiser

__all__ = ["RECORD_KEYS", "Batches", "CompiledStep", "Objective", "compile_step", "update"]

# objective(model, batch) -> (loss, metrics); with a carry in the state
# objective(model, batch, carry, key=key) -> (loss, metrics, carry).
Objective = Callable[..., tuple[Any, ...]]
Batches = Callable[[Any, int], Any]

# Names in a record that metrics of the objective cannot take.
RECORD_KEYS = (
    "step",
    "progress",
    "batch",
    "loss",
    "loss_error",
    "smoothed",
    "learning_rate",
    "grad_norm",
    "skipped",
    "seconds",
    "steps_per_second",
    "seconds_left",
)
_SMOOTHING = 0.99
_OBJECTIVE = 1  # what the objective draws is apart from what the batch draws


@dataclass(frozen=True)
class CompiledStep:
    """A step for one batch size, compiled ahead.

    `call(leaves, extras, rates) -> (leaves, numbers)` makes one step for each of the `rates`, at most
    `plan.steps_per_call`, and donates `leaves`; `numbers` [steps or more, names] has one row per step.
    `program` is what the compiler made, and the cost what it counts for one device and one step, None where
    it does not say.
    """

    call: Callable[..., Any]
    program: Any
    names: tuple[str, ...]
    size: int
    seconds: float
    flops: float | None
    bytes_accessed: float | None
    memory_bytes: int | None


def update(
    state: TrainState,
    objective: Objective,
    batch: Any,
    rate: Float[Array, ""],
    plan: Plan,
    *,
    key: PRNGKeyArray | None = None,
) -> tuple[TrainState, dict[str, Scalar]]:
    """One step of training on a given batch, as a pure function; `key` is for an objective with a carry.

    theta <- theta - rate * direction, with the direction of optax; a non-finite loss or gradient changes no
    parameter and no carry. The average follows with d_t = min(plan.ema_decay, (1 + t) / (10 + t)).
    """

    def loss_of(params: PyTree) -> tuple[Scalar, tuple[dict[str, Scalar], PyTree]]:
        model = eqx.combine(params, state.rest)
        if state.carry is None:
            loss, metrics = objective(model, batch)
            return loss, (metrics, None)
        loss, metrics, carry = objective(model, batch, state.carry, key=key)
        return loss, (metrics, carry)

    params = state.params
    (loss, (metrics, carry)), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    carry = jax.tree.map(lambda new, old: jnp.where(jnp.isfinite(loss), new, old), carry, state.carry)
    opt_state: Any
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counters and precisions
        grad_norm = optax.tree.norm(grads)
        # A non-finite loss must not pass because its gradient happens to be finite.
        finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
        direction, opt_state = build_optimiser(plan).update(grads, state.opt_state, params, finite=finite)
    params = jax.tree.map(lambda p, d: p - rate.astype(p.dtype) * d, params, direction)

    t = state.step.astype(rate.dtype)
    warm = (1 + t) / (10 + t)
    keep = jnp.minimum(plan.ema_decay, warm)
    ema = params
    if plan.ema_decay > 0:
        ema = jax.tree.map(lambda m, p: p + keep.astype(p.dtype) * (m - p), state.ema, params)
    smoothed = _smooth(state.smoothed, loss.astype(state.smoothed.dtype), warm)
    state = TrainState(
        model=eqx.combine(params, state.rest),
        ema=ema,
        opt_state=opt_state,
        key=state.key,
        step=state.step + 1,
        smoothed=smoothed,
        best=jnp.minimum(state.best, smoothed),
        seconds=state.seconds,
        carry=carry,
    )
    numbers = {
        **metrics,
        "loss": loss,
        "grad_norm": grad_norm,
        "skipped": opt_state.total_notfinite,
        "in_a_row": opt_state.notfinite_count,
        "smoothed": smoothed,
    }
    return state, numbers


def _smooth(before: Float[Array, ""], loss: Float[Array, ""], warm: Float[Array, ""]) -> Float[Array, ""]:
    keep = jnp.minimum(_SMOOTHING, warm).astype(loss.dtype)
    start = jnp.where(jnp.isfinite(before), before, loss)
    return jnp.where(jnp.isfinite(loss), loss + keep * (start - loss), before)


def compile_step(
    state: TrainState, objective: Objective, batches: Batches, plan: Plan, size: int, mesh: Mesh
) -> CompiledStep:
    """Compile the step for one batch size ahead of its first use.

    `leaves` of the compiled call are the arrays of `state` (`jax.tree.leaves(eqx.filter(state,
    eqx.is_array))`), `extras` those of (objective, batches), so that data and constants held by them are
    arguments. Raises `UsageError` when the batch, the loss or the metrics do not have the promised form.
    """
    check_divisible(size, mesh)
    arrays, static = eqx.partition(state, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    extra_arrays, static_extras = eqx.partition((objective, batches), eqx.is_array)
    extras, extra_structure = jax.tree.flatten(extra_arrays)
    copied, cut = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
    names: list[str] = []

    def step(leaves: list[Array], extras: list[Array], rate: Float[Array, ""]) -> tuple[list[Array], Array]:
        state = eqx.combine(jax.tree.unflatten(structure, leaves), static)
        objective, batches = eqx.combine(jax.tree.unflatten(extra_structure, extras), static_extras)
        key = jax.random.fold_in(state.key, state.step)
        batch = batches(key, size)
        _check_batch(batch, size)
        batch = jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, cut), batch)
        state, numbers = update(
            state, _checked(objective), batch, rate, plan, key=jax.random.fold_in(key, _OBJECTIVE)
        )
        names[:] = sorted(numbers)
        kind = state.smoothed.dtype
        return jax.tree.leaves(eqx.filter(state, eqx.is_array)), jnp.stack(
            [numbers[n].astype(kind) for n in names]
        )

    def steps(
        leaves: list[Array], extras: list[Array], rates: Float[Array, " most"], count: Int[Array, ""]
    ) -> tuple[list[Array], Array]:
        # The number of steps is an argument: one program, and so the same bits, wherever a chunk ends.
        def one(i: Array, both: tuple[list[Array], Array]) -> tuple[list[Array], Array]:
            leaves, numbers = step(both[0], extras, rates[i])
            return leaves, both[1].at[i].set(numbers)

        width = jax.eval_shape(step, leaves, extras, rates[0])[1].shape[0]
        return jax.lax.fori_loop(0, count, one, (leaves, jnp.zeros((len(rates), width), rates.dtype)))

    start = time.monotonic()
    kind, most = state.smoothed.dtype, plan.steps_per_call
    if most == 1:
        lowered = jax.jit(step, donate_argnums=0, out_shardings=copied).lower(
            leaves, extras, jax.ShapeDtypeStruct((), kind)
        )
    else:
        lowered = jax.jit(steps, donate_argnums=0, out_shardings=copied).lower(
            leaves, extras, jax.ShapeDtypeStruct((most,), kind), jax.ShapeDtypeStruct((), jnp.int32)
        )
    compiled = lowered.compile()

    def call(leaves: list[Array], extras: list[Array], rates: np.ndarray) -> tuple[list[Array], Array]:
        rates = rates.astype(kind)
        if most == 1:
            return compiled(leaves, extras, rates[0])
        return compiled(leaves, extras, np.resize(rates, most), np.int32(len(rates)))

    cost: Any = compiled.cost_analysis() or {}
    memory: Any = compiled.memory_analysis()
    return CompiledStep(
        call=call,
        program=compiled,
        names=tuple(names),
        size=size,
        seconds=time.monotonic() - start,
        flops=cost.get("flops"),
        bytes_accessed=cost.get("bytes accessed"),
        memory_bytes=None if memory is None else memory.temp_size_in_bytes + memory.argument_size_in_bytes,
    )


def _check_batch(batch: Any, size: int) -> None:
    for leaf in jax.tree.leaves(batch):
        if leaf.shape[:1] != (size,):
            raise UsageError(
                f"batches(key, {size}) returned shape {leaf.shape}; axis 0 must have the asked size."
            )


def _checked(objective: Objective) -> Objective:
    def checked(model: PyTree, batch: Any, *carry: PyTree, **options: Any) -> tuple[Any, ...]:
        result = objective(model, batch, *carry, **options)
        if not (isinstance(result, tuple) and len(result) == 2 + len(carry) and isinstance(result[1], dict)):
            form = "(loss, metrics, carry)" if carry else "(loss, metrics)"
            raise UsageError(f"the objective must return {form} with metrics a dictionary.")
        loss, metrics = result[0], {name: jnp.asarray(value) for name, value in result[1].items()}
        if jnp.shape(loss) != () or not jnp.issubdtype(jnp.result_type(loss), jnp.floating):
            raise UsageError(f"the loss must be a real scalar, not {jax.typeof(loss)}.")
        for name, value in metrics.items():
            if value.shape != () or name in RECORD_KEYS or name == "in_a_row":
                raise UsageError(
                    f"metric '{name}' has shape {value.shape}; metrics must be scalars and not be named "
                    f"{', '.join(RECORD_KEYS)}."
                )
        return loss, metrics, *result[2:]

    return checked
