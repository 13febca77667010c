"""From a checked configuration to the objects that it names: Hamiltonian, flow, plan, exact reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from deeprg.cli._run_kind import refuse_other
from deeprg.cli._settings import gather
from deeprg.coarsegrain.flow import AbstractFlow, ConditionedFlow, ReverseKL, build_flow
from deeprg.exact import Reference, reference
from deeprg.hamiltonians import HAMILTONIANS, AbstractHamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.config import difference, inside
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import load_model, read_header
from deeprg.train.distributed import check_divisible, data_mesh
from deeprg.train.plan import Plan

__all__ = ["FlowSetup", "Setup", "build", "open_run", "planned", "trained", "tried"]

_T = TypeVar("_T")
FLOW_KEY, _TRAIN, _EVALUATE = 0, 1, 2


@dataclass(frozen=True)
class FlowSetup:
    """What every training of a flow is made of. `values` is the configuration as plain data."""

    config: Any
    values: dict[str, Any]
    flow: AbstractFlow | ConditionedFlow
    plan: Plan

    @property
    def train_key(self) -> PRNGKeyArray:
        """The key of the training."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _TRAIN)

    @property
    def evaluate_key(self) -> PRNGKeyArray:
        """The key of the samples by which the final weights are judged."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _EVALUATE)


@dataclass(frozen=True)
class Setup(FlowSetup):
    """Everything that a run with a Hamiltonian is made of, before training."""

    hamiltonian: AbstractHamiltonian
    objective: ReverseKL
    reference: Reference | None


def build(config: Any, *, abstract: bool = False) -> Setup:
    """The objects of a configuration; one `UsageError` lists all that is wrong with them.

    Switches jax to float64 when the configuration asks for it. `abstract` leaves the arrays of the flow away,
    which finds the same problems in a moment.
    """
    if config.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    problems: list[str] = []
    values = config.model_dump(mode="json")
    options = {k: v for k, v in values["hamiltonian"].items() if k not in ("name", "shape")}
    hamiltonian = tried(
        problems,
        lambda: HAMILTONIANS[config.hamiltonian.name].build(Lattice(config.hamiltonian.shape), **options),
    )
    train = dict(values["train"])
    estimator = train.pop("estimator")
    plan = planned(train, problems)
    flow = None
    if hamiltonian is not None:
        key = jax.random.fold_in(jax.random.key(config.seed), FLOW_KEY)

        def make(key: PRNGKeyArray) -> AbstractFlow:
            return build_flow(hamiltonian, **values["flow"], dtype=jnp.dtype(config.precision), key=key)

        flow = tried(problems, lambda: eqx.filter_eval_shape(make, key) if abstract else make(key))
    if problems or hamiltonian is None or flow is None or plan is None:
        raise UsageError("\n".join(problems))
    return Setup(
        config, values, flow, plan, hamiltonian, ReverseKL(hamiltonian, estimator), reference(hamiltonian)
    )


def planned(train: dict[str, Any], problems: list[str]) -> Plan | None:
    """The plan of these settings, None where they are not possible; what is wrong goes to `problems`."""
    if train["steps"] is None and train["minutes"] is None:
        problems.append("how long to train is not said. Give --steps N, --minutes M or both.")
        return None
    plan = tried(problems, lambda: Plan(**train))
    if plan is not None:
        for size in plan.sizes_from(0.0):
            tried(problems, lambda size=size: check_divisible(size, data_mesh()))
    return plan


def tried(problems: list[str], make: Callable[[], _T]) -> _T | None:
    """What `make` gives, None where it refuses; why goes to `problems`."""
    try:
        return make()
    except UsageError as error:
        problems.append(str(error))
        return None


def open_run(run: RunFolder) -> Setup:
    """The objects that the configuration of a run folder describes; `UsageError` when it cannot be read."""
    refuse_other(run, "flow")
    try:
        return build(gather(run=run.resolved()).check())
    except UsageError as error:
        raise UsageError(f"the configuration of the run '{run.path}' cannot be used: {error}") from error


def trained(run: RunFolder, setup: FlowSetup, *, checkpoint: str = "last") -> AbstractFlow:
    """The flow of a run with the averaged weights of its checkpoint `last` or `best`."""
    return with_weights(run, setup, checkpoint)


def with_weights(run: RunFolder, setup: FlowSetup, checkpoint: str) -> Any:
    """The model of a run, conditioned or not, with the averaged weights of a checkpoint."""
    path = run.checkpoints / f"{checkpoint}.eqx"
    if not path.exists():
        raise UsageError(
            f"the run '{run.path}' has no checkpoint '{path.name}' yet. Wait for it, or continue the run "
            f"with deeprg train flow --resume {run.path}"
        )
    changes = difference(read_header(path)["config"], setup.values)
    foreign = [name for name, (old, _) in changes.items() if old is not None and _shapes_model(name)]
    if foreign:
        raise UsageError(
            f"the checkpoint '{path}' was made with other settings than its run folder says: "
            f"{', '.join(foreign)}. It belongs to another run."
        )
    return load_model(path, setup.flow)


def _shapes_model(path: str) -> bool:
    return inside(path, "hamiltonian") or inside(path, "flow")
