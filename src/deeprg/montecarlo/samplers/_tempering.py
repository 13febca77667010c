"""Parallel tempering: chains at neighbouring temperatures exchange their configurations."""

import functools
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.runs.errors import UsageError

from ._base import Draws, Start, State, seed_sequence
from ._local import Metropolis, _sweeps, _to_grid, _to_sites
from ._local_rules import Rule

__all__ = ["Tempering"]


class Tempering(Metropolis):
    """Parallel tempering: a Metropolis sweep at every temperature, then exchanges of neighbours.

    Neighbouring temperatures i, j of one chain swap their configurations with probability
    min(1, exp(H_i(x_i) + H_j(x_j) - H_i(x_j) - H_j(x_i))), even and odd pairs in turn (Hukushima and Nemoto,
    J. Phys. Soc. Jpn. 65, 1604 (1996), cond-mat/9512035). A configuration stuck in a valley travels to high
    temperature and back: for frustrated and random couplings, where clusters fail. `info` has
    `swap_acceptance`, the accepted fraction between a temperature and the next (nan at the last); below about
    0.2 the grid is too coarse. One update is a sweep with its exchange.

    Raises `UsageError` for fewer than two temperatures, temperatures that do not increase, and models without
    a temperature.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> models = [Ising(Lattice((4, 4)), temperature=t) for t in (1.0, 1.5, 2.0, 2.5)]
    >>> sampler = Tempering(models, chains=16)
    >>> state, info = sampler.thermalise(sampler.start(seed=0, order="hot"), 400, seed=0)
    >>> bool((info["swap_acceptance"][:-1] > 0.3).all())
    True
    """

    name = "tempering"

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int):
        temperatures = [getattr(h, "temperature", None) for h in hamiltonians]
        if any(t is None for t in temperatures):
            raise UsageError(
                f"{type(hamiltonians[0]).__name__} has no temperature to exchange. Take 'metropolis', 'nuts' "
                "or, for phi^4, 'embedded-wolff'."
            )
        if len(temperatures) < 2:
            raise UsageError(
                "Tempering exchanges configurations between temperatures: give a grid of two or more, for "
                "example --temperature 1.0:2.0:0.1, or take 'metropolis'."
            )
        if np.any(np.diff(np.asarray(temperatures, float)) <= 0):
            raise UsageError(f"The temperatures of a tempering must increase, but they are {temperatures}.")
        super().__init__(hamiltonians, chains)

    def start(self, *, seed: int, order: Start) -> State:
        """As for Metropolis, and `walker`: which configuration sits at which temperature."""
        state = super().start(seed=seed, order=order)
        walker = np.repeat(np.arange(len(self.hamiltonians), dtype=np.int32)[:, None], self.chains, axis=1)
        return {**state, "walker": walker}

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        key = jax.random.key(seed_sequence(self.hamiltonians, seed, 3, block).generate_state(1)[0])
        count, size = len(self.hamiltonians), int(np.prod(self.shape))
        values = _to_sites(state["configurations"], count, self.chains, size, self.rule)
        walker = jnp.asarray(state["walker"])
        neighbours = jnp.asarray(self.neighbours)
        parameters = self._parameters(state)
        totals = (jnp.zeros(count, jnp.float32), jnp.zeros(count, jnp.float32))
        kept = []
        begun = time.perf_counter()
        for draw in range(draws):
            (values, walker), totals = _tempered(
                jax.random.fold_in(key, draw),
                (values, walker),
                totals,
                np.int32(thin),
                self._tables,
                neighbours,
                parameters,
                rule=self.rule,
            )
            kept.append(_to_grid(values, self.shape, rule=self.rule))
        configurations = np.stack([np.asarray(field) for field in kept])
        info = self._info(np.asarray(totals[0]), draws * thin, time.perf_counter() - begun)
        swaps = np.asarray(totals[1], float) / (0.5 * draws * thin * self.chains)
        swaps[-1] = np.nan
        after = {**state, "configurations": configurations[-1], "walker": np.asarray(walker)}
        return Draws(after, configurations, {**info, "swap_acceptance": swaps})


@functools.partial(jax.jit, static_argnames=("rule",))
def _tempered(
    key: PRNGKeyArray,
    state: tuple[Array, Array],
    totals: tuple[Array, Array],
    count: Array,
    tables: list[tuple[Array, Array]],
    neighbours: Array,
    parameters: dict[str, Any],
    *,
    rule: Rule,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`count` sweeps with an exchange after each; the totals are moved sites and accepted swaps, [T]."""
    temperatures = state[0].shape[1]
    index = np.arange(temperatures)
    partners = [index ^ 1, ((index + 1) ^ 1) - 1]  # pairs (0, 1), (2, 3) ..., then (1, 2), (3, 4) ...
    partners = jnp.asarray(np.stack([np.where((p < 0) | (p >= temperatures), index, p) for p in partners]))
    energy = rule.energy
    assert energy is not None, "only models with a temperature come here"

    def update(i, carry):
        (values, walker), (moved, swapped) = carry
        sweep_key, swap_key = jax.random.split(jax.random.fold_in(key, i))
        values, some = _sweeps(sweep_key, values, np.int32(1), tables, parameters, rule=rule)
        first, partner_key = jax.random.split(swap_key)
        partner = partners[jax.random.bernoulli(partner_key).astype(jnp.int32)]
        other = values[:, partner]
        own = energy(values, values[neighbours], parameters)
        crossed = energy(other, other[neighbours], parameters)
        gain = own + own[partner] - crossed - crossed[partner]
        log_u = -jax.random.exponential(first, gain.shape, gain.dtype)
        lower = jnp.minimum(jnp.arange(temperatures), partner)
        accept = (log_u[lower] < gain) & (partner != jnp.arange(temperatures))[:, None]
        values = jnp.where(accept[None], other, values)
        walker = jnp.where(accept, walker[partner], walker)
        upward = accept & (partner > jnp.arange(temperatures))[:, None]
        return (values, walker), (moved + some, swapped + jnp.sum(upward.astype(jnp.float32), axis=1))

    return jax.lax.fori_loop(0, count, update, (state, totals))
