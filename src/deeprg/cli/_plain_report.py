"""One page for any run: verdict, the table of the terminal, figures, settings, environment."""

import base64
from collections.abc import Sequence
from pathlib import Path

from deeprg.cli._console import next_step, print_json, say
from deeprg.report.blocks import document, escaped, grid, pairs, picture, section, verdict_box
from deeprg.report.diagnosis import Case, Finding, diagnose, verdict
from deeprg.runs.atomic import write_text
from deeprg.runs.config import leaves
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["course_findings", "stored_pictures", "write_report"]


def write_report(
    run: RunFolder,
    *,
    title: str,
    findings: Sequence[Finding],
    table: str | None,
    pictures: Sequence[str],
    more: Sequence[str],
    out: Path | None,
    json: bool,
    verbs: Sequence[str],
) -> int:
    """Write the page and say where; `table` is None while there are no results. Returns the exit code."""
    target = run.report if out is None else out
    if target.is_dir():
        raise UsageError(f"'{target}' is a folder. Give the path of a file, or leave --out away.")
    parts = [
        verdict_box(findings, results=table is not None),
        section("Results", "" if table is None else f"<pre>{escaped(table)}</pre>"),
        section("Figures", grid(pictures)),
        *([section("Further figures", grid(more))] if more else []),
        section("Settings", pairs(leaves(run.resolved()))),
        section("Environment", pairs(leaves(run.environment()))),
    ]
    write_text(target, document(run.name, title, parts))
    say(verdict(findings))
    if json:
        print_json({"schema_version": SCHEMA_VERSION, "run": str(run.path), "report": str(target.resolve())})
    elif table is not None:
        print(f"{table}\nreport  {target}")
    else:
        print(target)
    next_step(f"open {target} in a browser", *verbs)
    return 0


def course_findings(run: RunFolder) -> list[Finding]:
    """What may be wrong with the course of a training, whatever it trains."""
    judged = None if run.results() is None else {}
    return diagnose(Case(results=judged, metrics=run.metrics(), status=run.status()))


def stored_pictures(run: RunFolder, *patterns: str) -> list[str]:
    """Figures that other verbs left in the run folder, each named by its file."""
    found = []
    for path in (path for pattern in patterns for path in sorted(run.path.glob(pattern))):
        uri = f"data:image/{path.suffix[1:]};base64,{base64.b64encode(path.read_bytes()).decode()}"
        found.append(picture(uri, f"deeprg {path.stem.replace('-', ' ', 1)}"))
    return found
