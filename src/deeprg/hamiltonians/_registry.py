"""The Hamiltonians that a command line or a configuration can name. A new one is one entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..lattice import Lattice
from ..runs.errors import UsageError, nearest
from ._abstract_dual import AbstractDual
from ._base import AbstractHamiltonian
from ._critical import critical_point
from ._dual import ContinuousDual
from ._gaussian import GaussianField
from ._ising import Ising, critical_temperature
from ._phi4 import Phi4
from ._random_bond import RandomBondIsing
from ._xy import XY
from ._xy_dual import XYDual

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


def one_of(*words: str) -> Callable[[Any], str]:
    """A type of an option that is one of a few words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(value)
        return str(value)

    return check


def whole(value: Any) -> int:
    """A type of an option that is a whole number."""
    number = int(value)
    if number != float(value):
        raise ValueError(value)
    return number


ISING_OPTIONS: dict[str, HamiltonianOption] = {
    "geometry": HamiltonianOption(
        one_of("square", "triangular"), "square", "'square' (chain, square, cubic) or 'triangular'"
    ),
    "coupling": HamiltonianOption(float, 1.0, "J1 of the nearest neighbours; below 0 antiferromagnetic"),
    "diagonal": HamiltonianOption(float, 0.0, "coupling J2 of the second neighbours of the square lattice"),
    "field": HamiltonianOption(float, 0.0, "dimensionless field h, weight exp(h sum s)"),
}
BOND_OPTIONS: dict[str, HamiltonianOption] = {
    "kind": HamiltonianOption(one_of("pm", "gaussian"), "pm", "'pm' (J = ±1) or 'gaussian'"),
    "antiferro": HamiltonianOption(float, 0.5, "probability of J = -1 for 'pm', 0 to 1"),
    "disorder_seed": HamiltonianOption(whole, 0, "seed of the bonds, a whole number >= 0"),
}


def build_ising(
    lattice: Lattice,
    temperature: float,
    *,
    geometry: str,
    coupling: float,
    diagonal: float,
    field: float = 0.0,
) -> Ising:
    """Ising spins of `ISING_OPTIONS`; raises `UsageError` for a diagonal coupling of another geometry."""
    if geometry == "square":
        couplings = (coupling, diagonal) if diagonal else (coupling,)
        return Ising.with_neighbours(lattice, temperature, couplings, field)
    if diagonal:
        raise UsageError("A diagonal coupling belongs to the geometry 'square', not to 'triangular'.")
    return Ising.triangular(lattice, temperature, coupling, field)


def build_random_bonds(
    lattice: Lattice, temperature: float, *, kind: str, antiferro: float, disorder_seed: int
) -> RandomBondIsing:
    """Ising spins with random bonds of `BOND_OPTIONS`."""
    if kind == "gaussian":
        return RandomBondIsing.gaussian(lattice, temperature, seed=disorder_seed)
    return RandomBondIsing.plus_minus(lattice, temperature, antiferro, seed=disorder_seed)


def known_temperature(name: str, model: AbstractHamiltonian) -> float:
    """The critical temperature of a model, or `UsageError` where there is none or none is known."""
    if isinstance(model, Ising) and model.lattice.ndim == 1:
        return critical_temperature(model.lattice)
    point = critical_point(model)
    if point is None or point.parameter != "temperature":
        raise UsageError(
            f"No critical temperature is known for the model '{name}' with these options on {model.lattice}; "
            "give a number."
        )
    return point.value


def _dual(
    name: str, spins: Callable[..., Any], dual: type[AbstractDual]
) -> Callable[..., AbstractHamiltonian]:
    """A builder of the dual of spins, with the temperature a number or the critical one."""

    def build(
        lattice: Lattice, temperature: float | None, shift: float, variable: str, **options: Any
    ) -> AbstractHamiltonian:
        if temperature is None:
            without_field = {k: v for k, v in options.items() if k != "field"}
            temperature = known_temperature(name, spins(lattice, 1.0, **without_field))
        make: Any = dual
        return make(spins(lattice, temperature, **options), shift=shift, variable=variable)

    return build


_DUAL_OPTIONS = {
    "temperature": HamiltonianOption(_temperature, "critical", "T > 0 in units of J, or 'critical'"),
    "shift": HamiltonianOption(float, 0.1, "smallest eigenvalue of K = J/T + c, above 0"),
    "variable": HamiltonianOption(str, "x", "'x', or 'y' = K^-1 x in which the energy is local"),
}

HAMILTONIANS: dict[str, HamiltonianEntry] = _Registry(
    ising=HamiltonianEntry(
        "ising",
        "continuous dual of the Ising model, 1D to 3D, triangular, frustrated",
        _DUAL_OPTIONS | ISING_OPTIONS,
        _dual("ising", build_ising, ContinuousDual),
    ),
    **{
        "random-bond": HamiltonianEntry(
            "random-bond",
            "continuous dual of Ising spins with quenched random bonds",
            _DUAL_OPTIONS | {"temperature": HamiltonianOption(_temperature, 1.0, "T > 0")} | BOND_OPTIONS,
            _dual("random-bond", build_random_bonds, ContinuousDual),
        )
    },
    xy=HamiltonianEntry(
        "xy",
        "continuous dual of planar spins, a field of two components",
        _DUAL_OPTIONS,
        _dual("xy", XY, XYDual),
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
