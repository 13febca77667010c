"""What a rule keeps and what it does to the action, measured side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from deeprg.exact.blocking import (
    BlockedAction,
    BlockEnvironment,
    Partition,
    Rule,
    SpinAction,
    UserRule,
    block_environment,
    block_transfer,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError

__all__ = [
    "ROUNDING",
    "TIE",
    "Bench",
    "Measured",
    "RankCorrelation",
    "odd_rule",
    "rank_correlation",
    "ring_bench",
    "sampled_correlation",
    "square_bench",
]

ROUNDING = 1e-12
"""Ratios of couplings and shares below this are zero."""

TIE = 1e-9
"""Numbers that agree to this share of the largest among them are equal."""

_RESAMPLES = 999

_LEAST = 1e-9


@dataclass(frozen=True)
class Measured:
    """One rule: information kept (nats, and as a share of I(V:E)), and couplings of K'.

    `nearest`, `second` and `four` are couplings averaged with sign over all sets of that kind, whatever their
    direction. `rangeness`, `m_bodyness` are magnitudes, root mean squares over the same sets divided by that
    over nearest neighbours: |K_2(2)/K_2(1)| where the directions are alike. `rest` has the same norm: the
    root of the sum of squares of all couplings of two and more spins that do not join nearest neighbours,
    over that of those that do. `by_distance` [distances] has the pair couplings of a ring.
    """

    name: str
    kept: float
    share: float
    entropy: float
    nearest: float
    second: float
    four: float
    rangeness: float
    m_bodyness: float
    rest: float
    by_distance: tuple[float, ...]


@dataclass(frozen=True)
class Bench:
    """A system in which rules are measured: its environment and its coarse action."""

    known: BlockEnvironment
    blocked: Callable[[Rule], BlockedAction]
    sets: tuple[np.ndarray, np.ndarray, np.ndarray]
    pairs: tuple[int, ...]

    def measure(self, name: str, rule: Rule) -> Measured:
        """All numbers of one rule."""
        kept = self.known.information(rule)
        couplings = self.blocked(rule).coefficients
        near, second, four = (couplings[numbers] for numbers in self.sets)
        body = np.array([number.bit_count() for number in range(len(couplings))])
        other = np.where(body > 1, couplings, 0.0)
        other[self.sets[0]] = 0.0
        size = max(_rms(near), np.finfo(float).tiny)
        return Measured(
            name,
            kept.kept,
            kept.share,
            kept.entropy,
            float(near.mean()),
            float(second.mean()),
            float(four.mean()),
            _rms(second) / size,
            _rms(four) / size,
            float(np.sqrt(np.sum(other**2) / len(near)) / size),
            tuple(float(couplings[number]) for number in self.pairs),
        )


def ring_bench(
    coupling: float, *, ring: int, block: int, buffer: int, chain: int, inner: float | None = None
) -> Bench:
    """K' on a ring of `ring` spins, the information on one of `chain` spins, whose length does not show.

    The environment is the two sites next to the buffer, which screen all others. `inner` is the coupling
    within the blocks where it differs from that between them.

    Raises `NumericalError` where there is less than 1e-9 nats of information to be kept.
    """

    def action(size: int) -> SpinAction:
        within = coupling if inner is None else inner
        bonds = {
            (site, (site + 1) % size): coupling if (site + 1) % block == 0 else within for site in range(size)
        }
        return SpinAction(size, bonds, Lattice((size,)))

    small, long = action(ring), action(chain)
    partition = Partition.cubic(Lattice((ring,)), block)
    ends = [block + buffer, chain - 1 - buffer]
    known = block_environment(long, Partition.cubic(Lattice((chain,)), block), environment=ends)
    if known.present < _LEAST:
        raise NumericalError(
            f"At K = {coupling:g} a block knows only {known.present:.1e} nats of what is beyond a buffer "
            f"of {buffer}, "
            "too little beside rounding; take a narrower buffer or a stronger coupling."
        )
    count = ring // block
    return Bench(
        known,
        lambda rule: block_transfer(small, partition, rule),
        _ring_sets(count),
        tuple(1 | 1 << distance for distance in range(1, count // 2 + 1)),
    )


def square_bench(coupling: float, *, side: int, buffer: int) -> Bench:
    """K' and information of 2x2 blocks of a square torus, both on that torus."""
    model = Ising(Lattice((side, side)), temperature=1 / coupling)
    partition = Partition.cubic(model.lattice, 2)
    known = block_environment(model, partition, buffer=buffer)
    width = side // 2
    return Bench(
        known,
        lambda rule: block_transfer(model, partition, rule, width=width),
        _square_sets(width),
        (),
    )


