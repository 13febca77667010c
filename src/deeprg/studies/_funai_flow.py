"""The specific heat of a flowing ensemble, and flows that measure it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, rbm_flow
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import jackknife
from deeprg.montecarlo.measurement import measure
from deeprg.probes import DirectThermometer, FlowRecord, follow_flow
from deeprg.studies._machines import FlowSettings

__all__ = ["Heat", "HeatFlow", "follow_heat", "specific_heat"]

_BLOCKS = 40


@dataclass(frozen=True)
class Heat:
    """c_H of an ensemble of independent configurations by its fluctuations, with its error.

    NaN where the thermometer gives only a bound.
    """

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class HeatFlow:
    """A flow and the specific heat at each of its stages."""

    record: FlowRecord
    heats: tuple[Heat, ...]

    @property
    def end(self) -> Heat:
        """That of the last stage."""
        return self.heats[-1]


def specific_heat(
    energy: np.ndarray,
    magnetization: np.ndarray,
    field: float,
    thermometer: DirectThermometer,
    sites: int,
) -> Heat:
    """c_H = N (⟨q²⟩ - ⟨q⟩²)/T² of q = e - H m, with T from ⟨e⟩; error by the jackknife over configurations.

    `energy` and `magnetization` [n] per site. For an Ising ensemble at T in the field H this is its specific
    heat; a mixture of temperatures has more, whatever T it is read at.

    >>> e = np.random.default_rng(0).normal(-1.0, 0.1, 4000)
    >>> t = np.arange(1.0, 6.0)
    >>> thermometer = DirectThermometer("energy_per_site", t, t - 3, 0 * t)
    >>> found = specific_heat(e, 0 * e, 0.0, thermometer, 100)              # 100 * 0.01 / 2²
    >>> print(f"{found.value:.3f} +- {found.error:.3f}")
    0.250 +- 0.007
    """
    q = energy - field * magnetization
    centre = float(q.mean())

    def heat(e: float, q: float, square: float) -> float:
        reading = thermometer.read(float(e))
        return sites * float(square - q**2) / reading.temperature**2 if reading.inside else math.nan

    series = {"e": energy, "q": q - centre, "square": (q - centre) ** 2}
    value = heat(*(float(x.mean()) for x in series.values()))
    if not math.isfinite(value) or float(energy.std()) == 0:
        return Heat(math.nan if not math.isfinite(value) else value, math.nan)
    found = jackknife(heat, series, blocks=_BLOCKS)
    return Heat(float(found.value), float(found.error))


def follow_heat(
    machine: RBM,
    start: np.ndarray,
    settings: FlowSettings,
    *,
    name: str,
    field: float,
    thermometers: Mapping[str, DirectThermometer],
    key: PRNGKeyArray,
) -> HeatFlow:
    """The flow of a machine from spins ±1 [n, *shape], with the specific heat in the field at each stage."""
    lattice = Lattice((settings.size, settings.size))
    meter, heats = Ising(lattice, 1.0), []

    def stages() -> Iterator[tuple[int, np.ndarray]]:
        spins = jnp.asarray(start.reshape(len(start), -1), machine.weights.dtype)
        v = machine.visible.encode(spins)
        for rounds, x in rbm_flow(machine, v, length=settings.length, every=settings.every, key=key):
            spins = np.asarray(machine.visible.decode(x)).reshape(-1, *lattice.shape)
            energy = measure(meter, spins)["energy_per_site"]
            m = spins.mean(axis=(1, 2), dtype=np.float64)
            heats.append(specific_heat(energy, m, field, thermometers["e"], lattice.size))
            yield rounds, spins

    record = follow_flow(stages(), lattice, start=name, thermometers=thermometers)
    return HeatFlow(record, tuple(heats))
