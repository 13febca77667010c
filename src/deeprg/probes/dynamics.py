"""How fast Markov chains forget their start and themselves: latent against physical, beside clusters."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from deeprg.coarsegrain.flow import AbstractFlow, LatentSampler
from deeprg.hamiltonians import AbstractDual, AbstractHamiltonian, ContinuousDual, frustrated
from deeprg.montecarlo import GammaEstimate, gamma_method
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import AbstractSampler, State, build_sampler
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["ChainCourse", "chain_course", "compare_dynamics"]

_FEWEST = 20
_FEWEST_PAIRS = 8
_NUMBERS = 1 << 24  # of configurations in memory together
_ANTICORRELATED = 0.4  # tau_int below which neighbouring steps are averaged


@dataclass(frozen=True)
class ChainCourse:
    """What chains of one algorithm did, update by update.

    `series` has the scalars [updates, chains] of the spins (or of the field, where there are none);
    `acceptance` and `gradients` per update are None for algorithms without; `seconds` is per update of all
    chains. `stationary` is the number of updates taken to be the approach to equilibrium.
    """

    name: str
    series: Mapping[str, np.ndarray]
    stationary: int
    seconds: float
    acceptance: float | None = None
    gradients: float | None = None
    step_size: float | None = None
    divergences: int = 0

    @property
    def updates(self) -> int:
        """How many updates there were."""
        return len(next(iter(self.series.values())))

    @property
    def chains(self) -> int:
        """How many chains there were."""
        return next(iter(self.series.values())).shape[1]

    def mean(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The average over chains after each update and its standard error, [updates] each."""
        values = self.series[name]
        return values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])

    def estimate(self, name: str) -> GammaEstimate:
        """Average and tau_int of the part after `stationary`.

        Trajectories that pass their target make steps anticorrelated, and the window of the Γ-method then
        cuts an alternating sum. Neighbouring steps are averaged until that is over; tau_int stays that of
        single steps.
        """
        values = self.series[name][self.stationary :].T
        averaged, found = values, None
        while found is None:
            pairs = averaged.shape[1] // 2
            try:
                found = gamma_method(averaged)
            except NumericalError:
                if pairs < _FEWEST_PAIRS or np.ptp(values) == 0:
                    raise
            if pairs >= _FEWEST_PAIRS and (found is None or found.tau_int < _ANTICORRELATED):
                averaged = 0.5 * (averaged[:, : 2 * pairs : 2] + averaged[:, 1 : 2 * pairs : 2])
                found = None
        if averaged is values:
            return found
        variance = float(values.var())
        per_error = values.size / (2 * variance)
        return dataclasses.replace(
            found,
            tau_int=found.error**2 * per_error,
            tau_int_error=2 * found.error * found.error_of_error * per_error,
            variance=variance,
            n=values.size,
        )

    def seconds_per_independent_sample(self, name: str) -> float:
        """2 tau_int updates are one independent sample: their time, divided among the chains."""
        return 2 * self.estimate(name).tau_int * self.seconds / self.chains


