"""What a training shows while it runs, on stderr: a live panel on a terminal, plain lines elsewhere."""

import abc
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from deeprg.cli._console import is_terminal, say, seconds_text

__all__ = ["PlainProgress", "Progress", "progress"]

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0


class Progress(abc.ABC):
    """Gets the events and records of a training, and the state of an evaluation."""

    @abc.abstractmethod
    def event(self, text: str) -> None:
        """Something worth a line."""

    @abc.abstractmethod
    def record(self, record: Mapping[str, Any]) -> None:
        """A record of the training loop."""

    @abc.abstractmethod
    def sampled(self, done: int, total: int) -> None:
        """So many samples of an evaluation are drawn."""

    @abc.abstractmethod
    def __enter__(self) -> "Progress": ...

    @abc.abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress(exact_free_energy: float | None) -> Progress:
    """The progress display that suits stderr."""
    return _Live(exact_free_energy) if is_terminal(sys.stderr) else PlainProgress(exact_free_energy)


class PlainProgress(Progress):
    """One line now and then, for batch logs and notebooks; the pauses grow to half a minute."""

    def __init__(self, exact_free_energy: float | None):
        self.exact = exact_free_energy
        self._pause = _FIRST_PAUSE
        self._next = -float("inf")

    def event(self, text: str) -> None:
        """The text on a line."""
        say(f"{text}…" if text.startswith("compiling") else text)

    def record(self, record: Mapping[str, Any]) -> None:
        """A line when the last one is long enough ago."""
        if time.monotonic() < self._next and record["progress"] < 1.0:
            return
        say("  ".join(f"{name} {value}" for name, value in _columns(record, self.exact)))
        self._next = time.monotonic() + self._pause
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)

    def sampled(self, done: int, total: int) -> None:
        """A line at the beginning and at the end."""
        if done >= total:
            say(f"drew {total} samples")

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Live(Progress):
    """A panel with the numbers and a bar, redrawn in place."""

    def __init__(self, exact_free_energy: float | None):
        from rich.console import Console
        from rich.live import Live

        self.exact = exact_free_energy
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, refresh_per_second=4, transient=True)

    def event(self, text: str) -> None:
        """The text above the panel."""
        self.console.print(f"{text}…" if text.startswith("compiling") else text, highlight=False)

    def record(self, record: Mapping[str, Any]) -> None:
        """The panel with these numbers."""
        from rich.console import Group
        from rich.table import Table

        table = Table.grid(padding=(0, 3))
        columns = _columns(record, self.exact)
        table.add_row(*(f"[dim]{name}[/dim]" for name, _ in columns))
        table.add_row(*(_emphasis(name, value, record) for name, value in columns))
        self.live.update(Group(table, self._bar(record["progress"])))

    def sampled(self, done: int, total: int) -> None:
        """A bar of samples."""
        from rich.console import Group

        self.live.update(Group(f"drawing samples  {done} of {total}", self._bar(done / total)))

    def _bar(self, fraction: float) -> Any:
        from rich.progress_bar import ProgressBar

        return ProgressBar(total=1.0, completed=min(fraction, 1.0), width=min(60, self.console.width))

    def __enter__(self) -> "_Live":
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)


def _emphasis(name: str, value: str, record: Mapping[str, Any]) -> str:
    if name == "skipped" or (name == "free energy" and record.get("skipped")):
        return f"[bold red]{value}[/bold red]"
    return f"[bold]{value}[/bold]" if name in ("gap", "free energy") else value


def _columns(record: Mapping[str, Any], exact: float | None) -> list[tuple[str, str]]:
    """Names and texts of what is shown for a record of the loop."""
    if "reconstruction_error" in record:
        return _boltzmann_columns(record) + _clock_columns(record)
    if "held_out_nll" in record:
        return _density_columns(record) + _clock_columns(record)
    if "information" in record:
        columns = [("step", str(record["step"])), ("bound of I(H:E)", f"{record['information']:.3f} nats")]
        return columns + _clock_columns(record)
    value = record.get("free_energy", record["loss"])
    error = record.get("loss_error")
    spread = f" ± {error:.2g}" if error is not None and error == error else ""
    columns = [("step", str(record["step"])), ("free energy", f"{value:.3f}{spread}")]
    if exact is not None:
        columns.append(("gap", f"{value - exact:.3f} nats"))
    if "ess" in record:
        columns.append(("ESS (batch)", f"{record['ess']:.3f}"))
    return columns + _clock_columns(record)


def _density_columns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a training on data says: batches with the current weights, held-out rows with averaged ones."""
    columns = [
        ("step", str(record["step"])),
        ("−ln q", f"{record['loss']:.3f}"),
        ("held out", f"{record['held_out_nll']:.3f} nats"),
    ]
    if "held_out_kl" in record:
        columns.append(("KL(π|q)", f"{record['held_out_kl']:.3f} nats"))
    if "held_out_bits" in record:
        columns.append(("bits/dim", f"{record['held_out_bits']:.4f}"))
    return columns


def _boltzmann_columns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the monitors of a Boltzmann machine say."""
    columns = [("step", str(record["step"])), ("reconstruction", f"{record['reconstruction_error']:.4f}")]
    if "log_likelihood" in record:
        held_out = record.get("log_likelihood_held_out")
        other = "" if held_out is None else f" (held out {held_out:.2f})"
        columns.append(
            ("ln p", f"{record['log_likelihood']:.2f}{other} ± {record['log_partition_error']:.2g}")
        )
    elif "pseudo_likelihood" in record:
        columns.append(("pseudo-likelihood", f"{record['pseudo_likelihood']:.2f} nats"))
    if "free_energy_gap" in record:
        columns.append(("gap to held-out", f"{record['free_energy_gap']:.3f} nats"))
    return [*columns, ("largest mode of W", f"{record['singular_value_1']:.3f}")]


def _clock_columns(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    columns = [("rate", f"{record['steps_per_second']:.3g} step/s")]
    columns.append(("left", seconds_text(record["seconds_left"])))
    if record.get("skipped"):
        columns.append(("skipped", str(record["skipped"])))
    return columns
