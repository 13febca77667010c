"""Information of blocks over buffers, block sizes and temperatures."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike

from ...lattice import Lattice
from ...montecarlo.information import InformationEstimate
from ...runs.errors import UsageError
from ...train import Plan
from ._fit import RSMI, fit_rsmi, retained_information
from ._reader import BlockReader
from ._surroundings import Surroundings

__all__ = ["BlockInformation", "information_by_size", "information_curve", "oriented"]

_MOST_WHOLE = 1024


@dataclass(frozen=True, eq=False)
class BlockInformation:
    """What a block and its best rule know of the environment.

    around: the sites of both.
    found: the search; its `retained` is a lower bound of I(H:E), at most I(V:E).
    present: a lower bound of I(V:E) itself by the same classifier, None where the block has more than 1024
        states.
    """

    around: Surroundings
    found: RSMI
    present: InformationEstimate | None


def information_by_size(
    lattice: Lattice,
    configurations: ArrayLike,
    plan: Plan,
    *,
    blocks: Sequence[Sequence[int]],
    buffers: Sequence[int],
    environment: int | None = None,
    key: PRNGKeyArray,
    on_point: Callable[[Any, BlockInformation], None] | None = None,
    **options: Any,
) -> dict[tuple[tuple[int, ...], int], BlockInformation]:
    """Information of every block shape at every buffer, a search each, by (shape, buffer).

    `options` are those of `fit_rsmi`. On one lattice an environment that is everything beyond the buffer gets
    smaller with the buffer; of a fixed width it does not. Raises `UsageError` for sizes that do not fit on
    the lattice, before any search, and as `fit_rsmi`.

    The environment of a copied row knows its spin whatever the buffer:

    >>> rows = np.repeat(np.random.default_rng(0).choice((-1, 1), size=(2000, 1)), 8, axis=1)
    >>> plan = Plan(steps=200, batch=200, learning_rate=0.01, steps_per_call=50)
    >>> found = information_by_size(
    ...     Lattice((8,)), rows, plan, blocks=[(1,)], buffers=[0, 1], environment=1, key=jax.random.key(0)
    ... )
    >>> [round(one.found.retained.value, 2) for one in found.values()]
    [0.69, 0.69]
    """
    sizes = [(tuple(block), buffer) for block, buffer in itertools.product(blocks, buffers)]
    if not sizes:
        raise UsageError("Give one block and one buffer or more.")
    every = {
        (block, buffer): Surroundings.on_lattice(lattice, block, buffer=buffer, environment=environment)
        for block, buffer in sizes
    }
    found: dict[tuple[tuple[int, ...], int], BlockInformation] = {}
    for (size, around), one in zip(every.items(), jax.random.split(key, len(every)), strict=True):
        found[size] = _both(around, configurations, plan, one, options)
        if on_point is not None:
            on_point(size, found[size])
    return found


def information_curve(
    around: Surroundings,
    configurations: Mapping[float, ArrayLike],
    plan: Plan,
    *,
    key: PRNGKeyArray,
    on_point: Callable[[Any, BlockInformation], None] | None = None,
    **options: Any,
) -> dict[float, BlockInformation]:
    """Information of a block at every temperature, from {temperature: configurations}, a search each.

    In an ordered phase that a sampler leaves for its mirror images block and environment share the sign of
    the order, and the information goes to its entropy, ln 2 of Ising spins. Within one phase (`oriented`) it
    goes to zero, and has a maximum near the transition. Raises `UsageError` for no temperatures, and as
    `fit_rsmi`.

    >>> rng = np.random.default_rng(0)
    >>> spins = rng.choice((-1, 1), size=(2000, 8))
    >>> plan = Plan(steps=200, batch=200, learning_rate=0.01, steps_per_call=50)
    >>> around = Surroundings.on_lattice(Lattice((8,)), (1,), buffer=0, environment=1)
    >>> rows = {0.0: np.repeat(spins[:, :1], 8, axis=1)}
    >>> found = information_curve(around, rows, plan, key=jax.random.key(0))
    >>> round(found[0.0].found.retained.value, 2)
    0.69
    """
    if not configurations:
        raise UsageError("Give configurations at one temperature or more.")
    found: dict[float, BlockInformation] = {}
    keys = jax.random.split(key, len(configurations))
    for (temperature, rows), one in zip(configurations.items(), keys, strict=True):
        found[temperature] = _both(around, rows, plan, one, options)
        if on_point is not None:
            on_point(temperature, found[temperature])
    return found


def oriented(configurations: ArrayLike) -> np.ndarray:
    """Ising configurations [n, *lattice], each turned so that its magnetisation is not negative.

    Raises `UsageError` for numbers other than ±1.

    >>> oriented([[-1, -1, 1], [1, 1, -1], [-1, 1, -1]]).tolist()
    [[1, 1, -1], [1, 1, -1], [1, -1, 1]]
    """
    spins = np.asarray(configurations)
    if not np.isin(spins, (-1, 1)).all():
        raise UsageError("Only spins ±1 are turned; other variables have other symmetries.")
    total = spins.reshape(len(spins), -1).sum(axis=1, dtype=np.int64)
    turn = np.where(total < 0, -1, 1).astype(spins.dtype)
    return spins * turn.reshape(-1, *[1] * (spins.ndim - 1))


def _both(
    around: Surroundings, configurations: ArrayLike, plan: Plan, key: PRNGKeyArray, options: dict[str, Any]
) -> BlockInformation:
    searching, judging = jax.random.split(key)
    found = fit_rsmi(around, configurations, plan, key=searching, **options)
    kinds, sites = options.get("kinds", 2), len(around.block)
    components = 1 if kinds == 2 else kinds
    if kinds**sites > _MOST_WHOLE or around.table(configurations).shape[2] != components:
        return BlockInformation(around, found, None)
    shared = {name: options[name] for name in ("period", "held_out") if name in options}
    whole = BlockReader.whole(sites, kinds=kinds)
    plan = options.get("judging") or plan
    present = retained_information(whole, around, configurations, plan, key=judging, **shared)
    return BlockInformation(around, found, present)
