"""Settings of the study, its machines and controls, and all that it measures."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM
from deeprg.lattice import Lattice
from deeprg.probes import FlowRecord, StartDependence, follow_flow, start_dependence
from deeprg.studies._followed import ORDERED, RANDOM, Thermometers, follow, thermometers, three_starts
from deeprg.studies._machines import ReadSettings, Units, grid_data, monitors, new_machine, train_machine
from deeprg.studies._progress import told
from deeprg.studies._spins import ordered

__all__ = ["IID", "UNTRAINED", "Case", "Findings", "H", "L", "Settings", "V", "find"]

V, H, L = "V", "H", "L"
UNTRAINED, IID = "untrained", "iid weights"
_MARKS = (0.05, 0.25, 1.0)
"""Shares of the training after which the flow is followed."""


class Settings(ReadSettings):
    """Data, machines, flow and thermometers."""

    hidden: tuple[int, ...] = pydantic.Field(
        (16, 64, 100, 225), min_length=1, max_length=12, description="sizes of the machines V"
    )
    control_hidden: tuple[int, ...] = pydantic.Field(
        (64, 225), min_length=1, max_length=12, description="sizes of the machines H and L"
    )
    course_hidden: int = pydantic.Field(
        64, ge=1, le=10_000, description="size of the machine that is followed while it learns, in both units"
    )
    unit: Units = pydantic.Field("spin", description="of the machines; the other kind is a control")
    control_steps: int = pydantic.Field(10_000, ge=1, description="of training on H and on L")
    hot_from: float = pydantic.Field(4.0, ge=3, le=5, description="lowest temperature of H")

    @pydantic.field_validator("hidden", "control_hidden")
    @classmethod
    def _sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= size <= 10_000 for size in sizes) or list(sizes) != sorted(set(sizes)):
            raise ValueError("sizes must rise, from 1 to 10000")
        return sizes

    @pydantic.model_validator(mode="after")
    def _followed(self) -> "Settings":
        for name, sizes in (("course", {self.course_hidden}), ("control", set(self.control_hidden))):
            if not sizes <= set(self.hidden):
                raise ValueError(f"{name}_hidden must be among hidden = {list(self.hidden)}")
        return self

    @property
    def other_unit(self) -> Units:
        """The units of the control."""
        return "spin" if self.unit == "binary" else "binary"


@dataclass(frozen=True, eq=False)
class Case:
    """A machine and its flows by start. `data` is V, H or L, or why it learned nothing."""

    data: str
    hidden: int
    unit: Units
    steps: int
    weights: np.ndarray
    flows: Mapping[str, FlowRecord]
    monitors: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.data}, N_h = {self.hidden}" + (", {0, 1}" if self.unit == "binary" else "")

    @property
    def dependence(self) -> StartDependence:
        """Tests of the ends from all up and from random spins."""
        return start_dependence(self.flows[ORDERED], self.flows[RANDOM])


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that was measured.

    `machines`: V by size, then H and L. `courses`: one machine V in each kind of unit, after parts of its
    training. `controls`: machines that learned nothing. `mixtures`: the training data themselves, by the
    highest temperature that is taken.
    """

    settings: Settings
    thermometers: Thermometers
    machines: Sequence[Case]
    courses: Mapping[Units, Sequence[Case]]
    controls: Sequence[Case]
    mixtures: Mapping[float, FlowRecord]

    def of(self, data: str) -> list[Case]:
        """The machines of one set, by size."""
        return [case for case in self.machines if case.data == data]

    @property
    def cases(self) -> list[Case]:
        """All that were followed, each once."""
        other = self.courses[self.settings.other_unit]
        return [*self.machines, other[-1], *self.controls]


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Make the data, the thermometers and the machines, and follow their flows."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 256))
    rng = np.random.default_rng([settings.seed, 1])
    say(f"data: {len(settings.temperatures)} temperatures, {settings.samples} configurations each")
    data = grid_data(settings)
    say("thermometers: ⟨|m|⟩(T), e(T), a classifier")
    readers = thermometers(settings, data, key=next(keys))
    sets = {
        V: rng.permutation(np.concatenate(list(data.values()))),
        H: np.concatenate([x for t, x in data.items() if t >= settings.hot_from]),
        L: ordered(settings.samples, settings.size, rng),
    }
    starts = three_starts(settings, sets[V], rng)
    run = _Run(settings, readers, starts, say)
    machines, courses = [], {}
    for hidden in settings.hidden:
        whole = (settings.steps,)
        marks = _marks(settings.steps) if hidden == settings.course_hidden else whole
        course = list(run.course(V, sets[V], hidden, settings.unit, marks, next(keys)))
        machines.append(course[-1])
        if hidden == settings.course_hidden:
            courses[settings.unit] = course
            marks, unit = _marks(settings.steps), settings.other_unit
            courses[unit] = list(run.course(V, sets[V], hidden, unit, marks, next(keys)))
    for name in (H, L):
        for hidden in settings.control_hidden:
            marks = (settings.control_steps,)
            machines += run.course(name, sets[name], hidden, settings.unit, marks, next(keys))
    controls = [run.untrained(settings.course_hidden, settings.unit, next(keys))]
    controls += [run.redrawn(courses[unit][-1], next(keys)) for unit in (settings.unit, settings.other_unit)]
    mixtures = _mixtures(settings, readers, data, rng)
    return Findings(settings, readers, machines, courses, controls, mixtures)


