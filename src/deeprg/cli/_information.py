"""What `deeprg rg information` does."""

import io
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deeprg.cli._boltzmann_data import with_data
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._figures import check_figure, check_place, write_figure
from deeprg.cli._probing import one_temperature
from deeprg.cli._progress import progress
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.information import Surroundings, fit_rsmi, one_hot
from deeprg.hamiltonians import AbstractHamiltonian, Dimers, Potts
from deeprg.lattice import Lattice
from deeprg.report.filters import plot_filters
from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION
from deeprg.train import Plan

__all__ = ["hidden_units", "information_plan", "numbers", "run_information"]

_BATCH, _RATE = 500, 5e-3
_PRINTED = 64  # weights of a filter that can be read as a table


def run_information(
    *,
    source: Path,
    temperature: str | None,
    block: str,
    buffer: int,
    environment: int | None,
    hidden: int,
    width: int,
    period: int | None,
    steps: int,
    seed: int,
    out: Path | None,
    save: Path | None,
    json: bool,
) -> int:
    """`deeprg rg information`; returns the exit code."""
    check_figure(out)
    if save is not None and (save.suffix != ".npy" or width):
        raise UsageError(
            f"--save {save}: the filters of a linear rule are written as .npy; leave --width out."
        )
    if save is not None and hidden > 1:
        raise UsageError(
            f"--save {save}: a rule for deeprg rg exponents has one hidden unit, not {hidden}. Leave --save "
            "out: --json prints the filters."
        )
    check_place("--save", save)
    if out is not None and width:
        raise UsageError("A network has no filters to draw; leave --out out, or --width.")
    data = one_temperature(source, temperature)
    around = Surroundings.on_lattice(
        data.lattice, Lattice.parse(block).shape, buffer=buffer, environment=environment
    )
    configurations, every, kinds = numbers(data.groups[0], data.hamiltonian, data.lattice)
    say(f"{hidden_units(hidden)} {block} of {data.describe()}, {len(around.environment)} sites around")
    with progress(None) as display:
        found = fit_rsmi(
            around,
            configurations,
            information_plan(steps),
            hidden=hidden,
            width=width,
            kinds=kinds,
            period=every if period is None else period,
            key=jax.random.key(seed),
            on_chunk=lambda record: display.record({**record, "information": -record["loss"]}),
            on_event=display.event,
        )
    for text in found.retained.flags:
        warn(text)
    weights = None if found.reader.weights is None else np.asarray(found.reader.weights)
    shape = (-1, *(around.shape or ()), *configurations.shape[1 + data.lattice.ndim :])
    filters = None if weights is None else weights.reshape(shape)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "data": str(data.path),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
        "block": block,
        "buffer": buffer,
        "environment": environment,
        "hidden": hidden,
        "retained": found.retained.to_dict(),
        "relaxed": found.relaxed,
        "seconds": sum(found.seconds),
        "filters": None if filters is None else filters.tolist(),
    }
    if out is not None and filters is not None:
        with style():
            write_figure(out, plot_filters(filters, data.lattice.ndim))
        document["figure"] = str(out)
    if save is not None and filters is not None:
        buffered = io.BytesIO()
        np.save(buffered, filters)
        write_bytes(save, buffered.getvalue())
        document["saved"] = str(save)
    if json:
        print_json(document)
    else:
        rows = [
            ["I(H:E), sharp hidden units", f"{with_error(found.retained.value, found.retained.error)} nats"],
            ["at most H(h)", f"{found.retained.bound:.4f} nats"],
            ["of drawn hidden units, in training", f"{found.relaxed:.4f} nats"],
        ]
        print(text_table(rows))
        print("\na lower bound, by a classifier on configurations held out")
        if filters is not None and filters[0].size > _PRINTED:
            print(f"\n{len(filters)} filters of {filters[0].size} weights: --out draws them, --json has them")
        elif filters is not None:
            for number, one in enumerate(filters):
                print(f"\nfilter {number}\n{np.array2string(one, precision=2, suppress_small=True)}")
    plain = filters is not None and filters[0].ndim == data.lattice.ndim
    if save is not None and plain:
        next_step(f"deeprg rg exponents filter:{save} {with_data(data.path, temperature)}")
    return 0


def hidden_units(count: int) -> str:
    """How a line begins that says what they read."""
    return "1 hidden unit reads" if count == 1 else f"{count} hidden units read"


def information_plan(steps: int) -> Plan:
    """Of a search and of its judgement."""
    return Plan(steps=steps, batch=_BATCH, learning_rate=_RATE, steps_per_call=20)


def numbers(
    group: np.ndarray, hamiltonian: AbstractHamiltonian | None, lattice: Lattice
) -> tuple[np.ndarray, int, int]:
    """Configurations in a random order, the period of a filter, and the states of a hidden unit.

    Dimers are bonds ±1 along each axis, Potts spins one indicator for each state.
    """
    flat = group.reshape(-1, *lattice.shape)
    mixed = flat[np.random.default_rng(0).permutation(len(flat))]
    if isinstance(hamiltonian, Dimers):
        bonds = np.stack([mixed == 2 * axis for axis in range(lattice.ndim)], axis=-1)
        return np.where(bonds, 1, -1).astype(np.int8), 2, 2
    if isinstance(hamiltonian, Potts) and hamiltonian.states > 2:
        return one_hot(mixed, hamiltonian.states), 1, hamiltonian.states
    return mixed, 1, 2
