"""Figures that a verb writes to a file."""

import io
from pathlib import Path
from typing import Any

from deeprg.report.style import style
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import UsageError

__all__ = ["check_figure", "write_figure"]

_KINDS = (".png", ".svg", ".pdf")


def check_figure(path: Path | None) -> None:
    """`UsageError` for a file that cannot be a figure, before any work is done."""
    if path is not None and path.suffix not in _KINDS:
        raise UsageError(f"--out '{path}' must end in {', '.join(_KINDS)}: it is a figure.")


def write_figure(path: Path, figure: Any) -> None:
    """The figure in the format of the ending."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=path.suffix.removeprefix("."), dpi=160)
    write_bytes(path, buffer.getvalue())
