"""Markov chains in the latents of a trained flow: Hamiltonian trajectories, redrawn latents, and both."""

import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...hamiltonians import AbstractDual, AbstractHamiltonian
from ...montecarlo.samplers import (
    AbstractSampler,
    Draws,
    Info,
    Start,
    State,
    checked_chains,
    ordered_chains,
    seed_sequence,
)
from ...montecarlo.samplers.trajectories import check_divergences, initial, trajectories, tuned
from ...runs.errors import UsageError, nearest
from ._flow import AbstractFlow
from ._latent_density import LatentDensity

__all__ = ["LATENT_METHODS", "LatentMethod", "LatentSampler"]

_COLD = 0.1
_VALUES = 1 << 12  # latents that move together on a CPU: what their forces need fits into the cache


class LatentMethod(NamedTuple):
    """What one update of a chain is: trajectories or none (by HMC or NUTS), redrawn latents or none.

    >>> LATENT_METHODS["mixed"]
    LatentMethod(trajectory='hmc', redraws=True, summary='HMC trajectories and redrawn latents in turn')
    """

    trajectory: str | None
    redraws: bool
    summary: str


LATENT_METHODS: dict[str, LatentMethod] = {
    "latent-hmc": LatentMethod("hmc", False, "HMC on the target pulled back to the latents"),
    "latent-nuts": LatentMethod("nuts", False, "NUTS on the target pulled back to the latents"),
    "mixed": LatentMethod("hmc", True, "HMC trajectories and redrawn latents in turn"),
    "surrogate": LatentMethod(None, True, "redrawn latents, accepted by the ratio of the weights"),
}


