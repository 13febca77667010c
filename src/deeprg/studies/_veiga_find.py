"""Settings of the study, its machines and controls, and all that it measures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import Array, PRNGKeyArray

from deeprg.coarsegrain.boltzmann import (
    RBM,
    ContrastiveDivergence,
    fit,
    monitor,
)
from deeprg.lattice import Lattice
from deeprg.probes import (
    DirectThermometer,
    FlowRecord,
    NetworkThermometer,
    StartDependence,
    energy_thermometer,
    follow_flow,
    follow_machine,
    magnetization_thermometer,
    start_dependence,
    train_thermometer,
)
from deeprg.runs.schema import Config
from deeprg.studies._progress import told
from deeprg.studies._spins import ising_data, mean_field_data, ordered, random_spins
from deeprg.studies._veiga_redrawn import redrawn_flow
from deeprg.train import Plan

__all__ = ["ALL", "COLD", "EXTREMES", "HOT", "MEAN_FIELD", "Case", "Findings", "Settings", "find"]

ALL, EXTREMES, MEAN_FIELD = "all T", "T = 0 and ∞ only", "mean field"
HOT, COLD = "T ≥ 4 only", "T = 0 only"
_HOT_FROM = 4.0
_CALL = 500  # steps in one call of the compiled program


class Settings(Config):
    """Data, machine, flow and thermometers."""

    seed: int = pydantic.Field(0, ge=0, lt=2**31)
    size: int = pydantic.Field(10, ge=4, le=32, description="extent of the torus")
    step: float = pydantic.Field(0.25, ge=0.05, le=1, description="of the grid of temperatures from 0")
    highest: float = pydantic.Field(6.0, ge=5, le=6.5)
    samples: int = pydantic.Field(800, ge=40, le=100_000, description="configurations at each temperature")
    hidden: int = pydantic.Field(100, ge=1, le=10_000)
    scale: float = pydantic.Field(0.1, ge=0, le=1, description="standard deviation of the first weights")
    rate: float = pydantic.Field(0.2, gt=0, le=2)
    batch: int = pydantic.Field(100, ge=1, le=10_000)
    steps: int = pydantic.Field(60_000, ge=1, description="of training on all temperatures")
    control_steps: int = pydantic.Field(25_000, ge=1, description="of training on each control")
    mean_field: float = pydantic.Field(
        4.0, gt=0, le=10, description="coupling and T_c of the all-to-all model"
    )
    redrawn_mean: float = pydantic.Field(-0.001, ge=-1, le=1)
    redrawn_deviation: float = pydantic.Field(0.0015, ge=0, le=1)
    chains: int = pydantic.Field(1000, ge=40, le=100_000)
    length: int = pydantic.Field(80, ge=8, le=10_000, description="rounds of the flow")
    every: int = pydantic.Field(2, ge=1)
    network_hidden: int = pydantic.Field(128, ge=1, le=4096)
    network_steps: int = pydantic.Field(3000, ge=1)
    table_draws: int = pydantic.Field(60, ge=20, description="per chain, for the table of ⟨|m|⟩")

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "Settings":
        if self.length % self.every or self.length // self.every < 4:
            raise ValueError(f"length = {self.length} must be at least 4 times every = {self.every}, no rest")
        return self

    @property
    def temperatures(self) -> list[float]:
        """The grid, T = 0 first."""
        return [round(self.step * k, 10) for k in range(round(self.highest / self.step) + 1)]

    @property
    def learning(self) -> float:
        """Rate times steps, by which trainings of different rates are compared."""
        return self.rate * self.steps


@dataclass(frozen=True, eq=False)
class Case:
    """One machine, or none, and its flows by start. `critical`: whether its data had a critical point."""

    name: str
    critical: bool
    flows: dict[str, FlowRecord]
    dependence: StartDependence
    monitors: dict[str, float] = field(default_factory=dict)


@dataclass
class Findings:
    """Everything that was measured."""

    settings: Settings
    network: NetworkThermometer
    magnetization: DirectThermometer
    energy: DirectThermometer
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def redrawn(self) -> list[Case]:
        """The cases without a machine."""
        return [case for case in self.cases.values() if case.name.startswith("redrawn")]


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Make the data, the thermometers and the machines, and follow their flows."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 64))
    rng = np.random.default_rng([settings.seed, 1])
    size, count, grid = settings.size, settings.samples, settings.temperatures
    shape = (size, size)
    say(f"data: {len(grid)} temperatures, {count} configurations each")
    data = {t: ising_data(size, t, count, settings.seed) for t in grid}
    say("thermometers: ⟨|m|⟩(T), e(T), a classifier")
    found = Findings(
        settings,
        train_thermometer(
            list(data.values()),
            grid,
            hidden=settings.network_hidden,
            steps=settings.network_steps,
            key=next(keys),
        ),
        magnetization_thermometer(shape, draws=settings.table_draws, seed=settings.seed),
        energy_thermometer(shape),
    )
    lattice, direct = Lattice(shape), {"|m|": found.magnetization, "e": found.energy}
    half = count * len(grid) // 2
    sets = {
        ALL: np.concatenate(list(data.values())),
        EXTREMES: np.concatenate([ordered(half, size, rng), random_spins(half, size, rng)]),
        MEAN_FIELD: np.concatenate([mean_field_data(size, t, count, settings.mean_field, rng) for t in grid]),
        HOT: np.concatenate([x for t, x in data.items() if t >= _HOT_FROM]),
        COLD: ordered(half, size, rng),
    }
    starts = {
        "T = 0": np.ones((settings.chains, size, size), np.int8),
        "T = ∞": random_spins(settings.chains, size, rng),
        "data": rng.permutation(sets[ALL])[: settings.chains],
    }
    for name, rows in sets.items():
        steps = settings.steps if name == ALL else settings.control_steps
        say(f"machine: {name}, {len(rows)} configurations, {steps} steps")
        machine = _train(rows, settings, steps, told(say, name), next(keys))
        records = follow_machine(
            machine,
            starts,
            lattice,
            length=settings.length,
            every=settings.every,
            thermometers=direct,
            network=found.network,
            key=next(keys),
        )
        found.cases[name] = _case(name, records, monitor(machine, _some(machine, rows), key=next(keys)))
        if name == ALL:
            weights = np.asarray(machine.weights, np.float64)
    laws = {
        "as in the paper": (settings.redrawn_mean, settings.redrawn_deviation),
        "moments of W": (float(weights.mean()), float(weights.std())),
    }
    for words, (mean, deviation) in laws.items():
        name = f"redrawn, {words}"
        say(f"no machine: weights {name}, N({mean:.4g}, {deviation:.4g}²)")
        records = {}
        for start, x in starts.items():
            stages = redrawn_flow(
                x.reshape(len(x), -1),
                settings.hidden,
                mean,
                deviation,
                length=settings.length,
                every=settings.every,
                rng=rng,
            )
            records[start] = follow_flow(
                stages, lattice, start=start, thermometers=direct, network=found.network
            )
        found.cases[name] = _case(name, records, {"mean_of_W": mean, "deviation_of_W": deviation})
    return found


def _train(
    rows: np.ndarray, settings: Settings, steps: int, options: dict[str, Any], key: PRNGKeyArray
) -> RBM:
    """CD-1 on {0, 1} units without biases, plain gradient steps of constant size."""
    starting, training = jax.random.split(key)
    machine = RBM.create(
        settings.size**2,
        settings.hidden,
        visible_unit="binary",
        hidden_unit="binary",
        scale=settings.scale,
        biases=False,
        key=starting,
    )
    plan = Plan(
        steps=steps,
        batch=settings.batch,
        learning_rate=settings.rate,
        decay="constant",
        optimiser="sgd",
        steps_per_call=min(steps, _CALL),
    )
    objective = ContrastiveDivergence(persistent=False)
    return fit(machine, _bits(rows), plan, objective=objective, key=training, **options).state.model


def _case(name: str, records: dict[str, FlowRecord], monitors: dict[str, float]) -> Case:
    return Case(name, name == ALL, records, start_dependence(records["T = 0"], records["T = ∞"]), monitors)


def _some(machine: RBM, rows: np.ndarray) -> Array:
    """Up to 2000 rows from all over the set."""
    return jnp.asarray(_bits(rows[:: -(-len(rows) // 2000)]), machine.weights.dtype)


def _bits(x: np.ndarray) -> np.ndarray:
    """Spins [n, *shape] as rows of {0, 1}."""
    return (x.reshape(len(x), -1) > 0).astype(np.int8)
