"""What held of the layouts: every verdict is computed from the numbers by a rule written beside it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.report.study import Claim
from deeprg.studies._architectures_find import LAYOUTS, Findings

__all__ = ["claims", "judge_bottleneck", "judge_depth", "judge_gaps", "judge_temperature"]

_TALK = "Wang, talk"
_OWN = "control, not in the source"
_ERRORS = 3.0


def claims(found: Findings) -> list[Claim]:
    """The claims of the talk, and what the comparison adds."""
    near = min(found.settings.temperatures, key=lambda t: abs(t - CRITICAL_TEMPERATURE))
    gaps = {name: found.variants[name, near].gap for name in LAYOUTS}
    errors = {name: found.variants[name, near].gap_error for name in LAYOUTS}
    target = found.targets[near].information
    kept = {name: found.variants[name, near].ensemble.information for name in LAYOUTS}
    return [
        judge_gaps(gaps, errors, near),
        judge_depth([(layers, v.ensemble.length) for layers, v in found.by_layers.items()]),
        *_bottleneck(found, near),
        judge_temperature(
            {name: [found.variants[name, t].gap for t in found.settings.temperatures] for name in LAYOUTS},
            found.settings.temperatures,
        ),
        _scales(found),
        _information(
            {name: (row.value, row.error) for name, row in kept.items()}, target.value, target.error
        ),
        _best(gaps, near),
    ]


def judge_gaps(gaps: Mapping[str, float], errors: Mapping[str, float], temperature: float) -> Claim:
    """Disentanglers and decimators together, MERA, beat either alone near T_c."""
    rivals = ("ttn", "tebd")
    text = ", ".join(f"{name} {gaps[name]:.3f} ± {errors[name]:.3f}" for name in ("mera", *rivals))
    return Claim(
        "Disentanglers and decimators together (MERA) approximate a critical system better than either alone",
        _TALK,
        f"gaps at T = {temperature:.4g}, in nats, after equal training: {text}",
        all(
            gaps["mera"] < gaps[name] - _ERRORS * math.hypot(errors["mera"], errors[name]) for name in rivals
        ),
    )


def judge_depth(lengths: Sequence[tuple[int, float]]) -> Claim:
    """The correlation length of what a flat layout makes grows with its layers."""
    text = ", ".join(f"{layers}: {length:.2f}" for layers, length in lengths)
    values = [length for _, length in sorted(lengths)]
    return Claim(
        "With disentanglers alone the correlation length that is reached grows with the depth",
        _TALK,
        f"second-moment ξ of the model's own draws at T_c by layers, {text}",
        bool(np.all(np.diff(values) > 0)) if len(values) > 1 else None,
    )


def _bottleneck(found: Findings, temperature: float) -> list[Claim]:
    tree = found.variants["ttn", temperature]
    if tree.cut is None:
        return []
    return [
        judge_bottleneck(
            (tree.cut.value, tree.cut.error),
            (tree.ensemble.information.value, tree.ensemble.information.error),
        )
    ]


def judge_bottleneck(cut: tuple[float, float], halves: tuple[float, float]) -> Claim:
    """No function of a tree's halves shares more than its top variables do, and the sign: I(a:b) + ln 2.

    The flow is an average over the sign of all latents at once, one more bit that both halves see.
    """
    return Claim(
        "Two halves of a tree share no more information than its top variables do, I(A:B) = I(a:b)",
        _TALK,
        f"I(a:b) = {cut[0]:.3f} ± {cut[1]:.3f} nats, and ln 2 for the common sign of the mixture; the "
        f"magnetizations of the halves share {halves[0]:.3f} ± {halves[1]:.3f} (to count: not more, within "
        f"{_ERRORS:g} errors)",
        halves[0] <= cut[0] + math.log(2) + _ERRORS * math.hypot(cut[1], halves[1]),
    )


def judge_temperature(gaps: Mapping[str, Sequence[float]], temperatures: Sequence[float]) -> Claim:
    """The gap is largest near T_c for every layout."""
    peaks = {name: temperatures[int(np.argmax(values))] for name, values in gaps.items()}
    text = ", ".join(f"{name} {peak:.4g}" for name, peak in peaks.items())
    inner = temperatures[1:-1]
    return Claim(
        "Criticality is the hard case: the gap is largest in between, not at low or high temperature",
        _OWN,
        f"temperature of the largest gap: {text}",
        all(peak in inner for peak in peaks.values()) if inner else None,
        asserted=False,
    )


def _scales(found: Findings) -> Claim:
    rows = [(scales, row.gap) for scales, row in sorted(found.by_scales.items())]
    text = ", ".join(f"{scales}: {gap:.3f}" for scales, gap in rows)
    return Claim(
        "A MERA of fewer scales is worse at T_c",
        _TALK,
        f"gap by scales: {text}",
        bool(np.all(np.diff([gap for _, gap in rows]) < 0)) if len(rows) > 1 else None,
    )


def _information(kept: Mapping[str, tuple[float, float]], target: float, error: float) -> Claim:
    text = ", ".join(f"{name} {value:.3f} ± {err:.3f}" for name, (value, err) in kept.items())
    return Claim(
        "Every layout makes halves that share as much as those of the target",
        _OWN,
        f"I of the halves' magnetizations: target {target:.3f} ± {error:.3f}; {text}",
        all(abs(value - target) <= _ERRORS * math.hypot(err, error) for value, err in kept.values()),
        asserted=False,
    )


def _best(gaps: Mapping[str, float], temperature: float) -> Claim:
    best = min(gaps, key=lambda name: gaps[name])
    text = ", ".join(f"{name} {gap:.3f}" for name, gap in sorted(gaps.items(), key=lambda item: item[1]))
    return Claim(
        "After equal numbers of steps the conditional hierarchy is closest to the target",
        _OWN,
        f"gaps at T = {temperature:.4g}: {text}",
        best == "conditional",
        asserted=False,
    )
