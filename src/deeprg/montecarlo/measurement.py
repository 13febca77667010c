"""The scalars of many configurations of one model."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.runs.errors import UsageError

__all__ = ["measure"]

_VALUES = 1 << 22  # numbers measured in one call


def measure(hamiltonian: AbstractHamiltonian, configurations: np.ndarray) -> dict[str, np.ndarray]:
    """The scalars of `hamiltonian.scalars` for a batch of configurations.

    `configurations` is [..., *shape]; each series is float64 [...]. `energy_per_site` is in units of the
    coupling, so one Hamiltonian serves all temperatures of its model. Raises `UsageError` for another shape.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> model = Ising(Lattice((4, 4)), temperature=2.0)
    >>> measure(model, np.ones((3, 4, 4), np.int8))["energy_per_site"].tolist()
    [-2.0, -2.0, -2.0]
    """
    shape = hamiltonian.lattice.shape
    batch = configurations.shape[: configurations.ndim - len(shape)]
    if configurations.shape[len(batch) :] != shape:
        raise UsageError(f"Configurations of shape {configurations.shape} do not end in the lattice {shape}.")
    flat = configurations.reshape(-1, *shape)
    piece = max(min(_VALUES // hamiltonian.lattice.size, len(flat)), 1)
    parts: list[dict[str, np.ndarray]] = []
    for first in range(0, len(flat), piece):
        some = flat[first : first + piece]
        count = len(some)
        if count < piece:  # the same compiled program for the last piece
            some = np.concatenate([some, np.repeat(some[-1:], piece - count, axis=0)])
        values = _scalars(hamiltonian, jnp.asarray(some))
        parts.append({name: np.asarray(column, np.float64)[:count] for name, column in values.items()})
    return {name: np.concatenate([part[name] for part in parts]).reshape(batch) for name in parts[0]}


@eqx.filter_jit
def _scalars(hamiltonian: AbstractHamiltonian, configurations: Array) -> dict[str, Array]:
    return jax.vmap(hamiltonian.scalars)(configurations)
