"""Reading an ensemble: series, configurations, sampler state, provenance, and the whole as xarray."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from deeprg.hamiltonians import AbstractHamiltonian, build_model
from deeprg.lattice import Lattice
from deeprg.runs.atomic import read_json
from deeprg.runs.config import difference, show
from deeprg.runs.errors import UsageError

from ._layout import (
    CONFIGURATIONS,
    DONE,
    FORMAT,
    SCHEMA_VERSION,
    SEGMENTS,
    block_edges,
    missing_chunk,
    open_array,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["EnsembleReader", "open_group"]


def open_group(path: Path, mode: str) -> zarr.Group:
    """The zarr group of an ensemble; `UsageError` when `path` is missing or is something else."""
    if not path.exists():
        raise UsageError(f"there is no ensemble '{path}'. `deeprg simulate` writes one.")
    if not path.is_dir():
        raise UsageError(f"'{path}' is a file, not an ensemble. Foreign data: `import_configurations`.")
    if not (path / "zarr.json").is_file():
        kind = "a zarr store of format 2" if (path / ".zgroup").exists() else "a folder without zarr.json"
        raise UsageError(f"'{path}' is not an ensemble: it is {kind}, or it was cut short.")
    header = read_json(path / "zarr.json")
    attributes = header.get("attributes") if isinstance(header, dict) else None
    if not isinstance(attributes, dict) or attributes.get("format") != FORMAT:
        raise UsageError(
            f"'{path}' is a zarr store, but not an ensemble of deeprg. Foreign data: `import_configurations`."
        )
    version = attributes.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"'{path}' has format version {version!r}; this version of deeprg reads {SCHEMA_VERSION}. "
            "Use the version of deeprg that wrote it, or sample again."
        )
    return zarr.open_group(path, mode=mode, zarr_format=3)  # type: ignore[arg-type]


def damaged(path: Path, what: object) -> UsageError:
    """The error for files that are missing or broken."""
    return UsageError(
        f"'{path}' is damaged or was cut short: {what}. Restore it from a copy, or sample again."
    )


class EnsembleReader:
    """What can be read from an ensemble; see `Ensemble`."""

    def __init__(self, path: str | Path, *, mode: str = "r"):
        self.path = Path(path)
        self._group = open_group(self.path, mode)
        self._meta: dict[str, Any] = self._group.attrs.asdict()
        try:
            self.provenance: dict[str, Any] = self._meta["provenance"]
            names = [
                "temperature",
                *self._meta["arrays"],
                DONE,
                *(f"state/{name}" for name in self._meta["state"]),
            ]
            self._arrays = {name: open_array(self._group, name) for name in names}
            self._segments = [int(end) for end in self._arrays[DONE].attrs[SEGMENTS]]  # type: ignore[union-attr]
        except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
            raise damaged(self.path, f"metadata is missing or broken ({error})") from error
        self._edges = block_edges(self._segments, self.block)
        self._done = self._get(DONE, ...).astype(int)
        if self._done.min() < 0 or self._done.max() > self.blocks:
            raise damaged(self.path, f"{DONE} is {self._done.tolist()}")
        if not np.array_equal(self._get("temperature", ...), self.temperatures):
            raise damaged(self.path, "the temperatures are not those of the provenance")
        valid = [self.valid_draws(t) for t in range(len(self._done))]
        missing = missing_chunk(
            self.path,
            {name: self._arrays[name] for name in self._meta["arrays"]},
            {name: self._arrays[f"state/{name}"] for name in self._meta["state"]},
            self._done.tolist(),
            valid,
        )
        if missing:
            raise damaged(self.path, f"the file {missing} is missing or empty")

    def _get(self, name: str, key: Any) -> np.ndarray:
        try:
            return np.asarray(self._arrays[name][key])
        except (ValueError, RuntimeError, OSError) as error:
            raise damaged(self.path, f"'{name}' cannot be read ({error})") from error

    def _index(self, temperature_index: int) -> int:
        count = len(self._done)
        if not 0 <= temperature_index < count:
            raise UsageError(f"There is no temperature {temperature_index} in '{self.path}'; it has {count}.")
        return int(temperature_index)

    @property
    def lattice(self) -> Lattice:
        """The lattice of a configuration."""
        return Lattice(tuple(self.provenance["shape"]))

    @property
    def temperatures(self) -> np.ndarray:
        """The temperatures, float64; 1 for a model without."""
        return np.array([1.0 if value is None else value for value in self.provenance["temperatures"]])

    @property
    def chains(self) -> int:
        """The number of chains at each temperature."""
        return self.provenance["chains"]

    @property
    def block(self) -> int:
        """Draws per block (the last one before the end may hold fewer)."""
        return self.provenance["block"]

    @property
    def draws(self) -> int:
        """The number of draws per chain that are wanted in the end."""
        return self._segments[-1]

    @property
    def blocks(self) -> int:
        """The number of blocks that are wanted in the end."""
        return len(self._edges) - 1

    @property
    def blocks_done(self) -> np.ndarray:
        """The number of finished blocks at each temperature, integers."""
        return self._done.copy()

    @property
    def series_names(self) -> list[str]:
        """The names of the series."""
        return [name for name in self._meta["arrays"] if name != CONFIGURATIONS]

    @property
    def has_configurations(self) -> bool:
        """Whether configurations were kept."""
        return CONFIGURATIONS in self._arrays

    def valid_draws(self, temperature_index: int) -> int:
        """The number of finished draws per chain at one temperature."""
        return self._edges[self._done[self._index(temperature_index)]]

    def block_range(self, number: int) -> tuple[int, int]:
        """The first draw of a block and the one after its last.

        Raises `UsageError` for a block beyond the wanted draws.
        """
        if not 0 <= number < self.blocks:
            raise UsageError(
                f"There is no block {number} in '{self.path}': {self.draws} draws make {self.blocks} blocks. "
                "Call `extend` for more."
            )
        return self._edges[number], self._edges[number + 1]

    def series(self, name: str, temperature_index: int) -> np.ndarray:
        """One number per finished configuration at one temperature, float64 [chains, draws]."""
        if name not in self.series_names:
            raise UsageError(f"'{self.path}' has no series '{name}'. It has: {', '.join(self.series_names)}.")
        t = self._index(temperature_index)
        return self._get(name, (t, slice(None), slice(0, self.valid_draws(t))))

    def configurations(self, temperature_index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Configurations at one temperature, [chains, stop - start, *shape]; all finished draws by default.

        Raises `UsageError` beyond the finished draws, and when configurations were not kept.
        """
        if not self.has_configurations:
            raise UsageError(f"'{self.path}' keeps series only, no configurations.")
        t = self._index(temperature_index)
        valid = self.valid_draws(t)
        stop = valid if stop is None else stop
        if not 0 <= start <= stop <= valid:
            raise UsageError(
                f"Draws {start} to {stop} were asked at temperature {t} of '{self.path}', "
                f"but {valid} of {self.draws} are finished."
            )
        return self._get(CONFIGURATIONS, (t, slice(None), slice(start, stop)))

    def configuration_blocks(self, temperature_index: int) -> Iterator[np.ndarray]:
        """The finished configurations block by block, each [chains, draws of the block, *shape]."""
        for number in range(self._done[self._index(temperature_index)]):
            yield self.configurations(temperature_index, *self.block_range(number))

    def state(self, temperature_index: int, blocks: int | None = None) -> dict[str, np.ndarray] | None:
        """The sampler state after the last finished block; None before the first.

        `blocks` asks for the state after so many blocks; only the last two are kept.
        """
        t = self._index(temperature_index)
        done = int(self._done[t])
        blocks = done if blocks is None else blocks
        if blocks == 0:
            return None
        if not done - 2 < blocks <= done:
            raise UsageError(
                f"'{self.path}' keeps the states after {done} and {done - 1} blocks, not {blocks}."
            )
        return {name: self._get(f"state/{name}", ((blocks - 1) % 2, t)) for name in self._meta["state"]}

    def info(self, temperature_index: int) -> dict[str, np.ndarray]:
        """What the sampler told of each finished block at one temperature, float64 [blocks] by name."""
        t = self._index(temperature_index)
        found = {}
        for name in sorted(entry.parent.name for entry in (self.path / "info").glob("*/zarr.json")):
            self._arrays[f"info/{name}"] = array = open_array(self._group, f"info/{name}")
            values = self._get(f"info/{name}", (t, slice(0, min(int(self._done[t]), array.shape[1]))))
            found[name] = np.append(values, np.full(self._done[t] - len(values), math.nan))
        return found

    def hamiltonian(self, temperature_index: int) -> AbstractHamiltonian:
        """The Hamiltonian of one temperature, built from the provenance."""
        temperature = self.provenance["temperatures"][self._index(temperature_index)]
        return build_model(self.provenance["model"], self.lattice, temperature, **self.provenance["options"])

    def check_same(self, **expected: Any) -> None:
        """Raise `UsageError` naming every entry of the provenance that differs from the one given.

        >>> import tempfile
        >>> from deeprg.montecarlo.ensembles import Ensemble
        >>> path = tempfile.mkdtemp() + "/E.zarr"
        >>> with Ensemble.create(path, model="ising", shape=(4,), temperatures=[2.0], algorithm="wolff",
        ...                      seed=1, chains=1, draws=2, block=2, series=[]) as ensemble:
        ...     ensemble.check_same(seed=1, model="ising")
        """
        old = {name: self.provenance.get(name) for name in expected}
        changes = difference(old, expected)
        if changes:
            lines = [f"  {name}: {show(a)} -> {show(b)}" for name, (a, b) in changes.items()]
            raise UsageError(
                f"'{self.path}' was sampled otherwise and cannot be continued like this:\n"
                + "\n".join(lines)
                + "\nWrite to another place, or use the settings of the ensemble."
            )

    def verify(self) -> None:
        """Read all that is finished and compare checksums; `UsageError` for the first that is wrong."""
        for t in range(len(self._done)):
            for name in self.series_names:
                self.series(name, t)
            for _ in self.configuration_blocks(t) if self.has_configurations else ():
                pass
            self.state(t)

    def dataset(self) -> "xarray.Dataset":
        """The draws that are finished at all temperatures, as an `xarray.Dataset` that reads lazily.

        Nothing is loaded before it is asked for. `attrs["provenance"]` is JSON text.
        """
        import xarray

        try:
            data = xarray.open_zarr(self.path, consolidated=False, chunks=None)
        except ValueError as error:
            raise UsageError(
                f"'{self.path}' cannot be read as a whole ({error}). If extending it was interrupted, "
                "Ensemble.open(path, writable=True) repairs it."
            ) from error
        valid = min(self.valid_draws(t) for t in range(len(self._done)))
        data = data.isel(draw=slice(0, valid)).drop_vars(DONE)
        data.attrs = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "provenance": json.dumps(self.provenance, allow_nan=False),
        }
        return data
