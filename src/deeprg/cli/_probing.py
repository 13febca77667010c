"""What `deeprg probe` does."""

import io
import json as json_module
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, load_configurations, require_lattice, with_data
from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import write_figure
from deeprg.cli._flow_probes import FLOW_PROBES, FlowSubject, fields_of
from deeprg.cli._probes import PROBES, Finding, Subject
from deeprg.cli._run_kind import kind_of
from deeprg.cli._setup import open_run, trained
from deeprg.cli._table import text_table
from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes, write_json
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["one_temperature", "run_probe"]

_FEWEST = 40


def one_temperature(path: str | Path, temperature: str | None) -> Configurations:
    """The configurations at one temperature; `UsageError` for several, and for too few to give errors."""
    data = load_configurations(path, temperature)
    if len(data.groups) > 1:
        raise UsageError("Probes need one temperature: choose it with --temperature, by value or number.")
    if data.count < _FEWEST:
        raise UsageError(f"'{path}' has {data.count} configurations; errors need at least {_FEWEST}.")
    return data


def run_probe(
    name: str,
    *,
    source: Path | None,
    temperature: str | None,
    probes: str | None,
    depth: int | None,
    seed: int,
    json: bool,
) -> int:
    """`deeprg probe`; returns the exit code."""
    kind = kind_of(RunFolder.open(name))
    if kind == "conditioned":
        raise UsageError(
            f"'{name}' holds a flow over an interval, and probes read one of a single target. Make it: "
            f"deeprg train flow --from {name} --temperature T --minutes 1."
        )
    if kind == "flow":
        if depth is not None:
            raise UsageError("--depth is for Boltzmann machines; a flow has scales.")
        if temperature is not None and source is None:
            raise UsageError(
                "--temperature chooses from an ensemble; a flow has one target. Give --with E.zarr."
            )
        return _probe_flow(name, source=source, temperature=temperature, probes=probes, seed=seed, json=json)
    chosen = _chosen(probes, PROBES)
    run, setup = open_boltzmann(name)
    network = trained_network(run, setup).up_to(depth)
    stored = setup.config.data
    if temperature is None and source is None:
        temperature = stored.temperature
    data = one_temperature(stored.path if source is None else source, temperature)
    require_lattice(data, setup.lattice, f"the machine of '{run.path}'")
    subject = Subject(network, setup.lattice, data, jax.random.key(seed))
    say(f"{data.describe()}; layers of {', '.join(map(str, network.widths))} units")
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "data": str(data.path),
        "depth": len(network.machines),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
    }
    _probe_all(run, document, chosen, PROBES, subject, strict=probes is not None, json=json)
    layer = "" if depth is None else f":depth={depth}"
    next_step(f"deeprg compare average majority {run.path}{layer} {with_data(data.path, temperature)}")
    return 0


def _probe_flow(
    name: str,
    *,
    source: Path | None,
    temperature: str | None,
    probes: str | None,
    seed: int,
    json: bool,
) -> int:
    chosen = _chosen(probes, FLOW_PROBES)
    run = RunFolder.open(name)
    setup = open_run(run)
    given = None
    if source is not None:
        data = one_temperature(source, temperature)
        require_lattice(data, setup.hamiltonian.lattice, f"the flow of '{run.path}'")
        given = fields_of(data, setup.hamiltonian, seed)
    subject = FlowSubject(trained(run, setup), setup.hamiltonian, jax.random.key(seed), seed, given)
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "data": None if source is None else str(source),
        "seed": seed,
    }
    _probe_all(run, document, chosen, FLOW_PROBES, subject, strict=probes is not None, json=json)
    next_step(f"deeprg wander {run.path}")
    return 0


def _probe_all(
    run: RunFolder,
    document: dict[str, Any],
    chosen: list[str],
    known: Mapping[str, Callable[[Any], Finding]],
    subject: Any,
    *,
    strict: bool,
    json: bool,
) -> None:
    """Run the probes, write probe.json, probe.npz and the figures, print."""
    numbers, arrays, rows = {}, {}, []
    for probe in chosen:
        say(f"probe {probe}")
        try:
            with style():
                found = known[probe](subject)
        except UsageError as error:
            if strict:
                raise
            say(f"probe {probe} does not apply: {error}")
            numbers[probe] = None
            continue
        numbers[probe] = found.numbers
        arrays |= found.arrays
        rows += [[probe, *row] for row in found.rows]
        write_figure(run.path / f"probe-{probe}.png", found.figure)
    before, held = _earlier(run, document)
    write_json(run.path / "probe.json", document | {"probes": {**before, **numbers}})
    arrays = {**held, **arrays}
    document["probes"] = numbers
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    write_bytes(run.path / "probe.npz", buffer.getvalue())
    if json:
        print_json(document)
    else:
        plain = [[f"{probe}: {what}", value] for probe, what, value in rows if "\n" not in value]
        print(text_table(plain))
        for probe, what, value in rows:
            if "\n" in value:
                print(f"\n{probe}: {what}{value}")
        print(f"\nprobe.json, probe.npz and figures in {run.path}")


def _earlier(run: RunFolder, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Numbers and arrays of probes that ran before on the same data and seed: they stay in the files."""
    try:
        found = json_module.loads((run.path / "probe.json").read_text())
        with np.load(run.path / "probe.npz") as stored:
            arrays = dict(stored)
    except (OSError, ValueError):
        return {}, {}
    same = all(found.get(key) == value for key, value in document.items())
    return (found["probes"], arrays) if same else ({}, {})


def _chosen(text: str | None, known: Mapping[str, Any]) -> list[str]:
    if text is None:
        return list(known)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"There is no probe '{name}'.{nearest(name, known)} Known: {', '.join(known)}.")
    if not names:
        raise UsageError(f"--probes is empty. Known: {', '.join(known)}.")
    return list(dict.fromkeys(names))
