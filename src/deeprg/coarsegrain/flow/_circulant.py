"""Fixed symmetric linear maps: translation-invariant, diagonal in Fourier space, or any."""

import abc
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...hamiltonians import AbstractDual, DenseMatrix, dense_circulant
from ...hamiltonians.circulant import apply
from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import AbstractBijector

__all__ = ["AbstractSymmetricMap", "ArrayCirculant", "Circulant", "DenseSymmetric", "whitening"]


class AbstractSymmetricMap(AbstractBijector):
    """x = C z with C symmetric, given by its eigenvalues `values` in a basis of its own."""

    lattice: eqx.AbstractVar[Lattice]

    @property
    @abc.abstractmethod
    def values(self) -> np.ndarray | Float[Array, "..."]:
        """The eigenvalues of C; of a circulant one C(k), [*lattice], in the order of `numpy.fft.fftn`."""

    @abc.abstractmethod
    def _log_det(self, x: Array) -> Float[Array, "..."]:
        """Σ ln|C(k)| for every sample of x."""

    @abc.abstractmethod
    def _apply(self, x: Array, spectrum: Any) -> Array:
        """M x for the matrix M with these eigenvalues in the basis of C."""

    def forward(self, z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """C z and log|det C|."""
        return self._apply(z, self.values), self._log_det(z)

    def inverse(self, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """C^-1 x and -log|det C|."""
        return self._apply(x, 1 / self.values), -self._log_det(x)

    def push_score(
        self, z: Float[Array, "..."], score: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """C is symmetric, so the score becomes C^-1 score."""
        return self._apply(z, self.values), self._log_det(z), self._apply(score, 1 / self.values)


class Circulant(AbstractSymmetricMap):
    """x = C z with C symmetric and circulant: C is `spectrum`(k) in Fourier space, log|det C| = Σ ln|C(k)|.

    Raises `UsageError` when the spectrum has another shape than the lattice, vanishes somewhere, or is not
    even under k -> -k (C would not be real).

    >>> import jax.numpy as jnp
    >>> x, log_det = Circulant(Lattice((4,)), spectrum=np.array([2.0, 1.0, 0.5, 1.0])).forward(jnp.ones(4))
    >>> x.tolist(), float(log_det)
    ([2.0, 2.0, 2.0, 2.0], 0.0)
    """

    lattice: Lattice = eqx.field(static=True)
    spectrum: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, lattice: Lattice, *, spectrum: np.ndarray):
        values = np.asarray(spectrum, np.float64)
        if values.shape != lattice.shape:
            raise UsageError(f"The spectrum has shape {values.shape}, but the lattice is {lattice}.")
        if not np.all(np.isfinite(values)) or np.any(values == 0):
            raise UsageError("The spectrum of a circulant bijector must be finite and nowhere zero.")
        mirrored = values[np.ix_(*(-np.arange(extent) % extent for extent in lattice.shape))]
        if not np.allclose(values, mirrored, rtol=1e-9, atol=0):
            raise UsageError("The spectrum of a circulant bijector must be even, C(-k) = C(k).")
        self.lattice = lattice
        self.spectrum = tuple(values.ravel().tolist())

    @property
    def values(self) -> np.ndarray:
        """The eigenvalues C(k), [*lattice]."""
        return np.array(self.spectrum).reshape(self.lattice.shape)

    def _apply(self, x: Array, spectrum: np.ndarray) -> Array:
        columns = x.reshape(*self.lattice.shape, -1)
        out = jax.vmap(lambda v: apply(v, spectrum), in_axes=-1, out_axes=-1)(columns)
        return out.reshape(x.shape)

    def _log_det(self, x: Array) -> Float[Array, "..."]:
        batch = x.shape[self.lattice.ndim :]
        return jnp.full(batch, np.log(np.abs(self.values)).sum(), x.dtype)


class ArrayCirculant(AbstractSymmetricMap):
    """`Circulant` with its eigenvalues in an array, so that they may depend on a traced temperature.

    The array is taken as it is: it must be real, nowhere zero and even under k -> -k. Raises `UsageError`
    when it has another shape than the lattice.

    >>> x, log_det = ArrayCirculant(Lattice((4,)), jnp.array([2.0, 1.0, 0.5, 1.0])).forward(jnp.ones(4))
    >>> x.round(5).tolist(), float(log_det)
    ([2.0, 2.0, 2.0, 2.0], 0.0)
    """

    lattice: Lattice = eqx.field(static=True)
    spectrum: Float[Array, "*lattice"]

    def __init__(self, lattice: Lattice, spectrum: Float[Array, "*lattice"]):
        if spectrum.shape != lattice.shape:
            raise UsageError(f"The spectrum has shape {spectrum.shape}, but the lattice is {lattice}.")
        self.lattice, self.spectrum = lattice, spectrum

    @property
    def values(self) -> Float[Array, "*lattice"]:
        """The eigenvalues C(k), [*lattice]."""
        return self.spectrum

    def _apply(self, x: Array, spectrum: Array) -> Array:
        return dense_circulant.apply(x, spectrum)

    def _log_det(self, x: Array) -> Float[Array, "..."]:
        batch = x.shape[self.lattice.ndim :]
        return jnp.broadcast_to(jnp.sum(jnp.log(jnp.abs(self.spectrum))).astype(x.dtype), batch)


class DenseSymmetric(AbstractSymmetricMap):
    """x = C z for any symmetric C that has the eigenvectors of `matrix` and the eigenvalues `spectrum` [N].

    Raises `UsageError` when there is not one finite eigenvalue other than 0 for every site.

    >>> from deeprg.hamiltonians import DenseMatrix
    >>> matrix = DenseMatrix(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> x, log_det = DenseSymmetric(Lattice((2,)), matrix, spectrum=[1.0, 3.0]).forward(jnp.array([1.0, 0.0]))
    >>> x.round(6).tolist(), round(float(log_det), 4)
    ([2.0, 1.0], 1.0986)
    """

    lattice: Lattice = eqx.field(static=True)
    matrix: DenseMatrix = eqx.field(static=True)
    spectrum: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, lattice: Lattice, matrix: DenseMatrix, *, spectrum: Sequence[float] | np.ndarray):
        values = np.asarray(spectrum, np.float64)
        if values.shape != (lattice.size,) or not np.all(np.isfinite(values)) or np.any(values == 0):
            raise UsageError(
                f"A symmetric map on {lattice} needs {lattice.size} finite eigenvalues other than 0."
            )
        self.lattice, self.matrix, self.spectrum = lattice, matrix, tuple(values.tolist())

    @property
    def values(self) -> np.ndarray:
        """The eigenvalues, in the order of the eigenvectors."""
        return np.array(self.spectrum)

    def _apply(self, x: Array, spectrum: np.ndarray) -> Array:
        return self.matrix.apply(x, spectrum)

    def _log_det(self, x: Array) -> Float[Array, "..."]:
        return jnp.full(x.shape[self.lattice.ndim :], np.log(np.abs(self.values)).sum(), x.dtype)


def whitening(dual: AbstractDual, power: float = 0.5) -> Circulant | DenseSymmetric:
    """x = K^power w for the continuous dual of spins.

    With power 1/2, w given the spins is K^{1/2} s plus *white* noise of unit variance: nothing but the
    spins correlates its sites. With power 1, w is the local variable y = K^-1 x. For a dual in its
    variable y the map is y = K^-power w.

    >>> from deeprg.hamiltonians import ContinuousDual, Ising
    >>> dual = ContinuousDual(Ising(Lattice((2,)), temperature=2.0), shift=1.0)
    >>> whitening(dual, power=1.0).spectrum
    (3.0, 1.0)
    """
    spectrum = (dual.spectrum if dual.variable == "x" else 1 / dual.spectrum) ** power
    matrix = dual.couplings
    if isinstance(matrix, DenseMatrix):
        return DenseSymmetric(dual.lattice, matrix, spectrum=spectrum)
    return Circulant(dual.lattice, spectrum=spectrum)
