"""Exact local marginals of a classical MERA of tables, through its causal cones: no sampling anywhere."""

import functools
import itertools
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...exact.couplings import configurations
from ...hamiltonians import Ising
from ...lattice import Lattice
from ...runs.errors import UsageError
from ._conditional import SpinTable
from ._mera import ClassicalMERA
from ._order import fill_order

__all__ = ["exact_free_energy", "local_marginal"]

_SIDE = {1: 2, 2: 4}  # of the block whose cone, one level up, is a block of the same side
Site = tuple[int, ...]


@eqx.filter_jit
def local_marginal(model: ClassicalMERA, number: int = 0) -> Float[Array, "..."]:
    """The distribution of a block of spins on a level (0 the finest), averaged over its places.

    An array with one axis (up, down) per spin: 2 neighbours in one dimension, 4x4 spins in C order in two. A
    spin depends on the nearest spins that are there before it, so that the causal cone of a block is a block
    of the same side on the next coarser level, and its marginal follows from the coarser one (C. Bény,
    arXiv:1301.3124).

    Raises `UsageError` unless the model is made of tables (`reach` None) for an Ising model of nearest
    neighbours on 2^k or 2^k x 2^k sites, and for a level smaller than a block.

    >>> ring = ClassicalMERA(Ising(Lattice((8,)), 1.0), reach=None, key=jax.random.key(0))
    >>> pair = local_marginal(ring)
    >>> pair.shape, bool(jnp.isclose(pair.sum(), 1.0, atol=1e-5))
    ((2, 2), True)
    """
    core = _core(model)
    if not 0 <= number <= core:
        raise UsageError(f"Level {number} holds no block; take 0 to {core}.")
    block = _averaged(_joint(model, core), model.lattice.ndim)
    for level in reversed(range(number, core)):
        block = _descended(block, _tables(model, level), model.lattice.ndim)
    return block


@eqx.filter_jit
def exact_free_energy(model: ClassicalMERA) -> Float[Array, ""]:
    """F = E_q[ln q + H] of a MERA of tables, exactly and differentiable, from marginals of blocks alone.

    The negentropy is that of a small torus plus, for every cell of each finer level, E ln p of its new spins
    given what their tables see; the energy needs pairs of neighbours. Raises `UsageError` as
    `local_marginal`.

    >>> ring = ClassicalMERA(Ising(Lattice((8,)), 1.0), reach=None, key=jax.random.key(0))
    >>> bool(exact_free_energy(ring) > -9.13)                               # -ln Z = -9.1226
    True
    """
    core, ndim = _core(model), model.lattice.ndim
    joint = _joint(model, core)
    negentropy = -jnp.sum(jax.scipy.special.entr(joint))
    block = _averaged(joint, ndim)
    for level in reversed(range(core)):
        tables = _tables(model, level)
        cells = model.lattices[level + 1].size
        negentropy = negentropy + cells * _negentropy_of_cell(block, tables, ndim)
        block = _descended(block, tables, ndim)
    return negentropy + _energy(model, block)


def _core(model: ClassicalMERA) -> int:
    """The number of the level whose torus is one block."""
    target, lattices = model.hamiltonian, model.lattices
    ndim, fits = model.lattice.ndim, lattices[-1].shape == (2,) * model.lattice.ndim
    nearest = isinstance(target, Ising) and target.geometry == "hypercubic"
    if model.reach is not None or ndim not in _SIDE or not nearest or not fits:
        raise UsageError(
            f"Exact marginals need tables (reach=None) and an Ising model of nearest neighbours on 2^k or "
            f"2^k x 2^k sites, not reach = {model.reach} and {target.describe()}."
        )
    return next(i for i, lattice in enumerate(lattices) if lattice.shape[0] == _SIDE[ndim])


def _joint(model: ClassicalMERA, level: int) -> Float[Array, "..."]:
    """The distribution of all spins of a small level, one axis per spin."""
    size = model.lattices[level].size
    states = jnp.asarray(configurations(size).T, model.top.dtype)
    return _axes(jnp.exp(model.log_prob_of_level(level, states)))


def _axes(values: Float[Array, " states"]) -> Float[Array, "..."]:
    """An array over states in the order of `configurations` with one axis per spin."""
    count = len(values).bit_length() - 1
    return jnp.transpose(values.reshape((2,) * count), tuple(reversed(range(count))))


def _averaged(joint: Float[Array, "..."], ndim: int) -> Float[Array, "..."]:
    """The mean over all translations of a torus."""
    grid = np.arange(joint.ndim).reshape((_SIDE[ndim],) * ndim)
    shifts = itertools.product(range(_SIDE[ndim]), repeat=ndim)
    moved = [
        jnp.transpose(joint, np.roll(grid, s, axis=tuple(range(ndim))).reshape(-1).tolist()) for s in shifts
    ]
    return sum(moved[1:], moved[0]) / len(moved)


def _tables(model: ClassicalMERA, level: int) -> list[Float[Array, "..."]]:
    """p(spin | context) for each offset of a level, the axis of the spin last."""
    fields = [net.fields for net, _ in model.conditionals(level) if isinstance(net, SpinTable)]
    target = model.hamiltonian
    assert isinstance(target, Ising)
    for _, away in _parents(model.lattice.ndim)[len(fields) :]:  # the heat bath
        coupling = float(target.coupling or 0.0) / target.temperature
        total = coupling * configurations(len(away)).sum(axis=-1) + target.field
        fields.append(jnp.asarray(total, model.top.dtype))
    ups = [_axes(jax.nn.sigmoid(2 * field)) for field in fields]
    return [jnp.stack([up, 1 - up], axis=-1) for up in ups]


