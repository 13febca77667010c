"""The folder of a sweep: what was asked, the points, and the word of its process to those that train them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprg.cli._sweep_kind import SweepKind, assignments
from deeprg.cli._sweep_kinds import KINDS
from deeprg.runs.atomic import read_json, write_json
from deeprg.runs.config import load_toml
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder
from deeprg.runs.sweep import Axis, Point, expand

__all__ = ["Control", "SweepFolder", "is_sweep"]


def is_sweep(path: Path) -> bool:
    """Whether a sweep lies there."""
    return (path / "status.json").is_file() and "sweep" in read_json(path / "resolved.json")


@dataclass(frozen=True)
class SweepFolder:
    """A run folder whose runs, the points, are folders in it.

    ```
    config.toml     as given               NAME-VALUE_…/   one ordinary run folder for each point
    resolved.json   kind and grid          logs/           what each point said on stderr
    sweep.json      the points and states  results.json    states and numbers, with sweep.png
    ```
    """

    run: RunFolder
    kind: SweepKind
    axes: tuple[Axis, ...]

    @classmethod
    def open(cls, path: str | Path) -> "SweepFolder":
        """The sweep at `path`; `UsageError` when there is none."""
        run = RunFolder.open(path)
        resolved = run.resolved()
        if resolved.get("sweep") not in KINDS:
            raise UsageError(f"'{path}' is not a sweep but a single run. Continue it with deeprg train.")
        grid = resolved["grid"]
        return cls(
            run, KINDS[resolved["sweep"]], tuple(Axis(one["name"], tuple(one["values"])) for one in grid)
        )

    @classmethod
    def create(
        cls,
        out: Path | None,
        *,
        config: Path,
        kind: SweepKind,
        axes: Sequence[Axis],
        environment: dict[str, Any],
    ) -> "SweepFolder":
        """A new sweep at `out`, or at the next free runs/sweep-NAME-NNN for a configuration NAME.toml."""
        run = RunFolder.create(
            out,
            name=f"sweep-{config.stem}",
            config=config.read_text(encoding="utf-8"),
            resolved=resolved_of(kind, axes),
            environment=environment,
        )
        return cls(run, kind, tuple(axes))

    def same_as(self, config: Path, kind: SweepKind, axes: Sequence[Axis]) -> bool:
        """Whether the sweep was asked with this configuration and this grid."""
        given = (load_toml(config), resolved_of(kind, axes))
        return given == (load_toml(self.config), self.run.resolved())

    @property
    def config(self) -> Path:
        """The configuration of all points."""
        return self.run.path / "config.toml"

    @property
    def points(self) -> list[Point]:
        """The points in their order."""
        return expand(self.axes)

    @property
    def lock(self) -> Path:
        """Of the process that leads the sweep."""
        return self.run.path / ".lock"

    def point_lock(self, name: str) -> Path:
        """Of the process that trains a point; it lies beside the run folder, which must be new."""
        return self.run.path / "logs" / f"{name}.lock"

    def log(self, name: str) -> Path:
        """What a point says on stderr."""
        return self.run.path / "logs" / f"{name}.log"

    def folder(self, name: str) -> RunFolder:
        """The run folder of a point, whether it is there or not."""
        return RunFolder(self.run.path / name)

    def state(self, name: str) -> str:
        """What status.json of a point says; 'waiting' where there is none yet."""
        folder = self.folder(name)
        return str(folder.status()["state"]) if (folder.path / "status.json").is_file() else "waiting"

    def arguments(self, name: str) -> list[str]:
        """Of the command that starts or continues a point."""
        folder = self.folder(name)
        if self.state(name) != "waiting":
            return self.kind.resume(folder.path)
        (point,) = [one for one in self.points if one.name == name]
        return self.kind.start(self.config, assignments(self.kind, point.values), folder.path)

    def write_points(self, rows: Sequence[dict[str, Any]]) -> None:
        """sweep.json: the grid, and the points with their states."""
        write_json(
            self.run.path / "sweep.json",
            {
                "schema_version": SCHEMA_VERSION,
                "config": "config.toml",
                **self.run.resolved(),
                "points": rows,
            },
        )


def resolved_of(kind: SweepKind, axes: Sequence[Axis]) -> dict[str, Any]:
    """What resolved.json of a sweep says."""
    return {"sweep": kind.name, "grid": [{"name": axis.name, "values": list(axis.values)} for axis in axes]}


class Control:
    """The word of the leading process to the points, in a file of the sweep: who leads, and whether to stop.

    A point whose leader is another one by now (a sweep was killed and continued, and its scheduler lives on)
    stops as well.
    """

    def __init__(self, folder: Path, leader: str):
        self.path, self.leader = folder / ".control.json", leader

    @classmethod
    def lead(cls, folder: Path) -> "Control":
        """Become the leader."""
        control = cls(folder, uuid.uuid4().hex)
        control.stop(None)
        return control

    def stop(self, reason: str | None) -> None:
        """Ask all points to stop, for a reason of `deeprg.train.stop.REASONS`."""
        write_json(self.path, {"leader": self.leader, "stop": reason})

    def reason(self) -> str | None:
        """Why the points have to stop; None when they may go on."""
        said = read_json(self.path)
        return said["stop"] if said["leader"] == self.leader else "sigterm"
