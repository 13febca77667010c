"""Settings of the study of Monte Carlo RG, and all that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import pydantic

from deeprg.coarsegrain import AbstractCoarseGraining, Decimation, Majority
from deeprg.hamiltonians import Ising, critical_point, critical_temperature
from deeprg.lattice import Lattice
from deeprg.probes import Stability, exact_stability, monte_carlo_rg, most_steps
from deeprg.runs.schema import Config
from deeprg.studies._spins import ising_chains

__all__ = [
    "COLD",
    "CUBE",
    "DECIMATION",
    "HOT",
    "ONE_SPIN",
    "PAIRS",
    "SMALL",
    "TRIPLES",
    "Findings",
    "Settings",
    "exact_exponents",
    "find",
]

PAIRS, TRIPLES = "majority, b = 2", "majority, b = 3"
ONE_SPIN, DECIMATION = "ties by one spin", "decimation"
HOT, COLD = "majority, T above T_c", "majority, T below T_c"
CUBE, SMALL = "majority, cubic lattice", "majority, 4x4"
_MOST = {"even": 7, "odd": 4}
_FEW = {"even": 2, "odd": 1}  # what a 2x2 lattice can hold


class Settings(Config):
    """Lattices and samples."""

    seed: int = pydantic.Field(0, ge=0)
    size: int = pydantic.Field(32, ge=16, le=512, description="L for blocks of side 2, a power of 2")
    samples: int = pydantic.Field(40_000, ge=2000, description="configurations at T_c on it, and on 4x4")
    controls: int = pydantic.Field(20_000, ge=2000, description="of each control on it")
    triple: int = pydantic.Field(
        108, ge=36, le=972, description="L for blocks of side 3, 4 times a power of 3"
    )
    triples: int = pydantic.Field(8000, ge=2000, description="configurations on it")
    cube: int = pydantic.Field(32, ge=8, le=128, description="L of the cubic lattice, a power of 2")
    cubes: int = pydantic.Field(8000, ge=2000, description="configurations on it")
    distance: float = pydantic.Field(0.05, gt=0, lt=0.5, description="|T/T_c - 1| off criticality")
    even: int = pydantic.Field(4, ge=3, le=7, description="operators of which y_T is read")
    odd: int = pydantic.Field(2, ge=1, le=4, description="operators of which y_H is read")

    @pydantic.field_validator("size", "cube")
    @classmethod
    def _doubled(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of 2, for the rules halve it")
        return value

    @pydantic.field_validator("triple")
    @classmethod
    def _tripled(cls, value: int) -> int:
        if value not in {4 * 3**k for k in range(7)}:
            raise ValueError("must be 36, 108, 324 or 972, for the rule leaves a third")
        return value


@dataclass
class Findings:
    """Stabilities of every step by case, and exact ones of 4x4 by rule."""

    settings: Settings
    steps: dict[str, Sequence[Stability]] = field(default_factory=dict)
    exact: dict[str, Sequence[Stability]] = field(default_factory=dict)

    def series(self, case: str, *, odd: bool, second: bool = False) -> list[tuple[float, float]]:
        """An exponent with its error at every step, from as many operators as the settings say."""
        count = self.settings.odd if odd else self.settings.even
        chosen = [one for one in self.steps[case] if one.odd is odd]
        at = [(min(count, len(one.operators)) - 1, int(second)) for one in chosen]
        return [(float(one.exponents[i]), float(one.errors[i])) for one, i in zip(chosen, at, strict=True)]


def exact_exponents(ndim: int) -> dict[str, float]:
    """y_T and y_H of the Ising model: exact in the plane, of the bootstrap in space.

    >>> exact_exponents(2)["y_H"], round(exact_exponents(3)["y_T"], 4)
    (1.875, 1.5874)
    """
    lattice = Lattice((4,) * ndim)
    point = critical_point(Ising(lattice, critical_temperature(lattice)))
    assert point is not None
    return {name: point.exponents[name] for name in ("y_T", "y_H")}


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Sample, coarse-grain and read exponents: rules, temperatures, dimensions, and a lattice of 16 sites."""
    found, keys = Findings(settings), iter(jax.random.split(jax.random.key(settings.seed), 8))
    plane = Lattice((settings.size,) * 2)
    few = {"even": settings.even, "odd": settings.odd}

    def measure(
        case: str,
        rule: Callable[[Lattice], AbstractCoarseGraining],
        lattice: Lattice,
        *,
        count: int,
        seed: int,
        ratio: float = 1.0,
        operators: dict[str, int] = few,
    ) -> None:
        say(f"{case}: {count} configurations on {lattice}")
        spins = ising_chains(lattice, ratio * critical_temperature(lattice), count, seed)
        steps = most_steps(rule, lattice)
        found.steps[case] = monte_carlo_rg(rule, lattice, spins, steps=steps, key=next(keys), **operators)

    seed, count = settings.seed, settings.controls
    measure(PAIRS, _majority, plane, count=settings.samples, seed=seed, operators=_MOST)
    measure(TRIPLES, _thirds, Lattice((settings.triple,) * 2), count=settings.triples, seed=seed + 1)
    measure(ONE_SPIN, _first, plane, count=count, seed=seed + 2)
    measure(DECIMATION, Decimation, plane, count=count, seed=seed + 3)
    measure(HOT, _majority, plane, count=count, seed=seed + 4, ratio=1 + settings.distance)
    measure(COLD, _majority, plane, count=count, seed=seed + 5, ratio=1 - settings.distance)
    measure(CUBE, _majority, Lattice((settings.cube,) * 3), count=settings.cubes, seed=seed + 6)
    small = Lattice((4, 4))
    measure(SMALL, _majority, small, count=settings.samples, seed=seed + 7, operators=_FEW)
    say("4x4: all states")
    model = Ising(small, critical_temperature(small))
    for case, rule in ((SMALL, _majority(small)), (DECIMATION, Decimation(small))):
        found.exact[case] = exact_stability(model, rule, **_FEW)
    return found


def _majority(lattice: Lattice) -> AbstractCoarseGraining:
    return Majority(lattice, ties="random")


def _thirds(lattice: Lattice) -> AbstractCoarseGraining:
    return Majority(lattice, side=3)


def _first(lattice: Lattice) -> AbstractCoarseGraining:
    return Majority(lattice, ties="first")
