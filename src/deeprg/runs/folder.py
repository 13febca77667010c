"""One run on disk: a folder that tells what was asked, on what, how it went and what came out."""

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from deeprg.runs.atomic import disk_error, read_json, write_json, write_text
from deeprg.runs.config import to_toml
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.metrics import MetricsLog, read_metrics, truncate_metrics

__all__ = ["SCHEMA_VERSION", "RunFolder", "find_runs"]

SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEARTBEAT_SECONDS = 5.0


class RunFolder:
    """A run folder. Use `RunFolder.create` for a new run and `RunFolder.open` for an existing one.

    ```
    config.toml     as given             metrics.jsonl   one record per chunk
    resolved.json   every value used     events.log      human-readable log
    env.json        versions, devices    ckpt/           last.eqx, best.eqx
    results.json    the numbers          status.json     running, done, failed or interrupted; heartbeat
    report.html     on request
    ```

    As a context manager it writes what is still in memory and, when an exception leaves the block, the
    status. In a program of several processes only process 0 creates and writes it.

    >>> import tempfile
    >>> with RunFolder.create(root=tempfile.mkdtemp(), name="toy", resolved={"seed": 1}) as run:
    ...     run.append_metrics({"step": 1, "loss": 0.5})
    ...     run.set_status("done")
    >>> again = RunFolder.open(run.path)
    >>> again.name, again.resolved(), again.status()["state"], again.metrics()
    ('toy-001', {'seed': 1}, 'done', [{'step': 1, 'loss': 0.5}])
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._log = MetricsLog(self.path / "metrics.jsonl")
        self._last_heartbeat = -float("inf")

    @classmethod
    def create(
        cls,
        path: str | Path | None = None,
        *,
        name: str = "run",
        root: str | Path = "runs",
        config: str | None = None,
        resolved: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
    ) -> "RunFolder":
        """Make a new run folder: at `path`, or the next free `root/name-NNN`.

        `config` is the configuration file as given (default: `resolved` as TOML). Nothing is ever
        overwritten, and after a failure nothing is left behind. Raises `UsageError` when `path` exists and
        is not empty, for an impossible name, and when the disk is full or unwritable.
        """
        if path is None and not _NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' cannot name a run. Use letters, digits, '.', '_' and '-', or give a path."
            )
        resolved = dict(resolved or {})
        with _undo_on_failure(Path(root) if path is None else Path(path)) as made:
            if path is None:
                run = cls(_make_numbered(Path(root), name, made))
            else:
                run = cls(_make_explicit(Path(path), made))
            try:
                run.checkpoints.mkdir()  # exclusive: of two processes with the same empty folder one gets it
            except FileExistsError:
                raise _taken(run.path) from None
            made.append(run.checkpoints)
            made += [run.path / file for file in ("config.toml", "resolved.json", "env.json", "status.json")]
            write_text(run.path / "config.toml", to_toml(resolved) if config is None else config)
            write_json(run.path / "resolved.json", resolved)
            write_json(run.path / "env.json", dict(environment or {}))
            run.set_status("running")
        return run

    @classmethod
    def open(cls, path: str | Path, *, root: str | Path = "runs") -> "RunFolder":
        """The run folder at `path`, or of that name under `root`; `UsageError` when there is none."""
        for candidate in (Path(path), Path(root) / path):
            if (candidate / "status.json").is_file() and (candidate / "resolved.json").is_file():
                return cls(candidate)
        if Path(path).exists():
            raise UsageError(f"'{path}' is not a run folder: it has no status.json and resolved.json.")
        names = [run.name for run in find_runs(root)]
        known = f" Runs in '{root}': {', '.join(names[-5:])}." if names else ""
        raise UsageError(f"there is no run folder '{path}'.{nearest(str(path), names) or known}")

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.resolve().name

    @property
    def checkpoints(self) -> Path:
        """The folder of `last.eqx` and `best.eqx`."""
        return self.path / "ckpt"

    @property
    def report(self) -> Path:
        """Where the report page belongs."""
        return self.path / "report.html"

    def config(self) -> str:
        """The configuration as given, TOML text."""
        try:
            return (self.path / "config.toml").read_text(encoding="utf-8")
        except OSError as error:
            raise disk_error(self.path / "config.toml", error, "read") from error

    def resolved(self) -> dict[str, Any]:
        """Every value that the run used."""
        return read_json(self.path / "resolved.json")

    def environment(self) -> dict[str, Any]:
        """Versions, devices, commit and command line."""
        return read_json(self.path / "env.json")

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Add one record to metrics.jsonl, and a heartbeat to the status."""
        self._log.append(record)
        self.heartbeat(step=record.get("step"))

    def metrics(self) -> list[dict[str, Any]]:
        """All records so far; can be read while the run is alive."""
        return read_metrics(self.path / "metrics.jsonl")

    def event(self, text: str) -> None:
        """Add one line, with the time, to events.log."""
        path = self.path / "events.log"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{_now()} {text}\n")
        except OSError as error:
            raise disk_error(path, error) from error

    def set_status(self, state: Literal["running", "done", "failed", "interrupted"], **details: Any) -> None:
        """Write status.json: the state, the time of this heartbeat and JSON-able `details`."""
        self._last_heartbeat = time.monotonic()
        status = {"schema_version": SCHEMA_VERSION, "state": state, "pid": os.getpid(), "heartbeat": _now()}
        write_json(self.path / "status.json", {**status, **details})

    def heartbeat(self, **details: Any) -> None:
        """Say that the run is alive; at most one write every 5 seconds."""
        if time.monotonic() - self._last_heartbeat >= _HEARTBEAT_SECONDS:
            self.set_status("running", **details)

    def status(self) -> dict[str, Any]:
        """The last status, with `age`: seconds since its heartbeat. Running with a large age means dead."""
        status = read_json(self.path / "status.json")
        try:
            age = datetime.now(UTC) - datetime.fromisoformat(status["heartbeat"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"'{self.path / 'status.json'}' is not the status of a run.") from error
        return {**status, "age": age.total_seconds()}

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json, with its schema version."""
        write_json(self.path / "results.json", {"schema_version": SCHEMA_VERSION, **results})

    def results(self) -> dict[str, Any] | None:
        """The stored results; None when there are none yet."""
        path = self.path / "results.json"
        return read_json(path) if path.exists() else None

    def resume(self, step: int) -> None:
        """Prepare to continue after `step`: later metrics are dropped, the state is running again."""
        truncate_metrics(self.path / "metrics.jsonl", step)
        self.event(f"resumed after step {step}")
        self.set_status("running", step=step)

    def close(self) -> None:
        """Write what is still in memory."""
        self._log.close()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(UsageError):  # a full disk must not hide the error that ends the run
            self.close()
            if self.status()["state"] == "running":
                stopped = isinstance(error, KeyboardInterrupt | SystemExit)
                self.set_status(
                    "interrupted" if stopped else "failed", error=f"{type(error).__name__}: {error}"
                )


def find_runs(root: str | Path = "runs") -> list[RunFolder]:
    """All run folders directly under `root`, by name.

    >>> find_runs("no/such/folder")
    []
    """
    root = Path(root)
    if not root.is_dir():
        return []
    return [RunFolder(path) for path in sorted(root.iterdir()) if (path / "status.json").is_file()]


@contextlib.contextmanager
def _undo_on_failure(place: Path) -> Iterator[list[Path]]:
    """A list for what is made; when the block fails all of it is removed again."""
    made: list[Path] = []
    try:
        yield made
    except BaseException as error:
        for item in reversed(made):
            with contextlib.suppress(OSError):  # a parent that somebody else uses by now stays
                item.rmdir() if item.is_dir() else item.unlink()
        if isinstance(error, OSError):
            raise disk_error(place, error) from error
        raise


def _make_numbered(root: Path, name: str, made: list[Path]) -> Path:
    _make_parents(root / name, made)
    numbered = re.compile(re.escape(name) + r"-(\d+)")
    number = max((int(m[1]) for entry in root.iterdir() if (m := numbered.fullmatch(entry.name))), default=0)
    while True:
        number += 1
        path = root / f"{name}-{number:03d}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()  # exclusive: of two processes one gets the number
            made.append(path)
            return path


def _make_explicit(path: Path, made: list[Path]) -> Path:
    try:
        _make_parents(path, made)
        if not path.is_dir():
            path.mkdir()
            made.append(path)
        if not any(path.iterdir()):
            return path
    except (FileExistsError, NotADirectoryError) as error:
        if not path.exists():
            raise disk_error(path, error) from error
    raise _taken(path)


def _make_parents(path: Path, made: list[Path]) -> None:
    for parent in reversed([parent for parent in path.parents if not parent.exists()]):
        with contextlib.suppress(FileExistsError):
            parent.mkdir()
            made.append(parent)


def _taken(path: Path) -> UsageError:
    return UsageError(
        f"'{path}' exists and is not an empty folder. Choose another place, or continue it with --resume."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
