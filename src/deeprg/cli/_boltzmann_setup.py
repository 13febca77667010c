"""From the settings of Boltzmann machines to machines, plan and data; and back from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray
from pydantic import Field

from deeprg.cli._boltzmann_data import Configurations, Split, load_configurations, split
from deeprg.cli._run_kind import refuse_other
from deeprg.coarsegrain.boltzmann import (
    RBM,
    AbstractUnit,
    BeliefNetwork,
    ContrastiveDivergence,
    build_unit,
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
    "BoltzmannConfig",
    "BoltzmannSetup",
    "batch_sizes",
    "build_boltzmann",
    "checkpoint_folder",
    "data_of",
    "layer_widths",
    "open_boltzmann",
    "parse_unit",
    "trained_network",
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
    """The layers above the visible one: units by name, their number after a colon (potts:3, gaussian:0.5)."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    units: str = "spin"
    hidden_units: str = "spin"
    biases: bool = True


class TrainConfig(Config):
    """How each machine is trained."""

    algorithm: Literal["pcd", "cd"] = "pcd"
    k: int = Field(1, ge=1)
    chains: int = Field(100, ge=1)
    batch: int | list[tuple[float, int]] = 100
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = Field(0.01, gt=0)
    decay: Literal["cosine", "constant"] = "cosine"
    warmup: float = Field(0.0, ge=0, lt=1)
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = Field(0.0, ge=0, lt=1)
    l1: float = Field(0.0, ge=0)
    l2: float = Field(0.0, ge=0)
    centred: bool = False


class EvaluateConfig(Config):
    """Annealed importance sampling where ln Z cannot be enumerated."""

    temperatures: int = Field(1000, ge=1)
    chains: int = Field(100, ge=2)


class BoltzmannConfig(Config):
    """All settings of a run of `deeprg train rbm` or `train dbn`."""

    kind: Literal["rbm", "dbn"]
    data: DataConfig
    machine: MachineConfig
    train: TrainConfig = Field(default_factory=lambda: TrainConfig.model_validate({}))
    evaluate: EvaluateConfig = Field(default_factory=lambda: EvaluateConfig.model_validate({}))
    seed: int = Field(0, ge=0, lt=2**32)
    checkpoint_seconds: float = Field(60.0, gt=0)


@dataclass(frozen=True, eq=False)
class BoltzmannSetup:
    """Everything that a run is made of, before training; one machine for each hidden layer."""

    config: BoltzmannConfig
    machines: tuple[RBM, ...]
    lattice: Lattice
    plan: Plan
    objective: ContrastiveDivergence

    @property
    def values(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return self.config.model_dump(mode="json")

    @property
    def verb(self) -> str:
        """The command that trains it."""
        return f"deeprg train {self.config.kind}"

    def train_key(self, layer: int) -> PRNGKeyArray:
        """The key of the training of one layer, 0 the first."""
        return self._key(_TRAIN, layer)

    def evaluate_key(self, layer: int) -> PRNGKeyArray:
        """The key of what judges the final weights of one layer; the number of layers for the whole."""
        return self._key(_EVALUATE, layer)

    def _key(self, purpose: int, layer: int) -> PRNGKeyArray:
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(self.config.seed), purpose), layer)


def typed(values: dict[str, Any]) -> BoltzmannConfig:
    """The typed configuration; one `UsageError` lists every problem."""
    return validate(BoltzmannConfig, resolve([("flags", values)]))


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


