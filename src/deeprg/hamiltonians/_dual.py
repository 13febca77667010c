"""The continuous dual of an Ising model: a real field that carries the spins exactly."""

import math
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int8, PRNGKeyArray

from ..lattice import Lattice
from . import circulant
from ._abstract_dual import AbstractDual, checked_variable
from ._base import positive
from ._coupling_matrix import CouplingMatrix, DenseMatrix
from ._ising import Ising
from ._moments import structure_factor_min
from ._random_bond import RandomBondIsing

__all__ = ["ContinuousDual"]


class ContinuousDual(AbstractDual):
    """The continuous dual of an Ising model, pi(x) = exp(-x^T K^-1 x / 2) prod_i cosh(x_i + h).

    K = J + c 1 with c = shift - lambda_min(J), so that the smallest eigenvalue of K is `shift`. With s drawn
    from the spins' law and x | s ~ Normal(K s, K), x has the law pi/Z (Hubbard-Stratonovich); the other way
    round the spins given x are independent, p(s_i = +1 | x) = 1/(1 + exp(-2(x_i + h))). Their ln Z differ by
    an exact constant, `log_partition_constant`. See arXiv:1802.02840.

    variable "x": E(x) = x^T K^-1 x / 2 - sum_i ln cosh(x_i + h), one FFT;
    variable "y": y = K^-1 x, E(y) = y^T K y / 2 - sum_i ln cosh((K y)_i + h), local. The Jacobian det K is
    not in the energy but in the constant: ln Z_y = ln Z_x - ln det K.

    All methods take and return configurations in the model's own variable, except `to_local` (x to y) and
    `from_local` (y to x). Raises `UsageError` for a shift that is not positive and for another variable.

    >>> import jax.numpy as jnp
    >>> dual = ContinuousDual(Ising(Lattice((4, 4)), temperature=2.0), shift=0.1)
    >>> round(dual.offset, 12), round(float(dual.energy(jnp.ones((4, 4)))), 6)
    (2.1, -4.989274)
    """

    ising: Ising | RandomBondIsing
    shift: float = eqx.field(static=True)
    variable: Literal["x", "y"] = eqx.field(static=True)
    dense: DenseMatrix | None = eqx.field(static=True)

    def __init__(self, ising: Ising | RandomBondIsing, shift: float | int = 0.1, variable: str = "x"):
        self.ising, self.shift = ising, positive("shift", shift)
        self.variable = checked_variable(variable)
        self.dense = ising.coupling_matrix if isinstance(ising, RandomBondIsing) else None

    @property
    def spins(self) -> Ising | RandomBondIsing:
        """The spins that the field carries, `ising`."""
        return self.ising

    @property
    def lattice(self) -> Lattice:
        """The lattice of the spins."""
        return self.ising.lattice

    @property
    def couplings(self) -> CouplingMatrix:
        """J, diagonalised."""
        return self.ising.coupling_matrix if self.dense is None else self.dense

    @property
    def log_partition_constant(self) -> float:
        """The constant in ln Z_dual = ln Z_Ising + constant.

        [N ln(2 pi) + ln det K + N c]/2 - N ln 2 for the variable x, less ln det K for y.

        >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE
        >>> dual = ContinuousDual(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE), shift=0.1)
        >>> round(dual.log_partition_constant + 15.521915458755, 6)
        37.376732
        """
        size, log_det = self.lattice.size, self.log_det_coupling
        constant = 0.5 * (size * math.log(2 * math.pi) + log_det + size * self.offset) - size * math.log(2)
        return constant if self.variable == "x" else constant - log_det

    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The dimensionless energy of a field in the model's own variable."""
        quadratic, field = self._quadratic(x)
        return quadratic - jnp.sum(_log_cosh(field + self.ising.field))

    def spins_given_field(
        self, x: Float[Array, "*lattice"], *, key: PRNGKeyArray
    ) -> Float[Array, "*lattice"]:
        """Spins ±1 given a field, independent over sites with p(s_i = +1) = 1/(1 + exp(-2(x_i + h)))."""
        chance = jax.nn.sigmoid(2 * self._local_field(x))
        up = jax.random.uniform(key, x.shape, x.dtype) < chance
        return jnp.where(up, 1.0, -1.0).astype(x.dtype)

    @eqx.filter_jit
    def spins_given_fields(
        self, x: Float[Array, "n *lattice"], *, key: PRNGKeyArray
    ) -> Int8[Array, "n *lattice"]:
        """`spins_given_field` of n fields, as the small integers that ensembles keep."""
        keys = jax.random.split(key, x.shape[0])
        return jax.vmap(lambda x, k: self.spins_given_field(x, key=k))(x, keys).astype(jnp.int8)

    def spin_moments(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Spin observables given a field, averaged exactly over the spins (Rao-Blackwell).

        The spins given x are independent with means m_i = tanh(x_i + h), so ⟨s_i s_j⟩ = m_i m_j for i != j:

        - `magnetization` = ⟨m⟩ and `magnetization_squared` = ⟨m^2⟩ of the mean spin m,
        - `abs_magnetization` = ⟨|m|⟩ from the exact (Poisson-binomial) law of the number of up spins,
        - `energy_per_site`, the bond energy in units of the coupling, without the field term,
        - `correlation` G(r) = average over i of ⟨s_i s_{i+r}⟩, [*lattice], G(0) = 1.

        Averages over exact samples of x are the spins' exact moments.

        >>> import jax.numpy as jnp
        >>> dual = ContinuousDual(Ising(Lattice((4, 4)), temperature=2.0))
        >>> moments = dual.spin_moments(jnp.full((4, 4), 0.5))
        >>> round(float(moments["magnetization_squared"]), 6)
        0.262705
        >>> round(float(moments["abs_magnetization"]), 6)
        0.466127
        """
        means = jnp.tanh(self._local_field(x))
        origin = (0,) * self.lattice.ndim
        correlation = circulant.autocorrelation(means).at[origin].set(1.0)
        return {
            "magnetization": jnp.mean(means),
            "abs_magnetization": _mean_absolute_sum(means.reshape(-1)) / self.lattice.size,
            "magnetization_squared": jnp.mean(correlation),
            "energy_per_site": self._bond_energy(means),
            "correlation": correlation,
        }

    def scalars(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The spins' scalars given the field, see `spin_moments`, and the field's own `action_per_site`."""
        moments = self.spin_moments(x)
        del moments["correlation"]
        means = jnp.tanh(self._local_field(x))
        return {
            **moments,
            "structure_factor_min": structure_factor_min(means) + 1 - jnp.mean(means**2),
            "action_per_site": self.energy(x) / self.lattice.size,
        }

    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The spins' observables, see `spin_moments`."""
        return self.spin_moments(x)

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        formula = (
            "E(x) = x.K^-1.x/2 - sum ln cosh(x + h)"
            if self.variable == "x"
            else "E(y) = y.K.y/2 - sum ln cosh(K y + h), y = K^-1 x"
        )
        return (
            f"Continuous dual: {formula}, weight exp(-E), K = J + c, c = {self.offset:.10g} "
            f"(shift {self.shift:g}), of {self.ising.describe()}"
        )

    def _local_field(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        return self._field(x) + self.ising.field

    def _bond_energy(self, means: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The mean energy per site of independent spins, in units of the coupling."""
        return self.ising.energy_given_means(means) / self.lattice.size


@jax.custom_jvp
def _log_cosh(x: Array) -> Array:
    magnitude = jnp.abs(x)
    return magnitude + jnp.log1p(jnp.exp(-2 * magnitude)) - math.log(2)


@_log_cosh.defjvp
def _log_cosh_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _log_cosh(x), jnp.tanh(x) * dx


def _mean_absolute_sum(means: Float[Array, " n"]) -> Float[Array, ""]:
    """E|sum_i s_i| of independent spins from the law of the number of up spins, a tree of products."""
    n = means.shape[0]
    degree, leaves = 1, 1 << (n - 1).bit_length()
    up = jnp.zeros(leaves, means.dtype).at[:n].set(0.5 * (1 + means))  # padding is never up
    law = jnp.stack([1 - up, up], axis=-1)
    while law.shape[0] > 1:
        pairs = jnp.fft.rfft(law, n=4 * degree, axis=-1)
        law = jnp.fft.irfft(pairs[0::2] * pairs[1::2], n=4 * degree, axis=-1)[:, : 2 * degree + 1]
        degree *= 2
    ups = np.arange(n + 1)
    return jnp.sum(law[0, : n + 1] * jnp.asarray(np.abs(2 * ups - n), means.dtype))
