"""`deeprg list`: the names that a configuration can use, and the runs."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import Parameter

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
    """List models and algorithms to simulate, parts of flows, coarse-grainings, studies and runs."""
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
    last = _last(root) if kind == "runs" else None
    if last is None:
        next_step("deeprg train flow --hamiltonian ising --size 16 --minutes 3")
    else:
        next_step(f"deeprg report {last}", f"deeprg diagnose {last}")
    return 0


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
        row = {"name": run.name, "state": status["state"], "step": f"step {status.get('step')}"}
        if status["state"] == "running" and status["age"] > 60:
            row["state"] = "dead"
        if results.get("gap") is not None:
            row["result"] = f"gap {results['gap']:.3f} nats"
        if results.get("ess") is not None:
            row["ess"] = f"ESS {results['ess']:.3f}"
        rows.append(row)
    return rows


def _last(root: Path) -> Path | None:
    """The run that gave the last sign of life."""
    from deeprg.runs.folder import find_runs

    def time(path: Path) -> float:
        return (path / "status.json").stat().st_mtime

    return max((run.path for run in find_runs(root)), key=time, default=None)


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().split("\n")[0]
