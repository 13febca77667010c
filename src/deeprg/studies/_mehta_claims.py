"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import itertools
import math
from collections.abc import Mapping, Sequence

from deeprg.montecarlo import Estimate
from deeprg.report.study import Claim
from deeprg.studies._mehta_chain import HandBuilt
from deeprg.studies._mehta_coarse import Decay
from deeprg.studies._mehta_find import (
    BLOCKS,
    FREE,
    LEARNED,
    LIKELIEST,
    LINEAR,
    MODES,
    OTHER,
    PAINTED,
    SHUFFLED,
    SORTED,
    UNTRAINED,
    Findings,
)
from deeprg.studies._mehta_locality import Middle, arrangement, middle, placeless_width

__all__ = [
    "claims",
    "judge_alike",
    "judge_arrangement",
    "judge_bits",
    "judge_blocks",
    "judge_chain",
    "judge_decay",
    "judge_growth",
    "judge_local",
    "judge_penalty",
    "judge_reconstruction",
    "judge_shuffled",
    "judge_sorted",
    "judge_texture",
]

SHARE = 0.5
"""A field is local if more of its square lies in the disc that holds 5 % of the sites."""

_SPOTS = 2
_ALIKE = 1.5
_TEXTURE, _NO_TEXTURE = 0.5, 0.1
_PART = 0.8
_LIKE = 0.8
_SAME = 0.1
_EXACT = 1e-10
_PAPER = "Mehta & Schwab 2014"
_OWN = "control, not in the source"
_OPEN = "open in the source"


def claims(found: Findings) -> list[Claim]:
    """The claims of the source, then controls and open questions."""
    first = {name: case.local[0] for name, case in found.cases.items()}
    middles = {name: [one.middles for one in case.local] for name, case in found.cases.items()}
    widths = {name: [layer["width"] for layer in layers] for name, layers in middles.items()}
    shares = {name: [layer["share"] for layer in layers] for name, layers in middles.items()}
    deepest, second = found.remembered[-1], min(1, len(found.settings.layers) - 1)
    return [
        judge_local(shares[LEARNED][0], middles[LEARNED][0]["spots"], shares[UNTRAINED][0]),
        judge_alike(widths[LEARNED]),
        judge_growth(widths[LEARNED], widths[BLOCKS], placeless_width(found.settings.shape)),
        judge_reconstruction(deepest.overlaps, deepest.units, found.settings.size**2),
        judge_chain(found.chain),
        judge_penalty(shares[FREE], shares[LEARNED], found.settings.penalty),
        judge_texture(first[FREE].texture, first[LEARNED].texture, first[UNTRAINED].texture),
        judge_shuffled(shares[SHUFFLED][0], first[SHUFFLED].texture, shares[LEARNED][0]),
        judge_sorted(widths[SORTED], widths[LEARNED], shares[LEARNED][0]),
        judge_blocks(
            {side: middle(values) for side, values in found.likeness[LEARNED][second].items()},
            found.settings.sides[second],
            middle(found.likeness[UNTRAINED][second][found.settings.sides[second]]),
        ),
        judge_arrangement([arrangement(one.centre, found.settings.size) for one in found.learned.local]),
        judge_decay([one.decays for one in found.coarse]),
        judge_bits(deepest.ahead, deepest.overlaps, deepest.units),
    ]


def judge_local(share: Middle, spots: Middle, untrained: Middle) -> Claim:
    """Whether the median field is a blob: most of its square in a small disc, one spot or two."""
    return Claim(
        "The receptive fields of the first layer are local blobs",
        _PAPER,
        f"the median unit has {share} of its square in a disc of 5 % of the sites (untrained: "
        f"{untrained.value:.2g}); median number of spots {spots.value:g} (to count: above {SHARE:g}, at most "
        f"{_SPOTS} spots)",
        share.value > SHARE and spots.value <= _SPOTS,
    )


