"""Settings of the study of real-space mutual information, and all that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pydantic

from deeprg.coarsegrain import SpinFilter
from deeprg.coarsegrain.information import RSMI, BlockReader, Surroundings, fit_rsmi, retained_information
from deeprg.exact.blocking import Decimation, Majority, Partition, block_environment
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Dimers, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.information import InformationEstimate
from deeprg.montecarlo.samplers import build_sampler
from deeprg.probes import Stability, monte_carlo_rg
from deeprg.runs.schema import Config
from deeprg.studies._spins import ising_data
from deeprg.train import Plan

__all__ = ["CHAIN", "DIMERS", "EXACT", "SPECTATORS", "SQUARE", "Findings", "Settings", "find", "gradients"]

SQUARE, CHAIN, SPECTATORS, DIMERS = "square", "chain", "spectators", "dimers"
_COUPLING, _RING = 0.5, 16
_BLOCK = 8  # of dimers, with a buffer and an environment of half of it

# 6x6 torus at T_c, block 2x2, buffer 1, by enumeration: I(V:E), the majority with ties decided by one spin,
# that spin alone.
EXACT = {"present": 0.54940140, "majority": 0.46156636, "decimation": 0.38056554}


class Settings(Config):
    """Samples and trainings."""

    seed: int = pydantic.Field(0, ge=0)
    samples: int = pydantic.Field(200_000, ge=4000, description="configurations of Ising spins")
    steps: int = pydantic.Field(1500, ge=1, description="of every search, and of every judgement")
    dimers: int = pydantic.Field(10_000, ge=1000, description="configurations of dimers")
    dimer_size: int = pydantic.Field(32, ge=24, description="L of their lattice, even")
    dimer_temperature: float = pydantic.Field(15.0, gt=0)
    dimer_steps: int = pydantic.Field(2500, ge=1)
    size: int = pydantic.Field(16, ge=8, description="L of the lattice that gives exponents, a power of 2")
    judged: int = pydantic.Field(20_000, ge=2000, description="configurations that give exponents")

    @pydantic.field_validator("dimer_size")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even, for dimers cover pairs of sites")
        return value


@dataclass
class Findings:
    """Everything that was measured, by the system's name; `overlap` of hidden units with the gradients."""

    settings: Settings
    found: dict[str, RSMI] = field(default_factory=dict)
    rules: dict[str, InformationEstimate] = field(default_factory=dict)
    chain: dict[str, float] = field(default_factory=dict)
    overlap: Sequence[float] = ()
    angle: float = 0.0
    exponents: Sequence[Stability] = ()

    def weights(self, system: str) -> np.ndarray:
        """The filters of a system, [hidden, numbers of the block]."""
        return np.asarray(self.found[system].reader.weights)


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Search the rules of four systems, and use the one of the square lattice."""
    found, keys = Findings(settings), iter(jax.random.split(jax.random.key(settings.seed), 16))
    plan = Plan(steps=settings.steps, batch=1000, learning_rate=5e-3, steps_per_call=50)
    say(f"{SQUARE}: 6x6 at T_c")
    spins = _mixed(ising_data(6, CRITICAL_TEMPERATURE, settings.samples, settings.seed), settings.seed)
    around = Surroundings.on_lattice(Lattice((6, 6)), (2, 2), buffer=1)
    found.found[SQUARE] = fit_rsmi(around, spins, plan, key=next(keys))
    for name, weights in (("majority", np.array([1.5, 1, 1, 1])), ("decimation", np.eye(4)[0])):
        reader = BlockReader(jnp.asarray(weights[None], jnp.float32), None, 1)
        found.rules[name] = retained_information(reader, around, spins, plan, key=next(keys))
    say(f"{SPECTATORS}: the same beside independent spins")
    others = np.random.default_rng(settings.seed).choice(np.array([-1, 1], np.int8), spins.shape)
    found.found[SPECTATORS] = fit_rsmi(around, np.stack([spins, others], -1), plan, key=next(keys))
    say(f"{CHAIN}: a ring of {_RING} at K = {_COUPLING:g}")
    _chain(found, plan, next(keys))
    say(f"{DIMERS}: {settings.dimer_size}x{settings.dimer_size} at T = {settings.dimer_temperature:g}")
    _dimers(found, next(keys))
    say(f"exponents of the rule of {SQUARE} on {settings.size}x{settings.size}")
    weights = found.weights(SQUARE).reshape(2, 2)
    lattice = Lattice((settings.size, settings.size))
    critical = ising_data(settings.size, CRITICAL_TEMPERATURE, settings.judged, settings.seed + 1)
    found.exponents = monte_carlo_rg(
        lambda lattice: SpinFilter(lattice, weights, sharp=True),
        lattice,
        critical,
        steps=2,
        key=next(keys),
        even=2,
        odd=1,
    )
    return found


def gradients(lattice: Lattice) -> np.ndarray:
    """The height gradients of a block of dimers, [2, L, L, 2]: bonds along each axis, signs alternating.

    The sum over a block of (-1)^(x + y) n_a is the difference of heights across it, up to a constant.

    >>> gradients(Lattice((2, 2)))[0, :, :, 0].tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    signs = 1.0 - 2.0 * (lattice.coordinates().sum(axis=1) % 2).reshape(lattice.shape)
    return np.stack([np.stack([signs, 0 * signs], -1), np.stack([0 * signs, signs], -1)])


