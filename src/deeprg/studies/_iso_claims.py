"""What held of the flows: every verdict is computed from the numbers by a rule that is written beside it."""

from collections.abc import Iterable, Mapping, Sequence

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import FlowRecord, Reading, compare_readings
from deeprg.report.study import Claim
from deeprg.studies._ends import NEAR, End, end_of, judge_starts
from deeprg.studies._followed import ORDERED, RANDOM, TYPICAL
from deeprg.studies._iso_find import Case, Findings, H, L, V
from deeprg.studies._iso_weights import judge_bands, judge_decay, judge_diagonal, judge_edge, weights_of

__all__ = [
    "claims",
    "judge_above",
    "judge_cold",
    "judge_controls",
    "judge_critical",
    "judge_exact",
    "judge_familiar",
    "judge_hot",
    "judge_ising",
    "judge_length",
    "judge_mixture",
    "judge_network",
    "judge_units",
]

_PAPER, _OWN = "Iso et al. 2018", "control, not in the paper"
_HIGH, _LOW = 4.0, 1.0
_CLOSE = 0.05

Point = tuple[float, float]
"""|m| and e."""


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, and what its controls lack."""
    sites = found.settings.size**2
    few = _ends(case for case in found.of(V) if case.hidden <= sites)
    many = _ends(case for case in found.of(V) if case.hidden > sites)
    every = [*few, *many]
    v, h, low = (
        {case.hidden: weights_of(case.weights, found.settings.size) for case in found.of(name)}
        for name in (V, H, L)
    )
    neighbours = {n: w.neighbours for n, w in v.items()}
    points = {
        case.name: [_point(case.flows[start]) for start in (ORDERED, RANDOM, TYPICAL)] for case in found.of(V)
    }
    courses = {
        course[-1].name: [(case.steps, case.flows[RANDOM].end.readings["|m|"].temperature) for case in course]
        for course in found.courses.values()
    }
    mixtures = {t: list(record.end.readings.values()) for t, record in found.mixtures.items()}
    return [
        judge_critical(few),
        judge_above(many),
        judge_hot(_ends(found.of(H))),
        judge_cold(_ends(found.of(L))),
        judge_bands(neighbours),
        judge_diagonal({n: w.neighbours for n, w in h.items()}, neighbours),
        judge_decay({n: w.tenth for n, w in v.items()}, {n: w.tenth for n, w in low.items()}),
        judge_edge({n: w.outliers for n, w in v.items()}),
        judge_starts(
            {case.name: case.dependence.p for case in found.of(V)},
            f"The flow of V ends in one ensemble, from {ORDERED} and from {RANDOM}",
            _OWN,
        ),
        judge_ising(every),
        judge_network(every),
        judge_familiar(every),
        judge_exact(points, _point(found.mixtures[max(found.mixtures)])),
        judge_mixture(mixtures),
        judge_units([_ends([course[-1]])[-1] for course in found.courses.values()]),
        judge_length(courses),
        judge_controls(_ends(found.controls)),
    ]


def judge_critical(ends: Sequence[End]) -> Claim:
    """V with few hidden units: P(T) at T_c from both starts, its peak and its mean."""
    return Claim(
        "V with N_h ≤ N_v: the flow goes to T_c",
        _PAPER,
        f"{_said(ends)} (T_c = 2.269; to count: all within {NEAR:g})",
        all(_near(end) for end in ends) if ends else None,
    )


def judge_above(ends: Sequence[End]) -> Claim:
    """V with many hidden units: P(T) above T_c from both starts."""
    return Claim(
        "V with N_h > N_v: the flow ends above T_c",
        _PAPER,
        f"{_said(ends)} (T_c = 2.269; to count: all above by {NEAR:g})" if ends else "no such machine here",
        all(min(_pair(end)) > CRITICAL_TEMPERATURE + NEAR for end in ends) if ends else None,
    )


def judge_hot(ends: Sequence[End]) -> Claim:
    """H: P(T) at the temperatures of its data or above."""
    return Claim(
        f"H (T ≥ {_HIGH:g}): the flow goes to high temperature",
        _PAPER,
        f"{_said(ends)} (to count: all at {_HIGH:g} or above)",
        all(min(_pair(end)) >= _HIGH for end in ends),
    )


def judge_cold(ends: Sequence[End]) -> Claim:
    """L: P(T) where the lattice is ordered."""
    return Claim(
        "L (T = 0): the flow goes to low temperature",
        _PAPER,
        f"{_said(ends)} (to count: all at {_LOW:g} or below, where the lattice is ordered)",
        all(max(_pair(end)) <= _LOW for end in ends),
    )


def judge_ising(ends: Sequence[End]) -> Claim:
    """Whether |m| and e agree on one temperature, and that is T_c, at any end."""
    good = []
    for end in ends:
        found = compare_readings([end.from_m, end.from_e])
        good.append(bool(found.agree) and abs(found.temperature - CRITICAL_TEMPERATURE) <= NEAR)
    text = "; ".join(f"{end.case} from {end.start}: {end.from_m} and {end.from_e}" for end in ends)
    return Claim(
        "The ends of V are Ising ensembles at T_c",
        _OWN,
        f"T from |m| and from e: {text}. To count: within 3 standard errors of each other, and within "
        f"{NEAR:g} of T_c; {sum(good)} of {len(good)} ends are",
        all(good),
        asserted=False,
    )


def judge_network(ends: Sequence[End]) -> Claim:
    """Whether the network's mean is what |m| and e say."""
    far = [
        end
        for end in ends
        if max(abs(end.network.mean.value - one.temperature) for one in (end.from_m, end.from_e)) > NEAR
    ]
    text = ", ".join(f"{end.network.mean.value:.2f} ({end.case} from {end.start})" for end in ends)
    return Claim(
        "At the ends of V the network agrees with the direct thermometers",
        _OWN,
        f"mean of the network: {text}. To count: within {NEAR:g} of the temperatures from |m| and from e; "
        f"{len(ends) - len(far)} of {len(ends)} are",
        not far,
        asserted=False,
    )


