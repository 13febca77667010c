"""The run folder of a study, which is gone again when the study fails before it has results."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

__all__ = ["study_folder"]

_MADE = ("config.toml", "resolved.json", "env.json", "status.json")


@contextlib.contextmanager
def study_folder(
    out: Path | None, *, name: str, resolved: Mapping[str, Any], environment: Mapping[str, Any]
) -> Iterator[RunFolder]:
    """A new run folder at `out`, or the next free `runs/name-NNN`.

    A study has no checkpoints and cannot be continued: when the block fails before results.json is written,
    all that was made is removed, an empty folder given as `out` stays.

    Raises:
        UsageError: `out` exists and is not empty; the disk is full or unwritable.
    """
    place = Path("runs") / name if out is None else out
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not an empty folder. Choose another place with --out.")
    kept = {folder for folder in (place, *place.parents) if folder.exists()}
    with contextlib.ExitStack() as undo:
        with RunFolder.create(out, name=name, resolved=resolved, environment=environment) as run:
            undo.callback(_remove, run, kept)
            yield run
        undo.pop_all()


def _remove(run: RunFolder, kept: set[Path]) -> None:
    if (run.path / "results.json").exists():
        return
    for file in _MADE:
        (run.path / file).unlink(missing_ok=True)
    for folder in (run.checkpoints, run.path, *run.path.parents):
        if folder in kept:
            return
        try:
            folder.rmdir()
        except OSError:  # somebody else uses it by now
            return
