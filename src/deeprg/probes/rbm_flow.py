"""Observables along a flow v -> h -> v' of configurations, and where it ends."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, BeliefNetwork, rbm_flow
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo import thermodynamics, two_sample_test
from deeprg.montecarlo.measurement import measure
from deeprg.probes.estimates import Estimate
from deeprg.probes.network_thermometer import NetworkReading, NetworkThermometer
from deeprg.probes.thermometer import Agreement, DirectThermometer, Reading, compare_readings
from deeprg.runs.errors import NumericalError, UsageError

__all__ = [
    "FlowRecord",
    "FlowStage",
    "StartDependence",
    "follow_flow",
    "follow_machine",
    "relaxation_time",
    "start_dependence",
]

_LEVEL = 0.01  # of the tests, divided by their number
_SETTLED = 3.0  # standard errors
_SAME = 1e-12


@dataclass(frozen=True)
class FlowStage:
    """All that was measured after `rounds` rounds; an `Estimate` has its error over independent chains.

    `observables`: abs_magnetization, magnetization, energy_per_site (J = 1), up (the share of chains with
    m > 0; a chain with m = 0 counts half), magnetization_squared, structure_factor_min, susceptibility
    N(⟨m²⟩ - ⟨|m|⟩²), correlation_length (second moment; NaN where it is not defined), binder_cumulant.
    """

    rounds: int
    observables: Mapping[str, Estimate]
    readings: Mapping[str, Reading]
    network: NetworkReading | None = None

    @property
    def agreement(self) -> Agreement | None:
        """Whether the direct thermometers agree on one temperature; None with fewer than two."""
        return compare_readings(list(self.readings.values())) if len(self.readings) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "rounds": self.rounds,
            "observables": {name: one.to_dict() for name, one in self.observables.items()},
            "readings": {name: one.to_dict() for name, one in self.readings.items()},
            "network": None if self.network is None else self.network.to_dict(),
        }


@dataclass(frozen=True)
class FlowRecord:
    """A flow from one start: its stages, and the series [n chains] of its last one.

    `relaxation` is the number of rounds to the end point, see `relaxation_time`; `settled` whether the last
    stage and the one at three quarters of the flow have the same |m| and energy within three errors.
    """

    start: str
    stages: tuple[FlowStage, ...]
    final: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def end(self) -> FlowStage:
        """The last stage."""
        return self.stages[-1]

    @property
    def rounds(self) -> np.ndarray:
        """The numbers of rounds of the stages."""
        return np.array([stage.rounds for stage in self.stages])

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values and errors of one observable over the stages."""
        rows = [stage.observables[name] for stage in self.stages]
        return np.array([row.value for row in rows]), np.array([row.error for row in rows])

    def relaxation(self, name: str = "abs_magnetization") -> float:
        """The relaxation time of one observable, in rounds."""
        return relaxation_time(self.rounds, *self.curve(name))

    @property
    def settled(self) -> bool:
        """Whether the last quarter of the flow shows no drift."""
        earlier = int(np.searchsorted(self.rounds, 0.75 * self.rounds[-1]))
        for name in ("abs_magnetization", "energy_per_site"):
            value, error = self.curve(name)
            if abs(value[-1] - value[earlier]) > _SETTLED * math.hypot(error[-1], error[earlier]) + _SAME:
                return False
        return True


@dataclass(frozen=True)
class StartDependence:
    """Do two flows end in one ensemble: the probabilities of two-sample tests by observable.

    `difference` is that of the means, end of the first minus end of the second. `dependent` is whether the
    smallest p, times the number of tests, is below 0.01.
    """

    p: Mapping[str, float]
    difference: Mapping[str, float]

    @property
    def dependent(self) -> bool:
        """Whether the end points differ."""
        return min(self.p.values()) * len(self.p) < _LEVEL


