"""What `deeprg flow` does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from deeprg.cli._boltzmann_data import load_configurations, require_lattice
from deeprg.cli._boltzmann_setup import BoltzmannSetup, open_boltzmann, trained_network
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.boltzmann import BeliefNetwork
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.lattice import Lattice
from deeprg.probes import (
    DirectThermometer,
    FlowRecord,
    NetworkThermometer,
    StartDependence,
    energy_thermometer,
    follow_machine,
    magnetization_thermometer,
    start_dependence,
    train_thermometer,
)
from deeprg.report.flow_observables import plot_ends, plot_flow_observable
from deeprg.report.style import figure, style
from deeprg.report.thermometers import plot_probabilities, plot_readings
from deeprg.runs.atomic import write_json
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["run_flow"]

_COLUMNS = {
    "abs_magnetization": "|m|",
    "energy_per_site": "e",
    "susceptibility": "χ",
    "correlation_length": "ξ",
    "up": "m > 0",
}
_FEWEST, _PRINTED = 20, 6
_WIDEST = 32  # tori on which ⟨|m|⟩(T) is simulated with all draws; wider ones take a quarter


def run_flow(
    name: str,
    *,
    length: int,
    every: int | None,
    starts: Sequence[str],
    n: int,
    source: Path | None,
    depth: int | None,
    grid: Path | None,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg flow`; returns the exit code."""
    check_figure(out)
    if length < 1:
        raise UsageError(f"--length {length} must be at least 1.")
    if n < _FEWEST:
        raise UsageError(f"-n {n} is too few: errors need at least {_FEWEST} configurations.")
    run, setup = open_boltzmann(name)
    network = trained_network(run, setup).up_to(depth)
    unit, lattice = network.machines[0].visible, setup.lattice
    if unit.name not in ("spin", "binary"):
        raise UsageError(
            f"the run '{run.path}' has '{unit.name}' visible units; |m| and the energy are followed "
            "for spin and binary units."
        )
    key, shuffling, reading = jax.random.split(jax.random.key(seed), 3)
    spins = {start: _start(setup, start, n, source, seed) for start in dict.fromkeys(starts)}
    thermometers = _thermometers(lattice)
    neural = None if grid is None else _neural(grid, lattice, reading)
    options: dict[str, Any] = {"length": length, "every": every or max(1, length // 40)}
    options |= {"thermometers": thermometers, "network": neural}
    say(
        f"{len(spins)} starts, {n} chains each, {length} rounds, and a control with the entries of W shuffled"
    )
    records = follow_machine(network, spins, lattice, **options, key=key)
    first = next(iter(spins))
    control = f"{first}, W shuffled"
    records |= follow_machine(
        _shuffled(network, shuffling), {control: spins[first]}, lattice, **options, key=key
    )
    found = _findings(records, first, control)
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "n": n,
        "length": length,
        "depth": len(network.machines),
        "seed": seed,
        "starts": {start: _stored(record) for start, record in records.items() if start != control},
        "control": {"start": first, **_stored(records[control])},
        **found,
    }
    write_json(run.path / "flow.json", document)
    drawn = _figure(records, thermometers, neural)
    write_figure(run.path / "flow.png", drawn)
    if out is not None:
        write_figure(out, drawn)
    if json:
        print_json(document)
    else:
        print(_table(records, thermometers, first))
        print("\n" + "\n".join(found["findings"]))
        print(f"\nflow.json and flow.png in {run.path}")
    layer = "" if depth is None else f" --depth {depth}"
    next_step(f"deeprg probe {run.path}{layer}", f"deeprg report {run.path}")
    return 0


def _start(setup: BoltzmannSetup, start: str, n: int, source: Path | None, seed: int) -> np.ndarray:
    """Spins to begin with, [n, *lattice]."""
    lattice, stored = setup.lattice, setup.config.data
    rng = np.random.default_rng(seed)
    if start == "cold":
        return np.ones((n, *lattice.shape), np.int8)
    if start == "hot":
        return rng.choice(np.array([-1, 1], np.int8), (n, *lattice.shape))
    path = Path(stored.path) if source is None else source
    if start.startswith("T="):
        data = load_configurations(path, start.removeprefix("T="))
    elif start == "data":
        data = load_configurations(path, stored.temperature if source is None else None)
    else:
        hint = nearest(start, ["data", "cold", "hot"])
        raise UsageError(f"--start '{start}' is not data, cold, hot or T=VALUE, for example T=2.5.{hint}")
    require_lattice(data, lattice, "the machine")
    rows = np.concatenate([group.reshape(-1, *lattice.shape) for group in data.groups])
    if n > len(rows):
        raise UsageError(f"-n {n}: '{path}' has only {len(rows)} configurations to start from.")
    chosen = rows[rng.choice(len(rows), n, replace=False)]
    return 2 * chosen - 1 if setup.machines[0].visible.name == "binary" and chosen.min() >= 0 else chosen


def _thermometers(lattice: Lattice) -> dict[str, DirectThermometer]:
    """⟨|m|⟩(T) and e(T) of the Ising model on this torus; none but in two dimensions."""
    if lattice.ndim != 2 or min(lattice.shape) < 2:
        return {}
    say(f"thermometers of the Ising model on {lattice}: e(T) is exact, ⟨|m|⟩(T) is sampled above 8x8")
    a, b = lattice.shape
    draws = 60 if max(a, b) <= _WIDEST else 15
    return {"|m|": magnetization_thermometer((a, b), draws=draws), "e": energy_thermometer((a, b))}


def _neural(path: Path, lattice: Lattice, key: Any) -> NetworkThermometer:
    """A classifier of the temperatures of an ensemble."""
    data = load_configurations(path, "all")
    require_lattice(data, lattice, "the machine")
    known = [t for t in data.temperatures if t is not None]
    say(f"a neural thermometer on {len(known)} temperatures of '{path}'")
    order = np.argsort(known)
    groups = [data.groups[k].reshape(-1, *lattice.shape) for k in order]
    return train_thermometer(groups, [known[k] for k in order], key=key)


def _shuffled(network: BeliefNetwork, key: Any) -> BeliefNetwork:
    """The same numbers in W, anywhere: nothing but their distribution was learned."""
    machines = []
    for machine, own in zip(network.machines, jax.random.split(key, len(network.machines)), strict=True):
        weights = jax.random.permutation(own, machine.weights.reshape(-1)).reshape(machine.weights.shape)
        machines.append(eqx.tree_at(lambda m: m.weights, machine, weights))
    return BeliefNetwork(tuple(machines))


def _stored(record: FlowRecord) -> dict[str, Any]:
    return {
        "stages": [stage.to_dict() for stage in record.stages],
        "relaxation": record.relaxation(),
        "settled": record.settled,
    }


def _findings(records: Mapping[str, FlowRecord], first: str, control: str) -> dict[str, Any]:
    """In words: do the ends agree with each other, the thermometers, the control."""
    names = [name for name in records if name != control]
    lines, dependence = [], {}
    for other in names[1:]:
        dependence[other] = start_dependence(records[first], records[other])
        lines.append(f"ends from {first} and {other}: {_apart(dependence[other])}")
    lines += [
        f"from {name} the flow has not settled after {record.rounds[-1]} rounds"
        for name, record in records.items()
        if name != control and not record.settled
    ]
    lines += [f"from {name}: {_readings(record)}" for name, record in records.items() if record.end.readings]
    same = start_dependence(records[first], records[control])
    verdict = "differs from" if same.dependent else "cannot be told from"
    lines.append(f"with W shuffled the end {verdict} that of the machine (m, |m| and e)")
    return {
        "start_dependence": {
            name: {"p": dict(one.p), "dependent": one.dependent} for name, one in dependence.items()
        },
        "control_differs": same.dependent,
        "findings": lines,
    }


def _apart(found: StartDependence) -> str:
    p = min(found.p.values())
    if p == 0:
        return "different (p < 1e-300)"
    return f"different (p = {p:.1g})" if found.dependent else f"the same within errors (p = {p:.2g})"


def _readings(record: FlowRecord) -> str:
    stage = record.end
    text = ", ".join(f"T from {name} {one}" for name, one in stage.readings.items())
    if stage.agreement is not None:
        agree = stage.agreement.agree
        text += {True: ": one temperature", None: ": a bound, nothing to compare"}.get(
            agree, f": {stage.agreement.z:.0f} standard errors apart, no Ising ensemble of any temperature"
        )
    if (seen := stage.network) is not None:
        text += f"; network: peak at {seen.peak:g}, mean {seen.mean.value:.2f}"
        text += f" ({'; '.join(seen.flags)})" if seen.flags else ""
    return text


def _table(
    records: Mapping[str, FlowRecord], thermometers: Mapping[str, DirectThermometer], first: str
) -> str:
    rows = []
    for name, record in records.items():
        last = len(record.stages) - 1
        places = {0, *np.unique(np.geomspace(1, max(last, 1), _PRINTED - 1).round().astype(int)).tolist()}
        shown = sorted(places) if name == first else [0, last]
        for k in (k for k in shown if k <= last):
            stage = record.stages[k]
            cells = [with_error(one.value, one.error) for one in (stage.observables[c] for c in _COLUMNS)]
            cells += [str(one) for one in stage.readings.values()]
            rows.append([name, str(stage.rounds), *cells])
    return text_table(
        rows, header=["from", "round", *_COLUMNS.values(), *(f"T from {t}" for t in thermometers)]
    )


def _figure(
    records: Mapping[str, FlowRecord],
    thermometers: Mapping[str, DirectThermometer],
    neural: NetworkThermometer | None,
) -> Any:
    with style():
        fig, axes = figure(13.5, 7.0, nrows=2, ncols=3)
        panels = list(axes.flat)
        critical = {one.quantity: one.expected(CRITICAL_TEMPERATURE) for one in thermometers.values()}
        for ax, name in zip(
            panels, ("abs_magnetization", "energy_per_site", "susceptibility", "up"), strict=False
        ):
            plot_flow_observable(ax, records, name, critical=critical.get(name))
        if not thermometers:
            plot_flow_observable(panels[4], records, "correlation_length")
            panels[5].set_visible(False)
            return fig
        _ends(panels[4], records, thermometers)
        if neural is None:
            plot_readings(panels[5], next(iter(records.values())), critical=CRITICAL_TEMPERATURE)
        else:
            read = {name: one.end.network for name, one in records.items() if one.end.network is not None}
            plot_probabilities(panels[5], neural.temperatures, read, CRITICAL_TEMPERATURE)
    return fig


def _ends(ax: Any, records: Mapping[str, FlowRecord], thermometers: Mapping[str, DirectThermometer]) -> None:
    m, e = thermometers["|m|"], thermometers["e"]
    line = np.array([(m.expected(t), e.expected(t)) for t in np.linspace(*m.range, 111)])
    marked = {t: (m.expected(t), e.expected(t)) for t in (2.0, CRITICAL_TEMPERATURE, 2.5, 3.0, 4.0)}
    ends = {}
    for name, record in records.items():
        seen = record.end.observables
        ends[f"from {name}"] = (seen["abs_magnetization"].value, seen["energy_per_site"].value)
    plot_ends(ax, ends, line, temperatures=marked)
