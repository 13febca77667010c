"""The continuous dual of planar spins: a real vector field that carries the angles exactly."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError
from . import circulant
from ._abstract_dual import AbstractDual, checked_variable
from ._base import positive
from ._coupling_matrix import CirculantMatrix
from ._ising import Ising
from ._moments import structure_factor_min
from ._xy import XY, cos_sin

__all__ = ["XYDual"]


class XYDual(AbstractDual):
    """The continuous dual of planar spins, pi(x) = exp(-x.K^-1 x/2) prod_i I_0(|x_i|), x_i in R^2.

    The two components are the last axis of the field's lattice, [*lattice, 2]; K acts on each. With the unit
    vectors s_i = (cos theta_i, sin theta_i), exp(s.J s/2) = exp(-c N/2) det(2 pi K)^(-1/2)
    ∫ dx exp(-x.K^-1 x/2 + s.x), and ∫ dtheta exp(s.x) = 2 pi I_0(|x|): the construction of arXiv:1802.02840
    for O(2). Given x the angles are independent, von Mises around the direction of x_i with concentration
    |x_i|; given the angles x ~ Normal(K s, K).

    Raises `UsageError` for a shift that is not positive, three axes, and another variable than "x" and
    "y" = K^-1 x.

    >>> import jax.numpy as jnp
    >>> dual = XYDual(XY(Lattice((4, 4)), temperature=1.0), shift=0.1)
    >>> dual.lattice.shape, round(float(dual.energy(jnp.ones((4, 4, 2)))), 5)
    ((4, 4, 2), -5.20193)
    """

    xy: XY = eqx.field(static=True)
    shift: float = eqx.field(static=True)
    variable: Literal["x", "y"] = eqx.field(static=True)

    def __init__(self, xy: XY, shift: float | int = 0.1, variable: str = "x"):
        self.xy, self.shift = xy, positive("shift", shift)
        self.variable = checked_variable(variable)
        if xy.lattice.ndim > 2:
            raise UsageError(
                "The dual of planar spins takes one or two axes, for its components are one more; "
                f"{xy.lattice} has three."
            )

    @property
    def spins(self) -> XY:
        """The planar spins that the field carries, `xy`."""
        return self.xy

    @property
    def lattice(self) -> Lattice:
        """The lattice of the field: that of the spins and the axis of the two components."""
        return Lattice((*self.xy.lattice.shape, 2))

    @property
    def couplings(self) -> CirculantMatrix:
        """J, the same on both components."""
        bare = self._bonds.coupling_spectrum[..., None]
        return CirculantMatrix(np.broadcast_to(bare, self.lattice.shape))

    @property
    def log_partition_constant(self) -> float:
        """The constant in ln Z_dual = ln Z_XY + constant, c N/2 + ln det K/2 (less ln det K for y).

        K acts on both components, so ln det K counts both; Z_XY = ∫ prod dtheta_i exp(-H).

        >>> round(XYDual(XY(Lattice((2,)), temperature=1.0), shift=1.0).log_partition_constant, 6)
        4.609438
        """
        log_det = self.log_det_coupling
        constant = 0.5 * (self.xy.lattice.size * self.offset + log_det)
        return constant if self.variable == "x" else constant - log_det

    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The dimensionless energy of a field in the model's own variable."""
        quadratic, field = self._quadratic(x)
        return quadratic - jnp.sum(_log_bessel(jnp.sum(field**2, axis=-1)))

    def spins_given_fields(self, x: Float[Array, "n *lattice"], *, key: PRNGKeyArray) -> np.ndarray:
        """Angles in [-pi, pi) given n fields: independent von Mises, by NumPy with a seed from the key.

        >>> dual = XYDual(XY(Lattice((4,)), temperature=1.0))
        >>> dual.spins_given_fields(1e4 * jnp.ones((1, 4, 2)), key=jax.random.key(0)).round(1).tolist()
        [[0.8, 0.8, 0.8, 0.8]]
        """
        fields = np.asarray(jax.vmap(self._field)(x), np.float64)
        first, second = fields[..., 0], fields[..., 1]
        seed = np.asarray(jax.random.key_data(key)).tolist()
        angles = np.random.default_rng(seed).vonmises(np.arctan2(second, first), np.hypot(first, second))
        return angles.astype(x.dtype)

    def spin_moments(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Observables of the spins given a field, averaged exactly over the angles.

        The spins are independent with mean vectors m_i = x_i I_1(|x_i|)/(|x_i| I_0(|x_i|)), so
        ⟨s_i.s_j⟩ = m_i.m_j for i != j: `magnetization_squared` = ⟨|M|^2⟩ of the mean spin M,
        `energy_per_site` in units of the coupling, `correlation` G(r) [*lattice of the spins], G(0) = 1.

        >>> import jax.numpy as jnp
        >>> dual = XYDual(XY(Lattice((4, 4)), temperature=1.0))
        >>> round(float(dual.spin_moments(jnp.ones((4, 4, 2)))["energy_per_site"]), 5)
        -0.65941
        """
        means = self._means(x)
        parts = [circulant.autocorrelation(means[..., a]) for a in (0, 1)]
        correlation = (parts[0] + parts[1]).at[(0,) * self.xy.lattice.ndim].set(1.0)
        energy = jax.vmap(self._bonds.energy_given_means, in_axes=-1)(means).sum()
        loops = sum(extent == 1 for extent in self.xy.lattice.shape) * self.xy.coupling
        return {
            # A bond from a site to itself is a constant, which the two components counted twice.
            "energy_per_site": energy / self.xy.lattice.size + loops,
            "magnetization_squared": jnp.mean(correlation),
            "correlation": correlation,
        }

    def scalars(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The spins' scalars given the field, see `spin_moments`, and the field's own `action_per_site`."""
        moments, means = self.spin_moments(x), self._means(x)
        del moments["correlation"]
        spread = 1 - jnp.mean(jnp.sum(means**2, axis=-1))
        return {
            **moments,
            "structure_factor_min": structure_factor_min(means[..., 0], means[..., 1]) + spread,
            "action_per_site": self.energy(x) / self.xy.lattice.size,
        }

    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The spins' observables, see `spin_moments`."""
        return self.spin_moments(x)

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        formula = (
            "E(x) = x.K^-1.x/2 - sum ln I0(|x|)"
            if self.variable == "x"
            else "E(y) = y.K.y/2 - sum ln I0(|K y|), y = K^-1 x"
        )
        return (
            f"Continuous dual: {formula}, weight exp(-E), K = J + c, c = {self.offset:.10g} "
            f"(shift {self.shift:g}), of {self.xy.describe()}"
        )

    @property
    def _bonds(self) -> Ising:
        """One component of the spins: the couplings of the planar model."""
        return Ising(self.xy.lattice, self.xy.temperature, self.xy.coupling)

    def _coupled(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        return jax.vmap(self._bonds.apply_coupling, in_axes=-1, out_axes=-1)(x)

    def _vectors(self, s: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.stack(cos_sin(s), axis=-1)

    def _means(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        field = self._field(x)
        return field * (2 * _slope(jnp.sum(field**2, axis=-1)))[..., None]


@jax.custom_jvp
def _log_bessel(squared: Float[Array, "..."]) -> Float[Array, "..."]:
    """ln I_0(r) from r^2."""
    r = jnp.sqrt(squared)
    return jnp.log(jax.scipy.special.i0e(r)) + r


@_log_bessel.defjvp
def _log_bessel_jvp(primals, tangents):
    (squared,), (change,) = primals, tangents
    return _log_bessel(squared), _slope(squared) * change


def _slope(squared: Float[Array, "..."]) -> Float[Array, "..."]:
    """d ln I_0(r)/d(r^2) = I_1(r)/(2 r I_0(r)), 1/4 at the origin."""
    near = squared < 1e-4
    r = jnp.sqrt(jnp.where(near, 1.0, squared))
    far = jax.scipy.special.i1e(r) / (2 * r * jax.scipy.special.i0e(r))
    return jnp.where(near, 0.25 - squared / 32, far)
