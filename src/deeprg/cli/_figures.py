"""Figures that a verb writes to a file."""

import io
import os
from pathlib import Path
from typing import Any

from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import UsageError

__all__ = ["check_figure", "check_place", "write_figure"]

_KINDS = (".png", ".svg", ".pdf")


def check_figure(path: Path | None) -> None:
    """`UsageError` for a file that cannot be a figure, before any work is done."""
    if path is not None and path.suffix not in _KINDS:
        raise UsageError(f"--out '{path}' must end in {', '.join(_KINDS)}: it is a figure.")
    check_place("--out", path)


def check_place(flag: str, path: Path | None) -> None:
    """`UsageError` for a file that cannot be written, before any work is done."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{flag} '{path}' is a folder. Give the path of a file.")
    if not path.parent.is_dir():
        raise UsageError(f"{flag} '{path}': there is no folder '{path.parent}'. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{flag} '{path}': the folder '{path.parent}' cannot be written.")


def write_figure(path: Path, figure: Any) -> None:
    """The figure in the format of the ending."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=path.suffix.removeprefix("."), dpi=160)
    write_bytes(path, buffer.getvalue())