def odd_rule(half: np.ndarray) -> UserRule:
    """The rule with P(+|Y) = `half` [2^(b-1)] where the last spin is +1, and P(+|-Y) = 1 - P(+|Y).

    >>> odd_rule(np.array([0.9, 0.4])).table(2)[:, 0].round(9).tolist()
    [0.9, 0.4, 0.6, 0.1]
    """
    plus = np.concatenate([half, 1.0 - half[::-1]])
    return UserRule(np.stack([plus, 1.0 - plus], axis=1))


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation of rules drawn at random, with its standard error and 95 % interval (bootstrap)."""

    value: float | None
    error: float | None
    low: float | None
    high: float | None


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, None where all numbers of either agree and there is no order.

    Numbers whose difference is below 1e-9 of the largest, or 1e-12, share a rank.

    >>> round(rank_correlation([0.1, 0.2, 0.3], [3.0, 2.0, 1.0]), 9)
    -1.0
    """
    value = float(_spearman(_levels(first)[None], _levels(second)[None])[0])
    return None if np.isnan(value) else value


def sampled_correlation(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """`rank_correlation` of a sample of rules, with the error that drawing so many of them leaves.

    Standard deviation and 2.5 to 97.5 % quantiles over 999 bootstrap samples of the rules (Efron 1979).

    >>> one = sampled_correlation([0.1, 0.2, 0.3, 0.4, 0.5], [5.0, 3.0, 4.0, 2.0, 1.0])
    >>> round(one.value, 9), one.low < one.value < one.high
    (-0.9, True)
    """
    value = rank_correlation(first, second)
    if value is None:
        return RankCorrelation(None, None, None, None)
    size = len(first)
    drawn = np.random.default_rng(0).integers(0, size, (_RESAMPLES, size))  # the same for every group
    values = _spearman(_levels(first)[drawn], _levels(second)[drawn])
    values = values[np.isfinite(values)]  # a sample of one rule only has no order
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return RankCorrelation(value, float(values.std(ddof=1)), low, high)


def _levels(values: Sequence[float]) -> np.ndarray:
    """Whole numbers in the order of the values, one for all values that agree."""
    x = np.asarray(values, float)
    order = np.argsort(x)
    apart = np.diff(x[order]) > max(TIE * np.abs(x).max(), ROUNDING)
    levels = np.empty(x.size)
    levels[order] = np.concatenate([[0], np.cumsum(apart)])
    return levels


def _spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of every row [samples, rules]; nan without an order."""
    x, y = (rankdata(one, axis=1) for one in (first, second))
    x, y = (one - one.mean(1, keepdims=True) for one in (x, y))
    size = np.sqrt(np.sum(x**2, 1) * np.sum(y**2, 1))
    return np.where(size > 0, np.sum(x * y, 1) / np.where(size > 0, size, 1.0), np.nan)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _ring_sets(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the sets at distance 1 and 2 and of four in a row."""
    shapes = ((0, 1), (0, 2), (0, 1, 2, 3))
    return tuple(  # pyright: ignore[reportReturnType]
        np.unique([sum(1 << (start + step) % count for step in shape) for start in range(count)])
        for shape in shapes
    )


def _square_sets(width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the nearest pairs, the diagonal pairs and the plaquettes of a square torus."""
    places = [(x, y) for x in range(width) for y in range(width)]

    def number(corner: tuple[int, int], shape: Sequence[tuple[int, int]]) -> int:
        sites = {((corner[0] + x) % width) * width + (corner[1] + y) % width for x, y in shape}
        return sum(1 << site for site in sites)

    shapes = (
        [((0, 0), (0, 1)), ((0, 0), (1, 0))],
        [((0, 0), (1, 1)), ((0, 1), (1, 0))],
        [((0, 0), (0, 1), (1, 0), (1, 1))],
    )
    return tuple(  # pyright: ignore[reportReturnType]
        np.unique([number(corner, shape) for corner in places for shape in group]) for group in shapes
    )
