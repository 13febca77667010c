"""One writer per ensemble, errors of the disk as messages, and folders that appear whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import UsageError

try:
    import fcntl
except ImportError:  # not on Windows, where nothing is locked
    fcntl = None

__all__ = ["WriteLock", "disk_guard", "new_folder", "remove_leftovers"]

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class WriteLock:
    """The right to write an ensemble: a `flock` on its zarr.json, which is never replaced.

    The operating system gives it back when the process ends, however it ends, so no lock is ever stale and
    no further file is needed. A file system without locks is trusted.

    Raises `UsageError` when somebody else has it, and when the file cannot be written.
    """

    def __init__(self, path: Path):
        with disk_guard(path):
            self._file = open(path / "zarr.json", "rb+")  # noqa: SIM115
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                return
            self._file.close()
            raise UsageError(
                f"'{path}' is being written by another process. Wait for it, or choose another place."
            ) from None

    def release(self) -> None:
        """Let others write."""
        self._file.close()


@contextlib.contextmanager
def disk_guard(path: Path) -> Iterator[None]:
    """Turn a failure to write below `path` into the message for it."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` for a folder that is renamed to `path` when the block succeeds.

    Otherwise it is removed. Raises `UsageError` when `path` exists already, also when it appears meanwhile.
    """
    _refuse_existing(path)
    hidden = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with disk_guard(path):
            shutil.rmtree(hidden, ignore_errors=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            yield hidden
            _refuse_existing(path)
            os.rename(hidden, path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise UsageError(f"'{path}' exists already. Choose another place, or continue it.")


def remove_leftovers(path: Path) -> None:
    """Remove what a killed writer had not finished: zarr's temporary files."""
    with disk_guard(path):
        for file in path.rglob("*.partial"):
            file.unlink(missing_ok=True)
