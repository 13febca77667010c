"""Symmetric coupling matrices by their eigenvalues: on a torus in Fourier space, or with any bonds."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..lattice import Lattice
from ..runs.errors import UsageError
from . import circulant

__all__ = ["CirculantMatrix", "CouplingMatrix", "DenseMatrix", "dense_matrix"]

_MOST_SITES = 4096


class CirculantMatrix:
    """A translation-invariant J: `spectrum` [*shape] in the order of `numpy.fft.fftn`.

    >>> ring = CirculantMatrix(np.array([2.0, 0.0, -2.0, 0.0]))
    >>> ring.apply(jnp.array([1.0, 0.0, 0.0, 0.0]), ring.spectrum).round(6).tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, spectrum: np.ndarray):
        self.spectrum = spectrum

    def apply(self, x: Float[Array, "*lattice"], values: np.ndarray) -> Float[Array, "*lattice"]:
        """f(J) x, with `values` = f(spectrum), of the same shape as the spectrum."""
        return circulant.apply(x, values)

    def form(self, x: Float[Array, "*lattice"], values: np.ndarray) -> Float[Array, ""]:
        """x.f(J) x."""
        return circulant.quadratic_form(x, values)


class DenseMatrix:
    """Any symmetric J: `spectrum` [N], rising, and `vectors` [N, N], one eigenvector per column.

    >>> pair = DenseMatrix(np.array([[0.0, -1.0], [-1.0, 0.0]]))
    >>> pair.spectrum.round(6).tolist(), pair.apply(jnp.array([1.0, 0.0]), pair.spectrum).round(6).tolist()
    ([-1.0, 1.0], [0.0, -1.0])
    """

    def __init__(self, matrix: np.ndarray):
        self.spectrum, self.vectors = np.linalg.eigh(np.asarray(matrix, np.float64))
        self.spectrum.setflags(write=False)

    def apply(self, x: Float[Array, "..."], values: np.ndarray) -> Float[Array, "..."]:
        """f(J) x, with `values` = f(spectrum) [N], of fields of N sites in C order and any batch behind."""
        vectors = jnp.asarray(self.vectors, x.dtype)
        modes = vectors.T @ x.reshape(len(values), -1)
        return (vectors @ (jnp.asarray(values, x.dtype)[:, None] * modes)).reshape(x.shape)

    def form(self, x: Float[Array, "*lattice"], values: np.ndarray) -> Float[Array, ""]:
        """x.f(J) x."""
        modes = jnp.asarray(self.vectors, x.dtype).T @ x.reshape(-1)
        return jnp.sum(jnp.asarray(values, x.dtype) * modes**2)


CouplingMatrix = CirculantMatrix | DenseMatrix


def dense_matrix(lattice: Lattice, couplings: np.ndarray) -> DenseMatrix:
    """J of the bonds `couplings` [ndim, *shape] from i to i + e_a, diagonalised once for the process.

    Raises `UsageError` above 4096 sites, where a dense matrix no longer pays.

    >>> dense_matrix(Lattice((4,)), np.array([[1.0, 1.0, 1.0, -1.0]])).spectrum.round(6).tolist()
    [-1.414214, -1.414214, 1.414214, 1.414214]
    """
    if lattice.size > _MOST_SITES:
        raise UsageError(
            f"Bonds without translation symmetry need a dense matrix of all sites; {lattice} has "
            f"{lattice.size}, but at most {_MOST_SITES} are taken."
        )
    return _dense_matrix(lattice, np.asarray(couplings, np.float64).tobytes())


@functools.lru_cache(maxsize=8)
def _dense_matrix(lattice: Lattice, couplings: bytes) -> DenseMatrix:
    sites = np.arange(lattice.size).reshape(lattice.shape)
    matrix = np.zeros((lattice.size, lattice.size))
    for axis, values in enumerate(np.frombuffer(couplings).reshape(lattice.ndim, -1)):
        there = np.roll(sites, -1, axis).reshape(-1)
        np.add.at(matrix, (sites.reshape(-1), there), values)
        np.add.at(matrix, (there, sites.reshape(-1)), values)
    return DenseMatrix(matrix)
