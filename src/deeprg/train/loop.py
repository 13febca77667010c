"""The training loop: loss in, state out."""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np

from deeprg.runs.errors import NumericalError, UsageError
from deeprg.train.checkpoint import Checkpoints
from deeprg.train.distributed import agree, check_divisible, data_mesh, replicate, to_local
from deeprg.train.plan import Plan
from deeprg.train.state import TrainState, build_optimiser
from deeprg.train.step import Batches, CompiledStep, Objective, compile_step
from deeprg.train.stop import REASONS, StopRequest

__all__ = ["EXIT_CODES", "TrainResult", "train"]

# What a command line returns for each reason to end.
EXIT_CODES = {"done": 0, "time": 75, "sigterm": 75, "interrupt": 130}
_CHUNK_SECONDS, _SLOWEST_CHUNK, _LONGEST_CHUNK, _FIRST_CHUNK = 1.5, 15.0, 2000, 3


@dataclass(frozen=True)
class TrainResult:
    """What a training gives back.

    `reason`: "done", or why it stopped early: "time", "sigterm", "interrupt". `seconds_per_step` is the
    median over chunks without compilation, and `step_seconds` the same per batch size; NaN when no step was
    made. `compiled` holds the compiler's counts (flops, bytes, memory) per batch size.
    """

    state: TrainState
    reason: str
    seconds_per_step: float
    compile_seconds: float
    step_seconds: dict[int, float] = field(default_factory=dict)
    compiled: dict[int, CompiledStep] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """What a command line returns: 0, 75 (resumable) or 130 (Ctrl-C)."""
        return EXIT_CODES[self.reason]


def train(
    state: TrainState,
    objective: Objective,
    batches: Batches,
    plan: Plan,
    *,
    checkpoints: Checkpoints | None = None,
    on_chunk: Callable[[dict[str, Any]], None] | None = None,
    on_event: Callable[[str], None] | None = None,
    monitor: Callable[[TrainState], dict[str, float]] | None = None,
    stop: StopRequest | None = None,
    time_limit: float | None = None,
    devices: Sequence[Any] | None = None,
) -> TrainResult:
    """Train until the plan is done, a signal arrives or `time_limit` (minutes of this call) is over.

    - `objective(model, batch) -> (loss, metrics)`: scalars. Both may be eqx.Modules that hold arrays. With a
      `carry` in the state it is `objective(model, batch, carry, key=key) -> (loss, metrics, carry)`.
    - `batches(key, size) -> array [size, ...]`: axis 0 is cut over all `devices` (default: all there are).
    - `on_chunk(record)` gets, every second or two: step, progress, batch, loss and its error, smoothed,
      learning_rate, grad_norm, skipped (in total), seconds, steps_per_second, seconds_left, and the mean of
      every metric, and the numbers of `monitor(state)` if there is one. `on_event(text)` gets what is worth a
      line in a log. The loop itself prints nothing.
    - `checkpoints` are written on their cadence and at the end, whatever the reason to stop.

    Step t draws its batch from fold_in(key, t): continuing from a checkpoint gives the same bits as never
    having stopped, on the same machine and devices, unless the plan depends on the clock. Where chunks end
    has no influence on the numbers. With several processes the clock of process 0 counts.

    Raises `UsageError` for a batch that the devices cannot share, and `NumericalError` after
    `plan.max_skipped` non-finite steps in a row, or where more than half of all were such; the last finite
    state is then in the checkpoint.

    >>> import jax.numpy as jnp
    >>> from deeprg.train import Plan, TrainState, key_batches, train
    >>> def objective(mean, keys):
    ...     x = jax.vmap(jax.random.normal)(keys)
    ...     return jnp.mean((x - mean) ** 2), {}
    >>> plan = Plan(steps=200, batch=32, learning_rate=0.1)
    >>> state = TrainState.create(jnp.array(3.0), plan, key=jax.random.key(0))
    >>> result = train(state, objective, key_batches, plan)
    >>> result.reason, bool(abs(result.state.model) < 0.1)
    ('done', True)
    """
    with StopRequest() if stop is None else contextlib.nullcontext(stop) as asked:
        loop = _Loop(plan, checkpoints, on_chunk, on_event, monitor, asked, time_limit)
        return loop.run(state, objective, batches, devices)


