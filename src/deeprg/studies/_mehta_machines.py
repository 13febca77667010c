"""Settings of the study, and its networks: as set, without penalty, on shuffled sites, untrained."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import (
    RBM,
    BeliefNetwork,
    ContrastiveDivergence,
    fit,
    fit_greedy,
    matched_bias,
)
from deeprg.probes import receptive_fields
from deeprg.runs.schema import Config
from deeprg.studies._mehta_locality import Locality, locality
from deeprg.studies._progress import told
from deeprg.train import Plan

__all__ = [
    "Case",
    "Settings",
    "bare_network",
    "case_of",
    "fields_of",
    "penalised_layer",
    "rows_of",
    "train_network",
]

_CALL = 50  # steps in one call of the compiled program
_MATCHED = 2000  # rows from which the first visible biases are taken


class Settings(Config):
    """Data, network, training and what is measured."""

    seed: int = pydantic.Field(0, ge=0, lt=2**31)
    size: int = pydantic.Field(40, ge=8, le=128, description="extent of the torus")
    coupling: float = pydantic.Field(0.408, gt=0, lt=0.44, description="K = J/T, below K_c = 0.4407")
    samples: int = pydantic.Field(20_000, ge=200, le=1_000_000)
    layers: tuple[int, ...] = pydantic.Field((400, 100, 25), min_length=2, max_length=5)
    units: Literal["spin", "binary"] = pydantic.Field("spin", description="±1 or {0, 1}, in all layers")
    scale: float = pydantic.Field(0.01, gt=0, le=1, description="standard deviation of the first weights")
    rate: float = pydantic.Field(0.03, gt=0, le=2)
    decay: Literal["cosine", "constant"] = pydantic.Field("cosine", description="of the rate")
    momentum: float = pydantic.Field(0.5, ge=0, lt=1)
    penalty: float = pydantic.Field(0.01, gt=0, le=1, description="L1, times the sum of |W|")
    batch: int = pydantic.Field(100, ge=1, le=10_000)
    steps: int = pydantic.Field(1500, ge=1, description="of training the first layer")
    upper_steps: int = pydantic.Field(2000, ge=1, description="of training each layer above it")
    penalties: tuple[float, ...] = pydantic.Field(
        (0.003, 0.03), max_length=8, description="further L1 for the first layer alone"
    )
    held_out: int = pydantic.Field(400, ge=20, le=100_000, description="configurations to reconstruct")
    ring: int = pydantic.Field(12, ge=8, le=12, description="spins of the chain that is decimated")
    chain_coupling: float = pydantic.Field(1.0, gt=0, le=3)
    copy_weight: float = pydantic.Field(20.0, gt=0, le=40, description="from a kept spin to its copy")

    @pydantic.field_validator("layers")
    @classmethod
    def _blocks(cls, layers: tuple[int, ...], info: Any) -> tuple[int, ...]:
        size = info.data.get("size", 0)
        for below, units in itertools.pairwise((size**2, *layers)):
            root = math.isqrt(max(units, 0))
            if root < 1 or root**2 != units or size % root or units >= below:
                raise ValueError(
                    f"a layer of {units} units on {size}x{size} sites: each layer needs fewer units than the "
                    "one below, and as many as there are square blocks of some side"
                )
        return layers

    @pydantic.field_validator("penalties")
    @classmethod
    def _positive(cls, penalties: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < one <= 1 for one in penalties):
            raise ValueError("each of penalties must be in (0, 1]; L1 = 0 is always among the controls")
        return penalties

    @pydantic.field_validator("ring")
    @classmethod
    def _halved(cls, ring: int) -> int:
        if ring % 4:
            raise ValueError(f"a ring of {ring} spins cannot be halved twice")
        return ring

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the blocks of as many sites as there are per unit: 2, 4, 8."""
        return tuple(self.size // math.isqrt(units) for units in self.layers)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the lattice."""
        return self.size, self.size

    def plan(self, layer: int) -> Plan:
        """How layer 1, 2 ... is trained."""
        steps = self.steps if layer == 1 else self.upper_steps
        return Plan(
            steps=steps,
            batch=self.batch,
            learning_rate=self.rate,
            decay=self.decay,
            optimiser="sgd",
            momentum=self.momentum,
            ema_decay=0.0,
            steps_per_call=min(steps, _CALL),
        )


@dataclass(frozen=True, eq=False)
class Case:
    """Receptive fields on the lattice, [units, size, size] for every layer, and how local they are.

    `network` is None where there is none: block spins.
    """

    name: str
    fields: list[np.ndarray]
    local: list[Locality]
    network: BeliefNetwork | None = None


def case_of(name: str, fields: list[np.ndarray], network: BeliefNetwork | None = None) -> Case:
    """The case of these fields."""
    return Case(name, fields, [locality(one) for one in fields], network)


def rows_of(spins: np.ndarray, units: str) -> np.ndarray:
    """Configurations [n, *shape] of ±1 as rows of the units' statistics, a byte each."""
    flat = np.asarray(spins, np.int8).reshape(len(spins), -1)
    return flat if units == "spin" else (flat > 0).astype(np.int8)


def train_network(
    rows: np.ndarray, penalty: float, settings: Settings, say: Callable[[str], None], *, key: PRNGKeyArray
) -> BeliefNetwork:
    """Machine after machine by CD-1 with this L1."""
    starting, training = jax.random.split(key)
    machines = _new_machines(settings, rows, starting)
    plans = [settings.plan(layer) for layer in range(1, len(machines) + 1)]
    objective = ContrastiveDivergence(persistent=False, l1=penalty)
    options = told(say, "training")
    return fit_greedy(machines, rows, plans, objective=objective, key=training, **options)[0]


def bare_network(settings: Settings, *, key: PRNGKeyArray) -> BeliefNetwork:
    """The network before any training."""
    return BeliefNetwork(tuple(_new_machines(settings, None, key)))


def penalised_layer(
    rows: np.ndarray, penalty: float, settings: Settings, say: Callable[[str], None], *, key: PRNGKeyArray
) -> np.ndarray:
    """The fields of a first layer trained with this L1, [units, size, size]."""
    starting, training = jax.random.split(key)
    machine = _new_machines(settings, rows, starting)[0]
    objective = ContrastiveDivergence(persistent=False, l1=penalty)
    options = told(say, f"L1 = {penalty:g}")
    trained = fit(machine, rows, settings.plan(1), objective=objective, key=training, **options).state.model
    return fields_of(BeliefNetwork((trained,)), settings.shape)[0]


def fields_of(
    network: BeliefNetwork, shape: tuple[int, ...], order: np.ndarray | None = None
) -> list[np.ndarray]:
    """Effective receptive fields of all layers as pictures, [units, *shape].

    `order`: the site that each visible unit was given, where sites were shuffled; then each weight is put
    back to the site that it came from.
    """
    pictures = []
    for fields in receptive_fields([np.asarray(machine.weights) for machine in network.machines]):
        placed = fields
        if order is not None:
            placed = np.empty_like(fields)
            placed[:, order] = fields
        pictures.append(placed.reshape(-1, *shape))
    return pictures


def _new_machines(settings: Settings, rows: np.ndarray | None, key: PRNGKeyArray) -> list[RBM]:
    widths = (settings.size**2, *settings.layers)
    machines = [
        RBM.create(
            below,
            above,
            visible_unit=settings.units,
            hidden_unit=settings.units,
            scale=settings.scale,
            key=own,
        )
        for below, above, own in zip(
            widths, widths[1:], jax.random.split(key, len(settings.layers)), strict=False
        )
    ]
    if rows is not None:
        machines[0] = matched_bias(machines[0], jnp.asarray(rows[:_MATCHED], machines[0].weights.dtype))
    return machines