class LatentSampler(AbstractSampler):
    """Chains in the latents z of a flow, which are less correlated than its fields x = T(z).

    One update is, by the method (`LATENT_METHODS`):

    - a trajectory of `steps` leapfrog steps (or of NUTS) on `LatentDensity`, its step size tuned in
      thermalisation;
    - a surrogate move: each latent is drawn anew with probability `redraw`, which keeps the flow's own law
      q, whose -ln q is the surrogate energy; accepted with min(1, w(x')/w(x)), w = exp(-H)/q. With `redraw`
      1 it is independence Metropolis;
    - the one and then the other.

    All leave exp(-H)/Z invariant for any flow. Configurations are fields; for the continuous dual they are
    its spins, drawn given the field (exact), with the spins' Hamiltonian in `hamiltonians`. Chains start from
    the prior ("hot"), from a tenth of that ("cold"), or every other one ("mixed"). At z = 0 itself, the
    watershed between the phases, a flow that has learned both is so steep that no step size is right.

    Raises `UsageError` for an unknown method, fewer steps than one and a `redraw` outside (0, 1]; a run in
    which more than a tenth of the trajectories diverge is a `NumericalError`.

    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> target = GaussianField(Lattice((4, 4)), mass_squared=1.0)
    >>> sampler = LatentSampler(Flow(target.lattice, Chain()), target, chains=64, method="latent-hmc")
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 100, seed=0)
    >>> drawn = sampler.run(state, draws=20, thin=2, seed=0, block=0)
    >>> drawn.configurations.shape, 0.6 < float(drawn.info["acceptance"][0]) < 0.95
    ((20, 1, 64, 4, 4), True)
    """

    def __init__(
        self,
        flow: AbstractFlow,
        hamiltonian: AbstractHamiltonian,
        chains: int,
        *,
        method: str = "latent-hmc",
        steps: int = 10,
        redraw: float = 1.0,
    ):
        if method not in LATENT_METHODS:
            raise UsageError(
                f"There is no method '{method}'.{nearest(method, LATENT_METHODS)} "
                f"Known: {', '.join(LATENT_METHODS)}."
            )
        if steps < 1:
            raise UsageError(f"A trajectory has at least one leapfrog step, not {steps}.")
        if not 0 < redraw <= 1:
            raise UsageError(f"The share of latents that are redrawn is {redraw}; it must be in (0, 1].")
        self.name, self.steps, self.redraw = method, steps, redraw
        self.density = LatentDensity(flow, hamiltonian)
        self.dual = hamiltonian if isinstance(hamiltonian, AbstractDual) else None
        self.hamiltonians = (hamiltonian if self.dual is None else self.dual.spins,)
        self.chains = checked_chains(chains)
        self.together = _group(chains, hamiltonian.lattice.size) if jax.default_backend() == "cpu" else None

    @property
    def method(self) -> LatentMethod:
        """What one update is."""
        return LATENT_METHODS[self.name]

    def start(self, *, seed: int, order: Start) -> State:
        """Latents from the prior or a tenth of that, and their density."""
        hot = self.density.draw(key=self._key(seed, -2), count=self.chains)
        ordered = ordered_chains(order, self.chains).reshape(-1, *(1 for _ in hot.shape[1:]))
        states = self._initial(jnp.where(jnp.asarray(ordered), _COLD * hot, hot))
        return self._stored(states, 0.1, self._configurations(states.position, key=self._key(seed, -3)))

    @property
    def suggested_thermalisation(self) -> int:
        """Updates to tune the step size and forget the start."""
        return 100

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """Updates in which the step size is tuned to an acceptance of 0.8."""
        key, states, step_size = self._key(seed, -1), _restored(state), float(state["step_size"][0])
        info = {}
        if self.method.trajectory is not None:
            states, step_size, acceptance = tuned(
                self.density, states, step_size, updates, key=key, **self._options
            )
            info = {"acceptance": np.full(1, acceptance), "step_size": np.full(1, step_size)}
        if self.method.redraws:
            for update in range(updates):
                states, _ = self._redrawn(jax.random.fold_in(key, updates + update), states)
        return self._stored(states, step_size, state["configurations"][0]), info

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        key, states = self._key(seed, block), _restored(state)
        step_size = jnp.asarray(state["step_size"][0])
        moves, fields = jax.random.split(key)
        totals, accepted, kept = np.zeros(3), 0.0, []
        # without redraws in between, the trajectories of a draw are one call
        rounds, count = (thin, 1) if self.method.redraws else (1, thin)
        begun = time.perf_counter()
        for draw in range(draws):
            here = jax.random.fold_in(moves, draw)
            for update in range(rounds):
                one = jax.random.fold_in(here, update)
                if self.method.trajectory is not None:
                    states, some = trajectories(
                        self.density, states, step_size, count, key=one, **self._options
                    )
                    totals += np.asarray(some, float)
                if self.method.redraws:
                    states, moved = self._redrawn(jax.random.fold_in(one, 1), states)
                    accepted += float(moved)
            kept.append(self._configurations(states.position, key=jax.random.fold_in(fields, draw)))
        seconds = time.perf_counter() - begun
        updates = draws * thin * self.chains
        info = {"updates": np.full(1, float(updates)), "seconds": np.full(1, seconds)}
        if self.method.trajectory is not None:
            check_divergences(totals[1], updates, f"{self.name} on {self.density.hamiltonian.describe()}")
            info["acceptance"] = totals[:1] / updates
            info["divergences"] = totals[1:2]
            info["gradients"] = totals[2:3] / updates
            info["step_size"] = np.asarray(state["step_size"], float)
        if self.method.redraws:
            info["redraw_acceptance"] = np.full(1, accepted / updates)
        after = self._stored(states, state["step_size"][0], kept[-1])
        return Draws(after, np.stack(kept)[:, None], info)

    @property
    def _options(self) -> dict[str, Any]:
        nuts = self.method.trajectory == "nuts"
        return {"nuts": nuts, "steps": self.steps, "together": self.together}

    def _initial(self, latents: Array) -> Any:
        return initial(self.density, latents, together=self.together)

    def _redrawn(self, key: PRNGKeyArray, states: Any) -> tuple[Any, Array]:
        """The states after a surrogate move, and how many chains accepted it."""
        draw_key, share_key, accept_key = jax.random.split(key, 3)
        latents = self.density.draw(key=draw_key, count=self.chains)
        if self.redraw < 1:
            fresh = jax.random.bernoulli(share_key, self.redraw, latents.shape)
            latents = jnp.where(fresh, latents, states.position)
        return _accepted(accept_key, self.density, states, self._initial(latents))

    def _configurations(self, latents: Float[Array, "n *lattice"], *, key: PRNGKeyArray) -> np.ndarray:
        element_key, spin_key = jax.random.split(key)
        x = self.density.fields(latents, key=element_key)
        return (
            np.asarray(x) if self.dual is None else np.asarray(self.dual.spins_given_fields(x, key=spin_key))
        )

    def _stored(self, states: Any, step_size: Any, configurations: np.ndarray) -> State:
        return {
            "configurations": configurations[None],
            "latents": np.asarray(states.position)[None],
            "log_density": np.asarray(states.logdensity)[None],
            "force": np.asarray(states.logdensity_grad)[None],
            "step_size": np.full(1, step_size, states.position.dtype),
        }

    def _key(self, seed: int, block: int) -> PRNGKeyArray:
        return jax.random.key(seed_sequence([self.density.hamiltonian], seed, 6, block).generate_state(1)[0])


def _group(chains: int, sites: int) -> int:
    """How many chains move together: a divisor of all, with latents that fit into the cache."""
    most = max(_VALUES // sites, 1)
    return next(n for n in range(min(most, chains), 0, -1) if chains % n == 0)


def _restored(state: State) -> Any:
    from blackjax.mcmc.hmc import HMCState

    parts: list[Any] = [jnp.asarray(state[name][0]) for name in ("latents", "log_density", "force")]
    return HMCState(*parts)


@eqx.filter_jit
def _accepted(key: PRNGKeyArray, density: LatentDensity, states: Any, proposed: Any) -> tuple[Any, Array]:
    """Metropolis between the states and proposals that keep the prior: accepted by the ratio of weights."""
    old = states.logdensity - density.log_prior(states.position)
    new = proposed.logdensity - density.log_prior(proposed.position)
    accept = jnp.log(jax.random.uniform(key, old.shape, old.dtype)) < new - old
    chosen = jax.tree.map(
        lambda a, b: jnp.where(accept.reshape(-1, *(1 for _ in a.shape[1:])), b, a), states, proposed
    )
    return chosen, jnp.sum(accept)
