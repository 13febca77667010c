"""What `deeprg flow` does."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, encoded, load_configurations, require_lattice
from deeprg.cli._boltzmann_setup import RBMSetup, open_rbm, trained_rbm
from deeprg.cli._console import next_step, print_json
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.boltzmann import rbm_flow
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo import jackknife
from deeprg.report.style import finish, style
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["run_flow"]

_COLUMNS = {
    "abs_magnetization": "|m|",
    "energy_per_site": "energy per site",
    "susceptibility": "N(⟨m²⟩ − ⟨|m|⟩²)",
    "fraction_up": "part with m > 0",
}
_PRINTED = 12  # stages in the table
_FEWEST, _BLOCKS = 20, 50


def run_flow(
    name: str,
    *,
    length: int,
    start: str,
    n: int,
    source: Path | None,
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
    run, setup = open_rbm(name)
    unit = setup.machine.visible
    if unit.name not in ("spin", "binary"):
        raise UsageError(
            f"the run '{run.path}' has '{unit.name}' visible units; |m| and the energy are followed "
            "for spin and binary units."
        )
    machine = trained_rbm(run, setup)
    key, first = jax.random.split(jax.random.key(seed))
    v, hamiltonian = _start(setup, start, n, source, seed, first)
    stages = []
    for stage, configurations in rbm_flow(machine, v, length=length, key=key):
        x = unit.decode(configurations).reshape(-1, *setup.lattice.shape)
        stages.append({"stage": stage, **_measured(hamiltonian, x)})
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "start": start,
        "n": n,
        "length": length,
        "seed": seed,
        "model": hamiltonian.describe(),
        "stages": stages,
    }
    if out is not None:
        write_figure(out, _figure(stages, start))
    if json:
        print_json(document)
    else:
        print(_table(stages))
    others = [other for other in ("data", "cold", "hot") if other != start]
    next_step(*(f"deeprg flow {run.path} --start {other}" for other in others))
    return 0


def _start(
    setup: RBMSetup, start: str, n: int, source: Path | None, seed: int, key: Any
) -> tuple[jax.Array, AbstractHamiltonian]:
    """The rows to begin with, statistics [n, features], and what measures them."""
    unit, lattice, stored = setup.machine.visible, setup.lattice, setup.config.data
    path = Path(stored.path) if source is None else source
    temperature = stored.temperature if source is None else None
    if start.startswith("T="):
        data = load_configurations(path, start.removeprefix("T="))
    elif start == "data":
        data = load_configurations(path, temperature)
    elif start in ("cold", "hot"):
        spins = jnp.ones((n, lattice.size), jnp.float32)
        if start == "hot":
            spins = jax.random.rademacher(key, spins.shape, spins.dtype)
        data = Configurations(path, [], [], [], lattice, False)
        if path.exists():  # only for the model that measures
            data = load_configurations(path, temperature)
            require_lattice(data, lattice, "the machine")
        return unit.encode(spins), data.measure
    else:
        hint = nearest(start, ["data", "cold", "hot"])
        raise UsageError(f"--start '{start}' is not data, cold, hot or T=VALUE, for example T=2.5.{hint}")
    require_lattice(data, lattice, "the machine")
    rows = np.concatenate([encoded(group, unit, lattice, f"'{path}'") for group in data.groups])
    if n > len(rows):
        raise UsageError(f"-n {n}: '{path}' has only {len(rows)} configurations to start from.")
    chosen = np.random.default_rng(seed).choice(len(rows), n, replace=False)
    return jnp.asarray(rows[chosen], jnp.float32), data.measure


def _measured(hamiltonian: AbstractHamiltonian, x: jax.Array) -> dict[str, dict[str, float]]:
    """Averages over configurations [n, *lattice] that are independent of each other."""
    scalars = {name: np.asarray(value, np.float64) for name, value in _scalars(hamiltonian, x).items()}
    m = scalars["magnetization"]
    series = {
        "abs_magnetization": np.abs(m),
        "energy_per_site": scalars["energy_per_site"],
        "fraction_up": (m > 0).astype(np.float64),
    }
    found = {
        name: {"value": float(values.mean()), "error": float(values.std(ddof=1) / np.sqrt(len(values)))}
        for name, values in series.items()
    }
    sites = x[0].size
    spread = sites * (np.mean(m**2) - np.mean(np.abs(m)) ** 2)
    error = 0.0
    if np.ptp(np.abs(m)) > 0:
        blocks = max(10, min(_BLOCKS, len(m) // 2))
        estimate = jackknife(lambda m2, a: sites * (m2 - a**2), {"m2": m**2, "a": np.abs(m)}, blocks=blocks)
        spread, error = estimate.value, estimate.error
    return found | {"susceptibility": {"value": float(spread), "error": float(error)}}


@eqx.filter_jit
def _scalars(hamiltonian: AbstractHamiltonian, x: jax.Array) -> dict[str, jax.Array]:
    return jax.vmap(hamiltonian.scalars)(x)


def _table(stages: list[dict[str, Any]]) -> str:
    if len(stages) > _PRINTED:
        last = len(stages) - 1
        shown = sorted({0, *np.unique(np.geomspace(1, last, _PRINTED - 1).round().astype(int)).tolist()})
        stages = [stages[k] for k in shown]
    rows = [
        [str(row["stage"]), *(with_error(row[name]["value"], row[name]["error"]) for name in _COLUMNS)]
        for row in stages
    ]
    return text_table(rows, header=["round", *_COLUMNS.values()])


def _figure(stages: list[dict[str, Any]], start: str) -> Any:
    from deeprg.report.style import figure

    with style():
        fig, axes = figure(7.2, 5.2, nrows=2, ncols=2)
        rounds = [row["stage"] for row in stages]
        for ax, (name, label) in zip(np.ravel(axes), _COLUMNS.items(), strict=True):
            values, errors = ([row[name][part] for row in stages] for part in ("value", "error"))
            ax.errorbar(rounds, values, yerr=errors, fmt="o-", markersize=3, linewidth=0.9)
            finish(ax, title=f"from {start}", x="round", y=label)
    return fig
