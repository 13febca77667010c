"""The models that `deeprg simulate` can name, for Monte Carlo samplers. A new one is one entry here."""

from dataclasses import dataclass
from typing import Any

from ..lattice import Lattice
from ..runs.errors import UsageError, nearest
from ._base import AbstractHamiltonian, positive
from ._dimers import Dimers
from ._gaussian import GaussianField
from ._phi4 import Phi4
from ._potts import Potts
from ._registry import (
    BOND_OPTIONS,
    ISING_OPTIONS,
    HamiltonianEntry,
    HamiltonianOption,
    build_ising,
    build_random_bonds,
    known_temperature,
    whole,
)
from ._xy import XY

__all__ = ["MODELS", "ModelEntry", "build_model", "critical_temperature_of"]


@dataclass(frozen=True)
class ModelEntry(HamiltonianEntry):
    """A model with its options; `factory(lattice, temperature, **options)` without temperature for a field.

    >>> MODELS["potts"].has_temperature, MODELS["phi4"].has_temperature
    (True, False)
    """

    has_temperature: bool = True

    def build(
        self, lattice: Lattice, temperature: float | int | None = None, **options: Any
    ) -> AbstractHamiltonian:
        """The model on a lattice; a missing or superfluous temperature and bad options are a `UsageError`."""
        values = self.values(options)
        if not self.has_temperature:
            if temperature is not None:
                raise UsageError(f"The model '{self.name}' has no temperature. Options: {self.names}.")
            return self.factory(lattice, **values)
        if temperature is None:
            raise UsageError(f"The model '{self.name}' needs a temperature.")
        return self.factory(lattice, positive("temperature", temperature), **values)


class _Registry(dict[str, ModelEntry]):
    def __missing__(self, name: str) -> ModelEntry:
        raise UsageError(
            f"There is no model '{name}'.{nearest(name, self)} Known: {', '.join(sorted(self))}."
        )


def build_model(
    name: str, lattice: Lattice, temperature: float | int | None = None, **options: Any
) -> AbstractHamiltonian:
    """The model of that name at a temperature (None for a field, which has none).

    Raises `UsageError` with the nearest name when there is no such model or option.

    >>> build_model("ising", Lattice((8, 8)), 2.0, geometry="triangular").describe()[:18]
    'Ising spins on 8x8'
    """
    return MODELS[name].build(lattice, temperature, **options)


def critical_temperature_of(name: str, lattice: Lattice, **options: Any) -> float:
    """The critical temperature of a model with these options, in units of its coupling; see `critical_point`.

    Raises `UsageError` where there is none or none is known.

    >>> round(critical_temperature_of("potts", Lattice((8, 8)), states=3), 6)
    0.994973
    """
    entry = MODELS[name]
    if not entry.has_temperature:
        raise UsageError(f"The model '{name}' has no temperature.")
    model = entry.build(lattice, 1.0, **options)
    return known_temperature(name, model)


MODELS: dict[str, ModelEntry] = _Registry(
    {
        "ising": ModelEntry(
            "ising",
            "Ising spins, 1D to 3D, nearest neighbours",
            ISING_OPTIONS,
            build_ising,
        ),
        "random-bond": ModelEntry(
            "random-bond",
            "Ising spins with quenched random nearest-neighbour bonds",
            BOND_OPTIONS,
            build_random_bonds,
        ),
        "potts": ModelEntry(
            "potts",
            "q-state Potts spins, H = -K sum delta(s_i, s_j)",
            {"states": HamiltonianOption(whole, 3, "q, a whole number from 2 to 127")},
            Potts,
        ),
        "xy": ModelEntry("xy", "planar spins, H = -K sum cos(theta_i - theta_j)", {}, XY),
        "phi4": ModelEntry(
            "phi4",
            "scalar phi^4, S = sum [(d phi)^2 + m2 phi^2 + lambda phi^4]",
            {
                "mass_squared": HamiltonianOption(float, -4.0, "m2, any number"),
                "quartic": HamiltonianOption(float, 5.0, "lambda > 0"),
            },
            Phi4,
            has_temperature=False,
        ),
        "gaussian": ModelEntry(
            "gaussian",
            "free field, S = 1/2 sum [(d phi)^2 + m2 phi^2], exactly solved",
            {"mass_squared": HamiltonianOption(float, 1.0, "m2 > 0")},
            GaussianField,
            has_temperature=False,
        ),
        "dimers": ModelEntry(
            "dimers",
            "close-packed dimers on the square lattice with parallel neighbours interacting",
            {"interaction": HamiltonianOption(float, -1.0, "v, energy of two parallel dimers; v < 0 aligns")},
            Dimers,
        ),
    }
)
