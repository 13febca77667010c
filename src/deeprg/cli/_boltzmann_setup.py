"""From the settings of a Boltzmann machine's run to machine, plan and data; and back from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray
from pydantic import Field

from deeprg.cli._boltzmann_data import Configurations, Split, load_configurations, split
from deeprg.cli._run_kind import refuse_other
from deeprg.coarsegrain.boltzmann import (
    RBM,
    AbstractUnit,
    ContrastiveDivergence,
    build_unit,
    matched_bias,
    trainable,
)
from deeprg.lattice import Lattice
from deeprg.runs.config import resolve
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.runs.schema import Config, validate
from deeprg.train.checkpoint import load_model
from deeprg.train.plan import Plan

__all__ = [
    "RBMConfig",
    "RBMSetup",
    "build_rbm",
    "data_of",
    "matched",
    "open_rbm",
    "parse_unit",
    "trained_rbm",
    "typed",
]

_MACHINE, _TRAIN, _EVALUATE = 0, 1, 2
_STEPS_PER_CALL = 20  # a step takes less than a millisecond, of which the call would be a good part


class DataConfig(Config):
    """Where the configurations come from; `shape` and `checksum` are found, not given."""

    path: str
    temperature: str | None = None
    held_out: float = Field(0.1, ge=0, lt=1)
    shape: list[int] = Field(default_factory=list)
    checksum: str = ""


class MachineConfig(Config):
    """The layers: units by name, with their number after a colon (potts:3, gaussian:0.5)."""

    hidden: int = Field(256, ge=1)
    units: str = "spin"
    hidden_units: str = "spin"
    biases: bool = True


class RBMTrainConfig(Config):
    """How the machine is trained."""

    algorithm: Literal["pcd", "cd"] = "pcd"
    k: int = Field(1, ge=1)
    chains: int = Field(100, ge=1)
    batch: int = Field(100, ge=1)
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = Field(0.01, gt=0)
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = Field(0.0, ge=0, lt=1)
    l1: float = Field(0.0, ge=0)
    l2: float = Field(0.0, ge=0)
    centred: bool = False


class RBMEvaluateConfig(Config):
    """Annealed importance sampling where ln Z cannot be enumerated."""

    temperatures: int = Field(1000, ge=1)
    chains: int = Field(100, ge=2)


class RBMConfig(Config):
    """All settings of a run of `deeprg train rbm`."""

    kind: Literal["rbm"] = "rbm"
    data: DataConfig
    machine: MachineConfig = Field(default_factory=lambda: MachineConfig.model_validate({}))
    train: RBMTrainConfig = Field(default_factory=lambda: RBMTrainConfig.model_validate({}))
    evaluate: RBMEvaluateConfig = Field(default_factory=lambda: RBMEvaluateConfig.model_validate({}))
    seed: int = Field(0, ge=0, lt=2**32)
    checkpoint_seconds: float = Field(60.0, gt=0)


@dataclass(frozen=True, eq=False)
class RBMSetup:
    """Everything that a run is made of, before training."""

    config: RBMConfig
    machine: RBM
    lattice: Lattice
    plan: Plan
    objective: ContrastiveDivergence

    @property
    def values(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return self.config.model_dump(mode="json")

    @property
    def train_key(self) -> PRNGKeyArray:
        """The key of the training."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _TRAIN)

    @property
    def evaluate_key(self) -> PRNGKeyArray:
        """The key of what judges the final weights."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _EVALUATE)


def typed(values: dict[str, Any]) -> RBMConfig:
    """The typed configuration; one `UsageError` lists every problem."""
    return validate(RBMConfig, resolve([("flags", values)]))


def parse_unit(text: str, flag: str) -> AbstractUnit:
    """The unit of 'spin', 'binary', 'rectified', 'gaussian:0.5' (variance) or 'potts:3' (colours).

    >>> parse_unit("potts:3", "--units").q
    3
    """
    name, colon, number = text.partition(":")
    options: dict[str, Any] = {}
    try:
        if colon:
            options = {"q": int(number)} if name == "potts" else {"variance": float(number)}
        return build_unit(name, **options)
    except ValueError as error:
        raise UsageError(f"{flag} {text}: {error} Write spin, binary, potts:3 or gaussian:0.5.") from None


def build_rbm(config: RBMConfig) -> RBMSetup:
    """The machine before training, with its plan and objective."""
    lattice, train = Lattice(tuple(config.data.shape)), config.train
    if train.steps is None and train.minutes is None:
        raise UsageError("how long to train is not said. Give --epochs N, --steps N or --minutes M.")
    machine = RBM.create(
        lattice.size,
        config.machine.hidden,
        visible_unit=parse_unit(config.machine.units, "--units"),
        hidden_unit=parse_unit(config.machine.hidden_units, "--hidden-units"),
        biases=config.machine.biases,
        dtype=jnp.float32,
        key=jax.random.fold_in(jax.random.key(config.seed), _MACHINE),
    )
    plan = Plan(
        steps=train.steps,
        minutes=train.minutes,
        batch=train.batch,
        learning_rate=train.learning_rate,
        optimiser=train.optimiser,
        momentum=train.momentum,
        ema_decay=0.0,  # the machine is the last one, not an average
        steps_per_call=_STEPS_PER_CALL,
    )
    objective = ContrastiveDivergence(
        steps=train.k, persistent=train.algorithm == "pcd", l1=train.l1, l2=train.l2, centred=train.centred
    )
    return RBMSetup(config, machine, lattice, plan, objective)


def data_of(setup: RBMSetup) -> tuple[Configurations, Split]:
    """The data that a run was started with; `UsageError` when they are gone or have changed."""
    stored = setup.config.data
    data = load_configurations(stored.path, stored.temperature)
    if data.checksum != stored.checksum:
        raise UsageError(f"'{stored.path}' has changed since the run was started. Restore it, or start anew.")
    return data, split(data, setup.machine.visible, stored.held_out, setup.config.seed)


def matched(setup: RBMSetup, rows: Split) -> RBM:
    """The machine to begin with: visible biases that give the means of the data."""
    return matched_bias(setup.machine, jnp.asarray(rows.train, jnp.float32))


def open_rbm(name: str | Path) -> tuple[RunFolder, RBMSetup]:
    """The run folder of a Boltzmann machine and what its configuration describes; `UsageError` otherwise."""
    run = RunFolder.open(name)
    refuse_other(run, "rbm")
    try:
        return run, build_rbm(typed(run.resolved()))
    except UsageError as error:
        raise UsageError(f"the configuration of the run '{run.path}' cannot be used: {error}") from error


def trained_rbm(run: RunFolder, setup: RBMSetup) -> RBM:
    """The machine of the last checkpoint; `UsageError` when there is none yet."""
    path = run.checkpoints / "last.eqx"
    if not path.exists():
        raise UsageError(
            f"the run '{run.path}' has no checkpoint yet. Wait for it, or continue the run with "
            f"deeprg train rbm --resume {run.path}"
        )
    return load_model(path, setup.machine, averaged=False, trainable=trainable(setup.machine))