def chain_course(
    sampler: AbstractSampler,
    state: State,
    updates: int,
    *,
    seed: int,
    stationary: int | None = None,
    dual: AbstractDual | None = None,
) -> ChainCourse:
    """`updates` updates from `state`, a configuration measured after each.

    The first half is left out of averages over equilibrium unless `stationary` says otherwise. Chains of the
    fields of a `dual` are measured by its spins, drawn given the field, as those of spins are.

    Raises `UsageError` for fewer than 20 updates or a `stationary` that leaves fewer than 10.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> sampler = build_sampler("wolff", [Ising(Lattice((8, 8)), temperature=2.5)], chains=20)
    >>> course = chain_course(sampler, sampler.start(seed=0, order="cold"), 200, seed=0)
    >>> course.mean("abs_magnetization")[0][0] > course.estimate("abs_magnetization").mean
    np.True_
    """
    left_out = updates // 2 if stationary is None else stationary
    if updates < _FEWEST or not 0 <= left_out <= updates - _FEWEST // 2:
        raise UsageError(
            f"{updates} updates of which {left_out} are left out are too few for an autocorrelation time; "
            f"take {_FEWEST} or more and leave {_FEWEST // 2}."
        )
    model = sampler.hamiltonians[0] if dual is None else dual.spins
    shape, size = model.lattice.shape, max(_NUMBERS // (sampler.chains * model.lattice.size), 1)
    series: list[dict[str, np.ndarray]] = []
    told: list[tuple[int, dict[str, float]]] = []
    for block, first in enumerate(range(0, updates, size)):
        drawn = sampler.run(state, min(size, updates - first), 1, seed=seed, block=block)
        state, configurations = drawn.state, drawn.configurations[:, 0]
        if dual is not None:
            key = jax.random.fold_in(jax.random.key(seed), block)
            spins = dual.spins_given_fields(jnp.asarray(configurations.reshape(-1, *shape)), key=key)
            configurations = np.asarray(spins).reshape(configurations.shape)
        series.append(measure(model, configurations))
        info = {name: float(values[0]) for name, values in drawn.info.items()}
        told.append((len(configurations), info))

    def averaged(name: str) -> float | None:
        if name not in told[0][1]:
            return None
        return sum(count * info[name] for count, info in told) / updates

    return ChainCourse(
        sampler.name,
        {name: np.concatenate([part[name] for part in series]) for name in series[0]},
        left_out,
        sum(info["seconds"] for _, info in told) / updates,
        averaged("acceptance"),
        averaged("gradients"),
        averaged("step_size"),
        int(sum(info.get("divergences", 0.0) for _, info in told)),
    )


def compare_dynamics(
    flow: AbstractFlow,
    target: AbstractHamiltonian,
    *,
    chains: int,
    updates: int,
    physical_updates: int | None = None,
    tuning: int = 60,
    step_size: float | None = None,
    seed: int = 0,
    cluster_updates: int = 2000,
) -> dict[str, ChainCourse]:
    """HMC in the latents of a flow, HMC in its fields and, for Ising spins, Wolff's algorithm.

    Both HMCs take 10 leapfrog steps, of `step_size` or, where it is None, each of a size tuned to an
    acceptance of 0.8 in `tuning` trajectories from the prior and from normal noise. Then the latents start
    cold, from a tenth of the prior, and the fields disordered, from normal noise, as in arXiv:1802.02840.
    Wolff starts ordered, with as many chains as 16 and `cluster_updates` clusters each.

    Keys: "latent-hmc", "hmc", and "wolff" for the dual of Ising spins without a field.

    Raises as `LatentSampler` and `chain_course` do.
    """
    latent = LatentSampler(flow, target, chains)
    tuned, _ = latent.thermalise(latent.start(seed=seed, order="hot"), tuning, seed=seed)
    dual = target if isinstance(target, AbstractDual) else None
    physical = build_sampler("hmc", [target], chains)
    cold = latent.start(seed=seed, order="cold")
    cold["step_size"] = _fixed(tuned["step_size"], step_size)
    courses = {"latent-hmc": chain_course(latent, cold, updates, seed=seed)}
    state, _ = physical.thermalise(physical.start(seed=seed, order="hot"), tuning, seed=seed)
    start = physical.start(seed=seed + 1, order="hot")
    start["step_size"] = _fixed(state["step_size"], step_size)
    courses["hmc"] = chain_course(physical, start, physical_updates or updates, seed=seed, dual=dual)
    if dual is not None and has_clusters(dual):
        wolff = build_sampler("wolff", [dual.spins], 16)
        ordered = wolff.start(seed=seed, order="cold")
        courses["wolff"] = chain_course(wolff, ordered, cluster_updates, seed=seed)
    return courses


def _fixed(tuned: np.ndarray, step_size: float | None) -> np.ndarray:
    return tuned if step_size is None else np.full_like(tuned, step_size)


def has_clusters(dual: AbstractDual | None) -> bool:
    """Whether Wolff's clusters work for the Ising spins of a dual: no field, no frustration.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> has_clusters(ContinuousDual(Ising.triangular(Lattice((6, 6)), 1.0, coupling=-1.0)))
    False
    """
    return isinstance(dual, ContinuousDual) and dual.ising.field == 0 and not frustrated(dual.ising.bonds())
