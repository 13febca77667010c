"""Hard-core dimers that cover the square lattice, with an interaction between parallel neighbours."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._moments import correlation, vector_moments, with_correlation

__all__ = ["Dimers"]


class Dimers(AbstractHamiltonian):
    """Close-packed dimers, H = (v/T) * (number of plaquettes with two parallel dimers); v < 0 aligns.

    A configuration [L0, L1] holds for every site the direction of its partner, in the order of
    `Lattice.nearest_displacements`: 0 = (+1, 0), 1 = (-1, 0), 2 = (0, +1), 3 = (0, -1); every site's partner
    points back. `energy` and the scalars assume that (`is_valid` checks). The two bonds between two sites of
    an extent of 2 are different.

    Order parameter: the columnar vector ((-1)^x (n_0 - n_1), (-1)^y (n_2 - n_3)) of the occupations n at each
    site, of length 1 in the four columnar states. F. Alet et al., Phys. Rev. Lett. 94, 235702 (2005).

    Raises `UsageError` unless there are two even extents, and for a temperature that is not positive.

    >>> model = Dimers(Lattice((4, 4)), temperature=0.5)
    >>> float(model.energy(jnp.asarray(model.columnar())))
    -16.0
    """

    lattice: Lattice = eqx.field(static=True)
    temperature: float = eqx.field(static=True)
    interaction: float = eqx.field(static=True)

    def __init__(self, lattice: Lattice, temperature: float | int, interaction: float | int = -1.0):
        if lattice.ndim != 2 or any(extent % 2 for extent in lattice.shape):
            raise UsageError(f"Dimers need a lattice with two even extents, but it is {lattice}.")
        self.lattice = lattice
        self.temperature = positive("temperature", temperature)
        self.interaction = finite("interaction", interaction)

    def columnar(self, axis: int = 0, shift: int = 0) -> np.ndarray:
        """One of the four ordered states, int8 [*shape]: dimers along `axis` that start at `shift` modulo 2.

        >>> Dimers(Lattice((2, 4)), temperature=1.0).columnar(axis=1).tolist()
        [[2, 3, 2, 3], [2, 3, 2, 3]]
        """
        if axis not in (0, 1):
            raise UsageError(f"Dimers lie along axis 0 or 1, not {axis}.")
        place = self.lattice.coordinates()[:, axis].reshape(self.lattice.shape)
        return (2 * axis + (place + shift) % 2).astype(np.int8)

    def is_valid(self, x: Real[Array | np.ndarray, "*lattice"]) -> bool:
        """Whether `x` is a covering: every entry is a direction, and every site's partner points back.

        >>> model = Dimers(Lattice((2, 2)), temperature=1.0)
        >>> model.is_valid(model.columnar()), model.is_valid(np.zeros((2, 2), np.int8))
        (True, False)
        """
        state = np.asarray(x)
        if state.shape != self.lattice.shape or not np.isin(state, (0, 1, 2, 3)).all():
            return False
        directions = state.reshape(-1).astype(int)
        partner = self.lattice.neighbours()[np.arange(self.lattice.size), directions]
        return bool(np.all(directions[partner] == directions ^ 1))

    def to_occupation(self, x: Real[Array | np.ndarray, "*lattice"]) -> np.ndarray:
        """The occupied bonds, int8 [2, *shape]: entry (a, i) is 1 when a dimer lies on the bond i, i + e_a.

        Raises `UsageError` when `x` is not a covering.

        >>> model = Dimers(Lattice((2, 2)), temperature=1.0)
        >>> model.to_occupation(model.columnar()).tolist()
        [[[1, 1], [0, 0]], [[0, 0], [0, 0]]]
        """
        if not self.is_valid(x):
            raise UsageError(
                f"The array is not a dimer covering of {self.lattice}: it needs that shape and directions 0 "
                "to 3 that point back at each other. Start from columnar()."
            )
        return np.stack([np.asarray(x) == 0, np.asarray(x) == 2]).astype(np.int8)

    def from_occupation(self, occupation: np.ndarray) -> np.ndarray:
        """The directions, int8 [*shape], of occupied bonds [2, *shape]; the inverse of `to_occupation`.

        Raises `UsageError` unless every site has exactly one dimer.

        >>> model = Dimers(Lattice((2, 2)), temperature=1.0)
        >>> model.from_occupation(model.to_occupation(model.columnar())).tolist()
        [[0, 0], [1, 1]]
        """
        occupied = np.asarray(occupation)
        if occupied.shape != (2, *self.lattice.shape):
            raise UsageError(f"Occupations have shape {(2, *self.lattice.shape)}, not {occupied.shape}.")
        ends = np.stack([end for axis, n in enumerate(occupied != 0) for end in (n, np.roll(n, 1, axis))])
        if not np.all(ends.sum(axis=0) == 1):
            raise UsageError("Every site must have exactly one dimer.")
        return np.argmax(ends, axis=0).astype(np.int8)

    def energy(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        """H of a covering."""
        return (self.interaction / self.temperature) * self._parallel_pairs(x)

    def scalars(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The energy per site, the columnar order parameter's moments, its smallest momenta, the winding.

        `winding_squared` = W_0^2 + W_1^2, where W_a counts the dimers along axis a that cross a cut, those
        from even sites as +1 and those from odd sites as -1; the same for every cut.

        >>> model = Dimers(Lattice((4, 4)), temperature=0.5)
        >>> measured = model.scalars(jnp.asarray(model.columnar()))
        >>> float(measured["abs_magnetization"]), float(measured["energy_per_site"])
        (1.0, -0.5)
        """
        dtype = jnp.result_type(float)
        energy = self.interaction * self._parallel_pairs(x) / self.lattice.size
        parity = np.where(self.lattice.checkerboard(0), 1.0, -1.0)
        windings = [
            jnp.sum((x == 2 * axis).astype(dtype) * jnp.asarray(parity, dtype)) / extent
            for axis, extent in enumerate(self.lattice.shape)
        ]
        return {
            "energy_per_site": energy,
            **vector_moments(self._columns(x)),
            "winding_squared": windings[0] ** 2 + windings[1] ** 2,
        }

    def observables(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The scalars and the correlator of the columnar vector."""
        return with_correlation(self.scalars(x), correlation(*self._columns(x)))

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        return (
            f"Dimer coverings of {self.lattice}: H = (v/T) * plaquettes with parallel dimers, weight "
            f"exp(-H), v = {self.interaction:g}, T = {self.temperature:.10g}"
        )

    def _parallel_pairs(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        check_field(self.lattice, x)
        count = jnp.zeros((), jnp.result_type(float))
        for axis in (0, 1):
            start = x == 2 * axis
            count = count + jnp.sum((start & jnp.roll(start, -1, 1 - axis)).astype(count.dtype))
        return count

    def _columns(self, x: Real[Array, "*lattice"]) -> list[Float[Array, "*lattice"]]:
        check_field(self.lattice, x)
        dtype = jnp.result_type(float)
        coordinates = self.lattice.coordinates().reshape(*self.lattice.shape, 2)
        signs = 1.0 - 2.0 * (coordinates % 2)
        return [
            ((x == 2 * axis).astype(dtype) - (x == 2 * axis + 1).astype(dtype))
            * jnp.asarray(signs[..., axis], dtype)
            for axis in (0, 1)
        ]