def _mixed(rows: np.ndarray, seed: int) -> np.ndarray:
    """Chains stand one after the other; the configurations that judge should be of all of them."""
    return rows[np.random.default_rng(seed).permutation(len(rows))]


def _chain(found: Findings, plan: Plan, key: jax.Array) -> None:
    ring = Ising(Lattice((_RING,)), temperature=1 / _COUPLING)
    settings = found.settings
    sampler = build_sampler("swendsen-wang", [ring], 40)
    state, _ = sampler.thermalise(sampler.start(seed=settings.seed, order="mixed"), 100, seed=settings.seed)
    drawn = sampler.run(state, -(-settings.samples // 40), 3, seed=settings.seed, block=0).configurations
    around = Surroundings.on_lattice(ring.lattice, (2,), buffer=1, environment=2)
    spins = _mixed(drawn.reshape(-1, _RING), settings.seed)
    found.found[CHAIN] = fit_rsmi(around, spins, plan, key=key)
    known = block_environment(ring, Partition.cubic(ring.lattice, 2), buffer=1)
    found.chain = {
        "present": known.present,
        "decimation": known.information(Decimation()).kept,
        "majority": known.information(Majority("random")).kept,
    }


def _dimers(found: Findings, key: jax.Array) -> None:
    settings = found.settings
    lattice = Lattice((settings.dimer_size,) * 2)
    sampler = build_sampler("worm", [Dimers(lattice, settings.dimer_temperature)], 8)
    thermal = sampler.suggested_thermalisation
    state, _ = sampler.thermalise(
        sampler.start(seed=settings.seed, order="mixed"), thermal, seed=settings.seed
    )
    drawn = sampler.run(state, -(-settings.dimers // 8), 30, seed=settings.seed, block=0).configurations
    directions = _mixed(drawn.reshape(-1, *lattice.shape)[: settings.dimers], settings.seed)
    bonds = np.where(np.stack([directions == 0, directions == 2], axis=-1), 1, -1).astype(np.int8)
    half = _BLOCK // 2
    around = Surroundings.on_lattice(lattice, (_BLOCK, _BLOCK), buffer=half, environment=half)
    plan = Plan(steps=settings.dimer_steps, batch=500, learning_rate=3e-3, steps_per_call=20)
    result = fit_rsmi(around, bonds, plan, hidden=2, period=2, key=key)
    found.found[DIMERS] = result
    block = around.table(bonds)[:, list(around.block)].reshape(len(bonds), -1).astype(np.float64)
    block -= block.mean(axis=0)
    heights = block @ gradients(Lattice((_BLOCK, _BLOCK))).reshape(2, -1).T
    read = block @ found.weights(DIMERS).T
    slopes = np.linalg.lstsq(heights, read, rcond=None)[0]
    found.overlap = [float(r) for r in np.sqrt((heights @ slopes).var(axis=0) / read.var(axis=0))]
    one, two = slopes.T / np.linalg.norm(slopes, axis=0)[:, None]
    found.angle = float(np.degrees(np.arccos(min(abs(one @ two), 1.0))))
