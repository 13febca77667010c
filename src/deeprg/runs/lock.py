"""One process at a time: a lock that the operating system gives back however its holder ends."""

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path

from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import UsageError

try:
    import fcntl
except ImportError:  # not on Windows, where nothing is locked
    fcntl = None

__all__ = ["exclusive"]

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_PAUSE = 0.1


@contextlib.contextmanager
def exclusive(path: str | Path, message: str, *, wait: float = 0.0) -> Iterator[None]:
    """Within the block no other process has the lock at `path`, a file that is made where it is missing.

    Waits up to `wait` seconds. A lock is never stale: the death of its holder frees it. A file system without
    locks is trusted. Raises `UsageError` with the `message` when somebody else has it, and where the file
    cannot be written.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "lock"
    >>> with exclusive(place, "first"):
    ...     with exclusive(place, "it is taken."):
    ...         pass
    Traceback (most recent call last):
    deeprg.runs.errors.UsageError: it is taken.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "ab")  # noqa: SIM115
    except OSError as error:
        raise disk_error(path, error) from error
    with file:
        deadline = time.monotonic() + wait
        while fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno in _NO_LOCKS_HERE:
                    break
                if time.monotonic() >= deadline:
                    raise UsageError(message) from None
                time.sleep(_PAUSE)
        yield
