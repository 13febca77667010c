"""A kind of run that a sweep can make: how its settings are called, checked, started and summed up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeprg.runs.config import show
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import RunFolder

__all__ = ["Column", "SweepKind", "assignments"]


@dataclass(frozen=True)
class Column:
    """A number of results.json that the summary shows: places of value and error in the document."""

    label: str
    value: tuple[str, ...]
    error: tuple[str, ...] = ()

    def read(self, results: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """Value and error in the results of a run, None where they are missing."""
        return _at(results, self.value), _at(results, self.error) if self.error else None


@dataclass(frozen=True)
class SweepKind:
    """One kind of run.

    `short` are the names without a dot that a grid may have, and the settings that they mean. `check` raises
    the `UsageError` that the training would; `start` gives the arguments of the command that trains a point
    into a folder, `resume` those of the one that continues it. `temperature` is the number that the critical
    temperature had in a finished run.
    """

    name: str
    short: Mapping[str, str]
    check: Callable[[Path, Mapping[str, Any]], None]
    start: Callable[[Path, Mapping[str, Any], Path], list[str]]
    resume: Callable[[Path], list[str]]
    columns: Sequence[Column]
    temperature: Callable[[RunFolder], float]


def assignments(kind: SweepKind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted path for the values of a point; `UsageError` for a name that means nothing.

    >>> from deeprg.cli._sweep_flow import FLOW
    >>> assignments(FLOW, {"size": 8, "temperature": "critical"})
    {'hamiltonian.shape': [8, 8], 'hamiltonian.temperature': 'critical'}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = name if "." in name else kind.short.get(name)
        if path is None:
            hint = nearest(name, kind.short) or f" Known: {', '.join(kind.short)}, and any section.key."
            raise UsageError(f"a grid cannot be over '{name}': there is no such setting.{hint}")
        if path in found:
            other = next(one for one in values if one == path or kind.short.get(one) == path)
            raise UsageError(f"the grids of '{other}' and '{name}' set the same thing. Give one of them.")
        if name == "size":
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(
                    f"size = {show(value)}: the L of an L x L lattice is a whole number, 1 or more."
                )
            value = [value, value]
        found[path] = value
    return found


def _at(document: Any, path: Sequence[str]) -> float | None:
    for part in path:
        document = document.get(part) if isinstance(document, Mapping) else None
    return document if isinstance(document, int | float) else None
