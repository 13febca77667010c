"""The Hamiltonians that a command line or a configuration can name. A new one is one entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..lattice import Lattice
from ..runs.errors import UsageError, nearest
from ._base import AbstractHamiltonian
from ._dual import ContinuousDual
from ._gaussian import GaussianField
from ._ising import Ising, critical_temperature
from ._phi4 import Phi4

__all__ = ["HAMILTONIANS", "HamiltonianEntry", "HamiltonianOption", "build_hamiltonian"]


class HamiltonianOption(NamedTuple):
    """One option of a Hamiltonian: its type (a function of a number or a text), default and help.

    >>> HAMILTONIANS["ising"].options["shift"].default
    0.1
    """

    type: Callable[[Any], Any]
    default: Any
    help: str


@dataclass(frozen=True)
class HamiltonianEntry:
    """A registered Hamiltonian: what it is, its options and how to build it.

    >>> HAMILTONIANS["phi4"].build(Lattice((4, 4)), quartic="5.0").quartic
    5.0
    """

    name: str
    summary: str
    options: Mapping[str, HamiltonianOption]
    factory: Callable[..., AbstractHamiltonian]

    def build(self, lattice: Lattice, **options: Any) -> AbstractHamiltonian:
        """The Hamiltonian on a lattice with the given options; unknown or bad ones are a `UsageError`."""
        return self.factory(lattice, **self.values(options))

    @property
    def names(self) -> str:
        """The names of the options, for a message."""
        return ", ".join(self.options) or "none"

    def values(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Every option with its value, converted; unknown or bad ones are a `UsageError`."""
        for name in options:
            if name not in self.options:
                raise UsageError(
                    f"The Hamiltonian '{self.name}' has no option '{name}'.{nearest(name, self.options)} "
                    f"Options: {self.names}."
                )
        values = {}
        for name, option in self.options.items():
            value = options.get(name, option.default)
            try:
                values[name] = option.type(value)
            except (TypeError, ValueError):
                word = isinstance(value, str) and isinstance(option.default, str)
                hint = nearest(value.lower(), [option.default]) if word else ""
                raise UsageError(
                    f"The option '{name}' of '{self.name}' cannot be {value!r}: {option.help}.{hint}"
                ) from None
        return values


class _Registry(dict[str, HamiltonianEntry]):
    def __missing__(self, name: str) -> HamiltonianEntry:
        raise UsageError(
            f"There is no Hamiltonian '{name}'.{nearest(name, self)} Known: {', '.join(sorted(self))}."
        )


def build_hamiltonian(name: str, lattice: Lattice, **options: Any) -> AbstractHamiltonian:
    """The Hamiltonian of that name; raises `UsageError` with the nearest name when there is none.

    >>> build_hamiltonian("ising", Lattice((16, 16)), temperature="critical").describe()[:16]
    'Continuous dual:'
    """
    return HAMILTONIANS[name].build(lattice, **options)


def _temperature(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() == "critical":
        return None
    return float(value)


def _build_dual(
    lattice: Lattice, temperature: float | None, shift: float, field: float, variable: str
) -> ContinuousDual:
    known = critical_temperature(lattice) if temperature is None else temperature
    return ContinuousDual(Ising(lattice, known, field=field), shift=shift, variable=variable)


HAMILTONIANS: dict[str, HamiltonianEntry] = _Registry(
    ising=HamiltonianEntry(
        "ising",
        "continuous dual of the nearest-neighbour Ising model, 1D to 3D",
        {
            "temperature": HamiltonianOption(_temperature, "critical", "T > 0 in units of J, or 'critical'"),
            "shift": HamiltonianOption(float, 0.1, "smallest eigenvalue of K = J/T + c, above 0"),
            "field": HamiltonianOption(float, 0.0, "dimensionless field h, weight exp(h sum s)"),
            "variable": HamiltonianOption(str, "x", "'x', or 'y' = K^-1 x in which the energy is local"),
        },
        _build_dual,
    ),
    phi4=HamiltonianEntry(
        "phi4",
        "scalar phi^4, S = sum [(d phi)^2 + m2 phi^2 + lambda phi^4]",
        {
            "mass_squared": HamiltonianOption(float, -4.0, "m2, any number"),
            "quartic": HamiltonianOption(float, 5.0, "lambda > 0"),
        },
        Phi4,
    ),
    gaussian=HamiltonianEntry(
        "gaussian",
        "free field, S = 1/2 sum [(d phi)^2 + m2 phi^2], exactly solved",
        {"mass_squared": HamiltonianOption(float, 1.0, "m2 > 0")},
        GaussianField,
    ),
)
