"""What `deeprg compare --coarse-grainings A,B` does: each before every judge, as table and figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from deeprg.cli._bench_data import CriticalEnsemble, asked_data
from deeprg.cli._bench_rules import Maker, contestant, known_kinds, spins_of
from deeprg.cli._boltzmann_data import Configurations
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._probing import one_temperature
from deeprg.cli._rule_text import refuse_twice
from deeprg.cli._table import text_table, with_error
from deeprg.probes.bench import Cell, Column, Contestant, Judge, exact_values, judge_all, judges_named
from deeprg.report.bench import plot_bench
from deeprg.report.style import style
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["bench", "bench_table", "missing_numbers", "run_bench"]

_DIGITS = 3  # of a number without an error


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
    refuse_twice(names)
    judges = judges_named([] if probes is None else [name.strip() for name in probes.split(",")])
    found = asked_data(data, source, temperature)
    makers = [contestant(name, found) for name in names]
    if isinstance(found, CriticalEnsemble):
        if (code := found.simulate()) != 0:
            return code
        found = one_temperature(found.path, None)
    document, contestants = bench(makers, judges, found, seed)
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


def bench(
    makers: Sequence[Maker], judges: Sequence[Judge], data: Configurations, seed: int
) -> tuple[dict[str, Any], list[Contestant]]:
    """The document of a comparison, and who was compared."""
    x = spins_of(data)
    contestants = [make(x) for make in makers]
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
        numbers = [with_error(cell.get("value"), cell.get("error"), digits=_DIGITS) for cell in cells]
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
