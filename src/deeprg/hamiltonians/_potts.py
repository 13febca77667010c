"""The q-state Potts model."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._bonds import Bonds, bonds_of_steps, nearest_steps
from ._moments import correlation, structure_factor_min, with_correlation

__all__ = ["Potts"]

_MOST_STATES = 127  # a state is stored as int8


class Potts(AbstractHamiltonian):
    """Potts spins s_i = 0, ..., q - 1 with H(s) = -K sum over nearest-neighbour bonds of delta(s_i, s_j).

    K = coupling / temperature; two states are Ising spins with half the coupling. The order parameter is a
    vector of unit length that points to a corner of a simplex, so with the fractions rho_a of the states

    m^2 = (q sum_a rho_a^2 - 1)/(q - 1), |m| = (q max_a rho_a - 1)/(q - 1).

    Bonds are counted as in `Ising`: an extent of 2 has double bonds, an extent of 1 a constant. Raises
    `UsageError` for fewer than 2 or more than 127 states and for a temperature that is not positive.

    >>> import jax.numpy as jnp
    >>> model = Potts(Lattice((4, 4)), temperature=0.5, states=3)
    >>> float(model.energy(jnp.zeros((4, 4), jnp.int8)))
    -64.0
    """

    lattice: Lattice = eqx.field(static=True)
    temperature: float = eqx.field(static=True)
    states: int = eqx.field(static=True)
    coupling: float = eqx.field(static=True)

    def __init__(
        self, lattice: Lattice, temperature: float | int, states: int = 3, coupling: float | int = 1.0
    ):
        if not 2 <= states <= _MOST_STATES:
            raise UsageError(f"A Potts model has 2 to {_MOST_STATES} states, not {states}.")
        self.lattice = lattice
        self.temperature = positive("temperature", temperature)
        self.states = int(states)
        self.coupling = finite("coupling", coupling)

    def bonds(self) -> Bonds:
        """Every bond at both ends, K for each; see `Bonds`."""
        return bonds_of_steps(self.lattice, nearest_steps(self.lattice, self.coupling / self.temperature))

    def energy(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        """H(s) of a configuration `x` with entries 0, ..., q - 1."""
        return (self.coupling / self.temperature) * -self._equal_pairs(x)

    def scalars(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The energy per site, the order parameter's moments and its smallest momenta.

        >>> import jax.numpy as jnp
        >>> measured = Potts(Lattice((2, 2)), 1.0).scalars(jnp.array([[0, 0], [1, 2]]))
        >>> {name: round(float(measured[name]), 6) for name in ("abs_magnetization", "magnetization_squared")}
        {'abs_magnetization': 0.25, 'magnetization_squared': 0.0625}
        """
        energy = -self.coupling * self._equal_pairs(x) / self.lattice.size
        corners = self._corners(x)
        squared = sum((jnp.mean(corner) ** 2 for corner in corners), jnp.zeros((), corners[0].dtype))
        # mean of a corner's component = sqrt(q/(q-1)) (rho_a - 1/q)
        largest = jnp.max(jnp.stack([jnp.mean(corner) for corner in corners]))
        return {
            "energy_per_site": energy,
            "abs_magnetization": largest * math.sqrt(self.states / (self.states - 1)),
            "magnetization_squared": squared,
            "structure_factor_min": structure_factor_min(*corners),
        }

    def observables(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The scalars and the correlator G(r), the average of (q delta(s_i, s_{i+r}) - 1)/(q - 1)."""
        return with_correlation(self.scalars(x), correlation(*self._corners(x)))

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        return (
            f"Potts spins with {self.states} states on {self.lattice}: H = -K sum delta(s_i, s_j), weight "
            f"exp(-H), K = {self.coupling:g}/T, T = {self.temperature:.10g}"
        )

    def _equal_pairs(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        check_field(self.lattice, x)
        dtype = jnp.result_type(float)
        return sum(
            (jnp.sum((x == jnp.roll(x, -1, axis)).astype(dtype)) for axis in range(x.ndim)),
            jnp.zeros((), dtype),
        )

    def _corners(self, x: Real[Array, "*lattice"]) -> list[Float[Array, "*lattice"]]:
        """The components of the unit vector to the state's corner, sqrt(q/(q-1)) (delta(s, a) - 1/q)."""
        check_field(self.lattice, x)
        dtype = jnp.result_type(float)
        scale, shift = math.sqrt(self.states / (self.states - 1)), 1 / self.states
        return [scale * ((x == state).astype(dtype) - shift) for state in range(self.states)]
