"""How observables are written for people."""

from collections.abc import Mapping
from typing import Any

__all__ = ["BAD_TAIL", "LABELS", "label", "target_name"]

BAD_TAIL = 0.7  # Pareto k above which reweighted numbers and their errors are not reliable

LABELS = {
    "abs_magnetization": "⟨|m|⟩",
    "action_per_site": "action per site",
    "energy_per_site": "energy per site",
    "field_squared": "⟨φ²⟩",
    "magnetization": "⟨m⟩",
    "magnetization_squared": "⟨m²⟩",
}


def label(name: str) -> str:
    """The label of an observable, its name where there is none.

    >>> label("abs_magnetization"), label("wilson_loop")
    ('⟨|m|⟩', 'wilson loop')
    """
    return LABELS.get(name, name.replace("_", " "))


def target_name(results: Mapping[str, Any] | None) -> str:
    """What stands behind ln Z so that two of them do not share a name: nothing, or " of the dual".

    >>> target_name({"spin_log_partition": 12.5}), target_name({})
    (' of the dual', '')
    """
    return " of the dual" if (results or {}).get("spin_log_partition") is not None else ""