class _Loop:
    """The moving parts of one call of `train`."""

    def __init__(
        self,
        plan: Plan,
        checkpoints: Checkpoints | None,
        on_chunk: Callable[[dict[str, Any]], None] | None,
        on_event: Callable[[str], None] | None,
        monitor: Callable[[TrainState], dict[str, float]] | None,
        stop: StopRequest,
        time_limit: float | None,
    ):
        self.plan, self.checkpoints, self.stop = plan, checkpoints, stop
        self.time_limit = math.inf if time_limit is None else 60.0 * time_limit
        self.on_chunk = on_chunk or (lambda record: None)
        self.on_event = on_event or (lambda text: None)
        self.monitor = monitor
        self.timings: list[tuple[int, float]] = []  # per chunk: batch size, seconds per step
        self.compiled: dict[int, CompiledStep] = {}
        self.start = time.monotonic()

    def run(
        self, state: TrainState, objective: Objective, batches: Batches, devices: Sequence[Any] | None
    ) -> TrainResult:
        plan, before, step = self.plan, state.seconds, int(state.step)
        progress = plan.progress(step, before)
        if not self.time_limit > 0:
            raise UsageError(f"time_limit = {self.time_limit / 60.0} minutes must be positive.")
        if progress >= 1.0:
            return self.result(state, "done")
        if step:
            self.on_event(f"continuing after step {step}")
        expected = jax.eval_shape(build_optimiser(plan).init, state.params)
        if jax.tree.structure(expected) != jax.tree.structure(state.opt_state):
            raise UsageError(
                "the state was made for a plan with another optimiser or clipping. Make it with "
                "TrainState.create(model, plan, key=key) for this plan."
            )
        mesh = data_mesh(devices)
        sizes = plan.sizes_from(progress)
        for size in sizes:
            check_divisible(size, mesh)
        arrays, static = eqx.partition(state, eqx.is_array)
        arrays = replicate(arrays, mesh)
        extras = replicate(jax.tree.leaves(eqx.filter((objective, batches), eqx.is_array)), mesh)
        for size in sizes:
            self.on_event(f"compiling the step for batch {size}")
            made = compile_step(eqx.combine(arrays, static), objective, batches, plan, size, mesh)
            self.compiled[size] = made
            self.on_event(f"compiled the step for batch {size} in {made.seconds:.1f} s")
        leaves, structure = jax.tree.flatten(arrays)

        def current() -> TrainState:
            # The only place where parameters leave the devices.
            local = to_local(jax.tree.unflatten(structure, leaves))
            return eqx.tree_at(lambda s: s.seconds, eqx.combine(local, static), before + self.elapsed())

        # Several CPU devices of one process share a thread pool. Steps queued ahead of a collective can take
        # all its threads and wait for each other forever, so there each step is waited for.
        crowded = mesh.devices.flat[0].platform == "cpu" and len(mesh.local_devices) > 1
        size, most = 0, plan.steps_per_call
        while True:
            elapsed, per_step, asked = self.synchronise()
            seconds = before + elapsed
            progress = max(progress, plan.progress(step, seconds))
            if progress >= 1.0 or asked or elapsed >= self.time_limit:
                reason = "done" if progress >= 1.0 else asked or "time"
                break
            if size not in (0, plan.size_at(progress)):
                self.on_event(f"batch {size} -> {plan.size_at(progress)} at step {step}")
            size = plan.size_at(progress)
            if self.timings:
                per_step *= size / self.timings[-1][0]
            left = math.inf if plan.minutes is None else 60.0 * plan.minutes - seconds
            count = _chunk_length(per_step, min(left, self.time_limit - elapsed))
            begun, rows, made, rates = time.monotonic(), [], 0, []
            while made < count:
                coming: list[float] = []
                for i in range(made, min(made + most, count)):
                    progress = max(progress, plan.progress(step + len(coming), seconds + i * per_step))
                    if i and self.ends_chunk(step + len(coming), size, progress):
                        break
                    coming.append(plan.rate_at(progress))
                if not coming:
                    break
                rates = coming
                leaves, numbers = self.compiled[size].call(leaves, extras, np.array(rates))
                rows.append((numbers, len(rates)))
                if crowded:
                    jax.block_until_ready(numbers)
                step, made = step + len(rates), made + len(rates)
            # The only wait for the devices.
            table = np.concatenate([np.atleast_2d(jax.device_get(block))[:n] for block, n in rows])
            table = table.astype(np.float64)
            self.timings.append((size, (time.monotonic() - begun) / made))
            numbers = dict(zip(self.compiled[size].names, table.T, strict=True))
            record = {"step": step, "progress": progress, "batch": size, "learning_rate": rates[-1]}
            record |= _average(numbers) | self.clock(step, before)
            if self.monitor is not None:
                record |= self.monitor(current())
            self.on_chunk(record)
            if numbers["in_a_row"].max() >= plan.max_skipped:
                raise self.failure(f"for {plan.max_skipped} steps in a row, before", step, current())
            if self.checkpoints is not None and self.checkpoints.due:
                self.checkpoints.save(current())
        state = current()
        if reason == "done" and 2 * state.skipped > step:
            raise self.failure(f"in {state.skipped} steps, more than half of all, up to", step, state)
        if step == 0 and reason == "done" and not asked:
            compiling = sum(made.seconds for made in self.compiled.values())
            raise UsageError(
                f"minutes = {plan.minutes} were over before the first step: compilation took "
                f"{compiling:.1f} s. Give more minutes to a new run, "
                "or --resume with --minutes M --allow-change train.minutes."
            )
        if self.checkpoints is not None:
            self.checkpoints.save(state)
        self.on_event(f"{'done' if reason == 'done' else f'stopped ({reason})'} at step {step}")
        return self.result(state, reason)

    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def synchronise(self) -> tuple[float, float, str | None]:
        """Seconds of this call, seconds per step (0: unknown), reason to stop; equal on all processes."""
        reason = self.stop.reason
        code = 0 if reason is None else 1 + REASONS.index(reason)
        rows = agree([self.elapsed(), self.timings[-1][1] if self.timings else 0.0, float(code)])
        code = int(rows[:, 2].max())
        return float(rows[0, 0]), float(rows[0, 1]), REASONS[code - 1] if code else None

    def ends_chunk(self, step: int, size: int, progress: float) -> bool:
        # Several processes must leave a chunk together, so there a signal waits for its end.
        stopped = self.stop.reason is not None and jax.process_count() == 1
        return stopped or step == self.plan.steps or self.plan.size_at(progress) != size

    def clock(self, step: int, before: float) -> dict[str, float]:
        plan, per_step, seconds = self.plan, self.timings[-1][1], before + self.elapsed()
        left = [] if plan.steps is None else [(plan.steps - step) * per_step]
        left += [] if plan.minutes is None else [60.0 * plan.minutes - seconds]
        return {"seconds": seconds, "steps_per_second": 1.0 / per_step, "seconds_left": max(0.0, min(left))}

    def failure(self, how: str, step: int, state: TrainState) -> NumericalError:
        kept = ""
        if self.checkpoints is not None:
            self.checkpoints.save(state)
            kept = f" The last finite state is in '{self.checkpoints.last}'."
        return NumericalError(
            f"the loss or its gradient was not finite {how} step {step} (smoothed loss "
            f"{float(state.smoothed):.6g}). Lower learning_rate, or set clip_norm.{kept}"
        )

    def result(self, state: TrainState, reason: str) -> TrainResult:
        timings = self.timings[1:] or self.timings  # the first chunk still warms up
        per_size = {size: [t for s, t in timings if s == size] for size, _ in timings}
        return TrainResult(
            state=state,
            reason=reason,
            seconds_per_step=statistics.median(t for _, t in timings) if timings else math.nan,
            compile_seconds=sum((made.seconds for made in self.compiled.values()), 0.0),
            step_seconds={size: statistics.median(times) for size, times in per_size.items()},
            compiled=self.compiled,
        )


def _chunk_length(per_step: float, room: float) -> int:
    """About 1.5 s of steps, at least 10 unless they are very slow, within the `room` (seconds) left."""
    if not per_step:
        return _FIRST_CHUNK
    count = max(_CHUNK_SECONDS / per_step, min(10.0, _SLOWEST_CHUNK / per_step))
    return int(max(1.0, min(count, _LONGEST_CHUNK, room / per_step)))


def _average(numbers: dict[str, np.ndarray]) -> dict[str, float]:
    """Means over the finite steps of a chunk, standard error of the loss, counts at its end."""
    good = np.isfinite(numbers["loss"]) & np.isfinite(numbers["grad_norm"])
    means = {name: float(column[good].mean()) if good.any() else math.nan for name, column in numbers.items()}
    error = float(numbers["loss"][good].std(ddof=1)) / math.sqrt(good.sum()) if good.sum() > 1 else math.nan
    del means["in_a_row"]
    last = {"skipped": int(numbers["skipped"][-1]), "smoothed": float(numbers["smoothed"][-1])}
    return {**means, "loss_error": error, **last}
