"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import math
from collections.abc import Mapping, Sequence

from scipy.stats import binomtest

from deeprg.report.study import Claim
from deeprg.studies._koch_find import AVERAGE, BLANK, RBM_NAME, SCATTERED, Findings
from deeprg.studies._koch_flow import EXACT, Stage
from deeprg.studies._koch_patterns import Patterns

__all__ = [
    "claims",
    "judge_difference",
    "judge_dimensions",
    "judge_disorder",
    "judge_learned",
    "judge_local",
    "judge_patches",
    "judge_profile",
    "judge_signs",
    "judge_spot",
    "judge_stack",
]

INSIDE, OUTSIDE = 0.7716, 0.643
"""⟨v h⟩ of averages of 2x2 blocks at T_c on 32x32, inside the block and at the next site: Monte Carlo."""

_ANCHOR_ERROR = 0.001
_BLOG, _PAPER = "de Mello Koch 2020, blog", "de Mello Koch, de Mello Koch, Cheng 2020"
_SEQUEL = "Short-sighted deep learning, 2020"
_OWN = "control, not in the source"
_SIGMAS, _LEVEL = 3.0, 0.01


def claims(found: Findings) -> list[Claim]:
    """The claims of the source, then what its figures lack: controls, and the stack."""
    rg, rbm = found.patterns[AVERAGE], found.patterns[RBM_NAME]
    blank, scattered = found.patterns[BLANK], found.patterns[SCATTERED]
    return [
        judge_profile(found.profile_numbers, found.settings.size),
        judge_spot(rg),
        judge_patches(rbm),
        judge_signs(rbm),
        judge_disorder(rbm),
        judge_local(rbm, rg),
        judge_difference(found.flow[0], found.blocks["majority"], rg, rbm),
        judge_dimensions(found.flow),
        judge_learned(rbm, blank, scattered),
        judge_control(found.flow[0]),
        judge_stack(found.magnetization),
        judge_depth(found.stack),
    ]


def judge_profile(numbers: Mapping[str, tuple[float, float]], size: int) -> Claim:
    """⟨v h⟩ of block averages at T_c against the anchors of 32x32."""
    (inside, e1), (outside, e2) = numbers["inside"], numbers["outside"]
    apart = [
        abs(v - anchor) / math.hypot(e, _ANCHOR_ERROR)
        for v, e, anchor in ((inside, e1, INSIDE), (outside, e2, OUTSIDE))
    ]
    return Claim(
        "RG: a block average goes with the spins of its block by about 0.8 and falls off beyond",
        _BLOG,
        f"inside the block {inside:.4f} ± {e1:.4f}, at the next site {outside:.4f} ± {e2:.4f}; on 32x32 "
        f"{INSIDE} and {OUTSIDE} are known (to count: within {_SIGMAS:g} errors)",
        all(z <= _SIGMAS for z in apart) if size == 32 else None,
    )


def judge_spot(rg: Patterns) -> Claim:
    """One spot per tile, on the lattice of the blocks."""
    assert rg.place is not None
    r, p = rg.order
    return Claim(
        "RG: every pattern is one spot, and it moves regularly from tile to tile",
        _BLOG,
        f"one spot in {rg.one_spot:.0%} of {rg.count} patterns, centres {rg.place.displacement:.3f} blocks "
        f"off their blocks (at random {rg.place.random[0]:.2f}), distances of tiles and centres correlate "
        f"by {r:.3f} (p = {p:.2g}; to count: 95 % and p below {_LEVEL})",
        bool(rg.one_spot >= 0.95 and p < _LEVEL and rg.place.placed),
    )


def judge_patches(rbm: Patterns) -> Claim:
    """Most of each tile has one sign."""
    return Claim(
        "RBM: a tile is dominated by one large patch of a single sign",
        _BLOG,
        f"the gauge sign covers {rbm.patch:.0%} of the sites (median of {rbm.count} patterns; to count: 75 "
        "% or more, where chance gives 50 %)",
        rbm.patch >= 0.75,
    )


def judge_signs(rbm: Patterns) -> Claim:
    """Both signs alike, by the binomial law."""
    p = binomtest(round(rbm.positive * rbm.count), rbm.count).pvalue
    return Claim(
        "RBM: about half of the tiles have each sign",
        _BLOG,
        f"{rbm.positive:.0%} of {rbm.count} are positive (p = {p:.2g} for fair coins; to count: above "
        f"{_LEVEL})",
        bool(p > _LEVEL),
    )


def judge_disorder(rbm: Patterns) -> Claim:
    """No order among the tiles: nothing tells a hidden unit its number."""
    r, p = rbm.order
    return Claim(
        "RBM: there is no order among the tiles",
        _BLOG,
        f"distances of tiles and of centres correlate by {r:.3f}, p = {p:.2g} (to count: above {_LEVEL})",
        p > _LEVEL,
    )


def judge_local(rbm: Patterns, rg: Patterns) -> Claim:
    """RG-like: most hidden units have one spot, as block spins have."""
    return Claim(
        "RG-like patterns are present in ⟨v h⟩ of the trained machine: its units are block spins",
        _PAPER,
        f"one spot in {rbm.one_spot:.0%} of the patterns (RG {rg.one_spot:.0%}), median {rbm.spots:g} "
        f"spots, width {rbm.width:.2f} (RG {rg.width:.2f}), {_match(rbm)} (to count: one spot in half of "
        "the patterns)",
        rbm.one_spot >= 0.5,
    )


