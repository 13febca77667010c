"""Settings of the study of coarse-grained data, and all that it measures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pydantic

from deeprg.coarsegrain import principal_modes
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.lattice import Lattice
from deeprg.probes import (
    ClusterCourse,
    ClusterScaling,
    ModeFlow,
    cluster_course,
    cluster_scaling,
    mode_flow,
)
from deeprg.runs.schema import Config
from deeprg.studies._bb_data import driven_units, gaussian_like, shuffled
from deeprg.studies._bb_measure import (
    Shells,
    blocks_in_order,
    cluster_places,
    momentum_shells,
)
from deeprg.studies._spins import ising_chains

__all__ = ["BLOCKS", "CRITICAL", "DRIVEN", "GAUSSIAN", "HOT", "SHUFFLED", "Findings", "Settings", "find"]

CRITICAL, HOT = "critical", "hot"
SHUFFLED, GAUSSIAN, DRIVEN = "shuffled", "Gaussian copy", "driven units"
BLOCKS = "square blocks"


class Settings(Config):
    """Samples."""

    seed: int = pydantic.Field(0, ge=0)
    size: int = pydantic.Field(32, ge=8, le=64, description="L of the lattice, a power of 2; L^2 units")
    samples: int = pydantic.Field(6000, ge=2000, description="of every kind; half of them choose, half judge")
    hot: float = pydantic.Field(3.5, ge=2.6, description="temperature of the hot lattice")
    fields: int = pydantic.Field(10, ge=1, description="that drive the units without interactions")
    memory: float = pydantic.Field(10.0, gt=0, description="of the fields, in samples")

    @pydantic.field_validator("size")
    @classmethod
    def _power(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of 2, for clusters double")
        return value

    @property
    def lattice(self) -> Lattice:
        """L x L."""
        return Lattice((self.size, self.size))


@dataclass
class Findings:
    """Everything that was measured, by kind of data.

    shells: modes against plane waves; flows: fourth cumulants; clusters: chosen by half of the samples;
    courses: what the other half does in them; neighbours, spread: where the members are on the lattice.
    """

    settings: Settings
    shells: dict[str, Shells] = field(default_factory=dict)
    flows: dict[str, ModeFlow] = field(default_factory=dict)
    clusters: dict[str, ClusterScaling] = field(default_factory=dict)
    courses: dict[str, ClusterCourse] = field(default_factory=dict)
    neighbours: dict[str, float] = field(default_factory=dict)
    spread: dict[str, dict[int, float]] = field(default_factory=dict)


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Sample spins and controls; cut their modes and pair their units."""
    found, rng = Findings(settings), np.random.default_rng([settings.seed, 1])
    lattice, count = settings.lattice, settings.samples
    for name, x in _data(settings, rng, say):
        say(f"{name}: cuts of the covariance of {len(x)} samples of {x.shape[1]} units")
        found.flows[name] = mode_flow(x, kept=_cuts(lattice.size))
        if name in (CRITICAL, HOT, SHUFFLED):
            found.shells[name] = momentum_shells(principal_modes(x)[2], lattice)
        if name == GAUSSIAN:
            continue
        say(f"{name}: pairs")
        silent = (x > 0).astype(np.float64)  # a spin that is down is silent
        chosen = cluster_scaling(silent[: count // 2], held_out=0.0)
        found.clusters[name] = chosen
        found.courses[name] = cluster_course(silent[count // 2 :], chosen.clusters)
        if name != DRIVEN:
            found.neighbours[name], found.spread[name] = cluster_places(chosen.clusters, lattice)
        if name == CRITICAL:
            squares = blocks_in_order(lattice, chosen.clusters.shape[1])
            found.courses[BLOCKS] = cluster_course(silent[count // 2 :], squares)
            found.spread[BLOCKS] = cluster_places(squares, lattice)[1]
    return found


def _data(
    settings: Settings, rng: np.random.Generator, say: Callable[[str], None]
) -> Iterator[tuple[str, np.ndarray]]:
    """Samples [n, units] one kind after the other; of spins whole chains are together."""
    units, count = settings.lattice.size, settings.samples

    def spins(temperature: float, seed: int) -> np.ndarray:
        chains = ising_chains(settings.lattice, temperature, count, seed)
        return chains.reshape(-1, units)[:count].astype(np.float64)

    say(f"{count} configurations on {settings.lattice} at T_c")
    critical = spins(CRITICAL_TEMPERATURE, settings.seed)
    yield CRITICAL, critical
    say(f"{count} configurations at T = {settings.hot:g}")
    yield HOT, spins(settings.hot, settings.seed + 1)
    yield SHUFFLED, shuffled(critical, rng)
    yield DRIVEN, driven_units(count, units, settings.fields, settings.memory, rng)
    yield GAUSSIAN, gaussian_like(critical, rng)


def _cuts(units: int) -> list[int]:
    """Half of the modes, a quarter, ... one."""
    return [units >> step for step in range(units.bit_length())]
