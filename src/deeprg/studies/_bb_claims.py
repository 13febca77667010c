"""What held of the coarse-graining of data: every verdict is computed by a rule beside it."""

from collections.abc import Mapping

import numpy as np

from deeprg.probes import ClusterCourse, ClusterScaling, ModeFlow
from deeprg.report.study import Claim
from deeprg.studies._bb_find import BLOCKS, CRITICAL, DRIVEN, GAUSSIAN, HOT, SHUFFLED, Findings
from deeprg.studies._bb_measure import Shells

__all__ = [
    "ALPHA",
    "MU",
    "claims",
    "judge_driven",
    "judge_hot",
    "judge_independent",
    "judge_pairs",
    "judge_silence",
    "judge_spectrum",
    "judge_to_gaussian",
    "judge_to_other",
    "judge_variance",
    "judge_waves",
    "judge_without",
]

_CUT, _PAIRS, _OWN = "Bradde & Bialek 2017", "Meshulam et al. 2019", "control, not in the papers"
_ETA = 0.25
ALPHA, MU = 1 + (2 - _ETA) / 2, (2 - _ETA) / 2  # of the plane: Var ~ l^(d + 2 - eta), C(k) ~ k^-(2 - eta)
_ERRORS = 3.0
_LONG, _SAME, _OTHER = 0.05, 0.9, 0.2  # the longest waves, and which overlap is one
_FEW_MODES, _GAUSSIAN, _FAR = 8, 0.1, 1.0
_NEIGHBOURS, _WIDER = 0.88, 2.0
_NEAR = {"alpha": 0.02, "mu": 0.05, "one": 0.01, "straight": 0.1}
_LARGE = 16  # sites of a cluster that has a shape


def claims(found: Findings) -> list[Claim]:
    """The claims of the papers, then controls and open questions."""
    flows, courses, clusters = found.flows, found.courses, found.clusters
    return [
        judge_waves(found.shells[CRITICAL], found.shells[SHUFFLED]),
        judge_to_gaussian(flows[HOT], found.settings.hot),
        judge_to_other(flows[CRITICAL]),
        judge_pairs(found.neighbours, found.spread),
        judge_without(flows[GAUSSIAN], flows[SHUFFLED]),
        judge_variance(courses[CRITICAL], courses[BLOCKS]),
        judge_spectrum(clusters[CRITICAL]),
        judge_independent(courses[SHUFFLED], clusters[SHUFFLED]),
        judge_hot(courses[HOT], found.settings.hot),
        judge_silence(courses[CRITICAL], courses[DRIVEN]),
        judge_driven(courses[DRIVEN], clusters[DRIVEN], flows[DRIVEN]),
    ]


def judge_waves(shells: Shells, control: Shells) -> Claim:
    """As many modes as there are waves in the longest shells span the same space; shuffled ones do not."""
    units = len(shells.momentum)
    long = shells.count <= max(_LONG * units, 5)
    least, most = float(shells.overlap[long].min()), float(control.overlap[long].max())
    rank = np.arange(units)
    order = float(np.corrcoef(np.argsort(np.argsort(shells.momentum)), rank)[0, 1])
    return Claim(
        "With translations principal components are plane waves, and a cut in variance is a momentum shell",
        _CUT,
        f"T_c, first {shells.count[long][-1]} of {units} modes: overlap with as many of the longest waves "
        f"{least:.3f} at least (shuffled {most:.3f} at most); rank correlation of the order and the "
        f"momentum of all modes {order:.4f}; to count: {_SAME:g}, and {_OTHER:g} at most when shuffled",
        least >= _SAME and most <= _OTHER,
    )


def judge_to_gaussian(flow: ModeFlow, temperature: float) -> Claim:
    """The cumulant of hot spins vanishes with the modes."""
    return Claim(
        "Away from criticality the field becomes Gaussian when modes are cut",
        _CUT,
        f"T = {temperature:g}: {_flow(flow)}; to count: |κ| below {_GAUSSIAN:g} and {_ERRORS:g} errors with "
        f"{_FEW_MODES} modes or fewer",
        _vanishes(flow),
    )


