"""ln Z per site by tensor RG: the infinite lattice, and tori."""

from dataclasses import dataclass

import numpy as np

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError
from ._closing import leading_eigenvalues, log_closed, transfer_matrix
from ._flow import MEMORY_GIB, Stage, check_memory, tensor_flow
from ._scaling import ScalingSpectrum, is_square, plateau, scaling_spectrum, with_drift
from ._weights import SquareWeights, square_weights

__all__ = ["TensorFreeEnergy", "tensor_free_energy", "torus_log_partition"]

_SCALING_STEPS = 16
_LONGEST = 1000  # 2^step must stay a float


@dataclass(frozen=True)
class TensorFreeEnergy:
    """What tensor RG says of a model after `steps` steps with bond dimension chi = `bond_dimension`.

    `log_partition_per_site` is ln Z / N of the infinite lattice (an endless strip of the last tensors);
    `torus_log_partition_per_site` that of the torus closed by the last tensor alone, 2^steps sites (turned by
    45 degrees after an odd number of TRG steps). `discarded` [steps] is the weight lost in each step.
    `change` is |difference| of ln Z / N to the run with `compared_with`, a smaller bond dimension, or None;
    it says how far the answer has moved and is no error bar.
    `spectra` are the scaling spectra of the first 16 steps; `spectrum` the one on the plateau, or None.
    """

    method: str
    bond_dimension: int
    steps: int
    log_partition_per_site: float
    torus_log_partition_per_site: float
    discarded: np.ndarray
    compared_with: int | None
    change: float | None
    spectra: tuple[ScalingSpectrum, ...]

    @property
    def free_energy_per_site(self) -> float:
        """-ln Z / N of the infinite lattice, dimensionless."""
        return -self.log_partition_per_site

    @property
    def discarded_per_site(self) -> float:
        """sum_n discarded_n / 2^n: the weight lost in step n, once for each of the 2^-n tensors per site."""
        return float(np.sum(self.discarded / 2.0 ** np.arange(1, len(self.discarded) + 1)))

    @property
    def spectrum(self) -> ScalingSpectrum | None:
        """Central charge and scaling dimensions on the plateau; meaningful at a critical point."""
        return plateau(self.spectra) if self.spectra and self.spectra[-1].step >= 4 else None


