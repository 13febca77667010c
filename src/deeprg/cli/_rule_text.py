"""Block rules as they are written on a command line: 'majority:side=3,steps=2'."""

from collections.abc import Sequence
from typing import Any

from deeprg.coarsegrain import BLOCK_RULES, check_block_options
from deeprg.runs.errors import UsageError

__all__ = ["refuse_twice", "rule_options", "split_names"]


def rule_options(name: str, text: str, whole: str) -> dict[str, Any]:
    """The options of a rule or a run from 'side=3,steps=2'; a majority breaks ties at random unless said.

    Raises `UsageError` for what is no option of it and for numbers that are none; `whole` is quoted.

    >>> rule_options("majority", "side=3", "majority:side=3")
    {'side': 3, 'ties': 'random'}
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"'{part}' in '{whole}' is no option; write for example {name}:side=3,steps=2.")
        given[key] = value
    if name in BLOCK_RULES:
        check_block_options(name, given)
    elif unknown := [key for key in given if key != "depth"]:
        raise UsageError(f"'{unknown[0]}' in '{whole}' is no option of a run; it has depth, {name}:depth=1.")
    found: dict[str, Any] = {}
    for key, value in given.items():
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


def refuse_twice(names: Sequence[str]) -> None:
    """`UsageError` for a coarse-graining that is named twice.

    >>> refuse_twice(["majority", "majority:side=4"])
    """
    for number, name in enumerate(names):
        if name in names[:number]:
            raise UsageError(f"'{name}' is named twice; name every coarse-graining once.")


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
