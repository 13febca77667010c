"""Maps ⟨v_i h_a⟩: where the fine variables are that a coarse one goes with, for any coarse-graining."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike

from deeprg.coarsegrain import AbstractCoarseGraining, coarsen_batches, ensemble_size
from deeprg.montecarlo.jackknife import FEWEST_BLOCKS, TAUS_PER_BLOCK, delete_one, slowest_tau
from deeprg.runs.errors import UsageError

__all__ = ["RelativeMap", "VHMaps", "maps_of", "relative_map", "vh_maps"]

_BLOCKS = 20
_AT_ONCE = 1 << 22  # numbers in the jackknife replicas that are in memory together


@dataclass(frozen=True)
class VHMaps:
    """M_a(i) = ⟨v_i h_a⟩ with errors: `value` and `error` [coarse sites, fine sites], sites in C order.

    `fine` and `coarse` are the shapes; `connected` says that ⟨v_i⟩⟨h_a⟩ is taken off; `mean` that h_a is
    E[h_a | v] instead of a draw. `n` counts the samples; `short` says that jackknife blocks are shorter than
    10 tau_int, so that errors are too small.
    """

    value: np.ndarray
    error: np.ndarray
    fine: tuple[int, ...]
    coarse: tuple[int, ...]
    connected: bool
    mean: bool
    n: int
    short: bool

    @property
    def maps(self) -> np.ndarray:
        """The values as pictures, [coarse sites, *fine]."""
        return self.value.reshape(-1, *self.fine)

    @property
    def peak(self) -> tuple[float, float]:
        """The largest |M_a(i)| of every coarse site a, averaged over a, with the mean of their errors.

        The errors of different sites come from the same configurations, so their mean bounds the true one.
        """
        place = np.abs(self.value).argmax(axis=1)[:, None]
        best = np.abs(np.take_along_axis(self.value, place, axis=1))
        return float(best.mean()), float(np.take_along_axis(self.error, place, axis=1).mean())

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}


@dataclass(frozen=True)
class RelativeMap:
    """M(d), the average over coarse sites a of M_a(corner of a + d), with errors: arrays [*fine].

    d = 0 is the first site of a block; `short` as in `VHMaps`.
    """

    value: np.ndarray
    error: np.ndarray
    connected: bool
    mean: bool
    n: int
    short: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}


def vh_maps(
    rule: AbstractCoarseGraining,
    x: Any,
    *,
    key: PRNGKeyArray,
    connected: bool = False,
    mean: bool = False,
    weights: ArrayLike | None = None,
    blocks: int = 20,
    batch: int = 1024,
    temperature: int | None = None,
) -> VHMaps:
    """M_a(i) = ⟨v_i h_a⟩, less ⟨v_i⟩⟨h_a⟩ if `connected`, of fine configurations v and their coarse ones h.

    Samples may be correlated: errors come from the jackknife over blocks of consecutive draws. Memory is 8
    bytes times blocks, coarse and fine sites, whatever the number of samples. Source: arXiv:1906.05212.

    Args:
        rule: any coarse-graining.
        x: [draws, *fine], [chains, draws, *fine], or an `Ensemble` on disk.
        key: of the rule's randomness.
        connected: take the product of the means off.
        mean: put E[h_a | v] for h_a: the same average, with less noise. Only for rules that know it.
        weights: one per sample, [draws] or [chains, draws], for instance importance weights up to a factor.
        blocks: of the jackknife, 10 or more.
        batch: configurations at once.
        temperature: which one of an ensemble on disk, by its number.

    Raises:
        UsageError: configurations that do not fit the rule, too few of them, weights that are negative, not
            finite or of another number, `mean` for a rule without.

    On a chain of independent spins a block average of two goes with its own two spins, (1 + 0)/2:

    >>> import jax
    >>> from deeprg.coarsegrain import BlockAverage
    >>> from deeprg.lattice import Lattice
    >>> spins = np.random.default_rng(0).choice([-1, 1], size=(4000, 4))
    >>> found = vh_maps(BlockAverage(Lattice((4,))), spins, key=jax.random.key(0))
    >>> print(found.value.round(2)[0], found.error.round(2)[0])
    [ 0.48  0.48  0.01 -0.02] [0.01 0.01 0.01 0.01]
    """
    sums = _sums(rule, x, key, connected, mean, weights, blocks, batch, temperature)
    rows = max(1, _AT_ONCE // (blocks * rule.fine.size))
    parts = [
        delete_one(
            lambda vh, v, h: _map(vh, v, h, connected),
            {"vh": sums.vh[:, first : first + rows], "v": sums.v, "h": sums.h[:, first : first + rows]},
            sums.counts,
        )
        for first in range(0, rule.coarse.size, rows)
    ]
    return VHMaps(
        value=np.concatenate([part.value for part in parts]),
        error=np.concatenate([part.error for part in parts]),
        fine=rule.fine.shape,
        coarse=rule.coarse.shape,
        connected=connected,
        mean=mean,
        n=sums.n,
        short=sums.short,
    )


def maps_of(
    rule: AbstractCoarseGraining, x: np.ndarray, key: PRNGKeyArray, *, connected: bool = False
) -> VHMaps:
    """⟨v h⟩ of configurations [chains, draws, *fine], with E[h | v] where the rule knows it.

    >>> import jax
    >>> from deeprg.coarsegrain import Decimation
    >>> from deeprg.lattice import Lattice
    >>> spins = np.random.default_rng(0).choice((-1.0, 1.0), size=(2, 500, 4))
    >>> maps_of(Decimation(Lattice((4,))), spins, jax.random.key(0)).peak[0]             # each is a spin
    1.0
    """
    blocks = min(_BLOCKS, x.shape[0] * x.shape[1] // 2)
    mean = hasattr(rule, "mean") and getattr(rule, "averages", True)
    return vh_maps(rule, x, key=key, mean=mean, blocks=blocks, connected=connected)


def relative_map(
    rule: AbstractCoarseGraining,
    x: Any,
    *,
    key: PRNGKeyArray,
    connected: bool = False,
    mean: bool = False,
    weights: ArrayLike | None = None,
    blocks: int = 20,
    batch: int = 1024,
    temperature: int | None = None,
) -> RelativeMap:
    """M(d) = mean_a M_a(i_a + d), i_a the fine site of coarse site a: the map that all blocks share.

    i_a is the coarse coordinate times the ratio of the extents (plus the rule's offset, where it has one),
    the first site of a block. Only meaningful for coarse-grainings that treat all sites alike.
    Arguments and exceptions are those of `vh_maps`; also `UsageError` when the coarse lattice does not divide
    the fine one.

    >>> import jax
    >>> from deeprg.coarsegrain import BlockAverage
    >>> from deeprg.lattice import Lattice
    >>> spins = np.random.default_rng(0).choice([-1, 1], size=(4000, 4))
    >>> found = relative_map(BlockAverage(Lattice((4,))), spins, key=jax.random.key(0))
    >>> print(found.value.round(2), found.error.round(2))
    [ 0.49  0.49  0.   -0.01] [0.   0.   0.01 0.01]
    """
    fine, coarse = rule.fine, rule.coarse
    if coarse.ndim != fine.ndim or any(f % c for f, c in zip(fine.shape, coarse.shape, strict=True)):
        raise UsageError(f"The coarse lattice {coarse} does not divide {fine}, so its sites have no places.")
    ratio = np.array(fine.shape) // np.array(coarse.shape)
    places = coarse.coordinates() * ratio + np.array(getattr(rule, "offset", 0))
    there = tuple(np.moveaxis(places[:, None] + fine.coordinates(), -1, 0))
    sites = np.asarray(np.ravel_multi_index(there, fine.shape, mode="wrap"))

    def average(vh: np.ndarray, v: np.ndarray, h: np.ndarray) -> np.ndarray:
        maps = np.take_along_axis(_map(vh, v, h, connected), sites, axis=1)
        return maps.mean(axis=0).reshape(fine.shape)

    sums = _sums(rule, x, key, connected, mean, weights, blocks, batch, temperature)
    found = delete_one(average, {"vh": sums.vh, "v": sums.v, "h": sums.h}, sums.counts)
    return RelativeMap(found.value, found.error, connected, mean, sums.n, sums.short)


class _Sums(NamedTuple):
    """Sums over jackknife blocks [blocks, ...] of h v, v and h; the blocks' weights; n and short."""

    vh: np.ndarray
    v: np.ndarray
    h: np.ndarray
    counts: np.ndarray
    n: int
    short: bool


def _map(vh: np.ndarray, v: np.ndarray, h: np.ndarray, connected: bool) -> np.ndarray:
    return vh - np.outer(h, v) if connected else vh


def _sums(
    rule: AbstractCoarseGraining,
    x: Any,
    key: PRNGKeyArray,
    connected: bool,
    mean: bool,
    weights: ArrayLike | None,
    blocks: int,
    batch: int,
    temperature: int | None,
) -> _Sums:
    """All that the jackknife over blocks of consecutive samples needs, in one pass over the ensemble."""
    chains, draws = ensemble_size(rule, x, temperature)
    n = chains * draws
    if blocks < FEWEST_BLOCKS or n < 2 * blocks:
        raise UsageError(
            f"{n} samples in {blocks} blocks: an error needs {FEWEST_BLOCKS} blocks or more, of 2 or more "
            "samples each."
        )
    weight = _weights(weights, n)
    block = np.searchsorted(np.linspace(0, n, blocks + 1).astype(int), np.arange(n), side="right") - 1
    counts = np.bincount(block, weight, blocks)
    if not np.all(counts > 0):
        raise UsageError(f"Block {int(np.argmin(counts))} of {blocks} has no weight; take fewer blocks.")
    v_sum, h_sum = np.zeros((blocks, rule.fine.size)), np.zeros((blocks, rule.coarse.size))
    vh_sum = np.zeros((blocks, rule.coarse.size, rule.fine.size))
    slow = np.empty((2, n))  # collective variables: the mean of v, and its product with that of h
    for part in coarsen_batches(rule, x, key=key, batch=batch, temperature=temperature, mean=mean):
        v, h = part.fine.reshape(len(part.index), -1), part.coarse.reshape(len(part.index), -1)
        slow[0, part.index] = v.mean(axis=1)
        slow[1, part.index] = v.mean(axis=1) * h.mean(axis=1)
        for b in np.unique(block[part.index]):
            own = block[part.index] == b
            w = weight[part.index[own]]
            weighted = h[own] if weights is None else h[own] * w[:, None]
            vh_sum[b] += weighted.T @ v[own]
            v_sum[b] += w @ v[own]
            h_sum[b] += w @ h[own]

    relevant = slow.reshape(2, chains, draws)[0 if connected else 1 :]  # flips of all spins keep v h
    tau = max(slowest_tau(list(series)) for series in relevant)
    short = bool(n / blocks < TAUS_PER_BLOCK * tau)
    return _Sums(vh_sum, v_sum, h_sum, counts, n, short)


def _weights(weights: ArrayLike | None, n: int) -> np.ndarray:
    if weights is None:
        return np.ones(n)
    array = np.asarray(weights, np.float64).reshape(-1)
    if array.size != n or not np.isfinite(array).all() or array.min() < 0:
        raise UsageError(
            f"weights must be {n} finite numbers >= 0, one per sample, but there are {array.size} between "
            f"{array.min():g} and {array.max():g}. Take exp(log_weights - max) for logarithms."
        )
    return array
