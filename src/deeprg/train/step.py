"""The compiled training step: batch, loss, gradient, update, average."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, PyTree, Scalar

from deeprg.runs.errors import UsageError
from deeprg.train.distributed import check_divisible
from deeprg.train.plan import Plan
from deeprg.train.state import TrainState, build_optimiser

__all__ = ["RECORD_KEYS", "Batches", "CompiledStep", "Objective", "compile_step", "update"]

Objective = Callable[[PyTree, Any], tuple[Scalar, dict[str, Scalar]]]
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


@dataclass(frozen=True)
class CompiledStep:
    """A step for one batch size, compiled ahead.

    `call(leaves, extras, rate) -> (leaves, numbers)` donates `leaves`; `numbers` holds one value per name.
    The cost is what the compiler counts for one device, None where it does not say.
    """

    call: Callable[..., Any]
    names: tuple[str, ...]
    size: int
    seconds: float
    flops: float | None
    bytes_accessed: float | None
    memory_bytes: int | None


def update(
    state: TrainState, objective: Objective, batch: Any, rate: Float[Array, ""], plan: Plan
) -> tuple[TrainState, dict[str, Scalar]]:
    """One step of training on a given batch, as a pure function.

    theta <- theta - rate * direction, with the direction of optax; a non-finite loss or gradient changes no
    parameter. The average follows with d_t = min(plan.ema_decay, (1 + t) / (10 + t)).
    """

    def loss_of(params: PyTree) -> tuple[Scalar, dict[str, Scalar]]:
        return objective(eqx.combine(params, state.rest), batch)

    params = state.params
    (loss, metrics), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    # A non-finite loss must not pass because its gradient happens to be finite.
    grads = jax.tree.map(lambda g: jnp.where(jnp.isfinite(loss), g, jnp.full_like(g, jnp.nan)), grads)
    opt_state: Any
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integer counters and precisions
        direction, opt_state = build_optimiser(plan).update(grads, state.opt_state, params)
        grad_norm = optax.tree.norm(grads)
    params = jax.tree.map(lambda p, d: p - rate.astype(p.dtype) * d, params, direction)

    t = state.step.astype(rate.dtype)
    warm = (1 + t) / (10 + t)
    keep = jnp.minimum(plan.ema_decay, warm)
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
        batch = batches(jax.random.fold_in(state.key, state.step), size)
        _check_batch(batch, size)
        batch = jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, cut), batch)
        state, numbers = update(state, _checked(objective), batch, rate, plan)
        names[:] = sorted(numbers)
        kind = state.smoothed.dtype
        return jax.tree.leaves(eqx.filter(state, eqx.is_array)), jnp.stack(
            [numbers[n].astype(kind) for n in names]
        )

    start = time.monotonic()
    rate = jax.ShapeDtypeStruct((), state.smoothed.dtype)
    lowered = jax.jit(step, donate_argnums=0, out_shardings=copied).lower(leaves, extras, rate)
    compiled = lowered.compile()
    cost: Any = compiled.cost_analysis() or {}
    memory: Any = compiled.memory_analysis()
    return CompiledStep(
        call=compiled,
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
    def checked(model: PyTree, batch: Any) -> tuple[Scalar, dict[str, Scalar]]:
        result = objective(model, batch)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise UsageError("the objective must return (loss, metrics) with metrics a dictionary.")
        loss, metrics = result[0], {name: jnp.asarray(value) for name, value in result[1].items()}
        if jnp.shape(loss) != () or not jnp.issubdtype(jnp.result_type(loss), jnp.floating):
            raise UsageError(f"the loss must be a real scalar, not {jax.typeof(loss)}.")
        for name, value in metrics.items():
            if value.shape != () or name in RECORD_KEYS or name == "in_a_row":
                raise UsageError(
                    f"metric '{name}' has shape {value.shape}; metrics must be scalars and not be named "
                    f"{', '.join(RECORD_KEYS)}."
                )
        return loss, metrics

    return checked
