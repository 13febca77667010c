"""Tables of the study."""

import math

import numpy as np

from deeprg.montecarlo import Estimate
from deeprg.report.study import StudyTable
from deeprg.studies._mehta_coarse import CoarseCurve
from deeprg.studies._mehta_find import BLOCKS, LEARNED, Findings
from deeprg.studies._mehta_locality import Locality, arrangement, middle

__all__ = ["tables"]

_NUMBERS = ("width", "±", "16 %", "84 %", "area", "±", "share in the disc", "spots", "neighbours")
_SAID = (
    "Medians over the units. With weights M²: width, root mean square distance from the centre; area, "
    "(Σ M²)²/Σ M⁴ in sites; share, the part in the disc of 5 % of the sites. Spots: regions with |M| above "
    "half its maximum. Neighbours: correlation of the weights of neighbouring sites."
)


def tables(found: Findings) -> list[StudyTable]:
    """Fields by network and layer, first layers by L1, overlaps, coarse variables, the chain."""
    return [_fields(found), _penalties(found), _overlaps(found), _coarse(found), _chain(found)]


def _fields(found: Findings) -> StudyTable:
    rows = [
        [name, layer, len(one.width), *_local(one)]
        for name, case in found.cases.items()
        for layer, one in enumerate(case.local, 1)
    ]
    return StudyTable("fields", "Receptive fields", ("network", "layer", "units", *_NUMBERS), rows, _SAID)


def _penalties(found: Findings) -> StudyTable:
    rows = [[penalty, *_local(found.penalties[penalty])] for penalty in sorted(found.penalties)]
    return StudyTable(
        "penalties", "First layers by their L1 penalty", ("L1", *_NUMBERS), rows, "Columns as for the fields."
    )


def _local(one: Locality) -> list[float | None]:
    width, area, share, spots = (one.middles[name] for name in ("width", "area", "share", "spots"))
    row = [width.value, width.error, width.low, width.high, area.value, area.error, share.value, spots.value]
    return [_number(value) for value in (*row, one.texture)]


def _overlaps(found: Findings) -> StudyTable:
    rows = []
    for layer, one in enumerate(found.remembered, 1):
        for name, estimate in one.overlaps.items():
            ahead: Estimate | None = one.ahead.get(name)
            rows.append(
                [
                    layer,
                    one.units,
                    name,
                    estimate.value,
                    estimate.error,
                    *(_number(getattr(ahead, part, math.nan)) for part in ("value", "error")),
                ]
            )
    return StudyTable(
        "overlaps",
        "Overlap of configurations and their reconstructions",
        ("layer", "numbers kept", "guess from", "overlap", "±", "less that of majority", "±"),
        rows,
        f"⟨v_i sign(g_i)⟩ over sites and {found.settings.held_out} configurations that no network has seen; "
        "the difference is taken on the same configurations. Units are drawn unless said. Majority spins of "
        "blocks of as many sites as there are per unit are painted over their blocks, or all sites are "
        "fitted to them. Leading modes: principal components, real numbers instead of bits.",
    )


def _coarse(found: Findings) -> StudyTable:
    rows = []
    for layer, one in enumerate(found.coarse, 1):
        near = one.curves[BLOCKS].r[0] if len(one.curves[BLOCKS].r) else math.nan
        likeness = found.likeness[LEARNED][layer - 1]
        ratio, error = arrangement(found.learned.local[layer - 1].centre, found.settings.size)
        rows.append(
            [
                layer,
                f"{one.side}x{one.side}",
                *(
                    _number(value)
                    for name in (LEARNED, BLOCKS)
                    for value in (one.decays[name].length, one.decays[name].error)
                ),
                _number(_at(one.curves[LEARNED], near)),
                _number(_at(one.curves[BLOCKS], near)),
                *(_number(middle(values).value) for values in likeness.values()),
                ratio,
                error,
            ]
        )
    return StudyTable(
        "coarse",
        "Units as block spins",
        (
            *("layer", "block", "decay", "±", "decay, majority", "±", "G(near)", "G(near), majority"),
            *(f"like {side}x{side}" for side in found.settings.sides),
            *("apart", "±"),
        ),
        rows,
        "Decay: ξ of G ~ exp(-r/ξ) between max(0.15 L, side of a block) and 0.4 L; G is the correlation "
        "coefficient of two units at the distance of their centres. G(near): at the distance of neighbouring "
        "blocks, interpolated. Like b x b: median overlap of the fields with a block of that side at its "
        "best place. Apart: distance to the nearest centre over that of random places, 1 for these and 2 for "
        "a square grid.",
    )


def _at(curve: CoarseCurve, r: float) -> float:
    if not len(curve.r) or not curve.r[0] <= r <= curve.r[-1]:
        return math.nan
    return float(np.interp(r, curve.r, curve.value))


def _chain(found: Findings) -> StudyTable:
    rows = [
        [
            *(one.sites, one.before, one.coupling, abs(one.coupling - one.tanh_squared)),
            *(one.other, one.trace, one.kl),
        ]
        for one in found.chain.layers
    ]
    return StudyTable(
        "chain",
        "The chain decimated by a network put in by hand",
        ("spins", "K", "K'", "Δ artanh tanh² K", "other J", "trace condition", "KL"),
        rows,
        f"Weights to a kept spin {found.settings.copy_weight:g}, to a summed one K. By enumeration; KL of "
        f"the whole network {found.chain.kl:.1e}.",
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
