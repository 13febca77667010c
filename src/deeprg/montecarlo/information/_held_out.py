"""What a trained critic says of samples that trained nothing: sums over pairs, kept by blocks for errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from deeprg.montecarlo.information._samples import block_edges
from deeprg.montecarlo.jackknife import Jackknife, from_replicas
from deeprg.runs.errors import NumericalError

__all__: list[str] = []

_ROWS = 1024


@dataclass(frozen=True)
class HeldOut:
    """Scores of m held-out samples, cut into B blocks of consecutive ones.

    matched: f(x_i, y_i) [m].
    block: of each sample [m].
    sums: Σ_j exp f(x_i, y_j) over the j of each block that meet i [m, B]; counts: how many they are.

    A sample meets those of its group (every G-th one, so that a group has at most `critic.group`) that are
    not in its own block: x and y of neighbours in a chain are not independent.
    """

    matched: np.ndarray
    block: np.ndarray
    sums: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(
        cls,
        critic: Any,
        x: np.ndarray,
        y: np.ndarray,
        blocks: int,
        exponents: Callable[[np.ndarray], np.ndarray],
    ) -> "HeldOut":
        """The sums of a critic; `exponents` turns scores into what stands in the exponentials."""
        m = len(x)
        block = np.repeat(np.arange(blocks), np.diff(block_edges(m, blocks)))
        matched = np.empty(m)
        sums, counts = np.zeros((m, blocks)), np.zeros((m, blocks))
        groups = -(-m // critic.group)
        for g in range(groups):
            here = np.arange(g, m, groups)
            inside = np.eye(blocks)[block[here]]
            for start in range(0, len(here), _ROWS):
                rows = here[start : start + _ROWS]
                scores = np.asarray(_scores(critic, jnp.asarray(x[rows]), jnp.asarray(y[here])), np.float64)
                matched[rows] = scores[np.arange(len(rows)), start + np.arange(len(rows))]
                with np.errstate(over="ignore"):
                    sums[rows] = np.exp(exponents(scores)) @ inside
            counts[here] = inside.sum(axis=0)
        own = np.arange(m), block
        sums[own], counts[own] = 0.0, 0.0
        if not np.isfinite(sums).all() or not np.isfinite(matched).all():
            raise NumericalError(
                "The scores of held-out samples overflow: the training diverged. Take a lower learning rate "
                "or more samples."
            )
        return cls(matched, block, sums, counts)

    def by_blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Sums of f and numbers of samples [B]; sums of exp f and numbers of pairs [B, B]."""
        starts = np.searchsorted(self.block, np.arange(self.sums.shape[1]))
        add = lambda values: np.add.reduceat(values, starts, axis=0)
        return add(self.matched), add(np.ones(len(self.matched))), add(self.sums), add(self.counts)

    def jackknife(self, value: Callable[[float, float], float]) -> Jackknife:
        """A function of E_p f and of the mean of exp f over independent pairs, without one block each."""
        matched, m, sums, pairs = self.by_blocks()

        def left(table: np.ndarray) -> np.ndarray:
            return table.sum() - table.sum(axis=0) - table.sum(axis=1) + np.diagonal(table)

        means = (matched.sum() - matched) / (m.sum() - m)
        partitions = left(sums) / left(pairs)
        replicas = np.array([value(a, b) for a, b in zip(means, partitions, strict=True)])
        return from_replicas(np.asarray(value(matched.sum() / m.sum(), sums.sum() / pairs.sum())), replicas)


@eqx.filter_jit
def _scores(critic: Any, x: Array, y: Array) -> Array:
    return critic.scores(x, y)