def judge_difference(start: Stage, majority: Sequence[Stage], rg: Patterns, rbm: Patterns) -> Claim:
    """Some observable tells the machine's coarse variables from block spins by five errors."""
    z = abs(rg.peak - rbm.peak) / math.hypot(rg.peak_error, rbm.peak_error)
    after = majority[-1]
    return Claim(
        "Other observables show clear differences between the machine and RG",
        _PAPER,
        f"largest ⟨v h⟩ of a hidden unit {rbm.peak:.3f} ± {rbm.peak_error:.3f}, of a block average "
        f"{rg.peak:.3f} ± {rg.peak_error:.3f}: {z:.0f} errors (to count: 5). A majority of 2x2 takes ⟨|m|⟩ "
        f"from {start.m:.3f} to {after.m:.3f}",
        z >= 5,
    )


def judge_dimensions(flow: Sequence[Stage]) -> Claim:
    """At the end of the flow both scaling dimensions are those of the critical Ising model."""
    end = flow[-1]
    return Claim(
        "The flow of the machine converges to the right scaling dimensions of spin and energy",
        _SEQUEL,
        f"after {end.step} rounds {_dimensions(end)}; exact 1/8 and 1 (to count: both within {_SIGMAS:g} "
        "errors or 10 %)",
        _right(end),
    )


def judge_control(start: Stage) -> Claim:
    """The same fit of the data themselves: what the fit can do on this lattice."""
    return Claim(
        "The same fit of the data has the right dimensions",
        _OWN,
        f"{_dimensions(start)} (to count: both within {_SIGMAS:g} errors or 10 %)",
        _right(start),
        asserted=False,
    )


def judge_learned(rbm: Patterns, blank: Patterns, scattered: Patterns) -> Claim:
    """Do patterns say what was learned: trained ones against no training, and against data without a lattice.

    ⟨v h⟩ of random weights is W convolved with the correlations of the data, and so has patches of its own.
    """
    shares = f"{rbm.one_spot:.0%}, {blank.one_spot:.0%} and {scattered.one_spot:.0%}"
    spots = f"{rbm.spots:g}, {blank.spots:g} and {scattered.spots:g}"
    floor = max(blank.one_spot, scattered.one_spot)
    error = math.sqrt(max(floor * (1 - floor), 1 / rbm.count) / rbm.count)
    return Claim(
        "The patterns of the trained machine are more like block spins than those of machines that saw no "
        "lattice",
        _OWN,
        f"one spot in {shares} of the patterns of the trained machine, the untrained one, and one trained on "
        f"scattered spins; median spots {spots}; C(1)/C(0) {rbm.near:.3f}, {blank.near:.3f} and "
        f"{scattered.near:.3f} (to count: a larger share with one spot by {_SIGMAS:g} errors)",
        rbm.one_spot > floor + _SIGMAS * error,
        asserted=False,
    )


def judge_stack(magnetization: Mapping[str, Sequence[tuple[float, float]]]) -> Claim:
    """Through the layers: does the stack order where block spins do not."""
    blocks, layers = magnetization["majority"], magnetization[RBM_NAME]
    text = "; ".join(
        f"depth {depth}: {a:.3f} and {b:.3f}"
        for depth, ((a, _), (b, _)) in enumerate(zip(blocks, layers, strict=True), 1)
    )
    (a, e1), (b, e2) = blocks[-1], layers[-1]
    return Claim(
        "The stack of machines goes to lower temperature than block spins: its top layer is more ordered",
        _OWN,
        f"⟨|m|⟩ of majority blocks and of hidden units with their gauge signs, {text} (to count: larger by "
        f"{_SIGMAS:g} errors at the top)",
        b - a > _SIGMAS * math.hypot(e1, e2),
        asserted=False,
    )


def judge_depth(stack: Mapping[str, Sequence[Patterns]]) -> Claim:
    """Through the layers: one spot that grows, as block averages have."""
    text = "; ".join(
        f"depth {depth}: {b.one_spot:.0%} (RG {a.one_spot:.0%})"
        for depth, (a, b) in enumerate(zip(stack[AVERAGE], stack[RBM_NAME], strict=True), 1)
    )
    return Claim(
        "Through the stack each unit goes with one region of the lattice, as a block of blocks does",
        _OWN,
        f"share of patterns with one spot, {text} (to count: half at every depth)",
        all(one.one_spot >= 0.5 for one in stack[RBM_NAME]),
        asserted=False,
    )


def _match(one: Patterns) -> str:
    if one.distance is None or one.overlap is None:
        return "not matched"
    return f"distance {one.distance:.3f} and overlap {one.overlap:.3f} to the RG patterns after matching"


def _dimensions(stage: Stage) -> str:
    parts = []
    for name, symbol in (("spin", "Δσ"), ("energy", "Δε")):
        fit = stage.fits[name]
        parts.append(
            f"{symbol} has no fit" if fit is None else f"{symbol} = {fit.value:.3f} ± {fit.error:.3f}"
        )
    return ", ".join(parts)


def _right(stage: Stage) -> bool:
    for name, exact in EXACT.items():
        fit = stage.fits[name]
        if fit is None or abs(fit.value - exact) > max(_SIGMAS * fit.error, 0.1 * exact):
            return False
    return True
