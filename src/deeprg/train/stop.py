"""Stopping a training politely: signals become a request that the loop sees at the next step."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["REASONS", "StopRequest"]

REASONS = ("time", "interrupt", "sigterm")


class StopRequest:
    """Turns SIGTERM and the first Ctrl-C into `reason`; a second Ctrl-C raises `KeyboardInterrupt` at once.

    The former handlers return when the `with` block ends. Outside the main thread, where Python allows no
    handlers, only `request` works.

    >>> with StopRequest() as stop:
    ...     stop.request("time")
    >>> stop.reason
    'time'
    """

    def __init__(self):
        self.reason: str | None = None
        self._before: dict[int, Any] = {}

    def request(self, reason: str) -> None:
        """Ask to stop; the first reason (one of `REASONS`) is kept."""
        if reason not in REASONS:
            raise ValueError(f"the reason to stop is {reason!r} but must be one of {REASONS}")
        self.reason = self.reason or reason

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and self.reason == "interrupt":
            raise KeyboardInterrupt
        self.request("interrupt" if number == signal.SIGINT else "sigterm")

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # None: it was not installed from Python and cannot be given back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()