def judge_alike(widths: Sequence[Middle]) -> Claim:
    """Whether the 16 % and 84 % quantiles of the width are within a factor of 1.5 in every layer."""
    text = "; ".join(f"{one.low:.3g} to {one.high:.3g}" for one in widths)
    return Claim(
        "The fields of one layer are of similar size",
        _PAPER,
        f"widths of two thirds of the units, layer by layer: {text}, largest ratio "
        f"{max(one.ratio for one in widths):.2f} (to count: below {_ALIKE:g})",
        all(one.ratio < _ALIKE for one in widths),
    )


def judge_growth(widths: Sequence[Middle], blocks: Sequence[Middle], placeless: float) -> Claim:
    """Whether the median width grows by three errors at every step and the last is still local."""
    steps = [
        (above.value - below.value) / max(math.hypot(below.error, above.error), 1e-12)
        for below, above in itertools.pairwise(widths)
    ]
    text = ", ".join(str(one) for one in widths)
    same = ", ".join(f"{one.value:.3g}" for one in blocks)
    return Claim(
        "The fields grow with depth",
        _PAPER,
        f"median widths {text}; blocks of as many sites as there are per unit have {same}, a field without "
        f"place {placeless:.3g}. Growth in errors: {', '.join(f'{z:.0f}' for z in steps)} (to count: above 3 "
        f"each, the last width below half of {placeless:.3g})",
        all(z > 3 for z in steps) and widths[-1].value < placeless / 2,
    )


def judge_reconstruction(overlaps: Mapping[str, Estimate], units: int, sites: int) -> Claim:
    """Whether the top units know the domains: most of what majority spins keep, and far from the controls."""
    own, best = overlaps[LEARNED], overlaps[PAINTED]
    apart = {
        name: (own.value - overlaps[name].value) / math.hypot(own.error, overlaps[name].error)
        for name in (UNTRAINED, OTHER)
    }
    text = ", ".join(f"{name} {overlaps[name].value:.3f}" for name in (UNTRAINED, OTHER, FREE, LINEAR, MODES))
    return Claim(
        f"{units} hidden units reconstruct the domains of {sites} spins",
        _PAPER,
        f"overlap per site {own.value:.3f} ± {own.error:.3f}, {own.value / best.value:.0%} of the "
        f"{best.value:.3f} of as many majority spins painted over their blocks ({text}; to count: at least "
        f"{_PART:.0%}, and five errors above the first two)",
        own.value >= _PART * best.value and all(z > 5 for z in apart.values()),
    )


def judge_chain(found: HandBuilt) -> Claim:
    """Whether every number of the hand-built network is that of decimation, to rounding."""
    text = ", ".join(
        f"K = {one.before:.6g} → {one.coupling:.6g} on {one.sites} spins" for one in found.layers
    )
    return Claim(
        "In 1D decimation, tanh K' = tanh² K, is a deep network with weights put in by hand",
        _PAPER,
        f"{text}; K', all other couplings, the trace condition (up to a constant) and KL, of each layer and "
        f"of the whole network, are off by {found.off:.1e} at most (to count: below {_EXACT:g})",
        found.off < _EXACT,
    )


def judge_penalty(free: Sequence[Middle], learned: Sequence[Middle], penalty: float) -> Claim:
    """Whether the first layer is local, by the same rule, where nothing asks for few weights."""
    upper = ", ".join(f"{one.value:.2g}" for one in free[1:])
    return Claim(
        "The first layer is local without the L1 penalty, too",
        _OPEN,
        f"share in the disc {free[0]} without, {learned[0].value:.3g} with L1 = {penalty:g} (to count: above "
        f"{SHARE:g}); without L1 the layers above have {upper}",
        free[0].value > SHARE,
        asserted=False,
    )


def judge_texture(free: float, learned: float, untrained: float) -> Claim:
    """Whether neighbouring sites have like weights without L1."""
    return Claim(
        "Without L1 neighbouring sites still have like weights",
        _OWN,
        f"correlation of neighbouring weights {free:.2f} without, {learned:.2f} with L1, {untrained:.2f} "
        f"untrained (to count: above {_TEXTURE:g}, untrained below {_NO_TEXTURE:g})",
        free > _TEXTURE and abs(untrained) < _NO_TEXTURE,
        asserted=False,
    )


