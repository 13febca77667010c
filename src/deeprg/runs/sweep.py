"""Grids of settings: from `temperature=2.0:2.6:0.1` to named points, whatever the settings mean."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deeprg.runs.config import leaves, parse_assignments, show
from deeprg.runs.errors import UsageError

__all__ = ["MOST_POINTS", "Axis", "Point", "expand", "parse_axis"]

MOST_POINTS = 10_000
_LONGEST_NAME = 120
_FORMS = "FIRST:LAST (whole numbers), FIRST:LAST:STEP or FIRST:LAST/COUNT, both ends included"


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Point:
    """One combination of the values, by the names of the axes; `name` can name a folder."""

    name: str
    values: Mapping[str, Any]


def parse_axis(text: str) -> Axis:
    """The axis of 'NAME=VALUES': values and ranges separated by commas, in the order in which they stand.

    A range is FIRST:LAST of whole numbers, FIRST:LAST:STEP, or FIRST:LAST/COUNT for so many values at equal
    distances; both ends are included. Other values are TOML, a bare word is a string, and a quoted text is
    never a range. Raises `UsageError` for what cannot be read and for a value that stands twice.

    >>> parse_axis("seed=0:3").values, parse_axis("temperature=2.0:2.2:0.1,critical").values
    ((0, 1, 2, 3), (2.0, 2.1, 2.2, 'critical'))
    >>> parse_axis("train.learning_rate=0.001:0.002/3").values, parse_axis("shape=8x8,[16, 8]").values
    ((0.001, 0.0015, 0.002), ('8x8', [16, 8]))
    """
    name, equals, listed = text.partition("=")
    name = name.strip()
    if not equals or not name or not listed.strip():
        raise UsageError(
            f"the grid '{text}' is not NAME=VALUES, for example temperature=2.0,2.1 or seed=0:3."
        )
    values: list[Any] = []
    for item in _items(listed):
        values.extend(_range(item, text) if _is_range(item) else [_value(name, item)])
        if len(values) > MOST_POINTS:
            raise UsageError(f"the grid '{text}' has more than {MOST_POINTS} values. Take a larger step.")
    for place, value in enumerate(values):
        if value in values[:place]:
            raise UsageError(f"the grid '{text}' has the value {show(value)} twice. Leave one of them out.")
    return Axis(name, tuple(values))


def expand(axes: Sequence[Axis]) -> list[Point]:
    """All combinations of the values (Cartesian product), the last axis fastest, each with a name of its own.

    Raises `UsageError` without axes, when two have the same name, and for more than `MOST_POINTS` points.

    >>> grid = [parse_axis("temperature=2.0,critical"), parse_axis("flow.width=8")]
    >>> [point.name for point in expand(grid)]
    ['temperature-2.0_width-8', 'temperature-critical_width-8']
    """
    if not axes:
        raise UsageError("there is no grid. Give --grid NAME=VALUES, for example --grid temperature=2.0,2.1.")
    twice = [name for name, count in Counter(axis.name for axis in axes).items() if count > 1]
    if twice:
        raise UsageError(f"there are two grids of '{twice[0]}'. Write all its values into one.")
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST_POINTS:
        raise UsageError(f"the grids have {count} points together; at most {MOST_POINTS} are allowed.")
    labels = _labels([axis.name for axis in axes])
    combinations = list(itertools.product(*(axis.values for axis in axes)))
    names = [
        "_".join(f"{label}-{_plain(value)}" for label, value in zip(labels, values, strict=True))
        for values in combinations
    ]
    common = {name for name, times in Counter(names).items() if times > 1}
    return [
        Point(
            f"point-{number:04d}" if name in common or len(name) > _LONGEST_NAME else name,
            {axis.name: value for axis, value in zip(axes, values, strict=True)},
        )
        for number, (name, values) in enumerate(zip(names, combinations, strict=True))
    ]


def _labels(names: Sequence[str]) -> list[str]:
    """The last part of every dotted name, the whole name where two end alike."""
    short = [name.rpartition(".")[2] for name in names]
    return [name if short.count(end) > 1 else end for name, end in zip(names, short, strict=True)]


def _plain(value: Any) -> str:
    """The value with letters, digits, '.', '_' and '-' only."""
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return "x".join(map(str, value))
    text = value if isinstance(value, str) else show(value).replace("+", "")  # 1e+30
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def _items(text: str) -> Iterator[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    depth, quote, start = 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _value(name: str, item: str) -> Any:
    if not item:
        raise UsageError(f"the grid of '{name}' has an empty value: there is a comma too many.")
    ((_, value),) = leaves(parse_assignments([f"value={item}"]))
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"the grid of '{name}' has the value {item}, but values must be finite.")
    return value


def _is_range(item: str) -> bool:
    first, colon, rest = item.partition(":")
    return (
        bool(colon)
        and _number(first) is not None
        and _number(rest.replace("/", ":").split(":")[0]) is not None
    )


def _range(item: str, text: str) -> list[Any]:
    """The values of a range, both ends included."""
    bounds, slash, count = item.partition("/")
    parts = [_number(part) for part in bounds.split(":")]
    numbers = [part for part in parts if part is not None]
    if len(numbers) != len(parts) or len(parts) > (2 if slash else 3):
        raise UsageError(f"the range '{item}' in the grid '{text}' must be {_FORMS}.")
    first, last = numbers[:2]
    if slash:
        if not count.strip().isdigit() or int(count) < 2 or int(count) > MOST_POINTS:
            raise UsageError(
                f"the range '{item}' needs a whole number of values from 2 to {MOST_POINTS} after /."
            )
        points = int(count)
        return [round(first + (last - first) * i / (points - 1), 12) for i in range(points)]
    if len(numbers) == 2 and not (isinstance(first, int) and isinstance(last, int)):
        raise UsageError(
            f"the range '{item}' in the grid '{text}' has no step. Write {item}:STEP or {item}/COUNT, both "
            f"ends included; in quotes, {text.partition('=')[0]}='\"{item}\"', it is one value."
        )
    step = numbers[2] if len(numbers) == 3 else 1
    if not (step > 0 and last >= first):
        raise UsageError(f"the range '{item}' needs FIRST <= LAST and a STEP above 0: {_FORMS}.")
    steps = int((last - first) / step + 1e-9)
    if steps >= MOST_POINTS:
        raise UsageError(f"the range '{item}' has {steps + 1} values; at most {MOST_POINTS} are allowed.")
    if all(isinstance(number, int) for number in numbers):
        return list(range(int(first), int(last) + 1, int(step)))
    return [round(first + i * step, 12) for i in range(steps + 1)]


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else None
    return None
