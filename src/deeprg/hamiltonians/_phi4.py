"""The real scalar field with a quartic self-coupling."""

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._gaussian import field_moments, field_scalars, kinetic_sum

__all__ = ["CanonicalPhi4", "HoppingPhi4", "Phi4"]


class CanonicalPhi4(NamedTuple):
    """S = sum [sum_mu (d_mu Phi)^2 / 2 + mass_squared Phi^2 / 2 + quartic Phi^4 / divisor].

    Phi = scale * phi.

    >>> CanonicalPhi4(mass_squared=-1.0, quartic=0.25, scale=2**0.5).quartic
    0.25
    """

    mass_squared: float
    quartic: float
    scale: float


class HoppingPhi4(NamedTuple):
    """S' = sum [-2 kappa sum_mu Phi_i Phi_{i+mu} + Phi^2 + quartic (Phi^2 - 1)^2], Phi = scale * phi.

    S' = S + constant on every field.

    >>> HoppingPhi4(kappa=0.25, quartic=0.5, scale=2.0, constant=8.0).kappa
    0.25
    """

    kappa: float
    quartic: float
    scale: float
    constant: float


class Phi4(AbstractHamiltonian):
    """The phi^4 action S = sum_i [sum_mu (phi_{i+mu} - phi_i)^2 + m2 phi_i^2 + lambda phi_i^4].

    No factor 1/2 on the kinetic term: the convention of arXiv:2207.00283. Other conventions and the
    field that is then rescaled: `from_canonical` and `to_canonical` (1/2 on the kinetic and mass terms),
    `from_hopping` and `to_hopping` (kappa).

    Raises `UsageError` for numbers that are not finite and when exp(-S) cannot be normalised: lambda < 0, or
    lambda = 0 with m2 <= 0.

    >>> import jax.numpy as jnp
    >>> float(Phi4(Lattice((2, 2)), mass_squared=-4.0, quartic=5.0).energy(jnp.full((2, 2), 2.0)))
    256.0
    """

    lattice: Lattice = eqx.field(static=True)
    mass_squared: float = eqx.field(static=True)
    quartic: float = eqx.field(static=True)

    def __init__(self, lattice: Lattice, mass_squared: float | int, quartic: float | int):
        self.lattice = lattice
        self.mass_squared = finite("mass_squared", mass_squared)
        self.quartic = finite("quartic coupling", quartic)
        if self.quartic < 0 or (self.quartic == 0 and self.mass_squared <= 0):
            raise UsageError(
                f"exp(-S) cannot be normalised with mass_squared {self.mass_squared:g} and quartic "
                f"{self.quartic:g}: the quartic must be positive, or zero with a positive mass_squared."
            )

    @classmethod
    def from_canonical(
        cls, lattice: Lattice, mass_squared: float | int, quartic: float | int, divisor: float | int = 1
    ) -> "Phi4":
        """From S = sum [sum_mu (d_mu Phi)^2 / 2 + mass_squared Phi^2 / 2 + quartic Phi^4 / divisor].

        The field becomes phi = Phi / sqrt 2. With divisor 4 the convention of Loinaz and Willey
        (hep-lat/9712008) and of Schaich and Loinaz (arXiv:0902.0045), in which mass_squared and quartic stay
        as they are; with divisor 24 the lambda/4! of perturbation theory.

        >>> Phi4.from_canonical(Lattice((4, 4)), mass_squared=-1.0, quartic=0.25).quartic
        1.0
        >>> Phi4.from_canonical(Lattice((4, 4)), mass_squared=-1.0, quartic=6.0, divisor=24).quartic
        1.0
        """
        return cls(lattice, mass_squared, 4 * quartic / positive("divisor", divisor))

    def to_canonical(self, divisor: float | int = 1) -> CanonicalPhi4:
        """This action in the convention of `from_canonical`, and Phi = sqrt 2 phi.

        >>> Phi4(Lattice((4, 4)), mass_squared=-4.0, quartic=5.0).to_canonical(divisor=4).quartic
        5.0
        """
        quartic = self.quartic * positive("divisor", divisor) / 4
        return CanonicalPhi4(self.mass_squared, quartic, math.sqrt(2))

    @classmethod
    def from_hopping(cls, lattice: Lattice, kappa: float | int, quartic: float | int) -> "Phi4":
        """From S = sum [-2 kappa sum_mu Phi_i Phi_{i+mu} + Phi^2 + quartic (Phi^2 - 1)^2].

        The hopping parameter of M. Luescher and P. Weisz, Nucl. Phys. B 290, 25 (1987). The field becomes
        phi = sqrt(kappa) Phi. The constant quartic * N is dropped; kappa is positive.

        >>> model = Phi4.from_hopping(Lattice((4, 4)), kappa=0.25, quartic=0.5)
        >>> model.mass_squared, model.quartic
        (-4.0, 8.0)
        """
        kappa = positive("hopping parameter kappa", kappa)
        return cls(lattice, (1 - 2 * quartic) / kappa - 2 * lattice.ndim, quartic / kappa**2)

    def to_hopping(self) -> HoppingPhi4:
        """This action in the convention of `from_hopping`, and Phi = phi / sqrt(kappa).

        kappa is the positive root of 2 lambda kappa^2 + (m2 + 2 ndim) kappa = 1; S' = S + constant.

        >>> hopping = Phi4(Lattice((4, 4)), mass_squared=-4.0, quartic=8.0).to_hopping()
        >>> hopping.kappa, hopping.quartic, hopping.constant
        (0.25, 0.5, 8.0)
        """
        linear = self.mass_squared + 2 * self.lattice.ndim
        root = math.sqrt(linear**2 + 8 * self.quartic)
        kappa = 2 / (linear + root) if linear > 0 else (root - linear) / (4 * self.quartic)
        quartic = self.quartic * kappa**2
        return HoppingPhi4(kappa, quartic, 1 / math.sqrt(kappa), quartic * self.lattice.size)

    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The action of a field."""
        check_field(self.lattice, x)
        squared = x**2
        return kinetic_sum(x) + jnp.sum(squared * (self.mass_squared + self.quartic * squared))

    def scalars(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """Moments of the mean field, the mean of phi^2, the action per site, the smallest momenta."""
        return field_scalars(x, self.energy(x))

    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Moments of the mean field, ⟨phi^2⟩, the action per site and the correlator of one field."""
        return field_moments(x, self.energy(x))

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        return (
            f"phi^4 on {self.lattice}: S = sum [sum_mu (d_mu phi)^2 + m2 phi^2 + lambda phi^4] (no 1/2), "
            f"weight exp(-S), m2 = {self.mass_squared:.10g}, lambda = {self.quartic:.10g}"
        )
