"""One training on many devices and processes: the batch is cut along one `data` axis, parameters are copied.

One device is the special case, not another path. Nothing happens at import; `start` is called by the command
line or the user, before any other use of jax.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree, Shaped

from deeprg.runs.errors import UsageError

__all__ = [
    "agree",
    "check_divisible",
    "data_mesh",
    "global_array",
    "is_writer",
    "replicate",
    "start",
    "to_local",
]


def start(
    coordinator: str | None = None, processes: int | None = None, process_id: int | None = None
) -> None:
    """Join this process to a program of several processes (`jax.distributed.initialize`).

    `coordinator` is host:port of process 0. Without arguments they are found from the batch system (SLURM,
    Open MPI). Raises `UsageError` for incomplete or impossible arguments and when the processes do not find
    each other. The death of one process aborts the others: checkpoint, and restart from outside.
    """
    given = (coordinator, processes, process_id)
    if any(x is None for x in given) and any(x is not None for x in given):
        raise UsageError(f"coordinator, processes, process_id = {given}: give all three or none.")
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise UsageError(f"coordinator = '{coordinator}' must be host:port, for example node1:7777.")
    if processes is not None and process_id is not None and not 0 <= process_id < processes:
        raise UsageError(
            f"process_id = {process_id} must be in 0 .. {processes - 1} (processes = {processes})."
        )
    try:
        jax.distributed.initialize(coordinator, processes, process_id)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the processes could not be joined: {error}") from error


def is_writer() -> bool:
    """Whether this process writes files: process 0 only."""
    return jax.process_index() == 0


def data_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """The mesh with the single axis `data` over all devices of all processes, or over `devices`.

    >>> data_mesh(jax.devices()[:1]).axis_names
    ('data',)
    """
    return Mesh(
        np.array(jax.devices() if devices is None else devices), ("data",), axis_types=(AxisType.Auto,)
    )


def check_divisible(size: int, mesh: Mesh) -> None:
    """`UsageError` when a batch cannot be cut into equal parts.

    >>> check_divisible(8, data_mesh())
    """
    if size % mesh.size:
        lower = size - size % mesh.size
        options = f"{lower} or {lower + mesh.size}" if lower else f"{mesh.size}"
        raise UsageError(
            f"a batch of {size} cannot be divided equally over {mesh.size} devices. "
            f"Use {options}, or fewer devices."
        )


def global_array(host: Shaped[np.ndarray, "..."], mesh: Mesh, *axes: str) -> Shaped[Array, "..."]:
    """The array `host`, which every process holds in full, as one array over the mesh.

    `axes` names the mesh axes of the leading array axes: `"data"` cuts axis 0 (each process stores only its
    part), nothing copies the array to every device. Values never depend on the topology.

    >>> global_array(np.arange(4.0), data_mesh(jax.devices()[:1]), "data").shape
    (4,)
    """
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    if axes:
        check_divisible(host.shape[0], mesh)
    # Copies, because the arrays are donated to the step and must not share memory with `host`.
    return jax.make_array_from_callback(host.shape, sharding, lambda index: np.array(host[index]))


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """Fresh copies of all arrays of `tree` on every device of the mesh."""

    def copy(x: Array | np.ndarray) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            data = global_array(np.asarray(jax.random.key_data(x)), mesh)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        return global_array(np.asarray(x), mesh)

    return jax.tree.map(copy, tree)


def to_local(tree: PyTree) -> PyTree:
    """The opposite of `replicate`: ordinary arrays on the default device of this process."""

    def copy(x: Array) -> Array:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            data = jnp.asarray(np.array(jax.random.key_data(x)))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        return jnp.asarray(np.array(x))

    return jax.tree.map(copy, tree)


def agree(values: Sequence[float]) -> np.ndarray:
    """The same numbers on every process: row p of the result has the `values` of process p.

    A collective: every process must call it. With one process it touches no device.

    >>> agree([1.0, 2.0]).tolist()
    [[1.0, 2.0]]
    """
    mine = np.asarray(values, dtype=np.float64)
    if jax.process_count() == 1:
        return mine[None]
    return np.asarray(multihost_utils.process_allgather(mine), dtype=np.float64).reshape(-1, mine.size)
