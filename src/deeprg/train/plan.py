"""How long to train and how fast: limits, learning rate, batch ramp. Plain numbers, no jax."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deeprg.runs.errors import UsageError, nearest

__all__ = ["DECAYS", "OPTIMISERS", "Plan"]

DECAYS = ("cosine", "constant")
OPTIMISERS = ("adam", "adamw", "sgd")


@dataclass(frozen=True)
class Plan:
    """The settings of one training.

    Everything that changes while training is a function of

        progress = max(step / steps, seconds / (60 minutes))  in [0, 1],

    and training is done at progress 1, whichever limit comes first. With `steps` alone the numbers do not
    depend on the clock and a resumed training is bit-identical; with `minutes` the rate follows the clock.

    - `steps`, `minutes`: at least one of them. Minutes count from the start of the loop, with compilation.
    - `batch`: one size, or a ramp of pairs (from this progress on, size). Each size is compiled once.
    - `learning_rate`: the peak. It rises linearly from 0 during the fraction `warmup`, then falls on a cosine
      to `final_fraction` of the peak (`decay="cosine"`) or stays (`"constant"`).
    - `clip_norm`: global norm to which gradients are clipped, None for never.
    - `optimiser`, `b1`, `b2`, `eps`, `weight_decay`: optax.adam (decay as an L2 penalty in the gradient) or
      optax.adamw (decoupled decay), or "sgd": optax.sgd with `momentum`, v <- momentum v + g.
    - `ema_decay`: of the averaged parameters, d_t = min(ema_decay, (1 + t) / (10 + t)) at update t = 0, 1 ...
    - `steps_per_call`: that many steps are one call of the compiled program, which saves the overhead of very
      short steps; 1 is best for long ones.
    - `max_skipped`: that many non-finite steps in a row end the training with `NumericalError`.

    Raises `UsageError` for impossible values.

    >>> from deeprg.train import Plan
    >>> plan = Plan(steps=100, learning_rate=0.01, warmup=0.1, batch=[(0.0, 64), (0.5, 256)])
    >>> plan.rate_at(plan.progress(5, 0.0)), plan.size_at(0.7)
    (0.005, 256)
    """

    steps: int | None = None
    minutes: float | None = None
    batch: int | Sequence[Sequence[float | int]] = 256
    learning_rate: float = 1e-3
    warmup: float = 0.0
    decay: str = "cosine"
    final_fraction: float = 0.0
    clip_norm: float | None = None
    optimiser: str = "adam"
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    ema_decay: float = 0.999
    steps_per_call: int = 1
    max_skipped: int = 20

    def __post_init__(self):
        if self.steps is None and self.minutes is None:
            raise UsageError("how long to train is not said. Give steps, minutes or both.")
        _check(self.steps is None or self.steps >= 1, "steps", self.steps, "at least 1")
        _check(self.minutes is None or self.minutes > 0, "minutes", self.minutes, "positive")
        _check(self.learning_rate > 0, "learning_rate", self.learning_rate, "positive")
        _check(0 <= self.warmup < 1, "warmup", self.warmup, "in [0, 1): a fraction of the training")
        _check(0 <= self.final_fraction <= 1, "final_fraction", self.final_fraction, "in [0, 1]")
        _check(self.clip_norm is None or self.clip_norm > 0, "clip_norm", self.clip_norm, "positive or none")
        _check(0 <= self.b1 < 1, "b1", self.b1, "in [0, 1)")
        _check(0 <= self.b2 < 1, "b2", self.b2, "in [0, 1)")
        _check(self.eps > 0, "eps", self.eps, "positive")
        _check(0 <= self.momentum < 1, "momentum", self.momentum, "in [0, 1)")
        _check(self.momentum == 0 or self.optimiser == "sgd", "momentum", self.momentum, "0 but for sgd")
        _check(self.steps_per_call >= 1, "steps_per_call", self.steps_per_call, "at least 1")
        _check(self.weight_decay >= 0, "weight_decay", self.weight_decay, "at least 0")
        _check(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "in [0, 1)")
        _check(self.max_skipped >= 1, "max_skipped", self.max_skipped, "at least 1")
        for name, value, options in (
            ("decay", self.decay, DECAYS),
            ("optimiser", self.optimiser, OPTIMISERS),
        ):
            hint = nearest(value, options)
            _check(value in options, name, value, f"one of {', '.join(options)}", hint)
        object.__setattr__(self, "batch", _ramp(self.batch))

    @property
    def depends_on_clock(self) -> bool:
        """Whether a resumed training can differ from an uninterrupted one."""
        return self.minutes is not None

    def progress(self, step: int, seconds: float) -> float:
        """The done fraction after `step` steps and `seconds` of training, in [0, 1]."""
        by_step = 0.0 if self.steps is None else step / self.steps
        by_clock = 0.0 if self.minutes is None else seconds / (60.0 * self.minutes)
        return min(1.0, max(by_step, by_clock))

    def multiplier(self, progress: float) -> float:
        """The learning rate at `progress`, relative to its peak.

        >>> Plan(steps=10, final_fraction=0.5).multiplier(0.5)
        0.75
        """
        if progress < self.warmup:
            return progress / self.warmup
        if self.decay == "constant":
            return 1.0
        done = (progress - self.warmup) / (1.0 - self.warmup)
        return self.final_fraction + (1.0 - self.final_fraction) * 0.5 * (1.0 + math.cos(math.pi * done))

    def rate_at(self, progress: float) -> float:
        """The learning rate at `progress`."""
        return self.learning_rate * self.multiplier(progress)

    def size_at(self, progress: float) -> int:
        """The batch size at `progress`."""
        return next(size for start, size in reversed(self.ramp) if progress >= start)

    def sizes_from(self, progress: float) -> list[int]:
        """The batch sizes from `progress` to the end, each once, in order of use."""
        later = [size for start, size in self.ramp if start > progress]
        return list(dict.fromkeys([self.size_at(progress), *later]))

    @property
    def ramp(self) -> tuple[tuple[float, int], ...]:
        """`batch` as pairs (from this progress on, size)."""
        ramp: Any = self.batch
        return ((0.0, ramp),) if isinstance(ramp, int) else ramp


def _check(holds: bool, name: str, value: Any, allowed: str, hint: str = "") -> None:
    # NaN fails every comparison above; infinity has to be asked for.
    if not holds or (isinstance(value, float) and math.isinf(value)):
        raise UsageError(f"{name} = {value!r} must be {allowed}.{hint}")


def _ramp(batch: Any) -> int | tuple[tuple[float, int], ...]:
    text = f"batch = {batch!r}"
    if isinstance(batch, int):
        _check(batch >= 1, "batch", batch, "at least 1")
        return batch
    try:
        ramp = tuple((float(start), int(size)) for start, size in batch)
        if any(size != given for (_, size), (_, given) in zip(ramp, batch, strict=True)):
            raise ValueError
    except (TypeError, ValueError):
        raise UsageError(f"{text} must be a size or a list of pairs (from progress, size).") from None
    starts = [start for start, _ in ramp]
    if not ramp or starts[0] != 0.0 or any(a >= b for a, b in itertools.pairwise(starts)):
        raise UsageError(f"{text}: the first pair must start at progress 0, the others later and in order.")
    if not all(0.0 <= start < 1.0 for start in starts) or min(size for _, size in ramp) < 1:
        raise UsageError(f"{text}: progress must be in [0, 1) and sizes at least 1.")
    return ramp
