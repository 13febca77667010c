"""How the values of flags are read, and which were given."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["given_values", "whole"]


def whole(kind: Any, tokens: Sequence[Any]) -> int:
    """The converter of every flag that takes a whole number: 1.5 is refused, not rounded."""
    text = str(tokens[0].value)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number, for example 100.") from None


def given_values(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that are not None.

    >>> given_values({"steps": 5, "minutes": None})
    {'steps': 5}
    """
    return {name: value for name, value in flags.items() if value is not None}
