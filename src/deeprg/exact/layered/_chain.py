"""Chains of Gaussian layers: the matrix continued fraction and the Schur complement that it equals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ...runs.errors import NumericalError, UsageError
from ._checks import Numbers, finite_array, real_matrix, symmetric_matrix

__all__ = [
    "ContinuedFraction",
    "check_positive",
    "checked_chain",
    "continued_fraction",
    "joint_precision",
    "schur_complement",
]


@dataclass(frozen=True, eq=False)
class ContinuedFraction:
    """The marginal precisions A_l [m_l, m_l] and biases b'_l [m_l] of a chain, first layer first.

    `smallest` holds the smallest eigenvalue of every A_l: how far each layer is from ceasing to exist.
    """

    precisions: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    smallest: tuple[float, ...]


def continued_fraction(
    precisions: Sequence[Numbers],
    couplings: Sequence[Numbers],
    biases: Sequence[Numbers] | None = None,
    *,
    first_layer: int = 0,
) -> ContinuedFraction:
    """Integrate a Gaussian chain out from its deep end: the precision and bias that each layer is left with.

    For H = sum_l [1/2 y_l^T Lam_l y_l - b_l.y_l] - sum_l y_l^T W_{l+1} y_{l+1}, l = 0 ... L,

    A_L = Lam_L,   A_l = Lam_l - W_{l+1} A_{l+1}^-1 W_{l+1}^T,   b'_l = b_l + W_{l+1} A_{l+1}^-1 b'_{l+1}

    (section 1.1 of the theory chapter; (8) is one step of it). `precisions` are Lam_0 ... Lam_L [m_l, m_l],
    `couplings` W_1 ... W_L [m_{l-1}, m_l], `biases` b_0 ... b_L (zero when left out). A_l is the Schur
    complement of the layers below in the joint precision. `first_layer` is the number that error messages
    give to the first layer.

    Raises `UsageError` for shapes that do not fit and precisions that are not symmetric, and `NumericalError`
    that names the layer whose A_l is not positive definite, with its smallest eigenvalue.

    >>> chain = continued_fraction([[[2.0]], [[2.0]], [[2.0]]], [[[0.5]], [[0.5]]])
    >>> [round(float(a[0, 0]), 9) for a in chain.precisions]
    [1.866666667, 1.875, 2.0]
    """
    lam, w, b = checked_chain(precisions, couplings, biases, first_layer=first_layer)
    marginal, shifted, smallest = [lam[-1]], [b[-1]], [check_positive(lam[-1], first_layer + len(lam) - 1)]
    for layer in range(len(lam) - 2, -1, -1):
        factor = scipy.linalg.cho_factor(marginal[0], lower=True)
        solved = scipy.linalg.cho_solve(factor, w[layer].T)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found by check_positive
            below = lam[layer] - w[layer] @ solved
            shifted.insert(0, b[layer] + solved.T @ shifted[0])
        marginal.insert(0, (below + below.T) / 2)
        smallest.insert(0, check_positive(marginal[0], first_layer + layer))
    return ContinuedFraction(tuple(marginal), tuple(shifted), tuple(smallest))


def joint_precision(precisions: Sequence[Numbers], couplings: Sequence[Numbers]) -> np.ndarray:
    """The block-tridiagonal precision of a whole chain, Lam_l on the diagonal and -W_l beside it.

    The chain exists if and only if this matrix is positive definite. Shapes and errors as in
    `continued_fraction`, but nothing is asked of the eigenvalues.

    >>> joint_precision([[[2.0]], [[3.0]]], [[[0.5]]]).tolist()
    [[2.0, -0.5], [-0.5, 3.0]]
    """
    lam, w, _ = checked_chain(precisions, couplings, None)
    starts = np.cumsum([0, *(len(block) for block in lam)])
    joint = np.asarray(scipy.linalg.block_diag(*lam))
    for layer, coupling in enumerate(w):
        rows, columns = slice(*starts[layer : layer + 2]), slice(*starts[layer + 1 : layer + 3])
        joint[rows, columns] = -coupling
        joint[columns, rows] = -coupling.T
    return joint


def schur_complement(matrix: Numbers, kept: int) -> np.ndarray:
    """The precision of the first `kept` variables once all others are integrated out, [kept, kept].

    P_00 - P_01 P_11^-1 P_10. Raises `UsageError` for a matrix that is not square and symmetric or a count out
    of range, `NumericalError` for a P_11 that is not positive definite.

    >>> joint = joint_precision([[[2.0]], [[2.0]], [[2.0]]], [[[0.5]], [[0.5]]])
    >>> round(float(schur_complement(joint, 1)[0, 0]), 9)
    1.866666667
    """
    matrix = symmetric_matrix("matrix", matrix, len(np.asarray(matrix)))
    if not 0 < kept <= len(matrix):
        raise UsageError(f"kept = {kept} is out of range; the matrix allows 1 ... {len(matrix)}.")
    if kept == len(matrix):
        return matrix
    try:
        factor = scipy.linalg.cho_factor(matrix[kept:, kept:], lower=True)
    except scipy.linalg.LinAlgError as error:
        smallest = float(scipy.linalg.eigvalsh(matrix[kept:, kept:])[0])
        raise NumericalError(
            f"The precision of the variables to integrate out is not positive definite: its smallest "
            f"eigenvalue is {smallest:.6g}. Weaken the couplings or raise the precisions."
        ) from error
    across = matrix[:kept, kept:]
    result = matrix[:kept, :kept] - across @ scipy.linalg.cho_solve(factor, across.T)
    return (result + result.T) / 2


def checked_chain(
    precisions: Sequence[Numbers],
    couplings: Sequence[Numbers],
    biases: Sequence[Numbers] | None,
    *,
    first_layer: int = 0,
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Precisions, couplings and biases as float64 arrays of fitting shapes; `UsageError` otherwise."""
    if len(precisions) == 0 or len(couplings) != len(precisions) - 1:
        raise UsageError(
            f"A chain of {len(precisions)} layers needs {max(len(precisions) - 1, 1)} couplings, one between "
            f"neighbours, not {len(couplings)}."
        )
    if biases is not None and len(biases) != len(precisions):
        raise UsageError(f"{len(precisions)} layers need as many biases, not {len(biases)}.")
    sizes = [len(real_matrix("precision", block)) for block in precisions]
    if 0 in sizes:
        raise UsageError(f"Layer {first_layer + sizes.index(0)} has no units; every layer needs one.")
    lam = tuple(
        symmetric_matrix(f"The precision of layer {first_layer + i}", block, sizes[i])
        for i, block in enumerate(precisions)
    )
    w = tuple(
        finite_array(f"The coupling W_{first_layer + i + 1}", block, (sizes[i], sizes[i + 1]))
        for i, block in enumerate(couplings)
    )
    given = [np.zeros(size) for size in sizes] if biases is None else biases
    b = tuple(
        finite_array(f"The bias of layer {first_layer + i}", block, (sizes[i],))
        for i, block in enumerate(given)
    )
    return lam, w, b


def check_positive(matrix: np.ndarray, layer: int) -> float:
    """The smallest eigenvalue of a layer's marginal precision; `NumericalError` unless it is positive."""
    if not np.isfinite(matrix).all():
        raise NumericalError(
            f"Layer {layer} cannot be integrated out: its precision A_{layer} overflows. Weaken the coupling "
            f"W_{layer + 1} to the next deeper layer."
        )
    values = scipy.linalg.eigvalsh(matrix)
    if values[0] <= len(matrix) * np.finfo(np.float64).eps * max(abs(values[-1]), abs(values[0])):
        raise NumericalError(
            f"Layer {layer} cannot be integrated out: its precision A_{layer} is not positive definite, "
            f"smallest eigenvalue {values[0]:.6g}. Raise the precision of layer {layer}, or weaken the "
            f"coupling W_{layer + 1} to the next deeper layer if there is one."
        )
    return float(values[0])
