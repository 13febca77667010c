"""The gauge of the new bonds: signs of singular vectors."""

import numpy as np

__all__ = ["fixed_signs"]


def fixed_signs(vectors: np.ndarray) -> np.ndarray:
    """The signs [k] that make the first large entry of every column [n, k] positive.

    Large means more than half of the column's largest, so that rounding cannot choose between equal entries.
    Singular vectors are unique up to these signs where the singular values differ.

    >>> fixed_signs(np.array([[0.1, -0.6], [-0.9, 0.8]])).tolist()
    [-1.0, -1.0]
    """
    large = np.abs(vectors) > 0.5 * np.abs(vectors).max(axis=0)
    return np.where(vectors[np.argmax(large, axis=0), range(vectors.shape[1])] < 0, -1.0, 1.0)
