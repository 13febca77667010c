"""`deeprg list`: the names that a configuration can use, and the runs."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter

if TYPE_CHECKING:
    from deeprg.runs.folder import RunFolder

__all__ = ["list_all"]

Kind = Literal[
    "models",
    "algorithms",
    "hamiltonians",
    "presets",
    "layouts",
    "bijectors",
    "priors",
    "coarse-grainings",
    "units",
    "studies",
    "runs",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


def list_all(
    kind: Annotated[
        Kind | None,
        Parameter(help="one kind only"),
    ] = None,
    *,
    root: Annotated[Path, Parameter(help="folder of the runs")] = Path("runs"),
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """List models and algorithms to simulate, parts of flows, coarse-grainings, units, studies and runs."""
    from deeprg.cli._console import next_step, print_json
    from deeprg.runs.folder import SCHEMA_VERSION

    kinds = KINDS if kind is None else (kind,)
    found: dict[str, list[dict[str, Any]]] = {name: _entries(name, root) for name in kinds}
    if json:
        print_json({"schema_version": SCHEMA_VERSION, **{k.replace("-", "_"): v for k, v in found.items()}})
    else:
        for name, entries in found.items():
            print(f"{name}" if entries else f"{name}: none")
            if entries:
                width = max(len(entry["name"]) for entry in entries)
                for entry in entries:
                    print(f"  {entry['name']:<{width}}  {_describe(entry)}".rstrip())
            print()
    next_step(*_suggestions(kind, root))
    return 0


def _suggestions(kind: Kind | None, root: Path) -> list[str]:
    from deeprg.cli._run_kind import kind_of
    from deeprg.runs.errors import UsageError

    last = _last(root) if kind == "runs" else None
    if last is not None:
        with contextlib.suppress(UsageError):  # a folder that cannot be read is what report and diagnose name
            if kind_of(last) == "sweep":
                return [f"deeprg sweep --resume {last.path}", f"deeprg list runs --root {last.path}"]
            if kind_of(last) == "study":
                again = f"deeprg study {last.resolved()['study']}"
                return [f"open {last.report} in a browser" if last.report.exists() else again]
        return [f"deeprg report {last.path}", f"deeprg diagnose {last.path}"]
    if kind == "studies":
        return ["deeprg study jefferson"]
    return ["deeprg train flow --hamiltonian ising --size 16 --minutes 3"]


def _describe(entry: dict[str, Any]) -> str:
    return "  ".join(str(value) for key, value in entry.items() if key not in ("name", "options") and value)


def _entries(kind: str, root: Path) -> list[dict[str, Any]]:
    if kind == "runs":
        return _runs(root)
    if kind in ("models", "hamiltonians"):
        from deeprg.hamiltonians import HAMILTONIANS, MODELS

        return [
            {
                "name": entry.name,
                "summary": entry.summary,
                "options": {
                    name: {"default": o.default, "help": o.help} for name, o in entry.options.items()
                },
            }
            for entry in (MODELS if kind == "models" else HAMILTONIANS).values()
        ]
    if kind == "studies":
        from deeprg.studies import STUDIES

        return [
            {"name": one.name, "summary": one.title, "presets": f"presets: {', '.join(one.presets)}"}
            for one in STUDIES.values()
        ]
    if kind == "units":
        from deeprg.coarsegrain.boltzmann import UNITS

        return [{"name": name, "summary": _first_line(thing)} for name, thing in UNITS.items()]
    if kind == "algorithms":
        from deeprg.montecarlo.samplers import ALGORITHMS

        return [{"name": name, "summary": a.summary} for name, a in ALGORITHMS.items()]
    from deeprg.coarsegrain.flow import BIJECTORS, LAYOUTS, PRESETS, PRIORS, layout_options

    if kind == "presets":
        return [{"name": preset.name, "summary": preset.summary} for preset in PRESETS.values()]
    if kind == "layouts":
        return [{"name": name, "summary": ", ".join(layout_options(name))} for name in LAYOUTS]
    if kind == "bijectors":
        return [{"name": name, "summary": _first_line(thing)} for name, thing in BIJECTORS.items()]
    if kind == "priors":
        return [{"name": name, "summary": _first_line(thing)} for name, thing in PRIORS.items()]
    from deeprg.coarsegrain import COARSE_GRAININGS

    return [{"name": name, "summary": _first_line(thing)} for name, thing in COARSE_GRAININGS.items()]


def _runs(root: Path) -> list[dict[str, Any]]:
    from deeprg.runs.errors import UsageError
    from deeprg.runs.folder import find_runs

    rows = []
    for run in find_runs(root):
        try:
            status, results = run.status(), run.results() or {}
        except UsageError:
            rows.append({"name": run.name, "state": "unreadable"})
            continue
        row = {"name": run.name, "state": status["state"]}
        if status.get("step") is not None:
            row["step"] = f"step {status['step']}"
        if status["state"] == "running" and status["age"] > 60:
            row["state"] = "dead"
        if results.get("verdict") is not None:
            row["result"] = results["verdict"]
        if results.get("gap") is not None:
            row["result"] = f"gap {results['gap']:.3f} nats"
        if (held_out := (results.get("log_likelihood") or {}).get("held_out")) is not None:
            row["result"] = f"held-out ln p {held_out['value']:.2f} nats"
        if results.get("ess") is not None:
            row["ess"] = f"ESS {results['ess']:.3f}"
        rows.append(row)
    return rows


def _last(root: Path) -> "RunFolder | None":
    """The run that gave the last sign of life."""
    from deeprg.runs.folder import find_runs

    def time(path: Path) -> float:
        return (path / "status.json").stat().st_mtime

    return max(find_runs(root), key=lambda run: time(run.path), default=None)


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().split("\n")[0]
