"""What may be wrong with an ensemble: each problem with its likely cause and what to do about it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deeprg.report.diagnosis import Finding
from deeprg.report.ensemble import EnsembleData, TemperatureData
from deeprg.report.labels import label

__all__ = ["ENSEMBLE_CHECKS", "Symptom", "diagnose_ensemble"]

_TRUSTED_LENGTH = 50.0  # chains must have so many τ_int
_LARGEST_R_HAT = 1.01
_START = 0.1  # a start longer than this part of the series is a problem
_SIGMAS = 5.0
_DISAGREE = 1e-4
_DIVERGING = 1e-3  # divergences per kept configuration
_LOWEST_ACCEPTANCE = {"hmc": 0.4, "nuts": 0.4}  # local updates of a cold system rightly accept little
_LOWEST_OTHERWISE = 0.001
_LOWEST_SWAP = 0.1
_FEW = 20


@dataclass(frozen=True)
class Symptom:
    """A check that failed at one temperature; `badness` orders the same symptom of several temperatures."""

    severity: Literal["problem", "note"]
    what: str
    cause: str
    remedy: str
    badness: float | int = 0.0


Check = Callable[[EnsembleData, TemperatureData], Iterator[Symptom]]


def diagnose_ensemble(data: EnsembleData) -> list[Finding]:
    """All findings of all `ENSEMBLE_CHECKS`, problems first; an empty list says that nothing is wrong.

    A check that fails at several temperatures is one finding: the worst of them, and where else.

    >>> cold = TemperatureData(2.0, r_hat={"energy_per_site": 1.08})
    >>> warm = TemperatureData(2.5, r_hat={"energy_per_site": 1.02})
    >>> [finding.what for finding in diagnose_ensemble(EnsembleData("toy", [cold, warm]))]
    ['T = 2: split R̂ = 1.0800 > 1.01 for energy per site; also at T = 2.5']
    """
    findings = []
    for name, check in ENSEMBLE_CHECKS.items():
        found: dict[tuple[str, str], list[tuple[TemperatureData, Symptom]]] = {}
        for state in data.temperatures:
            for symptom in check(data, state):
                found.setdefault((symptom.severity, symptom.cause), []).append((state, symptom))
        findings += [_merged(name, cases) for cases in found.values()]
    return sorted(findings, key=lambda finding: finding.severity != "problem")


def _merged(name: str, cases: Sequence[tuple[TemperatureData, Symptom]]) -> Finding:
    state, worst = max(cases, key=lambda case: case[1].badness)
    others = [other for other in dict.fromkeys(s.label for s, _ in cases) if other != state.label]
    where = f"{state.label}: " if state.label else ""
    also = ""
    if others:
        named = ", ".join(other.removeprefix("T = ") for other in others[:6])
        rest = f" and {len(others) - 6} more" if len(others) > 6 else ""
        also = f"; also at T = {named}{rest}"
    return Finding(name, worst.severity, f"{where}{worst.what}{also}", worst.cause, worst.remedy)


def _length(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    short = {
        name: tau
        for name, tau in state.times(symmetric=data.symmetric).items()
        if state.observables[name].get("short") or 0 < state.draws < _TRUSTED_LENGTH * tau
    }
    if not short:
        return
    name, tau = max(short.items(), key=lambda item: item[1])
    length = f"the chains of {state.draws} draws" if state.draws else "the chains"
    yield Symptom(
        "problem",
        f"{length} have fewer than 50 τ_int of {label(name)} (τ_int = {tau:.3g}): errors may be too small",
        "few draws, or an update that decorrelates slowly",
        "Draw more, thin more, or use a cluster update where there is one.",
        tau,
    )


def _chains(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    cause = "chains that have not reached, or do not share, one equilibrium"
    remedy = "Thermalise longer; draw more; look at the histories of hot and cold starts."
    finite = {name: value for name, value in state.r_hat.items() if math.isfinite(value)}
    name, worst = max(finite.items(), key=lambda item: item[1], default=("", 1.0))
    # Half a chain of n/2 draws has n/(4 τ) independent ones: R̂ - 1 is about 2 τ/n in equilibrium already.
    tau = state.times(symmetric=data.symmetric).get(name, 0.5)
    expected = 2 * tau / state.draws if state.draws else 0.0
    if worst - 1 > max(_LARGEST_R_HAT - 1, 3 * expected):
        what = f"split R̂ = {worst:.4f} > {_LARGEST_R_HAT} for {label(name)}"
        yield Symptom("problem", what, cause, remedy, worst)
    q = state.replica_q
    if q is not None and q < _DISAGREE:
        what = f"independent chains disagree (probability {q:.1g})"
        yield Symptom("problem", what, cause, remedy, -q)


def _start(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    after, draws = state.equilibrated_after, state.draws
    if after is not None and draws and after > _START * draws:
        yield Symptom(
            "problem",
            f"the first {after} of {draws} draws do not look like the rest",
            "thermalisation too short",
            "Thermalise longer, or drop the start.",
            after / draws,
        )
    yield from _hot_and_cold(state)


def _hot_and_cold(state: TemperatureData) -> Iterator[Symptom]:
    starts = None if state.starts is None else np.asarray(state.starts)
    if starts is None or not {"hot", "cold"} <= set(starts.tolist()):
        return
    for name in ("energy_per_site", "action_per_site", "abs_magnetization"):
        row, values = state.observables.get(name, {}), state.series.get(name)
        error = row.get("error")
        if values is None or not error or len(values) != len(starts):
            continue
        sides = [values[starts == side] for side in ("hot", "cold")]
        hot, cold = (float(np.mean(side)) for side in sides)
        sigma = error * math.sqrt(sum(len(values) / len(side) for side in sides))
        if abs(hot - cold) > _SIGMAS * sigma:
            yield Symptom(
                "problem",
                f"{label(name)} is {hot:.5g} from hot and {cold:.5g} from cold starts, "
                f"{abs(hot - cold) / sigma:.1f} σ apart",
                "hot and cold starts have not met",
                "Thermalise longer, or take another algorithm (clusters, tempering).",
                abs(hot - cold) / sigma,
            )
            return


def _ergodicity(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    m = state.series.get("magnetization")
    if not data.symmetric or m is None or np.size(m) < _FEW or not np.isfinite(m).all():
        return
    m = np.atleast_2d(m)
    share = float(np.mean(m > 0) + 0.5 * np.mean(m == 0))
    remedy = "Take another algorithm (clusters, tempering), or flip every configuration with probability ½."
    if not 0.1 <= share <= 0.9:
        what = f"{100 * share:.0f} % of the draws have positive magnetization, although H(x) = H(−x)"
        yield Symptom("problem", what, "the update does not cross between ±m", remedy, abs(share - 0.5))
    elif m.shape[1] >= _FEW and not (np.diff(np.sign(m), axis=1) != 0).any():
        what = f"no chain ever changed the sign of its magnetization in {m.shape[1]} draws"
        cause = "the update does not cross between ±m; ⟨m⟩ only shows where the chains started"
        yield Symptom("note", what, cause, remedy, m.shape[1])


def _acceptance(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    algorithm = data.algorithm.lower()
    lowest = next((v for k, v in _LOWEST_ACCEPTANCE.items() if k in algorithm), _LOWEST_OTHERWISE)
    accepted, swapped = state.info.get("acceptance"), state.info.get("swap_acceptance")
    if accepted is not None and accepted < lowest:
        yield Symptom(
            "problem",
            f"{accepted:.2g} of the proposals are accepted, fewer than {lowest:g}",
            "steps too large, or a system too cold for single updates",
            "Adapt the step size longer, or use a cluster update or tempering.",
            -accepted,
        )
    if swapped is not None and swapped < _LOWEST_SWAP:
        yield Symptom(
            "problem",
            f"{swapped:.2g} of the swaps with the next temperature are accepted, fewer than {_LOWEST_SWAP:g}",
            "temperatures too far apart",
            "Put more temperatures in between.",
            -swapped,
        )


def _divergences(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    count = state.info.get("divergences")
    if not count:
        return
    kept = sum(np.atleast_2d(values).size for values in list(state.series.values())[:1])
    many = not kept or count > _DIVERGING * kept
    yield Symptom(
        "problem" if many else "note",
        f"{count:.0f} trajectories diverged" + (f" in {kept} draws" if kept else ""),
        "a step size too large for the steepest parts of H",
        "Ask for a higher acceptance, adapt longer." if many else "Harmless when so few.",
        float(count),
    )


def _exact(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    pulls = {name: state.pull(name) for name in state.observables}
    known = {name: pull for name, pull in pulls.items() if pull is not None and math.isfinite(pull)}
    name, worst = max(known.items(), key=lambda item: abs(item[1]), default=("", 0.0))
    if abs(worst) > _SIGMAS:
        yield Symptom(
            "problem",
            f"{label(name)} is {abs(worst):.1f} σ away from its exact value",
            "errors too small, no equilibrium, or a wrong update",
            "Check temperature, units and model of the data."
            if data.algorithm == "imported"
            else "Thermalise longer and draw more; if it stays, report it as a bug.",
            abs(worst),
        )


def _finite(data: EnsembleData, state: TemperatureData) -> Iterator[Symptom]:
    for name, values in state.series.items():
        bad = int((~np.isfinite(values)).sum())
        if bad:
            what = f"{bad} values of {label(name)} are not finite"
            yield Symptom("problem", what, "overflow, or broken data", "Use --precision float64.", bad)
        elif np.size(values) > 1 and np.ptp(values) == 0 and values.flat[0] != 0:
            what = f"{label(name)} never changes"
            cause = "a ground state from which no update leads away, or a stuck chain"
            yield Symptom("note", what, cause, "Expected at low temperature only.", np.size(values))


ENSEMBLE_CHECKS: dict[str, Check] = {
    "chain length": _length,
    "chains agree": _chains,
    "thermalisation": _start,
    "ergodicity": _ergodicity,
    "acceptance": _acceptance,
    "divergences": _divergences,
    "exact values": _exact,
    "finiteness": _finite,
}
