"""What the continuous duals of spins share: the coupling matrix K and the maps between their variables."""

import abc
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Real

from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field
from ._coupling_matrix import CouplingMatrix
from ._moments import as_float

__all__ = ["AbstractDual", "checked_variable"]


class AbstractDual(AbstractHamiltonian):
    """A real field x that carries spins s with the energy -1/2 s.J s exactly (Hubbard-Stratonovich).

    K = J + c 1 with c = shift - lambda_min(J), so that the smallest eigenvalue of K is `shift`. With s from
    the spins' law and x | s ~ Normal(K s, K), x has the density ∝ exp(-x.K^-1 x/2) Σ_s exp(s.x); the spins
    given x are independent. The variable "y" stands for y = K^-1 x.
    """

    shift: eqx.AbstractVar[float]
    variable: eqx.AbstractVar[Literal["x", "y"]]

    @property
    @abc.abstractmethod
    def spins(self) -> AbstractHamiltonian:
        """The spin model."""

    @property
    @abc.abstractmethod
    def couplings(self) -> CouplingMatrix:
        """J, diagonalised."""

    @property
    @abc.abstractmethod
    def log_partition_constant(self) -> float:
        """The constant in ln Z_dual = ln Z_spins + constant."""

    @property
    def spectrum(self) -> np.ndarray:
        """The eigenvalues of K in the order of those of J; the smallest is `shift`."""
        bare = self.couplings.spectrum
        return (bare - bare.min()) + self.shift

    @property
    def offset(self) -> float:
        """The diagonal c that is added to the couplings, shift - lambda_min(J)."""
        return self.shift - float(self.couplings.spectrum.min())

    @property
    def log_det_coupling(self) -> float:
        """ln det K.

        >>> from deeprg.hamiltonians import ContinuousDual, Ising
        >>> from deeprg.lattice import Lattice
        >>> round(ContinuousDual(Ising(Lattice((2,)), temperature=2.0), shift=1.0).log_det_coupling, 6)
        1.098612
        """
        return float(np.log(self.spectrum).sum())

    def to_local(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """y = K^-1 x."""
        check_field(self.lattice, x)
        return self.couplings.apply(x, 1 / self.spectrum)

    def from_local(self, y: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """x = K y, the inverse of `to_local`; ln |det dx/dy| is `log_det_coupling`.

        >>> import jax.numpy as jnp
        >>> from deeprg.hamiltonians import ContinuousDual, Ising
        >>> from deeprg.lattice import Lattice
        >>> dual = ContinuousDual(Ising(Lattice((4,)), temperature=1.0), shift=1.0)
        >>> dual.from_local(jnp.array([1.0, 0.0, 0.0, 0.0])).round(6).tolist()
        [3.0, 1.0, 0.0, 1.0]
        """
        check_field(self.lattice, y)
        return self._coupled(y) + self.offset * y

    def sample_given_spins(self, s: Real[Array, "..."], *, key: PRNGKeyArray) -> Float[Array, "*lattice"]:
        """A field given spins: x | s ~ Normal(K s, K), or y | s ~ Normal(s, K^-1); exact.

        >>> import jax, jax.numpy as jnp
        >>> from deeprg.hamiltonians import ContinuousDual, Ising
        >>> from deeprg.lattice import Lattice
        >>> dual = ContinuousDual(Ising(Lattice((4, 4)), temperature=2.0))
        >>> dual.sample_given_spins(jnp.ones((4, 4)), key=jax.random.key(0)).shape
        (4, 4)
        """
        spins = self._vectors(s)
        check_field(self.lattice, spins)
        noise = jax.random.normal(key, spins.shape, spins.dtype)
        if self.variable == "x":
            return self.from_local(spins) + self.couplings.apply(noise, np.sqrt(self.spectrum))
        return spins + self.couplings.apply(noise, 1 / np.sqrt(self.spectrum))

    @eqx.filter_jit
    def fields_given_spins(self, s: Real[Array, "n ..."], *, key: PRNGKeyArray) -> Float[Array, "n *lattice"]:
        """`sample_given_spins` of n configurations of spins."""
        keys = jax.random.split(key, s.shape[0])
        return jax.vmap(lambda s, k: self.sample_given_spins(s, key=k))(s, keys)

    @abc.abstractmethod
    def spins_given_fields(self, x: Float[Array, "n *lattice"], *, key: PRNGKeyArray) -> Any:
        """Spins, independent over sites, given n fields: an array [n, *lattice of the spins]."""

    def _vectors(self, s: Real[Array, "..."]) -> Float[Array, "..."]:
        """The spins as they enter s.J s."""
        return as_float(s)

    def _coupled(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """J x."""
        spins: Any = self.spins
        return spins.apply_coupling(x)

    def _field(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """The variable x, whichever the model's own is."""
        check_field(self.lattice, x)
        return x if self.variable == "x" else self.from_local(x)

    def _quadratic(self, x: Float[Array, "*lattice"]) -> tuple[Float[Array, ""], Float[Array, "*lattice"]]:
        """x.K^-1 x/2 and x, for a configuration of either variable."""
        field = self._field(x)
        if self.variable == "x":
            return 0.5 * self.couplings.form(x, 1 / self.spectrum), field
        return 0.5 * jnp.sum(x * field), field


def checked_variable(variable: str) -> Literal["x", "y"]:
    """The name of the variable, or `UsageError`."""
    if variable not in ("x", "y"):
        raise UsageError(f"The variable of the dual is 'x' or 'y' (y = K^-1 x), not '{variable}'.")
    return variable
