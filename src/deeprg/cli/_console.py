"""Where the command line writes: data to stdout, everything else to stderr."""

import json
import os
import sys
from typing import Any

__all__ = ["claim_stdout", "colour", "is_terminal", "next_step", "print_json", "say", "seconds_text", "warn"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


def is_terminal(stream: Any) -> bool:
    """Whether the stream is a terminal that can be redrawn."""
    return bool(stream.isatty()) and os.environ.get("TERM", "") not in ("dumb", "")


def colour(text: str, name: str, stream: Any) -> str:
    """The text in a colour where the stream is a terminal and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or not is_terminal(stream):
        return text
    return f"\x1b[{_CODES[name]}m{text}\x1b[0m"


def say(text: str = "") -> None:
    """One message to stderr."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """A warning to stderr."""
    say(f"{colour('warning:', 'yellow', sys.stderr)} {text}")


def next_step(*commands: str) -> None:
    """Suggest what to run next, on stderr."""
    for number, command in enumerate(commands):
        label = "next:" if number == 0 else "     "
        say(f"{colour(label, 'dim', sys.stderr)} {command}")


def print_json(document: dict[str, Any]) -> None:
    """Exactly one JSON document to stdout; NaN and infinity become null."""
    from deeprg.runs.atomic import jsonable

    print(json.dumps(jsonable(document), indent=2, allow_nan=False), flush=True)


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(5.2), seconds_text(75.0), seconds_text(3700.0)
    ('5.2 s', '1:15', '1:01:40')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"


def claim_stdout() -> None:
    """Keep stdout for data: what libraries write to file descriptor 1 behind Python's back goes to stderr."""
    sys.stdout.flush()
    data = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(data, "w", encoding="utf-8")
