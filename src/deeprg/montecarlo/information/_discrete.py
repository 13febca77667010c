"""Mutual information of labels from a table of counts."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._samples import block_edges
from deeprg.montecarlo.jackknife import from_replicas
from deeprg.runs.errors import UsageError

__all__ = ["discrete_information"]

_PER_CELL = 5


def discrete_information(a: ArrayLike, b: ArrayLike, *, blocks: int = 50) -> InformationEstimate:
    """I(A:B) of labels, or of rows of spins, from the table of their joint counts, in nats.

    I = H(A) + H(B) - H(AB), each H = -Σ p ln p + (K - 1)/(2n) over its K occupied cells (G. A. Miller 1955;
    L. Paninski, Neural Computation 15, 1191 (2003)). The error is the jackknife's over blocks
    of consecutive samples, which should be long against the autocorrelation time; near independence it is
    too large by up to √2. The bound is min(H(A), H(B)). Flagged is a correction of more than 3 errors: what
    it leaves is then not small against the error.

    Args:
        a, b: `[n]` integer labels, or `[n, k]` integers such as ±1 spins, of which each row is one label.

    Raises:
        UsageError: n below 5 times the occupied joint cells, values that are not integers, unequal lengths,
            fewer than 10 blocks, or blocks of fewer than 2 samples.

    A bit read through noise that flips one in ten: ln 2 - H(0.1) = 0.3681.

    >>> rng = np.random.default_rng(0)
    >>> bit, flip = rng.integers(0, 2, 4000), rng.random(4000) < 0.1
    >>> found = discrete_information(bit, bit ^ flip)
    >>> print(f"{found.value:.3f} +- {found.error:.3f} <= {found.bound:.3f}")
    0.359 +- 0.010 <= 0.693
    """
    first, second = labels("a", a), labels("b", b)
    n = len(first)
    if n != len(second):
        raise UsageError(f"a has {n} samples and b has {len(second)}; they must be drawn together.")
    edges = block_edges(n, blocks)
    width = int(second.max()) + 1
    joint, cells = np.unique(first * width + second, return_inverse=True)
    if n < _PER_CELL * joint.size:
        raise UsageError(
            f"{n} samples fill {joint.size} joint cells; at least {_PER_CELL * joint.size} are needed. Take "
            "more samples, or coarser labels."
        )
    block = np.repeat(np.arange(blocks), np.diff(edges))
    counts = np.bincount(block * joint.size + cells, minlength=blocks * joint.size).reshape(blocks, -1)
    total = counts.sum(axis=0)
    rows, cols = joint // width, joint % width

    def entropies(table: np.ndarray) -> tuple[float, float, float]:
        p = table / table.sum()
        return (
            float(entr(np.bincount(rows, p)).sum()),
            float(entr(np.bincount(cols, p)).sum()),
            float(entr(p).sum()),
        )

    def information(table: np.ndarray) -> float:
        h_a, h_b, h_ab = entropies(table)
        return h_a + h_b - h_ab

    found = from_replicas(
        np.asarray(information(total)), np.array([information(total - one) for one in counts])
    )
    k_a, k_b = int(first.max()) + 1, width
    correction = (k_a + k_b - joint.size - 1) / (2 * n)
    flags = []
    if abs(correction) > 3 * found.error:
        flags.append(
            f"The correction of the bias, {correction:.2g}, is more than 3 errors of {found.error:.2g}: what "
            "it leaves may exceed the error. Take more samples or coarser labels."
        )
    h_a, h_b, _ = entropies(total)
    bound = min(h_a + (k_a - 1) / (2 * n), h_b + (k_b - 1) / (2 * n))
    method = "plug-in with Miller-Madow correction"
    return InformationEstimate(found.value + correction, found.error, n, method, flags=flags).checked(bound)


def labels(name: str, values: ArrayLike) -> np.ndarray:
    """Labels 0 ... K - 1 of the different rows."""
    array = np.asarray(values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise UsageError(f"{name} has shape {np.shape(values)}; give labels [n] or rows of spins [n, k].")
    if not (array.dtype == bool or np.issubdtype(array.dtype, np.number)) or (array != np.rint(array)).any():
        raise UsageError(f"{name} is not of integers; bin real samples, or use ksg_information.")
    label = np.zeros(len(array), dtype=np.int64)
    for column in array.T:
        values_here, place = np.unique(column, return_inverse=True)
        label = np.unique(label * values_here.size + place, return_inverse=True)[1]
    return label
