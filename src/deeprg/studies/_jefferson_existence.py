"""Where the marginalisation of Gaussian layers exists, and the beta function of their chain."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeprg.exact.layered import (
    GaussianMachine,
    continued_fraction,
    deepest_uniform_chain,
    joint_precision,
    schur_complement,
    uniform_fixed_point,
)
from deeprg.report.study import Claim, StudyTable
from deeprg.runs.errors import NumericalError

__all__ = [
    "Fraction",
    "UniformChain",
    "chain_table",
    "existence_table",
    "fractions",
    "half_point",
    "judge_existence",
    "judge_recursion",
    "schur_deviation",
    "uniform_chain",
]

_DEPTH = 300
_SMALL = 1e-9  # deviations from the fixed point from which the eigenvalue is read
_TOLERANCE = 1e-5
_ROUNDING = 1e-10
_LEVEL = 1.96


@dataclass(frozen=True)
class UniformChain:
    """The flow of a chain of one unit per layer with unit precision and coupling w.

    `fixed` and `eigenvalue` of the flow, read from a chain of 300 layers, None where it does not exist;
    `depth` the number of layers that exist. `expected` are the same by the closed forms.
    """

    coupling: float
    fixed: float | None
    eigenvalue: float | None
    depth: float
    expected: tuple[float | None, float | None, float]


@dataclass(frozen=True)
class Fraction:
    """How many of `draws` random machines of `width` units a layer exist at a coupling strength."""

    width: int
    strength: float
    exist: int
    draws: int

    @property
    def value(self) -> float:
        """The fraction.

        >>> Fraction(4, 1.0, 3, 4).value
        0.75
        """
        return self.exist / self.draws

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % binomial interval (Wilson), which has a width at 0 and 1 as well.

        >>> [round(edge, 3) for edge in Fraction(4, 1.0, 0, 100).interval]
        [0.0, 0.037]
        """
        n, p, z2 = self.draws, self.value, _LEVEL**2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _LEVEL / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
        return max(centre - half, 0.0), min(centre + half, 1.0)


def uniform_chain(coupling: float) -> UniformChain:
    """The fixed point and its eigenvalue, read from the flow itself, and how deep the chain can be.

    >>> chain = uniform_chain(0.4)
    >>> round(chain.fixed, 6), round(chain.eigenvalue, 3), chain.depth
    (0.8, 0.25, inf)
    """
    try:
        flow = [float(a[0, 0]) for a in _flow(coupling, _DEPTH)][::-1]
    except NumericalError:
        depth = next(n for n in range(1, _DEPTH + 1) if not _exists(coupling, n + 1))
        return UniformChain(
            coupling, None, None, float(depth), (None, None, deepest_uniform_chain(1.0, coupling))
        )
    steps = np.diff(flow)
    last = int(np.flatnonzero(np.abs(steps) > _SMALL)[-1])
    point = uniform_fixed_point(1.0, coupling)
    expected = (
        float(point.precision[0, 0]),
        float(point.eigenvalues[0]),
        deepest_uniform_chain(1.0, coupling),
    )
    return UniformChain(coupling, flow[-1], float(steps[last] / steps[last - 1]), math.inf, expected)


def fractions(widths: Sequence[int], strengths: Sequence[float], draws: int, seed: int) -> list[Fraction]:
    """Random machines as in the post, visible, intermediate and deep layer, with unit precisions.

    W_2 [width, width] is normal with standard deviation g/(2 sqrt(width)), so that its norm, which must stay
    below 1, is g for wide layers (the edge of the Marchenko-Pastur law). A machine exists when its
    marginalisation does not raise an error.
    """
    rng = np.random.default_rng(seed)
    found = []
    for width in widths:
        unit = [np.eye(width)] * 2
        for g in strengths:
            inner = g / (2 * math.sqrt(width)) * rng.normal(size=(draws, width, width))
            found.append(Fraction(width, g, sum(_marginalises(unit, w) for w in inner), draws))
    return found


def half_point(found: Sequence[Fraction]) -> tuple[float, float]:
    """The strength at which half of the machines exist, with its error; NaN where 1/2 is not crossed.

    >>> half_point([Fraction(4, 0.9, 100, 100), Fraction(4, 1.1, 0, 100)])[0]
    1.0
    """
    for low, high in itertools.pairwise(found):
        if low.value >= 0.5 > high.value:
            slope = (low.value - high.value) / (high.strength - low.strength)
            at = low.strength + (low.value - 0.5) / slope
            nearest = min(low, high, key=lambda one: abs(one.value - 0.5))
            spread = (nearest.interval[1] - nearest.interval[0]) / (2 * _LEVEL)
            return at, spread / slope
    return math.nan, math.nan


def schur_deviation(machine: GaussianMachine) -> float:
    """Largest deviation of the continued fraction from Schur complements of the joint precision."""
    chain = continued_fraction(machine.precisions, machine.couplings[1:]).precisions
    worst = 0.0
    for layer, marginal in enumerate(chain):
        joint = joint_precision(machine.precisions[layer:], machine.couplings[layer + 1 :])
        worst = max(worst, float(np.abs(schur_complement(joint, len(marginal)) - marginal).max()))
    return worst


