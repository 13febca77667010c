"""Energy, specific heat and order parameter of the infinite lattice by tensor RG."""

from dataclasses import dataclass, replace

import numpy as np

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError
from ._flow import MEMORY_GIB, check_memory
from ._free_energy import bulk_log_partition
from ._hotrg import hotrg_isometry, hotrg_join
from ._weights import SquareWeights, site_tensor, square_weights

__all__ = ["TensorThermodynamics", "tensor_order_parameter", "tensor_thermodynamics"]

_STENCIL = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12  # first and second derivative of fourth order
_CURVATURE = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12


@dataclass(frozen=True)
class TensorThermodynamics:
    """ln Z / N, mean bond energy per site in units of the coupling, and specific heat per site, k = 1."""

    log_partition_per_site: float
    energy_per_site: float
    specific_heat: float


def tensor_thermodynamics(
    hamiltonian: AbstractHamiltonian | SquareWeights,
    bond_dimension: int,
    method: str = "hotrg",
    *,
    steps: int = 40,
    step: float = 3e-3,
    memory_gib: float | int = MEMORY_GIB,
) -> TensorThermodynamics:
    """Energy and specific heat of the infinite lattice by central differences in the bonds' strength.

    With the bonds' logarithms times x and everything else fixed, z(x) = ln Z / N,

    energy_per_site = -T z'(1),      specific_heat = z''(1),

    from five runs at x = 1, 1 ± step, 1 ± 2 step. z'' is the variance of the bonds' dimensionless energy per
    site: d(energy_per_site)/dT at fixed dimensionless field. The truncation error of z jumps where the cut
    passes between two nearly equal singular values, so a small step amplifies it; at T_c, where the specific
    heat is infinite, the answer is that of a rounded peak.

    Raises `UsageError` for a step outside 1e-5 ... 0.1, and as `tensor_free_energy` does.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> found = tensor_thermodynamics(Ising(Lattice((4, 4)), temperature=2.5), 6)   # exact: -1.10608, 0.86170
    >>> round(found.energy_per_site, 2), round(found.specific_heat, 2)
    (-1.11, 0.86)
    """
    if not 1e-5 <= step <= 0.1:
        raise UsageError(f"The relative step is 1e-5 to 0.1, not {step}; 3e-3 balances the errors.")
    weights = square_weights(hamiltonian)
    values = np.array(
        [
            bulk_log_partition(weights.scaled(1 + k * step), bond_dimension, method, steps, memory_gib)
            for k in (-2, -1, 0, 1, 2)
        ]
    )
    return TensorThermodynamics(
        log_partition_per_site=float(values[2]),
        energy_per_site=-weights.temperature * float(_STENCIL @ (values - values[2])) / step,
        specific_heat=float(_CURVATURE @ (values - values[2])) / step**2,
    )


def tensor_order_parameter(
    hamiltonian: AbstractHamiltonian | SquareWeights,
    bond_dimension: int,
    *,
    steps: int = 40,
    seed_field: float = 1e-9,
    memory_gib: float | int = MEMORY_GIB,
) -> float:
    """The mean of the order parameter at one site, by HOTRG with one impurity tensor.

    T_m has the site's sum weighted by the order parameter; it is joined with T in both places and both
    results are averaged, with the isometries of T:

    T_m' = U (T_m T + T T_m) U / 2,      ⟨m⟩ = Tr T_m / Tr T.

    For Ising models m = s with the model's field, for Potts m = (q delta(s, 0) - 1)/(q - 1). `seed_field` is
    added to the logarithm of the site weight times m: with 2^steps sites (10^12 by default) it chooses one of
    the ordered states, so below T_c this is the spontaneous value. At T_c it rounds the transition.

    Raises `UsageError` when the weights have no order parameter, for fewer than 1 or more than 1000 steps,
    and as `tensor_free_energy` does.

    >>> from deeprg.exact import onsager
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> found = tensor_order_parameter(Ising(Lattice((4, 4)), temperature=2.0), 6)
    >>> round(found, 3), round(onsager(2.0).magnetization, 3)
    (0.911, 0.911)
    """
    weights = square_weights(hamiltonian)
    if weights.order is None:
        raise UsageError("These weights have no order parameter; give SquareWeights(..., order=values [q]).")
    if not 1 <= steps <= 1000:
        raise UsageError(f"The number of steps is 1 to 1000, not {steps}.")
    check_memory(weights, bond_dimension, "hotrg", memory_gib)
    weights = replace(weights, site=weights.site + seed_field * weights.order)
    tensor, _ = site_tensor(weights)
    impurity, _ = site_tensor(weights, weights.order)
    for _ in range(steps):
        isometry, _ = hotrg_isometry(tensor, bond_dimension)
        pair = hotrg_join(isometry, impurity, tensor) + hotrg_join(isometry, tensor, impurity)
        joined = hotrg_join(isometry, tensor, tensor)
        norm = np.linalg.norm(joined)
        tensor = (joined / norm).transpose(1, 0, 3, 2)
        impurity = (pair / (2 * norm)).transpose(1, 0, 3, 2)
    return float(np.einsum("abab", impurity) / np.einsum("abab", tensor))
