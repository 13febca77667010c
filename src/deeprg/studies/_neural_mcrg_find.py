"""Settings of the study of neural Monte Carlo RG, and all that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pydantic

from deeprg.coarsegrain import AbstractCoarseGraining, Decimation, Majority, SpinFilter
from deeprg.coarsegrain.boltzmann import FilterMachine, fit_filter
from deeprg.coarsegrain.information import BlockReader, Surroundings, fit_rsmi, retained_information
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.lattice import Lattice
from deeprg.montecarlo.information import InformationEstimate
from deeprg.probes import Stability, monte_carlo_rg, most_steps
from deeprg.runs.schema import Config
from deeprg.studies._spins import ising_data
from deeprg.train import Plan

__all__ = ["CRITICAL", "HOT", "UNTRAINED", "Findings", "Settings", "find"]

CRITICAL, HOT, UNTRAINED = "trained at T_c", "trained at T = 4", "at random"
_HOT = 4.0
_BUFFER, _ENVIRONMENT = 1, 2


class Settings(Config):
    """Lattice, filter, trainings, samples."""

    seed: int = pydantic.Field(0, ge=0)
    size: int = pydantic.Field(16, ge=16, le=64, description="L of the L x L lattice, a power of 2")
    samples: int = pydantic.Field(40_000, ge=2000, description="critical configurations that judge")
    training: int = pydantic.Field(10_000, ge=1000, description="configurations to train on")
    side: int = pydantic.Field(4, ge=2, le=8, description="of the filter")
    steps: int = pydantic.Field(3000, ge=1, description="of contrastive divergence, batches of 50")
    learning_rate: float = pydantic.Field(1e-2, gt=0)
    even: int = pydantic.Field(4, ge=1, le=7, description="operators for y_T")
    odd: int = pydantic.Field(2, ge=1, le=4, description="operators for y_H")
    search: int = pydantic.Field(1500, ge=1, description="steps of the search for the most information")

    @pydantic.field_validator("size")
    @classmethod
    def _power(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of 2, for the rules halve it")
        return value


@dataclass
class Findings:
    """Everything that was measured, by the rule's name."""

    settings: Settings
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    exponents: dict[str, Sequence[Stability]] = field(default_factory=dict)
    information: dict[str, InformationEstimate] = field(default_factory=dict)

    @property
    def judged(self) -> str:
        """The step at which exponents are read: the second, away from the start and from the end."""
        half = self.settings.size // 2
        return str(Lattice((half, half)))

    def leading(self, rule: str, *, odd: bool) -> tuple[float, float]:
        """The exponent with all operators at that step, and its error."""
        step = next(s for s in self.exponents[rule] if s.odd is odd and str(s.fine) == self.judged)
        return float(step.exponents[-1, 0]), float(step.errors[-1, 0])


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Train filters, measure exponents and information."""
    found = Findings(settings)
    lattice = Lattice((settings.size, settings.size))
    keys = iter(jax.random.split(jax.random.key(settings.seed), 16))
    say(f"{settings.samples} critical configurations by Swendsen-Wang")
    critical = ising_data(settings.size, CRITICAL_TEMPERATURE, settings.samples, settings.seed)
    plan = Plan(steps=settings.steps, batch=50, learning_rate=settings.learning_rate, steps_per_call=50)
    for name, temperature in ((CRITICAL, CRITICAL_TEMPERATURE), (HOT, _HOT)):
        say(f"filter {name}, {settings.steps} steps")
        rows = ising_data(settings.size, temperature, settings.training, settings.seed + 1)
        machine = FilterMachine.create(lattice, settings.side, key=next(keys))
        trained = fit_filter(machine, rows, plan, key=next(keys)).state.averaged
        w = np.asarray(trained.weights)
        found.weights[name] = w if w.sum() > 0 else -w  # the sign of the hidden units is a convention
    scale = np.linalg.norm(found.weights[CRITICAL])
    noise = np.asarray(jax.random.normal(next(keys), (settings.side,) * 2))
    found.weights[UNTRAINED] = noise * scale / np.linalg.norm(noise)
    for name, rule in _rules(found.weights).items():
        say(f"exponents of {name}")
        steps = most_steps(rule, lattice)
        found.exponents[name] = monte_carlo_rg(
            rule, lattice, critical, steps=steps, key=next(keys), even=settings.even, odd=settings.odd
        )
    _inform(found, lattice, critical, next(keys), say)
    return found


def _rules(weights: dict[str, np.ndarray]) -> dict[str, Callable[[Lattice], AbstractCoarseGraining]]:
    def soft(w: np.ndarray) -> Callable[[Lattice], AbstractCoarseGraining]:
        return lambda lattice: SpinFilter(lattice, w)

    return {
        **{name: soft(w) for name, w in weights.items()},
        "majority": lambda lattice: Majority(lattice, ties="random"),
        "decimation": Decimation,
    }


def _inform(
    found: Findings, lattice: Lattice, spins: np.ndarray, key: jax.Array, say: Callable[[str], None]
) -> None:
    """I(H:E) of sharp rules that read the filter's sites, and of the best linear one."""
    settings = found.settings
    side = settings.side
    around = Surroundings.on_lattice(lattice, (side, side), buffer=_BUFFER, environment=_ENVIRONMENT)
    plan = Plan(steps=settings.search, batch=1000, learning_rate=5e-3, steps_per_call=50)
    mixed = spins[np.random.default_rng(settings.seed).permutation(len(spins))]
    block, spin = np.zeros((side, side)), np.zeros((side, side))
    low = (side - 2) // 2
    block[low : low + 2, low : low + 2] = 1
    block[low, low] = 1.5  # one spin decides ties
    spin[low, low] = 1
    readers = {**found.weights, "majority": block, "decimation": spin}
    for number, (name, weights) in enumerate(readers.items()):
        say(f"information that {name} keeps")
        reader = BlockReader(jnp.asarray(weights.reshape(1, -1), jnp.float32), None, 1)
        own = jax.random.fold_in(key, number)
        found.information[name] = retained_information(reader, around, mixed, plan, key=own)
    say("the linear rule that keeps the most information")
    best = fit_rsmi(around, mixed, plan, key=jax.random.fold_in(key, len(readers)))
    found.information["most information"] = best.retained
    found.weights["most information"] = np.asarray(best.reader.weights).reshape(side, side)
