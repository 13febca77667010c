"""One Hamiltonian over an interval of one of its parameters: temperature, quartic coupling, mass."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..lattice import Lattice
from ..runs.errors import UsageError, nearest
from . import dense_circulant
from ._base import AbstractHamiltonian, check_field, finite
from ._dual import ContinuousDual, _log_cosh, _mean_absolute_sum
from ._gaussian import GaussianField, kinetic_sum
from ._ising import Ising
from ._phi4 import Phi4
from ._spin_sums import bond_energy_given_means, magnetization_given_means

__all__ = ["HamiltonianFamily"]

_PARAMETERS: dict[type[AbstractHamiltonian], tuple[str, ...]] = {
    ContinuousDual: ("temperature",),
    Phi4: ("quartic", "mass_squared"),
    GaussianField: ("mass_squared",),
}

Value = Float[Array, ""] | float


class HamiltonianFamily(eqx.Module):
    """The Hamiltonians H(x; v) with v in [low, high], all else as in `model`.

    `at(v)` is the member itself, an ordinary Hamiltonian with what is exactly known about it; `energy(x, v)`
    is its energy for a v that may be traced, so that one compiled program serves the interval. Parameters:
    the temperature of a continuous dual; `quartic` or `mass_squared` of φ⁴; `mass_squared` of a free field.
    For the dual K_v = J/v + c(v) moves with the temperature v, and H(x; v) = ½ x·K_v⁻¹x - Σ ln cosh(x + h).

    Raises `UsageError` for a parameter that the model does not have, an empty interval and ends that the
    model does not allow, such as a temperature that is not positive.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> family = HamiltonianFamily(build_hamiltonian("ising", Lattice((4, 4))), "temperature", 1.8, 3.0)
    >>> x = jnp.ones((4, 4))
    >>> round(float(family.energy(x, 2.5)), 4), round(float(family.at(2.5).energy(x)), 4)
    (-4.5163, -4.5163)
    """

    model: AbstractHamiltonian
    parameter: str = eqx.field(static=True)
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, model: AbstractHamiltonian, parameter: str, low: float | int, high: float | int):
        self.model, self.parameter = model, parameter
        known = _PARAMETERS.get(type(model), ())
        if parameter not in known:
            choice = f"Known: {', '.join(known)}." if known else "It has none."
            raise UsageError(
                f"The parameter '{parameter}' of {type(model).__name__} cannot be an interval."
                f"{nearest(parameter, known)} {choice}"
            )
        if isinstance(model, ContinuousDual) and not isinstance(model.ising, Ising):
            raise UsageError("Random bonds have no interval of temperatures; give one temperature.")
        self.low, self.high = finite(f"lower {parameter}", low), finite(f"upper {parameter}", high)
        if not self.low < self.high:
            raise UsageError(
                f"The interval {self.low:g}:{self.high:g} of {parameter} is empty. "
                "Give LOW:HIGH with LOW < HIGH."
            )
        for end in (self.low, self.high):
            self.at(end)  # refuses what the model forbids

    @property
    def lattice(self) -> Lattice:
        """The lattice of all members."""
        return self.model.lattice

    @property
    def describe_interval(self) -> str:
        """The interval in words.

        >>> from deeprg.hamiltonians import GaussianField
        >>> HamiltonianFamily(GaussianField(Lattice((4,)), 1.0), "mass_squared", 0.5, 2.0).describe_interval
        'mass_squared in [0.5, 2]'
        """
        return f"{self.parameter} in [{self.low:g}, {self.high:g}]"

    def at(self, value: float | int) -> AbstractHamiltonian:
        """The member with this value, inside the interval or not; `UsageError` where the model forbids it."""
        model = self.model
        match model:
            case ContinuousDual(ising=Ising() as ising):
                return ContinuousDual(_heated(ising, value), shift=model.shift, variable=model.variable)
            case Phi4():
                changed = {"mass_squared": model.mass_squared, "quartic": model.quartic}
                return Phi4(model.lattice, **(changed | {self.parameter: value}))
            case _:
                return GaussianField(model.lattice, mass_squared=value)

    def widened(self, margin: float = 0.05) -> "HamiltonianFamily":
        """The family over an interval that is longer by `margin` of its length at both ends.

        An end beyond which the model does not exist stays.

        >>> from deeprg.hamiltonians import GaussianField
        >>> HamiltonianFamily(GaussianField(Lattice((4,)), 1.0), "mass_squared", 0.5, 1.5).widened().high
        1.55
        """
        reach = margin * (self.high - self.low)
        ends = [self.low - reach, self.high + reach]
        for place, end in enumerate((self.low, self.high)):
            try:
                self.at(ends[place])
            except UsageError:
                ends[place] = end
        return HamiltonianFamily(self.model, self.parameter, *ends)

    def scaled(self, value: Value) -> Float[Array, ""]:
        """τ in [-1, 1] for a value in the interval: τ = (2 v - low - high)/(high - low)."""
        return jnp.asarray((2 * value - (self.low + self.high)) / (self.high - self.low))

    def extrapolates(self, value: float) -> bool:
        """Whether a value lies outside the interval, beyond rounding.

        >>> from deeprg.hamiltonians import GaussianField
        >>> HamiltonianFamily(GaussianField(Lattice((4,)), 1.0), "mass_squared", 0.5, 2.0).extrapolates(2.1)
        True
        """
        slack = 1e-6 * (self.high - self.low)
        return not self.low - slack <= value <= self.high + slack

    def spectrum(self, value: Value) -> Float[Array, "*lattice"]:
        """The eigenvalues of K_v of the continuous dual, as `ContinuousDual.spectrum`, of a traced v.

        Raises `UsageError` for a model that has no K.
        """
        if not isinstance(self.model, ContinuousDual) or not isinstance(self.model.ising, Ising):
            raise UsageError(f"A {type(self.model).__name__} has no coupling matrix K.")
        ising = self.model.ising
        bare = ising.coupling_spectrum * ising.temperature
        value = jnp.asarray(value)
        return jnp.asarray(bare - bare.min(), value.dtype) / value + self.model.shift

    def energy(self, x: Float[Array, "*lattice"], value: Value) -> Float[Array, ""]:
        """H(x; v), differentiable in both."""
        check_field(self.lattice, x)
        model, value = self.model, jnp.asarray(value, x.dtype)
        match model:
            case ContinuousDual():
                field, spectrum = self.local_field(x, value) + model.ising.field, self.spectrum(value)
                weights = spectrum if model.variable == "y" else 1 / spectrum
                quadratic = dense_circulant.quadratic_form(x, weights)
                return 0.5 * quadratic - jnp.sum(_log_cosh(field))
            case Phi4():
                mass = value if self.parameter == "mass_squared" else model.mass_squared
                quartic = value if self.parameter == "quartic" else model.quartic
                return kinetic_sum(x) + jnp.sum(x**2 * (mass + quartic * x**2))
            case _:
                return 0.5 * (kinetic_sum(x) + value * jnp.sum(x**2))

    def local_field(self, x: Float[Array, "*lattice"], value: Value) -> Float[Array, "*lattice"]:
        """x of the continuous dual (K_v y in its variable y), to which h adds."""
        dual: Any = self.model
        return x if dual.variable == "x" else dense_circulant.apply(x, self.spectrum(value))

    def observables(self, x: Float[Array, "*lattice"], value: Value) -> dict[str, Float[Array, ""]]:
        """What curves over the interval need, from one field:

        - `conjugate` o, what the parameter multiplies: the energy per site of the spins in units of the
          coupling, the mean of φ⁴ (quartic) or of φ² (mass_squared);
        - `conjugate_variance`: Var(o | x), not zero where spins are averaged over, given the field;
        - `abs_magnetization`, `magnetization_squared`, `magnetization_fourth` of spins (averaged exactly,
          given the field) or field.
        """
        model, size = self.model, self.lattice.size
        if isinstance(model, ContinuousDual) and isinstance(model.ising, Ising):
            means = jnp.tanh(self.local_field(x, value) + model.ising.field)
            bare = tuple((step, bond * model.ising.temperature) for step, bond in model.ising.kernel)
            energy, variance = bond_energy_given_means(bare, means)
            square, fourth = magnetization_given_means(means)
            return {
                "conjugate": energy / size,
                "conjugate_variance": variance / size**2,
                "abs_magnetization": _mean_absolute_sum(means.reshape(-1)) / size,
                "magnetization_squared": square,
                "magnetization_fourth": fourth,
            }
        power = 4 if self.parameter == "quartic" else 2
        mean = jnp.mean(x)
        return {
            "conjugate": jnp.mean(x**power),
            "conjugate_variance": jnp.zeros((), x.dtype),
            "abs_magnetization": jnp.abs(mean),
            "magnetization_squared": mean**2,
            "magnetization_fourth": mean**4,
        }

    def fluctuation_scale(self, value: float) -> float:
        """The factor of the specific heat, c = factor (⟨o²⟩ - ⟨o⟩²): N/T² for spins, N for a field."""
        size = self.lattice.size
        return size / value**2 if self.parameter == "temperature" else float(size)


def _heated(ising: Ising, temperature: float | int) -> Ising:
    if ising.coupling is not None:
        return Ising(ising.lattice, temperature, ising.coupling, ising.field)
    finite("temperature", temperature)
    if not temperature > 0:
        return Ising(ising.lattice, temperature)  # refuses it in its own words
    factor = ising.temperature / temperature
    steps = tuple((step, value * factor) for step, value in ising.steps)
    return Ising(ising.lattice, temperature, None, ising.field, steps=steps, geometry=ising.geometry)
