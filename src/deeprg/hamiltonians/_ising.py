"""Ising spins with translation-invariant pair couplings."""

import functools
import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from ..lattice import Lattice
from ..runs.errors import UsageError
from . import circulant
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._bonds import Bonds, Steps, bonds_of_steps, nearest_steps
from ._coupling_matrix import CirculantMatrix
from ._moments import as_float, correlation, scalar_moments, with_correlation
from ._spin_sums import bond_energy_given_means

__all__ = ["CRITICAL_TEMPERATURE", "Ising", "critical_temperature"]

CRITICAL_TEMPERATURE = 2 / math.log1p(math.sqrt(2))
"""T_c of the square-lattice Ising model with J = 1, 2/ln(1 + sqrt 2) = 2.269185314213022."""

_CRITICAL_COUPLING_3D = 0.221654626  # simple cubic, Monte Carlo, arXiv:1806.03558


def critical_temperature(lattice: Lattice) -> float:
    """The critical temperature of the nearest-neighbour model with J = 1: exact in 2D, Monte Carlo in 3D.

    Raises `UsageError` in 1D, where there is none (arXiv:1806.03558 for 1/T_c = 0.221654626(5) in 3D).

    >>> round(critical_temperature(Lattice((16, 16))), 9)
    2.269185314
    """
    if lattice.ndim == 1:
        raise UsageError("The 1D Ising model has no critical temperature; give a number.")
    return CRITICAL_TEMPERATURE if lattice.ndim == 2 else 1 / _CRITICAL_COUPLING_3D


