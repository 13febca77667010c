"""Coarse-graining of ensembles of any size: one batch at a time, from arrays or from disk."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractCoarseGraining

__all__ = ["CoarsenedBatch", "coarsen_batches", "coarsen_ensemble", "ensemble_size"]


@runtime_checkable
class StoredEnsemble(Protocol):
    """The part of `deeprg.montecarlo.ensembles.Ensemble` that is read here."""

    @property
    def lattice(self) -> Lattice: ...
    @property
    def chains(self) -> int: ...
    @property
    def temperatures(self) -> np.ndarray: ...
    def valid_draws(self, temperature_index: int) -> int: ...
    def configuration_blocks(self, temperature_index: int) -> Iterator[np.ndarray]: ...


class CoarsenedBatch(NamedTuple):
    """b configurations: `index` [b] (chain times draws plus draw), `fine` and `coarse` [b, ...]."""

    index: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray


def ensemble_size(
    rule: AbstractCoarseGraining, configurations: Any, temperature: int | None = None
) -> tuple[int, int]:
    """Chains and draws of an ensemble that fits the rule: an array [(chains,) draws, *fine], or one on disk.

    Raises:
        UsageError: another lattice than the rule's, no configurations, or a `temperature` that is missing (an
            ensemble has several), does not exist, or is given for an array.

    >>> from deeprg.coarsegrain import BlockAverage
    >>> ensemble_size(BlockAverage(Lattice((4, 4))), np.ones((10, 4, 4)))
    (1, 10)
    """
    fine = rule.fine
    if isinstance(configurations, StoredEnsemble):
        shape, size = configurations.lattice.shape, (configurations.chains, 0)
        if shape == fine.shape:
            size = (
                configurations.chains,
                configurations.valid_draws(_temperature(configurations, temperature)),
            )
    else:
        if temperature is not None:
            raise UsageError("temperature chooses from an ensemble on disk; an array has only one.")
        array = np.asarray(configurations)
        lead = array.ndim - fine.ndim
        shape = array.shape[max(lead, 0) :]
        size = (1, *array.shape[:1]) if lead == 1 else array.shape[:lead]
        if lead not in (1, 2):
            raise UsageError(
                f"configurations has shape {array.shape}; for the lattice {fine} it must be "
                f"[draws, {', '.join(map(str, fine.shape))}] or [chains, draws, ...]."
            )
    if tuple(shape) != fine.shape:
        raise UsageError(
            f"The configurations live on {Lattice(tuple(shape))}, but the {type(rule).__name__} starts on "
            f"{fine}."
        )
    if 0 in size:
        raise UsageError("There are no configurations; sample some first.")
    return int(size[0]), int(size[1])


def coarsen_batches(
    rule: AbstractCoarseGraining,
    configurations: Any,
    *,
    key: PRNGKeyArray,
    batch: int = 1024,
    temperature: int | None = None,
    mean: bool = False,
) -> Iterator[CoarsenedBatch]:
    """Fine and coarse configurations in batches of at most `batch`; memory does not grow with the ensemble.

    Sample k draws with fold_in(key, k), k = chain times draws plus draw, so that results depend neither on
    the batch nor on where the configurations are stored. Integers become float32; floats stay as they are.

    Args:
        rule: any coarse-graining.
        configurations: [draws, *fine], [chains, draws, *fine], or an `Ensemble` of
            `deeprg.montecarlo.ensembles`.
        key: of the rule's randomness.
        batch: how many at once.
        temperature: which temperature of an ensemble on disk, by its number; needed when it has several.
        mean: take E[coarse | fine] instead of a draw.

    Raises:
        UsageError: as `ensemble_size`; configurations that the rule's `check` refuses; NaN; `mean` for a rule
            without.

    >>> from deeprg.coarsegrain import BlockAverage
    >>> rule, key = BlockAverage(Lattice((4,))), jax.random.key(0)
    >>> [part.coarse.shape for part in coarsen_batches(rule, np.ones((10, 4)), key=key, batch=4)]
    [(4, 2), (4, 2), (2, 2)]
    """
    if batch < 1:
        raise UsageError(f"batch = {batch} must be at least 1.")
    if mean and not hasattr(rule, "mean"):
        raise UsageError(
            f"A {type(rule).__name__} has no E[coarse | fine]; take draws, mean=False, and more of them."
        )
    chains, draws = ensemble_size(rule, configurations, temperature)
    for index, block in _blocks(configurations, rule.fine, chains, draws, temperature):
        for first in range(0, len(index), batch):
            part = slice(first, first + batch)
            fine = np.asarray(block[part])
            if fine.dtype.kind != "f":
                fine = fine.astype(np.float32)
            if not np.isfinite(fine).all():
                raise UsageError("The configurations hold NaN or infinity; find where the sampler fails.")
            if hasattr(rule, "check"):
                rule.check(fine)  # pyright: ignore[reportAttributeAccessIssue]
            yield CoarsenedBatch(index[part], fine, _coarsened(rule, fine, index[part], key, batch, mean))


def coarsen_ensemble(
    rule: AbstractCoarseGraining,
    configurations: Any,
    *,
    key: PRNGKeyArray,
    batch: int = 1024,
    temperature: int | None = None,
    out: Any = None,
) -> Any:
    """The coarse configurations of an ensemble: [draws, *coarse], of several chains [chains, draws, *coarse].

    `out` takes them if given: any array of that shape with NumPy's assignment, for example a `numpy.memmap`
    where the memory does not suffice. Everything else is as in `coarsen_batches`; an ensemble on disk always
    has the axis of chains.

    >>> from deeprg.coarsegrain import Majority
    >>> spins = np.where(np.arange(72).reshape(2, 4, 9) % 4, 1, -1)
    >>> coarsen_ensemble(Majority(Lattice((9,)), side=3), spins, key=jax.random.key(0)).shape
    (2, 4, 3)
    """
    chains, draws = ensemble_size(rule, configurations, temperature)
    chained = isinstance(configurations, StoredEnsemble) or np.ndim(configurations) == rule.fine.ndim + 2
    lead = (chains, draws) if chained else (draws,)
    shape = (*lead, *rule.coarse.shape)
    if out is not None and tuple(out.shape) != shape:
        raise UsageError(f"out has shape {tuple(out.shape)}, but the coarse configurations have {shape}.")
    for part in coarsen_batches(rule, configurations, key=key, batch=batch, temperature=temperature):
        if out is None:
            out = np.empty(shape, part.coarse.dtype)
        out[np.unravel_index(part.index, lead)] = part.coarse
    return out


def _temperature(ensemble: StoredEnsemble, temperature: int | None) -> int:
    count = len(ensemble.temperatures)
    if temperature is None and count > 1:
        listed = ", ".join(f"{k}: {t:g}" for k, t in enumerate(ensemble.temperatures))
        raise UsageError(f"The ensemble has {count} temperatures; choose one by its number, of {listed}.")
    return 0 if temperature is None else temperature


def _blocks(
    configurations: Any, fine: Lattice, chains: int, draws: int, temperature: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers and configurations [n, *fine] of what is in memory at once, in the order of storage."""
    index = np.arange(chains * draws).reshape(chains, draws)
    if not isinstance(configurations, StoredEnsemble):
        array = np.asarray(configurations)
        yield index.reshape(-1), array.reshape(chains * draws, *fine.shape)
        return
    done = 0
    for block in configurations.configuration_blocks(_temperature(configurations, temperature)):
        there = index[:, done : done + block.shape[1]]
        done += block.shape[1]
        yield there.reshape(-1), block.reshape(-1, *block.shape[2:])


def _coarsened(
    rule: AbstractCoarseGraining,
    fine: np.ndarray,
    index: np.ndarray,
    key: PRNGKeyArray,
    batch: int,
    mean: bool,
) -> np.ndarray:
    """Coarse configurations of one batch, padded by copies to a power of two: few shapes are compiled."""
    room = min(batch, 1 << math.ceil(math.log2(len(fine))))
    rows = np.minimum(np.arange(room), len(fine) - 1)
    numbers = jnp.asarray(index[rows], jnp.uint32)
    return np.asarray(_coarsen_many(rule, jnp.asarray(fine[rows]), numbers, key, mean))[: len(fine)]


@eqx.filter_jit
def _coarsen_many(rule: Any, fine: Any, numbers: Any, key: Any, mean: bool) -> Any:
    if mean:
        return jax.vmap(rule.mean)(fine)
    return jax.vmap(lambda x, k: rule.coarsen(x, key=jax.random.fold_in(key, k)))(fine, numbers)