def _marks(steps: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(share * steps)) for share in _MARKS}))


@dataclass(frozen=True)
class _Run:
    """What all machines have in common."""

    settings: Settings
    readers: Thermometers
    starts: Mapping[str, np.ndarray]
    say: Callable[[str], None]

    def course(
        self, data: str, spins: np.ndarray, hidden: int, unit: Units, marks: Sequence[int], key: PRNGKeyArray
    ) -> Iterator[Case]:
        """One training, with its flow after each of `marks` steps."""
        first, *others = jax.random.split(key, 1 + 3 * len(marks))
        case = Case(data, hidden, unit, 0, np.empty((0, 0)), {})
        self.say(f"machine: {case.name}, {len(spins)} configurations, {marks[-1]} steps")
        machine = new_machine(self.settings, hidden, unit=unit, key=first)
        options, done = told(self.say, case.name), 0
        for number, mark in enumerate(marks):
            training, flowing, watching = others[3 * number : 3 * number + 3]
            machine = train_machine(
                machine,
                spins,
                self.settings,
                rate=self.settings.rate_of(unit),
                steps=mark - done,
                options=options,
                key=training,
            )
            done = mark
            seen = monitors(machine, spins, key=watching)
            yield dataclasses.replace(self._followed(case, machine, flowing), steps=done, monitors=seen)

    def untrained(self, hidden: int, unit: Units, key: PRNGKeyArray) -> Case:
        """A machine as it starts."""
        first, flowing = jax.random.split(key)
        machine = new_machine(self.settings, hidden, unit=unit, key=first)
        return self._followed(Case(UNTRAINED, hidden, unit, 0, np.empty((0, 0)), {}), machine, flowing)

    def redrawn(self, trained: Case, key: PRNGKeyArray) -> Case:
        """A machine whose weights are independent, with the mean and deviation of trained ones."""
        first, second, flowing = jax.random.split(key, 3)
        w = trained.weights
        machine = new_machine(self.settings, trained.hidden, unit=trained.unit, key=first)
        drawn = float(w.mean()) + float(w.std()) * jax.random.normal(second, w.shape, machine.weights.dtype)
        machine = dataclasses.replace(machine, weights=jnp.asarray(drawn))
        return self._followed(dataclasses.replace(trained, data=IID, steps=0, monitors={}), machine, flowing)

    def _followed(self, case: Case, machine: RBM, key: PRNGKeyArray) -> Case:
        flows = follow(machine, self.starts, self.settings, self.readers, key=key)
        return dataclasses.replace(case, weights=np.asarray(machine.weights, np.float64), flows=flows)


def _mixtures(
    settings: Settings, readers: Thermometers, data: Mapping[float, np.ndarray], rng: np.random.Generator
) -> dict[float, FlowRecord]:
    """The data of T = 0 … T_max, read as one ensemble: where the flow of an exact machine would end."""
    found = {}
    lattice = Lattice((settings.size, settings.size))
    for highest in (3.0, 4.0, settings.temperatures[-1]):
        pooled = rng.permutation(np.concatenate([x for t, x in data.items() if t <= highest]))
        stages = [(0, pooled.astype(np.float32))]  # in no order: a series sorted by T is correlated
        found[highest] = follow_flow(
            stages,
            lattice,
            start=f"data of T ≤ {highest:g}",
            thermometers=readers.direct,
            network=readers.network,
        )
    return found
