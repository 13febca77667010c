"""The measurements of the study: named rules, the scan, random rules, squares, dimers, variations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.exact.blocking import (
    CumulantSeries,
    Decimation,
    Majority,
    Partition,
    Rule,
    Soft,
    UserRule,
    block_cumulants,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.studies._lenggenhager_measure import (
    Bench,
    Measured,
    odd_rule,
    rank_correlation,
    ring_bench,
)

__all__ = [
    "Scan",
    "all_deterministic",
    "dimers",
    "named_rules",
    "random_rules",
    "scan",
    "series",
    "square_random",
    "square_rules",
    "variations",
]

_BOUNDARY = 45.0  # degrees: majority


@dataclass(frozen=True)
class Scan:
    """Soft rules (lambda cos a, lambda sin a) over strengths and angles; rows [strengths][angles]."""

    strengths: tuple[float, ...]
    angles: np.ndarray
    rows: tuple[tuple[Measured, ...], ...]

    def correlation(self, what: str, *, least: float = 0.0, positive: bool = False) -> float | None:
        """Rank correlation of a ratio with the information, over strengths >= `least`.

        `positive` takes the angles from decimation to majority only, without weights of opposite sign.
        """
        chosen = [
            one
            for strength, row in zip(self.strengths, self.rows, strict=True)
            for angle, one in zip(self.angles, row, strict=True)
            if strength >= least and (angle >= 0 or not positive)
        ]
        return rank_correlation([one.share for one in chosen], [getattr(one, what) for one in chosen])

    def each(self, what: str, *, least: float = 0.0, positive: bool = False) -> dict[float, float | None]:
        """The rank correlation within each strength >= `least`, where pooling cannot make or hide it."""
        return {
            strength: self.only(strength).correlation(what, positive=positive)
            for strength in self.strengths
            if strength >= least
        }

    def only(self, strength: float) -> "Scan":
        """The rules of one strength."""
        place = self.strengths.index(strength)
        return Scan((strength,), self.angles, (self.rows[place],))

    @property
    def best(self) -> Measured:
        """The most informative rule."""
        return max((one for row in self.rows for one in row), key=lambda one: one.kept)


def named_rules(block: int) -> dict[str, Rule]:
    """The rules of a chain that have names, for blocks of `block` spins."""
    tied = {f"majority, ties {tie}": Majority(ties=tie) for tie in ("random", "first", "plus")}
    majority = tied if block % 2 == 0 else {"majority": Majority()}
    rest = (0.0,) * (block - 2)
    inner = {"decimation, inner spin": Decimation(block // 2)} if block > 2 else {}
    return {
        "decimation": Decimation(0),
        **inner,
        **majority,
        "soft (1, 0)": Soft((1.0, 0.0, *rest)),
        "soft (1, 1)": Soft((1.0, 1.0, *rest)),
        "soft (2, 1)": Soft((2.0, 1.0, *rest)),
    }


def scan(bench: Bench, strengths: Sequence[float], angles: int, block: int) -> Scan:
    """The soft rules of the first two spins, angles from -45 (difference) by 0 (decimation) to 45 degrees."""
    degrees = np.linspace(-_BOUNDARY, _BOUNDARY, angles)
    rows = []
    for strength in strengths:
        row = []
        for angle in np.deg2rad(degrees):
            weights = (strength * np.cos(angle), strength * np.sin(angle), *[0.0] * (block - 2))
            row.append(bench.measure(f"soft {strength:g}, {np.rad2deg(angle):.0f}°", Soft(weights)))
        rows.append(tuple(row))
    return Scan(tuple(strengths), degrees, tuple(rows))


def random_rules(bench: Bench, block: int, count: int, rng: np.random.Generator) -> dict[str, list[Measured]]:
    """Rules drawn without a form: probabilities uniform in [0, 1], with and without spin-flip symmetry.

    Those of two spins with the symmetry are left out: all of them are soft rules, so no control.
    """
    odd = [] if block == 2 else [odd_rule(rng.random(1 << block >> 1)) for _ in range(count)]
    plus = rng.random((count, 1 << block))
    free = [UserRule(np.stack([one, 1.0 - one], axis=1)) for one in plus]
    groups = {"random": [bench.measure("random", rule) for rule in free]}
    if odd:
        groups = {"random, odd": [bench.measure("random, odd", rule) for rule in odd], **groups}
    return groups


def all_deterministic(bench: Bench, block: int, most: int, rng: np.random.Generator) -> list[Measured]:
    """Rules that map every block to one sign, both signs used: all of them, or `most` drawn at random.

    One of each pair that differs by the name of the signs.
    """
    size = 1 << block
    numbers = np.arange(1, 1 << (size - 1))  # the last block state goes to -1
    if len(numbers) > most:
        numbers = rng.choice(numbers, most, replace=False)
    rules = []
    for number in numbers.tolist():
        plus = (number >> np.arange(size) & 1).astype(float)
        rules.append(bench.measure("deterministic", UserRule(np.stack([plus, 1.0 - plus], axis=1))))
    return rules


def square_rules() -> dict[str, Rule]:
    """The named rules of a 2x2 block."""
    return {
        "decimation": Decimation(0),
        "majority, ties random": Majority(ties="random"),
        "majority, ties first": Majority(ties="first"),
        "majority, ties plus": Majority(ties="plus"),
        "soft, all 1/2": Soft((0.5,) * 4),
        "soft, all 1": Soft((1.0,) * 4),
        "sign of a row": Soft((50.0, 50.0, 0.0, 0.0)),
        "sign of a diagonal": Soft((50.0, 0.0, 0.0, 50.0)),
    }


def square_random(bench: Bench, count: int, rng: np.random.Generator) -> dict[str, list[Measured]]:
    """Odd rules of a 2x2 block: half with uniform probabilities, half that map every block to one sign."""
    uniform = [odd_rule(rng.random(8)) for _ in range(count)]
    sharp = [odd_rule(np.append(1.0, rng.integers(0, 2, 7)).astype(float)) for _ in range(count)]
    return {
        "random, odd": [bench.measure("random, odd", rule) for rule in uniform],
        "deterministic, odd": [bench.measure("deterministic, odd", rule) for rule in sharp],
    }


def dimers(
    coupling: float, inner: Sequence[float], geometry: Mapping[str, Any]
) -> list[tuple[float, Measured, Measured]]:
    """Majority and decimation where the spins of a block are held together ever more strongly."""
    rows = []
    for strength in inner:
        bench = ring_bench(coupling, inner=strength, **geometry)
        majority = Majority(ties="random") if geometry["block"] % 2 == 0 else Majority()
        rows.append(
            (strength, bench.measure("majority", majority), bench.measure("decimation", Decimation(0)))
        )
    return rows


def series(
    coupling: float, rules: Mapping[str, Rule], ring: int, block: int, order: int
) -> dict[str, CumulantSeries]:
    """The cumulant expansion of K' of each rule."""
    model = Ising(Lattice((ring,)), temperature=1 / coupling)
    partition = Partition.cubic(model.lattice, block)
    return {
        name: block_cumulants(model, partition, rule, order, method="transfer", allow_divergent=True)
        for name, rule in rules.items()
    }


def variations(settings: Any) -> dict[str, dict[str, Any]]:
    """Geometries that differ in one thing from that of the settings: ring, buffer, length of the chain."""
    own = {name: getattr(settings, name) for name in ("ring", "block", "buffer", "chain")}
    other: dict[str, dict[str, Any]] = {
        "as set": {},
        f"ring of {settings.ring - 2 * settings.block}": {"ring": settings.ring - 2 * settings.block},
        f"ring of {settings.ring + 2 * settings.block}": {"ring": settings.ring + 2 * settings.block},
        **{f"buffer {width}": {"buffer": width} for width in (0, 1, 2) if width != settings.buffer},
    }
    if settings.ring >= settings.block + 2 * settings.buffer + 2:
        other[f"information on a ring of {settings.ring}"] = {"chain": settings.ring}
    return {name: {**own, **change} for name, change in other.items()}
