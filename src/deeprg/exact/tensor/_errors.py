"""The truncation error of tensor RG against the bond dimension."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...hamiltonians import AbstractHamiltonian, Ising
from ...runs.errors import UsageError
from .._onsager import onsager
from ._flow import MEMORY_GIB
from ._free_energy import tensor_free_energy
from ._weights import SquareWeights

__all__ = ["TruncationError", "truncation_errors"]


@dataclass(frozen=True)
class TruncationError:
    """ln Z / N at one bond dimension, with the time that it took.

    `yardstick` is the exact value, or without one (`exact` false) the run with the largest bond dimension.
    `change` is |difference| of ln Z / N to the next smaller bond dimension of the table, None in its first
    row; `discarded_per_site` is that of `TensorFreeEnergy`. Neither is a bound on the error.
    """

    bond_dimension: int
    log_partition_per_site: float
    yardstick: float
    exact: bool
    change: float | None
    discarded_per_site: float
    seconds: float

    @property
    def error(self) -> float:
        """|ln Z / N - yardstick|, which `change` may be compared with."""
        return abs(self.log_partition_per_site - self.yardstick)

    @property
    def relative_error(self) -> float:
        """|ln Z / N - yardstick| / |yardstick|."""
        return self.error / abs(self.yardstick)


def truncation_errors(
    hamiltonian: AbstractHamiltonian | SquareWeights,
    bond_dimensions: Sequence[int],
    method: str = "trg",
    *,
    steps: int = 40,
    exact: float | None = None,
    memory_gib: float | int = MEMORY_GIB,
) -> list[TruncationError]:
    """A table of the error of ln Z / N of the infinite lattice against the bond dimension, ascending.

    The yardstick is `exact`, or Onsager's solution for Ising models without field and with one coupling, or
    else the largest bond dimension of the table. The error falls by and large, not always from each chi to
    the next: a cut through a set of equal singular values costs accuracy.

    Raises `UsageError` for an empty list, and as `tensor_free_energy` does.

    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE
    >>> from deeprg.lattice import Lattice
    >>> for row in truncation_errors(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE), [4, 8]):
    ...     print(row.bond_dimension, f"{row.relative_error:.1e}", row.change and f"{row.change:.1e}")
    4 2.9e-04 None
    8 6.9e-05 2.0e-04
    """
    if len(bond_dimensions) == 0:
        raise UsageError("Give at least one bond dimension.")
    runs = []
    for chi in sorted(set(bond_dimensions)):
        begun = time.perf_counter()
        run = tensor_free_energy(
            hamiltonian, chi, method, steps=steps, compare=0, spectrum=False, memory_gib=memory_gib
        )
        runs.append((run, time.perf_counter() - begun))
    known = _known(hamiltonian) if exact is None else exact
    yardstick = runs[-1][0].log_partition_per_site if known is None else known
    values = [run.log_partition_per_site for run, _ in runs]
    changes = [None, *(abs(b - a) for a, b in itertools.pairwise(values))]
    return [
        TruncationError(
            bond_dimension=run.bond_dimension,
            log_partition_per_site=run.log_partition_per_site,
            yardstick=yardstick,
            exact=known is not None,
            change=change,
            discarded_per_site=run.discarded_per_site,
            seconds=seconds,
        )
        for (run, seconds), change in zip(runs, changes, strict=True)
    ]


def _known(model: AbstractHamiltonian | SquareWeights) -> float | None:
    """Onsager's ln Z / N; the antiferromagnet's is the same on the infinite lattice."""
    if not isinstance(model, Ising) or model.field != 0 or model.coupling is None:
        return None
    if model.coupling == 0:
        return math.log(2)
    return -onsager(model.temperature / abs(model.coupling)).free_energy_per_site
