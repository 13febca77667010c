"""Classical MERAs as points of a sweep: their settings as flags of `deeprg train mera`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeprg.cli._sweep_kind import Column, SweepKind
from deeprg.runs.config import leaves, load_toml, parse_assignments, resolve, show
from deeprg.runs.errors import UsageError, nearest

__all__ = ["MERA"]

_FLAGS = {
    "network.reach": "--reach",
    "network.width": "--width",
    "network.depth": "--depth",
    "train.minutes": "--minutes",
    "train.steps": "--steps",
    "train.batch": "--batch",
    "train.learning_rate": "--learning-rate",
    "evaluate.samples": "--ess",
    "start": "--from",
    "seed": "--seed",
    "checkpoint_seconds": "--checkpoint-seconds",
}
_MODEL = ("model.name", "model.shape", "model.temperature")


def _settings(config: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting by its path, those of the point last."""
    layers = [(f"--grid {path}", parse_assignments([f"{path}={show(v)}"])) for path, v in settings.items()]
    return dict(leaves(resolve([(f"file {config}", load_toml(config)), *layers]).values))


def _shape(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def _options(given: Mapping[str, Any]) -> list[str]:
    head = "model.options."
    return [f"{path.removeprefix(head)}={show(v)}" for path, v in given.items() if path.startswith(head)]


def _check(config: Path, settings: Mapping[str, Any]) -> None:
    from deeprg.cli._mera_setup import check_mera
    from deeprg.cli.train_mera import target_of

    given = _settings(config, settings)
    known = [*_MODEL, *_FLAGS, "kind"]
    for path in given:
        if path not in known and not path.startswith("model.options."):
            raise UsageError(f"{path}: a MERA has no such setting.{nearest(path, known)}")
    if "model.shape" not in given:
        raise UsageError("which lattice? Set model.shape, for example [16, 16].")
    temperature = str(given.get("model.temperature", "critical"))
    model = target_of(
        given.get("model.name", "ising"), tuple(_options(given)), _shape(given["model.shape"]), temperature
    )
    values: dict[str, Any] = {"model": model}
    for path, value in given.items():
        if path in _FLAGS:
            first, _, last = path.rpartition(".")
            (values.setdefault(first, {}) if first else values)[last] = value
    check_mera(values)


def _start(config: Path, settings: Mapping[str, Any], out: Path) -> list[str]:
    given = _settings(config, settings)
    target = [
        str(given.get("model.name", "ising")),
        *_options(given),
        "--shape",
        _shape(given["model.shape"]),
    ]
    target += ["--temperature", str(given.get("model.temperature", "critical"))]
    flags = [f"{flag}={given[path]}" for path, flag in _FLAGS.items() if path in given]
    return ["train", "mera", *target, *flags, "--out", str(out), "--json"]


MERA = SweepKind(
    name="mera",
    short={
        "temperature": "model.temperature",
        "size": "model.shape",
        "shape": "model.shape",
        "model": "model.name",
        "seed": "seed",
        "reach": "network.reach",
        "width": "network.width",
        "depth": "network.depth",
        "minutes": "train.minutes",
        "steps": "train.steps",
        "batch": "train.batch",
        "learning_rate": "train.learning_rate",
        "ess": "evaluate.samples",
    },
    check=_check,
    start=_start,
    resume=lambda out: ["train", "mera", "--resume", str(out), "--json"],
    columns=(
        Column("free energy (nats)", ("free_energy",), ("free_energy_error",)),
        Column("gap (nats)", ("gap",), ("gap_error",)),
        Column("ESS", ("ess",)),
    ),
    temperature=lambda run: run.resolved()["model"]["temperature"],
)
