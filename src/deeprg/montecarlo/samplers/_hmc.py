"""Hamiltonian Monte Carlo for continuous fields, by blackjax: HMC and NUTS with step-size adaptation."""

import time
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.hamiltonians import XY, AbstractDual, AbstractHamiltonian, GaussianField, Phi4
from deeprg.runs.errors import NumericalError, UsageError

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
from .trajectories import check_divergences, initial, trajectories, tuned

__all__ = ["HMC", "NUTS"]


class _Boltzmann(eqx.Module):
    """ln of exp(-H(x))."""

    hamiltonian: AbstractHamiltonian

    def __call__(self, x: Array) -> Array:
        return -self.hamiltonian.energy(x)


class _HamiltonianSampler(AbstractSampler):
    """What HMC and NUTS share: momenta of unit mass, one step size for all chains."""

    target: float

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int):
        self.hamiltonians = tuple(hamiltonians)
        self.chains = checked_chains(chains)
        self.shape = fixed_shape(self.hamiltonians)
        if len(self.hamiltonians) != 1:
            raise UsageError(f"{self.name} runs one Hamiltonian at a time, not {len(self.hamiltonians)}.")
        if not isinstance(self.hamiltonians[0], Phi4 | GaussianField | AbstractDual | XY):
            raise UsageError(
                f"{self.name} needs a continuous field; {type(self.hamiltonians[0]).__name__} is discrete. "
                "Take 'metropolis', 'heat-bath' or a cluster algorithm, or the continuous dual of the spins."
            )

    def start(self, *, seed: int, order: Start) -> State:
        """Normal noise, or a constant field."""
        rng = np.random.default_rng(seed_sequence(self.hamiltonians, seed, 5))
        dtype = jnp.result_type(float)
        shape = (1, self.chains, *self.shape)
        ordered = ordered_chains(order, self.chains).reshape(1, -1, *(1 for _ in self.shape))
        fields = np.where(ordered, 1.0, rng.normal(size=shape)).astype(dtype)
        return {"configurations": fields, "step_size": np.full(1, 0.1, dtype)}

    @property
    def suggested_thermalisation(self) -> int:
        """Trajectories to tune the step size and forget the start."""
        return 500

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """Trajectories whose acceptance tunes the step size by dual averaging (Hoffman and Gelman 2014)."""
        states = initial(self._density, jnp.asarray(state["configurations"][0]))
        states, step_size, acceptance = tuned(
            self._density,
            states,
            float(state["step_size"][0]),
            updates,
            key=self._key(seed, -1),
            target=self.target,
            nuts=self.name == "nuts",
        )
        self._check(states.position)
        after = {
            "configurations": np.asarray(states.position)[None],
            "step_size": np.full(1, step_size, states.position.dtype),
        }
        return after, {"acceptance": np.full(1, acceptance), "step_size": np.full(1, step_size)}

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        key = self._key(seed, block)
        states = initial(self._density, jnp.asarray(state["configurations"][0]))
        step_size = jnp.asarray(state["step_size"][0])
        totals = np.zeros(3)
        kept = []
        jax.block_until_ready(self._advance(key, states, step_size, 0))  # compiled now
        begun = time.perf_counter()
        for draw in range(draws):
            states, some = self._advance(jax.random.fold_in(key, draw), states, step_size, thin)
            totals += np.asarray(some, float)
            kept.append(np.asarray(states.position))
        seconds = time.perf_counter() - begun
        self._check(states.position)
        count = draws * thin * self.chains
        check_divergences(totals[1], count, f"{self.name} on {self.hamiltonians[0].describe()}")
        configurations = np.stack(kept)[:, None]
        if isinstance(self.hamiltonians[0], XY):  # the angle is only defined up to full turns
            configurations = np.mod(configurations + np.pi, 2 * np.pi) - np.pi
        info = {
            "acceptance": totals[:1] / count,
            "divergences": totals[1:2],
            "gradients": totals[2:3] / count,
            "step_size": np.asarray(state["step_size"], float),
            "updates": np.full(1, float(count)),
            "seconds": np.full(1, seconds),
        }
        return Draws({**state, "configurations": configurations[-1]}, configurations, info)

    def _advance(self, key: PRNGKeyArray, states: Any, step_size: Array, count: int) -> tuple[Any, Array]:
        nuts = self.name == "nuts"
        return trajectories(self._density, states, step_size, count, key=key, nuts=nuts)

    @property
    def _density(self) -> "_Boltzmann":
        return _Boltzmann(self.hamiltonians[0])

    def _key(self, seed: int, block: int) -> PRNGKeyArray:
        return jax.random.key(seed_sequence(self.hamiltonians, seed, 4, block).generate_state(1)[0])

    def _check(self, positions: Array) -> None:
        if not bool(jnp.isfinite(positions).all()):
            raise NumericalError(
                f"{self.name} left the finite numbers on {self.hamiltonians[0].describe()}. "
                "Thermalise longer, or take 'metropolis'."
            )


class HMC(_HamiltonianSampler):
    """Hybrid Monte Carlo: trajectories of 10 leapfrog steps, accepted with probability min(1, exp(-dE)).

    For phi^4, the Gaussian field, the continuous dual of spins, XY angles. Momenta have unit mass (on a
    translation-invariant lattice a diagonal mass matrix can do no more); thermalisation tunes the step size
    to an acceptance of 0.8, and each trajectory takes it with a factor from 0.8 to 1.2, so that no mode
    of the field returns to itself. `info` has the acceptance, the number of divergent trajectories (energy
    error above 1000) and gradients per trajectory. One update is a trajectory.

    Raises `UsageError` for discrete models and several Hamiltonians at once.

    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> sampler = HMC([GaussianField(Lattice((4, 4)), mass_squared=1.0)], chains=64)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 200, seed=0)
    >>> drawn = sampler.run(state, draws=20, thin=2, seed=0, block=0)
    >>> 0.6 < float(drawn.info["acceptance"][0]) < 0.95, float(drawn.info["divergences"][0])
    (True, 0.0)
    """

    name = "hmc"
    target = 0.8


class NUTS(_HamiltonianSampler):
    """The no-U-turn sampler (Hoffman and Gelman, arXiv:1111.4246): HMC that chooses its trajectory length.

    As `HMC` otherwise, with a target acceptance of 0.8. Chains that run together wait for the longest
    trajectory.

    >>> from deeprg.hamiltonians import Phi4
    >>> from deeprg.lattice import Lattice
    >>> sampler = NUTS([Phi4(Lattice((4, 4)), mass_squared=1.0, quartic=1.0)], chains=16)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 200, seed=0)
    >>> drawn = sampler.run(state, draws=5, thin=1, seed=0, block=0)
    >>> drawn.configurations.shape, bool(drawn.info["gradients"][0] >= 1)
    ((5, 1, 16, 4, 4), True)
    """

    name = "nuts"
    target = 0.8