def chain_table(chains: Sequence[UniformChain]) -> StudyTable:
    """Fixed point, eigenvalue and depth of the uniform chain against the closed forms."""
    rows = []
    for one in chains:
        depth, exact = (n if math.isfinite(n) else "∞" for n in (one.depth, one.expected[2]))
        rows.append(
            [one.coupling, one.fixed, one.expected[0], one.eigenvalue, one.expected[1]]
            + [d if isinstance(d, str) else int(d) for d in (depth, exact)]
        )
    return StudyTable(
        "chain",
        "The uniform chain A ↦ λ − w²/A: the flow has a beta function",
        ["w/λ", "A*", "A* exact", "eigenvalue", "w²/A*²", "layers", "layers exact"],
        rows,
        f"A* and its eigenvalue read from a flow through {_DEPTH} layers (λ = 1); at w = λ/2 the eigenvalue "
        "is 1 and the approach algebraic, so that a finite flow stays short of both; beyond, the flow ends "
        "after a finite number of layers.",
    )


def existence_table(found: Sequence[Fraction]) -> StudyTable:
    """The fraction of random machines that exist, by strength and width."""
    widths = sorted({one.width for one in found})
    rows = []
    for strength in sorted({one.strength for one in found}):
        row: list[float | str] = [strength]
        for width in widths:
            one = next(f for f in found if (f.width, f.strength) == (width, strength))
            row.append(f"{one.value:.3f} ({one.interval[0]:.2f}–{one.interval[1]:.2f})")
        rows.append(row)
    return StudyTable(
        "existence",
        "Random machines: the fraction that can be marginalised",
        ["strength g", *(f"width {width}" for width in widths)],
        rows,
        f"{found[0].draws} machines each, with 95 % binomial intervals; W₂ has entries of standard deviation "
        "g/(2√width), so that ‖W₂‖ → g for wide layers and the threshold is g = 1.",
    )


def judge_existence(found: Sequence[Fraction]) -> Claim:
    """Whether the marginalisation exists for all machines, and where it ceases to."""
    lines = []
    for width in sorted({one.width for one in found}):
        at, error = half_point([one for one in found if one.width == width])
        lines.append(f"{at:.3f} ± {error:.3f} (width {width})")
    lost = next((one for one in found if one.exist < one.draws), None)
    return Claim(
        "The marginalisation exists for all couplings: the inverse A'⁻¹ can be taken.",
        "Jefferson 2019, below (19), left open there",
        f"half of the random machines are lost at g = {', '.join(lines)}; wide layers lose it at ‖W₂‖ = g = 1"
        if lost
        else f"all {sum(one.draws for one in found)} machines exist",
        holds=lost is None,
        asserted=False,
    )


def judge_recursion(chains: Sequence[UniformChain], schur: float) -> Claim:
    """Whether the couplings flow by a recursion with a fixed point, an eigenvalue and a marginal point."""
    inside = [one for one in chains if one.fixed is not None and abs(one.coupling) < 0.5]
    beyond = [one for one in chains if one.fixed is None]
    fixed = max(abs(one.fixed - one.expected[0]) for one in inside)  # pyright: ignore
    slope = max(abs(one.eigenvalue - one.expected[1]) for one in inside)  # pyright: ignore
    depths = all(one.depth == one.expected[2] for one in beyond)
    marginal = next((one for one in chains if abs(one.coupling) == 0.5), None)
    near = ""
    if marginal is not None:
        short = abs(marginal.fixed - marginal.expected[0])  # pyright: ignore
        near = (
            f"; the marginal row w = λ/2 is not counted, as its approach is algebraic: A* is still "
            f"{short:.1e} off after {_DEPTH} layers"
        )
    return Claim(
        "The couplings of the machine flow by a recursion, with a beta function.",
        "looked for and found awkward in Jefferson 2019",
        f"the matrix continued fraction is one for any depth: it equals Schur complements to {schur:.1e}; "
        f"its fixed point A* = (λ + √(λ² − 4w²))/2 is met to {fixed:.1e} and the eigenvalue w²/A*² "
        f"to {slope:.1e} for all |w| < λ/2 (tolerance {_TOLERANCE:g}){near}; beyond, depths "
        f"{', '.join(f'{one.depth:.0f}' for one in beyond)} are {'as' if depths else 'not as'} predicted",
        holds=fixed < _TOLERANCE and slope < _TOLERANCE and depths and schur < _ROUNDING,
        asserted=False,
    )


def _marginalises(precisions: Sequence[np.ndarray], coupling: np.ndarray) -> bool:
    try:
        continued_fraction(precisions, [coupling], first_layer=1)
    except NumericalError:
        return False
    return True


def _flow(coupling: float, depth: int) -> tuple[np.ndarray, ...]:
    return continued_fraction([[[1.0]]] * depth, [[[coupling]]] * (depth - 1)).precisions


def _exists(coupling: float, depth: int) -> bool:
    try:
        _flow(coupling, depth)
    except NumericalError:
        return False
    return True
