"""The unnormalised Hadamard product over all states."""

import numpy as np

__all__ = ["hadamard"]


def hadamard(values: np.ndarray) -> np.ndarray:
    """sum_x chi_S(x) values[x] for every S, [2^n] -> [2^n]; bits of x mark spins -1. Twice it is 2^n.

    >>> hadamard(np.array([1.0, 0.0])).tolist()
    [1.0, 1.0]
    """
    width = 1
    while width < len(values):
        pairs = values.reshape(-1, 2, width)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
        width *= 2
    return values
