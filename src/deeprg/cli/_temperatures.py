"""Temperatures as one writes them: numbers, 'critical', grids."""

from collections.abc import Callable

from deeprg.runs.errors import UsageError, nearest

__all__ = ["parse_temperatures"]

_MOST = 10_000


def parse_temperatures(text: str, critical: Callable[[], float]) -> tuple[float, ...]:
    """The temperatures of '2.5', 'critical', '2.0,2.269,critical' or '2.0:2.6:0.05' (both ends included).

    `critical` is called where the word stands. Raises `UsageError` for anything else, for temperatures that
    are not positive, and for a step that is not positive or leads nowhere.

    >>> parse_temperatures("2.0:2.3:0.1,critical", lambda: 2.269)
    (2.0, 2.1, 2.2, 2.269, 2.3)
    """
    found: list[float] = []
    for part in text.split(","):
        word = part.strip()
        if word.lower() == "critical":
            found.append(critical())
        elif ":" in word:
            found.extend(_grid(word))
        else:
            found.append(_number(word, text))
    for value in found:
        if not 0 < value < float("inf"):
            raise UsageError(f"the temperature {value:g} must be a positive number (J = 1, k = 1).")
    return tuple(sorted(set(found)))


def _grid(text: str) -> list[float]:
    parts = [_number(word, text) for word in text.split(":")]
    if len(parts) != 3:
        raise UsageError(f"the grid '{text}' must be FIRST:LAST:STEP, for example 2.0:2.6:0.05.")
    first, last, step = parts
    if not (step > 0 and last >= first):
        raise UsageError(
            f"the grid '{text}' needs FIRST <= LAST and a STEP above 0, for example 2.0:2.6:0.05."
        )
    count = int((last - first) / step + 1e-9) + 1
    if count > _MOST:
        raise UsageError(f"the grid '{text}' has {count} temperatures; at most {_MOST} are allowed.")
    return [round(first + i * step, 12) for i in range(count)]


def _number(word: str, text: str) -> float:
    try:
        return float(word)
    except ValueError:
        hint = nearest(word.lower(), ["critical"])
        raise UsageError(
            f"'{word}' in the temperature '{text}' is no number, no 'critical' and no FIRST:LAST:STEP.{hint}"
        ) from None
