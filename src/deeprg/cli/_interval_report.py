"""The page and the findings of a run over an interval."""

from pathlib import Path

import numpy as np

from deeprg.cli._conditioned import curve_figure, curve_table
from deeprg.cli._plain_report import course_findings, stored_pictures, write_report
from deeprg.cli._starting import open_conditioned
from deeprg.probes import TemperatureCurves
from deeprg.report.blocks import picture
from deeprg.report.diagnosis import Finding
from deeprg.report.labels import BAD_TAIL
from deeprg.report.style import data_uri, figure, style
from deeprg.report.training import plot_free_energy, plot_gap
from deeprg.runs.folder import RunFolder

__all__ = ["INTERVAL_CHECKS", "interval_findings", "report_interval"]

INTERVAL_CHECKS = ("status", "finiteness", "values")
_ENOUGH = 1000.0
_SIGMAS = 5.0


def interval_findings(run: RunFolder) -> list[Finding]:
    """What may be wrong with the run: its course, and every value at which it is judged."""
    results = run.results()
    found = course_findings(run)
    if results is not None:
        found += _values(TemperatureCurves.from_dict(results["curves"]))
    return sorted(found, key=lambda one: one.severity != "problem")


def _values(curves: TemperatureCurves) -> list[Finding]:
    found, longer = [], "Train longer, or over a shorter interval."

    def add(bad: np.ndarray, what: str, cause: str, severity: str = "problem") -> None:
        if bad.any():
            where = ", ".join(f"{value:.4g}" for value in curves.values[bad])
            text = f"{what} at {curves.parameter} = {where}"
            found.append(Finding("values", severity, text, cause, longer))  # pyright: ignore[reportArgumentType]

    effective = curves.ess * curves.samples
    add(effective < _ENOUGH, f"fewer than {_ENOUGH:.0f} effective samples", "the flow is far from the target")
    add(curves.pareto_k > BAD_TAIL, f"Pareto k above {BAD_TAIL}", "the weights have a heavy tail there")
    pull = np.abs(np.nan_to_num(curves.curves["log_partition"].pull))
    add(pull > _SIGMAS, f"ln Z is more than {_SIGMAS:.0f} σ off", "the weights missed part of the target")
    return found


def report_interval(run: RunFolder, *, out: Path | None, json: bool) -> int:
    """Write the page; returns the exit code."""
    setup, results = open_conditioned(run), run.results()
    records = [record for record in run.metrics() if record.get("loss") is not None]
    pictures = []
    with style():
        if results is not None:
            curves = TemperatureCurves.from_dict(results["curves"])
            caption = "Bars are standard errors of reweighted averages; lines are exact where they are known."
            pictures.append(picture(data_uri(curve_figure(setup.family, curves)), caption, wide=True))
        if records:
            fig, ax = figure()
            steps, losses = ([record[name] for record in records] for name in ("step", "loss"))
            (plot_gap if setup.objective.baseline else plot_free_energy)(ax, steps, losses)
            pictures.append(picture(data_uri(fig), "Batches while training, averaged over the interval."))
    return write_report(
        run,
        title=f"{setup.family.model.describe()}; one flow for {setup.family.describe_interval}",
        findings=interval_findings(run),
        table=None if results is None else curve_table(results),
        pictures=pictures,
        more=stored_pictures(run, "probe-*.png"),
        out=out,
        json=json,
        verbs=(f"deeprg sample {run.path} --curves",),
    )
