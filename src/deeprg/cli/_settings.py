"""From flags, arguments, a file and a preset to one checked configuration that knows where it comes from."""

import inspect
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprg.cli._schema import run_schema
from deeprg.coarsegrain.flow import PRESETS, build_flow
from deeprg.runs.atomic import jsonable
from deeprg.runs.config import Resolved, leaves, load_toml, parse_assignments, resolve
from deeprg.runs.errors import UsageError
from deeprg.runs.schema import Config, defaults, validate

__all__ = ["Settings", "flag_value", "gather"]

Layer = tuple[str, Mapping[str, Any]]
_EXAMPLES = {
    "hamiltonian": "shape=16x16",
    "flow": "width=32",
    "train": "steps=1000",
    "evaluate": "samples=100000",
    "data": "path=E.zarr",
}
_DURATION = ("steps", "minutes")


@dataclass(frozen=True)
class Settings:
    """All layers of a configuration merged but not yet checked; `check` gives the typed values.

    `given` holds what file, arguments and flags said, without defaults and preset.
    """

    resolved: Resolved
    schema: type[Config]
    given: dict[str, Any]

    def check(self) -> Any:
        """The typed configuration; one `UsageError` lists every problem."""
        return validate(self.schema, self.resolved)


def gather(
    *,
    config: str | Path | None = None,
    assignments: Sequence[str] = (),
    flags: Sequence[Layer] = (),
    run: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge defaults < preset < file < `key.path=value` < flags; `run`, what a run used, replaces the preset.

    Left out are a preset's options of another Hamiltonian or layout, and a lower layer's `train.steps` and
    `train.minutes` when a higher layer sets either. Raises `UsageError` for a file or argument that cannot be
    read; unknown names and bad values are reported by `Settings.check`.

    >>> flags = [("--size", {"hamiltonian": {"shape": [4, 4]}}), ("--steps", {"train": {"steps": 5}})]
    >>> settings = gather(flags=flags)
    >>> settings.check().train.steps, settings.resolved.sources["train.batch"]
    (5, "preset 'default'")
    """
    upper: list[Layer] = []
    if config is not None:
        upper.append((f"file {config}", load_toml(config)))
    if assignments:
        upper.append(("argument", parse_assignments(assignments)))
    upper.extend(flags)
    for name, layer in upper:
        _check_tables(name, layer)
    if run is not None:
        lower, base = "run", jsonable(run)
    else:
        preset = str(_choice(upper, "preset", "default"))
        lower, base = f"preset '{preset}'", _preset(preset)
    layers = [(lower, base), *upper]
    layout = str(_choice(layers, "flow.layout", "conditional"))
    images = _choice(layers, "kind", "") == "images"
    schema = run_schema(None if images else str(_choice(layers, "hamiltonian.name", "ising")), layout)
    if run is None:
        layers[0] = (lower, _fitting(base, schema, layout))
    everything = resolve([("default", jsonable(defaults(schema))), *_one_duration(layers)])
    return Settings(everything, schema, resolve(upper).values)


def flag_value(text: str) -> Any:
    """The value of a flag: a number, a truth value or a list where it reads as one, else the text.

    >>> flag_value("2.5"), flag_value("critical")
    (2.5, 'critical')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _preset(name: str) -> dict[str, Any]:
    preset = PRESETS.get(name)
    if preset is None:
        return {}  # the schema refuses the name, together with every other problem
    parts = {"flow": preset.flow, "train": preset.train, "hamiltonian": preset.hamiltonian}
    return {section: jsonable(values) for section, values in parts.items()}


def _fitting(preset: Mapping[str, Any], schema: type[Config], layout: str) -> dict[str, Any]:
    """The preset without the options that the chosen Hamiltonian, layout and training do not have.

    An option of the preset's own layout does not pass to another layout that has one of the same name.
    """
    fitting = dict(preset)
    for section in ("hamiltonian", "flow", "train"):
        if section not in schema.model_fields:
            fitting.pop(section, None)
            continue
        inner: Any = schema.model_fields[section].annotation
        known = set(inner.model_fields)
        if section == "flow" and preset.get("flow", {}).get("layout") != layout:
            known &= set(inspect.signature(build_flow).parameters)
        fitting[section] = {k: v for k, v in preset.get(section, {}).items() if k in known}
    return fitting


def _choice(layers: Sequence[Layer], path: str, default: str) -> Any:
    """The value of the highest layer that sets `path`."""
    found = default
    for _, layer in layers:
        for name, value in leaves(layer):
            if name == path and isinstance(value, str):
                found = value
    return found


def _one_duration(layers: Sequence[Layer]) -> list[Layer]:
    """The highest layer that says how long to train says it alone; all flags together are one layer."""
    ranks = [len(layers) if name.startswith("--") else rank for rank, (name, _) in enumerate(layers)]
    says = [any(layer.get("train", {}).get(key) is not None for key in _DURATION) for _, layer in layers]
    highest = max((rank for rank, said in zip(ranks, says, strict=True) if said), default=-1)
    kept: list[Layer] = []
    for rank, (name, layer) in zip(ranks, layers, strict=True):
        if rank < highest and "train" in layer:
            train = {key: value for key, value in layer["train"].items() if key not in _DURATION}
            layer = {**layer, "train": train}
        kept.append((name, layer))
    return kept


def _check_tables(name: str, layer: Mapping[str, Any]) -> None:
    for section, example in _EXAMPLES.items():
        if section in layer and not isinstance(layer[section], Mapping):
            raise UsageError(
                f"{section} = {layer[section]!r} (from {name}) must be a table of settings, for example "
                f"{section}.{example}."
            )