def judge_to_other(flow: ModeFlow) -> Claim:
    """That of critical spins does not."""
    least = float(np.min(np.abs(flow.cumulant) - _ERRORS * flow.error))
    return Claim(
        "At a critical point it does not: the flow ends at another fixed point",
        _CUT,
        f"T_c: {_flow(flow)}; to count: |κ| above {_FAR:g} by {_ERRORS:g} errors at every cut",
        least >= _FAR,
    )


def judge_pairs(neighbours: Mapping[str, float], spread: Mapping[str, Mapping[int, float]]) -> Claim:
    """Most first pairs are neighbours, and large clusters are not much wider than squares."""
    large = [size for size in spread[CRITICAL] if size >= _LARGE]
    wider = [spread[CRITICAL][size] / spread[BLOCKS][size] for size in large]
    text = ", ".join(
        f"{size} sites {spread[CRITICAL][size]:.1f} (squares {spread[BLOCKS][size]:.1f}, shuffled "
        f"{spread[SHUFFLED][size]:.1f})"
        for size in large
    )
    return Claim(
        "Pairs of the most correlated units are neighbours, and clusters are blocks of real space",
        _PAIRS,
        f"T_c: {neighbours[CRITICAL]:.1%} of the first pairs are nearest neighbours (hot "
        f"{neighbours[HOT]:.1%}, shuffled {neighbours[SHUFFLED]:.1%}; dimers put down at random jam at "
        f"90.7 %); distances in clusters, lattice spacings: {text}; to count: {_NEIGHBOURS:.0%}, and "
        f"{_WIDER:g} times the squares",
        neighbours[CRITICAL] >= _NEIGHBOURS and max(wider) <= _WIDER,
    )


def judge_without(gaussian: ModeFlow, shuffled: ModeFlow) -> Claim:
    """Two kinds of data that share the covariance, or the single units, and have no structure beyond."""
    worst = float(np.max(np.abs(gaussian.cumulant) / gaussian.error))
    return Claim(
        "Neither the covariance nor the single units alone keep the cumulant from 0",
        _OWN,
        f"Gaussian data of the covariance at T_c: at most {worst:.1f} errors from 0; every spin shuffled: "
        f"{_flow(shuffled)}; to count: {_ERRORS:g} errors, and as for hot data",
        worst <= _ERRORS and _vanishes(shuffled),
        asserted=False,
    )


def judge_variance(course: ClusterCourse, squares: ClusterCourse) -> Claim:
    """alpha at T_c against 1 + (2 - eta)/d."""
    alpha, error = course.alpha
    return Claim(
        "At T_c the variance of clusters has the exponent of the propagator, α = 1 + (2 - η)/d = 1.875",
        _OWN,
        f"α = {_one(*course.alpha)} (squares {_one(*squares.alpha)}), but from size to size "
        f"{_slopes(course.slopes)}; to count: within {_NEAR['alpha']:g} and {_ERRORS:g} errors",
        bool(abs(alpha - ALPHA) <= _NEAR["alpha"] + _ERRORS * error),
        asserted=False,
    )


def judge_spectrum(found: ClusterScaling) -> Claim:
    """mu at T_c against (2 - eta)/d."""
    return Claim(
        "At T_c the spectrum within clusters has the exponent of the propagator, μ = (2 - η)/d = 0.875",
        _OWN,
        f"μ = {_one(found.mu.value, found.mu.error)} in clusters of {found.size[-1]}, where the "
        f"first eigenvalue is {found.spectrum[0] / found.spectrum[1]:.0f} times the second; to count: within "
        f"{_NEAR['mu']:g} and {_ERRORS:g} errors",
        abs(found.mu.value - MU) <= _NEAR["mu"] + _ERRORS * found.mu.error,
        asserted=False,
    )


