"""The exact answers known for a Hamiltonian, to hold a sampler or a flow against."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ..hamiltonians import (
    XY,
    AbstractHamiltonian,
    ContinuousDual,
    Dimers,
    GaussianField,
    Ising,
    Phi4,
    RandomBondIsing,
    XYDual,
)
from ._derived import derived
from ._dimer_count import log_dimer_count
from ._discrete import enumerate_distribution, log_state_count
from ._enumeration import enumerate_states
from ._free_field import free_field
from ._kaufman import ising_chain, kaufman
from ._magnetization import has_magnetization_distribution, magnetization_distribution
from ._rings import phi4_ring, xy_ring
from ._strip import is_strip, strip

__all__ = ["Reference", "reference"]

_ENUMERABLE_SPINS = 16
_ENUMERABLE = 17 * math.log(2) + 1e-9  # ln of the number of states
_LAW_WIDTH, _LAW_SITES = 8, 64


@dataclass(frozen=True)
class Reference:
    """Exact values of a Hamiltonian: ln Z, the free energy -ln Z, observables by name, their source.

    `observables` are means of the scalars of `hamiltonian.scalars` with the same names; `correlation` is
    the exact G(r), [*shape], or None where it is not known; `derived` has those of `specific_heat`,
    `susceptibility`, `binder_cumulant` and `correlation_length` that are known.
    """

    log_partition: float
    free_energy: float
    source: str
    observables: dict[str, float] = field(default_factory=dict)
    correlation: np.ndarray | None = None
    derived: dict[str, float] = field(default_factory=dict)


def reference(hamiltonian: AbstractHamiltonian) -> Reference | None:
    """The exact answers for a Hamiltonian, or None where there are none.

    - Ising, nearest neighbours: Kaufman's solution in 2D without field, the transfer matrix in 1D; up to 64
      sites of width 8 the law of the magnetization, with any field; any Ising model up to 16 spins by
      enumeration.
    - The continuous dual: the spins' values, ln Z with its exact constant.
    - Gaussian field: closed form; planar spins and phi^4: the ring.
    - Potts, random bonds, dimers: enumeration up to 2^17 states; free dimers' ln Z at every size.
    - Random bonds, triangular and frustrated Ising models up to 8 sites across: ln Z and the energy by the
      transfer matrix. Of the dual of planar spins what is known of the spins.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> round(reference(build_hamiltonian("ising", Lattice((16, 16)), shift=0.1)).free_energy, 6)
    -592.87574
    """
    match hamiltonian:
        case GaussianField():
            parts = {**_values(free_field(hamiltonian)), "source": "closed form of the free field"}
            return _package(hamiltonian, parts, binder=0.0)
        case ContinuousDual(ising=Ising() as ising):
            return _ising_reference(hamiltonian, ising, hamiltonian.log_partition_constant)
        case ContinuousDual() | XYDual():
            return _dual_reference(hamiltonian)
        case Ising():
            return _ising_reference(hamiltonian, hamiltonian, 0.0)
        case XY() if hamiltonian.lattice.ndim == 1:
            ring = xy_ring(hamiltonian.lattice.size, hamiltonian.temperature, hamiltonian.coupling)
            return _package(hamiltonian, {**_values(ring), "source": "1D transfer matrix"})
        case Phi4() if hamiltonian.lattice.ndim == 1 and hamiltonian.quartic > 0:
            ring = phi4_ring(hamiltonian.lattice.size, hamiltonian.mass_squared, hamiltonian.quartic)
            return _package(hamiltonian, {**_values(ring), "source": "1D transfer operator"})
        case _ if log_state_count(hamiltonian) <= _ENUMERABLE:
            law = enumerate_distribution(hamiltonian)
            source = "enumeration of all states"
            return Reference(law.log_partition, -law.log_partition, source, law.means, derived=law.derived)
        case RandomBondIsing() if is_strip(hamiltonian, _LAW_WIDTH):
            return _package(hamiltonian, {**_values(strip(hamiltonian)), "source": "transfer matrix"})
        case Dimers() if hamiltonian.interaction == 0:
            count = log_dimer_count(hamiltonian.lattice)
            return Reference(count, -count, "Kasteleyn 1961", {"energy_per_site": 0.0})
        case _:
            return None


def _ising_reference(target: AbstractHamiltonian, ising: Ising, constant: float) -> Reference | None:
    """What is known about the spins; the solution replaces the sum over states or the law."""
    parts: dict[str, Any] = {}
    if ising.lattice.size <= _ENUMERABLE_SPINS:
        parts |= _values(enumerate_states(ising)) | {"source": "enumeration of all states"}
        if ising.field != 0:
            del parts["specific_heat"]  # this one is the variance of H, the field included
    elif has_magnetization_distribution(ising, _LAW_WIDTH, _LAW_SITES):
        law = magnetization_distribution(ising)
        parts |= {
            "log_partition": law.log_partition,
            "magnetization": law.moment(1),
            "abs_magnetization": law.moment(1, absolute=True),
            "magnetization_squared": law.moment(2),
            "magnetization_fourth": law.moment(4),
            "source": "transfer matrix",
        }
    shape, coupling = ising.lattice.shape, ising.coupling
    frustrated = coupling is not None and coupling < 0 and any(extent % 2 for extent in shape)
    if coupling is not None and ising.field == 0 and len(shape) <= 2 and not frustrated:
        moments = f"; moments by {parts['source']}" if parts else ""
        if len(shape) == 2:
            parts |= _values(kaufman(shape, ising.temperature, coupling)) | {
                "source": "Kaufman 1949" + moments
            }
        else:
            chain = ising_chain(ising.lattice.size, ising.temperature, coupling)
            parts |= _values(chain) | {"source": "1D transfer matrix" + moments}
    if not parts and is_strip(ising, _LAW_WIDTH):
        parts = _values(strip(ising)) | {"source": "transfer matrix"}
    return _package(target, parts, constant=constant) if parts else None


def _dual_reference(dual: ContinuousDual | XYDual) -> Reference | None:
    """The spins' values that the dual has as well, and its own ln Z."""
    spins = reference(dual.spins)
    if spins is None:
        return None
    log_partition = spins.log_partition + dual.log_partition_constant
    means = {name: value for name, value in spins.observables.items() if name != "helicity_modulus"}
    return Reference(log_partition, -log_partition, spins.source, means, spins.correlation, spins.derived)


