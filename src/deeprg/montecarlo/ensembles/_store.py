"""Writing an ensemble: creation, blocks, extension."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import zarr

from deeprg.lattice import Lattice
from deeprg.runs.atomic import jsonable
from deeprg.runs.environment import describe_environment
from deeprg.runs.errors import NumericalError, UsageError

from ._disk import WriteLock, disk_guard, new_folder, remove_leftovers
from ._layout import (
    CONFIGURATIONS,
    DONE,
    DTYPES,
    FORMAT,
    SCHEMA_VERSION,
    SEGMENTS,
    block_edges,
    check_names,
    check_sizes,
    create_info,
    create_layout,
    numeric_state,
    open_array,
)
from ._reading import EnsembleReader, open_group

__all__ = ["Ensemble"]


class Ensemble(EnsembleReader):
    """Configurations, series and sampler state in one zarr group. Use `Ensemble.create` and `Ensemble.open`.

    ```
    configurations   [temperature, chain, draw, x0, x1, ...]   one chunk per temperature and block
    energy_per_site  [temperature, chain, draw]                and the other series, float64
    temperature, chain                                         coordinates
    blocks_done      [temperature]                             written last: what it counts is valid
    state/           [2, temperature, ...]                     block k fills slot k mod 2
    info/            [temperature, block]                      acceptance, seconds, ... of each block
    ```

    A process may be killed at any moment: `blocks_done` is then the old number or the new one, and the
    sampler state that belongs to it is on disk. One writer at a time (a second is refused), many readers; a
    reader sees what was finished when it opened. Threads may share a writer.

    `provenance` tells what was sampled and how.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/E.zarr"
    >>> spins = np.where(np.arange(32).reshape(2, 1, 4, 4) % 3 == 0, -1, 1).astype(np.int8)
    >>> with Ensemble.create(path, model="ising", shape=(4, 4), temperatures=[2.0], algorithm="wolff", seed=1,
    ...                      chains=1, draws=4, block=2, series=["magnetization"]) as ensemble:
    ...     ensemble.append(0, spins, {"magnetization": spins.mean(axis=(2, 3))})
    >>> again = Ensemble.open(path)
    >>> again.valid_draws(0), again.draws, again.configurations(0).shape
    (2, 4, (1, 2, 4, 4))
    >>> again.series("magnetization", 0).tolist()
    [[0.25, 0.375]]
    """

    def __init__(self, path: str | Path, *, writable: bool = False):
        open_group(Path(path), "r")
        self._lock = WriteLock(Path(path)) if writable else None
        self._threads = threading.Lock()
        try:
            if writable:
                remove_leftovers(Path(path))
            super().__init__(path, mode="r+" if writable else "r")
            if writable:
                self._resize(self.draws)  # an extension that was cut short
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        model: str,
        options: Mapping[str, Any] | None = None,
        shape: Sequence[int],
        temperatures: Sequence[float | int | None],
        algorithm: str,
        settings: Mapping[str, Any] | None = None,
        seed: int | None,
        chains: int,
        draws: int,
        block: int,
        thin: int = 1,
        thermalise: int = 0,
        dtype: str = "int8",
        series: Sequence[str],
        state: Mapping[str, Any] | None = None,
        keep_configurations: bool = True,
        describe: Sequence[str] = (),
        reason: str = "",
        environment: Mapping[str, Any] | None = None,
    ) -> "Ensemble":
        """A new ensemble, open for writing. The folder appears whole or not at all.

        Args:
            path: the new folder, by custom NAME.zarr; must not exist.
            model: name for `build_model`.
            options: its options.
            shape: of the lattice.
            temperatures: one per Hamiltonian; None for a model without.
            algorithm: name of the sampler.
            settings: of the sampler.
            seed: of the sampler.
            chains: independent chains at each temperature.
            draws: configurations per chain that are wanted; `extend` asks for more.
            block: draws per block, the unit of writing and of resuming.
            thin: updates between kept configurations.
            thermalise: updates dropped before the first.
            dtype: int8 (spins, states), or float32 or float64 (angles, fields).
            series: names of the numbers kept of every configuration.
            state: the sampler state of ONE temperature, as an example of shapes and types.
            keep_configurations: False keeps series only.
            describe: `describe()` of each Hamiltonian.
            reason: why this algorithm.
            environment: from `describe_environment`; by default without devices.

        Raises `UsageError` for impossible numbers or names, an existing path, and a full disk.
        """
        path = Path(path)
        shape = Lattice(tuple(shape)).shape
        check_sizes(chains=chains, draws=draws, block=block, thin=thin, temperatures=len(temperatures))
        check_names(series)
        if not keep_configurations and not series:
            raise UsageError("An ensemble without configurations needs at least one series.")
        if dtype not in DTYPES:
            raise UsageError(f"Configurations are stored as {', '.join(DTYPES)}, not {dtype}.")
        arrays = numeric_state(state or {})
        if environment is None:
            environment = describe_environment(devices=(), seed=seed)
        provenance = {
            "model": model,
            "options": dict(options or {}),
            "shape": shape,
            "temperatures": [None if value is None else float(value) for value in temperatures],
            "describe": list(describe),
            "algorithm": algorithm,
            "settings": dict(settings or {}),
            "reason": reason,
            "seed": seed,
            "chains": chains,
            "block": block,
            "thin": thin,
            "thermalise": thermalise,
            "environment": dict(environment),
        }
        attributes = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "arrays": [*([CONFIGURATIONS] if keep_configurations else []), *series],
            "state": list(arrays),
            "provenance": jsonable(provenance),
        }
        with new_folder(path) as hidden:
            create_layout(
                zarr.open_group(hidden, mode="w", zarr_format=3, attributes=attributes),
                shape=shape,
                temperatures=[1.0 if value is None else float(value) for value in temperatures],
                chains=chains,
                draws=draws,
                block=block,
                dtype=dtype if keep_configurations else None,
                series=series,
                state=arrays,
            )
        return cls(path, writable=True)

    @classmethod
    def open(cls, path: str | Path, *, writable: bool = False) -> "Ensemble":
        """The ensemble at `path`.

        Raises `UsageError` when there is none, when another version wrote it, when files are missing (those
        of every finished block are looked for, checksums are compared on reading), and, for writing, when
        somebody else writes it.
        """
        return cls(path, writable=writable)

    def append(
        self,
        temperature_index: int,
        configurations: np.ndarray | None,
        series: Mapping[str, np.ndarray],
        state: Mapping[str, Any] | None = None,
        info: Mapping[str, Any] | None = None,
        *,
        expected_block: int | None = None,
    ) -> None:
        """Write the next block of one temperature.

        Args:
            temperature_index: which temperature.
            configurations: [draws, chains, *shape] in the type of the ensemble; None when none are kept.
            series: [draws, chains] for every name.
            state: of the sampler after this block, at this temperature.
            info: numbers about this block, by name; new names may appear.
            expected_block: the number of this block, to be refused when another one is next.

        Raises `UsageError` for a block that does not fit and for a full disk (nothing is lost then, the
        block can be written again), `NumericalError` for numbers that are not finite.
        """
        if self._lock is None:
            raise UsageError(f"'{self.path}' is open for reading only. Open it with writable=True.")
        t = self._index(temperature_index)
        number = int(self._done[t])
        if expected_block is not None and expected_block != number:
            raise UsageError(
                f"Block {expected_block} cannot be written to '{self.path}' at temperature {t}: "
                f"the next one is {number}."
            )
        start, stop = self.block_range(number)
        arrays = self._draws_arrays(configurations, series, stop - start)
        states = self._state_arrays(state)
        with self._threads, disk_guard(self.path):
            for name, values in arrays.items():
                self._arrays[name][t, :, start:stop] = np.swapaxes(values, 0, 1)
            for name, value in (info or {}).items():
                self._info_array(name)[t, number] = float(value)
            for name, value in states.items():
                self._arrays[f"state/{name}"][number % 2, t] = value
            self._set_done(t, number + 1)

    def extend(self, draws: int) -> None:
        """Ask for `draws` configurations per chain in all; those that are there stay.

        The result equals that of a single run to `draws` when the old number was a multiple of the block.
        Raises `UsageError` for fewer than before and for an ensemble without sampler state.
        """
        if self._lock is None:
            raise UsageError(f"'{self.path}' is open for reading only. Open it with writable=True.")
        if draws < self.draws:
            raise UsageError(f"'{self.path}' has {self.draws} draws per chain already; {draws} are fewer.")
        if not self._meta["state"]:
            raise UsageError(f"'{self.path}' cannot be extended: it holds no sampler state to continue from.")
        if draws == self.draws:
            return
        segments = [*self._segments, draws]
        self._resize(draws)
        with self._threads, disk_guard(self.path):
            self._arrays[DONE].update_attributes({SEGMENTS: segments})
        self._segments, self._edges = segments, block_edges(segments, self.block)

    def close(self) -> None:
        """Let others write. Reading goes on."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> "Ensemble":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draws_arrays(
        self, configurations: np.ndarray | None, series: Mapping[str, np.ndarray], draws: int
    ) -> dict[str, np.ndarray]:
        given = {**({} if configurations is None else {CONFIGURATIONS: configurations}), **series}
        if given.keys() != set(self._meta["arrays"]):
            raise UsageError(
                f"A block of '{self.path}' needs {', '.join(self._meta['arrays'])}, but got "
                f"{', '.join(given) or 'nothing'}."
            )
        arrays = {name: np.asarray(value) for name, value in given.items()}
        for name, values in arrays.items():
            array = self._arrays[name]
            expected = (draws, self.chains, *array.shape[3:])
            if values.shape != expected:
                raise UsageError(f"The block '{name}' has shape {values.shape}, not {expected}.")
            if name == CONFIGURATIONS and values.dtype != array.dtype:
                raise UsageError(f"The configurations have type {values.dtype}, not {array.dtype}.")
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise NumericalError(
                    f"The block '{name}' holds {np.sum(~np.isfinite(values))} numbers that are not finite. "
                    "It was not written."
                )
        return arrays

    def _state_arrays(self, state: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
        arrays = numeric_state(state or {})
        if arrays.keys() != set(self._meta["state"]):
            raise UsageError(
                f"'{self.path}' stores the sampler state {', '.join(self._meta['state']) or '(none)'}, "
                f"but got {', '.join(arrays) or 'none'}."
            )
        for name, value in arrays.items():
            array = self._arrays[f"state/{name}"]
            if (value.shape, value.dtype) != (array.shape[2:], array.dtype):
                raise UsageError(
                    f"The sampler state '{name}' is {value.dtype} {value.shape}, but the ensemble stores "
                    f"{array.dtype} {array.shape[2:]}."
                )
        return arrays

    def _info_array(self, name: str) -> zarr.Array:
        key = f"info/{name}"
        if key not in self._arrays:
            check_names([name])
            if not (self.path / key / "zarr.json").exists():
                create_info(self._group, key, len(self._done), self.blocks)
            self._arrays[key] = open_array(self._group, key)
        array = self._arrays[key]
        if array.shape[1] < self.blocks:
            array.resize((array.shape[0], self.blocks))
        return array

    def _set_done(self, t: int, blocks: int) -> None:
        self._arrays[DONE][t] = blocks
        self._done[t] = blocks

    def _resize(self, draws: int) -> None:
        with self._threads, disk_guard(self.path):
            for name in self._meta["arrays"]:
                array = self._arrays[name]
                if array.shape[2] != draws:
                    array.resize((*array.shape[:2], draws, *array.shape[3:]))
