"""Boltzmann machines as points of a sweep: their settings as flags of `deeprg train rbm` and `train dbn`."""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeprg.cli._sweep_kind import Column, SweepKind
from deeprg.runs.config import leaves, load_toml, parse_assignments, resolve, show
from deeprg.runs.errors import UsageError

__all__ = ["DBN", "RBM"]

_TRAIN = (
    "algorithm", "k", "chains", "batch", "epochs", "steps", "minutes", "learning_rate", "decay", "warmup",
    "momentum", "optimiser", "l1", "l2",
)  # fmt: skip
_FLAGS = {
    "data.path": "--data",
    "data.temperature": "--temperature",
    "data.held_out": "--held-out",
    "machine.hidden": "--hidden",
    "machine.units": "--units",
    "machine.hidden_units": "--hidden-units",
    **{f"train.{name}": f"--{name.replace('_', '-')}" for name in _TRAIN},
    "evaluate.temperatures": "--ais-temperatures",
    "evaluate.chains": "--ais-chains",
    "seed": "--seed",
    "checkpoint_seconds": "--checkpoint-seconds",
}
_SWITCHES = {"machine.biases": (False, "--no-biases"), "train.centred": (True, "--centred")}
_DURATION = ("epochs", "steps", "minutes")


def _check(config: Path, settings: Mapping[str, Any]) -> None:
    from deeprg.cli._boltzmann_setup import BoltzmannConfig, batch_sizes
    from deeprg.runs.schema import validate

    resolved = resolve(
        [
            (f"file {config}", load_toml(config)),
            *((f"--grid {path}", parse_assignments([f"{path}={show(v)}"])) for path, v in settings.items()),
        ]
    )
    values, given = resolved.values, dict(leaves(resolved.values))
    train, machine = values.setdefault("train", {}), values.setdefault("machine", {})
    if all(train.get(name) is None for name in _DURATION):
        raise UsageError("how long to train is not said. Set train.epochs, train.steps or train.minutes.")
    epochs = train.pop("epochs", None)  # steps, once the number of rows is known
    if epochs is not None:
        if not isinstance(epochs, int | float) or not (math.isfinite(epochs) and epochs > 0):
            raise UsageError(f"train.epochs = {show(epochs)} must be a positive number.")
        if train.get("steps") is not None:
            raise UsageError("train.epochs and train.steps exclude each other. Give one of them.")
    if isinstance(machine.get("hidden"), int):
        machine["hidden"] = [machine["hidden"]]
    if isinstance(train.get("batch"), str):
        train["batch"] = batch_sizes(train["batch"])
    path = validate(BoltzmannConfig, resolved).data.path
    found = [name for name in given if name not in (*_FLAGS, *_SWITCHES, "kind")]
    if found:
        raise UsageError(f"{found[0]} is found from the data and cannot be set. Leave it out.")
    if not Path(path).exists():
        raise UsageError(f"there is no '{path}', the data. Make an ensemble with deeprg simulate.")


def _start(kind: str, config: Path, settings: Mapping[str, Any], out: Path) -> list[str]:
    arguments = ["train", kind]
    for path, value in (dict(leaves(load_toml(config))) | dict(settings)).items():
        if path in _SWITCHES:
            wanted, flag = _SWITCHES[path]
            arguments += [flag] if value == wanted else []
        elif path != "kind":
            arguments += [f"{_FLAGS[path]}={_text(path, value)}"]
    return [*arguments, "--out", str(out), "--json"]


def _text(path: str, value: Any) -> str:
    """The value as the flag takes it: 400,100,25 for layers, 50,200@0.5 for a schedule of batch sizes."""
    if path == "train.batch" and isinstance(value, list):
        return ",".join(f"{size}@{start}" if start else str(size) for start, size in value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _kind(name: str, columns: tuple[Column, ...]) -> SweepKind:
    return SweepKind(
        name=name,
        short={
            "data": "data.path",
            "temperature": "data.temperature",
            "hidden": "machine.hidden",
            "units": "machine.units",
            "hidden_units": "machine.hidden_units",
            **{part: f"train.{part}" for part in _TRAIN},
            "seed": "seed",
        },
        check=_check,
        start=functools.partial(_start, name),
        resume=lambda out: ["train", name, "--resume", str(out), "--json"],
        columns=columns,
        temperature=lambda run: (run.results() or {})["temperatures"][0],
    )


def _held_out(label: str, key: str) -> Column:
    return Column(label, (key, "held_out", "value"), (key, "held_out", "error"))


RBM = _kind(
    "rbm",
    (
        _held_out("held-out ln p (nats)", "log_likelihood"),
        _held_out("held-out pseudo-likelihood (nats)", "pseudo_likelihood"),
        Column("ln Z", ("log_partition", "value"), ("log_partition", "error")),
    ),
)
DBN = _kind("dbn", (_held_out("bound of held-out ln p (nats)", "log_bound"),))
