"""What held of neural Monte Carlo RG: every verdict is computed from the numbers by a rule beside it."""

from collections.abc import Mapping

from deeprg.montecarlo.information import InformationEstimate
from deeprg.report.study import Claim
from deeprg.studies._neural_mcrg_find import CRITICAL, HOT, UNTRAINED, Findings

__all__ = ["claims", "judge_exponents", "judge_information", "judge_locality"]

_PAPER = "Chung & Kao 2021"
_OWN = "control, not in the paper"
_EXACT = {"y_T": 1.0, "y_H": 1.875}
_NEAR = {"y_T": 0.02, "y_H": 0.01}
_SHARE = 0.98
_INSIDE = 0.7


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, then controls."""
    centre = found.weights[CRITICAL]
    low = (len(centre) - 2) // 2
    inside = float((centre[low : low + 2, low : low + 2] ** 2).sum() / (centre**2).sum())
    return [
        judge_exponents(found, CRITICAL, _PAPER),
        judge_information(found.information),
        judge_locality(inside),
        judge_exponents(found, "majority", _OWN),
        judge_exponents(found, HOT, _OWN),
        judge_exponents(found, UNTRAINED, _OWN),
        _decimation(found),
    ]


def judge_exponents(found: Findings, rule: str, source: str) -> Claim:
    """Both exponents within a tolerance and three errors of the exact ones."""
    values = {name: found.leading(rule, odd=name == "y_H") for name in _EXACT}
    holds = all(abs(y - _EXACT[n]) <= _NEAR[n] + 3 * error for n, (y, error) in values.items())
    measured = ", ".join(f"{n} = {y:.4f} ± {error:.4f} ({_EXACT[n]:g})" for n, (y, error) in values.items())
    subject = {CRITICAL: "The rule that a machine learns at T_c", "majority": "The majority rule"}.get(
        rule, f"A filter {rule}"
    )
    return Claim(
        f"{subject} gives the exponents of the Ising model",
        source,
        f"{measured} on {found.judged}; to count: within {_NEAR['y_T']:g} and {_NEAR['y_H']:g}, "
        "plus 3 errors",
        holds,
        asserted=source == _PAPER,
    )


def judge_information(kept: Mapping[str, InformationEstimate]) -> Claim:
    """The learned filter against the best linear one, of sharp hidden spins."""
    mine, best = kept[CRITICAL], kept["most information"]
    error = (mine.error**2 + best.error**2) ** 0.5
    parts = ", ".join(f"{name} {one.value:.4f} ± {one.error:.4f}" for name, one in kept.items())
    return Claim(
        "Training to imitate critical configurations maximises the real-space mutual information",
        _PAPER,
        f"nats: {parts}; to count: {_SHARE:.0%} of the most, up to 3 errors",
        mine.value >= _SHARE * best.value - 3 * error,
    )


def judge_locality(inside: float) -> Claim:
    """Where the filter's weight lies."""
    return Claim(
        "The learned filter finds its block by itself",
        _OWN,
        f"{inside:.1%} of the squared weights on the four sites of the block; to count: {_INSIDE:.0%}",
        inside >= _INSIDE,
        asserted=False,
    )


def _decimation(found: Findings) -> Claim:
    """Decimation keeps y_H = 2: it rescales no spin, so it has no fixed point."""
    y, error = found.leading("decimation", odd=True)
    return Claim(
        "Decimation is told from a good rule by its magnetic exponent",
        _OWN,
        f"y_H = {y:.4f} ± {error:.4f} (1.875)",
        abs(y - _EXACT["y_H"]) > _NEAR["y_H"] + 3 * error,
        asserted=False,
    )
