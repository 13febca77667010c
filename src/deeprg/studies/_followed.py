"""Thermometers of one lattice, three starts, and the flows of machines from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM
from deeprg.lattice import Lattice
from deeprg.probes import (
    DirectThermometer,
    FlowRecord,
    NetworkThermometer,
    energy_thermometer,
    follow_machine,
    magnetization_thermometer,
    train_thermometer,
)
from deeprg.studies._machines import FlowSettings, ReadSettings
from deeprg.studies._spins import random_spins

__all__ = ["ORDERED", "RANDOM", "TYPICAL", "Thermometers", "follow", "thermometers", "three_starts"]

ORDERED, RANDOM, TYPICAL = "T = 0", "T = ∞", "data"


@dataclass(frozen=True)
class Thermometers:
    """What reads temperatures: a classifier, ⟨|m|⟩(T) and e(T)."""

    network: NetworkThermometer
    magnetization: DirectThermometer
    energy: DirectThermometer

    @property
    def direct(self) -> dict[str, DirectThermometer]:
        """The direct ones, by what they read."""
        return {"|m|": self.magnetization, "e": self.energy}


def thermometers(
    settings: ReadSettings, data: Mapping[float, np.ndarray], *, key: PRNGKeyArray
) -> Thermometers:
    """All three for the lattice of the settings; the classifier learns the data."""
    shape = (settings.size, settings.size)
    return Thermometers(
        train_thermometer(
            list(data.values()),
            list(data),
            hidden=settings.network_hidden,
            steps=settings.network_steps,
            key=key,
        ),
        magnetization_thermometer(shape, draws=settings.table_draws, seed=settings.seed),
        energy_thermometer(shape),
    )


def three_starts(settings: FlowSettings, pool: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All up, random spins, and configurations from `pool`, as many as there are chains."""
    return {
        ORDERED: np.ones((settings.chains, settings.size, settings.size), np.int8),
        RANDOM: random_spins(settings.chains, settings.size, rng),
        TYPICAL: rng.permutation(pool)[: settings.chains],
    }


def follow(
    machine: RBM,
    starts: Mapping[str, np.ndarray],
    settings: FlowSettings,
    readers: Thermometers,
    *,
    key: PRNGKeyArray,
) -> dict[str, FlowRecord]:
    """The flow of a machine from every start, read by all thermometers."""
    return follow_machine(
        machine,
        starts,
        Lattice((settings.size, settings.size)),
        length=settings.length,
        every=settings.every,
        thermometers=readers.direct,
        network=readers.network,
        key=key,
    )
