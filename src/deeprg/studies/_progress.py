"""What a study says while it trains: one line now and then, and how long a compilation takes."""

import time
from collections.abc import Callable
from typing import Any

__all__ = ["told"]

_PAUSE = 10.0


def told(
    say: Callable[[str], None],
    what: str,
    *,
    number: str = "reconstruction_error",
    label: str = "reconstruction error",
) -> dict[str, Any]:
    """Options of a training loop: its events and, every ten seconds, its course with one `number` of it.

    >>> lines = []
    >>> told(lines.append, "layer 1")["on_event"]("compiled the step for batch 10 in 2.0 s")
    >>> lines
    ['  layer 1: compiled the step for batch 10 in 2.0 s']
    """
    last = time.monotonic()

    def on_event(text: str) -> None:
        if text.startswith("compiled"):
            say(f"  {what}: {text}")

    def on_chunk(record: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= _PAUSE:
            last = time.monotonic()
            say(
                f"  {what}: step {record['step']}, {label} {record[number]:.4f}, "
                f"{record['seconds_left']:.0f} s left"
            )

    return {"on_event": on_event, "on_chunk": on_chunk}
