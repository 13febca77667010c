"""One step of Levin and Nave's tensor renormalization group."""

import numpy as np
import scipy.linalg

from ._gauge import fixed_signs

__all__ = ["trg_step"]

_NOISE = 1e-15  # singular values below this, relative to the largest, are rounding errors


def trg_step(tensor: np.ndarray, bond_dimension: int) -> tuple[np.ndarray, float]:
    """Two sites into one: every T is cut in two along a diagonal, and four halves around a plaquette make T'.

    On one sublattice T is a matrix from (left, up) to (right, down), on the other from (up, right) to
    (down, left); each is replaced by the chi largest terms of its singular value decomposition, half of every
    singular value on each side. With S1 S3^T and S2 S4^T the two products,

    T'_{ijkl} = sum_{abce} S3[a, e, i] S4[b, a, j] S1[c, b, k] S2[e, c, l]

    (M. Levin and C. P. Nave, Phys. Rev. Lett. 99, 120601 (2007)). The new lattice is turned by 45 degrees:
    the legs of T' point up-left, up-right, down-right, down-left and take the places left, up, right, down.
    Two steps turn by 90 degrees. Cost chi^6, memory chi^4.

    Returns the new tensor and the discarded weight, 1 - sum_kept s^2 / sum s^2 (the greater of the two cuts).

    >>> delta = np.zeros((2, 2, 2, 2))
    >>> delta[0, 0, 0, 0] = delta[1, 1, 1, 1] = 1.0         # Ising spins at T = 0: two ground states, always
    >>> new, discarded = trg_step(delta, 2)
    >>> round(float(np.einsum("abab", new)), 12), discarded
    (2.0, 0.0)
    """
    left, up, right, down = tensor.shape
    s1, s3, lost = _cut(tensor.reshape(left * up, right * down), bond_dimension)
    turned = tensor.transpose(1, 2, 3, 0).reshape(up * right, down * left)
    s2, s4, lost_too = _cut(turned, bond_dimension)
    above = np.tensordot(s3.reshape(right, down, -1), s4.reshape(down, left, -1), (0, 1))  # [e, i, b, j]
    below = np.tensordot(s1.reshape(left, up, -1), s2.reshape(up, right, -1), (0, 1))  # [b, k, e, l]
    return np.tensordot(above, below, ((0, 2), (2, 0))), max(lost, lost_too)


def _cut(matrix: np.ndarray, bond_dimension: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The two halves [rows, k] and [columns, k] of the best approximation of rank k, and the weight lost."""
    try:
        left, values, right = scipy.linalg.svd(matrix, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:  # the fast driver fails on rare matrices
        left, values, right = scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")
    kept = min(bond_dimension, int(np.count_nonzero(values > _NOISE * values[0])))
    roots = fixed_signs(left[:, :kept]) * np.sqrt(values[:kept])
    lost = float(np.sum(values[kept:] ** 2) / np.sum(values**2))
    return left[:, :kept] * roots, right[:kept].T * roots, lost
