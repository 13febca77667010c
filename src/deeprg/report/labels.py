"""How observables are written for people."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "BAD_TAIL",
    "DEGENERATE",
    "LABELS",
    "axis_label",
    "label",
    "panel_title",
    "target_name",
    "temperature_label",
]

BAD_TAIL = 0.7  # Pareto k above which reweighted numbers and their errors are not reliable
DEGENERATE = 0.01  # ESS below which reweighted averages hang on few samples

LABELS = {
    "abs_magnetization": "⟨|m|⟩",
    "action_per_site": "action per site",
    "binder_cumulant": "Binder cumulant",
    "energy_per_site": "energy per site",
    "field_squared": "⟨φ²⟩",
    "magnetization": "⟨m⟩",
    "magnetization_squared": "⟨m²⟩",
    "structure_factor_min": "S(k) at the smallest k",
}

_SYMBOLS = {
    "abs_magnetization": "⟨|m|⟩",
    "action_per_site": "S / N",
    "binder_cumulant": "U₄ = 1 − ⟨m⁴⟩ / 3⟨m²⟩²",
    "correlation_length": "ξ (lattice spacings)",
    "energy_per_site": "e = E / N (units of J)",
    "field_squared": "⟨φ²⟩",
    "magnetization": "⟨m⟩",
    "magnetization_squared": "⟨m²⟩",
    "specific_heat": "c (units of k)",
    "structure_factor_min": "S(k)",
    "susceptibility": "χ = N (⟨m²⟩ − ⟨|m|⟩²) / T",
}

_TITLES = {"abs_magnetization": "Magnetization", "magnetization_squared": "Squared magnetization"}


def label(name: str) -> str:
    """The label of an observable, its name where there is none.

    >>> label("abs_magnetization"), label("wilson_loop")
    ('⟨|m|⟩', 'wilson loop')
    """
    return LABELS.get(name, name.replace("_", " "))


def panel_title(name: str) -> str:
    """The title of a figure of one observable.

    >>> panel_title("specific_heat"), panel_title("abs_magnetization")
    ('Specific heat', 'Magnetization')
    """
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def axis_label(name: str, *, averaged: bool = True) -> str:
    """The symbol of an observable and its unit; of one configuration's value when not `averaged`.

    >>> axis_label("abs_magnetization"), axis_label("abs_magnetization", averaged=False)
    ('⟨|m|⟩', '|m|')
    """
    symbol = _SYMBOLS.get(name, label(name))
    return symbol if averaged else symbol.replace("⟨", "").replace("⟩", "")


def temperature_label(temperature: float | int | None) -> str:
    """How a temperature is written; nothing for a model that has none.

    >>> temperature_label(2.269185314), temperature_label(2), temperature_label(None)
    ('T = 2.2692', 'T = 2', '')
    """
    return "" if temperature is None else f"T = {temperature:.5g}"


def target_name(results: Mapping[str, Any] | None) -> str:
    """What stands behind ln Z so that two of them do not share a name: nothing, or " of the dual".

    >>> target_name({"spin_log_partition": 12.5}), target_name({})
    (' of the dual', '')
    """
    return " of the dual" if (results or {}).get("spin_log_partition") is not None else ""
