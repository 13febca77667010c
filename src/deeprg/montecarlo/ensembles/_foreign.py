"""Configurations that other programs made, checked and stored as an ensemble."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.hamiltonians import XY, AbstractHamiltonian, Dimers, Ising, Potts, RandomBondIsing, build_model
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

from ._disk import new_folder
from ._sources import Source, open_source
from ._store import Ensemble

__all__ = ["import_configurations"]

_SITES_AT_ONCE = 2**22


def import_configurations(
    source: str | Path | Sequence[str | Path],
    path: str | Path,
    *,
    model: str,
    temperature: float | int | Sequence[float | int | None] | None = None,
    shape: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
    zero_one: bool = False,
) -> Ensemble:
    """Store foreign configurations as an ensemble at `path`, with their series; returned open for reading.

    A file is .npy, HDF5 (`FILE.h5:DATASET`) or text (one configuration per row, or one line of the lattice
    per row; separated by spaces or commas). Its array is [n, *shape], or [n, sites] when `shape` is given.
    For several temperatures give as many files, or one file with [temperature, n, ...]. It is read piece by
    piece, so it may be larger than the memory.

    Ising spins are ±1; 0 and 1 are taken for -1 and +1 only with `zero_one`. Potts states are 0 to q - 1,
    dimers the directions 0 to 3 of the partners. Angles are brought into [-π, π). Angles and fields keep
    float64 when the file has it.

    Autocorrelation is unknown: errors from these data take the order in the file as the order in time.

    Raises `UsageError` for files that cannot be read, shapes that do not fit, empty files, numbers that are
    not finite and values that the model does not have, with the values that were found. Nothing is left at
    `path` then.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> np.save(f"{folder}/spins.npy", np.ones((10, 4, 4), int))
    >>> spins = import_configurations(
    ...     f"{folder}/spins.npy", f"{folder}/E.zarr", model="ising", temperature=2.0)
    >>> float(spins.series("energy_per_site", 0).mean()), spins.provenance["algorithm"]
    (-2.0, 'imported')
    """
    path = Path(path)
    sources = [source] if isinstance(source, str | Path) else list(source)
    temperatures = list(temperature) if isinstance(temperature, Sequence) else [temperature]
    wanted = None if shape is None else Lattice(tuple(shape)).shape
    if not sources or not temperatures:
        raise UsageError("Give at least one file and one temperature.")
    if len(sources) not in (1, len(temperatures)):
        raise UsageError(
            f"{len(sources)} files and {len(temperatures)} temperatures do not match: give one file per "
            "temperature, or one file with the temperatures as its first axis."
        )
    with new_folder(path) as hidden, contextlib.ExitStack() as stack:
        files = _Files(
            [stack.enter_context(open_source(item, wanted)) for item in sources], len(temperatures), wanted
        )
        _import(hidden, files, temperatures, model, dict(options or {}), zero_one)
    return Ensemble.open(path)


class _Files:
    """Sources that agree on the number of configurations and the lattice."""

    def __init__(self, sources: list[Source], temperatures: int, shape: tuple[int, ...] | None):
        self.sources = sources
        self.stacked = len(sources) < temperatures
        found = {}
        for source in sources:
            axes = source.shape
            if self.stacked:
                if not axes or axes[0] != temperatures:
                    raise UsageError(
                        f"'{source.name}' has shape {axes}, but for {temperatures} temperatures in one file "
                        "the first axis must be that long. Or give one file per temperature."
                    )
                axes = axes[1:]
            found[source.name] = (axes[0] if axes else 0, _lattice_shape(source, axes, shape))
        if len(set(found.values())) > 1:
            listing = ", ".join(f"{name}: {n} of {'x'.join(map(str, s))}" for name, (n, s) in found.items())
            raise UsageError(
                f"All temperatures need equally many configurations of one shape. Found {listing}."
            )
        self.draws, self.shape = next(iter(found.values()))

    def read(self, temperature_index: int, start: int, stop: int) -> tuple[np.ndarray, str]:
        """Configurations [stop - start, *shape], and where they are, for messages."""
        source = self.sources[0 if self.stacked else temperature_index]
        index = (temperature_index, slice(start, stop)) if self.stacked else (slice(start, stop),)
        where = f"'{source.name}', configurations {start} to {stop - 1}"
        where += f" of temperature {temperature_index}" if self.stacked else ""
        return source.read(*index).reshape(stop - start, *self.shape), where

    def dtype(self) -> str:
        """The type for real numbers."""
        double = any(source.dtype.kind == "f" and source.dtype.itemsize >= 8 for source in self.sources)
        return "float64" if double else "float32"

    def describe(self) -> str:
        """The names of the files and their checksums."""
        return ", ".join(f"{source.file.name} (sha256 {source.sha256()})" for source in self.sources)


def _lattice_shape(source: Source, axes: tuple[int, ...], shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if math.prod(axes) == 0:
        raise UsageError(f"'{source.name}' is empty: its shape is {source.shape}.")
    rest = axes[1:]
    if shape is None:
        if len(rest) not in (2, 3):
            raise UsageError(
                f"'{source.name}' has shape {source.shape}, which does not tell the lattice. Give its shape, "
                "for example (16, 16), or (256,) for a chain."
            )
        return rest
    if rest not in (shape, (math.prod(shape),)):
        lead = "[temperatures, n, " if len(axes) < len(source.shape) else "[n, "
        extents = ", ".join(map(str, shape))
        raise UsageError(
            f"'{source.name}' has shape {source.shape}, which is neither {lead}{extents}] nor "
            f"{lead}{math.prod(shape)}]."
        )
    return shape


def _import(
    path: Path,
    files: _Files,
    temperatures: list[Any],
    model: str,
    options: dict[str, Any],
    zero_one: bool,
) -> None:
    import jax

    lattice = Lattice(files.shape)
    hamiltonians = [build_model(model, lattice, value, **options) for value in temperatures]
    values = _values(hamiltonians[0], zero_one)
    dtype = files.dtype() if values is None else "int8"
    block = max(1, min(files.draws, _SITES_AT_ONCE // lattice.size))
    example = jax.ShapeDtypeStruct(lattice.shape, jax.dtypes.canonicalize_dtype(dtype))
    with Ensemble.create(
        path,
        model=model,
        options=options,
        shape=lattice.shape,
        temperatures=temperatures,
        algorithm="imported",
        settings={"zero_one": zero_one},
        reason=f"imported from {files.describe()}, autocorrelation unknown",
        seed=None,
        chains=1,
        draws=files.draws,
        block=block,
        dtype=dtype,
        series=list(jax.eval_shape(hamiltonians[0].scalars, example)),
        describe=[hamiltonian.describe() for hamiltonian in hamiltonians],
    ) as ensemble:
        for t, hamiltonian in enumerate(hamiltonians):
            measure = jax.jit(jax.vmap(hamiltonian.scalars))
            for number in range(ensemble.blocks):
                found, where = files.read(t, *ensemble.block_range(number))
                x = _checked(found, where, hamiltonian, values, zero_one).astype(dtype)
                series = {name: np.asarray(v, np.float64)[:, None] for name, v in measure(x).items()}
                ensemble.append(t, x[:, None], series, expected_block=number)


def _values(hamiltonian: AbstractHamiltonian, zero_one: bool) -> tuple[int, ...] | None:
    """The values in a file that the model knows; None for real numbers."""
    spins = isinstance(hamiltonian, Ising | RandomBondIsing)
    if zero_one and not spins:
        raise UsageError("Only Ising spins can be read from 0 and 1; leave zero_one out.")
    if spins:
        return (0, 1) if zero_one else (-1, 1)
    if isinstance(hamiltonian, Potts):
        return tuple(range(hamiltonian.states))
    return (0, 1, 2, 3) if isinstance(hamiltonian, Dimers) else None


def _checked(
    found: np.ndarray,
    where: str,
    hamiltonian: AbstractHamiltonian,
    values: tuple[int, ...] | None,
    zero_one: bool,
) -> np.ndarray:
    """The configurations in the package's convention."""
    bad = np.zeros(found.shape, bool) if found.dtype.kind in "biu" else ~np.isfinite(found)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise UsageError(f"{where}: {bad.sum()} numbers are NaN or infinite, the first one at {first}.")
    if values is None:
        return _angles(found) if isinstance(hamiltonian, XY) else found
    known = np.zeros(found.shape, bool)
    for value in values:
        known |= found == value
    if not known.all():
        seen, counts = np.unique(found, return_counts=True)
        listing = ", ".join(f"{v:.6g} ({n} times)" for v, n in list(zip(seen * 1.0, counts, strict=True))[:6])
        more = f" and {len(seen) - 6} other values" if len(seen) > 6 else ""
        hint = (
            " With zero_one (--zero-one) 0 means -1." if set(seen.tolist()) <= {0, 1} and not zero_one else ""
        )
        raise UsageError(
            f"{where}: found {listing}{more}, but the model knows {', '.join(map(str, values))} only.{hint}"
        )
    x = found.astype(np.int8)
    if isinstance(hamiltonian, Dimers):
        _check_dimers(x, where, hamiltonian.lattice)
    return 2 * x - 1 if zero_one else x


def _angles(x: np.ndarray) -> np.ndarray:
    """Angles in [-π, π), also after rounding to the type of `x`."""
    wrapped = np.asarray(np.mod(x + np.pi, 2 * np.pi) - np.pi, x.dtype if x.dtype.kind == "f" else np.float64)
    return np.where(wrapped >= np.pi, wrapped.dtype.type(-np.pi), wrapped)


def _check_dimers(x: np.ndarray, where: str, lattice: Lattice) -> None:
    for direction, step in enumerate(lattice.nearest_displacements()):
        partner = np.roll(x, [-d for d in step], axis=(1, 2))
        wrong = (x == direction) & (partner != direction ^ 1)
        if wrong.any():
            raise UsageError(
                f"{where}: {wrong.sum()} dimers have one end only (direction {direction} without "
                f"{direction ^ 1} beside it). Directions: 0 = (+1, 0), 1 = (-1, 0), 2 = (0, +1), 3 = (0, -1)."
            )
