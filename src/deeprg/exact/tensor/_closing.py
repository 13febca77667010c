"""Closing a block of tensors to a cylinder or a torus: transfer matrices, their eigenvalues and traces."""

import math

import numpy as np
import scipy.sparse.linalg

from ...runs.errors import NumericalError

__all__ = ["leading_eigenvalues", "log_closed", "transfer_matrix"]

_DENSE = 64  # matrices up to this size are diagonalised in full


def transfer_matrix(tensor: np.ndarray, columns: int) -> np.ndarray:
    """The matrix from the upper to the lower legs of a closed row of tensors, [u^columns, d^columns].

    M_{(u1 u2 ...), (d1 d2 ...)} = sum_{abc...} T[a, u1, b, d1] T[b, u2, c, d2] ... T[., ., a, .]

    Memory u^(2 columns).

    >>> transfer_matrix(np.ones((2, 3, 2, 3)), 2).shape
    (9, 9)
    """
    if columns == 1:
        return np.einsum("auad->ud", tensor)
    row = tensor
    for _ in range(columns - 2):
        row = np.tensordot(row, tensor, (2, 0)).transpose(0, 1, 3, 4, 2, 5)  # [l, U, u, r, D, d]
        left, upper, up, right, lower, down = row.shape
        row = row.reshape(left, upper * up, right, lower * down)
    closed = np.tensordot(row, tensor, ((2, 0), (0, 2))).transpose(0, 2, 1, 3)  # [U, u, D, d]
    size = closed.shape[0] * closed.shape[1]
    return closed.reshape(size, size)


def log_closed(tensor: np.ndarray, shape: tuple[int, int]) -> float:
    """ln Z of a torus of rows x columns equal tensors, ln Tr M^rows with M of the shorter side.

    Raises `NumericalError` when the truncated tensors give a Z that is not positive.

    >>> round(log_closed(np.ones((2, 2, 2, 2)), (3, 2)) / math.log(2), 12)      # 12 bonds of two states
    12.0
    """
    if shape[1] > shape[0]:
        tensor, shape = tensor.transpose(1, 0, 3, 2), (shape[1], shape[0])
    rows, columns = shape
    matrix = transfer_matrix(tensor, columns)
    product, logarithm = np.eye(len(matrix)), 0.0
    for bit in f"{rows:b}":
        product = product @ product
        logarithm *= 2
        if bit == "1":
            product = product @ matrix
        norm = float(np.linalg.norm(product))
        product, logarithm = product / norm, logarithm + math.log(norm)
    trace = float(np.trace(product))
    if not trace > 0:
        raise NumericalError(
            f"The truncated tensors give Z = {trace:.3g} <= 0, up to a positive factor; raise bond_dimension."
        )
    return logarithm + math.log(trace)


def leading_eigenvalues(matrix: np.ndarray, count: int) -> np.ndarray:
    """The moduli of the `count` largest eigenvalues, descending; zeros where the matrix has fewer.

    >>> leading_eigenvalues(np.diag([1.0, -3.0, 2.0]), 4).tolist()
    [3.0, 2.0, 1.0, 0.0]
    """
    values = None
    if len(matrix) > max(_DENSE, 4 * count):
        start = np.random.default_rng(0).normal(size=len(matrix))  # any fixed vector without symmetry
        try:
            values = scipy.sparse.linalg.eigs(matrix, k=count, v0=start, return_eigenvectors=False)
        except scipy.sparse.linalg.ArpackError:  # nothing left beyond the first few eigenvalues
            values = None
    if values is None:
        values = np.linalg.eigvals(matrix)
    moduli = np.sort(np.abs(values))[::-1][:count]
    return np.concatenate([moduli, np.zeros(count - len(moduli))])
