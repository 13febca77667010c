"""What `deeprg compare --coarse-grainings A,B` does: each before every judge, as table and figure."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from deeprg.cli._bench_rules import contestant, known_kinds, spins_of
from deeprg.cli._boltzmann_data import Configurations
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._probing import one_temperature
from deeprg.cli._table import text_table, with_error
from deeprg.probes.bench import Cell, Column, Contestant, Judge, exact_values, judge_all, judges_named
from deeprg.report.bench import plot_bench
from deeprg.report.style import style
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["bench", "bench_table", "missing_numbers", "run_bench", "simulated"]

_SAMPLES = 10_000


def run_bench(
    names: Sequence[str],
    *,
    data: str | None,
    source: Path | None,
    temperature: str | None,
    probes: str | None,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg compare` with judges; returns the exit code."""
    check_figure(out)
    if not names:
        raise UsageError(f"compare what? Name coarse-grainings: {known_kinds()}.")
    judges = judges_named([] if probes is None else [name.strip() for name in probes.split(",")])
    found = _read(data, source, temperature)
    document, contestants = bench(names, judges, found, seed)
    if out is not None:
        with style():
            write_figure(out, plot_bench(document))
        document["figure"] = str(out)
    if json:
        print_json(document)
    else:
        print(bench_table(document))
    trained = [one.name.partition(":")[2] for one in contestants if one.seconds is not None]
    next_step(*(f"deeprg report {name}" for name in trained[:2] if (Path(name) / "status.json").exists()))
    return 0


def _read(data: str | None, source: Path | None, temperature: str | None) -> Configurations:
    """The configurations of --with, or of --data MODEL:SIZE, simulated at T_c unless they are there."""
    if (data is None) == (source is None):
        raise UsageError(
            "which configurations? Give --data ising:32, or --with E.zarr (see deeprg simulate)."
        )
    if source is not None:
        return one_temperature(source, temperature)
    model, colon, size = str(data).partition(":")
    if not colon or not size.isdigit():
        raise UsageError(f"--data {data}: write MODEL:SIZE, for example ising:32.")
    if temperature is not None:
        raise UsageError(
            "--data is at the critical temperature; for others simulate, and give --with E.zarr."
        )
    path = Path("ensembles") / f"{model}-{size}x{size}-critical.zarr"
    if path.exists():
        say(f"configurations of {path}, which is there already")
    else:
        simulated(model, int(size), path)
    return one_temperature(path, None)


def simulated(model: str, size: int, path: Path, samples: int = _SAMPLES) -> None:
    """A critical ensemble at `path`, by `deeprg simulate`."""
    from deeprg.cli.main import main

    say(f"simulating {samples} configurations of {model} on {size}x{size} at T_c")
    flags = [
        "--size",
        str(size),
        "--temperature",
        "critical",
        "-n",
        str(samples),
        "--out",
        str(path),
        "--json",
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(["simulate", model, *flags])
    if code:
        raise UsageError(f"deeprg simulate {model} ended with {code}; its message is above.")


def bench(
    names: Sequence[str], judges: Sequence[Judge], data: Configurations, seed: int
) -> tuple[dict[str, Any], list[Contestant]]:
    """The document of a comparison, and who was compared."""
    x = spins_of(data)
    contestants = [contestant(name, data) for name in dict.fromkeys(names)]
    rows = judge_all(
        contestants,
        judges,
        x,
        key=jax.random.key(seed),
        on_row=lambda name, judge: say(f"{name}: {judge}"),
    )
    exact = exact_values(data.hamiltonian, data.temperatures[0])
    columns = [column for judge in judges for column in judge.columns]
    document = {
        "schema_version": SCHEMA_VERSION,
        "data": str(data.path),
        "lattice": list(data.lattice.shape),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
        "columns": [_described(column, judges, exact) for column in columns],
        "rows": [_row(one, rows[one.name]) for one in contestants],
    }
    return document, contestants


def _described(column: Column, judges: Sequence[Judge], exact: Mapping[str, float]) -> dict[str, Any]:
    (judge,) = [judge.name for judge in judges if column in judge.columns]
    return {
        "key": column.key,
        "label": column.label,
        "meaning": column.meaning,
        "probe": judge,
        "exact": exact.get(column.key),
    }


def _row(one: Contestant, cells: Mapping[str, Cell]) -> dict[str, Any]:
    return {
        "name": one.name,
        "fine": str(one.step.fine),
        "coarse": str(one.step.coarse),
        "train_seconds": one.seconds,
        "cells": {key: cell.to_dict() for key, cell in cells.items()},
    }


def bench_table(document: Mapping[str, Any]) -> str:
    """Rows of contestants, columns of judges with the exact value in the header, reasons and notes below."""
    columns = document["columns"]
    head = ["", "coarse", "trained"]
    head += [c["label"] + ("" if c["exact"] is None else f" ({c['exact']:g})") for c in columns]
    body, remarks = [], []
    for row in document["rows"]:
        cells = [row["cells"].get(c["key"], {}) for c in columns]
        numbers = [with_error(cell.get("value"), cell.get("error")) for cell in cells]
        seconds = row["train_seconds"]
        body.append([row["name"], row["coarse"], "—" if seconds is None else f"{seconds:.0f} s", *numbers])
        notes = dict.fromkeys(cell["note"] for cell in cells if cell.get("note"))
        remarks += [f"{row['name']}: {note}" for note in notes]
    missing = [f"{name}, no {labels}: {reason}" for name, labels, reason in missing_numbers(document)]
    meanings = [f"{c['label']}: {c['meaning']}" for c in columns]
    return "\n".join([text_table(body, header=head), "", *missing, *remarks, "", *meanings])


def missing_numbers(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(contestant, labels of the columns without a number, why), columns with one reason together."""
    found = []
    for row in document["rows"]:
        missing: dict[str, list[str]] = {}
        for column in document["columns"]:
            if reason := row["cells"].get(column["key"], {}).get("reason"):
                missing.setdefault(reason, []).append(column["label"])
        found += [(row["name"], ", ".join(labels), reason) for reason, labels in missing.items()]
    return found
