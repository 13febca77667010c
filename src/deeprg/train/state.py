"""Everything that a training needs to go on: parameters, their average, optimiser, key, counters."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from deeprg.runs.errors import UsageError
from deeprg.train.plan import Plan

__all__ = ["TrainState", "build_optimiser"]


def build_optimiser(plan: Plan) -> optax.GradientTransformationExtraArgs:
    """The optax chain of a plan up to the learning rate: clip, direction (Adam, momentum), weight decay.

    With "adam" and "sgd" the decay is part of the gradient (an L2 penalty, as in PyTorch); with "adamw" it is
    decoupled and comes after.

    `update(grads, state, params, finite=...)`: a step that is not finite changes neither parameters nor
    moments and is counted, as by `optax.apply_if_finite`; the loop gives up after too many. The caller has
    the norm of the gradient anyway: so no array is read once more, nor copied for the sake of a branch.
    """
    parts = [] if plan.clip_norm is None else [optax.clip_by_global_norm(plan.clip_norm)]
    if plan.optimiser == "sgd":
        scale = optax.trace(plan.momentum) if plan.momentum else optax.identity()
    else:
        scale = optax.scale_by_adam(b1=plan.b1, b2=plan.b2, eps=plan.eps)
    decay = optax.add_decayed_weights(plan.weight_decay)
    parts += [scale, decay] if plan.optimiser == "adamw" else [decay, scale]
    return _guarded(optax.chain(*parts))


def _guarded(chain: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    def init(params: PyTree) -> optax.ApplyIfFiniteState:
        none = jnp.zeros((), jnp.int32)
        return optax.ApplyIfFiniteState(none, jnp.array(True), none, chain.init(params))

    def update(
        updates: PyTree, state: Any, params: PyTree = None, **extra: Any
    ) -> tuple[PyTree, optax.ApplyIfFiniteState]:
        finite = extra["finite"]
        moved, inner = chain.update(updates, state.inner_state, params)
        moved = jax.tree.map(lambda x: jnp.where(finite, x, jnp.zeros_like(x)), moved)
        inner = jax.tree.map(lambda new, old: jnp.where(finite, new, old), inner, state.inner_state)
        in_a_row = jnp.where(finite, 0, state.notfinite_count + 1)
        total = state.total_notfinite + jnp.where(finite, 0, 1)
        return moved, optax.ApplyIfFiniteState(in_a_row, finite, total, inner)

    return optax.GradientTransformationExtraArgs(init, update)


class TrainState(eqx.Module):
    """The state of a training after `step` steps. `TrainState.create` makes the first one.

    - `model`: the model with its current parameters; `averaged` has the averaged ones.
    - `ema`: the averaged parameters, None where the model has no trained array.
    - `opt_state`: optimiser moments and the count of skipped steps.
    - `key`: the seed; step t draws its batch with fold_in(key, t), so there is no other generator state.
    - `smoothed`, `best`: running average of the loss (decay 0.99) and its lowest value so far.
    - `seconds`: training time so far, over all resumptions.
    - `carry`: what the objective hands from step to step, such as persistent Markov chains; None without.

    >>> from deeprg.train import Plan, TrainState
    >>> state = TrainState.create(jnp.ones(3), Plan(steps=10), key=jax.random.key(0))
    >>> int(state.step), state.skipped, state.averaged.shape
    (0, 0, (3,))
    """

    # The order matters: `load_model` reads the first two without knowing the optimiser.
    model: PyTree
    ema: PyTree
    opt_state: PyTree
    key: Key[Array, ""]
    step: Int[Array, ""]
    smoothed: Float[Array, ""]
    best: Float[Array, ""]
    seconds: float
    carry: PyTree = None

    @classmethod
    def create(
        cls,
        model: PyTree,
        plan: Plan,
        *,
        key: Key[Array, ""],
        trainable: PyTree[bool] | Callable[[Any], bool] = eqx.is_inexact_array,
        carry: PyTree = None,
    ) -> "TrainState":
        """The state before the first step; a `carry` of arrays goes to the objective and comes back from it.

        `trainable` selects the trained arrays, as a function of a leaf or a tree of booleans; by default all
        floating-point and complex ones. Raises `UsageError` when there are none.
        """
        params = eqx.filter(model, trainable)
        if not jax.tree.leaves(params):
            raise UsageError("the model has no trainable arrays: there is nothing to train.")
        return cls(
            model=model,
            ema=params,
            opt_state=build_optimiser(plan).init(params),
            key=key,
            step=jnp.zeros((), jnp.int32),
            smoothed=jnp.array(jnp.inf),
            best=jnp.array(jnp.inf),
            seconds=0.0,
            carry=carry,
        )

    @property
    def params(self) -> PyTree:
        """The trained arrays, None elsewhere."""
        return eqx.filter(self.model, self._trained())

    @property
    def rest(self) -> PyTree:
        """The model without its trained arrays."""
        return eqx.filter(self.model, self._trained(), inverse=True)

    @property
    def averaged(self) -> PyTree:
        """The model with the averaged parameters."""
        return eqx.combine(self.ema, self.model)

    @property
    def parameters(self) -> int:
        """The number of trained scalars."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.ema))

    @property
    def skipped(self) -> int:
        """The number of steps that were skipped because they were not finite."""
        return int(self.opt_state.total_notfinite)

    def _trained(self) -> PyTree[bool]:
        return jax.tree.map(lambda _, mean: mean is not None, self.model, self.ema, is_leaf=_is_none)


def _is_none(x: Any) -> bool:
    return x is None
