"""The table that ends `deeprg simulate` and `deeprg measure`."""

from collections.abc import Sequence

from deeprg.cli._table import text_table, with_error
from deeprg.montecarlo.analysis import Analysis
from deeprg.montecarlo.estimate import Estimate
from deeprg.montecarlo.samplers import ALGORITHMS
from deeprg.report.labels import label

__all__ = ["ensemble_table"]

_WIDE = 3  # temperatures from which each is one line
_COLUMNS = (
    "energy_per_site",
    "action_per_site",
    "specific_heat",
    "abs_magnetization",
    "susceptibility",
    "binder_cumulant",
    "helicity_modulus",
    "winding_squared",
)


def ensemble_table(rows: Sequence[Analysis], algorithm: str) -> str:
    """One block per temperature when there are few, one line per temperature when there are many."""
    unit = ALGORITHMS[algorithm].update if algorithm in ALGORITHMS else "update"
    if len(rows) < _WIDE:
        return "\n\n".join(_block(row, unit) for row in rows)
    names = [name for name in _COLUMNS if name in rows[0].observables]
    if rows[0].in_field:
        names[names.index("abs_magnetization")] = "magnetization"
    header = ["T", *(label(name) for name in names), "τ_int", "pull"]
    lines = []
    for row in rows:
        cells = [with_error(row.observables[n].value, row.observables[n].error) for n in names]
        pulls = [abs(e.pull) for e in row.observables.values() if e.pull is not None]
        worst = f"≤ {max(pulls):.1f}" if pulls else "—"
        lines.append([f"{row.temperature:.6g}", *cells, f"{row.tau_int:.2f}", worst])
    legend = (
        f"{rows[0].model}; {rows[0].draws} draws in each of {rows[0].chains} chains\n"
        "units of the coupling; τ_int: the largest of energy and order parameter, in draws; "
        "pull: the largest |value − exact|/error"
    )
    return f"{legend}\n{text_table(lines, header)}"


def _block(row: Analysis, unit: str) -> str:
    lines = [
        [label(name), with_error(e.value, e.error), _exact(e), _pull(e), _tau(e)]
        for name, e in row.observables.items()
    ]
    table = text_table(lines, ["", "value", "exact", "pull", "τ_int"])
    notes = [f"{row.draws} draws in each of {row.chains} chains"]
    if row.updates_per_second:
        kind = "" if unit == "update" else f"{unit} "
        notes.append(f"{row.updates_per_second:,.0f} {kind}updates/s")
    if row.independent_samples_per_second:
        notes.append(f"{row.independent_samples_per_second:,.0f} independent samples/s")
    if row.r_hat:
        notes.append(f"split R̂ ≤ {max(row.r_hat.values()):.3f}")
    if row.exact_source:
        notes.append(f"exact: {row.exact_source}")
    return f"{row.description}\n{table}\n{'; '.join(notes)}"


def _exact(entry: Estimate) -> str:
    return "—" if entry.exact is None else f"{entry.exact:.7g}"


def _pull(entry: Estimate) -> str:
    return "—" if entry.pull is None else f"{entry.pull:+.1f}"


def _tau(entry: Estimate) -> str:
    return "—" if entry.tau_int is None else with_error(entry.tau_int, entry.tau_int_error)
