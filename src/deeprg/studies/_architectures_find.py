"""Settings of the study of layouts, its flows, and what each keeps of the target."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pydantic

from deeprg.coarsegrain.flow import draw
from deeprg.exact import reference
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, ContinuousDual, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import importance_summary
from deeprg.montecarlo.information import InformationEstimate, discrete_information
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import build_sampler
from deeprg.montecarlo.spatial import correlation_function
from deeprg.probes import cut_information
from deeprg.runs.errors import UsageError
from deeprg.runs.schema import Config
from deeprg.studies._flows import trained_flow

__all__ = ["LAYOUTS", "Ensemble", "Findings", "Settings", "Variant", "find"]

# The layouts that are compared, with the options in which they differ from their defaults. Those of the talk
# act on the field itself: the whitened one has the correlations of K at any distance before the first layer.
LAYOUTS: dict[str, Mapping[str, Any]] = {
    "conditional": {"layout": "conditional"},
    "fills only": {"layout": "conditional", "disentanglers": 0},
    "mera": {"layout": "mera", "symmetry": "mixture", "whitening": 0.0},
    "ttn": {"layout": "ttn", "symmetry": "mixture", "whitening": 0.0, "repeats": 2},
    "tebd": {"layout": "tebd", "symmetry": "mixture", "whitening": 0.0, "layers": 3},
    "mera, whitened": {"layout": "mera", "symmetry": "mixture", "whitening": 0.5},
}


class Settings(Config):
    """Lattice, temperatures, trainings, samples."""

    seed: int = pydantic.Field(0, ge=0)
    size: int = pydantic.Field(8, ge=4, le=32, description="L, a power of two")
    temperatures: list[float] = pydantic.Field([1.5, CRITICAL_TEMPERATURE, 4.0], min_length=1)
    steps: int = pydantic.Field(300, ge=1, description="of every training")
    batch: int = pydantic.Field(256, ge=8)
    layers: list[int] = pydantic.Field([1, 2, 4], description="brick-wall layers of the flat layout at T_c")
    samples: int = pydantic.Field(20_000, ge=2000, description="draws of every flow, and of the target")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What is measured of configurations: G(r) along the axes, ξ, and I of the halves' magnetizations."""

    correlation: np.ndarray
    correlation_error: np.ndarray
    length: float
    information: InformationEstimate


@dataclass(frozen=True, eq=False)
class Variant:
    """One trained flow: gap and ESS, its own ensemble, and I(a:b) where the layout is a bottleneck."""

    name: str
    temperature: float
    gap: float
    gap_error: float
    ess: float
    parameters: int
    ensemble: Ensemble
    cut: InformationEstimate | None = None


@dataclass
class Findings:
    """Everything that was measured; `variants` by (layout, T), `by_layers` and `by_scales` at T_c."""

    settings: Settings
    targets: dict[float, Ensemble] = field(default_factory=dict)
    variants: dict[tuple[str, float], Variant] = field(default_factory=dict)
    by_layers: dict[int, Variant] = field(default_factory=dict)
    by_scales: dict[int, Variant] = field(default_factory=dict)


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Train every layout at every temperature, and depths of two of them at T_c."""
    found, keys = Findings(settings), iter(jax.random.split(jax.random.key(settings.seed), 512))
    for temperature in settings.temperatures:
        say(f"target at T = {temperature:.4g}, by clusters")
        found.targets[temperature] = _target(settings, temperature)
        for name, options in LAYOUTS.items():
            found.variants[name, temperature] = _variant(
                name, temperature, options, settings, say, next(keys)
            )
    for layers in settings.layers:
        options = {**LAYOUTS["tebd"], "layers": layers}
        name = f"tebd, {layers} layers"
        found.by_layers[layers] = _variant(name, CRITICAL_TEMPERATURE, options, settings, say, next(keys))
    for scales in range(1, int(math.log2(settings.size))):
        options = {**LAYOUTS["mera"], "scales": scales}
        name = f"mera, {scales} scales"
        found.by_scales[scales] = _variant(name, CRITICAL_TEMPERATURE, options, settings, say, next(keys))
    return found


def _dual(settings: Settings, temperature: float) -> ContinuousDual:
    lattice = Lattice((settings.size, settings.size))
    dual = build_hamiltonian("ising", lattice, temperature=temperature)
    assert isinstance(dual, ContinuousDual)
    return dual


def _target(settings: Settings, temperature: float) -> Ensemble:
    ising = _dual(settings, temperature).ising
    chains = 16
    sampler = build_sampler("swendsen-wang", [ising], chains)
    state, _ = sampler.thermalise(sampler.start(seed=settings.seed, order="mixed"), 200, seed=settings.seed)
    drawn = sampler.run(state, -(-settings.samples // chains), 4, seed=settings.seed, block=0)
    return _measured(drawn.configurations[:, 0].reshape(-1, settings.size, settings.size), ising)


def _variant(
    name: str,
    temperature: float,
    options: Mapping[str, Any],
    settings: Settings,
    say: Callable[[str], None],
    key: jax.Array,
) -> Variant:
    say(f"flow {name} at T = {temperature:.4g}, {settings.steps} steps")
    dual = _dual(settings, temperature)
    train_key, draw_key, spin_key = jax.random.split(key, 3)
    flow = trained_flow(
        dual,
        steps=settings.steps,
        batch=settings.batch,
        options=options,
        name=name,
        say=say,
        key=train_key,
    )
    drawn = draw(flow, dual, settings.samples, key=draw_key, fields=True)
    summary, exact = importance_summary(drawn.log_weights), reference(dual)
    assert exact is not None
    assert drawn.fields is not None
    spins = np.asarray(dual.spins_given_fields(jnp.asarray(drawn.fields), key=spin_key))
    try:
        cut = cut_information(flow, np.moveaxis(drawn.fields[:4000], 0, -1))
    except UsageError:  # layers reach across the cut, or there is no hierarchy
        cut = None
    return Variant(
        name,
        temperature,
        summary.free_energy - exact.free_energy,
        summary.free_energy_error,
        summary.ess,
        sum(leaf.size for leaf in jax.tree.leaves(flow) if hasattr(leaf, "size")),
        _measured(spins, dual.ising),
        cut,
    )


def _measured(spins: np.ndarray, ising: Any) -> Ensemble:
    size = spins.shape[-1]
    curve = correlation_function(spins[None])
    series = measure(ising, spins)
    ratio = size**2 * series["magnetization_squared"].mean() / series["structure_factor_min"].mean()
    length = math.sqrt(max(ratio - 1, 0)) / (2 * math.sin(math.pi / size))
    halves = [part.sum(axis=(1, 2)) for part in np.split(spins.astype(np.int64), 2, axis=1)]
    return Ensemble(
        np.asarray(curve.value),
        np.asarray(curve.error),
        length,
        discrete_information(*halves),
    )
