"""How an ensemble lies on disk: names of arrays, chunks, codecs, and which draws a block holds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from deeprg.runs.errors import UsageError

__all__ = [
    "CONFIGURATIONS",
    "DONE",
    "DTYPES",
    "FORMAT",
    "SCHEMA_VERSION",
    "SEGMENTS",
    "block_edges",
    "check_names",
    "check_sizes",
    "create_info",
    "create_layout",
    "missing_chunk",
    "numeric_state",
    "open_array",
]

FORMAT = "deeprg ensemble"
SCHEMA_VERSION = 1
CONFIGURATIONS = "configurations"
DONE = "blocks_done"
SEGMENTS = "segments"
# The value that no configuration holds, by type: int8 spins and states, float32 or float64 fields.
DTYPES = {"int8": -128, "float32": math.nan, "float64": math.nan}
_RESERVED = frozenset({CONFIGURATIONS, DONE, "temperature", "chain", "draw", "state", "info"})
_LARGEST_CHUNK = 2**30  # blosc ends at 2 GiB, and a chunk is held in memory whole
_INFO_CHUNK = 1024
_LONG_NAMES = {
    "energy_per_site": "energy per site in units of the coupling",
    "action_per_site": "action per site",
    "magnetization": "mean of the configuration",
    "abs_magnetization": "modulus of the order parameter",
    "magnetization_squared": "square of the order parameter",
    "structure_factor_min": "structure factor at the smallest momenta, mean over the axes",
}


def block_edges(segments: Sequence[int], block: int) -> list[int]:
    """The draws at which blocks begin and end.

    Blocks hold `block` draws, but for the last one before each of the lengths in `segments`: those at which
    the ensemble was to end before it was extended, and the present one.

    >>> block_edges([5, 9], 2)
    [0, 2, 4, 5, 7, 9]
    """
    edges = [0]
    for end in segments:
        edges += [*range(edges[-1] + block, end, block), end]
    return edges


def check_sizes(**sizes: int) -> None:
    """Raise `UsageError` unless every number is at least 1."""
    for name, value in sizes.items():
        if value < 1:
            raise UsageError(f"An ensemble needs at least 1 for '{name}', not {value}.")


def check_names(names: Sequence[str]) -> None:
    """Raise `UsageError` for names that an array cannot have."""
    for name in names:
        if not name.isidentifier() or name in _RESERVED:
            raise UsageError(
                f"A series cannot be called '{name}'. Use letters, digits and '_', and none of "
                f"{', '.join(sorted(_RESERVED))}."
            )
    if len(set(names)) < len(names):
        raise UsageError(f"The names of series must differ: {', '.join(names)}.")


def numeric_state(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a sampler state; `UsageError` for what is not a number."""
    arrays = {name: np.asarray(value) for name, value in state.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufc":
            raise UsageError(
                f"The sampler state '{name}' has type {array.dtype}; only numbers can be stored."
            )
    return arrays


def create_layout(
    group: zarr.Group,
    *,
    shape: Sequence[int],
    temperatures: Sequence[float],
    chains: int,
    draws: int,
    block: int,
    dtype: str | None,
    series: Sequence[str],
    state: Mapping[str, np.ndarray],
) -> None:
    """Allocate all arrays of an ensemble in an empty group; a `dtype` of None leaves out configurations."""
    count = len(temperatures)
    lead, dims = (count, chains, draws), ("temperature", "chain", "draw")
    if dtype is not None:
        chunk = (1, chains, block, *shape)
        size = math.prod(chunk) * np.dtype(dtype).itemsize
        if size > _LARGEST_CHUNK:
            raise UsageError(
                f"One block would hold {size / 2**30:.3g} GiB; at most 1 GiB is allowed. "
                f"Use fewer than {block} draws per block."
            )
        axes = tuple(f"x{axis}" for axis in range(len(shape)))
        _create(group, CONFIGURATIONS, (*lead, *shape), chunk, dtype, DTYPES[dtype], (*dims, *axes))
    for name in series:
        about = {"long_name": _LONG_NAMES.get(name, name.replace("_", " "))}
        _create(group, name, lead, (1, chains, block), "float64", math.nan, dims, about)
    temperature = _create(group, "temperature", (count,), (count,), "float64", math.nan, ("temperature",))
    temperature[:] = np.asarray(temperatures, np.float64)
    chain = _create(group, "chain", (chains,), (chains,), "int64", -1, ("chain",))
    chain[:] = np.arange(chains)
    about = {"long_name": "finished blocks", SEGMENTS: [draws]}
    done = _create(group, DONE, (count,), (1,), "int32", -1, ("temperature",), about)
    done[:] = np.zeros(count, np.int32)
    slots = group.create_group("state")
    for name, array in state.items():
        whole = (2, count, *array.shape)
        names = ("slot", "temperature", *(None for _ in array.shape))
        _create(slots, name, whole, (1, 1, *(max(n, 1) for n in array.shape)), array.dtype, 0, names)
    group.create_group("info")


def create_info(group: zarr.Group, name: str, temperatures: int, blocks: int) -> None:
    """Allocate an array for one number per temperature and block."""
    shape, dims = (temperatures, blocks), ("temperature", "block")
    _create(group, name, shape, (1, _INFO_CHUNK), "float64", math.nan, dims)


def open_array(group: zarr.Group, name: str) -> zarr.Array:
    """An array of the group; `KeyError` when there is none.

    A chunk that happens to equal the fill value is written too, so that a missing file is an error.
    """
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise KeyError(name)
    return array.with_config({"write_empty_chunks": True})


def _create(
    group: zarr.Group,
    name: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: Any,
    fill: float | int,
    dims: Sequence[str | None],
    attributes: Mapping[str, Any] | None = None,
) -> zarr.Array:
    # Bits are shuffled before zstd: critical Ising spins then take 0.6 bit each on 32x32 (0.9 with shuffled
    # bytes or zstd alone), at 300 000 configurations per second. The checksum tells a damaged chunk.
    return group.create_array(
        name,
        shape=tuple(shape),
        chunks=tuple(chunks),
        dtype=np.dtype(dtype),
        fill_value=fill,
        filters=None,
        compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()],
        chunk_key_encoding={"name": "default", "separator": "/"},
        dimension_names=tuple(dims),
        attributes=dict(attributes or {}),
        config={"write_empty_chunks": True},
    )


def missing_chunk(
    path: Path,
    draws: Mapping[str, zarr.Array],
    state: Mapping[str, zarr.Array],
    done: Sequence[int],
    valid: Sequence[int],
) -> str:
    """The first chunk file that should be there and is missing or empty; "" when there is none.

    `done` and `valid` are the finished blocks and draws of each temperature, `draws` the arrays over draws.
    """
    expected = [
        (array, (t, 0, chunk))
        for array in draws.values()
        for t, count in enumerate(valid)
        for chunk in range(-(-count // array.chunks[2]))
    ]
    expected += [(array, ((n - 1) % 2, t)) for array in state.values() for t, n in enumerate(done) if n]
    for array, lead in expected:
        name = "/".join([array.path, "c", *map(str, lead), *["0"] * (array.ndim - len(lead))])
        try:
            if (path / name).stat().st_size:
                continue
        except OSError:
            pass
        return name
    return ""
