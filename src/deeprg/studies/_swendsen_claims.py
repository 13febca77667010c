"""What held of Monte Carlo RG: every verdict is computed from the numbers by a rule beside it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from deeprg.probes import Stability
from deeprg.report.study import Claim
from deeprg.studies._swendsen_find import (
    COLD,
    CUBE,
    DECIMATION,
    HOT,
    ONE_SPIN,
    PAIRS,
    SMALL,
    TRIPLES,
    Findings,
    exact_exponents,
)

__all__ = [
    "claims",
    "judge_convergence",
    "judge_decimation",
    "judge_drift",
    "judge_exact",
    "judge_operators",
    "judge_second",
    "judge_space",
]

Series = Sequence[tuple[float, float]]
"""An exponent and its error by step, or by number of operators."""

_PAPER, _OWN = "Swendsen 1979", "control, not in the paper"
_NEAR = {"y_T": 0.02, "y_H": 0.005}
_ERRORS = 3.0
_FEW = 3  # operators that should do
_PULL, _APART = 4.0, 10.0
_SHARE, _PRECISE = 0.02, 0.01


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, then controls and open questions."""
    both = {case: _both(found, case) for case in found.steps}
    second = [one for one in found.steps[PAIRS] if not one.odd][1]
    leading = _series(second, 0)
    irrelevant = {
        case: [_series(one, 1)[1:] for one in found.steps[case] if not one.odd] for case in (PAIRS, TRIPLES)
    }
    ratio = found.settings.distance
    return [
        judge_convergence(
            "The majority rule's exponents converge with the steps, b = 2", _PAPER, both[PAIRS]
        ),
        judge_convergence(
            "The majority rule's exponents converge with the steps, b = 3", _PAPER, both[TRIPLES], scale=3
        ),
        judge_operators(leading, str(second.fine)),
        judge_exact(found.steps[SMALL], found.exact[SMALL], found.exact[DECIMATION]),
        judge_second(irrelevant),
        judge_convergence("Ties decided by one spin give the same exponents", _OWN, both[ONE_SPIN]),
        judge_decimation(both[DECIMATION], found.exact[DECIMATION]),
        *(judge_drift(name, both[HOT][name], both[COLD][name], ratio) for name in _NEAR),
        judge_space(both[CUBE], exact_exponents(3)),
    ]


def judge_convergence(
    statement: str, source: str, series: Mapping[str, Series], *, scale: int | None = None
) -> Claim:
    """Both exponents of every step after the first within a tolerance and three errors of the exact ones.

    With `scale` the eigenvalues of the last step are told too.
    """
    exact = exact_exponents(2)
    holds = all(_near(name, y, e) for name, values in series.items() for y, e in values[1:])
    text = "; ".join(f"{name} = {_told(values)} ({exact[name]:g})" for name, values in series.items())
    if scale is not None:
        last = {name: values[-1] for name, values in series.items()}
        text += "; last eigenvalues " + " and ".join(
            f"{scale**y:.3f} ± {scale**y * math.log(scale) * e:.3f} ({scale ** exact[name]:.5g})"
            for name, (y, e) in last.items()
        )
    return Claim(
        statement,
        source,
        f"by step {text}; to count: from the second step on within {_NEAR['y_T']:g} and {_NEAR['y_H']:g}, "
        f"plus {_ERRORS:g} errors",
        holds,
        asserted=source == _PAPER,
    )


def judge_operators(values: Series, lattice: str) -> Claim:
    """y_T with 1, 2, ... operators of one step: three do, and the others change nothing but the error."""
    y, error = values[_FEW - 1]
    same = all(abs(z - y) <= _ERRORS * e for z, e in values[_FEW:])
    return Claim(
        "Three operators suffice for y_T; more add noise, not accuracy",
        _PAPER,
        f"on {lattice} with 1 to {len(values)} operators {_told(values)}; to count: three within "
        f"{_NEAR['y_T']:g} and {_ERRORS:g} errors of 1, all further ones within {_ERRORS:g} errors of three, "
        "and no error that is smaller in the end",
        _near("y_T", y, error) and same and values[-1][1] >= error,
    )


