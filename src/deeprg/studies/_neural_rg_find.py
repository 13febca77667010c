"""Settings of the study of NeuralRG, its flows, and all that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
import pydantic

from deeprg.coarsegrain.flow import AbstractFlow, draw, pull
from deeprg.exact import Reference, reference
from deeprg.hamiltonians import AbstractHamiltonian, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import ImportanceSummary, importance_summary
from deeprg.probes import (
    ChainCourse,
    InformationMaps,
    KernelSet,
    LatentCorrelations,
    LatentReach,
    RenormalisedLevel,
    compare_dynamics,
    gradient_kernels,
    information_maps,
    latent_correlations,
    latent_reach,
    renormalised_levels,
    target_fields,
)
from deeprg.runs.schema import Config
from deeprg.studies._flows import trained_flow

__all__ = ["Findings", "Settings", "Trained", "find"]

_CLUSTERS = 20_000  # of each of 16 chains
_PROBED = 128  # latent configurations over which the reach of every latent is averaged


class Settings(Config):
    """Lattice, trainings, samples, chains."""

    seed: int = pydantic.Field(0, ge=0)
    size: int = pydantic.Field(8, ge=4, le=64, description="L of the L x L lattice")
    steps: int = pydantic.Field(600, ge=1, description="of training of the default flow")
    original_steps: int = pydantic.Field(800, ge=1, description="of training of the original flow")
    temperatures: list[float] = pydantic.Field(
        [2.0, 2.7], description="besides the critical one, for the flow of couplings"
    )
    samples: int = pydantic.Field(100_000, ge=1000, description="draws that judge a flow")
    fields: int = pydantic.Field(20_000, ge=3000, description="fields of the target for information")
    kernels: int = pydantic.Field(2000, ge=100, description="latents over which kernels are averaged")
    chains: int = pydantic.Field(256, ge=8)
    updates: int = pydantic.Field(200, ge=40, description="trajectories in the latents")
    physical_updates: int = pydantic.Field(2000, ge=490, description="trajectories of the field")
    coarse_fields: int = pydantic.Field(1000, ge=400, description="at each level, for the couplings")


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained flow and the weights of its draws."""

    name: str
    flow: AbstractFlow
    target: AbstractHamiltonian
    exact: Reference
    summary: ImportanceSummary

    @property
    def gap(self) -> float:
        """F + ln Z in nats."""
        return self.summary.free_energy - self.exact.free_energy


@dataclass
class Findings:
    """Everything that was measured. `information`, `correlations`, `kernels`, `reach` by the flow's name."""

    settings: Settings
    flows: dict[str, Trained] = field(default_factory=dict)
    information: dict[str, InformationMaps] = field(default_factory=dict)
    correlations: dict[str, LatentCorrelations] = field(default_factory=dict)
    kernels: dict[str, KernelSet] = field(default_factory=dict)
    reach: dict[str, LatentReach] = field(default_factory=dict)
    courses: dict[str, ChainCourse] = field(default_factory=dict)
    couplings: dict[str, Sequence[RenormalisedLevel]] = field(default_factory=dict)

    @property
    def mean_square(self) -> tuple[float, float]:
        """⟨m²⟩ of the target and its error: exact where it is known, else of the clusters."""
        known = self.flows["default"].exact.observables.get("magnetization_squared")
        if known is not None:
            return known, 0.0
        estimate = self.courses["wolff"].estimate("magnetization_squared")
        return estimate.mean, estimate.error


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Train the flows and measure them."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 64))
    found = Findings(settings)
    lattice = Lattice((settings.size, settings.size))
    critical = build_hamiltonian("ising", lattice, temperature="critical")
    for name, steps in (("default", settings.steps), ("original", settings.original_steps)):
        say(f"flow {name}, {steps} steps")
        flow = trained_flow(critical, steps=steps, preset=name, name=name, say=say, key=next(keys))
        found.flows[name] = _judged(name, flow, critical, settings.samples, next(keys))
    say(f"{settings.fields} fields of the target, by clusters")
    fields = target_fields(critical, settings.fields, seed=settings.seed)
    for name, trained in found.flows.items():
        say(f"latents of flow {name}: information, correlations, kernels")
        found.information[name] = information_maps(trained.flow, fields)
        latents = np.asarray(pull(trained.flow, fields)[0])
        found.correlations[name] = latent_correlations(latents)
        found.kernels[name] = gradient_kernels(trained.flow, latents[..., : settings.kernels])
        found.reach[name] = latent_reach(trained.flow, latents[..., :_PROBED])
    main = found.flows["default"]
    say("chains in latents and in fields, from cold latents and noise")
    found.courses = compare_dynamics(
        main.flow,
        critical,
        chains=settings.chains,
        updates=settings.updates,
        physical_updates=settings.physical_updates,
        cluster_updates=_CLUSTERS,
        seed=settings.seed,
    )
    flows = {"T_c": main.flow}
    targets = {"T_c": critical}
    for temperature in settings.temperatures:
        name = f"T = {temperature:g}"
        say(f"flow at {name}, {settings.steps} steps")
        targets[name] = build_hamiltonian("ising", lattice, temperature=temperature)
        flows[name] = trained_flow(targets[name], steps=settings.steps, name=name, say=say, key=next(keys))
    for name, flow in flows.items():
        say(f"renormalised energies at {name}")
        found.couplings[name] = renormalised_levels(
            flow, targets[name], n=settings.coarse_fields, key=next(keys)
        )
    return found


def _judged(
    name: str, flow: AbstractFlow, target: AbstractHamiltonian, samples: int, key: jax.Array
) -> Trained:
    exact = reference(target)
    assert exact is not None  # the square lattice in two dimensions has Kaufman's formula
    drawn = draw(flow, target, samples, key=key)
    return Trained(name, flow, target, exact, importance_summary(drawn.log_weights))
