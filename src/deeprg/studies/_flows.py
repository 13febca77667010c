"""Flows trained inside a study."""

import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.flow import PRESETS, AbstractFlow, ReverseKL, build_flow
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.studies._study import Say
from deeprg.train import Plan, TrainState, key_batches, train

__all__ = ["trained_flow"]

_PAUSE = 10.0


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
    own = dict(options or {})
    flow_options = (
        own if own.get("layout", chosen.flow["layout"]) != chosen.flow["layout"] else {**chosen.flow, **own}
    )
    build_key, train_key = jax.random.split(key)
    flow = build_flow(target, **flow_options, dtype=jnp.float32, key=build_key)
    settings = dict(chosen.train)
    estimator = settings.pop("estimator")
    if batch is not None:
        settings["batch"] = batch
    plan = Plan(steps=steps, **settings)
    last = time.monotonic()

    def on_event(text: str) -> None:
        if text.startswith("compiled"):
            say(f"  {name}: {text}")

    def on_chunk(record: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _PAUSE:
            last = time.monotonic()
            say(
                f"  {name}: step {record['step']}, free energy {record['loss']:.3f}, "
                f"{record['seconds_left']:.0f} s left"
            )

    state = TrainState.create(flow, plan, key=train_key)
    result = train(
        state, ReverseKL(target, estimator), key_batches, plan, on_event=on_event, on_chunk=on_chunk
    )
    return result.state.averaged
