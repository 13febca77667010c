"""Settings of the study of the classical MERA, and all that it measures."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pydantic

from deeprg.coarsegrain.flow import draw
from deeprg.coarsegrain.mera import ClassicalMERA, DiscreteReverseKL, SpinTable, fit_tables, grown, trainable
from deeprg.exact import reference
from deeprg.hamiltonians import Ising, critical_temperature
from deeprg.lattice import Lattice
from deeprg.montecarlo import importance_summary
from deeprg.runs.schema import Config
from deeprg.train import Plan, TrainState, key_batches, train

__all__ = ["BETA", "Findings", "Settings", "Trained", "find"]

BETA = 0.44  # the point of the modern rival, near but not at 0.44069
_HOT = 3.5


class Settings(Config):
    """Lattices, trainings, samples."""

    seed: int = pydantic.Field(0, ge=0)
    chain: int = pydantic.Field(64, ge=4, description="spins of the ring, a power of 2")
    sizes: tuple[int, ...] = pydantic.Field(
        (8, 16), description="L of the L x L lattices, powers of 2, rising"
    )
    steps: tuple[int, ...] = pydantic.Field((4000, 1200), description="of the training on each of them")
    batch: int = pydantic.Field(512, ge=16)
    samples: int = pydantic.Field(100_000, ge=1000, description="draws that judge")

    @pydantic.model_validator(mode="after")
    def _paired(self) -> "Settings":
        fits = all(size >= 8 and size & (size - 1) == 0 for size in self.sizes)
        if len(self.sizes) != len(self.steps) or not fits or sorted(set(self.sizes)) != list(self.sizes):
            raise ValueError("sizes are rising powers of 2 from 8 on, each with its number of steps")
        return self


@dataclass(frozen=True)
class Trained:
    """A model judged by draws: KL(q|π) with its error, ESS, ln Z - exact in errors, and what it took."""

    divergence: float
    error: float
    ess: float
    pull: float
    seconds: float
    parameters: int


@dataclass
class Findings:
    """Everything that was measured.

    chain: F + ln Z of the ring in nats. tables: by extent, F + ln Z by exact marginals, and judged by draws.
    networks: by extent; one_colour: with fills of one colour. couplings: by name of a temperature, the field
    of a spin amid four up on each level, finest first.
    """

    settings: Settings
    chain: float = float("nan")
    exact_tables: dict[int, float] = field(default_factory=dict)
    tables: dict[int, Trained] = field(default_factory=dict)
    networks: dict[int, Trained] = field(default_factory=dict)
    one_colour: dict[int, Trained] = field(default_factory=dict)
    fields: dict[str, list[float]] = field(default_factory=dict)


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Fit tables by exact marginals, train networks, judge both against Kaufman's ln Z."""
    found, keys = Findings(settings), iter(jax.random.split(jax.random.key(settings.seed), 32))
    ring = Ising(Lattice((settings.chain,)), 1.0)
    say(f"tables of a ring of {settings.chain} spins, by explicit probabilities")
    found.chain = fit_tables(ring).free_energy + _exact(ring)
    for size in settings.sizes:
        model = _model(size, 1 / BETA)
        say(f"tables of {size}x{size} spins, by explicit probabilities")
        clock = time.monotonic()
        fitted = fit_tables(model)
        seconds = time.monotonic() - clock
        found.exact_tables[size] = fitted.free_energy + _exact(model)
        found.tables[size] = _judged(fitted.model, model, settings.samples, next(keys), seconds)
    size = settings.sizes[-1]
    for name, temperature in (("T_c", critical_temperature(Lattice((size, size)))), (f"T = {_HOT}", _HOT)):
        say(f"tables of {size}x{size} spins at {name}")
        found.fields[name] = _fields(fit_tables(_model(size, temperature)).model)
    small: ClassicalMERA | None = None
    for size, steps in zip(settings.sizes, settings.steps, strict=True):
        model, start, training, judging = _model(size, 1 / BETA), *(next(keys) for _ in range(3))
        fresh = ClassicalMERA(model, key=start)
        begun = fresh if small is None else grown(small, fresh)
        say(
            f"network of {size}x{size} spins, {steps} steps"
            + ("" if small is None else ", from the smaller one")
        )
        small, seconds = _trained(begun, model, steps, settings.batch, training)
        found.networks[size] = _judged(small, model, settings.samples, judging, seconds)
    size, steps = settings.sizes[0], settings.steps[0]
    model, plain = (
        _model(size, 1 / BETA),
        ClassicalMERA(_model(size, 1 / BETA), colours=False, key=next(keys)),
    )
    say(f"network of {size}x{size} spins whose fills have one colour, {steps} steps")
    last, seconds = _trained(plain, model, steps, settings.batch, next(keys))
    found.one_colour[size] = _judged(last, model, settings.samples, next(keys), seconds)
    return found


def _model(size: int, temperature: float) -> Ising:
    return Ising(Lattice((size, size)), temperature)


def _exact(model: Ising) -> float:
    known = reference(model)
    assert known is not None
    return known.log_partition


def _trained(
    network: ClassicalMERA, model: Ising, steps: int, batch: int, key: Any
) -> tuple[ClassicalMERA, float]:
    plan = Plan(steps=steps, batch=batch, learning_rate=5e-3, warmup=0.02, clip_norm=1.0, ema_decay=0.99)
    state = TrainState.create(network, plan, key=key, trainable=trainable(network))
    state = train(state, DiscreteReverseKL(model), key_batches, plan).state
    return state.averaged, state.seconds


def _judged(network: ClassicalMERA, model: Ising, samples: int, key: Any, seconds: float) -> Trained:
    summary = importance_summary(draw(network, model, samples, key=key, batch=2000).log_weights)
    exact = _exact(model)
    count = sum(x.size for x in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array)))
    return Trained(
        divergence=summary.free_energy + exact,
        error=summary.free_energy_error,
        ess=summary.ess,
        pull=(summary.log_partition - exact) / summary.log_partition_error,
        seconds=seconds,
        parameters=count,
    )


def _fields(network: ClassicalMERA) -> list[float]:
    """The field of the centre of a cell amid four spins up, by level, finest first."""
    first = [next(iter(network.conditionals(level)))[0] for level in range(len(network.levels))]
    return [float(np.asarray(net.fields)[0]) for net in first if isinstance(net, SpinTable)]
