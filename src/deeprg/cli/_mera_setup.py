"""From the settings of a classical MERA to model, network, plan and exact reference; and back from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
from jaxtyping import PRNGKeyArray
from pydantic import Field

from deeprg.cli._run_kind import refuse_other
from deeprg.coarsegrain.mera import (
    ClassicalMERA,
    DiscreteReverseKL,
    grown,
    level_lattices,
    trainable,
)
from deeprg.exact import Reference, reference
from deeprg.hamiltonians import MODELS, AbstractHamiltonian, Ising, RandomBondIsing, build_model
from deeprg.lattice import Lattice
from deeprg.runs.config import resolve
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import RunFolder
from deeprg.runs.schema import Config, validate
from deeprg.train.checkpoint import load_model
from deeprg.train.plan import Plan

__all__ = [
    "MERAConfig",
    "MERASetup",
    "build_mera",
    "check_mera",
    "open_mera",
    "refuse_model",
    "spin_models",
    "started_mera",
    "trained_mera",
]

_NETWORK, _TRAIN, _EVALUATE = 0, 1, 2


class ModelConfig(Config):
    """The model of spins ±1 and its temperature."""

    name: str = "ising"
    shape: list[int]
    temperature: float = Field(gt=0)
    options: dict[str, Any] = Field(default_factory=dict)


class NetworkConfig(Config):
    """What fills the lattices: how far it sees (in spacings; None: tables of the nearest spins), its size."""

    reach: float | None = Field(5.1, gt=0)
    width: int = Field(32, ge=1)
    depth: int = Field(2, ge=1)
    colours: bool = True


class TrainConfig(Config):
    """The part of a plan that can be chosen."""

    steps: int | None = None
    minutes: float | None = None
    batch: int | list[tuple[float, int]] = 512
    learning_rate: float = Field(5e-3, gt=0)
    warmup: float = Field(0.02, ge=0, lt=1)
    clip_norm: float | None = Field(1.0, gt=0)


class EvaluateConfig(Config):
    """Samples of the final weights, in chunks of `batch`."""

    samples: int = Field(100_000, ge=100)
    batch: int = Field(2000, ge=1)


class MERAConfig(Config):
    """All settings of a run of `deeprg train mera`; `start` is the run whose networks it began with."""

    kind: Literal["mera"] = "mera"
    model: ModelConfig
    network: NetworkConfig = Field(default_factory=lambda: NetworkConfig.model_validate({}))
    train: TrainConfig
    evaluate: EvaluateConfig = Field(default_factory=lambda: EvaluateConfig.model_validate({}))
    start: str | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    checkpoint_seconds: float = Field(60.0, gt=0)


@dataclass(frozen=True, eq=False)
class MERASetup:
    """Everything that a run is made of, before training."""

    config: MERAConfig
    hamiltonian: AbstractHamiltonian
    network: ClassicalMERA
    plan: Plan
    reference: Reference | None

    @property
    def values(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return self.config.model_dump(mode="json")

    @property
    def objective(self) -> DiscreteReverseKL:
        """What is minimised."""
        return DiscreteReverseKL(self.hamiltonian)

    @property
    def train_key(self) -> PRNGKeyArray:
        """The key of the training."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _TRAIN)

    @property
    def evaluate_key(self) -> PRNGKeyArray:
        """The key of the samples by which the final weights are judged."""
        return jax.random.fold_in(jax.random.key(self.config.seed), _EVALUATE)


def spin_models() -> list[str]:
    """The models whose spins are ±1, by name."""
    spins = lambda entry: isinstance(entry.build(Lattice((4, 4)), 1.0), Ising | RandomBondIsing)
    return [name for name, entry in MODELS.items() if entry.has_temperature and spins(entry)]


def refuse_model(name: str) -> None:
    """`UsageError` unless a MERA can be trained for this model."""
    if name in (known := spin_models()):
        return
    choice = " or ".join(known)
    if name in MODELS:
        raise UsageError(f"a MERA has spins ±1, the model '{name}' has not; take {choice}.")
    raise UsageError(f"There is no model '{name}'.{nearest(name, known)} A MERA takes {choice}.")


def typed_mera(values: dict[str, Any]) -> MERAConfig:
    """The typed configuration; one `UsageError` lists every problem."""
    return validate(MERAConfig, resolve([("flags", values)]))


def check_mera(values: dict[str, Any]) -> tuple[MERAConfig, AbstractHamiltonian, Plan]:
    """What a training would be refused for, without the arrays of the network."""
    config = typed_mera(values)
    model, train = config.model, config.train
    if train.steps is None and train.minutes is None:
        raise UsageError("how long to train is not said. Give --steps N, --minutes M or both.")
    refuse_model(model.name)
    lattice = Lattice(tuple(model.shape))
    level_lattices(lattice)
    hamiltonian = build_model(model.name, lattice, model.temperature, **model.options)
    return config, hamiltonian, Plan(**train.model_dump(), ema_decay=0.99)


def build_mera(values: dict[str, Any]) -> MERASetup:
    """The objects that the values of a configuration describe; `UsageError` for what is wrong with them."""
    config, hamiltonian, plan = check_mera(values)
    key = jax.random.fold_in(jax.random.key(config.seed), _NETWORK)
    network = ClassicalMERA(hamiltonian, **config.network.model_dump(), key=key)
    return MERASetup(config, hamiltonian, network, plan, reference(hamiltonian))


def open_mera(name: str | Path) -> tuple[RunFolder, MERASetup]:
    """The run folder of a MERA and what its configuration describes; `UsageError` otherwise."""
    run = RunFolder.open(name)
    refuse_other(run, "mera")
    try:
        return run, build_mera(run.resolved())
    except UsageError as error:
        raise UsageError(f"the configuration of the run '{run.path}' cannot be used: {error}") from error


def trained_mera(run: RunFolder, setup: MERASetup) -> ClassicalMERA:
    """The network of the last checkpoint, its averaged weights; `UsageError` where there is none yet."""
    path = run.checkpoints / "last.eqx"
    if not path.exists():
        raise UsageError(
            f"the run '{run.path}' has no checkpoint yet. Wait for it, or continue the run with deeprg train "
            f"mera --resume {run.path}"
        )
    return load_model(path, setup.network, trainable=trainable(setup.network))


def started_mera(setup: MERASetup) -> ClassicalMERA:
    """The network before its first step, with what the run that it starts from has learned."""
    if setup.config.start is None:
        return setup.network
    return grown(trained_mera(*open_mera(setup.config.start)), setup.network)
