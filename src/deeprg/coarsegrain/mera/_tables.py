"""A classical MERA of tables for an Ising model, fitted by explicit probabilities."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from ...hamiltonians import Ising
from ._cone import exact_free_energy
from ._mera import ClassicalMERA

__all__ = ["FittedTables", "fit_tables"]


class FittedTables(NamedTuple):
    """The model, its free energy F >= -ln Z in nats, and how many times F was evaluated."""

    model: ClassicalMERA
    free_energy: float
    evaluations: int


def fit_tables(hamiltonian: Ising, *, steps: int = 200) -> FittedTables:
    """The tables of least F = E_q[ln q + H], by L-BFGS on the exact F: no samples, no noise.

    Where local correlations fix the distribution, learning needs the evaluation of probabilities alone (C.
    Bény, arXiv:1301.3124). In one dimension the best tables are the chain's own and F = -ln Z; in two, every
    level makes its spins independent given their neighbours, and F is an upper bound. Sums are float64.

    Raises `UsageError` as `local_marginal`.

    >>> from deeprg.lattice import Lattice
    >>> found = fit_tables(Ising(Lattice((8,)), 1.0))
    >>> round(found.free_energy, 4)                                         # -ln Z = -9.1226
    -9.1226
    """
    with jax.enable_x64(True):
        start = ClassicalMERA(hamiltonian, reach=None, key=jax.random.key(0))
        start = jax.tree.map(lambda x: x.astype(np.float64), start)
        flat, unravel = ravel_pytree(eqx.filter(start, eqx.is_array))
        rest = eqx.filter(start, eqx.is_array, inverse=True)
        model = lambda x: eqx.combine(unravel(x), rest)
        value = jax.jit(jax.value_and_grad(lambda x: exact_free_energy(model(x))))
        call = lambda x: [np.asarray(part, np.float64) for part in value(jnp.asarray(x))]
        found = minimize(call, np.asarray(flat), jac=True, method="L-BFGS-B", options={"maxiter": steps})
        best = jax.tree.map(np.asarray, model(jnp.asarray(found.x)))
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), best)
    return FittedTables(single, float(found.fun), int(found.nfev))
