"""What a sweep shows while it runs, on stderr: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from deeprg.cli._console import is_terminal, say, seconds_text
from deeprg.cli._sweep_folder import SweepFolder

__all__ = ["Running", "SweepProgress", "running"]

_FIRST_PAUSE, _LONGEST_PAUSE, _REDRAW = 2.0, 30.0, 1.0
_DEAD = 30.0  # seconds without a heartbeat
_MOST_LINES = 12


@dataclass(frozen=True)
class Running:
    """A point at work: the fraction of its training that is done, its step, and the seconds left."""

    name: str
    progress: float
    step: int
    seconds_left: float | None


def running(sweep: SweepFolder, names: Sequence[str]) -> list[Running]:
    """The points among `names` that are being trained, by their run folders."""
    found = []
    for name in names:
        if sweep.state(name) == "running":
            folder = sweep.folder(name)
            last = (folder.metrics() or [{}])[-1]
            if folder.status()["age"] < _DEAD:
                step, part = last.get("step", 0), last.get("progress", 0.0)
                found.append(Running(name, part, step, last.get("seconds_left")))
    return found


class SweepProgress:
    """Says what happens; `look` reads the points now and then and shows those at work where that is news."""

    def __init__(self, sweep: SweepFolder):
        self._sweep = sweep
        self._live: Any = None
        self._said = ""
        self._pause, self._next = _FIRST_PAUSE, time.monotonic() + _FIRST_PAUSE
        if is_terminal(sys.stderr):
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=2, transient=True)

    def event(self, text: str) -> None:
        """A line, above the table where there is one."""
        if self._live is None:
            say(text)
        else:
            self._live.console.print(text, highlight=False, markup=False)

    def look(self, waiting: Sequence[str], counts: str) -> None:
        """Show those of the points that are at work, when the last time is long enough ago."""
        if time.monotonic() < self._next:
            return
        at_work = running(self._sweep, waiting)
        if self._live is not None:
            self._next = time.monotonic() + _REDRAW
            self._live.update(self._table(at_work, counts))
            return
        self._next = time.monotonic() + self._pause
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)
        some = "; ".join(f"{one.name} {one.progress:.0%}" for one in at_work[:3])
        more = f"; {len(at_work) - 3} more" if len(at_work) > 3 else ""
        line = f"{counts}, {len(at_work)} at work{f' ({some}{more})' if some else ''}"
        if line != self._said:
            say(line)
        self._said = line

    def _table(self, at_work: Sequence[Running], counts: str) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for one in at_work[:_MOST_LINES]:
            left = "" if one.seconds_left is None else f"{seconds_text(one.seconds_left)} left"
            left = "judging the weights" if one.progress >= 1.0 else left
            bar = ProgressBar(total=1.0, completed=min(one.progress, 1.0), width=24)
            table.add_row(one.name, bar, f"step {one.step}", left)
        more = len(at_work) - _MOST_LINES
        return Group(table, f"{counts}{f', {more} more at work' if more > 0 else ''}")

    def __enter__(self) -> "SweepProgress":
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
