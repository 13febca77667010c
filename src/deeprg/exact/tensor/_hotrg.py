"""One step of the higher-order tensor renormalization group."""

import numpy as np
import scipy.linalg

from ._gauge import fixed_signs

__all__ = ["hotrg_isometry", "hotrg_join", "hotrg_step"]


def hotrg_step(tensor: np.ndarray, bond_dimension: int) -> tuple[np.ndarray, float]:
    """Two sites, one above the other, into one: the doubled horizontal bonds are projected onto chi states.

    T'_{xuyd} = sum U[x1, x2, x] T[x1, u, y1, i] T[x2, i, y2, d] U[y1, y2, y]

    with the isometry of `hotrg_isometry` (Z. Y. Xie et al., Phys. Rev. B 86, 045139 (2012)). Transpose the
    tensor by (1, 0, 3, 2) before the next step, and it joins neighbours in a row. Cost chi^7, memory chi^5.
    Returns the new tensor and the discarded weight.

    >>> delta = np.zeros((2, 2, 2, 2))
    >>> delta[0, 0, 0, 0] = delta[1, 1, 1, 1] = 1.0
    >>> new, discarded = hotrg_step(delta, 2)
    >>> round(float(np.einsum("abab", new)), 12), discarded
    (2.0, 0.0)
    """
    isometry, lost = hotrg_isometry(tensor, bond_dimension)
    return hotrg_join(isometry, tensor, tensor), lost


def hotrg_isometry(tensor: np.ndarray, bond_dimension: int) -> tuple[np.ndarray, float]:
    """The isometry U[x1, x2, x] of the higher-order singular value decomposition, and the weight it discards.

    M is two tensors on top of each other. The eigenvectors of M M^T on its left legs, and those on its right
    legs, are both tried; the pair of legs that loses less weight 1 - sum_kept eigenvalue / trace gives U for
    both sides.

    >>> isometry, lost = hotrg_isometry(np.ones((2, 2, 2, 2)), 2)
    >>> isometry.shape, round(lost, 12)
    ((2, 2, 2), 0.0)
    """
    candidates = [_leading(tensor, bond_dimension)]
    mirror = tensor.transpose(2, 1, 0, 3)
    if mirror.shape != tensor.shape or not np.array_equal(mirror, tensor):
        candidates.append(_leading(mirror, bond_dimension))
    return min(candidates, key=lambda candidate: candidate[1])


def hotrg_join(isometry: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Contract two tensors, one above the other, and project their doubled legs with one isometry.

    >>> hotrg_join(np.eye(1).reshape(1, 1, 1), np.full((1, 2, 1, 2), 1.0), np.full((1, 2, 1, 2), 3.0)).ravel()
    array([6., 6., 6., 6.])
    """
    first = np.tensordot(isometry, above, (0, 0))  # [x2, x, u, y1, i]
    second = np.tensordot(first, below, ((0, 4), (0, 1)))  # [x, u, y1, y2, d]
    return np.tensordot(second, isometry, ((2, 3), (0, 1))).transpose(0, 1, 3, 2)


def _leading(tensor: np.ndarray, bond_dimension: int) -> tuple[np.ndarray, float]:
    """Eigenvectors of M M^T on the doubled left legs, largest first, without forming M."""
    width = tensor.shape[0]
    top = np.tensordot(tensor, tensor, ((1, 2), (1, 2)))  # [x1, i, z1, j]
    bottom = np.tensordot(tensor, tensor, ((2, 3), (2, 3)))  # [x2, i, z2, j]
    gram = np.tensordot(top, bottom, ((1, 3), (1, 3)))  # [x1, z1, x2, z2]
    gram = gram.transpose(0, 2, 1, 3).reshape(width**2, width**2)
    kept = min(bond_dimension, width**2)
    values, vectors = scipy.linalg.eigh(gram, subset_by_index=[width**2 - kept, width**2 - 1])
    vectors = vectors[:, ::-1]
    lost = max(0.0, 1.0 - float(np.sum(values) / np.trace(gram))) if kept < width**2 else 0.0
    return (vectors * fixed_signs(vectors)).reshape(width, width, kept), lost
