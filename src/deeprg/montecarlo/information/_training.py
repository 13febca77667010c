"""What trained estimators share: the samples split and mapped, the plan, the training, common flags."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from numpy.typing import ArrayLike

from deeprg.montecarlo.information._coordinates import SCALES, Coordinates
from deeprg.montecarlo.information._samples import block_edges, paired
from deeprg.runs.errors import UsageError
from deeprg.train import Plan, RowBatches, TrainState, train

__all__ = ["DEFAULT_PLAN"]

_FEWEST = 1000
_PER_COLUMN = 20
_MOST_LOST = 0.05  # nats
_CHOOSING, _MOST_CHOOSING = 0.2, 2048
_GAINS = (0.0, 0.25, 0.5, 0.75, 1.0)

DEFAULT_PLAN = Plan(
    steps=600,
    batch=256,
    learning_rate=3e-3,
    warmup=0.05,
    clip_norm=1.0,
    optimiser="adamw",
    weight_decay=0.1,
    ema_decay=0.99,
    steps_per_call=50,
)
"""How critics are trained where nothing else is asked for."""


@dataclass(frozen=True)
class Parts:
    """Rows (x, y) in the `Coordinates` of the first ones: `seen` train, `choosing` tune, `unseen` judge.

    `dx` is the number of the columns of x.
    """

    seen: np.ndarray
    choosing: np.ndarray
    unseen: np.ndarray
    dx: int
    coordinates: Coordinates

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike, *, scale: str, held_out: float, blocks: int) -> "Parts":
        """The last share `held_out` of the samples is unseen."""
        a, b = paired(x, y)
        n, width = len(a), a.shape[1] + b.shape[1]
        if n < (fewest := max(_FEWEST, _PER_COLUMN * width)):
            raise UsageError(
                f"{n} samples of {width} columns are too few to train and to judge; take {fewest} or more, "
                "or fewer columns."
            )
        if not 0 < held_out < 1:
            raise UsageError(f"held_out = {held_out} is a share of the samples, between 0 and 1.")
        if scale not in SCALES:
            raise UsageError(f"scale = '{scale}' is unknown; take 'ranks' or 'deviations'.")
        last = n - round(held_out * n)
        first = last - round(_CHOOSING * last)
        if first < (fewest := max(_FEWEST, _PER_COLUMN * width) // 4):
            raise UsageError(
                f"held_out = {held_out} leaves {first} samples to train, at least {fewest} are needed; "
                "hold out fewer."
            )
        block_edges(n - last, blocks)  # refuses too few
        for name, part in (("x", a), ("y", b)):
            if (np.ptp(part[:first], axis=0) == 0).any():
                raise UsageError(
                    f"A column of {name} is constant in the first {first} samples; shuffle them."
                )
        coordinates = Coordinates.fitted(a[:first], b[:first], scale)
        rows = coordinates(a, b)
        return cls(rows[:first], rows[first:last], rows[last:], a.shape[1], coordinates)

    def labelled(self, states: np.ndarray) -> "Parts":
        """These rows with the columns of y replaced by a label 0 ... K - 1 of each sample."""
        rows = np.vstack([self.seen, self.choosing, self.unseen])[:, : self.dx]
        cuts = np.cumsum([len(self.seen), len(self.choosing)])
        seen, choosing, unseen = np.split(np.hstack([rows, states[:, None]]).astype(np.float32), cuts)
        return dataclasses.replace(self, seen=seen, choosing=choosing, unseen=unseen)

    def trained(self, model: Any, objective: Callable[..., Any], plan: Plan, *, key: PRNGKeyArray) -> Any:
        """The model after a training on the seen rows, on one device, with averaged parameters.

        Its `gain` is that of `_GAINS` which makes the objective least on rows that did not train it.
        """
        state = TrainState.create(model, plan, key=key)
        rows = RowBatches(jnp.asarray(self.seen))
        model = train(state, objective, rows, plan, devices=jax.local_devices()[:1]).state.averaged
        choosing = jnp.asarray(self.choosing[:_MOST_CHOOSING])
        models = [eqx.tree_at(lambda m: m.gain, model, jnp.asarray(c, jnp.float32)) for c in _GAINS]
        return min(models, key=lambda one: _finite(float(_loss(objective, one, choosing))))

    def flags(self, value: float, error: float, on_seen: float) -> list[str]:
        """Flags for too few samples, by their number and by what they look like to the model."""
        flags = []
        n, dy = len(self.seen), self.seen.shape[1] - self.dx
        if (lost := self.dx * dy / (2 * n)) > _MOST_LOST:
            flags.append(
                f"{n} samples to train in {self.dx} + {dy} dimensions: the correlations alone cost about "
                f"{lost:.2g} nats, and the value is too low. Take more samples."
            )
        if on_seen - value > max(_MOST_LOST, 0.1 * abs(value), 4 * error):
            flags.append(
                f"The samples that were trained on give {on_seen:.3g}, the others {value:.3g}: the network "
                "learned by heart and the value is too low. Take more samples or fewer steps."
            )
        return flags


@eqx.filter_jit
def _loss(objective: Callable[..., Any], model: Any, rows: Array) -> Array:
    return objective(model, rows)[0]


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
