"""Ising spins whose nearest-neighbour bonds are drawn at random and then kept: spin glasses."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractHamiltonian, check_field, finite, positive
from ._bonds import Bonds
from ._coupling_matrix import DenseMatrix, dense_matrix
from ._moments import as_float, correlation, scalar_moments, with_correlation

__all__ = ["RandomBondIsing"]


class RandomBondIsing(AbstractHamiltonian):
    """Ising spins with quenched bonds, H(s) = -sum_{i,a} J_{i,a} s_i s_{i+a} - h sum_i s_i.

    `bonds` [ndim, *shape] holds J_{i,a}, the bond from site i to i + e_a, dimensionless (J/T), kept as
    `couplings`; `temperature` only sets the unit of `energy_per_site`. One object is one sample of the
    disorder: `plus_minus` and `gaussian` draw it with NumPy's PCG64 from a seed, the same on every machine
    and at every temperature.

    Raises `UsageError` for a wrong shape, numbers that are not finite, a temperature that is not positive.

    >>> import jax.numpy as jnp
    >>> model = RandomBondIsing(Lattice((4, 4)), np.full((2, 4, 4), 0.5), temperature=2.0)
    >>> float(model.energy(jnp.ones((4, 4))))
    -16.0
    """

    lattice: Lattice = eqx.field(static=True)
    couplings: np.ndarray | Array
    temperature: float = eqx.field(static=True)
    field: float = eqx.field(static=True)
    antiferro: float | None = eqx.field(static=True)

    def __init__(
        self,
        lattice: Lattice,
        bonds: np.ndarray | Array,
        temperature: float | int = 1.0,
        field: float | int = 0.0,
        *,
        antiferro: float | None = None,
    ):
        bonds = np.asarray(bonds, np.float64)
        if bonds.shape != (lattice.ndim, *lattice.shape):
            raise UsageError(
                f"The bonds have shape {bonds.shape}, but the lattice {lattice} needs one number per axis "
                f"and site, {(lattice.ndim, *lattice.shape)}."
            )
        if not np.isfinite(bonds).all():
            raise UsageError("The bonds hold numbers that are not finite.")
        self.lattice = lattice
        self.couplings = bonds
        self.temperature = positive("temperature", temperature)
        self.field = finite("field", field)
        self.antiferro = antiferro

    def __hash__(self) -> int:
        """By the values of the bonds, so that methods can be given to `jax.jit`."""
        bonds = np.asarray(self.couplings).tobytes()
        return hash((self.lattice, bonds, self.temperature, self.field, self.antiferro))

    @classmethod
    def plus_minus(
        cls,
        lattice: Lattice,
        temperature: float | int,
        antiferro: float | int = 0.5,
        *,
        seed: int,
        field: float | int = 0.0,
    ) -> "RandomBondIsing":
        """Bonds J = -1 with probability `antiferro` and +1 otherwise, independently: the ±J model.

        Raises `UsageError` unless 0 <= antiferro <= 1, and for a seed below 0.

        >>> RandomBondIsing.plus_minus(Lattice((4,)), 2.0, seed=0).couplings.tolist()
        [[0.5, -0.5, -0.5, -0.5]]
        """
        antiferro = finite("fraction of antiferromagnetic bonds", antiferro)
        if not 0 <= antiferro <= 1:
            raise UsageError(f"The fraction of antiferromagnetic bonds lies in 0 to 1, not {antiferro}.")
        uniform = _generator(seed).random((lattice.ndim, *lattice.shape))
        signs = np.where(uniform < antiferro, -1.0, 1.0)
        scale = positive("temperature", temperature)
        return cls(lattice, signs / scale, scale, field, antiferro=antiferro)

    @classmethod
    def gaussian(
        cls,
        lattice: Lattice,
        temperature: float | int,
        *,
        seed: int,
        mean: float | int = 0.0,
        std: float | int = 1.0,
        field: float | int = 0.0,
    ) -> "RandomBondIsing":
        """Bonds J drawn from Normal(mean, std^2): the Edwards-Anderson model when the mean is 0.

        Raises `UsageError` for a standard deviation that is not positive, and for a seed below 0.

        >>> RandomBondIsing.gaussian(Lattice((3,)), 1.0, seed=0).couplings.round(3).tolist()
        [[0.126, -0.132, 0.64]]
        """
        scale = positive("temperature", temperature)
        noise = _generator(seed).standard_normal((lattice.ndim, *lattice.shape))
        strengths = finite("mean", mean) + positive("standard deviation", std) * noise
        return cls(lattice, strengths / scale, scale, field)

    def bonds(self) -> Bonds:
        """Every bond at both ends, J/T and h; see `Bonds`."""
        sites = np.arange(self.lattice.size).reshape(self.lattice.shape)
        neighbours, strengths = [], []
        for axis, values in enumerate(np.asarray(self.couplings)):
            if self.lattice.shape[axis] > 1:
                neighbours += [np.roll(sites, -1, axis), np.roll(sites, 1, axis)]
                strengths += [values, np.roll(values, 1, axis)]
        shape = (len(neighbours), self.lattice.size)
        return Bonds(
            np.ascontiguousarray(np.reshape(neighbours, shape).T, np.int32),
            np.ascontiguousarray(np.reshape(strengths, shape).T, np.float64),
            self.field,
        )

    @property
    def coupling_matrix(self) -> DenseMatrix:
        """J with its eigenvectors; see `dense_matrix`."""
        return dense_matrix(self.lattice, np.asarray(self.couplings))

    def apply_coupling(self, x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
        """J x, by shifts.

        >>> import jax.numpy as jnp
        >>> model = RandomBondIsing(Lattice((3,)), np.array([[1.0, -1.0, 2.0]]))
        >>> model.apply_coupling(jnp.array([1.0, 0.0, 0.0])).tolist()
        [0.0, 1.0, 2.0]
        """
        couplings, out = jnp.asarray(self.couplings, x.dtype), jnp.zeros_like(x)
        for axis in range(x.ndim):
            bonds = couplings[axis]
            out = out + bonds * jnp.roll(x, -1, axis) + jnp.roll(bonds * x, 1, axis)
        return out

    def energy(self, x: Real[Array, "*lattice"]) -> Float[Array, ""]:
        """H(s) of a spin configuration `x` with entries ±1."""
        check_field(self.lattice, x)
        s = as_float(x)
        return self._bond_sum(s) - self.field * jnp.sum(s)

    def scalars(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
        """The moments of the mean spin, the bond energy per site and the smallest momenta."""
        check_field(self.lattice, x)
        s = as_float(x)
        energy = self._bond_sum(s) * (self.temperature / self.lattice.size)
        return {**scalar_moments(s), "energy_per_site": energy}

    def observables(self, x: Real[Array, "*lattice"]) -> dict[str, Float[Array, "..."]]:
        """The moments of the mean spin, the bond energy per site and the correlator of one configuration."""
        return with_correlation(self.scalars(x), correlation(x))

    def energy_given_means(self, means: Float[Array, "*lattice"]) -> Float[Array, ""]:
        """The mean bond energy of independent spins with these means, in units of the coupling."""
        couplings = jnp.asarray(self.couplings, means.dtype)
        loops = sum(jnp.sum(couplings[a]) for a, extent in enumerate(self.lattice.shape) if extent == 1)
        apart = self._bond_sum(means, skip_loops=True)
        return self.temperature * (apart - loops)

    def describe(self) -> str:
        """The formula with its parameters and convention, in one line."""
        bonds = np.asarray(self.couplings) * self.temperature
        kind = (
            f"J = ±1 with {self.antiferro:.10g} antiferromagnetic"
            if self.antiferro is not None
            else f"quenched J of mean {bonds.mean():.4g} and deviation {bonds.std():.4g}"
        )
        return (
            f"Ising spins with random bonds on {self.lattice}: H = -sum J_ij s_i s_j / T - h sum s, weight "
            f"exp(-H), {kind}, T = {self.temperature:.10g}, h = {self.field:g}"
        )

    def _bond_sum(self, s: Float[Array, "*lattice"], *, skip_loops: bool = False) -> Float[Array, ""]:
        couplings, total = jnp.asarray(self.couplings, s.dtype), jnp.zeros((), s.dtype)
        for axis, extent in enumerate(self.lattice.shape):
            if not (skip_loops and extent == 1):
                total = total + jnp.sum(couplings[axis] * s * jnp.roll(s, -1, axis))
        return -total


def _generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise UsageError(f"The seed of the disorder must not be negative, but it is {seed}.")
    return np.random.Generator(np.random.PCG64(seed))
