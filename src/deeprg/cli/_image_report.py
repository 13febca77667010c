"""The page and the findings of a run on data without a Hamiltonian."""

from pathlib import Path
from typing import Any

from deeprg.cli._density_results import image_table
from deeprg.cli._plain_report import course_findings, stored_pictures, write_report
from deeprg.report.blocks import picture
from deeprg.report.density import is_density, plot_density
from deeprg.report.diagnosis import Finding
from deeprg.report.style import data_uri, figure, style
from deeprg.runs.folder import RunFolder

__all__ = ["IMAGE_CHECKS", "image_findings", "report_images"]

IMAGE_CHECKS = ("status", "finiteness", "overfitting")


def image_findings(run: RunFolder) -> list[Finding]:
    """What may be wrong with the run."""
    results = run.results()
    found = course_findings(run)
    for text in ((results or {}).get("data") or {}).get("warnings", ()):
        remedy = "Give more data or fewer weights; --checkpoint best takes the weights from before."
        found.append(Finding("overfitting", "note", text, "more weights than the data determine", remedy))
    return sorted(found, key=lambda one: one.severity != "problem")


def report_images(run: RunFolder, *, out: Path | None, json: bool) -> int:
    """Write the page, with the samples that `deeprg sample` drew; returns the exit code."""
    results, resolved = run.results(), run.resolved()
    records: list[dict[str, Any]] = [record for record in run.metrics() if record.get("loss") is not None]
    pictures = []
    if is_density(records):
        with style():
            fig, ax = figure()
            plot_density(ax, records)
            pictures.append(picture(data_uri(fig), "Held-out data under the averaged weights."))
    return write_report(
        run,
        title=f"A flow fitted to {resolved['data']['path']}",
        findings=image_findings(run),
        table=None if results is None else image_table(results),
        pictures=pictures,
        more=stored_pictures(run, "samples-seed*.png"),
        out=out,
        json=json,
        verbs=(f"deeprg sample {run.path} -n 1000",),
    )
