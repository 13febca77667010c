"""What a sweep is asked for: read, checked point by point before anything is written, and listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeprg.cli._console import print_json, say
from deeprg.cli._sweep_folder import SweepFolder, is_sweep
from deeprg.cli._sweep_kind import SweepKind, assignments
from deeprg.cli._sweep_kinds import find_kind
from deeprg.cli._sweep_results import value_text
from deeprg.cli._table import text_table
from deeprg.runs.config import fingerprint, load_toml
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION
from deeprg.runs.sweep import Axis, Point, expand, parse_axis

__all__ = ["SweepPlan", "check_points", "plan_sweep", "print_points"]

_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class SweepPlan:
    """A kind of run on a grid: of a new sweep with its configuration, or of an `earlier` one to continue."""

    kind: SweepKind
    axes: tuple[Axis, ...]
    config: Path
    earlier: SweepFolder | None = None

    @property
    def points(self) -> list[Point]:
        """All points, those that are done too."""
        return expand(self.axes)

    @property
    def todo(self) -> int:
        """How many points are not done."""
        earlier = self.earlier
        if earlier is None:
            return len(self.points)
        return sum(earlier.state(point.name) != "done" for point in self.points)


def plan_sweep(config: Path | None, grids: Sequence[str], out: Path | None, resume: str | None) -> SweepPlan:
    """The plan of the flags; `UsageError` for what cannot be read, continued or written to."""
    if resume is not None:
        if config is not None or grids or out is not None:
            raise UsageError("a sweep that is continued keeps CONFIG, grid and folder. Leave them out.")
        return _continued(SweepFolder.open(resume))
    if config is None:
        raise UsageError("which CONFIG? Give a TOML file with the settings that all points share.")
    kind, axes = find_kind(load_toml(config)), tuple(parse_axis(text) for text in grids)
    assignments(kind, expand(axes)[0].values)  # names before values
    if out is not None and is_sweep(out):
        earlier = SweepFolder.open(out)
        if not earlier.same_as(config, kind, axes):
            raise UsageError(
                f"'{out}' is a sweep with another CONFIG or grid. Continue it with deeprg sweep --resume "
                f"{out}, or choose another --out."
            )
        return _continued(earlier)
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not an empty folder. Choose another place with --out.")
    return SweepPlan(kind, axes, config)


def _continued(earlier: SweepFolder) -> SweepPlan:
    return SweepPlan(earlier.kind, earlier.axes, earlier.config, earlier)


def check_points(plan: SweepPlan) -> None:
    """One `UsageError` that lists the points which the training would refuse; nothing is written.

    A seed changes no shape: of the points that differ in nothing else only the first is built.
    """
    problems: dict[str, list[str]] = {}
    built: set[str] = set()
    points = plan.points
    say(f"checking {len(points)} points")
    for point in points:
        settings = assignments(plan.kind, point.values)
        others = fingerprint({path: value for path, value in settings.items() if path != "seed"})
        parts = {others, f"seed {settings.get('seed')}"}
        if parts <= built:
            continue
        built |= parts
        try:
            plan.kind.check(plan.config, settings)
        except UsageError as error:
            problems.setdefault(str(error), []).append(point.name)
    if not problems:
        return
    lines = [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {message}"
        for message, names in problems.items()
    ]
    more = len(lines) - _MOST_PROBLEMS
    raise UsageError(
        "\n".join(
            ["points of the sweep cannot be trained:"]
            + [line.replace("\n", "\n  ") for line in lines[:_MOST_PROBLEMS]]
            + ([f"and {more} more"] if more > 0 else [])
        )
    )


def print_points(plan: SweepPlan, *, json: bool) -> None:
    """The points with their values, and with their states where the sweep has begun."""
    states = {p.name: plan.earlier.state(p.name) if plan.earlier else "waiting" for p in plan.points}
    if json:
        points = [{"name": p.name, "values": dict(p.values), "state": states[p.name]} for p in plan.points]
        print_json({"schema_version": SCHEMA_VERSION, "kind": plan.kind.name, "points": points})
        return
    header = ["point", *(axis.name for axis in plan.axes), "state"]
    rows = [[p.name, *map(value_text, p.values.values()), states[p.name]] for p in plan.points]
    print(text_table(rows, header=header))
