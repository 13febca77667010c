"""Settings of the study, its machines and controls, and all that it measures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pydantic
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM
from deeprg.lattice import Lattice
from deeprg.probes import FlowRecord, StartDependence, follow_flow, start_dependence
from deeprg.studies._followed import ORDERED, RANDOM, TYPICAL, three_starts
from deeprg.studies._funai_exact import FieldTable, Peak, field_table
from deeprg.studies._funai_exponent import PowerLaw, reconstructed
from deeprg.studies._funai_flow import Heat, HeatFlow, follow_heat, specific_heat
from deeprg.studies._machines import FlowSettings, Units, grid_data, monitors, new_machine, train_machine
from deeprg.studies._progress import told
from deeprg.studies._spins import field_data, ising_data, ordered, random_spins

__all__ = ["EVERY", "EXTREMES", "IID", "Case", "Findings", "Pool", "Settings", "field_name", "find"]

EVERY, EXTREMES, IID = "all (T, H)", "T = 0 and ∞ only", "iid weights"
UNITS: tuple[Units, ...] = ("spin", "binary")
_WINDOW = (1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2)
_ROUNDS = (1, 2, 5, 10)


class Settings(FlowSettings):
    """Data, machines and flow."""

    size: int = pydantic.Field(10, ge=4, le=10, description="extent of the torus, for the exact table")
    steps: int = pydantic.Field(15_000, ge=1, description="of every training")
    fields: tuple[float, ...] = pydantic.Field(
        (0.0, 0.5, 1.0), min_length=2, max_length=6, description="H in units of J, 0 first"
    )
    hidden: int = pydantic.Field(64, ge=1, le=10_000)
    other_hidden: tuple[int, ...] = pydantic.Field(
        (16,), max_length=8, description="sizes of further machines trained at H = 0"
    )

    @pydantic.field_validator("fields")
    @classmethod
    def _rising(cls, fields: tuple[float, ...]) -> tuple[float, ...]:
        if fields[0] != 0 or list(fields) != sorted(set(fields)) or fields[-1] > 2:
            raise ValueError("fields must begin with 0 and rise, to 2 at most")
        return fields

    @pydantic.field_validator("other_hidden")
    @classmethod
    def _sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= size <= 10_000 for size in sizes):
            raise ValueError("sizes must be 1 to 10000")
        return sizes


@dataclass(frozen=True, eq=False)
class Case:
    """A machine and its flows by start.

    `data` names what it learned; `field` is the one at which its ends are judged, 0 where its data have
    several; `control`: whether it has seen no temperature near the largest specific heat.
    """

    data: str
    field: float
    hidden: int
    unit: Units
    flows: Mapping[str, HeatFlow]
    control: bool = False
    monitors: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.data}, N_h = {self.hidden}" + (", {0, 1}" if self.unit == "binary" else "")

    @property
    def records(self) -> dict[str, FlowRecord]:
        """The flows without their specific heats."""
        return {start: flow.record for start, flow in self.flows.items()}

    @property
    def dependence(self) -> StartDependence:
        """Tests of the ends from all up and from random spins."""
        return start_dependence(self.flows[ORDERED].record, self.flows[RANDOM].record)


@dataclass(frozen=True, eq=False)
class Pool:
    """Training data in one pot, as an ensemble at one field."""

    name: str
    field: float
    record: FlowRecord
    heat: Heat


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that was measured. `laws`: that of |m|(T) after so many rounds from data of known T."""

    settings: Settings
    table: FieldTable
    peaks: Mapping[float, Peak]
    cases: Sequence[Case]
    pools: Sequence[Pool]
    laws: Mapping[int, PowerLaw]

    def of(self, data: str) -> list[Case]:
        """The machines of the main size that were trained on a set, ±1 units first."""
        return [case for case in self.cases if case.data == data and case.hidden == self.settings.hidden]


def field_name(number: float) -> str:
    """How data at one field are called."""
    return f"H = {number:g}"


