"""Configuration in layers: defaults < preset < TOML file < key.path=value < explicit flags.

Every leaf remembers the layer it came from. `deeprg.runs.schema` turns the result into typed values.
"""

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprg.runs.atomic import disk_error, jsonable
from deeprg.runs.errors import UsageError, nearest

__all__ = [
    "Resolved",
    "config_text",
    "difference",
    "fingerprint",
    "inside",
    "leaves",
    "load_toml",
    "parse_assignments",
    "refuse_changes",
    "resolve",
    "show",
    "to_toml",
]


@dataclass(frozen=True)
class Resolved:
    """Nested `values`, and for every leaf `a.b.c` the name of the layer that set it."""

    values: dict[str, Any]
    sources: dict[str, str]


def resolve(layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Resolved:
    """Merge named layers, lowest precedence first. A list replaces a list, only tables are merged.

    >>> resolve([("defaults", {"a": {"b": 1, "c": 2}}), ("flag", {"a": {"c": 3}})])
    Resolved(values={'a': {'b': 1, 'c': 3}}, sources={'a.b': 'defaults', 'a.c': 'flag'})
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, layer in layers:
        _merge(values, layer)
        for path, value in leaves(layer):
            if isinstance(value, Mapping) and any(inside(p, path) for p in sources):
                continue  # an empty table changes nothing
            # A leaf may replace a table or the other way round: forget where the hidden parts came from.
            for other in [p for p in sources if inside(p, path) or inside(path, p)]:
                del sources[other]
            sources[path] = name
    present = {path for path, _ in leaves(values)}
    return Resolved(values, {path: sources[path] for path in sorted(sources) if path in present})


def parse_assignments(items: Iterable[str]) -> dict[str, Any]:
    """Nested values from `key.path=value` arguments. Values are TOML; a bare word is a string.

    >>> parse_assignments(["train.steps=100", "lattice.shape=16x16", "train.batch=[[0.0, 64], [0.5, 256]]"])
    {'train': {'steps': 100, 'batch': [[0.0, 64], [0.5, 256]]}, 'lattice': {'shape': '16x16'}}
    """
    values: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        names = [name.strip() for name in key.split(".")]
        if not equals or not all(names):
            raise UsageError(
                f"'{item}' is not an assignment. Write key.path=value, for example train.steps=100."
            )
        nested: Any = _parse_value(item, text.strip())
        for name in reversed(names):
            nested = {name: nested}
        _merge(values, nested)
    return values


def _parse_value(item: str, text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
        if set(parsed) == {"value"}:
            return parsed["value"]
    except tomllib.TOMLDecodeError as error:
        if not text or text[0] in "\"'[{":
            raise UsageError(f"the value in '{item}' is not valid TOML: {error}.") from error
    return text


def load_toml(path: str | Path) -> dict[str, Any]:
    """The table in a TOML file; `UsageError` with path and line when it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise disk_error(path, error, "read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' is not valid TOML: {error}.") from error


def config_text(resolved: Resolved) -> str:
    """Every value and where it came from, one per line: the text behind `--print-config`.

    >>> print(config_text(resolve([("defaults", {"train": {"steps": 5}, "seed": 0}), ("flag", {"seed": 1})])))
    seed = 1         # flag
    train.steps = 5  # defaults
    """
    rows = sorted((f"{path} = {show(value)}", path) for path, value in leaves(resolved.values))
    width = max((len(text) for text, _ in rows), default=0)
    return "\n".join(f"{text:<{width}}  # {resolved.sources.get(path, 'unknown')}" for text, path in rows)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The leaves in which two configurations differ: path -> (old, new), None where it is absent.

    >>> difference({"a": {"b": 1}, "c": [1, 2]}, {"a": {"b": 2}, "c": (1, 2)})
    {'a.b': (1, 2)}
    """
    before, after = dict(leaves(jsonable(old))), dict(leaves(jsonable(new)))
    changes = {path: (before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys())}
    return {path: pair for path, pair in changes.items() if pair[0] != pair[1]}


def refuse_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, allowed: Iterable[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """The changes between a run's configuration and a new one when all are allowed, else `UsageError`.

    `allowed` names leaves or whole tables (`train` allows `train.steps`).

    >>> refuse_changes({"train": {"steps": 1}}, {"train": {"steps": 2}}, allowed=["train.steps"])
    {'train.steps': (1, 2)}
    """
    allowed = list(allowed)
    known = {path for values in (old, new) for path, _ in leaves(jsonable(values))}
    for name in allowed:
        if not any(path == name or inside(path, name) for path in known):
            raise UsageError(
                f"cannot allow a change of '{name}': there is no such key.{nearest(name, known)}"
            )
    changes = difference(old, new)
    refused = {
        path: pair
        for path, pair in changes.items()
        if not any(path == name or inside(path, name) for name in allowed)
    }
    if refused:
        lines = [f"  {path}: {show(a)} -> {show(b)}" for path, (a, b) in refused.items()]
        raise UsageError(
            "the configuration differs from the one that the run was started with:\n"
            + "\n".join(lines)
            + "\nStart a new run, or name the keys that may change with --allow-change."
        )
    return changes


def fingerprint(values: Mapping[str, Any]) -> str:
    """A short hash of a configuration, the same for equal values in any order.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(jsonable(values), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_toml(values: Mapping[str, Any]) -> str:
    """Nested values as TOML text; None, which TOML does not know, is left out.

    >>> print(to_toml({"seed": 1, "train": {"steps": 5, "minutes": None}}), end="")
    seed = 1
    <BLANKLINE>
    [train]
    steps = 5
    """
    return "\n".join(_toml_tables(jsonable(values), ()))


def _toml_tables(table: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    plain = {k: v for k, v in table.items() if v is not None and not isinstance(v, Mapping)}
    if plain:
        header = f"[{'.'.join(map(_toml_key, names))}]\n" if names else ""
        yield header + "".join(f"{_toml_key(key)} = {show(value)}\n" for key, value in plain.items())
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _toml_tables(value, (*names, key))


def _quote(text: str) -> str:
    # JSON strings are TOML strings, but for the one control character that JSON does not escape.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quote(key)


def show(value: Any) -> str:
    """A value as TOML would write it on one line."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(k)} = {show(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if isinstance(value, str):
        return _quote(value)
    return "none" if value is None else json.dumps(jsonable(value), ensure_ascii=False)


def _merge(target: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            inner = target.get(key)
            target[key] = inner if isinstance(inner, dict) else {}
            _merge(target[key], value)
        else:
            target[key] = value


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The pairs (dotted path, value) of nested values; an empty table counts as a value."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def inside(path: str, table: str) -> bool:
    """Whether the dotted `path` lies in the table of that path."""
    return path.startswith(f"{table}.")
