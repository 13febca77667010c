"""What every Hamiltonian offers, and the checks that they share."""

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ..lattice import Lattice
from ..runs.errors import UsageError

__all__ = ["AbstractHamiltonian", "is_even"]


class AbstractHamiltonian(eqx.Module):
    """A dimensionless energy of lattice configurations: the weight is exp(-H(x)), temperature inside.

    Subclasses are final, hold their parameters as static Python floats (random bonds as an array), and define
    four methods on one configuration of shape [*lattice] (batch with `jax.vmap`):

    - `energy(x)`: H(x), differentiable where `x` is real;
    - `scalars(x)`: name -> number, the series of a Monte Carlo run; a name that `deeprg.exact.reference` also
      has is the same quantity. `energy_per_site` is in units of the coupling, without a field term; a real
      field has `action_per_site` = H/N. `structure_factor_min` is |sum_j v_j exp(i k j)|^2/N of the order
      parameter v, averaged over the smallest momentum k = 2 pi/L of every axis;
    - `observables(x)`: the scalars without `structure_factor_min`, and the correlator `correlation`;
    - `describe()`: the formula and its parameters in one line.
    """

    thermal_scalars: ClassVar[bool] = False  # whether a scalar, at a given x, depends on the temperature

    lattice: eqx.AbstractVar[Lattice]

    @abc.abstractmethod
    def energy(self, x: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The dimensionless energy H(x); raises `UsageError` when `x` does not have the lattice's shape."""

    @abc.abstractmethod
    def scalars(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """One number per name: the energy, the order parameter's moments and its smallest momenta."""

    @abc.abstractmethod
    def observables(self, x: Float[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """Unbiased estimates from one configuration, scalars and the correlator `correlation` [*lattice]."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""


def is_even(hamiltonian: AbstractHamiltonian) -> bool:
    """Whether H(-x) = H(x), tried on one random field.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> is_even(build_hamiltonian("ising", Lattice((4, 4)), field=0.1))
    False
    """
    with jax.ensure_compile_time_eval():  # also where a flow is built abstractly
        x = jax.random.normal(jax.random.key(0), hamiltonian.lattice.shape)
        energy, mirrored = float(hamiltonian.energy(x)), float(hamiltonian.energy(-x))
    return math.isclose(energy, mirrored, rel_tol=1e-4, abs_tol=1e-4)


def check_field(lattice: Lattice, x: Array) -> None:
    """Raise `UsageError` unless the array has the shape of the lattice."""
    if x.shape != lattice.shape:
        raise UsageError(
            f"The field has shape {x.shape}, but the lattice has shape {lattice.shape}. "
            "Methods take one configuration; use jax.vmap for a batch."
        )


def finite(name: str, value: float | int) -> float:
    """The value as a float, or `UsageError` when it is not a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UsageError(f"The {name} must be a number, not {value!r}.") from None
    if not math.isfinite(number):
        raise UsageError(f"The {name} must be finite, not {number}.")
    return number


def positive(name: str, value: float | int) -> float:
    """The value as a float, or `UsageError` when it is not a finite number above zero."""
    number = finite(name, value)
    if number <= 0:
        raise UsageError(f"The {name} must be positive, not {number}.")
    return number
