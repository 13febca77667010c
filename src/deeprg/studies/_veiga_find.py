"""Settings of the study, its machines and controls, and all that it measures."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import numpy as np
import pydantic

from deeprg.lattice import Lattice
from deeprg.probes import FlowRecord, StartDependence, follow_flow, start_dependence
from deeprg.studies._followed import ORDERED, RANDOM, Thermometers, follow, thermometers, three_starts
from deeprg.studies._machines import ReadSettings, grid_data, monitors, new_machine, train_machine
from deeprg.studies._progress import told
from deeprg.studies._spins import mean_field_data, ordered, random_spins
from deeprg.studies._veiga_redrawn import redrawn_flow

__all__ = ["ALL", "COLD", "EXTREMES", "HOT", "MEAN_FIELD", "Case", "Findings", "Settings", "find"]

ALL, EXTREMES, MEAN_FIELD = "all T", "T = 0 and ∞ only", "mean field"
HOT, COLD = "T ≥ 4 only", "T = 0 only"
_HOT_FROM = 4.0


class Settings(ReadSettings):
    """Data, machine, flow and thermometers."""

    samples: int = pydantic.Field(800, ge=40, le=100_000, description="configurations at each temperature")
    rate: float = pydantic.Field(0.2, gt=0, le=2)
    steps: int = pydantic.Field(60_000, ge=1, description="of training on all temperatures")
    every: int = pydantic.Field(2, ge=1)
    hidden: int = pydantic.Field(100, ge=1, le=10_000)
    control_steps: int = pydantic.Field(25_000, ge=1, description="of training on each control")
    mean_field: float = pydantic.Field(
        4.0, gt=0, le=10, description="coupling and T_c of the all-to-all model"
    )
    redrawn_mean: float = pydantic.Field(-0.001, ge=-1, le=1)
    redrawn_deviation: float = pydantic.Field(0.0015, ge=0, le=1)

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
    thermometers: Thermometers
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
    say(f"data: {len(grid)} temperatures, {count} configurations each")
    data = grid_data(settings)
    say("thermometers: ⟨|m|⟩(T), e(T), a classifier")
    found = Findings(settings, thermometers(settings, data, key=next(keys)))
    lattice, readers = Lattice((size, size)), found.thermometers
    half = count * len(grid) // 2
    sets = {
        ALL: np.concatenate(list(data.values())),
        EXTREMES: np.concatenate([ordered(half, size, rng), random_spins(half, size, rng)]),
        MEAN_FIELD: np.concatenate([mean_field_data(size, t, count, settings.mean_field, rng) for t in grid]),
        HOT: np.concatenate([x for t, x in data.items() if t >= _HOT_FROM]),
        COLD: ordered(half, size, rng),
    }
    starts = three_starts(settings, sets[ALL], rng)
    for name, rows in sets.items():
        steps = settings.steps if name == ALL else settings.control_steps
        say(f"machine: {name}, {len(rows)} configurations, {steps} steps")
        starting, training = jax.random.split(next(keys))
        machine = train_machine(
            new_machine(settings, settings.hidden, unit="binary", key=starting),
            rows,
            settings,
            rate=settings.rate,
            steps=steps,
            options=told(say, name),
            key=training,
        )
        records = follow(machine, starts, settings, readers, key=next(keys))
        found.cases[name] = _case(name, records, monitors(machine, rows, key=next(keys)))
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
                stages, lattice, start=start, thermometers=readers.direct, network=readers.network
            )
        found.cases[name] = _case(name, records, {"mean_of_W": mean, "deviation_of_W": deviation})
    return found


def _case(name: str, records: dict[str, FlowRecord], monitors: dict[str, float]) -> Case:
    return Case(name, name == ALL, records, start_dependence(records[ORDERED], records[RANDOM]), monitors)
