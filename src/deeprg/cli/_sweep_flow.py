"""Flows as points of a sweep: `deeprg train flow --config CONFIG key.path=value`."""

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeprg.cli._sweep_kind import Column, SweepKind
from deeprg.runs.config import parse_assignments, show
from deeprg.runs.folder import RunFolder

__all__ = ["FLOW"]


def _check_flow(config: Path, settings: Mapping[str, Any]) -> None:
    import jax

    from deeprg.cli._training import Request, run_training

    # Only shapes are looked at: a GPU is left to the points. Without effect once jax has its devices.
    jax.config.update("jax_platforms", "cpu")
    flags = [(f"--grid {path}", parse_assignments([f"{path}={show(v)}"])) for path, v in settings.items()]
    with contextlib.redirect_stdout(io.StringIO()):
        run_training(Request(config=config, flags=flags, print_config=True))


def _start_flow(config: Path, settings: Mapping[str, Any], out: Path) -> list[str]:
    given = [f"{path}={show(value)}" for path, value in settings.items()]
    return ["train", "flow", "--config", str(config), *given, "--out", str(out), "--json"]


def _temperature(run: RunFolder) -> float:
    """Of the spins of the Hamiltonian, which resolved.json names by the word."""
    from deeprg.hamiltonians import HAMILTONIANS
    from deeprg.lattice import Lattice

    options = run.resolved()["hamiltonian"]
    name, shape = options.pop("name"), options.pop("shape")
    dual: Any = HAMILTONIANS[name].build(Lattice(tuple(shape)), **options)
    return dual.spins.temperature


FLOW = SweepKind(
    name="flow",
    short={
        "temperature": "hamiltonian.temperature",
        "size": "hamiltonian.shape",
        "shape": "hamiltonian.shape",
        "hamiltonian": "hamiltonian.name",
        "shift": "hamiltonian.shift",
        "preset": "preset",
        "seed": "seed",
        "precision": "precision",
        "minutes": "train.minutes",
        "steps": "train.steps",
        "batch": "train.batch",
        "ess": "evaluate.samples",
    },
    check=_check_flow,
    start=_start_flow,
    resume=lambda out: ["train", "flow", "--resume", str(out), "--json"],
    columns=(
        Column("free energy (nats)", ("free_energy",), ("free_energy_error",)),
        Column("gap (nats)", ("gap",), ("gap_error",)),
        Column("ESS", ("ess",)),
        Column("largest gap (nats)", ("gap_largest",)),
        Column("smallest ESS", ("ess_smallest",)),
        Column("held-out −ln q (nats)", ("data", "nll", "value"), ("data", "nll", "error")),
    ),
    temperature=_temperature,
)
