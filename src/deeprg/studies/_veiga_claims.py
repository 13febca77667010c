"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import math
from collections.abc import Sequence

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import Calibration, compare_readings
from deeprg.report.study import Claim
from deeprg.studies._ends import NEAR, End, end_of
from deeprg.studies._veiga_find import ALL, COLD, EXTREMES, HOT, Case, Findings

__all__ = [
    "claims",
    "judge_cause",
    "judge_ising",
    "judge_magnetization",
    "judge_network",
    "judge_start",
]

PAPER_LEARNING = 0.01 * 8000 * 400
"""Rate times steps in the paper at L = 10."""

_M, _M_WIDTH = 0.65, 0.05
_PAPER = "Veiga & Vicente 2020"
_OWN = "control, not in the paper"


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, and what its controls lack."""
    main = found.cases[ALL]
    ends = [end_of(ALL, main.flows[start]) for start in ("T = 0", "T = ∞")]
    controls = [
        end_of(case.name, case.flows["T = ∞"])
        for case in found.cases.values()
        if not case.critical and case.name not in (HOT, COLD)
    ]
    far = [end_of(name, found.cases[name].flows["T = ∞"]) for name in (HOT, COLD)]
    return [
        judge_start(main),
        judge_magnetization(ends, found.settings.learning, found.settings.size),
        _relaxation(ends),
        judge_network(ends),
        judge_ising(ends[1]),
        judge_cause(controls),
        _extremes(end_of(EXTREMES, found.cases[EXTREMES].flows["T = ∞"])),
        _far(far),
        _familiar(ends[1]),
        *(
            []
            if found.thermometers.network.calibration is None
            else [_thermometer(found.thermometers.network.calibration)]
        ),
    ]


def judge_start(case: Case) -> Claim:
    """Two-sample tests of the ends from all up and from random spins."""
    p = ", ".join(f"{value:.2g} ({name})" for name, value in case.dependence.p.items())
    return Claim(
        "The flow ends in the same ensemble from T = 0 and from T = ∞",
        _PAPER,
        f"two-sample tests: p = {p}; below 0.01 in all counts as different",
        not case.dependence.dependent,
    )


def judge_magnetization(ends: Sequence[End], learning: float, size: int) -> Claim:
    """m* = 0.65 ± 0.05; open where a training shorter than half the paper's, or another L, misses it."""
    hit = all(abs(end.m - _M) <= _M_WIDTH for end in ends)
    comparable = size == 10 and learning >= 0.5 * PAPER_LEARNING
    text = ", ".join(f"{end.m:.3f} ± {end.m_error:.3f} from {end.start}" for end in ends)
    return Claim(
        "The end point has the magnetization m* = 0.651 (L = 10, {0, 1} units, no biases)",
        _PAPER,
        f"{text}; rate times steps is {learning / PAPER_LEARNING:.2g} of the paper's; to count: within 0.05",
        True if hit and size == 10 else False if comparable else None,
    )


def _relaxation(ends: Sequence[End]) -> Claim:
    cold, hot = (end.relaxation for end in ends)
    return Claim(
        "The flow arrives much sooner from T = 0 than from T = ∞ (about 2 against 40 rounds)",
        _PAPER,
        f"|m| comes to 1/e of its distance from the end in {cold:.1f} rounds from T = 0 and {hot:.1f} from "
        "T = ∞ (to count: at least five times as many)",
        None if math.isnan(cold) or math.isnan(hot) else hot >= 5 * cold and hot > 0,
    )


def judge_network(ends: Sequence[End]) -> Claim:
    """Whether the network says T_c for all ends."""
    text = "; ".join(
        f"from {end.start} peak at {end.network.peak:g}, mean {end.network.mean.value:.2f}, "
        f"spread {end.network.spread:.2f}"
        for end in ends
    )
    return Claim(
        "The neural thermometer reads T_c at the end of the flow",
        f"Iso et al. 2018; {_PAPER}",
        f"{text} (T_c = 2.269; to count: peak within {NEAR})",
        all(end.near for end in ends),
    )


def judge_ising(end: End) -> Claim:
    """Whether |m| and e belong to one temperature, and that is T_c."""
    found = compare_readings([end.from_m, end.from_e])
    apart = "one reading is only a bound" if found.agree is None else f"{found.z:.0f} standard errors apart"
    holds = bool(found.agree) and abs(found.temperature - CRITICAL_TEMPERATURE) <= NEAR
    return Claim(
        "The end point is the Ising ensemble at T_c",
        "Iso et al. 2018",
        f"the magnetization says T = {end.from_m}, the energy T = {end.from_e}: {apart} (to count: within 3, "
        f"and at T_c within {NEAR})",
        holds,
    )


def judge_cause(controls: Sequence[End]) -> Claim:
    """Whether only a machine that has seen a critical point is read at T_c."""
    text = "; ".join(f"{end.case}: {end.network.peak:g}" for end in controls)
    false = [end.case for end in controls if end.near]
    return Claim(
        "Where the neural thermometer reads T_c, critical data were learned",
        "Iso et al. 2018",
        f"peaks of controls without the Ising critical point: {text}. "
        f"{len(false)} of {len(controls)} read T_c, each a false positive",
        not false,
    )


def _extremes(end: End) -> Claim:
    return Claim(
        "A machine trained on T = 0 and T = ∞ alone is read near T_c as well",
        _PAPER,
        f"peak at {end.network.peak:g}, mean {end.network.mean.value:.2f}, |m| = {end.m:.3f}; "
        f"the magnetization says {end.from_m}, the energy {end.from_e}",
        end.near,
    )


def _far(ends: Sequence[End]) -> Claim:
    text = "; ".join(f"{end.case}: {end.network.peak:g}" for end in ends)
    return Claim(
        "Machines trained on T ≥ 4 alone, or on T = 0 alone, are not read near T_c",
        f"Iso et al. 2018; {_PAPER}",
        f"peaks {text}",
        not any(end.near for end in ends),
    )


def _familiar(end: End) -> Claim:
    reading = end.network
    return Claim(
        "The end point is like the data on which the neural thermometer was trained",
        _OWN,
        "; ".join(reading.flags) or f"{reading.distance:.2g} standard deviations off, as held-out data are",
        reading.trusted,
        asserted=False,
    )


def _thermometer(calibration: Calibration) -> Claim:
    mean, spread = calibration.at(CRITICAL_TEMPERATURE)
    nearest = min(calibration.temperatures, key=lambda t: abs(t - CRITICAL_TEMPERATURE))
    return Claim(
        "Near T_c the neural thermometer is right within 0.36 (one standard deviation)",
        _PAPER,
        f"held-out data of T = {nearest:g}: {mean:.2f} ± {spread:.2f}; the most likely class is right for "
        f"{calibration.correct:.0%} of all data, expected calibration error {calibration.ece:.3f}",
        bool(abs(mean - nearest) <= 0.36),
    )
