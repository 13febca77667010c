"""The metrics file of a run: one JSON object per line, appended while the run is alive."""

import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from deeprg.runs.atomic import disk_error, jsonable, write_text
from deeprg.runs.errors import UsageError

__all__ = ["MetricsLog", "read_metrics", "truncate_metrics"]


class MetricsLog:
    """Appends records to a JSON-lines file, spending at most the fraction `budget` of the time on writing.

    The first record is written at once, so that the file shows early that the run is alive; later ones wait
    in memory while the budget is exhausted. `close` (or leaving the `with` block) writes the rest.

    Raises `UsageError`, naming the file, when the disk is full or unwritable.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    >>> with MetricsLog(path) as log:
    ...     log.append({"step": 10, "loss": 1.5})
    >>> read_metrics(path)
    [{'step': 10, 'loss': 1.5}]
    """

    def __init__(self, path: str | Path, *, budget: float = 0.005):
        self.path = Path(path)
        self.budget = budget
        self._waiting: list[str] = []
        self._spent = 0.0
        self._start = time.monotonic()

    def append(self, record: dict[str, Any]) -> None:
        """Add one record."""
        self._waiting.append(json.dumps(jsonable(record), allow_nan=False) + "\n")
        if self._spent <= self.budget * (time.monotonic() - self._start):
            self.flush()

    def flush(self) -> None:
        """Write what waits in memory."""
        if not self._waiting:
            return
        start = time.monotonic()
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
            try:
                with open(self.path, "a", encoding="utf-8") as file:
                    file.writelines(self._waiting)
            except OSError:
                if self.path.exists():
                    os.truncate(self.path, size)  # no torn line before the next attempt
                raise
        except OSError as error:
            raise disk_error(self.path, error) from error
        self._waiting.clear()
        self._spent += time.monotonic() - start

    def close(self) -> None:
        """Write what waits in memory; the log can still be used."""
        self.flush()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """All records of a metrics file; a last line still being written, or torn by a kill, is left out.

    A missing file has no records. Raises `UsageError` for a damaged line before the last one.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise disk_error(path, error, "read") from error
    records = []
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline is empty or torn
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
        except ValueError as error:
            if number == len(lines) - 1:
                break
            raise UsageError(f"'{path}' is damaged at line {number}: {error}. Delete that line.") from error
        records.append(record)
    return records


def truncate_metrics(path: str | Path, step: int) -> int:
    """Drop the records after `step` (and a torn last line): what a resumed run will write again.

    Returns the number of records that stay.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    >>> _ = path.write_text('{"step": 10}\\n{"step": 20}\\n{"st')
    >>> truncate_metrics(path, 10), path.read_text()
    (1, '{"step": 10}\\n')
    """
    kept = [record for record in read_metrics(path) if record.get("step", 0) <= step]
    if Path(path).exists():
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
    return len(kept)
