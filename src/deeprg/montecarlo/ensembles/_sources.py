"""Arrays in files of other programs, read piece by piece: .npy, HDF5 and text."""

import abc
import contextlib
import hashlib
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import UsageError, nearest

__all__ = ["Source", "open_source"]

_HDF5_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".nc")


class Source(abc.ABC):
    """An array in a file: `file`, `name` (for messages), `shape`, `dtype`, and parts of it."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @abc.abstractmethod
    def read(self, *index: int | slice) -> np.ndarray:
        """The part `array[index]`, as it is in the file."""

    def sha256(self) -> str:
        """The checksum of the whole file."""
        with open(self.file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def open_source(source: str | Path, lattice_shape: tuple[int, ...] | None) -> Iterator[Source]:
    """The array that `source` names: a .npy file, `FILE.h5:DATASET`, or a text file of numbers.

    The kind is recognised by content. Raises `UsageError` for what is missing, unreadable or something else.
    """
    file, dataset = _split(str(source))
    try:
        with open(file, "rb") as stream:
            start = stream.read(8)
        with contextlib.ExitStack() as stack:
            if start[:6] == b"\x93NUMPY":
                opened: Source = _NumpySource(file)
            elif _is_hdf5(file):
                opened = stack.enter_context(_hdf5(file, dataset))
            elif start[:4] == b"PK\x03\x04":
                raise UsageError(f"'{file}' is a .npz or zip archive. Save the one array of it as .npy.")
            else:
                opened = stack.enter_context(contextlib.closing(_TextSource(file, lattice_shape)))
            if opened.dtype.kind not in "biuf":
                raise UsageError(f"'{opened.name}' holds {opened.dtype}, not real numbers.")
            yield opened
    except OSError as error:
        raise disk_error(file, error, "read") from error


def _split(source: str) -> tuple[Path, str | None]:
    file, colon, dataset = source.rpartition(":")
    if colon and not os.path.exists(source) and file.lower().endswith(_HDF5_ENDINGS):
        return Path(file), dataset
    return Path(source), None


def _is_hdf5(file: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(file))


class _NumpySource(Source):
    def __init__(self, file: Path):
        try:
            self._array = np.load(file, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise UsageError(f"'{file}' cannot be read as .npy: {error}. It may be cut short.") from error
        self.file, self.name = file, str(file)
        self.shape, self.dtype = self._array.shape, self._array.dtype

    def read(self, *index: int | slice) -> np.ndarray:
        return np.asarray(self._array[index])


class _Hdf5Source(Source):
    def __init__(self, file: Path, dataset: object, name: str):
        self._dataset: object = dataset
        self.file, self.name = file, f"{file}:{name}"
        self.shape, self.dtype = dataset.shape, dataset.dtype  # type: ignore[attr-defined]

    def read(self, *index: int | slice) -> np.ndarray:
        return self._dataset[index]  # type: ignore[index]


@contextlib.contextmanager
def _hdf5(file: Path, name: str | None) -> Iterator[Source]:
    import h5py

    with h5py.File(file, "r") as opened:
        found: dict[str, h5py.Dataset] = {}

        def collect(path: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim:
                found[path] = item

        opened.visititems(collect)
        listing = ", ".join(f"{path} {item.shape}" for path, item in found.items()) or "none"
        if name is None:
            if len(found) != 1:
                raise UsageError(
                    f"'{file}' holds {len(found)} arrays; write FILE:NAME to choose one. Arrays: {listing}."
                )
            name = next(iter(found))
        name = name.strip("/")
        if name not in found:
            raise UsageError(f"'{file}' has no array '{name}'.{nearest(name, found)} Arrays: {listing}.")
        yield _Hdf5Source(file, found[name], name)


class _TextSource(Source):
    """Numbers in rows, separated by spaces or commas, or digits 0 and 1 side by side.

    A row is one configuration, or, when it is as long as the last extent of the lattice, one line of one.
    Empty lines and what follows a # are left out.
    """

    def __init__(self, file: Path, lattice_shape: tuple[int, ...] | None):
        self.file, self.name, self.dtype = file, str(file), np.dtype(np.float64)
        rows = columns = 0
        self._digits = False
        for row in self._rows():
            if not rows:
                parts = row.split()
                self._digits = len(parts) == 1 and len(row) > 1 and set(row) <= {"0", "1"}
                columns = len(row) if self._digits else len(parts)
            rows += 1
        size = math.prod(lattice_shape) if lattice_shape else columns
        self._group = 1
        if lattice_shape and columns == lattice_shape[-1] != size:
            self._group = size // columns
            if rows % self._group:
                raise UsageError(
                    f"'{file}' has {rows} rows of {columns} numbers, which is no multiple of the "
                    f"{self._group} rows of one configuration."
                )
        self._columns = columns
        self.shape = (rows // self._group, columns * self._group)
        self._next, self._position = self._rows(), 0

    def close(self) -> None:
        self._next.close()  # type: ignore[attr-defined]

    def _rows(self) -> Iterator[str]:
        try:
            with open(self.file, encoding="utf-8") as stream:
                for line in stream:
                    row = line.partition("#")[0].replace(",", " ").strip()
                    if row:
                        yield row
        except UnicodeDecodeError:
            raise UsageError(
                f"'{self.file}' is neither .npy nor HDF5 nor text. Convert it to one of these."
            ) from None

    def read(self, *index: int | slice) -> np.ndarray:
        start, stop = index[0].start, index[0].stop  # type: ignore[union-attr]
        if len(index) > 1 or start != self._position:
            raise RuntimeError("text can only be read in order")
        self._position = stop
        rows = list(itertools.islice(self._next, (stop - start) * self._group))
        if self._digits:
            rows = [" ".join(row) for row in rows]
        try:
            numbers = np.loadtxt(rows, dtype=np.float64, ndmin=2)
            if numbers.shape[1] != self._columns:
                raise ValueError(f"rows have {numbers.shape[1]} numbers, the first one has {self._columns}")
        except ValueError as error:
            raise UsageError(
                f"'{self.file}': rows {start * self._group + 1} to {stop * self._group} (without empty ones) "
                f"are not a table of numbers: {error}."
            ) from error
        return numbers.reshape(stop - start, -1)
