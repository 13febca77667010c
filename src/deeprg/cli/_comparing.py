"""What `deeprg compare` does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, require_lattice, with_data
from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._probes import dimension, rule_of
from deeprg.cli._probing import one_temperature
from deeprg.cli._rule_text import refuse_twice, rule_options
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain import (
    BLOCK_RULES,
    AbstractCoarseGraining,
    Composition,
    blocked_shape,
    build_block_rule,
    coarsen_ensemble,
)
from deeprg.coarsegrain.boltzmann import BoltzmannLayer, PlacedUnits
from deeprg.lattice import Lattice
from deeprg.probes import (
    PatternStatistics,
    Placement,
    VHMaps,
    abs_magnetization,
    maps_of,
    match_patterns,
    pattern_statistics,
    place_units,
    two_point,
)
from deeprg.probes.bench import JUDGES
from deeprg.report.patterns import plot_radial_profiles
from deeprg.report.style import figure, style
from deeprg.report.vh_maps import plot_tiles
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["placed_units", "run_compare"]

_COLUMNS = {
    "sites": "sites",
    "peak": "max ⟨vh⟩",
    "peak_connected": "connected",
    "width": "width",
    "spots": "spots",
    "participation": "particip.",
    "distance": "distance",
    "place": "off place",
    "abs_magnetization": "⟨|m'|⟩",
    "delta_spin": "Δσ",
    "delta_energy": "Δε",
}
_MEANINGS = {column.key: column.meaning for judge in JUDGES.values() for column in judge.columns} | {
    "sites": "of the coarse lattice",
    "peak_connected": "largest correlation with ⟨v⟩⟨h⟩ taken off",
    "width": "median width of the maps of ⟨v h⟩, lattice spacings",
    "spots": "median number of connected regions above half of the height of a map",
    "participation": "median participation ratio of the maps, 1 for a uniform one, 1/N for one of N sites",
    "distance": "root mean square distance to the maps of the first row",
    "place": (
        "root mean square distance of hidden units from the sites to which they are paired, in coarse\n"
        "spacings (of random centres in brackets), — for block rules; Δ only where it is smaller than\n"
        "chance allows"
    ),
}
_DIMENSIONS = (
    "Δ: 1/8 and 1 for the infinite lattice at T_c; errors are statistical, small lattices add to them"
)
_DASH = (
    "Δ —: no fit, for the coarse lattice is too small, its correlations are lost in noise, or hidden units\n"
    "have no places on a lattice (off place —: their number fits none)"
)


@dataclass(frozen=True, eq=False)
class _Row:
    """A coarse-graining with what was measured."""

    name: str
    numbers: dict[str, Any]
    maps: VHMaps
    statistics: PatternStatistics


def run_compare(
    subjects: Sequence[str],
    *,
    source: Path | None,
    temperature: str | None,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg compare`; returns the exit code."""
    check_figure(out)
    if not subjects:
        known = ", ".join(BLOCK_RULES)
        raise UsageError(
            f"compare what? Name block rules ({known}) and run folders, for example average RUN."
        )
    refuse_twice(subjects)
    if source is None:
        raise UsageError("which configurations? Give --with E.zarr (see deeprg simulate) or --with rows.npy.")
    data = one_temperature(source, temperature)
    rules = {name: _rule(name, data) for name in subjects}
    rows: list[_Row] = []
    for name, rule in rules.items():
        say(f"{name}: {rule.fine} -> {rule.coarse.size} sites")
        rows.append(_measured(name, rule, data, seed, rows[0].maps if rows else None))
    document = {
        "schema_version": SCHEMA_VERSION,
        "data": str(data.path),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
        "reference": rows[0].name,
        "rows": [{"name": row.name, **row.numbers} for row in rows],
    }
    if out is not None:
        with style():
            write_figure(out, _figure(rows))
    if json:
        print_json(document)
    else:
        cells = [[row.name, *(_cell(row.numbers[key]) for key in _COLUMNS)] for row in rows]
        print(text_table(cells, header=["", *_COLUMNS.values()]))
        print(f"\n{data.describe()}\n")
        for key, label in _COLUMNS.items():
            print(f"{label}: {_MEANINGS[key]}")
        if any(row.numbers["delta_spin"] or row.numbers["delta_energy"] for row in rows):
            print(_DIMENSIONS)
        if any(row.numbers["delta_spin"] is None or row.numbers["delta_energy"] is None for row in rows):
            print(_DASH)
    runs = [name.partition(":") for name in rules if name.partition(":")[0] not in BLOCK_RULES]
    flags = with_data(data.path, temperature)
    layers = [f"{run} {depth.replace('depth=', '--depth ')}".strip() for run, _, depth in runs]
    next_step(*(f"deeprg probe {layer} {flags}" for layer in layers[:3]))
    return 0


