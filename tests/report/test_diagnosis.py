"""Every check finds its problem, and is silent about a healthy run."""

import dataclasses

import numpy as np
import pytest

from deeprg.probes import MeasuredDraws
from deeprg.report.diagnosis import CHECKS, Case, diagnose, verdict

RNG = np.random.default_rng(0)
RESULTS = {
    "ess": 0.5,
    "ess_samples": 100_000,
    "ess_trusted": True,
    "acceptance": 0.6,
    "pareto_k": 0.2,
    "largest_weight": 1e-4,
    "chain_short": False,
    "tau_int": 1.0,
    "replica_q": 0.4,
    "symmetric": True,
    "free_energy": -10.0,
    "log_partition": 10.3,
    "kl_forward": 0.35,
    "log_partition_pull": 1.0,
    "gap": 0.3,
    "gap_error": 0.01,
}
STATUS = {"state": "done", "age": 5.0, "step": 10}
METRICS = [{"step": 10, "loss": 1.0, "grad_norm": 1.0, "smoothed": 1.0, "skipped": 0}]
SIGNS = RNG.normal(size=5000)
DRAWS = MeasuredDraws(
    (4, 4), 0.1 * RNG.normal(size=5000), {"magnetization": SIGNS, "energy_per_site": RNG.normal(size=5000)}
)
HEALTHY = Case(RESULTS, METRICS, STATUS, DRAWS)


def with_results(**changes) -> Case:
    return dataclasses.replace(HEALTHY, results={**RESULTS, **changes})


def with_scalars(**scalars) -> Case:
    return dataclasses.replace(
        HEALTHY, draws=dataclasses.replace(DRAWS, scalars={**DRAWS.scalars, **scalars})
    )


def test_a_healthy_run_has_no_findings():
    assert diagnose(HEALTHY) == []
    assert verdict([]) == "Nothing is wrong."


def test_nothing_known_is_no_problem():
    assert diagnose(Case()) == []


@pytest.mark.parametrize(
    ("case", "check"),
    [
        (with_results(ess=0.005), "effective samples"),
        (with_results(acceptance=0.01), "acceptance"),
        (with_results(pareto_k=0.9), "importance weights"),
        (with_results(largest_weight=0.3), "importance weights"),
        (with_results(chain_short=True), "chain length"),
        (with_results(replica_q=1e-7), "chains agree"),
        (with_results(kl_forward=4.0), "KL gap"),
        (with_results(log_partition_pull=-9.0), "exact ln Z"),
        (with_results(gap=-0.5), "exact free energy"),
        (with_scalars(magnetization=abs(SIGNS)), "mode coverage"),
        (with_scalars(energy_per_site=DRAWS.scalars["energy_per_site"] + (SIGNS > 0)), "symmetry sectors"),
        (with_scalars(energy_per_site=np.full(5000, np.nan)), "finiteness"),
        (dataclasses.replace(HEALTHY, metrics=[{**METRICS[0], "loss": None}]), "finiteness"),
        (dataclasses.replace(HEALTHY, metrics=[{**METRICS[0], "skipped": 3}]), "finiteness"),
        (dataclasses.replace(HEALTHY, status={"state": "running", "age": 1e4}), "status"),
        (dataclasses.replace(HEALTHY, status={"state": "failed", "error": "boom"}), "status"),
        (dataclasses.replace(HEALTHY, results=None, draws=None), "status"),
    ],
)
def test_each_problem_is_found(case, check):
    findings = diagnose(case)
    assert check in [finding.check for finding in findings if finding.severity == "problem"]
    assert all(finding.what and finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("case", "check"),
    [
        (with_results(ess_trusted=False, ess_samples=5000), "effective samples"),
        (dataclasses.replace(HEALTHY, metrics=[{**METRICS[0], "step": 100, "skipped": 3}]), "finiteness"),
        (
            dataclasses.replace(HEALTHY, status={"state": "interrupted", "age": 5.0, "reason": "time"}),
            "status",
        ),
        (dataclasses.replace(HEALTHY, status={"state": "running", "age": 1.0}), "status"),
    ],
)
def test_notes_are_no_problems(case, check):
    findings = diagnose(case)
    assert [(finding.check, finding.severity) for finding in findings] == [(check, "note")]
    assert verdict(findings) == "Nothing is wrong; 1 note."


def test_one_sided_draws_are_fine_without_symmetry():
    case = with_scalars(magnetization=abs(SIGNS))
    assert diagnose(dataclasses.replace(case, results={**RESULTS, "symmetric": False})) == []


def test_problems_come_first_and_are_counted():
    case = with_results(acceptance=0.01, ess_trusted=False)
    findings = diagnose(case)
    assert [finding.severity for finding in findings] == ["problem", "note"]
    assert verdict(findings) == "1 problem and 1 note."
    assert len(CHECKS) >= 8