@functools.cache
def _parents(ndim: int) -> tuple[tuple[Site, tuple[Site, ...]], ...]:
    """Every offset of a cell in the order of the fills, and where the spins are that its table sees."""
    fills = fill_order(Lattice((8,) * ndim), None, False)
    return tuple((p.offset, tuple(tuple(int(x) for x in step) for step in p.away)) for p in fills)


@dataclass(frozen=True)
class _Cone:
    """Outputs, and the new spins (offset number, site, parents) above them, in a window of kept spins."""

    outputs: tuple[Site, ...]
    factors: tuple[tuple[int, Site, tuple[Site, ...]], ...]


def _cone(outputs: tuple[Site, ...], ndim: int) -> _Cone | None:
    """The causal cone of sites; None where it leaves the window of side 2 (side - 1) + 1."""
    numbers = {offset: (i, away) for i, (offset, away) in enumerate(_parents(ndim))}
    factors: dict[Site, tuple[int, Site, tuple[Site, ...]]] = {}
    waiting, extent = list(outputs), 2 * (_SIDE[ndim] - 1)
    while waiting:
        site = waiting.pop()
        if not all(0 <= x <= extent for x in site):
            return None
        offset = tuple(x % 2 for x in site)
        if offset not in numbers or site in factors:
            continue
        number, away = numbers[offset]
        parents = tuple(tuple(x + d for x, d in zip(site, step, strict=True)) for step in away)
        factors[site] = (number, site, parents)
        waiting += parents
    return _Cone(outputs, tuple(factors.values()))


@functools.cache
def _block_cones(ndim: int) -> tuple[_Cone, ...]:
    """One cone for each of the 2^ndim ways in which a block lies on the cells."""
    found: dict[Site, _Cone] = {}
    for origin in itertools.product(range(_SIDE[ndim]), repeat=ndim):
        inside = itertools.product(range(_SIDE[ndim]), repeat=ndim)
        sites = tuple(tuple(o + i for o, i in zip(origin, step, strict=True)) for step in inside)
        cone = _cone(sites, ndim)
        if cone is not None:
            found.setdefault(tuple(o % 2 for o in origin), cone)
    return tuple(found.values())


@functools.cache
def _parent_cones(ndim: int) -> tuple[_Cone, ...]:
    """For each offset, the cone of what the table of one of its sites sees."""
    found = []
    for offset, away in _parents(ndim):
        for cell in itertools.product(range(_SIDE[ndim]), repeat=ndim):
            site = tuple(2 * c + o for c, o in zip(cell, offset, strict=True))
            cone = _cone(tuple(tuple(x + d for x, d in zip(site, s, strict=True)) for s in away), ndim)
            if cone is not None:
                found.append(cone)
                break
    return tuple(found)


def _marginal(
    block: Float[Array, "..."], tables: list[Float[Array, "..."]], cone: _Cone, ndim: int
) -> Float[Array, "..."]:
    """The distribution of the outputs of a cone, from that of the kept block and the tables."""
    kept = [tuple(2 * x for x in site) for site in itertools.product(range(_SIDE[ndim]), repeat=ndim)]
    labels: dict[Site, int] = {}
    number = lambda sites: [labels.setdefault(site, len(labels)) for site in sites]
    operands: list = [block, number(kept)]
    for offset, site, parents in cone.factors:
        operands += [tables[offset], number((*parents, site))]
    return jnp.einsum(*operands, number(cone.outputs), optimize="greedy")


def _descended(
    block: Float[Array, "..."], tables: list[Float[Array, "..."]], ndim: int
) -> Float[Array, "..."]:
    found = [_marginal(block, tables, cone, ndim) for cone in _block_cones(ndim)]
    return sum(found[1:], found[0]) / len(found)


def _negentropy_of_cell(
    block: Float[Array, "..."], tables: list[Float[Array, "..."]], ndim: int
) -> Float[Array, ""]:
    total = jnp.zeros((), block.dtype)
    for table, cone in zip(tables, _parent_cones(ndim), strict=True):
        seen = _marginal(block, tables, cone, ndim)
        total = total - jnp.sum(seen * jnp.sum(jax.scipy.special.entr(table), axis=-1))
    return total


def _energy(model: ClassicalMERA, block: Float[Array, "..."]) -> Float[Array, ""]:
    target, ndim = model.hamiltonian, model.lattice.ndim
    assert isinstance(target, Ising)
    coupling = float(target.coupling or 0.0) / target.temperature
    total = jnp.zeros((), block.dtype)
    for axis in range(ndim):
        neighbour = _SIDE[ndim] ** (ndim - 1 - axis)
        total = total - coupling * _moment(block, (0, neighbour))
    return model.lattice.size * (total - target.field * _moment(block, (0,)))


def _moment(block: Float[Array, "..."], spins: tuple[int, ...]) -> Float[Array, ""]:
    """The mean of the product of some spins of a block."""
    others = tuple(axis for axis in range(block.ndim) if axis not in spins)
    left = jnp.sum(block, axis=others)
    for _ in spins:
        left = left[0] - left[1]
    return left
