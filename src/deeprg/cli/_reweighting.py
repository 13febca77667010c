"""`deeprg reweight` behind its flags."""

import functools
from pathlib import Path

import numpy as np

from deeprg.cli._console import next_step, print_json, warn
from deeprg.cli._table import text_table, with_error
from deeprg.cli._temperatures import parse_temperatures
from deeprg.hamiltonians import MODELS, critical_temperature_of
from deeprg.montecarlo import ReweightedCurves, multi_histogram, reweight_temperature
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.report.labels import label
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["run_reweighting"]

_NAMES = ("energy_per_site", "abs_magnetization", "magnetization_squared")


def run_reweighting(path: Path, temperature: str, *, discard: int, json: bool) -> int:
    """Reweight, print; returns the exit code."""
    ensemble = Ensemble.open(path)
    model, options = ensemble.provenance["model"], ensemble.provenance["options"]
    if not MODELS[model].has_temperature or options.get("field"):
        raise UsageError(
            f"'{path}' cannot be reweighted in temperature: its weight is not exp(-E/T) with the energy "
            f"alone ({ensemble.hamiltonian(0).describe()})."
        )
    critical = functools.partial(critical_temperature_of, model, ensemble.lattice, **options)
    grid = parse_temperatures(temperature, critical)
    found = _curves(ensemble, grid, discard)
    if json:
        document = {"schema_version": SCHEMA_VERSION, "ensemble": str(path), **found.to_dict()}
        print_json(document)
    else:
        print(_table(found))
    if not found.trusted.all():
        warn("(!) the samples do not reach these temperatures: values and errors may both be wrong.")
    if found.short:
        warn("a simulation is shorter than 50 tau_int: errors may be too small.")
    next_step(f"deeprg report {path}")
    return 0


def _curves(ensemble: Ensemble, grid: tuple[float, ...], discard: int) -> ReweightedCurves:
    used = [t for t in range(len(ensemble.temperatures)) if ensemble.valid_draws(t) - discard >= 8]
    names = [name for name in _NAMES if name in ensemble.series_names]
    if not used or "energy_per_site" not in names:
        raise UsageError(f"'{ensemble.path}' has no energies to reweight after discarding {discard} draws.")
    size, sampled = ensemble.lattice.size, ensemble.temperatures[used]
    rows = {name: [ensemble.series(name, t)[:, discard:] for t in used] for name in names}
    if len(used) == 1:
        one = {name: values[0] for name, values in rows.items()}
        return reweight_temperature(one, size, float(sampled[0]), np.array(grid))
    return multi_histogram(rows, size, sampled, np.array(grid))


def _table(found: ReweightedCurves) -> str:
    names = list(found.observables)
    lines = []
    for row, temperature in enumerate(found.temperatures):
        cells = [with_error(found.observables[n].value[row], found.observables[n].error[row]) for n in names]
        log_z = with_error(found.log_partition.value[row], found.log_partition.error[row])
        mark = "" if found.trusted[row] else "(!)"
        lines.append([f"{temperature:.6g}", *cells, log_z, f"{found.effective_samples[row]:.0f}", mark])
    header = ["T", *(label(name) for name in names), "ln Z − ln Z(T₀)", "eff. samples", ""]
    return text_table(lines, header)
