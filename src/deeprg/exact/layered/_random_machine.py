"""Random Gaussian machines at a chosen distance from the end of existence."""

import itertools
from collections.abc import Sequence

import numpy as np
import scipy.linalg

from ...runs.errors import UsageError
from ._chain import joint_precision
from ._machine import GaussianMachine

__all__ = ["random_machine"]


def random_machine(
    sizes: Sequence[int],
    *,
    seed: int,
    beta: float | int = 1.0,
    spins: str = "pm",
    margin: float | int = 0.3,
    weight: float | int = 0.5,
    bias: float | int = 0.3,
) -> GaussianMachine:
    """A machine with random couplings, biases and precisions, for tests and studies.

    `sizes` are the units of each layer, visibles first. Precisions are random and symmetric with eigenvalues
    near 1; the couplings between hidden layers, normal at first, are scaled so that the joint precision D - C
    of the hidden units (D its block diagonal) has margin as the smallest eigenvalue of D^-1/2 (D - C) D^-1/2:
    0 < margin <= 1, small near the end of existence. W_1 is normal with standard deviation weight/sqrt(m_1),
    biases are normal with standard deviation bias. Raises `UsageError` for sizes or margins out of range.

    >>> machine = random_machine((3, 2, 2), seed=0)
    >>> machine.sizes, min(machine.smallest_eigenvalues) > 0
    ((3, 2, 2), True)
    """
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise UsageError(
            f"sizes = {tuple(sizes)} must hold a visible and at least one hidden layer, none empty."
        )
    if not 0 < margin <= 1:
        raise UsageError(f"margin = {margin} is out of range; 0 < margin <= 1.")
    rng = np.random.default_rng(seed)
    hidden = sizes[1:]
    precisions = []
    for size in hidden:
        noise = rng.normal(size=(size, size)) / np.sqrt(size)
        precisions.append(np.eye(size) + 0.2 * (noise @ noise.T))
    inner = [rng.normal(size=pair) for pair in itertools.pairwise(hidden)]
    if inner:
        joint = joint_precision(precisions, inner)
        blocks = scipy.linalg.block_diag(*precisions)
        largest = float(scipy.linalg.eigvalsh(blocks - joint, blocks)[-1])
        inner = [(1 - margin) / largest * w for w in inner]
    return GaussianMachine(
        [weight / np.sqrt(hidden[0]) * rng.normal(size=(sizes[0], hidden[0])), *inner],
        bias * rng.normal(size=sizes[0]),
        [bias * rng.normal(size=size) for size in hidden],
        precisions,
        beta=beta,
        spins=spins,
    )