def _rule(text: str, data: Configurations) -> AbstractCoarseGraining:
    """A block rule with its options, 'majority:side=3,steps=2', or the machine of a run folder."""
    name, _, options = text.partition(":")
    if name in BLOCK_RULES:
        return build_block_rule(name, data.lattice, **rule_options(name, options, text))
    folder, given = (text, "") if Path(text).exists() else (name, options)
    try:
        RunFolder.open(folder)
    except UsageError as error:
        hint = nearest(name, BLOCK_RULES)
        raise UsageError(
            f"'{text}' is no block rule ({', '.join(BLOCK_RULES)}){hint or '.'} And {error}"
        ) from None
    run, setup = open_boltzmann(folder)
    require_lattice(data, setup.lattice, f"the machine of '{run.path}'")
    wanted = rule_options(folder, given, text)
    return rule_of(trained_network(run, setup).up_to(wanted.get("depth")), setup.lattice)


def _measured(
    name: str, rule: AbstractCoarseGraining, data: Configurations, seed: int, reference: VHMaps | None
) -> _Row:
    x, key = data.groups[0], jax.random.key(seed)
    raw, connected = maps_of(rule, x, key), maps_of(rule, x, key, connected=True)
    statistics = pattern_statistics(raw.maps)
    plain = statistics.to_dict()
    placed, place, regular = placed_units(rule, raw.maps, statistics.sign)
    coarse = np.asarray(coarsen_ensemble(placed, x, key=key))
    numbers = {
        "sites": rule.coarse.size,
        "peak": _pair(*raw.peak),
        "peak_connected": _pair(*connected.peak),
        "width": plain["median_width"],
        "spots": plain["median_spots"],
        "participation": plain["median_participation"],
        "distance": 0.0 if reference is None else match_patterns(raw.maps, reference.maps).total,
        "place": None if place is None else place.to_dict(),
        "abs_magnetization": _pair(*abs_magnetization(coarse)),
        "delta_spin": None,
        "delta_energy": None,
    }
    if placed.coarse.size > 1 and regular:
        for operator in ("spin", "energy"):
            fit = dimension(two_point(coarse.astype(np.float32), operator))
            numbers[f"delta_{operator}"] = None if fit is None else _pair(fit.value, fit.error)
    return _Row(name, numbers, raw, statistics)


def placed_units(
    rule: AbstractCoarseGraining, maps: np.ndarray, sign: np.ndarray
) -> tuple[AbstractCoarseGraining, Placement | None, bool]:
    """Block spins as they are; hidden units with their gauge signs, on a lattice where they fit one.

    And whether the coarse variables lie on a lattice, so that distances between them mean something.
    """
    last = rule.links[-1] if isinstance(rule, Composition) else rule
    if not isinstance(last, BoltzmannLayer):
        return rule, None, True
    unit, count = last.machine.hidden, rule.coarse.size
    side = round((rule.fine.size / count) ** (1 / rule.fine.ndim))
    try:
        found = place_units(maps, blocked_shape(rule.fine, side))
    except UsageError:
        return PlacedUnits(rule, Lattice((count,)), order=np.arange(count), sign=sign, unit=unit), None, False
    units = PlacedUnits(rule, found.coarse, order=found.order, sign=found.sign, unit=unit)
    return units, found, found.placed


def _pair(value: float, error: float) -> dict[str, float]:
    return {"value": value, "error": error}


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, dict) and "displacement" in value:
        return f"{value['displacement']:.3f} ({value['random'][0]:.3f})"
    if isinstance(value, dict):
        return with_error(value["value"], value["error"])
    return str(value) if isinstance(value, int) else "—" if math.isnan(value) else f"{value:.4g}"


def _figure(rows: Sequence[_Row]) -> Any:
    """The first maps of each, under one scale, and their radial profiles."""
    fig, axes = figure(3.4 * (len(rows) + 1), 3.6, ncols=len(rows) + 1)
    reach = max(float(np.abs(row.maps.value).max()) for row in rows) or 1.0
    for ax, row in zip(axes, rows, strict=False):
        plot_tiles(ax, row.maps.maps, title=row.name, columns=4, most=16, reach=reach)
    plot_radial_profiles(axes[-1], {row.name: row.statistics for row in rows})
    return fig