def judge_shuffled(share: Middle, texture: float, learned: Middle) -> Claim:
    """Whether fields of shuffled data are neither local nor smooth; open where those in order are not."""
    return Claim(
        "On shuffled sites the fields are not local on the lattice",
        _OWN,
        f"share in the disc {share}, correlation of neighbouring weights {texture:.2f} (to count: below "
        f"{SHARE:g} and {_NO_TEXTURE:g}; open unless it is above {SHARE:g} for data in order)",
        share.value < SHARE and abs(texture) < _NO_TEXTURE if learned.value > SHARE else None,
        asserted=False,
    )


def judge_sorted(back: Sequence[Middle], learned: Sequence[Middle], share: Middle) -> Claim:
    """Whether sorting the sites back gives the widths of data in order; open where these are not local."""
    text = ", ".join(
        f"{one.value:.3g} and {other.value:.3g}" for one, other in zip(back, learned, strict=True)
    )
    same = all(
        abs(one.value - other.value) <= _SAME * other.value for one, other in zip(back, learned, strict=True)
    )
    return Claim(
        "Sorted back they are as local as those of data that were never shuffled",
        _OWN,
        f"median widths, layer by layer: {text} (to count: within {_SAME:.0%}; open unless the first "
        "layer is local)",
        same if share.value > SHARE else None,
        asserted=False,
    )


def judge_blocks(likeness: Mapping[int, Middle], side: int, untrained: Middle) -> Claim:
    """Whether fields are likest the blocks of as many sites as there are per unit, and much like them."""
    text = ", ".join(f"{one.value:.2f} with {b}x{b}" for b, one in likeness.items())
    return Claim(
        "The fields of the second layer are those of block spins",
        _OPEN,
        f"median overlap |M·R|/|M||R| at the best place: {text}; untrained {untrained.value:.2f} (to count: "
        f"largest with {side}x{side}, and above {_LIKE:g})",
        likeness[side].value > _LIKE and likeness[side].value == max(one.value for one in likeness.values()),
        asserted=False,
    )


def judge_arrangement(found: Sequence[tuple[float, float]]) -> Claim:
    """Whether the centres of a layer's fields keep apart from each other, more than random places."""
    text = ", ".join(f"{ratio:.2f}" for ratio, _ in found)
    return Claim(
        "The units of a layer share the lattice among them",
        _OPEN,
        f"distance to the nearest centre over that of random places, layer by layer: {text}; a square grid "
        "has 2 (to count: five errors above 1)",
        all(ratio - 1 > 5 * error for ratio, error in found),
        asserted=False,
    )


def judge_decay(decays: Sequence[Mapping[str, Decay]]) -> Claim:
    """Whether coarse units lose their correlation with distance as majority spins of the same blocks do."""
    pairs = [(one[LEARNED], one[BLOCKS]) for one in decays]
    text = "; ".join(f"{own} and {other}" for own, other in pairs)
    known = all(math.isfinite(one.length) for pair in pairs for one in pair)
    return Claim(
        "Coarse units are correlated over the distance that block spins are",
        _OPEN,
        f"decay length of network and majority spins, layer by layer: {text} (to count: within {_SAME:.0%}); "
        f"on shuffled sites {decays[0][SHUFFLED]}",
        all(abs(own.length - other.length) <= _SAME * other.length for own, other in pairs)
        if known
        else None,
        asserted=False,
    )


def judge_bits(ahead: Mapping[str, Estimate], overlaps: Mapping[str, Estimate], units: int) -> Claim:
    """Whether the top units keep as much as majority spins, on the same configurations."""
    drawn, likely = ahead[LEARNED], ahead[LIKELIEST]
    return Claim(
        f"{units} hidden units keep as much of a configuration as {units} majority spins",
        _OPEN,
        f"overlap less by {-drawn.value:.3f} ± {drawn.error:.3f} for drawn units and "
        f"{-likely.value:.3f} ± {likely.error:.3f} for their likeliest states, of "
        f"{overlaps[PAINTED].value:.3f} (to count: likeliest states not three errors less)",
        likely.value > -3 * likely.error,
        asserted=False,
    )
