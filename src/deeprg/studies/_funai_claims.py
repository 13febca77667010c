"""What held: every verdict is computed from the numbers by a rule that is written beside it."""

import math
from collections.abc import Mapping, Sequence

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import compare_readings
from deeprg.report.study import Claim
from deeprg.studies._ends import NEAR, judge_starts
from deeprg.studies._followed import ORDERED, RANDOM
from deeprg.studies._funai_exponent import BETA, PowerLaw
from deeprg.studies._funai_finals import CLOSE, Aim, Final, aim_of, finals_of, pool_of
from deeprg.studies._funai_find import EVERY, Findings, field_name
from deeprg.studies._funai_flow import Heat

__all__ = [
    "claims",
    "judge_agreement",
    "judge_along",
    "judge_controls",
    "judge_critical",
    "judge_data_exponent",
    "judge_exponent",
    "judge_heat",
    "judge_kept_exponent",
    "judge_maximal",
    "judge_nearer",
    "judge_pools",
    "judge_some",
]

_PAPER = "Funai & Giataganas 2020"
_LATER = "Funai 2021"
_OWN = "control, not in the paper"
_QUARTER = 0.25
_TENTH = 0.1
_SIGMAS = 3.0


Groups = Mapping[str, Sequence[Final]]
"""The ends of machines from several starts, by machine."""


def claims(found: Findings) -> list[Claim]:
    """The claims of the papers, and what their controls lack."""
    aims = {h: aim_of(found, h) for h in found.settings.fields}
    without, *fields = found.settings.fields
    own = {case.name: finals_of(found, case) for case in found.cases}
    main = {case.name: own[case.name] for case in found.of(field_name(without))}
    zero = {case.name: own[case.name] for case in found.cases if case.data == field_name(without)}
    trained = [case for case in found.cases if not case.control]
    ends = {case.name: own[case.name] for case in trained}
    first = own[found.cases[0].name]
    controls = [end for case in found.cases if case.control for end in own[case.name]]
    return [
        judge_maximal("H = 0: the flow ends at the largest specific heat", {aims[without]: main}),
        judge_maximal(
            "H > 0: the flow ends at the largest specific heat",
            {aims[h]: {case.name: own[case.name] for case in found.of(field_name(h))} for h in fields},
        ),
        judge_maximal(
            "A machine trained on all T and H ends at the largest specific heat of all",
            {aims[without]: {case.name: own[case.name] for case in found.of(EVERY)}},
        ),
        judge_critical(main),
        judge_exponent(found.laws[1]),
        judge_some(zero),
        judge_nearer(zero, aims[without].temperature),
        judge_agreement([end for group in ends.values() for end in group]),
        judge_heat(first, aims[without]),
        judge_along([end for group in ends.values() for end in group if end.start == RANDOM]),
        judge_starts(
            {case.name: case.dependence.p for case in trained},
            f"The flow ends in one ensemble, from {ORDERED} and from {RANDOM}",
            _OWN,
        ),
        judge_controls(controls, aims[without]),
        judge_pools([(pool_of(found, pool), aims[pool.field]) for pool in found.pools]),
        judge_data_exponent(found.laws[0]),
        judge_kept_exponent(found.laws),
    ]


def judge_maximal(statement: str, groups: Mapping[Aim, Groups]) -> Claim:
    """Whether in each field the machine of one kind of unit ends at the largest c, from every start."""
    good, text = [], []
    for aim, machines in groups.items():
        good.append(any(all(end.meets(aim) for end in ends) for ends in machines.values()))
        order = "|m|" if aim.field == 0 else "m"
        seen = "; ".join(
            f"{name}: " + ", ".join(f"{end.order:.2f} and {end.energy:.2f}" for end in ends)
            for name, ends in machines.items()
        )
        text.append(
            f"{order} and e at the largest c: {aim.order:.3f} and {aim.energy:.3f}; at the ends: {seen}"
        )
    return Claim(
        statement,
        _PAPER,
        f"{'. '.join(text)} (to count: within {CLOSE:g} from every start, in one kind of unit)",
        all(good),
    )


def judge_critical(machines: Groups) -> Claim:
    """Whether the machine of one kind of unit ends at T_c, from every start."""
    return Claim(
        "H = 0: the flow ends at the critical point",
        _PAPER,
        f"T from |m| and from e: {_readings(machines)} (T_c = 2.269; to count: both within {NEAR:g} from "
        "every start, in one kind of unit)",
        any(all(end.critical for end in ends) for ends in machines.values()),
    )


def judge_exponent(law: PowerLaw) -> Claim:
    """Beta after one round from data of known temperature."""
    return Claim(
        "The exponent of the magnetization from reconstructed data is that of the Ising model",
        _PAPER,
        f"beta = {_beta(law)} after one round, from T = {law.temperatures[0]:g} … {law.temperatures[-1]:g} "
        f"(1/8 = 0.125; to count: within {_QUARTER:.0%})",
        abs(law.beta - BETA) <= _QUARTER * BETA,
    )


def judge_some(machines: Groups) -> Claim:
    """Whether some machines end at T_c from every start and others do not."""
    reach = [name for name, ends in machines.items() if all(end.critical for end in ends)]
    return Claim(
        "The flow reaches T_c in some cases only",
        _LATER,
        f"T from |m| and from e: {_readings(machines)}. {len(reach)} of {len(machines)} are at T_c, within "
        f"{NEAR:g} from every start (to count: some, not all)",
        0 < len(reach) < len(machines),
    )


