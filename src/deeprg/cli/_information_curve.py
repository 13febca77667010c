"""What `deeprg rg information --temperature all` does: a row per temperature."""

from pathlib import Path
from typing import Any

import jax

from deeprg.cli._boltzmann_data import load_configurations
from deeprg.cli._console import print_json, say, warn
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._information import hidden_units, information_plan, numbers
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.information import BlockInformation, Surroundings, information_curve
from deeprg.coarsegrain.information import oriented as turned_up
from deeprg.hamiltonians import AbstractHamiltonian, Ising, RandomBondIsing, critical_point
from deeprg.lattice import Lattice
from deeprg.report.information_curves import plot_information
from deeprg.report.style import figure, style
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["run_information_curve"]


def run_information_curve(
    *,
    source: Path,
    block: str,
    buffer: int,
    environment: int | None,
    hidden: int,
    width: int,
    period: int | None,
    steps: int,
    seed: int,
    out: Path | None,
    turned: bool,
    json: bool,
) -> int:
    """The curve; returns the exit code."""
    check_figure(out)
    data = load_configurations(source, "all" if source.suffix != ".npy" else None)
    if not data.hamiltonians:
        raise UsageError(f"'{source}' is an array without temperatures; leave --temperature out.")
    if turned and not isinstance(data.hamiltonians[0], Ising | RandomBondIsing):
        raise UsageError(f"--oriented turns Ising spins; '{source}' holds others. Leave it out.")
    around = Surroundings.on_lattice(
        data.lattice, Lattice.parse(block).shape, buffer=buffer, environment=environment
    )
    rows: dict[float, Any] = {}
    every, kinds = 1, 2
    for group, hamiltonian, temperature in zip(
        data.groups, data.hamiltonians, data.temperatures, strict=True
    ):
        if temperature is None:
            raise UsageError(f"'{source}' has configurations without a temperature; a curve needs one.")
        mixed, every, kinds = numbers(group, hamiltonian, data.lattice)
        rows[temperature] = turned_up(mixed) if turned else mixed
    say(f"{hidden_units(hidden)} {block} at {len(rows)} temperatures, {len(around.environment)} sites around")

    def told(temperature: float, one: BlockInformation) -> None:
        say(f"T = {temperature:.6g}: {with_error(one.found.retained.value, one.found.retained.error)} nats")
        for text in one.found.retained.flags + (one.present.flags if one.present is not None else []):
            warn(f"T = {temperature:.6g}: {text}")

    found = information_curve(
        around,
        rows,
        information_plan(steps),
        hidden=hidden,
        width=width,
        kinds=kinds,
        period=every if period is None else period,
        key=jax.random.key(seed),
        on_point=told,
    )
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "data": str(data.path),
        "seed": seed,
        "block": block,
        "buffer": buffer,
        "environment": environment,
        "hidden": hidden,
        "oriented": turned,
        "temperatures": [
            {
                "temperature": temperature,
                "retained": one.found.retained.to_dict(),
                "present": None if one.present is None else one.present.to_dict(),
            }
            for temperature, one in found.items()
        ],
    }
    if out is not None:
        _draw(out, found, data.hamiltonians[0])
        document["figure"] = str(out)
    if json:
        print_json(document)
        return 0
    lines = [
        [
            f"{temperature:.6g}",
            with_error(one.found.retained.value, one.found.retained.error),
            "—" if one.present is None else with_error(one.present.value, one.present.error),
        ]
        for temperature, one in found.items()
    ]
    print(text_table(lines, header=["T", "I(H:E)", "I(V:E)"]))
    print("\nnats; lower bounds, by a classifier on configurations held out")
    return 0


def _draw(out: Path, found: dict[float, BlockInformation], model: AbstractHamiltonian) -> None:
    rules = {t: one.found.retained for t, one in found.items()}
    wholes = {t: one.present for t, one in found.items() if one.present is not None}
    curves = {
        name: (list(part), [one.value for one in part.values()], [one.error for one in part.values()])
        for name, part in (("I(H:E)", rules), ("I(V:E)", wholes))
        if part
    }
    with style():
        fig, ax = figure()
        point = critical_point(model)
        known = point is not None and point.parameter == "temperature"
        marks = {"$T_c$": point.value} if point is not None and known else {}
        plot_information(ax, curves, x="temperature", marks=marks)
        write_figure(out, fig)