@dataclass(frozen=True, eq=False)
class _Pot:
    """Training data in no order, and the field that they belong to."""

    name: str
    spins: np.ndarray
    field: float = 0.0


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Compute what is exact, make the data and the machines, and follow their flows."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 256))
    rng = np.random.default_rng([settings.seed, 1])
    say(f"exact: the law of m on {settings.size} x {settings.size} at 14 couplings")
    table = field_table(settings.size)
    peaks = {h: table.peak(h) for h in settings.fields}
    say(
        f"data: {len(settings.temperatures)} temperatures, {len(settings.fields)} fields, "
        f"{settings.samples} configurations each"
    )
    pots = [_Pot(field_name(h), rng.permutation(_data(settings, h)), h) for h in settings.fields]
    pots.append(_Pot(EVERY, rng.permutation(np.concatenate([pot.spins for pot in pots]))))
    extremes = _Pot(EXTREMES, rng.permutation(_extremes(settings, rng)))
    run = _Run(settings, table, three_starts(settings, pots[0].spins, rng), say)
    main, first = run.trained(pots[0], settings.hidden, "spin", next(keys))
    cases = [first, run.trained(pots[0], settings.hidden, "binary", next(keys))[1]]
    for pot in pots[1:]:
        cases += [run.trained(pot, settings.hidden, unit, next(keys))[1] for unit in UNITS]
    for hidden in settings.other_hidden:
        cases.append(run.trained(pots[0], hidden, "spin", next(keys))[1])
    cases.append(run.trained(extremes, settings.hidden, "spin", next(keys), control=True)[1])
    cases.append(run.redrawn(main, next(keys)))
    pools = [run.pool(pot) for pot in pots]
    known = {t: ising_data(settings.size, t, settings.chains, settings.seed + 1) for t in _WINDOW}
    laws = reconstructed(main, known, _ROUNDS, key=next(keys))
    return Findings(settings, table, peaks, cases, pools, laws)


def _data(settings: Settings, number: float) -> np.ndarray:
    """Configurations of all temperatures at one field."""
    if number == 0:
        return np.concatenate(list(grid_data(settings).values()))
    found = field_data(settings.size, settings.temperatures, number, settings.samples, settings.seed)
    return np.concatenate(list(found.values()))


def _extremes(settings: Settings, rng: np.random.Generator) -> np.ndarray:
    """As many configurations as at one field, half of T = 0 and half of T = ∞."""
    half = settings.samples * len(settings.temperatures) // 2
    return np.concatenate([ordered(half, settings.size, rng), random_spins(half, settings.size, rng)])


@dataclass(frozen=True)
class _Run:
    """What all machines have in common."""

    settings: Settings
    table: FieldTable
    starts: Mapping[str, np.ndarray]
    say: Callable[[str], None]

    def trained(
        self, pot: _Pot, hidden: int, unit: Units, key: PRNGKeyArray, *, control: bool = False
    ) -> tuple[RBM, Case]:
        """A machine and its flows; "data" among the starts are its own."""
        first, training, flowing, watching = jax.random.split(key, 4)
        case = Case(pot.name, pot.field, hidden, unit, {}, control)
        self.say(f"machine: {case.name}, {len(pot.spins)} configurations, {self.settings.steps} steps")
        # ±1 units without biases know no field; {0, 1} units do.
        machine = new_machine(self.settings, hidden, unit=unit, biases=unit == "spin", key=first)
        machine = train_machine(
            machine,
            pot.spins,
            self.settings,
            rate=self.settings.rate_of(unit),
            steps=self.settings.steps,
            options=told(self.say, case.name),
            key=training,
        )
        seen = monitors(machine, pot.spins, key=watching)
        starts = {**self.starts, TYPICAL: pot.spins[: self.settings.chains]}
        return machine, dataclasses.replace(
            case, flows=self._flows(machine, starts, pot.field, flowing), monitors=seen
        )

    def redrawn(self, trained: RBM, key: PRNGKeyArray) -> Case:
        """A machine whose weights are independent, with the mean and deviation of trained ones."""
        second, flowing = jax.random.split(key)
        w = trained.weights
        drawn = jnp.mean(w) + jnp.std(w) * jax.random.normal(second, w.shape, w.dtype)
        none = jnp.zeros_like(trained.visible_bias), jnp.zeros_like(trained.hidden_bias)
        machine = RBM(drawn, none[0], none[1], trained.visible, trained.hidden, trained.biases)
        flows = self._flows(machine, self.starts, 0.0, flowing)
        return Case(IID, 0.0, trained.n_hidden, "spin", flows, control=True)

    def pool(self, pot: _Pot) -> Pool:
        """Training data as one ensemble."""
        readers = self.table.thermometers(pot.field)
        lattice = Lattice((self.settings.size, self.settings.size))
        record = follow_flow([(0, pot.spins)], lattice, start="data", thermometers=readers)
        energy, m = (record.final[name] for name in ("energy_per_site", "magnetization"))
        heat = specific_heat(energy, m, pot.field, readers["e"], lattice.size)
        return Pool(pot.name, pot.field, record, heat)

    def _flows(
        self, machine: RBM, starts: Mapping[str, np.ndarray], number: float, key: PRNGKeyArray
    ) -> dict[str, HeatFlow]:
        readers = self.table.thermometers(number)
        return {
            start: follow_heat(
                machine, x, self.settings, name=start, field=number, thermometers=readers, key=own
            )
            for (start, x), own in zip(starts.items(), jax.random.split(key, len(starts)), strict=True)
        }
