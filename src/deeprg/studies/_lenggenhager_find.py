"""Settings of the study, and all that it measures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import pydantic

from deeprg.coarsegrain.information import Surroundings
from deeprg.exact.blocking import CumulantSeries, Decimation
from deeprg.lattice import Lattice
from deeprg.runs.schema import Config
from deeprg.studies._lenggenhager_learned import Learned, chain_samples, learned_rule
from deeprg.studies._lenggenhager_measure import Bench, Measured, ring_bench, square_bench
from deeprg.studies._lenggenhager_parts import (
    Scan,
    all_deterministic,
    dimers,
    named_rules,
    random_rules,
    scan,
    series,
    square_random,
    square_rules,
    variations,
)
from deeprg.studies._spins import ising_data

__all__ = ["COARSE", "SIDE", "Findings", "Settings", "find"]

_Coupling = Annotated[float, pydantic.Field(ge=0.05, le=2)]
_Strength = Annotated[float, pydantic.Field(gt=0, le=1000)]
SIDE = 6
"""The torus of the 2D part: 3x3 coarse spins, the largest whose joint distribution fits into memory."""

COARSE = 9
"""Angles of the scan on other rings and with other buffers."""

_MOST_DETERMINISTIC = 127
_PAIRS = 16  # spins of the ring for the couplings of a rule that was found, of pairs


class Settings(Config):
    """Systems and rules of the study."""

    seed: int = pydantic.Field(0, ge=0)
    couplings: tuple[_Coupling, ...] = pydantic.Field((0.1, 0.3, 0.5, 1.0, 1.5), min_length=1)
    ring: int = pydantic.Field(16, ge=10, le=40, description="spins of the ring for K'")
    block: int = pydantic.Field(2, ge=2, le=4)
    buffer: int = pydantic.Field(1, ge=0, le=20)
    chain: int = pydantic.Field(400, ge=10, le=4000, description="spins of the ring for the information")
    strengths: tuple[_Strength, ...] = pydantic.Field((0.25, 0.5, 1.0, 2.0, 5.0, 50.0), min_length=2)
    sharp: float = pydantic.Field(2.0, gt=0, description="strengths from here on are close to deterministic")
    angles: int = pydantic.Field(31, ge=5, le=721)
    random_rules: int = pydantic.Field(60, ge=5, le=5000)
    control_block: int = pydantic.Field(3, ge=2, le=4)
    order: int = pydantic.Field(10, ge=2, le=20)
    series_couplings: tuple[_Coupling, ...] = pydantic.Field((0.1, 1.0), min_length=1)
    inner: tuple[Annotated[float, pydantic.Field(ge=0, le=10)], ...] = pydantic.Field(
        (0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0),
        min_length=2,
        description="coupling within the blocks of a dimer chain",
    )
    square_couplings: tuple[_Coupling, ...] = pydantic.Field((0.2, 0.440686793509772), min_length=1)
    square_random: int = pydantic.Field(10, ge=4, le=128)
    learned: tuple[_Coupling, ...] = pydantic.Field(
        (0.3, 0.5), min_length=1, description="couplings of the chain whose samples are searched for a rule"
    )
    samples: int = pydantic.Field(3_000_000, ge=4000, description="of the chain")
    square_samples: int = pydantic.Field(60_000, ge=4000)
    steps: int = pydantic.Field(1000, ge=1, description="of every search")

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "Settings":
        if self.ring % self.block or not 7 <= self.ring // self.block <= 10:
            raise ValueError(
                f"ring = {self.ring} must be 7 to 10 blocks of block = {self.block} spins, so that "
                f"couplings do not "
                "meet around the ring and its neighbours in size can be enumerated"
            )
        if self.chain % self.block or self.chain < self.block + 2 * self.buffer + 2:
            raise ValueError(
                f"chain = {self.chain} must be whole blocks and longer than a block and its buffers"
            )
        if max(self.strengths) < self.sharp:
            raise ValueError(f"none of the strengths reaches sharp = {self.sharp:g}")
        return self


@dataclass
class Findings:
    """Numbers of every part, by coupling."""

    settings: Settings
    named: dict[float, dict[str, Measured]] = field(default_factory=dict)
    scans: dict[float, Scan] = field(default_factory=dict)
    deterministic: dict[float, list[Measured]] = field(default_factory=dict)
    random: dict[float, dict[str, list[Measured]]] = field(default_factory=dict)
    wide: dict[float, dict[str, list[Measured]]] = field(default_factory=dict)
    wide_named: dict[float, dict[str, Measured]] = field(default_factory=dict)
    present: dict[float, float] = field(default_factory=dict)
    series: dict[float, dict[str, CumulantSeries]] = field(default_factory=dict)
    dimers: list[tuple[float, Measured, Measured]] = field(default_factory=list)
    varied: dict[str, dict[float, dict[str, float | None]]] = field(default_factory=dict)
    squares: dict[float, dict[str, Measured]] = field(default_factory=dict)
    square_present: dict[float, float] = field(default_factory=dict)
    square_random: dict[str, list[Measured]] = field(default_factory=dict)
    learned: dict[float, Learned] = field(default_factory=dict)
    learned_square: Learned | None = None

    @property
    def between(self) -> float:
        """The coupling between the blocks of a dimer chain."""
        return self.settings.couplings[min(1, len(self.settings.couplings) - 1)]

    @property
    def last_square(self) -> float:
        """The coupling of the random rules on the square."""
        return self.settings.square_couplings[-1]


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Measure everything."""
    found = Findings(settings)
    rng = np.random.default_rng(settings.seed)
    own: dict[str, Any] = variations(settings)["as set"]
    rules = named_rules(settings.block)
    size = settings.control_block
    # about as many coarse spins, and whole blocks; the chain is made longer, which does not show
    wide: dict[str, Any] = own | {"block": size, "ring": 6 * size, "chain": settings.chain * size}
    for coupling in settings.couplings:
        say(f"chain, K = {coupling:g}: {len(settings.strengths) * settings.angles} soft rules and the others")
        bench = ring_bench(coupling, **own)
        found.present[coupling] = bench.known.present
        found.named[coupling] = {name: bench.measure(name, rule) for name, rule in rules.items()}
        found.scans[coupling] = scan(bench, settings.strengths, settings.angles, settings.block)
        found.random[coupling] = random_rules(bench, settings.block, settings.random_rules, rng)
        found.deterministic[coupling] = all_deterministic(bench, settings.block, _MOST_DETERMINISTIC, rng)
        bench = ring_bench(coupling, **wide)
        named = named_rules(size).items()
        found.wide_named[coupling] = {name: bench.measure(name, rule) for name, rule in named}
        found.wide[coupling] = random_rules(bench, size, settings.random_rules, rng) | {
            "deterministic": all_deterministic(bench, size, settings.random_rules, rng)
        }
    say("chain: other rings and buffers, dimers, cumulants")
    for name, geometry in variations(settings).items():
        found.varied[name] = {
            coupling: _vary(coupling, geometry, settings) for coupling in settings.couplings
        }
    found.dimers = dimers(found.between, settings.inner, own)
    chosen = {
        name: rule
        for name, rule in rules.items()
        if name.endswith(("decimation", "random", "majority", "0)"))
    }
    for coupling in settings.series_couplings:
        found.series[coupling] = series(coupling, chosen, settings.ring, settings.block, settings.order)
    for coupling in settings.square_couplings:
        say(f"{SIDE}x{SIDE} torus, K = {coupling:.4f}")
        bench = square_bench(coupling, side=SIDE, buffer=1)
        found.square_present[coupling] = bench.known.present
        found.squares[coupling] = {name: bench.measure(name, rule) for name, rule in square_rules().items()}
        if coupling == found.last_square:
            found.square_random = square_random(bench, settings.square_random, rng)
            say(f"a rule of the {SIDE}x{SIDE} torus from {settings.square_samples} samples")
            found.learned_square = _learned_square(bench, coupling, settings)
    for coupling in settings.learned:
        say(f"a rule of the chain from {settings.samples} samples, K = {coupling:g}")
        bench = ring_bench(coupling, ring=_PAIRS, block=2, buffer=settings.buffer, chain=settings.chain)
        spins, around = chain_samples(coupling, settings.buffer, settings.samples, settings.seed)
        found.learned[coupling] = learned_rule(bench, around, spins, settings.steps, settings.seed)
    return found


def _learned_square(bench: Bench, coupling: float, settings: Settings) -> Learned:
    spins = ising_data(SIDE, 1 / coupling, settings.square_samples, settings.seed)
    spins = spins[np.random.default_rng(settings.seed).permutation(len(spins))]  # of all chains
    around = Surroundings.on_lattice(Lattice((SIDE, SIDE)), (2, 2), buffer=1)
    return learned_rule(bench, around, spins, settings.steps, settings.seed)


def _vary(coupling: float, geometry: dict[str, Any], settings: Settings) -> dict[str, float | None]:
    """The questions of the scan again on another geometry, on a coarser grid."""
    bench = ring_bench(coupling, **geometry)
    rules = scan(bench, settings.strengths, min(settings.angles, COARSE), settings.block)
    sharpest = all_deterministic(bench, settings.block, 15, np.random.default_rng(settings.seed))
    return {
        "sharp": rules.correlation("rangeness", least=settings.sharp),
        "all": rules.correlation("rangeness"),
        "decimation": bench.measure("decimation", Decimation(0)).share,
        "best": max(one.share for one in (rules.best, *sharpest)),
    }
