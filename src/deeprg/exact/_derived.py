"""What follows from the moments: specific heat, susceptibility, Binder cumulant, correlation length."""

import math

from ..hamiltonians import AbstractHamiltonian, ContinuousDual

__all__: list[str] = []


def derived(
    hamiltonian: AbstractHamiltonian,
    means: dict[str, float],
    *,
    specific_heat: float | None = None,
    energy_squared: float | None = None,
    magnetization_fourth: float | None = None,
) -> dict[str, float]:
    """The derived quantities that the known moments allow.

    specific_heat = N/T^2 (⟨e^2⟩ - ⟨e⟩^2), susceptibility = N/T (⟨m^2⟩ - ⟨|m|⟩^2) with ⟨m⟩ for ⟨|m|⟩ in a
    field, binder_cumulant = 1 - ⟨m^4⟩/(3 ⟨m^2⟩^2), and
    correlation_length = sqrt(N⟨m^2⟩/⟨S(k_min)⟩ - 1)/(2 sin(pi/L)) with the longest extent L;
    k = 1, T = 1 for a field without temperature.
    """
    spins = hamiltonian.ising if isinstance(hamiltonian, ContinuousDual) else hamiltonian
    lattice, temperature = spins.lattice, getattr(spins, "temperature", 1.0)
    size, values = lattice.size, {}
    if specific_heat is not None:
        values["specific_heat"] = specific_heat
    elif energy_squared is not None:
        variance = max(energy_squared - means["energy_per_site"] ** 2, 0.0)
        values["specific_heat"] = size / temperature**2 * variance
    squared = means.get("magnetization_squared")
    if squared is None:
        return values
    order = "magnetization" if getattr(spins, "field", 0.0) else "abs_magnetization"
    if order in means:
        spread = max(squared - means[order] ** 2, 0.0)
        values["susceptibility"] = size / temperature * spread
    if magnetization_fourth is not None and squared > 0:
        values["binder_cumulant"] = 1 - magnetization_fourth / (3 * squared**2)
    waves, extent = means.get("structure_factor_min"), max(lattice.shape)
    if waves and extent > 1 and size * squared > waves:
        values["correlation_length"] = math.sqrt(size * squared / waves - 1) / (
            2 * math.sin(math.pi / extent)
        )
    return values
