"""What may be wrong with a run: each problem with its likely cause and what to do about it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from deeprg.montecarlo import reweighted
from deeprg.probes import MeasuredDraws
from deeprg.report.labels import BAD_TAIL

__all__ = ["CHECKS", "Case", "Finding", "diagnose", "verdict"]

_ENOUGH = 1000.0  # effective samples for errors of 3 %
_LOW_ACCEPTANCE = 0.05
_HEAVIEST = 0.05
_SIGMAS = 5.0
_DEAD_SECONDS = 60.0
_SKIPPED = 0.1  # share of steps that were not finite


@dataclass(frozen=True)
class Finding:
    """One thing found: a `problem` fails `diagnose --strict`, a `note` only informs."""

    check: str
    severity: Literal["problem", "note"]
    what: str
    cause: str
    remedy: str

    def to_dict(self) -> dict[str, str]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """What is known of a run: results.json, metrics, status, and the measured draws; any may be missing."""

    results: Mapping[str, Any] | None = None
    metrics: Sequence[Mapping[str, Any]] = ()
    status: Mapping[str, Any] | None = None
    draws: MeasuredDraws | None = None


def diagnose(case: Case) -> list[Finding]:
    """All findings of all `CHECKS`, problems first; an empty list says that nothing is wrong.

    >>> results = {"ess": 0.5, "ess_samples": 100_000, "ess_trusted": True, "acceptance": 0.01}
    >>> [finding.check for finding in diagnose(Case(results=results))]
    ['acceptance']
    """
    findings = [finding for check in CHECKS.values() for finding in check(case)]
    return sorted(findings, key=lambda finding: finding.severity != "problem")


def verdict(findings: Sequence[Finding]) -> str:
    """One line: how many problems and notes there are."""
    problems = sum(finding.severity == "problem" for finding in findings)
    notes = len(findings) - problems
    if not findings:
        return "Nothing is wrong."
    parts = [
        f"{n} {word}{'s' if n != 1 else ''}" for n, word in ((problems, "problem"), (notes, "note")) if n
    ]
    return (" and ".join(parts) + ".") if problems else f"Nothing is wrong; {parts[-1]}."


def _state(case: Case) -> Iterator[Finding]:
    status = case.status
    if status is None:
        return
    state, age = status.get("state"), status.get("age", 0.0)
    again = "Continue it: deeprg train, of the same kind, with --resume RUN."
    if state == "running" and age > _DEAD_SECONDS:
        what = f"the run says 'running', but its last sign of life is {age:.0f} s old"
        yield Finding("status", "problem", what, "it was killed, or hangs", again)
    elif state == "running":
        yield Finding("status", "note", "the run is still running", "", "Look again when it is done.")
    elif state == "failed":
        what = f"the run failed: {status.get('error', 'no message')}"
        yield Finding("status", "problem", what, "see the message and events.log", again)
    elif state == "interrupted":
        what = f"the run was stopped early ({status.get('reason') or status.get('error') or 'by a signal'})"
        yield Finding("status", "note", what, "time limit or signal", again)
    elif case.results is None:
        yield Finding("status", "problem", "there are no results", "results.json is missing", again)


def _effective_samples(case: Case) -> Iterator[Finding]:
    results = case.results or {}
    ess, n = results.get("ess"), results.get("ess_samples")
    if ess is None or n is None:
        return
    if ess * n < _ENOUGH:
        yield Finding(
            "effective samples",
            "problem",
            f"ESS {ess:.2g} of {n} draws leaves {ess * n:.0f} effective samples, fewer than {_ENOUGH:.0f}",
            "the model is far from the target",
            "Train longer or with a larger one; then draw more samples.",
        )
    if not results.get("ess_trusted", True):
        what = f"the ESS comes from {n} draws; fewer than 100000 miss the tail of the weights"
        yield Finding("effective samples", "note", what, "few draws", "Draw 100000 or more.")


def _acceptance(case: Case) -> Iterator[Finding]:
    acceptance = (case.results or {}).get("acceptance")
    if acceptance is not None and acceptance < _LOW_ACCEPTANCE:
        yield Finding(
            "acceptance",
            "problem",
            f"independence Metropolis accepts {acceptance:.2g} of its proposals",
            "the weights spread over many nats",
            "Train longer; do not trust chain averages.",
        )


def _weights(case: Case) -> Iterator[Finding]:
    results = case.results or {}
    k, largest = results.get("pareto_k"), results.get("largest_weight")
    if k is not None and k > BAD_TAIL:
        yield Finding(
            "importance weights",
            "problem",
            f"Pareto k = {k:.2f} > {BAD_TAIL}: reweighted averages and their errors are not reliable",
            "the model puts too little mass where the target has some",
            "Train longer, or use a larger model.",
        )
    if largest is not None and largest > _HEAVIEST:
        what = f"one draw carries {100 * largest:.0f} % of all weight"
        remedy = "Train longer; draw more samples."
        yield Finding(
            "importance weights", "problem", what, "the model misses a region of the target", remedy
        )


def _chains(case: Case) -> Iterator[Finding]:
    results = case.results or {}
    if results.get("chain_short"):
        tau = results.get("tau_int")
        what = "the chains are shorter than 50 tau_int" + ("" if tau is None else f" (tau_int = {tau:.1f})")
        yield Finding("chain length", "problem", what, "low acceptance or few draws", "Draw more samples.")
    q = results.get("replica_q")
    if q is not None and q < 1e-4:
        what = f"independent chains disagree (probability {q:.1g})"
        yield Finding("chains agree", "problem", what, "chains stuck on single proposals", "Train longer.")


def _modes(case: Case) -> Iterator[Finding]:
    signs = None if case.draws is None else case.draws.scalars.get("magnetization")
    if signs is None or not (case.results or {}).get("symmetric", False):
        return
    share = float(np.mean(signs > 0))
    if not 0.1 <= share <= 0.9:
        what = f"{100 * share:.0f} % of the draws have positive magnetization, although H(x) = H(-x)"
        remedy = "Use flow.symmetry=odd or flow.symmetry=mixture."
        yield Finding("mode coverage", "problem", what, "the flow collapsed to one mode", remedy)


def _sectors(case: Case) -> Iterator[Finding]:
    draws, results = case.draws, case.results or {}
    signs = None if draws is None else draws.scalars.get("magnetization")
    if draws is None or signs is None or not results.get("symmetric", False):
        return
    for name in ("energy_per_site", "action_per_site"):
        values = draws.scalars.get(name)
        if values is None or not np.isfinite(values).all():
            continue
        parts = []
        for side in (signs > 0, signs < 0):
            if side.sum() < 100:
                return
            mean, error = reweighted(values[side], draws.log_weights[side])
            parts.append((float(mean), float(error)))
        (up, up_error), (down, down_error) = parts
        sigma = math.hypot(up_error, down_error)
        if sigma > 0 and abs(up - down) > _SIGMAS * sigma:
            what = (
                f"{name} is {up:.5g} for m > 0 and {down:.5g} for m < 0: {abs(up - down) / sigma:.1f} σ apart"
            )
            remedy = "Use flow.symmetry=odd or flow.symmetry=mixture, or train longer."
            yield Finding("symmetry sectors", "problem", what, "the flow breaks the symmetry of H", remedy)


def _divergences(case: Case) -> Iterator[Finding]:
    results = case.results or {}
    estimate, forward = results.get("log_partition"), results.get("kl_forward")
    free_energy = results.get("free_energy")
    if estimate is not None and forward is not None and free_energy is not None:
        reverse = free_energy + estimate
        low, high = sorted((max(reverse, 1e-9), max(forward, 1e-9)))
        if high > 0.3 and high > 3 * low:
            what = f"KL(q|π) ≈ {reverse:.2f} nats but KL(π|q) ≈ {forward:.2f} nats by the same weights"
            yield Finding(
                "KL gap",
                "problem",
                what,
                "the model misses part of the target, or the weights have a heavy tail",
                "Train longer; check the symmetry of the model.",
            )
    pull = results.get("log_partition_pull")
    if pull is not None and abs(pull) > _SIGMAS:
        yield Finding(
            "exact ln Z",
            "problem",
            f"the reweighted ln Z is {abs(pull):.1f} σ away from the exact value",
            "the weights never saw part of the target, so their error is too small",
            "Train longer, draw more samples, or use a symmetric model.",
        )
    gap, error = results.get("gap"), results.get("gap_error")
    if gap is not None and error and gap < -_SIGMAS * error:
        what = f"the variational free energy lies {-gap:.3g} nats below the exact one, which is impossible"
        yield Finding("exact free energy", "problem", what, "ln q or H is wrong", "Report this as a bug.")


def _finite(case: Case) -> Iterator[Finding]:
    bad = [
        r for r in case.metrics if any(r.get(name, 0.0) is None for name in ("loss", "grad_norm", "smoothed"))
    ]
    if bad:
        share = f"{len(bad)} of {len(case.metrics)} metric records"
        what = f"{share} hold NaN or infinity, first at step {bad[0].get('step')}"
        remedy = "Lower train.learning_rate or set train.clip_norm."
        yield Finding("finiteness", "problem", what, "the training diverged", remedy)
    skipped = case.metrics[-1].get("skipped", 0) if case.metrics else 0
    if skipped:
        step = case.metrics[-1].get("step") or 0
        what = f"{skipped} of {step} training steps were not finite and were skipped"
        if skipped > _SKIPPED * step:
            remedy = "Lower train.learning_rate or set train.clip_norm."
            yield Finding("finiteness", "problem", what, "the training diverged", remedy)
        else:
            yield Finding("finiteness", "note", what, "rare overflows", "Harmless when few.")
    if case.draws is not None:
        arrays = {"log weights": case.draws.log_weights, **case.draws.scalars}
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                what = f"{int((~np.isfinite(values)).sum())} draws have a {name} that is not finite"
                yield Finding(
                    "finiteness", "problem", what, "overflow in the model", "Use --precision float64."
                )


CHECKS: dict[str, Callable[[Case], Iterator[Finding]]] = {
    "status": _state,
    "effective samples": _effective_samples,
    "acceptance": _acceptance,
    "importance weights": _weights,
    "chains": _chains,
    "mode coverage": _modes,
    "symmetry sectors": _sectors,
    "KL gap and exact values": _divergences,
    "finiteness": _finite,
}
