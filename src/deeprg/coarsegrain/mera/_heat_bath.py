"""The last fill of models that couple two sublattices: every spin from its exact conditional distribution."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...hamiltonians import AbstractHamiltonian

__all__ = ["has_heat_bath", "local_fields", "summed_energy"]


def has_heat_bath(hamiltonian: AbstractHamiltonian) -> bool:
    """Whether the spins on sites with an odd sum of coordinates are independent, given all the others.

    Tried on one configuration: the forces on that sublattice must not change when all its spins flip.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> has_heat_bath(Ising(Lattice((4, 4)), 2.0)), has_heat_bath(Ising.triangular(Lattice((4, 4)), 2.0))
    (True, False)
    """
    lattice = hamiltonian.lattice
    if any(extent % 2 for extent in lattice.shape):
        return False
    odd = lattice.checkerboard(1)
    with jax.ensure_compile_time_eval():
        x = jax.random.rademacher(jax.random.key(0), lattice.shape, jnp.float32)
        before, after = (-jax.grad(hamiltonian.energy)(y) for y in (x, jnp.where(odd, -x, x)))
    return bool(np.allclose(np.asarray(before)[odd], np.asarray(after)[odd], atol=1e-5))


def local_fields(hamiltonian: AbstractHamiltonian, x: Float[Array, "*lattice n"]) -> Array:
    """-∂H/∂x_i, the field h_i of p(x_i | others) ~ exp(h_i x_i) for an energy linear in each spin."""
    return -jax.vmap(jax.grad(hamiltonian.energy), -1, -1)(x)


def summed_energy(hamiltonian: AbstractHamiltonian, x: Float[Array, "*lattice n"]) -> Float[Array, " n"]:
    """H of the even sublattice after the exact sum over the odd one: H(x) - sum_odd ln 2 cosh h_i.

    `x` has zeros on the odd sites. exp(-H) of it sums to the same Z.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((2,)), 2.0)                          # two bonds of K = 1/2: ln 2 cosh 1
    >>> float(summed_energy(ring, jnp.array([[1.0], [0.0]]))[0].round(4))
    -1.1269
    """
    odd = hamiltonian.lattice.checkerboard(1)
    field = local_fields(hamiltonian, x)[odd]
    return jax.vmap(hamiltonian.energy, -1)(x) - jnp.sum(jnp.logaddexp(field, -field), axis=0)
