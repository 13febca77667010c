"""Metropolis and heat bath, site by site, in JAX: all chains and temperatures at once, on CPU or GPU."""

import functools
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.hamiltonians import XY, AbstractHamiltonian, Potts
from deeprg.runs.errors import UsageError

from ._base import (
    AbstractSampler,
    Draws,
    Info,
    Start,
    State,
    checked_chains,
    fixed_shape,
    ordered_chains,
    seed_sequence,
)
from ._colouring import colour_classes
from ._local_rules import Rule, parameters_of, rule_for

__all__ = ["HeatBath", "Metropolis"]

_TARGET = 0.5  # acceptance that the proposal width aims at
_ADAPTATIONS = 20


class _LocalSampler(AbstractSampler):
    """What Metropolis and heat bath share: a sweep goes through the sites colour by colour."""

    batched = True
    moves: str  # of a site: metropolis or heat-bath

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int):
        self.hamiltonians = tuple(hamiltonians)
        self.chains = checked_chains(chains)
        self.shape = fixed_shape(self.hamiltonians)
        rule = rule_for(self.hamiltonians[0], self.moves)
        if rule is None:
            raise UsageError(
                f"There is no {self.name} for {type(self.hamiltonians[0]).__name__}. "
                f"{_ALTERNATIVE.get(self.name, _NO_SITE_MOVES)}"
            )
        self.rule = rule
        self.neighbours, self.parameters = parameters_of(self.hamiltonians)
        self.classes = colour_classes(self.neighbours)

    def start(self, *, seed: int, order: Start) -> State:
        """All spins equal, or drawn at random."""
        first, count = self.hamiltonians[0], len(self.hamiltonians)
        rng = np.random.default_rng(seed_sequence(self.hamiltonians, seed, 1))
        shape = (count, self.chains, *self.shape)
        if isinstance(first, Potts):
            hot, cold = rng.integers(0, first.states, shape, np.int8), np.zeros(shape, np.int8)
        elif isinstance(first, XY):
            hot, cold = rng.uniform(-np.pi, np.pi, shape).astype(np.float32), np.zeros(shape, np.float32)
        elif self.rule.width:
            hot, cold = rng.normal(size=shape).astype(np.float32), np.ones(shape, np.float32)
        else:
            hot, cold = rng.choice(np.array([-1, 1], np.int8), shape), np.ones(shape, np.int8)
        ordered = ordered_chains(order, self.chains).reshape(1, -1, *(1 for _ in self.shape))
        state = {"configurations": np.where(ordered, cold, hot)}
        if self.rule.width:
            state["width"] = np.ones(count, np.float32)
        return state

    @property
    def suggested_thermalisation(self) -> int:
        """Ten relaxation times of a critical system, about L^2 sweeps, within bounds."""
        return int(np.clip(10 * max(self.shape) ** 2, 200, 20_000))

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """Sweeps that adapt the width of the proposals, where there is one, to half acceptance."""
        if not self.rule.width:
            return super().thermalise(state, updates, seed=seed)
        info: Info = {}
        for part in range(_ADAPTATIONS):
            drawn = self.run(state, 1, max(updates // _ADAPTATIONS, 1), seed=seed, block=-1 - part)
            state, info = dict(drawn.state), drawn.info
            if part < _ADAPTATIONS - 5:  # the last quarter settles at the final width
                factor = np.clip(info["acceptance"] / _TARGET, 0.5, 2.0)
                state["width"] = (state["width"] * factor).astype(np.float32)
                if isinstance(self.hamiltonians[0], XY):
                    state["width"] = np.minimum(state["width"], np.float32(np.pi))
        return state, info

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        key = jax.random.key(seed_sequence(self.hamiltonians, seed, 2, block).generate_state(1)[0])
        count, size = len(self.hamiltonians), int(np.prod(self.shape))
        values = _to_sites(state["configurations"], count, self.chains, size, self.rule)
        parameters = self._parameters(state)
        kept, moved = [], jnp.zeros((count,), jnp.float32)
        ready = _sweeps(key, values, np.int32(0), self._tables, parameters, rule=self.rule)  # compiled now
        jax.block_until_ready((ready, _to_grid(values, self.shape, rule=self.rule)))
        begun = time.perf_counter()
        for draw in range(draws):
            values, some = _sweeps(
                jax.random.fold_in(key, draw),
                values,
                np.int32(thin),
                self._tables,
                parameters,
                rule=self.rule,
            )
            moved = moved + some
            kept.append(_to_grid(values, self.shape, rule=self.rule))
        configurations = np.stack([np.asarray(field) for field in kept])
        seconds = time.perf_counter() - begun
        after = {**state, "configurations": configurations[-1]}
        return Draws(after, configurations, self._info(np.asarray(moved), draws * thin, seconds))

    def _parameters(self, state: State) -> dict[str, Any]:
        if not self.rule.width:
            return self.parameters
        return {**self.parameters, "width": jnp.asarray(state["width"])[None, :, None]}

    @functools.cached_property
    def _tables(self) -> list[tuple[Array, Array]]:
        """For every colour its sites and their neighbours."""
        return [(jnp.asarray(sites), jnp.asarray(self.neighbours[sites])) for sites in self.classes]

    def _info(self, moved: np.ndarray, updates: int, seconds: float) -> dict[str, np.ndarray]:
        count = len(self.hamiltonians)
        return {
            "acceptance": moved.astype(float) / (updates * self.chains * np.prod(self.shape)),
            "updates": np.full(count, float(updates * self.chains)),
            "seconds": np.full(count, seconds / count),
        }


class Metropolis(_LocalSampler):
    """Metropolis: a move per site, accepted with probability min(1, exp(-dH)); one update is a sweep.

    Ising spins flip, Potts spins try another state, both accepted with 15/16 of that probability: sweeps that
    make every free move are not ergodic, since states in which all moves are free repeat for ever. XY angles
    and scalar fields move within a width that thermalisation tunes to half acceptance; for XY an
    overrelaxation step, which mirrors every spin on its local field, follows each sweep. Sites of one colour
    are updated together (two colours on even bipartite lattices, more on odd or triangular ones), for all
    chains and temperatures at once.

    Raises `UsageError` for a model it does not know (dimers).

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> model = Ising(Lattice((8, 8)), temperature=2.0)
    >>> sampler = Metropolis([model], chains=64)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 500, seed=0)
    >>> spins = sampler.run(state, draws=10, thin=10, seed=0, block=0).configurations
    >>> spins.shape, round(float(abs(spins.mean(axis=(-2, -1))).mean()), 1)
    ((10, 1, 64, 8, 8), 0.9)
    """

    name = moves = "metropolis"


class HeatBath(_LocalSampler):
    """Heat bath (Glauber): every spin is drawn anew given its neighbours; one update is a sweep.

    For Ising models with any pair couplings and field, and for Potts models. p(s_i = +1) =
    1/(1 + exp(-2 (sum_j J_ij s_j + h))). Raises `UsageError` for other models.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> sampler = HeatBath([Ising(Lattice((8, 8)), temperature=2.0, field=0.1)], chains=64)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 500, seed=0)
    >>> spins = sampler.run(state, draws=10, thin=10, seed=0, block=0).configurations
    >>> round(float(spins.mean()), 2)
    0.95
    """

    name = moves = "heat-bath"


_NO_SITE_MOVES = "Dimers have the algorithm 'worm'."
_ALTERNATIVE = {
    "heat-bath": "Take 'metropolis', or a cluster algorithm or 'hmc' for continuous fields.",
}


@functools.partial(jax.jit, static_argnames=("rule",))
def _sweeps(
    key: PRNGKeyArray,
    values: Array,
    count: Array,
    tables: list[tuple[Array, Array]],
    parameters: dict[str, Any],
    *,
    rule: Rule,
) -> tuple[Array, Array]:
    """`count` sweeps of the values [sites, T, C]; also how many sites moved, [T]."""

    def pick(sites: Array) -> dict[str, Any]:
        couplings = parameters.get("couplings")
        if couplings is None or couplings.shape[0] == 1:
            return parameters
        return {**parameters, "couplings": couplings[sites]}

    def sweep(i, carry):
        values, moved = carry
        keys = jax.random.split(jax.random.fold_in(key, i), len(tables))
        for colour, (sites, neighbours) in enumerate(tables):
            new, did = rule.update(keys[colour], values[sites], values[neighbours], pick(sites))
            values = values.at[sites].set(new)
            moved = moved + jnp.sum(did.astype(jnp.float32), axis=(0, 2))
        if rule.relax is not None:
            for sites, neighbours in tables:
                new = rule.relax(values[sites], values[neighbours], pick(sites))
                values = values.at[sites].set(new)
        return values, moved

    return jax.lax.fori_loop(0, count, sweep, (values, jnp.zeros(values.shape[1], jnp.float32)))


def _to_sites(configurations: np.ndarray, count: int, chains: int, size: int, rule: Rule) -> Array:
    """[T, C, *shape] as the rule's values [sites, T, C]."""
    return rule.encode(jnp.asarray(np.moveaxis(configurations.reshape(count, chains, size), -1, 0)))


@functools.partial(jax.jit, static_argnames=("shape", "rule"))
def _to_grid(values: Array, shape: tuple[int, ...], *, rule: Rule) -> Array:
    """The rule's values [sites, T, C] as configurations [T, C, *shape]."""
    return rule.decode(jnp.moveaxis(values, 0, -1).reshape(*values.shape[1:], *shape))
