"""What `deeprg probe` does."""

import io
from pathlib import Path

import jax
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, load_configurations, require_lattice, with_data
from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import write_figure
from deeprg.cli._probes import PROBES, Subject
from deeprg.cli._table import text_table
from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes, write_json
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION

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
    chosen = _chosen(probes)
    run, setup = open_boltzmann(name)
    network = trained_network(run, setup).up_to(depth)
    stored = setup.config.data
    if temperature is None and source is None:
        temperature = stored.temperature
    data = one_temperature(stored.path if source is None else source, temperature)
    require_lattice(data, setup.lattice, f"the machine of '{run.path}'")
    subject = Subject(network, setup.lattice, data, jax.random.key(seed))
    say(f"{data.describe()}; layers of {', '.join(map(str, network.widths))} units")
    numbers, arrays, rows = {}, {}, []
    for probe in chosen:
        say(f"probe {probe}")
        try:
            with style():
                found = PROBES[probe](subject)
        except UsageError as error:
            if probes is not None:
                raise
            say(f"probe {probe} does not apply: {error}")
            numbers[probe] = None
            continue
        numbers[probe] = found.numbers
        arrays |= found.arrays
        rows += [[probe, *row] for row in found.rows]
        write_figure(run.path / f"probe-{probe}.png", found.figure)
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "data": str(data.path),
        "depth": len(network.machines),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
        "probes": numbers,
    }
    write_json(run.path / "probe.json", document)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    write_bytes(run.path / "probe.npz", buffer.getvalue())
    if json:
        print_json(document)
    else:
        print(text_table([[f"{probe}: {what}", value] for probe, what, value in rows]))
        print(f"\nprobe.json, probe.npz and figures in {run.path}")
    layer = "" if depth is None else f":depth={depth}"
    next_step(f"deeprg compare average majority {run.path}{layer} {with_data(data.path, temperature)}")
    return 0


def _chosen(text: str | None) -> list[str]:
    if text is None:
        return list(PROBES)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PROBES:
            raise UsageError(
                f"There is no probe '{name}'.{nearest(name, PROBES)} Known: {', '.join(PROBES)}."
            )
    if not names:
        raise UsageError(f"--probes is empty. Known: {', '.join(PROBES)}.")
    return list(dict.fromkeys(names))
