"""The number of dimer coverings of a torus."""

import math

import numpy as np

from ..hamiltonians import Dimers
from ..lattice import Lattice

__all__ = ["log_dimer_count"]


def log_dimer_count(lattice: Lattice) -> float:
    """ln of the number of dimer coverings of an L0 x L1 torus with even extents, by Kasteleyn's Pfaffians.

    The number is (P_01 + P_10 + P_11)/2 with, over the momenta k_a = 2 pi (n_a + theta_a/2)/L_a,

    P_theta = prod_k (4 sin^2 k_0 + 4 sin^2 k_1)^(1/4)

    (P. W. Kasteleyn, Physica 27, 1209 (1961)); P_00 vanishes. Raises `UsageError` as `Dimers` does.

    >>> round(math.exp(log_dimer_count(Lattice((4, 4)))), 6)
    272.0
    >>> round(log_dimer_count(Lattice((400, 400))) / 400**2, 5)  # G/pi per site
    0.29157
    """
    Dimers(lattice, 1.0)  # checks the extents
    logs = []
    for shifts in ((0, 1), (1, 0), (1, 1)):
        waves = [
            2 * np.pi * (np.arange(extent) + 0.5 * shift) / extent
            for extent, shift in zip(lattice.shape, shifts, strict=True)
        ]
        first, second = (4 * np.sin(wave) ** 2 for wave in waves)
        logs.append(0.25 * float(np.log(first[:, None] + second).sum()))
    return float(np.logaddexp.reduce(logs)) - math.log(2)