class Ising(AbstractHamiltonian):
    """Ising spins s_i = ±1 with the energy H(s) = -1/2 sum_ij J_ij s_i s_j - h sum_i s_i.

    J_ij depends on i - j only. `Ising(lattice, temperature, coupling, field)` couples nearest neighbours:
    J = coupling / temperature for each of the 2 ndim displacements, added up, so an extent of 2 has double
    bonds (as in Kaufman's formula), an extent of 1 a constant. A positive coupling is ferromagnetic.
    `field` is the dimensionless h, not divided by the temperature, which sets the unit of `energy_per_site`.
    Other couplings: `triangular`, `with_neighbours` (J1, J2, ... by distance), `from_kernel` (any); for them
    `coupling` is None and `geometry` says which.

    Raises `UsageError` for a temperature that is not positive and for numbers that are not finite.

    >>> import jax.numpy as jnp
    >>> model = Ising(Lattice((4, 4)), temperature=2.0)
    >>> float(model.energy(jnp.ones((4, 4))))
    -16.0
    """

    lattice: Lattice = eqx.field(static=True)
    temperature: float = eqx.field(static=True)
    coupling: float | None = eqx.field(static=True)
    field: float = eqx.field(static=True)
    geometry: str = eqx.field(static=True)
    kernel: Steps = eqx.field(static=True)
    steps: Steps = eqx.field(static=True)

    def __init__(
        self,
        lattice: Lattice,
        temperature: float | int,
        coupling: float | int | None = 1.0,
        field: float | int = 0.0,
        *,
        steps: Steps | None = None,
        geometry: str = "general",
    ):
        self.lattice = lattice
        self.temperature = positive("temperature", temperature)
        self.field = finite("field", field)
        if steps is not None:
            self.coupling, self.geometry, self.steps = None, geometry, steps
        elif coupling is None:
            raise UsageError(
                "A nearest-neighbour model needs a coupling; general couplings: Ising.from_kernel."
            )
        else:
            self.coupling, self.geometry = finite("coupling", coupling), "hypercubic"
            self.steps = nearest_steps(lattice, self.coupling / self.temperature)
        self.kernel = _fold(lattice, self.steps)

    @classmethod
    def triangular(
        cls,
        lattice: Lattice,
        temperature: float | int,
        coupling: float | int = 1.0,
        field: float | int = 0.0,
    ) -> "Ising":
        """The triangular lattice, written on a square torus: neighbours ±(1, 0), ±(0, 1) and ±(1, -1).

        T_c = 4/ln 3 in units of the coupling; a negative coupling is frustrated and stays disordered. Raises
        `UsageError` unless the lattice has two axes.

        >>> import jax.numpy as jnp
        >>> float(Ising.triangular(Lattice((4, 4)), temperature=2.0).energy(jnp.ones((4, 4))))
        -24.0
        """
        if lattice.ndim != 2:
            raise UsageError(f"A triangular lattice needs two extents, but the lattice is {lattice}.")
        temperature = positive("temperature", temperature)
        bond = finite("coupling", coupling) / temperature
        steps = (*nearest_steps(lattice, bond), ((1, -1), bond), ((-1, 1), bond))
        return cls(lattice, temperature, None, field, steps=steps, geometry="triangular")

    @classmethod
    def with_neighbours(
        cls,
        lattice: Lattice,
        temperature: float | int,
        couplings: Sequence[float | int],
        field: float | int = 0.0,
    ) -> "Ising":
        """Couplings J1, J2, J3, ... to the first, second, third, ... shell of neighbours by distance.

        On the square lattice the shells are (1, 0), (1, 1), (2, 0), (2, 1), ... and their images; in 1D the
        distances 1, 2, 3. Displacements that meet on a small torus add up, as an extent of 2 does. Raises
        `UsageError` when no coupling is given.

        >>> import jax.numpy as jnp
        >>> model = Ising.with_neighbours(Lattice((4, 4)), temperature=1.0, couplings=(1.0, -0.5))
        >>> float(model.energy(jnp.ones((4, 4))))
        -16.0
        """
        values = [finite("coupling", value) for value in couplings]
        if not values:
            raise UsageError("Give at least one coupling, for the nearest neighbours.")
        if len(values) == 1:
            return cls(lattice, temperature, values[0], field)
        temperature = positive("temperature", temperature)
        steps = tuple(
            (step, value / temperature)
            for value, shell in zip(values, _shells(lattice.ndim, len(values)), strict=True)
            if value != 0
            for step in shell
        )
        geometry = ", ".join(f"J{rank} = {value:g}/T" for rank, value in enumerate(values, 1))
        return cls(lattice, temperature, None, field, steps=steps, geometry=geometry)

    @classmethod
    def from_kernel(
        cls,
        lattice: Lattice,
        kernel: np.ndarray,
        field: float | int = 0.0,
        temperature: float | int = 1.0,
    ) -> "Ising":
        """General pair couplings J_ij = kernel[i - j], dimensionless (temperature inside), [*shape].

        `temperature` only sets the unit of `energy_per_site`. Raises `UsageError` for a wrong shape, for
        numbers that are not finite, and when kernel[r] differs from kernel[-r].

        >>> import numpy as np
        >>> Ising.from_kernel(Lattice((4,)), np.array([0.0, 0.5, 0.1, 0.5])).kernel
        (((1,), 0.5), ((2,), 0.1), ((3,), 0.5))
        """
        kernel = np.asarray(kernel, np.float64)
        if kernel.shape != lattice.shape:
            raise UsageError(
                f"The kernel has shape {kernel.shape}, but the lattice has shape {lattice.shape}."
            )
        if not np.isfinite(kernel).all():
            raise UsageError("The kernel holds numbers that are not finite.")
        mirrored = np.roll(np.flip(kernel), (1,) * lattice.ndim, axis=tuple(range(lattice.ndim)))
        if not np.allclose(kernel, mirrored, rtol=1e-12, atol=1e-12 * np.abs(kernel).max()):
            raise UsageError(
                "The kernel must be symmetric, kernel[r] = kernel[-r]; add its mirror image and halve."
            )
        pairs = tuple(
            (tuple(int(d) for d in site), float(kernel[tuple(site)])) for site in np.argwhere(kernel != 0)
        )
        return cls(lattice, temperature, None, field, steps=pairs)

    def bonds(self) -> Bonds:
        """Every bond at both ends, J/T and h; see `Bonds`."""
        return bonds_of_steps(self.lattice, self.steps, self.field)

    @property
    def coupling_matrix(self) -> CirculantMatrix:
        """J, diagonal in Fourier space."""
        return CirculantMatrix(self.coupling_spectrum)

    @property
    def coupling_spectrum(self) -> np.ndarray:
        """The eigenvalues of J, [*shape], in the order of `numpy.fft.fftn`; read-only.

        >>> Ising(Lattice((4, 4)), temperature=2.0).coupling_spectrum.min().round(12).item()
        -2.0
        """
        return _spectrum(self.lattice.shape, self.kernel)

    def apply_coupling(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """J x: by shifts when the couplings are few, by Fourier transform otherwise.

        >>> import jax.numpy as jnp
        >>> Ising(Lattice((4,)), temperature=2.0).apply_coupling(jnp.array([1.0, 0.0, 0.0, 0.0])).tolist()
        [0.0, 0.5, 0.0, 0.5]
        """
        if len(self.kernel) > 4 * self.lattice.ndim:
            return circulant.apply(x, self.coupling_spectrum)
        axes = tuple(range(self.lattice.ndim))
        return sum((value * jnp.roll(x, step, axes) for step, value in self.kernel), jnp.zeros_like(x))

    def energy(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        """H(s) of a spin configuration `x` with entries ±1."""
        check_field(self.lattice, x)
        s = as_float(x)
        return -0.5 * jnp.sum(s * self.apply_coupling(s)) - self.field * jnp.sum(s)

    def scalars(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The moments of the mean spin, the bond energy per site and the smallest momenta.

        `energy_per_site` is -T/(2N) s^T J s: the coupling's own units, without the field term.

        >>> import jax.numpy as jnp
        >>> float(Ising(Lattice((4, 4)), temperature=2.0).scalars(jnp.ones((4, 4)))["energy_per_site"])
        -2.0
        """
        check_field(self.lattice, x)
        s = as_float(x)
        if len(self.kernel) > 4 * self.lattice.ndim:
            pairs = 0.5 * jnp.mean(s * self.apply_coupling(s))
        else:
            axes = tuple(range(self.lattice.ndim))
            pairs = sum(
                (value * jnp.mean(s * jnp.roll(s, step, axes)) for step, value in self._half_kernel()),
                jnp.zeros((), s.dtype),
            )
        return {**scalar_moments(s), "energy_per_site": -self.temperature * pairs}

    def observables(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The moments of the mean spin, the bond energy per site and the correlator of one configuration.

        >>> import jax.numpy as jnp
        >>> float(Ising(Lattice((4, 4)), temperature=2.0).observables(jnp.ones((4, 4)))["energy_per_site"])
        -2.0
        """
        return with_correlation(self.scalars(x), correlation(x))

    def _half_kernel(self) -> Steps:
        """One of every two opposite displacements with its coupling; one that is its own opposite by half."""
        half = []
        for site, value in self.kernel:
            opposite = tuple(-d % extent for d, extent in zip(site, self.lattice.shape, strict=True))
            if site <= opposite:
                half.append((site, 0.5 * value if site == opposite else value))
        return tuple(half)

    def energy_given_means(self, means: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The mean bond energy of independent spins with these means, in units of the coupling."""
        return self.temperature * bond_energy_given_means(self.kernel, means)[0]

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        if self.coupling is not None:
            bonds = f"nearest neighbours J = {self.coupling:g}/T"
        elif self.geometry == "triangular":
            bonds = f"triangular, J = {self.steps[0][1] * self.temperature:g}/T"
        elif self.geometry == "general":
            bonds = f"{len(self.kernel)} pair couplings per site"
        else:
            bonds = self.geometry
        return (
            f"Ising spins on {self.lattice}: H = -1/2 s.J.s - h sum s, weight exp(-H), {bonds}, "
            f"T = {self.temperature:.10g}, h = {self.field:g}"
        )


def _fold(lattice: Lattice, steps: Steps) -> Steps:
    """The couplings by site on the torus: displacements that meet are added."""
    folded: dict[tuple[int, ...], float] = {}
    for step, value in steps:
        site = tuple(d % extent for d, extent in zip(step, lattice.shape, strict=True))
        folded[site] = folded.get(site, 0.0) + value
    return tuple(sorted(folded.items()))


def _shells(ndim: int, count: int) -> list[list[tuple[int, ...]]]:
    """The displacements of the first `count` distances on the infinite hypercubic lattice."""
    shells: dict[int, list[tuple[int, ...]]] = {}
    for step in itertools.product(range(-count, count + 1), repeat=ndim):  # (k, 0, ...) is in shell >= k
        shells.setdefault(sum(d * d for d in step), []).append(step)
    return [shells[square] for square in sorted(shells)[1 : count + 1]]


@functools.lru_cache(maxsize=64)
def _spectrum(shape: tuple[int, ...], kernel: tuple[tuple[tuple[int, ...], float], ...]) -> np.ndarray:
    dense = np.zeros(shape)
    for site, value in kernel:
        dense[site] += value
    spectrum = np.fft.fftn(dense).real
    spectrum.setflags(write=False)
    return spectrum
