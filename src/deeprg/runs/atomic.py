"""Files that are either the old version or the new one, never half of each."""

import contextlib
import dataclasses
import datetime
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeprg.runs.errors import UsageError

__all__ = ["disk_error", "jsonable", "read_json", "write_bytes", "write_json", "write_text"]


def disk_error(path: str | Path, error: OSError, action: str = "write") -> UsageError:
    """The one message for a full, unwritable or missing place on disk.

    >>> str(disk_error("a/b", OSError(28, "No space left on device")))
    "cannot write 'a/b': No space left on device. Free some space or choose another place."
    """
    hint = "Free some space or choose another place." if action == "write" else "Check the path."
    return UsageError(f"cannot {action} '{path}': {error.strerror or error}. {hint}")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Replace the file at `path` by `data` in one step.

    The bytes go to a hidden file beside it, reach the disk (fsync), and only then take the name. After a
    failure the old file is as it was and no other file is left. One writer per file is assumed.

    Raises `UsageError`, naming the path, when the disk is full or the place cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.bin"
    >>> write_bytes(path, b"abc"); len(path.read_bytes())
    3
    """
    path = Path(path)
    # A fixed name: what a killed process left behind is overwritten by the next write, not accumulated.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise disk_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    # The new name must survive a power cut too; some file systems cannot sync a folder, which is no failure.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """`write_text` of `value` as strict JSON, see `jsonable`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.json"
    >>> write_json(path, {"gap": float("nan"), "shape": (4, 4)}); read_json(path)
    {'gap': None, 'shape': [4, 4]}
    """
    write_text(path, json.dumps(jsonable(value), indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The value stored in a JSON file; `UsageError` when it is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_text())
    except OSError as error:
        raise disk_error(path, error, "read") from error
    except ValueError as error:
        raise UsageError(f"'{path}' is not valid JSON: {error}. It may be damaged or foreign.") from error


def jsonable(value: Any) -> Any:
    """`value` made of what strict JSON knows.

    Tuples and sets become lists, arrays nested lists, paths and dates strings, dataclasses objects, and NaN
    and infinity null.

    >>> jsonable({"a": (1, float("inf"), Path("x"))})
    {'a': [1, None, 'x']}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    convert = getattr(value, "tolist", None)  # numpy and jax arrays and scalars, without importing either
    if callable(convert):
        return jsonable(convert())
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON: {value!r}")
