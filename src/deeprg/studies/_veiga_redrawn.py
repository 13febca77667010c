"""The flow of a machine that learned nothing: weights drawn anew at every half step."""

from collections.abc import Iterator

import numpy as np

__all__ = ["redrawn_flow"]


def redrawn_flow(
    start: np.ndarray,
    hidden: int,
    mean: float,
    deviation: float,
    *,
    length: int,
    every: int,
    rng: np.random.Generator,
) -> Iterator[tuple[int, np.ndarray]]:
    """The flow of {0, 1} units with weights N(mean, deviation²) drawn anew for each half step and chain.

    `start` holds spins [chains, sites]; yields (rounds, spins) as `rbm_flow` does. With k units on, the field
    of every unit of the other layer is independently normal with mean k `mean` and variance k `deviation`²,
    so that no matrix needs to be drawn.
    """

    def half(x: np.ndarray, units: int) -> np.ndarray:
        on = x.sum(axis=1, keepdims=True)
        field = mean * on + deviation * np.sqrt(on) * rng.normal(size=(len(x), units))
        return (rng.random(field.shape) * (1 + np.exp(-np.clip(field, -60, 60))) < 1).astype(np.float64)

    v = (start + 1) / 2.0
    yield 0, 2 * v - 1
    for done in range(1, length + 1):
        v = half(half(v, hidden), v.shape[1])
        if done % every == 0:
            yield done, 2 * v - 1
