"""What a simulation shows while it runs, on stderr: bars with current averages, or plain lines."""

import abc
import sys
import threading
import time
from types import TracebackType
from typing import Any

from deeprg.cli._console import is_terminal, say
from deeprg.montecarlo.running import SimulationProgress
from deeprg.montecarlo.simulation import Simulation
from deeprg.report.labels import label

__all__ = ["SamplingProgress", "sampling_progress"]

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_SHOWN = ("energy_per_site", "action_per_site", "abs_magnetization")
_MOST_BARS = 12


class SamplingProgress(abc.ABC):
    """Gets the events and the progress of a simulation."""

    @abc.abstractmethod
    def event(self, text: str) -> None:
        """Something worth a line."""

    @abc.abstractmethod
    def progress(self, row: SimulationProgress) -> None:
        """One temperature has another block."""

    def __enter__(self) -> "SamplingProgress":
        return self

    @abc.abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def sampling_progress(simulation: Simulation) -> SamplingProgress:
    """The display that suits stderr."""
    return _Bars(simulation) if is_terminal(sys.stderr) else _Lines(simulation)


class _Lines(SamplingProgress):
    """One line now and then, for batch logs and notebooks; the pauses grow to half a minute."""

    def __init__(self, simulation: Simulation):
        self._total = simulation.draws * max(len(simulation.temperatures), 1)
        self._done: dict[float | None, int] = {}
        self._pause, self._next = _FIRST_PAUSE, 0.0
        self._lock = threading.Lock()

    def event(self, text: str) -> None:
        with self._lock:
            if not self._done and time.monotonic() >= self._next:
                say(f"{text}…")
                self._next = time.monotonic() + 0.5

    def progress(self, row: SimulationProgress) -> None:
        self._done[row.temperature] = row.done
        done = sum(self._done.values())
        if time.monotonic() < self._next and done < self._total:
            return
        where = "" if row.temperature is None else f"  T {row.temperature:.6g}"
        say(f"{done / self._total:4.0%}{where}  {row.done} of {row.draws} draws  {_averages(row)}")
        self._next = time.monotonic() + self._pause
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Bars(SamplingProgress):
    """A bar per temperature that is at work, and one for all."""

    def __init__(self, simulation: Simulation):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[averages]}"),
            console=Console(stderr=True),
            transient=True,
        )
        count = max(len(simulation.temperatures), 1)
        self._draws = simulation.draws
        self._all = self._progress.add_task("all", total=simulation.draws * count, averages="")
        self._tasks: dict[float | None, Any] = {}
        self._done: dict[float | None, int] = {}

    def event(self, text: str) -> None:
        if len(self._tasks) < _MOST_BARS:
            self._progress.console.print(f"{text}…", highlight=False)

    def progress(self, row: SimulationProgress) -> None:
        self._done[row.temperature] = row.done
        self._progress.update(self._all, completed=sum(self._done.values()))
        if row.temperature not in self._tasks:
            name = "draws" if row.temperature is None else f"T {row.temperature:.6g}"
            self._tasks[row.temperature] = self._progress.add_task(name, total=row.draws, averages="")
        task = self._tasks[row.temperature]
        finished = row.done >= row.draws and len(self._tasks) > 1
        self._progress.update(task, completed=row.done, averages=_averages(row), visible=not finished)

    def __enter__(self) -> "SamplingProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def _averages(row: SimulationProgress) -> str:
    shown = [name for name in _SHOWN if name in row.averages]
    return "  ".join(f"{label(name)} {row.averages[name]:.4f}" for name in shown)
