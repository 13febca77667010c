"""How one site is updated given its neighbours: one rule per model and algorithm, for many chains at once.

A rule works on the sites of one colour. Arrays are [sites, temperatures, chains], and the neighbours' values
[sites, z, temperatures, chains], so that chains are contiguous; couplings are [sites or 1, z, temperatures,
1].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.hamiltonians import (
    XY,
    AbstractHamiltonian,
    GaussianField,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
    cos_sin,
)
from deeprg.montecarlo.chance import at_odds, below

__all__ = ["Rule", "rule_for"]

# Discrete moves that cost nothing are not always made. If they were, sweeps colour by colour would not be
# ergodic: where no flip costs anything all spins of a colour flip at once, again and again (in 1D, and in 2D
# from stripes of width two).
_LAZY = np.float32(15 / 16)

Update = Callable[[PRNGKeyArray, Array, Array, dict[str, Any]], tuple[Array, Array]]


class Rule(NamedTuple):
    """A local update: (key, own values, neighbours' values, parameters) -> (new values, moved).

    `energy` is the dimensionless H from (values, neighbours' values, parameters), per temperature and chain,
    for models with a temperature; `width` says that there is a proposal width to adapt; `relax` is a move
    that keeps the energy; `encode` and `decode` lead from configurations to the values worked on, and back.
    """

    update: Update
    energy: Callable[[Array, Array, dict[str, Any]], Array] | None
    width: bool
    relax: Callable[[Array, Array, dict[str, Any]], Array] | None = None
    encode: Callable[[Array], Array] = lambda values: values
    decode: Callable[[Array], Array] = lambda values: values


def _weighted(around: Array, parameters: dict[str, Any]) -> Array:
    """sum_j J_ij s_j."""
    return jnp.sum(around.astype(jnp.float32) * parameters["couplings"], axis=1)


def _ising_field(around: Array, parameters: dict[str, Any]) -> Array:
    return _weighted(around, parameters) + parameters["field"]


def _ising_metropolis(key, own, around, parameters):
    cost = 2 * own.astype(jnp.float32) * _ising_field(around, parameters)
    flip = below(key, _LAZY * jnp.exp(jnp.minimum(-cost, 0)))
    return jnp.where(flip, -own, own), flip


def _ising_heat_bath(key, own, around, parameters):
    up = at_odds(key, 2 * _ising_field(around, parameters))
    new = jnp.where(up, jnp.int8(1), jnp.int8(-1))
    return new, new != own


def _ising_energy(own, around, parameters):
    local = 0.5 * _weighted(around, parameters) + parameters["field"]
    return -jnp.sum(own.astype(jnp.float32) * local, axis=0)


def _equal_weight(value, around, parameters):
    """sum_j J_ij delta(value, s_j)."""
    return jnp.sum((around == value[:, None]).astype(jnp.float32) * parameters["couplings"], axis=1)


def _potts_metropolis(states):
    def update(key, own, around, parameters):
        pick, accept = jax.random.split(key)
        # another state, all of them equally likely
        step = jax.random.randint(pick, own.shape, 1, states, jnp.int32)
        new = ((own.astype(jnp.int32) + step) % states).astype(jnp.int8)
        gain = _equal_weight(new, around, parameters) - _equal_weight(own, around, parameters)
        moved = below(accept, _LAZY * jnp.exp(jnp.minimum(gain, 0)))
        return jnp.where(moved, new, own), moved

    return update


def _potts_heat_bath(states):
    def update(key, own, around, parameters):
        values = jnp.arange(states, dtype=jnp.int8)
        logits = jax.vmap(lambda v: _equal_weight(jnp.full_like(own, v), around, parameters))(values)
        new = jax.random.categorical(key, logits, axis=0).astype(jnp.int8)
        return new, new != own

    return update


def _potts_energy(own, around, parameters):
    return -0.5 * jnp.sum(_equal_weight(own, around, parameters), axis=0)


# A planar spin is the complex number e^{i theta} while it is updated: a reflection then needs no angle.


def _xy_encode(angle: Array) -> Array:
    cos, sin = cos_sin(angle)
    return jax.lax.complex(cos, sin)


def _xy_decode(spin: Array) -> Array:
    return jnp.arctan2(spin.imag, spin.real)


def _xy_field(around, parameters):
    return jnp.sum(around * parameters["couplings"].astype(around.dtype), axis=1)


def _xy_metropolis(key, own, around, parameters):
    move, accept = jax.random.split(key)
    turn = parameters["width"] * jax.random.uniform(move, own.shape, own.real.dtype, -1, 1)
    new = own * _xy_encode(turn)
    new = new * (1.5 - 0.5 * (new.real**2 + new.imag**2)).astype(new.dtype)  # back to length 1
    moved = below(accept, jnp.exp(jnp.real(jnp.conj(_xy_field(around, parameters)) * (new - own))))
    return jnp.where(moved, new, own), moved


def _xy_reflect(own, around, parameters):
    """Mirror the spin on its local field: the energy stays (overrelaxation)."""
    field = _xy_field(around, parameters)
    strength = field.real**2 + field.imag**2
    mirrored = jnp.conj(own) * field**2 / jnp.where(strength > 0, strength, 1).astype(field.dtype)
    return jnp.where(strength > 0, mirrored, own)


def _xy_energy(own, around, parameters):
    return -0.5 * jnp.sum(jnp.real(jnp.conj(_xy_field(around, parameters)) * own), axis=0)


def _scalar_action(value, others, parameters):
    """The part of the action that one site takes part in; `others` is the sum over its neighbours."""
    squared = value**2
    kinetic = parameters["kinetic"] * (parameters["degree"] * squared - 2 * value * others)
    return kinetic + squared * (parameters["quadratic"] + parameters["quartic"] * squared)


def _scalar_metropolis(key, own, around, parameters):
    move, accept = jax.random.split(key)
    new = own + parameters["width"] * jax.random.uniform(move, own.shape, own.dtype, -1, 1)
    others = jnp.sum(around, axis=1)
    cost = _scalar_action(new, others, parameters) - _scalar_action(own, others, parameters)
    moved = below(accept, jnp.exp(-cost))
    return jnp.where(moved, new, own), moved


def rule_for(hamiltonian: AbstractHamiltonian, algorithm: str) -> Rule | None:
    """The rule of an algorithm, 'metropolis' or 'heat-bath', for a model; None where there is none."""
    metropolis = algorithm == "metropolis"
    if isinstance(hamiltonian, Ising | RandomBondIsing):
        return Rule(_ising_metropolis if metropolis else _ising_heat_bath, _ising_energy, False)
    if isinstance(hamiltonian, Potts):
        make = _potts_metropolis if metropolis else _potts_heat_bath
        return Rule(make(hamiltonian.states), _potts_energy, False)
    if isinstance(hamiltonian, XY) and metropolis:
        return Rule(_xy_metropolis, _xy_energy, True, _xy_reflect, _xy_encode, _xy_decode)
    if isinstance(hamiltonian, Phi4 | GaussianField) and metropolis:
        return Rule(_scalar_metropolis, None, True)
    return None


def parameters_of(hamiltonians: tuple[AbstractHamiltonian, ...]) -> tuple[np.ndarray, dict[str, Any]]:
    """The neighbours [sites, z] that all share, and the parameters of each temperature as arrays."""
    first = hamiltonians[0]
    if isinstance(first, Phi4 | GaussianField):
        neighbours = first.lattice.neighbours().astype(np.int32)
        # a bond from a site to itself (an extent of 1) is a constant
        neighbours = neighbours[
            :, [bool((column != np.arange(len(column))).any()) for column in neighbours.T]
        ]
        half = [0.5 if isinstance(h, GaussianField) else 1.0 for h in hamiltonians]
        quartic = [h.quartic if isinstance(h, Phi4) else 0.0 for h in hamiltonians]
        mass = [f * getattr(h, "mass_squared") for f, h in zip(half, hamiltonians, strict=True)]  # noqa: B009
        values = {"kinetic": half, "quadratic": mass, "quartic": quartic}
        return neighbours, {
            "degree": np.asarray(neighbours.shape[1], np.float32),
            **{name: np.asarray(v, np.float32)[None, :, None] for name, v in values.items()},
        }
    tables = [getattr(h, "bonds")() for h in hamiltonians]  # noqa: B009
    couplings = np.stack([table.couplings for table in tables], axis=-1)[..., None]  # [sites, z, T, 1]
    if (couplings == couplings[:1]).all():
        couplings = couplings[:1]
    field = np.asarray([table.field for table in tables], np.float32)[None, :, None]
    return tables[0].neighbours, {"couplings": couplings.astype(np.float32), "field": field}
