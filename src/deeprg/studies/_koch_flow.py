"""Two-point functions along the flow v -> h -> v' and along block-spin steps, with scaling dimensions."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, rbm_flow
from deeprg.probes import ScalingDimension, TwoPoint, scaling_dimension, two_point
from deeprg.runs.errors import DeeprgError

__all__ = ["EXACT", "Stage", "flow_stages", "mean_abs", "stage_of"]

EXACT = {"spin": 1 / 8, "energy": 1.0}
"""Scaling dimensions of the critical Ising model in two dimensions."""


@dataclass(frozen=True, eq=False)
class Stage:
    """An ensemble on a lattice of extent `extent` after `step` rounds or block-spin steps.

    `fits` has None where the lattice is too small or G is not above zero. `neighbour` is G_σ(1) with its
    error: minus half the energy per site for spins ±1.
    """

    step: int
    extent: int
    m: float
    m_error: float
    curves: dict[str, TwoPoint]
    fits: dict[str, ScalingDimension | None]

    @property
    def neighbour(self) -> tuple[float, float]:
        """G_σ(1) and its error."""
        curve = self.curves["spin"]
        return float(curve.value[1]), float(curve.error[1])


def mean_abs(x: np.ndarray) -> tuple[float, float]:
    """⟨|m|⟩ of configurations [n, ...], taken as independent, and its error.

    >>> mean_abs(np.array([[1, 1], [-1, 1]]))
    (0.5, 0.5)
    """
    m = np.abs(x.reshape(len(x), -1).mean(axis=1, dtype=np.float64))
    return float(m.mean()), float(m.std(ddof=1) / np.sqrt(len(m)))


def stage_of(step: int, x: np.ndarray) -> Stage:
    """The stage of configurations [n, L, L], taken as independent."""
    x = np.asarray(x, np.float32)
    m, error = mean_abs(x)
    curves = {name: two_point(x[None], name) for name in EXACT}
    return Stage(
        step,
        x.shape[1],
        m,
        error,
        curves,
        {name: _fit(curve) for name, curve in curves.items()},
    )


def flow_stages(machine: RBM, x: np.ndarray, rounds: list[int], key: PRNGKeyArray) -> list[Stage]:
    """The flow from configurations [n, L, L], measured after these numbers of rounds, the first of them 0."""
    return [stage_of(n, v) for n, v in _flow(machine, x, rounds, key)]


def _flow(
    machine: RBM, x: np.ndarray, rounds: list[int], key: PRNGKeyArray
) -> Iterator[tuple[int, np.ndarray]]:
    v, done = jnp.asarray(x.reshape(len(x), -1), jnp.float32), 0
    for n in rounds:
        if n > done:
            *_, (_, v) = rbm_flow(machine, v, length=n - done, every=n - done, key=jax.random.fold_in(key, n))
        done = n
        yield n, np.asarray(v).reshape(x.shape)


def _fit(curve: TwoPoint) -> ScalingDimension | None:
    try:
        return scaling_dimension(curve)
    except DeeprgError:
        return None
