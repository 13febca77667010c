"""What a sweep found: a row for every point, the document, the table and the curves of the figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deeprg.cli._console import seconds_text
from deeprg.cli._sweep_folder import SweepFolder
from deeprg.cli._sweep_kind import Column
from deeprg.cli._sweep_point import Outcome
from deeprg.cli._table import text_table, with_error
from deeprg.report.sweep import SweepCurve
from deeprg.runs.config import show
from deeprg.runs.sweep import Point

__all__ = ["Row", "curves", "document", "rows_of", "sweep_table"]

_DIGITS = 4  # of a number without an error, not the seven of a single run


@dataclass(frozen=True)
class Row:
    """A point, how it stands (done, failed, interrupted, running, waiting) and its results if it is done."""

    point: Point
    state: str
    outcome: Outcome | None
    results: Mapping[str, Any]
    run: str

    def to_dict(self, columns: Sequence[Column]) -> dict[str, Any]:
        """The point in sweep.json and results.json."""
        return {
            "name": self.point.name,
            "values": dict(self.point.values),
            "state": self.state,
            "exit_code": None if self.outcome is None else self.outcome.code,
            "message": "" if self.outcome is None else self.outcome.message,
            "run": self.run,
            "seconds": self.results.get("train_seconds"),
            "results": {
                column.label: dict(zip(("value", "error"), column.read(self.results), strict=True))
                for column in columns
                if column.read(self.results)[0] is not None
            },
        }


def rows_of(sweep: SweepFolder, outcomes: Mapping[str, Outcome], *, ended: bool = False) -> list[Row]:
    """The points as they stand by their folders and by how their processes ended.

    `ended` says that no process works on them any more: what was running then is interrupted.
    """
    rows = []
    for point in sweep.points:
        folder, outcome = sweep.folder(point.name), outcomes.get(point.name)
        state = sweep.state(point.name)
        if state != "done" and outcome is not None:
            state = "failed" if outcome.code not in (0, 75) else state
        if state == "running" and (ended or outcome is not None):
            state = "interrupted"
        results = (folder.results() or {}) if state == "done" else {}
        rows.append(Row(point, state, outcome, results, str(folder.path)))
    return rows


def document(sweep: SweepFolder, rows: Sequence[Row]) -> dict[str, Any]:
    """results.json of a sweep."""
    states = [row.state for row in rows]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    others = ", ".join(f"{count} {state}" for state, count in counts.items() if state != "done")
    return {
        "verdict": f"{counts.get('done', 0)} of {len(rows)} points done" + (f", {others}" if others else ""),
        "kind": sweep.kind.name,
        "grid": [{"name": axis.name, "values": list(axis.values)} for axis in sweep.axes],
        "states": counts,
        "points": [row.to_dict(sweep.kind.columns) for row in rows],
        "run": str(sweep.run.path),
    }


def sweep_table(sweep: SweepFolder, rows: Sequence[Row]) -> str:
    """One row for each point: its values, its state, the numbers with their errors, the time of training."""
    shown = [c for c in sweep.kind.columns if any(c.read(row.results)[0] is not None for row in rows)]
    header = [axis.name for axis in sweep.axes] + ["state", *(c.label for c in shown), "trained"]
    lines = []
    for row in rows:
        seconds = row.results.get("train_seconds")
        lines.append(
            [
                *(value_text(value) for value in row.point.values.values()),
                row.state,
                *(with_error(*column.read(row.results), digits=_DIGITS) for column in shown),
                "—" if seconds is None else seconds_text(seconds),
            ]
        )
    return text_table(lines, header=header)


def curves(sweep: SweepFolder, rows: Sequence[Row]) -> tuple[str, dict[str, list[SweepCurve]]]:
    """The axis to draw over, and the curves of each number: one for every combination of the other axes.

    The axis is the first with two numbers or more, seeds only where there is no other; seeds are not curves
    of their own. The word critical is the temperature that a finished run had. Nothing is drawn without such
    an axis.
    """
    numeric = [
        axis
        for axis in sweep.axes
        if len(axis.values) > 1
        and all(_is_number(value) or _is_critical(sweep, axis.name, value) for value in axis.values)
    ]
    numeric.sort(key=lambda axis: axis.name == "seed")
    found: dict[str, list[SweepCurve]] = {}
    if not numeric:
        return "", found
    across = numeric[0].name
    others = [axis.name for axis in sweep.axes if axis.name not in (across, "seed") and len(axis.values) > 1]
    finished = [(row, *_placed(sweep, row, across, others)) for row in rows if row.results]
    for column in sweep.kind.columns:
        groups: dict[str, list[tuple[float, float, float | None]]] = {}
        for row, place, label in finished:
            value, error = column.read(row.results)
            if value is not None:
                groups.setdefault(label, []).append((place, value, error))
        if groups:
            found[column.label] = [
                SweepCurve(label, *zip(*group, strict=True)) for label, group in groups.items()
            ]
    return across, found


def _placed(sweep: SweepFolder, row: Row, across: str, others: Sequence[str]) -> tuple[float, str]:
    """Where a finished point stands on the axis, and the name of its curve."""
    values = row.point.values
    place = values[across]
    if _is_critical(sweep, across, place):
        place = sweep.kind.temperature(sweep.folder(row.point.name))
    label = ", ".join(f"{name.rpartition('.')[2]} {value_text(values[name])}" for name in others)
    return float(place), label


def value_text(value: Any) -> str:
    """A value of the grid for people."""
    return value if isinstance(value, str) else show(value)


def _is_critical(sweep: SweepFolder, name: str, value: Any) -> bool:
    """Whether an axis is over temperatures, and the value the word for the critical one."""
    short, word = sweep.kind.short, isinstance(value, str) and value.lower() == "critical"
    return word and short.get(name, name) == short["temperature"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