def judge_nearer(machines: Groups, largest: float) -> Claim:
    """Whether |m| and e say a temperature nearer to that of the largest c than to T_c."""
    ends = [end for group in machines.values() for end in group]
    middle = 0.5 * (largest + CRITICAL_TEMPERATURE)
    near = [end for end in ends if min(end.from_order.temperature, end.from_energy.temperature) > middle]
    return Claim(
        "H = 0: the ends are nearer to the largest specific heat than to T_c",
        _OWN,
        f"largest c at T = {largest:.3f}, T_c = 2.269: {len(near)} of {len(ends)} ends lie above the middle, "
        f"by |m| and by e (to count: all)",
        len(near) == len(ends),
        asserted=False,
    )


def judge_agreement(ends: Sequence[Final]) -> Claim:
    """Whether |m| and e belong to one temperature."""
    good = [
        f"{end.case} from {end.start}"
        for end in ends
        if compare_readings([end.from_order, end.from_energy]).agree
    ]
    return Claim(
        "At the ends |m| (in a field m) and e say one temperature",
        _OWN,
        f"{len(good)} of {len(ends)} ends do, within 3 standard errors"
        + (f": {', '.join(good)}" if good else ""),
        len(good) == len(ends),
        asserted=False,
    )


def judge_heat(ends: Sequence[Final], aim: Aim) -> Claim:
    """Whether the fluctuations at the ends of the main machine are those of the largest c."""
    text = "; ".join(
        f"from {end.start} {_heat(end.heat)}, Ising at the T of e {end.expected:.2f}" for end in ends
    )
    good = [
        abs(end.heat.value - aim.heat) <= _TENTH * aim.heat + _SIGMAS * end.heat.error
        for end in ends
        if math.isfinite(end.heat.error)
    ]
    return Claim(
        "H = 0: the fluctuations at the end are those of the largest specific heat",
        _OWN,
        f"c = {text}; the largest is {aim.heat:.3f} (to count: within 10 % and 3 standard errors)",
        len(good) == len(ends) and all(good),
        asserted=False,
    )


def judge_along(ends: Sequence[Final]) -> Claim:
    """Whether c grows along the flow from random spins and is largest at its end."""
    rising, text = [], []
    for end in ends:
        before = [heat for heat in end.course if math.isfinite(heat)]
        if not before or not math.isfinite(end.heat.error):
            continue
        largest = max(before)
        rising.append(end.heat.value + _SIGMAS * end.heat.error >= (1 - _TENTH) * largest)
        text.append(f"{_heat(end.heat)}, before it up to {largest:.2f} ({end.case})")
    return Claim(
        f"The specific heat is largest at the end of the flow, from {RANDOM}",
        _OWN,
        f"c by fluctuations at the end: {'; '.join(text)} (to count: within 10 % and 3 standard errors of "
        f"the largest before, {sum(rising)} of {len(rising)} are)",
        bool(rising) and all(rising),
        asserted=False,
    )


def judge_controls(ends: Sequence[Final], aim: Aim) -> Claim:
    """Machines that never saw the region of the largest c do not end there."""
    false = [end for end in ends if end.meets(aim)]
    text = "; ".join(f"{end.case} from {end.start}: {end.order:.2f} and {end.energy:.2f}" for end in ends)
    return Claim(
        "Machines trained on T = 0 and ∞ alone, or on nothing, end elsewhere",
        _OWN,
        f"|m| and e: {text}; at the largest c {aim.order:.3f} and {aim.energy:.3f} (to count: none within "
        f"{CLOSE:g})",
        not false,
        asserted=False,
    )


def judge_pools(pools: Sequence[tuple[Final, Aim]]) -> Claim:
    """The training data in one pot must not pass for the ensemble of the largest c."""
    false = [pool.case for pool, aim in pools if pool.meets(aim)]
    text = "; ".join(
        f"{pool.case}: {pool.order:.3f} and {pool.energy:.3f} (largest c: {aim.order:.3f} and "
        f"{aim.energy:.3f}), c = {pool.heat.value:.1f} (largest {aim.heat:.2f})"
        for pool, aim in pools
    )
    return Claim(
        "Training data in one pot are not taken for the largest specific heat",
        _OWN,
        f"|m| (in a field m) and e of the data: {text}. {len(false)} of {len(pools)} pots are within "
        f"{CLOSE:g}, without any machine; an exact one would end there",
        not false,
        asserted=False,
    )


def judge_data_exponent(law: PowerLaw) -> Claim:
    """What the same fit says of the data themselves."""
    return Claim(
        "The same fit finds 1/8 in true data",
        _OWN,
        f"beta = {_beta(law)} from T = {law.temperatures[0]:g} … {law.temperatures[-1]:g}, χ²/dof = "
        f"{law.chi2:.1f}: a finite lattice (1/8 = 0.125; to count: within {_QUARTER:.0%})",
        abs(law.beta - BETA) <= _QUARTER * BETA,
        asserted=False,
    )


def judge_kept_exponent(laws: Mapping[int, PowerLaw]) -> Claim:
    """Whether reconstructions have the exponent of their data."""
    text = ", ".join(f"{_beta(law)} ({n})" for n, law in laws.items())
    first = laws[0]
    good = [
        abs(law.beta - first.beta) <= _SIGMAS * math.hypot(law.error, first.error) for law in laws.values()
    ]
    return Claim(
        "Reconstructed data have the exponent of their data",
        _OWN,
        f"beta after so many rounds: {text} (to count: all within 3 standard errors of the first)",
        all(good),
        asserted=False,
    )


def _readings(machines: Groups) -> str:
    return "; ".join(
        f"{name}: " + ", ".join(f"{end.from_order} and {end.from_energy} from {end.start}" for end in ends)
        for name, ends in machines.items()
    )


def _heat(heat: Heat) -> str:
    return f"{heat.value:.2f} ± {heat.error:.2f}"


def _beta(law: PowerLaw) -> str:
    return f"{law.beta:.3f} ± {law.error:.3f}"