def follow_flow(
    stages: Iterable[tuple[int, Any]],
    lattice: Lattice,
    *,
    start: str = "",
    thermometers: Mapping[str, DirectThermometer] | None = None,
    network: NetworkThermometer | None = None,
) -> FlowRecord:
    """Measure a flow of spin configurations [n, *shape] or [n, sites], one independent chain per row.

    `stages` yields (rounds, configurations), such as `deeprg.coarsegrain.boltzmann.rbm_flow` with the visible
    layer decoded to ±1. Energies are those of nearest neighbours with J = 1, whatever made the data.
    `thermometers` are read from the observable of their `quantity` at every stage, `network` too.

    Raises `UsageError` for no stage, fewer than 20 chains, configurations of another lattice, anything but
    ±1, and a thermometer of a quantity that is not measured.

    >>> rng = np.random.default_rng(0)
    >>> stages = ((k, rng.choice([-1.0, 1.0], size=(500, 16))) for k in (0, 1))
    >>> record = follow_flow(stages, Lattice((4, 4)))
    >>> energy = record.end.observables["energy_per_site"]
    >>> abs(energy.value) < 4 * energy.error, round(energy.error, 2)
    (True, 0.02)
    """
    measured = []
    series: dict[str, np.ndarray] = {}
    for rounds, configurations in stages:
        x = np.asarray(configurations)
        if x.size != len(x) * lattice.size or len(x) < 20 or not np.all(np.abs(x) == 1):
            raise UsageError(
                f"configurations of shape {x.shape} after {rounds} rounds are no flow on {lattice}: 20 or "
                f"more rows of {lattice.size} spins -1 and +1 are needed. Decode {{0, 1}} units to spins."
            )
        x = x.reshape(-1, *lattice.shape).astype(np.float32)
        series = _series(x, lattice)
        observables = thermodynamics(series, lattice.size, None, lattice.shape)
        readings = {name: _read(one, observables, name) for name, one in (thermometers or {}).items()}
        measured.append(
            FlowStage(rounds, observables, readings, None if network is None else network.read(x))
        )
    if not measured:
        raise UsageError("the flow has no stage; yield at least (0, the start).")
    return FlowRecord(start, tuple(measured), series)


def follow_machine(
    machine: RBM | BeliefNetwork,
    starts: Mapping[str, Any],
    lattice: Lattice,
    *,
    length: int,
    every: int = 1,
    depth: int | None = None,
    thermometers: Mapping[str, DirectThermometer] | None = None,
    network: NetworkThermometer | None = None,
    key: PRNGKeyArray,
) -> dict[str, FlowRecord]:
    """The flow v -> h -> v' of a machine or network of spin or binary units, followed from several starts.

    `starts` has spins ±1 [n, *shape] by name; binary units get and give bits. The rest as in
    `deeprg.coarsegrain.boltzmann.rbm_flow` and `follow_flow`, with their errors; `UsageError` also for other
    visible units, and for a lattice that the machine does not fill.

    >>> machine = RBM.create(16, 4, visible_unit="binary", scale=0.0, key=jax.random.key(0))
    >>> up = np.ones((50, 4, 4))
    >>> found = follow_machine(machine, {"up": up}, Lattice((4, 4)), length=2, key=jax.random.key(1))
    >>> [stage.rounds for stage in found["up"].stages], found["up"].stages[0].observables["up"].value
    ([0, 1, 2], 1.0)
    """
    first = machine.machines[0] if isinstance(machine, BeliefNetwork) else machine
    unit, kind = first.visible, first.weights.dtype
    if unit.name not in ("spin", "binary"):
        raise UsageError(
            f"the machine has '{unit.name}' visible units; |m| and the energy are followed for spin and "
            "binary units."
        )
    if first.n_visible != lattice.size:
        raise UsageError(
            f"the machine has {first.n_visible} visible units, but {lattice} has {lattice.size} sites."
        )

    def stages(start: Any, key: PRNGKeyArray) -> Iterator[tuple[int, np.ndarray]]:
        spins = np.asarray(start).reshape(len(start), -1)
        unit.check_values(spins, "the start")
        v = unit.encode(jnp.asarray(spins, kind))
        for rounds, x in rbm_flow(machine, v, length=length, every=every, depth=depth, key=key):
            yield rounds, np.asarray(unit.decode(x))

    keys = jax.random.split(key, len(starts))
    return {
        name: follow_flow(stages(start, own), lattice, start=name, thermometers=thermometers, network=network)
        for (name, start), own in zip(starts.items(), keys, strict=True)
    }


