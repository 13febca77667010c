"""From the configuration of a run on data without a Hamiltonian to its flow and plan; and back from disk."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from deeprg.cli._flow_data import fixed_maps
from deeprg.cli._run_kind import refuse_other
from deeprg.cli._settings import gather
from deeprg.cli._setup import FLOW_KEY, FlowSetup, planned, tried
from deeprg.coarsegrain.flow import AbstractFlow, Chain, Flow, build_flow
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

__all__ = ["ImageSetup", "build_images", "open_images"]


@dataclass(frozen=True)
class ImageSetup(FlowSetup):
    """What a run on images or other arrays is made of."""

    lattice: Lattice


def build_images(config: Any, *, abstract: bool = False) -> ImageSetup:
    """The objects of a configuration; arguments and errors as for `deeprg.cli._setup.build`."""
    if config.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    problems: list[str] = []
    values = config.model_dump(mode="json")
    plan = planned(values["train"], problems)
    lattice = Lattice(tuple(config.data.shape))
    key = jax.random.fold_in(jax.random.key(config.seed), FLOW_KEY)

    def make(key: PRNGKeyArray) -> AbstractFlow:
        flow = build_flow(lattice, **values["flow"], dtype=jnp.dtype(config.precision), key=key)
        assert isinstance(flow, Flow)  # without a Hamiltonian there is no symmetry to average over
        bijector = flow.bijector
        links = bijector.links if isinstance(bijector, Chain) else (bijector,)
        chain = Chain(*links, *fixed_maps(config.data, lattice))
        return Flow(lattice, chain, prior=flow.prior, dtype=flow.dtype)

    flow = tried(problems, lambda: eqx.filter_eval_shape(make, key) if abstract else make(key))
    if problems or flow is None or plan is None:
        raise UsageError("\n".join(problems))
    return ImageSetup(config, values, flow, plan, lattice)


def open_images(run: RunFolder) -> ImageSetup:
    """The objects that the configuration of a run folder describes; `UsageError` when it cannot be read."""
    refuse_other(run, "images")
    try:
        return build_images(gather(run=run.resolved()).check())
    except UsageError as error:
        raise UsageError(f"the configuration of the run '{run.path}' cannot be used: {error}") from error
