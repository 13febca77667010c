"""`deeprg report` and `deeprg diagnose` behind their flags."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from deeprg.cli._console import colour, next_step, print_json, say
from deeprg.cli._judging import case_of
from deeprg.cli._run_kind import kind_of, refuse_other
from deeprg.cli._setup import Setup, open_run, trained
from deeprg.cli._table import result_table
from deeprg.probes import MeasuredDraws, spin_log_partition
from deeprg.report.citations import citations_for
from deeprg.report.diagnosis import CHECKS, Finding, diagnose, verdict
from deeprg.report.html import ReportData, page
from deeprg.report.labels import target_name
from deeprg.report.style import style
from deeprg.report.summary import plot_summary
from deeprg.runs.atomic import write_bytes, write_text
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["report_ensemble", "run_diagnosis", "run_report"]


class _Other(NamedTuple):
    """The page, the findings and the names of the checks of a kind of run other than a flow's."""

    report: Callable[..., int]
    findings: Callable[[RunFolder], list[Finding]]
    checks: tuple[str, ...]


def _others() -> dict[str, _Other]:
    from deeprg.cli._boltzmann_report import RBM_CHECKS, findings_of, report_rbm
    from deeprg.cli._image_report import IMAGE_CHECKS, image_findings, report_images
    from deeprg.cli._interval_report import INTERVAL_CHECKS, interval_findings, report_interval
    from deeprg.cli._mera_training import MERA_CHECKS, mera_findings, report_mera

    return {
        "rbm": _Other(report_rbm, findings_of, RBM_CHECKS),
        "mera": _Other(report_mera, mera_findings, MERA_CHECKS),
        "images": _Other(report_images, image_findings, IMAGE_CHECKS),
        "conditioned": _Other(report_interval, interval_findings, INTERVAL_CHECKS),
    }


def run_report(name: str, *, out: Path | None, count: int, seed: int, json: bool) -> int:
    """Write the page; returns the exit code."""
    run = RunFolder.open(name)
    if (other := _others().get(kind_of(run))) is not None:
        return other.report(run, out=out, json=json)
    setup, case = open_run(run), case_of(run)
    target = run.report if out is None else out
    if target.is_dir():
        raise UsageError(f"'{target}' is a folder. Give the path of a file, or leave --out away.")
    findings = diagnose(case)
    results = case.results
    if results is not None:
        results = {**results, **spin_log_partition(results, setup.hamiltonian)}
    scales = None
    if (run.checkpoints / "last.eqx").exists():
        scales = _scales(run, setup, count, seed)
    data = ReportData(
        name=run.name,
        subtitle=setup.hamiltonian.describe(),
        config=run.resolved(),
        environment=run.environment(),
        metrics=case.metrics,
        results=results,
        findings=findings,
        citations=citations_for(run.resolved()),
        draws=case.draws,
        scales=scales,
        exact_free_energy=None if setup.reference is None else setup.reference.free_energy,
    )
    write_text(target, page(data))
    if scales is not None and case.draws is not None:
        _write_summary(target.with_name("summary.png"), data, scales, case.draws)
    say(verdict(findings))
    for finding in findings:
        say(f"{finding.severity}: {finding.what}")
    if json:
        print_json({"schema_version": SCHEMA_VERSION, "run": str(run.path), "report": str(target.resolve())})
    elif results is not None:
        print(result_table(results, report=str(target)))
    else:
        print(target)
    next_step(f"open {target} in a browser", f"deeprg sample {run.path} -n 100000 --method independence")
    return 0


def report_ensemble(path: Path, *, out: Path | None, json: bool) -> int:
    """Write the page of an ensemble; returns the exit code."""
    from deeprg.cli._ensemble_data import ensemble_data
    from deeprg.cli._ensemble_table import ensemble_table
    from deeprg.cli._simulating import measured
    from deeprg.montecarlo.ensembles import Ensemble
    from deeprg.report.ensemble_html import ensemble_page, thermodynamics_figure

    ensemble = Ensemble.open(path)
    target = path.with_suffix(".html") if out is None else out
    if target.is_dir():
        raise UsageError(f"'{target}' is a folder. Give the path of a file, or leave --out away.")
    rows = measured(ensemble)
    data = ensemble_data(ensemble, rows)
    write_text(target, ensemble_page(data))
    if len(rows) > 2:
        with style():
            write_bytes(target.with_suffix(".png"), _png(thermodynamics_figure(data)))
    if json:
        document = {"schema_version": SCHEMA_VERSION, "ensemble": str(path), "report": str(target.resolve())}
        print_json(document)
    else:
        print(ensemble_table(rows, ensemble.provenance["algorithm"]))
    next_step(f"open {target} in a browser")
    return 0


def _write_summary(path: Path, data: ReportData, scales: Sequence[np.ndarray], draws: MeasuredDraws) -> None:
    exact = data.exact_free_energy
    with style():
        figure = plot_summary(
            data.metrics,
            draws.log_weights,
            scales,
            exact_free_energy=exact,
            final_gap=None if data.results is None else data.results.get("gap"),
            log_partition=None if exact is None else -exact,
            of=target_name(data.results),
        )
        write_bytes(path, _png(figure))


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _scales(run: RunFolder, setup: Setup, count: int, seed: int) -> list[np.ndarray]:
    flow = trained(run, setup)
    keys = jax.random.split(jax.random.key(seed), count)
    # Under jit, because some bijectors have no efficient form without it.
    fields = eqx.filter_jit(lambda keys: jax.vmap(lambda key: flow.scales(flow.latent(key=key)))(keys))(keys)
    return [np.asarray(field) for field in fields]


def run_diagnosis(name: str, *, strict: bool, json: bool) -> int:
    """Print what may be wrong; returns the exit code."""
    run = RunFolder.open(name)
    checks = tuple(CHECKS)
    if (other := _others().get(kind_of(run))) is not None:
        findings, checks = other.findings(run), other.checks
    else:
        refuse_other(run, "flow")
        findings = diagnose(case_of(run))
    problems = [finding for finding in findings if finding.severity == "problem"]
    if json:
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "run": str(run.path),
            "ok": not problems,
            "verdict": verdict(findings),
            "checks": list(checks),
            "findings": [finding.to_dict() for finding in findings],
        }
        print_json(document)
    else:
        _print_findings(findings, len(checks))
    next_step(f"deeprg report {run.path}")
    return 4 if strict and problems else 0


def _print_findings(findings: list[Any], checks: int) -> None:
    import sys

    for finding in findings:
        name = colour(finding.severity, "red" if finding.severity == "problem" else "yellow", sys.stdout)
        print(f"{name}: {finding.check}: {finding.what}")
        if finding.cause:
            print(f"    likely cause: {finding.cause}")
        print(f"    {finding.remedy}")
    print(f"{verdict(findings)} ({checks} checks)")
