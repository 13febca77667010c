"""The flow of the normalised tensor under either scheme, with what was divided out and thrown away."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...runs.errors import NumericalError, UsageError, nearest
from ._hotrg import hotrg_step
from ._trg import trg_step
from ._weights import SquareWeights, site_tensor

__all__ = ["METHODS", "Stage", "check_memory", "tensor_flow"]

METHODS = ("trg", "hotrg")
"""The schemes: Levin and Nave's TRG, and HOTRG of Xie et al."""

MEMORY_GIB = 8.0  # default limit


class Stage(NamedTuple):
    """One tensor of the flow: it stands for 2^step sites with the factor exp(log_factor_per_site 2^step).

    `tensor` [left, up, right, down] has norm 1; `discarded` is the weight that the step leading here threw
    away (0 at step 0).
    """

    step: int
    tensor: np.ndarray
    log_factor_per_site: float
    discarded: float

    @property
    def sites(self) -> float:
        """The number of sites, 2^step."""
        return 2.0**self.step


def tensor_flow(
    weights: SquareWeights, bond_dimension: int, method: str = "trg", *, memory_gib: float | int = MEMORY_GIB
) -> Iterator[Stage]:
    """The tensors of 1, 2, 4, ... sites, without end, each normalised to Frobenius norm 1.

    With T_n = |T_n| t_n and T_{n+1} made of two t_n, the factors sum to ln(factor)/N = sum_n ln |T_n| / 2^n.
    HOTRG joins rows and columns in turn, so even steps are squares of side 2^(step/2). TRG turns the lattice
    by 45 degrees; after every second step the legs are turned back, so even steps are the same squares.

    Raises `UsageError` for a bond dimension below 2, an unknown method and too little memory;
    `NumericalError` when the tensor is no longer finite.

    >>> from deeprg.exact.tensor import square_weights
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> flow = tensor_flow(square_weights(Ising(Lattice((4, 4)), temperature=2.0)), 4)
    >>> [next(flow).tensor.shape for _ in range(4)]
    [(2, 2, 2, 2), (2, 2, 2, 2), (4, 4, 4, 4), (4, 4, 4, 4)]
    """
    check_memory(weights, bond_dimension, method, memory_gib)
    return _stages(weights, bond_dimension, method)


def check_memory(weights: SquareWeights, bond_dimension: int, method: str, memory_gib: float | int) -> None:
    """Raise `UsageError` unless the scheme exists and fits into the memory.

    TRG needs about 12 chi^4 numbers at its peak, HOTRG 3 chi^5 + 10 chi^4.
    """
    if method not in METHODS:
        raise UsageError(
            f"The method is one of {', '.join(METHODS)}, not {method!r}.{nearest(method, METHODS)}"
        )
    if bond_dimension < 2:
        raise UsageError(f"The bond dimension must be at least 2, not {bond_dimension}; 16 is a good start.")
    size = max(bond_dimension, weights.states)
    needed = _gib(size, method)
    if needed > memory_gib:
        fits = max(2, int(size * (memory_gib / needed) ** (1 / (4 if method == "trg" else 5))))
        while fits > 2 and _gib(fits, method) > memory_gib:
            fits -= 1
        raise UsageError(
            f"{method} with bond dimension {size} needs about {needed:.3g} GiB, but memory_gib is "
            f"{memory_gib:g}: use a bond dimension of {fits} or less, or raise memory_gib."
        )


def _gib(size: int, method: str) -> float:
    chi = float(size)
    numbers = 12 * chi**4 if method == "trg" else 3 * chi**5 + 10 * chi**4
    return 8 * numbers / 2**30


def _stages(weights: SquareWeights, bond_dimension: int, method: str) -> Iterator[Stage]:
    tensor, logarithm = site_tensor(weights)
    step, discarded = 0, 0.0
    while True:
        norm = float(np.linalg.norm(tensor))
        if not (math.isfinite(norm) and norm > 0):
            raise NumericalError(
                f"The tensor of step {step} has norm {norm}; all weights vanish or overflow."
            )
        tensor = tensor / norm
        logarithm += math.log(norm) / 2.0**step
        yield Stage(step, tensor, logarithm, discarded)
        step += 1
        if method == "trg":
            tensor, discarded = trg_step(tensor, bond_dimension)
            if step % 2 == 0:
                tensor = tensor.transpose(3, 0, 1, 2)  # legs point up, right, down, left: turn them back
        else:
            tensor, discarded = hotrg_step(tensor, bond_dimension)
            tensor = tensor.transpose(1, 0, 3, 2)