def judge_exact(
    sampled: Sequence[Stability], exact: Sequence[Stability], other: Sequence[Stability]
) -> Claim:
    """Eigenvalues of 4x4 to 2x2 by sampling against sums over all states, of this rule and of another."""
    pulls = [
        abs((one.eigenvalues - truth.eigenvalues) / one.eigenvalue_errors)
        for one, truth in zip(sampled, exact, strict=True)
    ]
    apart = [
        abs(one.eigenvalues[0, 0] - wrong.eigenvalues[0, 0]) / one.eigenvalue_errors[0, 0]
        for one, wrong in zip(sampled, other, strict=True)
    ]
    worst, least = max(float(np.nanmax(pull)) for pull in pulls), float(min(apart))
    text = ", ".join(
        f"{'y_H' if one.odd else 'y_T'} {one.exponents[-1, 0]:.4f} ± {one.errors[-1, 0]:.4f} "
        f"({truth.exponents[-1, 0]:.4f})"
        for one, truth in zip(sampled, exact, strict=True)
    )
    return Claim(
        "On 4x4 sampling gives the exact eigenvalues of its rule, and not those of another",
        _OWN,
        f"{text}; at most {worst:.1f} errors from the sums over all states, {least:.0f} at least from those "
        f"of decimation; to count: {_PULL:g} and {_APART:g}",
        worst <= _PULL and least >= _APART,
        asserted=False,
    )


def judge_second(values: Mapping[str, Sequence[Series]]) -> Claim:
    """The second even exponent of every case, step and number of operators (2, 3, ...) below 0."""
    known = [(y, e) for steps in values.values() for step in steps for y, e in step if math.isfinite(y + e)]
    highest = max(y + _ERRORS * e for y, e in known)
    step = next(iter(values.values()))[1]
    text = ", ".join(f"{n} operators {_one(*v)}" for n, v in enumerate(step, 2) if math.isfinite(sum(v)))
    return Claim(
        "The second even eigenvalue is irrelevant",
        _OWN,
        f"second step, {text}: its sign is settled, its value is not; the highest of {len(known)} is below "
        f"{highest:.2f} by {_ERRORS:g} errors; to count: below 0",
        highest < 0,
        asserted=False,
    )


def judge_decimation(series: Mapping[str, Series], exact: Sequence[Stability]) -> Claim:
    """Decimation ends far from the exponents and is still moving."""
    known = exact_exponents(2)
    far = all(not _near(name, *values[-1]) for name, values in series.items())
    moving = all(_apart(*values[-2:]) > _ERRORS for values in series.values())
    small = " and ".join(f"{one.exponents[0, 0]:.4f}" for one in exact)
    text = "; ".join(f"{name} = {_told(values)} ({known[name]:g})" for name, values in series.items())
    return Claim(
        "Decimation does not converge to the exponents",
        _OWN,
        f"by step {text}, 4x4 to 2x2 with one operator {small} by summing all states; to count: both off in "
        f"the end, and both move by more than {_ERRORS:g} errors in the last step",
        far and moving,
        asserted=False,
    )


def judge_drift(name: str, hot: Series, cold: Series, distance: float) -> Claim:
    """Above and below T_c an exponent is off in the end, and more so than in the beginning."""
    exact = exact_exponents(2)[name]

    def drifts(values: Series) -> bool:
        (first, e), (last, f) = values[0], values[-1]
        grown = abs(last - exact) - abs(first - exact) > _ERRORS * math.hypot(e, f)
        return grown and not _near(name, last, f)

    return Claim(
        f"Off criticality {name} drifts away with the steps, above and below T_c",
        _OWN,
        f"T = {1 + distance:g} T_c: {_told(hot)}; {1 - distance:g} T_c: {_told(cold)} ({exact:g}); to count: "
        f"off in the end and by more than in the beginning, {_ERRORS:g} errors",
        drifts(hot) and drifts(cold),
        asserted=False,
    )


def judge_space(series: Mapping[str, Series], exact: Mapping[str, float]) -> Claim:
    """The last step in three dimensions against the bootstrap; open where errors are as large."""
    last = {name: values[-1] for name, values in series.items()}
    holds = all(abs(y / exact[name] - 1) <= _SHARE for name, (y, _) in last.items())
    precise = all(e <= _PRECISE * exact[name] for name, (_, e) in last.items())
    text = "; ".join(f"{name} = {_told(values)} ({exact[name]:.4f})" for name, values in series.items())
    return Claim(
        "In three dimensions the last step gives the exponents to two per cent",
        _OWN,
        f"by step {text}; to count: within {_SHARE:.0%} with errors of at most {_PRECISE:.0%}",
        holds if precise else None,
        asserted=False,
    )


def _both(found: Findings, case: str) -> dict[str, Series]:
    return {"y_T": found.series(case, odd=False), "y_H": found.series(case, odd=True)}


def _series(one: Stability, which: int) -> Series:
    """The leading (0) or the second (1) exponent by number of operators."""
    return list(zip(one.exponents[:, which].tolist(), one.errors[:, which].tolist(), strict=True))


def _near(name: str, y: float, error: float) -> bool:
    return abs(y - exact_exponents(2)[name]) <= _NEAR[name] + _ERRORS * error


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(one[0] - other[0]) / math.hypot(one[1], other[1])


def _one(y: float, error: float) -> str:
    return f"{y:.4f} ± {error:.4f}"


def _told(values: Series) -> str:
    return ", ".join(_one(*value) for value in values)