def judge_familiar(ends: Sequence[End]) -> Claim:
    """Whether the ends are like the network's training data."""
    flagged = [f"{end.case} from {end.start}" for end in ends if not end.network.trusted]
    farthest = max(ends, key=lambda end: end.network.distance)
    text = f"flagged: {', '.join(flagged)}" if flagged else "no reading is flagged"
    return Claim(
        "The ends of V are like the data that the network has learned",
        _OWN,
        f"{text}; at most {farthest.network.distance:.2g} standard deviations from the training data at the "
        f"temperatures that are read ({farthest.case})",
        not flagged,
        asserted=False,
    )


def judge_exact(ends: Mapping[str, Sequence[Point]], data: Point) -> Claim:
    """|m| and e at the ends against those of the training data: v -> h -> v' leaves p(v) as it is."""
    inside = {
        name: all(max(abs(m - data[0]), abs(e - data[1])) <= _CLOSE for m, e in points)
        for name, points in ends.items()
    }
    text = "; ".join(
        f"{name}: " + ", ".join(f"{m:.3f} and {e:.3f}" for m, e in points) for name, points in ends.items()
    )
    return Claim(
        "The flow of V ends in the training data, as that of an exact machine would",
        _OWN,
        f"|m| and e of all data: {data[0]:.3f} and {data[1]:.3f}; at the ends from {ORDERED}, {RANDOM} and "
        f"{TYPICAL}: {text} (to count: within {_CLOSE:g}, from every start)",
        all(inside.values()),
        asserted=False,
    )


def judge_mixture(mixtures: Mapping[float, Sequence[Reading]]) -> Claim:
    """The training data read as one ensemble, by their highest temperature."""
    near = [
        highest
        for highest, readings in mixtures.items()
        if all(one.inside and abs(one.temperature - CRITICAL_TEMPERATURE) <= NEAR for one in readings)
    ]
    text = "; ".join(
        f"T ≤ {highest:g}: {' and '.join(map(str, readings))}" for highest, readings in mixtures.items()
    )
    return Claim(
        "The direct thermometers read T_c only where a flow has led there",
        _OWN,
        f"the training data in one pot, T from |m| and from e: {text}. {len(near)} of {len(mixtures)} pots "
        f"are read within {NEAR:g} of T_c, without any machine",
        not near,
        asserted=False,
    )


def judge_units(ends: Sequence[End]) -> Claim:
    """The same training with both kinds of unit."""
    text = "; ".join(f"{end.case}: |m| {end.from_m}, network {end.network.peak:g}" for end in ends)
    first, second = (end.from_m.temperature for end in ends)
    return Claim(
        "±1 and {0, 1} units end at the same temperature",
        _OWN,
        f"from {RANDOM}, T by {text} (to count: T from |m| within {NEAR:g})",
        all(end.from_m.inside for end in ends) and abs(first - second) <= NEAR,
        asserted=False,
    )


def judge_length(courses: Mapping[str, Sequence[tuple[int, float]]]) -> Claim:
    """T from |m| at the end of the flow, after so many steps of training."""
    spans = {name: max(t for _, t in course) - min(t for _, t in course) for name, course in courses.items()}
    text = "; ".join(
        f"{name}: " + ", ".join(f"{t:.2f} ({steps} steps)" for steps, t in course)
        for name, course in courses.items()
    )
    return Claim(
        "The end does not depend on how long V was trained",
        _OWN,
        f"T from |m|, from {RANDOM}: {text} (to count: within {NEAR:g} for both units)",
        all(span <= NEAR for span in spans.values()),
        asserted=False,
    )


def judge_controls(ends: Sequence[End]) -> Claim:
    """Machines that learned nothing are not read at T_c."""
    return Claim(
        "Machines that learned nothing are not read at T_c",
        _OWN,
        f"{_said(ends)} (to count: none within {NEAR:g} of T_c)",
        not any(_near(end) for end in ends),
        asserted=False,
    )


def _ends(cases: Iterable[Case]) -> list[End]:
    """From all up and from random spins, in turn."""
    return [end_of(case.name, case.flows[start]) for case in cases for start in (ORDERED, RANDOM)]


def _pair(end: End) -> tuple[float, float]:
    return end.network.peak, end.network.mean.value


def _near(end: End) -> bool:
    return all(abs(t - CRITICAL_TEMPERATURE) <= NEAR for t in _pair(end))


def _said(ends: Sequence[End]) -> str:
    """Peak and mean of P(T) by machine."""
    said: dict[str, list[str]] = {}
    for end in ends:
        peak, mean = _pair(end)
        said.setdefault(end.case, []).append(f"{peak:g} and {mean:.2f}")
    text = "; ".join(f"{name}: {', '.join(pairs)}" for name, pairs in said.items())
    return f"peak and mean of the network's P(T), from {ORDERED} and {RANDOM}: {text}"


def _point(record: FlowRecord) -> Point:
    seen = record.end.observables
    return seen["abs_magnetization"].value, seen["energy_per_site"].value
