"""What `deeprg study` does."""

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._study_folder import study_folder
from deeprg.cli._table import text_table
from deeprg.report.study import Claim, StudyResult, StudyTable
from deeprg.report.study_html import study_page
from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes, write_text
from deeprg.runs.config import config_text, fingerprint
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder
from deeprg.studies import STUDIES, find_study

__all__ = ["run_study"]

_WIDTH = 100
_TINY = 1e-4  # a deviation at the level of rounding is a result here, not a digit


def run_study(
    name: str | None,
    options: Sequence[str],
    *,
    preset: str | None,
    seed: int | None,
    out: Path | None,
    print_config: bool,
    json: bool,
) -> int:
    """`deeprg study`: settings, run folder, results; returns the exit code."""
    if name is None:
        raise UsageError(
            f"which study? Known: {', '.join(STUDIES)}. For example deeprg study {next(iter(STUDIES))}."
        )
    study = find_study(name)
    resolved, settings = study.resolve(preset, options, seed=seed)
    if print_config:
        if json:
            print_json({"schema_version": SCHEMA_VERSION, "study": study.name, **asdict(resolved)})
        else:
            print(config_text(resolved))
        return 0
    values = {"study": study.name, "settings": settings.model_dump(mode="json")}
    environment = describe_environment(seed=settings.seed)
    with study_folder(out, name=f"study-{study.name}", resolved=values, environment=environment) as run:
        say(f"study {study.name}: {study.question}")
        result = study.run(settings, say)
        document = {
            "schema_version": SCHEMA_VERSION,
            "settings": values["settings"],
            "config_hash": fingerprint(values),
            **result.to_dict(),
        }
        run.write_results(document)
        _write(run, result)
        write_text(run.report, study_page(result, settings=values["settings"], environment=environment))
        run.set_status("done")
    if json:
        print_json({**document, "run": str(run.path), "report": str(run.report)})
    else:
        print(_text(result))
    next_step(f"open {run.report} in a browser")
    return 0


def _write(run: RunFolder, result: StudyResult) -> None:
    """Every figure as PNG and every table as CSV, beside the page."""
    for one in result.figures:
        buffer = io.BytesIO()
        with style():
            one.figure.savefig(buffer, format="png", dpi=160)
        write_bytes(run.path / f"{one.name}.png", buffer.getvalue())
    for one in result.tables:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([one.header, *one.rows])
        write_text(run.path / f"{one.name}.csv", text.getvalue())


def _text(result: StudyResult) -> str:
    """Verdict and claims first, what the source does not assert apart; then the tables, and the verdict."""
    own = [_text_claim(claim) for claim in result.claims if claim.asserted]
    others = [_text_claim(claim) for claim in result.claims if not claim.asserted]
    changed = [_wrapped(f"changed against the source: {line}") for line in result.changed]
    blocks = [
        _wrapped(result.verdict),
        "\n".join(own),
        "\n".join(
            ["controls and open questions, which the source does not assert:", *others] if others else []
        ),
        "\n".join(changed),
        *(f"{one.title}\n\n{_text_table(one)}" for one in result.tables),
        _wrapped(result.verdict),
    ]
    return "\n\n".join(block for block in blocks if block)


def _text_claim(claim: Claim) -> str:
    statement = _wrapped(f"[{claim.verdict}] {claim.statement} ({claim.source})")
    return f"{statement}\n{_wrapped(claim.measured, '    ')}"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent or "  ", break_on_hyphens=False
    )


def _text_table(one: StudyTable) -> str:
    rows = [[_cell(value) for value in row] for row in one.rows]
    return text_table(rows, header=list(one.header))


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return "—"
    if isinstance(value, str | int):
        return str(value)
    return f"{value:.1e}" if 0 < abs(value) < _TINY else f"{value:.5g}"
