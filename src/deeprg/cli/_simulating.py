"""`deeprg simulate` and `deeprg measure` behind their flags."""

import functools
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeprg.cli._console import next_step, print_json, say, seconds_text, warn
from deeprg.cli._ensemble_data import judged
from deeprg.cli._ensemble_table import ensemble_table
from deeprg.cli._sampling_progress import sampling_progress
from deeprg.cli._temperatures import parse_temperatures
from deeprg.hamiltonians import MODELS, critical_temperature_of
from deeprg.lattice import Lattice
from deeprg.montecarlo.analysis import Analysis, analyse
from deeprg.montecarlo.ensembles import Ensemble, import_configurations
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.samplers import ALGORITHMS
from deeprg.montecarlo.simulation import Simulation
from deeprg.report.ensemble_diagnosis import diagnose_ensemble
from deeprg.runs.config import parse_assignments
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION
from deeprg.train.stop import StopRequest

__all__ = ["measured", "plan", "run_import", "run_measure", "run_simulation"]

_DOCUMENTED = ("model", "options", "shape", "algorithm", "reason", "seed", "chains", "thin", "thermalise")


def plan(
    model: str | None,
    options: Sequence[str],
    *,
    shape: str | None,
    temperature: str | None,
    out: Path | None,
    resume: Path | None,
    samples: int | None,
    **choices: Any,
) -> tuple[Simulation, Path]:
    """The simulation that the flags describe, with every choice made, and where it goes."""
    if resume is not None:
        return _resumed(resume, samples)
    assert model is not None
    assert shape is not None
    lattice, values = Lattice.parse(shape), parse_assignments(options)
    if model not in MODELS:
        Simulation(model, lattice.shape).hamiltonians()  # says which models there are
    temperatures: tuple[float, ...] = ()
    if temperature is not None:
        critical = functools.partial(critical_temperature_of, model, lattice, **values)
        temperatures = parse_temperatures(temperature, critical)
    simulation = Simulation(
        model, lattice.shape, temperatures, values, samples=10_000 if samples is None else samples, **choices
    ).plan()
    path = _free(f"{model}-{lattice}") if out is None else out
    if path.exists():
        raise UsageError(f"'{path}' exists. Continue it with --resume {path}, or choose another --out.")
    return simulation, path


def _resumed(path: Path, samples: int | None) -> tuple[Simulation, Path]:
    ensemble = Ensemble.open(path)
    settings = ensemble.provenance["settings"]
    if "samples" not in settings:
        raise UsageError(f"'{path}' was imported, not simulated: there is nothing to continue.")
    if "origin" in settings:
        raise UsageError(f"'{path}' holds chains in the latents of a flow. Continue it with deeprg sample.")
    simulation = Simulation.from_dict(settings)
    wanted = samples or ensemble.draws * ensemble.chains
    return Simulation.from_dict({**simulation.to_dict(), "samples": wanted}), path


def _free(name: str) -> Path:
    root = Path("ensembles")
    taken = [int(m[1]) for p in root.glob(f"{name}-*.zarr") if (m := re.fullmatch(r".*-(\d+)\.zarr", p.name))]
    return root / f"{name}-{max(taken, default=0) + 1:03d}.zarr"


def run_simulation(simulation: Simulation, path: Path, *, workers: int | None, json: bool) -> int:
    """Simulate, measure, print; returns the exit code."""
    algorithm = ALGORITHMS[str(simulation.algorithm)]
    say(f"{simulation.algorithm} ({algorithm.summary}): {simulation.reason}")
    count = max(len(simulation.temperatures), 1)
    where = f" at {count} temperatures" if count > 1 else ""
    say(f"{simulation.draws} draws in each of {simulation.chains} chains{where}, into {path}")
    begun = time.monotonic()
    with StopRequest() as stop, sampling_progress(simulation) as display:
        ensemble = simulate(
            simulation,
            path,
            workers=workers,
            on_progress=display.progress,
            on_event=display.event,
            should_stop=lambda: stop.reason is not None,
        )
    if stop.reason is not None:
        say(f"stopped ({stop.reason}); every finished block is in {path}")
        next_step(f"deeprg simulate --resume {path}")
        return 130 if stop.reason == "interrupt" else 75
    say(f"done in {seconds_text(time.monotonic() - begun)}")
    return run_measure(ensemble, discard=0, json=json, seconds=time.monotonic() - begun)


def run_measure(ensemble: Ensemble, *, discard: int, json: bool, seconds: float | None = None) -> int:
    """Print the averages of an ensemble; returns the exit code."""
    rows = measured(ensemble, discard)
    findings = diagnose_ensemble(judged(ensemble, rows))
    if json:
        print_json({**document(ensemble, rows, seconds), "findings": [f.to_dict() for f in findings]})
    else:
        print(ensemble_table(rows, ensemble.provenance["algorithm"]))
    for finding in findings:
        warn(f"{finding.what}. {finding.remedy}")
    settings = ensemble.provenance["settings"]
    more = (_more(ensemble),) if "samples" in settings and "origin" not in settings else ()
    next_step(f"deeprg report {ensemble.path}", *more)
    return 0


def _more(ensemble: Ensemble) -> str:
    return f"deeprg simulate --resume {ensemble.path} -n {2 * ensemble.draws * ensemble.chains}"


def run_import(
    files: Sequence[str],
    out: Path,
    *,
    model: str,
    temperature: str | None,
    shape: str | None,
    options: Sequence[str],
    zero_one: bool,
    json: bool,
) -> int:
    """Import, measure, print; returns the exit code."""
    values = parse_assignments(options)
    lattice = None if shape is None else Lattice.parse(shape)
    square = Lattice((4, 4)) if lattice is None else lattice

    def critical() -> float:
        if lattice is None:
            say("taking the critical temperature of a two-dimensional lattice (no --shape was given)")
        return critical_temperature_of(model, square, **values)

    temperatures = None if temperature is None else parse_temperatures(temperature, critical)
    ensemble = import_configurations(
        list(files),
        out,
        model=model,
        temperature=temperatures,
        shape=None if lattice is None else lattice.shape,
        options=values,
        zero_one=zero_one,
    )
    size = f"{len(ensemble.temperatures)} x {ensemble.draws}"
    say(f"imported {size} configurations of {ensemble.lattice} into {out}")
    return run_measure(ensemble, discard=0, json=json)


def measured(ensemble: Ensemble, discard: int = 0) -> list[Analysis]:
    """The analysis of every temperature that has draws."""
    found = [t for t in range(len(ensemble.temperatures)) if ensemble.valid_draws(t) > 0]
    if not found:
        raise UsageError(f"'{ensemble.path}' has no finished block yet. Continue: --resume {ensemble.path}")
    return [analyse(ensemble, t, discard=discard) for t in found]


def document(ensemble: Ensemble, rows: Sequence[Analysis], seconds: float | None) -> dict[str, Any]:
    """The JSON document of an ensemble."""
    origin: Mapping[str, Any] = ensemble.provenance
    return {
        "schema_version": SCHEMA_VERSION,
        "ensemble": str(ensemble.path),
        **{key: origin[key] for key in _DOCUMENTED},
        "draws": ensemble.draws,
        "seconds": seconds,
        "temperatures": [row.to_dict() for row in rows],
    }