def _package(
    hamiltonian: AbstractHamiltonian,
    parts: dict[str, Any],
    *,
    constant: float = 0.0,
    binder: float | None = None,
) -> Reference:
    """A reference from named values; what is not a mean of a scalar goes to `derived` or is left out."""
    log_partition = parts["log_partition"] + constant
    correlation = parts.get("correlation")
    observables = {name: value for name, value in parts.items() if name not in _NOT_MEANS}
    if correlation is not None:
        observables["structure_factor_min"] = _smallest_momenta(correlation)
    more = derived(
        hamiltonian,
        observables,
        specific_heat=parts.get("specific_heat"),
        magnetization_fourth=parts.get("magnetization_fourth"),
    )
    if binder is not None:
        more["binder_cumulant"] = binder
    return Reference(log_partition, -log_partition, parts["source"], observables, correlation, more)


def _values(exact: Any) -> dict[str, Any]:
    return {entry.name: getattr(exact, entry.name) for entry in fields(exact)}


def _smallest_momenta(correlation: np.ndarray) -> float:
    """The mean over the longest axes of sum_r G(r) cos(2 pi r_a / L)."""
    modes = np.fft.fftn(correlation).real
    origin = np.zeros(correlation.ndim, int)
    axes = [axis for axis, extent in enumerate(correlation.shape) if extent == max(correlation.shape) > 1]
    smallest = [modes[tuple(origin + np.eye(correlation.ndim, dtype=int)[axis])] for axis in axes]
    return float(np.mean(smallest)) if smallest else float(modes.reshape(-1)[0])


_NOT_MEANS = (
    "log_partition",
    "source",
    "correlation",
    "free_energy_per_site",
    "specific_heat",
    "magnetization_fourth",
)
