"""Flows trained inside a study."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.flow import PRESETS, AbstractFlow, ReverseKL, build_flow
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.studies._progress import told
from deeprg.studies._study import Say
from deeprg.train import Plan, TrainState, key_batches, train

__all__ = ["trained_flow"]


def trained_flow(
    target: AbstractHamiltonian,
    *,
    steps: int,
    preset: str = "default",
    batch: int | None = None,
    options: Mapping[str, Any] | None = None,
    name: str,
    say: Say,
    key: PRNGKeyArray,
) -> AbstractFlow:
    """The averaged weights of a flow trained for `steps` with the settings of a preset.

    `options` replaces the preset's settings of the flow one by one; its layout may be another one, whose
    options then come from `options` alone.
    """
    chosen = PRESETS[preset]
    flow_options = dict(options or {})
    if flow_options.get("layout", chosen.flow["layout"]) == chosen.flow["layout"]:
        flow_options = {**chosen.flow, **flow_options}
    build_key, train_key = jax.random.split(key)
    flow = build_flow(target, **flow_options, dtype=jnp.float32, key=build_key)
    settings = dict(chosen.train)
    estimator = settings.pop("estimator")
    if batch is not None:
        settings["batch"] = batch
    plan = Plan(steps=steps, **settings)
    state = TrainState.create(flow, plan, key=train_key)
    course = told(say, name, number="loss", label="free energy")
    return train(state, ReverseKL(target, estimator), key_batches, plan, **course).state.averaged