def tensor_free_energy(
    hamiltonian: AbstractHamiltonian | SquareWeights,
    bond_dimension: int,
    method: str = "trg",
    *,
    steps: int = 40,
    compare: int | None = None,
    spectrum: bool = True,
    memory_gib: float | int = MEMORY_GIB,
) -> TensorFreeEnergy:
    """ln Z per site of a square-lattice model by TRG or HOTRG.

    Every step halves the number of tensors and keeps chi states of every new bond; 40 steps are 10^12 sites.
    TRG costs chi^6 and HOTRG chi^7 per step; HOTRG is the more accurate at equal chi, by about a factor of 5
    to 10 for Ising spins at chi = 8 to 12. A second run with `compare`, by default chi / 2 (0 leaves it out),
    shows how much the answer still changes. That is no bound: the error of Ising spins is between 0.001 and
    26 times as large. `spectrum` adds the scaling dimensions.

    Raises `UsageError` for models that are not translation-invariant nearest-neighbour models on the square
    lattice (`square_weights`), a bond dimension below 2, `compare` not below it, steps outside 1 ... 1000,
    and when more than `memory_gib` GiB are needed.

    >>> from deeprg.exact import onsager
    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
    >>> from deeprg.lattice import Lattice
    >>> found = tensor_free_energy(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE), 8, "hotrg")
    >>> f"{found.free_energy_per_site / onsager(CRITICAL_TEMPERATURE).free_energy_per_site - 1:.1e}"
    '-1.4e-05'
    """
    weights = square_weights(hamiltonian)
    check_memory(weights, bond_dimension, method, memory_gib)
    if not 1 <= steps <= _LONGEST:
        raise UsageError(f"The number of steps is 1 to {_LONGEST}, not {steps}.")
    smaller = max(2, bond_dimension // 2) if compare is None else compare
    if compare is not None and compare != 0 and not 2 <= compare < bond_dimension:
        raise UsageError(
            f"`compare` is a bond dimension from 2 to {bond_dimension - 1}, or 0 for none, not {compare}."
        )
    flow = tensor_flow(weights, bond_dimension, method, memory_gib=memory_gib)
    discarded, spectra = [], []
    stage = next(flow)
    while stage.step < steps:
        stage = next(flow)
        discarded.append(stage.discarded)
        if spectrum and stage.step <= _SCALING_STEPS and is_square(stage.step, method):
            spectra.append(scaling_spectrum(stage))
    bulk = log_bulk(stage)
    change = None
    if 2 <= smaller < bond_dimension:
        change = abs(bulk - bulk_log_partition(weights, smaller, method, steps, memory_gib))
    return TensorFreeEnergy(
        method=method,
        bond_dimension=bond_dimension,
        steps=steps,
        log_partition_per_site=bulk,
        torus_log_partition_per_site=stage.log_factor_per_site
        + log_closed(stage.tensor, (1, 1)) / stage.sites,
        discarded=np.array(discarded),
        compared_with=smaller if change is not None else None,
        change=change,
        spectra=tuple(with_drift(spectra)) if spectra else (),
    )


def log_bulk(stage: Stage) -> float:
    """ln Z per site of an endless strip, one of these tensors wide: (ln factor + ln lambda_0) / 2^step."""
    largest = leading_eigenvalues(transfer_matrix(stage.tensor, 1), 1)[0]
    return stage.log_factor_per_site + float(np.log(largest)) / stage.sites


def bulk_log_partition(
    weights: SquareWeights,
    bond_dimension: int,
    method: str,
    steps: int,
    memory_gib: float | int = MEMORY_GIB,
) -> float:
    """ln Z per site of the infinite lattice, and nothing else."""
    flow = tensor_flow(weights, bond_dimension, method, memory_gib=memory_gib)
    stage = next(flow)
    while stage.step < steps:
        stage = next(flow)
    return log_bulk(stage)


def torus_log_partition(
    hamiltonian: AbstractHamiltonian | SquareWeights,
    bond_dimension: int,
    method: str = "trg",
    *,
    shape: tuple[int, int] | None = None,
    memory_gib: float | int = MEMORY_GIB,
) -> float:
    """ln Z of a finite torus: blocks of 2^k x 2^k sites by tensor RG, then the torus of blocks exactly.

    The shape is that of the model's lattice unless given. k is the greatest with which both extents divide
    and at least 2 blocks remain on each side. Nothing is discarded, and the answer exact to rounding, with
    chi >= q^(2^k): for Ising spins with any chi where an extent is odd or 2 (k = 0), with chi = 4 for 4 x 4
    and 6 x 6 (k = 1), with chi = 16 for 8 x 8 (k = 2).

    Raises `UsageError` as `tensor_free_energy`, for a missing shape, extents below 1, and when closing needs
    more than `memory_gib` GiB.

    >>> from deeprg.exact import kaufman
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> found = torus_log_partition(Ising(Lattice((6, 4)), temperature=2.0), 4)
    >>> abs(found - kaufman((6, 4), temperature=2.0).log_partition) < 1e-12
    True
    """
    weights = square_weights(hamiltonian)
    if shape is None:
        if isinstance(hamiltonian, SquareWeights):
            raise UsageError("Weights have no lattice; give the torus's shape.")
        rows, columns = hamiltonian.lattice.shape
    else:
        rows, columns = shape
    if min(rows, columns) < 1:
        raise UsageError(f"A torus has two extents of at least 1, not {rows} x {columns}.")
    sites = rows * columns
    doublings = 0
    while (rows % 4 == 0 and columns % 4 == 0) or (
        rows % 2 == 0 and columns % 2 == 0 and min(rows, columns) > 2
    ):
        rows, columns, doublings = rows // 2, columns // 2, doublings + 1
    width = min(rows, columns)
    bond = max(bond_dimension, weights.states) if doublings else weights.states
    needed = 4 * 8 * float(bond) ** (2 * width) / 2**30
    if needed > memory_gib:
        raise UsageError(
            f"Closing {rows} x {columns} blocks with bond dimension {bond} needs about {needed:.3g} GiB, "
            f"but memory_gib is {memory_gib:g}: choose extents with more factors of 2, or a smaller "
            "bond_dimension."
        )
    flow = tensor_flow(weights, bond_dimension, method, memory_gib=memory_gib)
    stage = next(flow)
    while stage.step < 2 * doublings:
        stage = next(flow)
    return stage.log_factor_per_site * sites + log_closed(stage.tensor, (rows, columns))