def judge_independent(course: ClusterCourse, chosen: ClusterScaling) -> Claim:
    """Shuffled units in samples that did not choose their clusters."""
    pairs = (course.alpha, course.beta)
    return Claim(
        "Shuffled units have α = β = 1",
        _OWN,
        f"α = {_one(*course.alpha)}, β = {_one(*course.beta)} in samples that did not choose the clusters; "
        f"in those that did α = {_one(chosen.alpha.value, chosen.alpha.error)} and μ = "
        f"{_one(chosen.mu.value, chosen.mu.error)}, for pairs are chosen by their noise; to count: within "
        f"{_NEAR['one']:g} and {_ERRORS:g} errors, held out",
        all(bool(abs(y - 1) <= _NEAR["one"] + _ERRORS * e) for y, e in pairs),
        asserted=False,
    )


def judge_hot(course: ClusterCourse, temperature: float) -> Claim:
    """alpha of hot spins, far from 1 where clusters are not much wider than the correlation length."""
    last, error = course.slopes[:, -1]
    return Claim(
        "Away from criticality clusters scale like independent units, α = 1",
        _OWN,
        f"T = {temperature:g}: α = {_one(*course.alpha)}, from size to size {_slopes(course.slopes)}; to "
        f"count: the last within {_NEAR['alpha']:g} and {_ERRORS:g} errors of 1",
        bool(abs(last - 1) <= _NEAR["alpha"] + _ERRORS * error),
        asserted=False,
    )


def judge_silence(course: ClusterCourse, driven: ClusterCourse) -> Claim:
    """Whether -ln of the silence is a power of K."""
    return Claim(
        "At T_c the silence of clusters is exp(-a K^β)",
        _OWN,
        f"β = {_one(*course.beta)}, but from size to size {_slopes(course.silent_slopes)} (units without "
        f"interactions {_slopes(driven.silent_slopes)}); to count: slopes that differ by "
        f"{_NEAR['straight']:g} at most",
        float(np.ptp(course.silent_slopes[0])) <= _NEAR["straight"],
        asserted=False,
    )


def judge_driven(course: ClusterCourse, found: ClusterScaling, flow: ModeFlow) -> Claim:
    """Units without interactions that show every sign: then the signs show nothing."""
    alpha, error = course.alpha
    signs = (
        bool(1 + _ERRORS * error < alpha < 2 - _ERRORS * error),
        bool(course.beta[0] < 1 - _ERRORS * course.beta[1]),
        found.mu.value > _OTHER,
        not _vanishes(flow),
    )
    return Claim(
        "Exponents between those of independent and of equal units, and a fourth cumulant that stays, show "
        "a critical point",
        _OWN,
        f"units that only share slow fields: α = {_one(*course.alpha)}, β = {_one(*course.beta)}, μ = "
        f"{_one(found.mu.value, found.mu.error)}, {_flow(flow)}; α from size to size "
        f"{_slopes(course.slopes)}; to count: one at least of 1 < α < 2, β < 1, μ > {_OTHER:g} fails, or κ "
        "vanishes as for hot data",
        not all(signs),
        asserted=False,
    )


def _vanishes(flow: ModeFlow) -> bool:
    few = flow.kept <= _FEW_MODES
    return bool(np.all(np.abs(flow.cumulant[few]) <= _GAUSSIAN + _ERRORS * flow.error[few]))


def _flow(flow: ModeFlow) -> str:
    """The cumulant at every other cut."""
    shown = [f"{_one(k, e, 3)} ({n})" for n, k, e in zip(flow.kept, flow.cumulant, flow.error, strict=True)]
    return f"κ₄/κ₂² (modes) {', '.join(shown[::3])}"


def _slopes(pairs: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in pairs[0])


def _one(value: float, error: float, digits: int = 4) -> str:
    return f"{value:.{digits}f} ± {error:.{digits}f}"