def layer_widths(text: str) -> list[int]:
    """Units of the hidden layers from '400,100,25'.

    >>> layer_widths("400,100,25")
    [400, 100, 25]
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--hidden {text} is no list of whole numbers; write for example 400,100,25."
        ) from None


def batch_sizes(text: str) -> int | list[tuple[float, int]]:
    """Rows per step from '100', or from '50,200@0.5': 50, and 200 from half of the training on.

    >>> batch_sizes("100"), batch_sizes("50,200@0.5")
    (100, [(0.0, 50), (0.5, 200)])
    """
    try:
        parts = [part.partition("@") for part in text.split(",")]
        pairs = [(float(start) if at else 0.0, int(size)) for size, at, start in parts]
    except ValueError:
        raise UsageError(
            f"--batch {text} is no batch size; write 100, or 50,200@0.5 for a schedule."
        ) from None
    return pairs[0][1] if len(pairs) == 1 and not pairs[0][0] else pairs


def build_boltzmann(config: BoltzmannConfig) -> BoltzmannSetup:
    """The machines before training, with their plan and objective."""
    lattice, train, made = Lattice(tuple(config.data.shape)), config.train, config.machine
    if train.steps is None and train.minutes is None:
        raise UsageError("how long to train is not said. Give --epochs N, --steps N or --minutes M.")
    unit, hidden_unit = parse_unit(made.units, "--units"), parse_unit(made.hidden_units, "--hidden-units")
    below, machines = (lattice.size, unit), []
    for layer, width in enumerate(made.hidden):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), _MACHINE), layer)
        options = {"visible_unit": below[1], "hidden_unit": hidden_unit, "biases": made.biases}
        machines.append(RBM.create(below[0], width, **options, dtype=jnp.float32, key=key))
        below = (width, hidden_unit)
    plan = Plan(
        steps=train.steps,
        minutes=train.minutes,
        batch=train.batch,
        learning_rate=train.learning_rate,
        decay=train.decay,
        warmup=train.warmup,
        optimiser=train.optimiser,
        momentum=train.momentum,
        ema_decay=0.0,  # the machine is the last one, not an average
        steps_per_call=_STEPS_PER_CALL,
    )
    objective = ContrastiveDivergence(
        steps=train.k, persistent=train.algorithm == "pcd", l1=train.l1, l2=train.l2, centred=train.centred
    )
    return BoltzmannSetup(config, tuple(machines), lattice, plan, objective)


def data_of(setup: BoltzmannSetup) -> tuple[Configurations, Split]:
    """The data that a run was started with; `UsageError` when they are gone or have changed."""
    stored = setup.config.data
    data = load_configurations(stored.path, stored.temperature)
    if data.checksum != stored.checksum:
        raise UsageError(f"'{stored.path}' has changed since the run was started. Restore it, or start anew.")
    return data, split(data, setup.machines[0].visible, stored.held_out, setup.config.seed)


def checkpoint_folder(run: RunFolder, setup: BoltzmannSetup, layer: int) -> Path:
    """Where the checkpoints of one layer are, 0 the first."""
    return run.checkpoints if setup.config.kind == "rbm" else run.checkpoints / f"layer-{layer + 1}"


def open_boltzmann(name: str | Path) -> tuple[RunFolder, BoltzmannSetup]:
    """The run folder of Boltzmann machines and what its configuration describes; `UsageError` otherwise."""
    run = RunFolder.open(name)
    refuse_other(run, "rbm")
    try:
        return run, build_boltzmann(typed(run.resolved()))
    except UsageError as error:
        raise UsageError(f"the configuration of the run '{run.path}' cannot be used: {error}") from error


def trained_network(run: RunFolder, setup: BoltzmannSetup) -> BeliefNetwork:
    """The machines of the last checkpoints, of one machine too; `UsageError` where one is missing yet."""
    trained = []
    for layer, machine in enumerate(setup.machines):
        path = checkpoint_folder(run, setup, layer) / "last.eqx"
        if not path.exists():
            what = "has no checkpoint yet" if setup.config.kind == "rbm" else f"has no layer {layer + 1} yet"
            raise UsageError(
                f"the run '{run.path}' {what}. Wait for it, or continue the run with {setup.verb} --resume "
                f"{run.path}"
            )
        trained.append(load_model(path, machine, averaged=False, trainable=trainable(machine)))
    return BeliefNetwork(tuple(trained))