def relaxation_time(rounds: np.ndarray, values: np.ndarray, errors: np.ndarray) -> float:
    """Rounds until the distance from the end point has fallen to 1/e of what it was at the start.

    The end point is the mean over the last quarter of the rounds; between stages the logarithm of the
    distance is interpolated. 0 where the start is not farther from the end than three standard errors, NaN
    where the distance never falls so far before the last quarter.

    >>> n = np.arange(61)
    >>> round(relaxation_time(n, 0.5 + 0.5 * np.exp(-n / 4), 0 * n), 2)
    4.0
    """
    last = rounds >= 0.75 * rounds[-1]
    end, noise = float(values[last].mean()), float(np.max(errors[last]))
    distance = np.abs(values - end)
    if distance[0] <= _SETTLED * math.hypot(noise, float(errors[0])) + _SAME:
        return 0.0
    below = np.flatnonzero((distance <= distance[0] / math.e) & ~last)
    if not below.size:
        return math.nan
    k = int(below[0])
    logs = np.log(np.maximum(distance[k - 1 : k + 1] / distance[0], 1e-12))
    share = (-1 - logs[0]) / (logs[1] - logs[0])
    return float(rounds[k - 1] + share * (rounds[k] - rounds[k - 1]))


def start_dependence(a: FlowRecord, b: FlowRecord) -> StartDependence:
    """Two-sample tests of m, |m| and the energy of the last stages of two flows: means and distributions.

    >>> rng = np.random.default_rng(0)
    >>> def flow(up):
    ...     spins = np.where(rng.random((400, 16)) < up, 1.0, -1.0)
    ...     return follow_flow([(0, spins)], Lattice((4, 4)))
    >>> start_dependence(flow(0.5), flow(0.5)).dependent, start_dependence(flow(0.5), flow(0.6)).dependent
    (False, True)
    """
    names = ("magnetization", "abs_magnetization", "energy_per_site")
    return StartDependence(
        {name: _same(a.final[name], b.final[name]) for name in names},
        {name: float(a.final[name].mean() - b.final[name].mean()) for name in names},
    )


def _same(a: np.ndarray, b: np.ndarray) -> float:
    try:
        return two_sample_test(a, b).p
    except NumericalError:  # one of the two is a constant
        return float(np.array_equal(np.unique(a), np.unique(b)))


def _series(x: np.ndarray, lattice: Lattice) -> dict[str, np.ndarray]:
    found = measure(Ising(lattice, 1.0), x)
    m = x.reshape(len(x), -1).mean(axis=1, dtype=np.float64)
    return {
        "magnetization": m,
        "abs_magnetization": np.abs(m),
        "magnetization_squared": m**2,
        "energy_per_site": found["energy_per_site"],
        "structure_factor_min": found["structure_factor_min"],
        "up": 0.5 * (1 + np.sign(m)),
    }


def _read(thermometer: DirectThermometer, observables: Mapping[str, Estimate], name: str) -> Reading:
    if thermometer.quantity not in observables:
        raise UsageError(
            f"thermometer '{name}' reads '{thermometer.quantity}', which is not measured; measured are "
            f"{', '.join(observables)}."
        )
    found = observables[thermometer.quantity]
    return thermometer.read(found.value, found.error if math.isfinite(found.error) else 0.0)
