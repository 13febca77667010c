"""How the values of flags are read."""

from collections.abc import Sequence
from typing import Any

__all__ = ["whole"]


def whole(kind: Any, tokens: Sequence[Any]) -> int:
    """The converter of every flag that takes a whole number: 1.5 is refused, not rounded."""
    text = str(tokens[0].value)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number, for example 100.") from None
