"""Block rules as they are written on a command line: 'majority:side=3,steps=2'."""

from typing import Any

from deeprg.runs.errors import UsageError

__all__ = ["rule_options", "split_names"]


def rule_options(name: str, text: str, whole: str) -> dict[str, Any]:
    """The options of a rule from 'side=3,steps=2'; ties of a majority are broken at random unless said.

    Raises `UsageError` for what is no option and for numbers that are none; `whole` is quoted.

    >>> rule_options("majority", "side=3", "majority:side=3")
    {'side': 3, 'ties': 'random'}
    """
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"'{part}' in '{whole}' is no option; write for example {name}:side=3,steps=2.")
        if key == "ties":
            found[key] = value
            continue
        try:
            found[key] = int(value)
        except ValueError:
            raise UsageError(f"{key} = '{value}' in '{whole}' is not a whole number.") from None
    if name == "majority":
        found.setdefault("ties", "random")
    return found


def split_names(text: str) -> list[str]:
    """The names in 'majority:side=3,steps=2,average': a part that is an option stays with its name.

    >>> split_names("majority:side=3,steps=2,average,flow:runs/a")
    ['majority:side=3,steps=2', 'average', 'flow:runs/a']
    """
    names: list[str] = []
    for part in text.split(","):
        if names and "=" in part and ":" not in part:
            names[-1] += f",{part}"
        elif part:
            names.append(part.strip())
    return names
