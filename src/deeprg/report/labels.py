"""How observables are written for people."""

__all__ = ["LABELS", "label"]

LABELS = {
    "absolute_magnetisation": "⟨|m|⟩",
    "action_per_site": "action per site",
    "energy_per_site": "energy per site",
    "field_squared": "⟨φ²⟩",
    "magnetisation": "⟨m⟩",
    "magnetisation_squared": "⟨m²⟩",
}


def label(name: str) -> str:
    """The label of an observable, its name where there is none.

    >>> label("absolute_magnetisation"), label("wilson_loop")
    ('⟨|m|⟩', 'wilson loop')
    """
    return LABELS.get(name, name.replace("_", " "))
