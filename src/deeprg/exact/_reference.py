"""The exact answers known for a Hamiltonian, to hold a sampler or a flow against."""

from dataclasses import dataclass, field, fields

import numpy as np

from ..hamiltonians import AbstractHamiltonian, ContinuousDual, GaussianField, Ising
from ._enumeration import EnumeratedIsing, enumerate_states
from ._free_field import FreeFieldExact, free_field
from ._kaufman import IsingExact, ising_chain, kaufman

__all__ = ["Reference", "reference"]

_ENUMERABLE = 16


@dataclass(frozen=True)
class Reference:
    """Exact values of a Hamiltonian: ln Z, the free energy -ln Z, observables by name, their source.

    `observables` are means of the scalars of `hamiltonian.observables` with the same names; `correlation` is
    the exact G(r), [*shape], or None where it is not known.
    """

    log_partition: float
    free_energy: float
    source: str
    observables: dict[str, float] = field(default_factory=dict)
    correlation: np.ndarray | None = None


def reference(hamiltonian: AbstractHamiltonian) -> Reference | None:
    """The exact answers for a Hamiltonian, or None where there are none.

    Nearest-neighbour Ising spins without field: Kaufman's solution in 2D, the transfer matrix in 1D; other
    Ising models by enumeration up to 16 spins, which also completes the observables of small lattices. The
    continuous dual adds its exact constant to ln Z. The Gaussian field in closed form.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> round(reference(build_hamiltonian("ising", Lattice((16, 16)), shift=0.1)).free_energy, 6)
    -592.87574
    """
    if isinstance(hamiltonian, GaussianField):
        return _package(free_field(hamiltonian), "closed form of the free field")
    if isinstance(hamiltonian, ContinuousDual):
        return _ising_reference(hamiltonian.ising, hamiltonian.log_partition_constant)
    if isinstance(hamiltonian, Ising):
        return _ising_reference(hamiltonian, 0.0)
    return None


def _ising_reference(ising: Ising, constant: float) -> Reference | None:
    small = enumerate_states(ising) if ising.lattice.size <= _ENUMERABLE else None
    known = _package(small, "enumeration of all states", constant) if small else None
    shape, coupling = ising.lattice.shape, ising.coupling
    frustrated = coupling is not None and coupling < 0 and any(extent % 2 for extent in shape)
    if coupling is None or ising.field != 0 or len(shape) > 2 or frustrated:
        return known
    if len(shape) == 2:
        exact, source = kaufman(shape, ising.temperature, coupling), "Kaufman 1949"
    else:
        exact, source = ising_chain(ising.lattice.size, ising.temperature, coupling), "1D transfer matrix"
    solved = _package(exact, source, constant)
    if known is None:
        return solved
    return Reference(
        solved.log_partition,
        solved.free_energy,
        f"{solved.source}; moments by enumeration",
        {**known.observables, **solved.observables},
        known.correlation,
    )


def _package(
    exact: IsingExact | EnumeratedIsing | FreeFieldExact, source: str, constant: float = 0.0
) -> Reference:
    values = {entry.name: getattr(exact, entry.name) for entry in fields(exact)}
    log_partition = values.pop("log_partition") + constant
    correlation = values.pop("correlation", None)
    measured = {name: value for name, value in values.items() if name not in _NOT_MEASURED}
    return Reference(log_partition, -log_partition, source, measured, correlation)


_NOT_MEASURED = ("free_energy_per_site", "specific_heat", "magnetization_fourth")
