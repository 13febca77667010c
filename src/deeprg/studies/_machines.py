"""Machines trained on Ising configurations of a grid of temperatures: settings, data, training."""

from collections.abc import Mapping
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, ContrastiveDivergence, fit, monitor
from deeprg.runs.schema import Config
from deeprg.studies._spins import ising_data
from deeprg.train import Plan

__all__ = ["FlowSettings", "ReadSettings", "Units", "grid_data", "monitors", "new_machine", "train_machine"]

Units = Literal["spin", "binary"]

_CALL = 500  # steps in one call of the compiled program
_WATCHED = 2000
_BITS = 16  # bits instead of spins: W is four times as large, its gradient a quarter


class FlowSettings(Config):
    """Data on a grid of temperatures, one way to train, one way to follow a flow."""

    seed: int = pydantic.Field(0, ge=0, lt=2**31)
    size: int = pydantic.Field(10, ge=4, le=32, description="extent of the torus")
    step: float = pydantic.Field(0.25, ge=0.05, le=1, description="of the grid of temperatures from 0")
    highest: float = pydantic.Field(6.0, ge=5, le=6.5)
    samples: int = pydantic.Field(1000, ge=40, le=100_000, description="configurations at each temperature")
    scale: float = pydantic.Field(0.1, ge=0, le=1, description="standard deviation of the first weights")
    rate: float = pydantic.Field(0.02, gt=0, le=2)
    batch: int = pydantic.Field(100, ge=1, le=10_000)
    steps: int = pydantic.Field(20_000, ge=1, description="of training on all temperatures")
    chains: int = pydantic.Field(1000, ge=100, le=100_000)
    length: int = pydantic.Field(80, ge=8, le=10_000, description="rounds of the flow")
    every: int = pydantic.Field(4, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "FlowSettings":
        if self.length % self.every or self.length // self.every < 4:
            raise ValueError(f"length = {self.length} must be at least 4 times every = {self.every}, no rest")
        return self

    @property
    def temperatures(self) -> list[float]:
        """The grid, T = 0 first."""
        return [round(self.step * k, 10) for k in range(round(self.highest / self.step) + 1)]

    @property
    def epochs(self) -> float:
        """How often each configuration of all temperatures is seen."""
        return self.steps * self.batch / (len(self.temperatures) * self.samples)

    def rate_of(self, unit: Units) -> float:
        """The rate of those units that moves the couplings of spins as `rate` does with ±1 units.

        >>> FlowSettings(rate=0.02).rate_of("binary")
        0.32
        """
        return self.rate * _BITS if unit == "binary" else self.rate


class ReadSettings(FlowSettings):
    """With thermometers: a classifier over the grid, and a table of ⟨|m|⟩(T)."""

    network_hidden: int = pydantic.Field(128, ge=1, le=4096)
    network_steps: int = pydantic.Field(3000, ge=1)
    table_draws: int = pydantic.Field(60, ge=20, description="per chain, for the table of ⟨|m|⟩")


def grid_data(settings: FlowSettings) -> dict[float, np.ndarray]:
    """Ising configurations by temperature, each [samples, size, size].

    >>> data = grid_data(FlowSettings(size=4, step=1.0, samples=40))
    >>> len(data), data[0.0].shape
    (7, (40, 4, 4))
    """
    return {t: ising_data(settings.size, t, settings.samples, settings.seed) for t in settings.temperatures}


def new_machine(
    settings: FlowSettings, hidden: int, *, unit: Units, biases: bool = False, key: PRNGKeyArray
) -> RBM:
    """A machine on the lattice, both layers of one kind of unit, weights N(0, scale²)."""
    return RBM.create(
        settings.size**2,
        hidden,
        visible_unit=unit,
        hidden_unit=unit,
        scale=settings.scale,
        biases=biases,
        key=key,
    )


def train_machine(
    machine: RBM,
    spins: np.ndarray,
    settings: FlowSettings,
    *,
    rate: float,
    steps: int,
    options: Mapping[str, Any],
    key: PRNGKeyArray,
) -> RBM:
    """CD-1 from the data of each batch, plain gradient steps of constant size; a training can be continued.

    `spins` [n, *shape]; `options` of `fit`, such as those of `told`.
    """
    plan = Plan(
        steps=steps,
        batch=settings.batch,
        learning_rate=rate,
        decay="constant",
        optimiser="sgd",
        steps_per_call=min(steps, _CALL),
    )
    objective = ContrastiveDivergence(persistent=False)
    return fit(machine, _rows(machine, spins), plan, objective=objective, key=key, **options).state.model


def monitors(machine: RBM, spins: np.ndarray, *, key: PRNGKeyArray) -> dict[str, float]:
    """Reconstruction error and the like on up to 2000 configurations from all over the set."""
    some = _rows(machine, spins[:: -(-len(spins) // _WATCHED)])
    return monitor(machine, jnp.asarray(some, machine.weights.dtype), key=key)


def _rows(machine: RBM, spins: np.ndarray) -> np.ndarray:
    """Spins [n, *shape] as rows of statistics, one byte each."""
    flat = np.asarray(spins, np.int8).reshape(len(spins), -1)
    return (flat > 0).astype(np.int8) if machine.visible.name == "binary" else flat
