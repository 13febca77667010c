"""The real scalar field with a quartic self-coupling."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._gaussian import field_moments, kinetic_sum

__all__ = ["Phi4"]


class Phi4(AbstractHamiltonian):
    """The phi^4 action S = sum_i [sum_mu (phi_{i+mu} - phi_i)^2 + m2 phi_i^2 + lambda phi_i^4].

    No factor 1/2 on the kinetic term: the convention of arXiv:2207.00283. Other conventions and the
    field that is then rescaled: `from_canonical` (1/2 on the kinetic and mass terms), `from_hopping` (kappa).

    Raises `UsageError` for numbers that are not finite and when exp(-S) cannot be normalised: lambda < 0, or
    lambda = 0 with m2 <= 0.

    >>> import jax.numpy as jnp
    >>> float(Phi4(Lattice((2, 2)), mass_squared=-4.0, quartic=5.0).energy(jnp.full((2, 2), 2.0)))
    256.0
    """

    lattice: Lattice = eqx.field(static=True)
    mass_squared: float = eqx.field(static=True)
    quartic: float = eqx.field(static=True)

    def __init__(self, lattice: Lattice, mass_squared: float, quartic: float):
        self.lattice = lattice
        self.mass_squared = finite("mass_squared", mass_squared)
        self.quartic = finite("quartic coupling", quartic)
        if self.quartic < 0 or (self.quartic == 0 and self.mass_squared <= 0):
            raise UsageError(
                f"exp(-S) cannot be normalised with mass_squared {self.mass_squared:g} and quartic "
                f"{self.quartic:g}: the quartic must be positive, or zero with a positive mass_squared."
            )

    @classmethod
    def from_canonical(cls, lattice: Lattice, mass_squared: float, quartic: float) -> "Phi4":
        """From S = sum [sum_mu (d_mu Phi)^2 / 2 + mass_squared Phi^2 / 2 + quartic Phi^4].

        The field becomes phi = Phi / sqrt 2. For lambda Phi^4 / 4 pass quartic = lambda / 4, and lambda / 24
        for lambda Phi^4 / 4!.

        >>> Phi4.from_canonical(Lattice((4, 4)), mass_squared=-1.0, quartic=0.25).quartic
        1.0
        """
        return cls(lattice, mass_squared, 4 * quartic)

    @classmethod
    def from_hopping(cls, lattice: Lattice, kappa: float, quartic: float) -> "Phi4":
        """From S = sum [-2 kappa sum_mu Phi_i Phi_{i+mu} + Phi^2 + quartic (Phi^2 - 1)^2].

        The field becomes phi = sqrt(kappa) Phi. The constant quartic * N is dropped; kappa is positive.

        >>> model = Phi4.from_hopping(Lattice((4, 4)), kappa=0.25, quartic=0.5)
        >>> model.mass_squared, model.quartic
        (-4.0, 8.0)
        """
        kappa = positive("hopping parameter kappa", kappa)
        return cls(lattice, (1 - 2 * quartic) / kappa - 2 * lattice.ndim, quartic / kappa**2)

    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The action of a field."""
        check_field(self.lattice, x)
        squared = x**2
        return kinetic_sum(x) + jnp.sum(squared * (self.mass_squared + self.quartic * squared))

    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Moments of the mean field, ⟨phi^2⟩, the action per site and the correlator of one field."""
        return field_moments(x, self.energy(x))

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        return (
            f"phi^4 on {self.lattice}: S = sum [sum_mu (d_mu phi)^2 + m2 phi^2 + lambda phi^4] (no 1/2), "
            f"weight exp(-S), m2 = {self.mass_squared:.10g}, lambda = {self.quartic:.10g}"
        )
