"""Training sets with and without criticality, and the flow of a machine that learned nothing."""

from collections.abc import Iterator

import numpy as np
from scipy.special import gammaln, logsumexp

from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import build_sampler

__all__ = ["ising_data", "mean_field_data", "ordered", "random_spins", "redrawn_flow"]

_CHAINS = 40


def ordered(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Ground states, all up or all down with equal chances: [count, size, size] of ±1, T = 0."""
    return np.broadcast_to(rng.choice([-1, 1], size=(count, 1, 1)), (count, size, size)).astype(np.int8)


def random_spins(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Independent fair spins, T = infinity."""
    return rng.choice(np.array([-1, 1], np.int8), size=(count, size, size))


def ising_data(size: int, temperature: float, count: int, seed: int) -> np.ndarray:
    """Ising configurations on a torus, 5 Swendsen-Wang sweeps apart, [count, size, size]."""
    if temperature == 0:
        return ordered(count, size, np.random.default_rng([seed, 0]))
    sampler = build_sampler("swendsen-wang", [Ising(Lattice((size, size)), temperature)], _CHAINS)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 100, seed=seed)
    drawn = sampler.run(state, -(-count // _CHAINS), 5, seed=seed, block=0).configurations
    return drawn.reshape(-1, size, size)[:count].astype(np.int8)


def mean_field_data(
    size: int, temperature: float, count: int, coupling: float, rng: np.random.Generator
) -> np.ndarray:
    """The all-to-all model H = -J (Σ s)²/(2 N), T_c = J: independent configurations, [count, size, size].

    The number of up spins k has the weight C(N, k) exp(J N m²/(2 T)), m = (2 k - N)/N; where they sit is
    random.

    >>> x = mean_field_data(4, 1e6, 1000, 4.0, np.random.default_rng(0))
    >>> bool(abs(x.mean()) < 0.05)
    True
    """
    if temperature == 0:
        return ordered(count, size, rng)
    sites = size * size
    up = np.arange(sites + 1)
    m = (2 * up - sites) / sites
    log_weights = gammaln(sites + 1) - gammaln(up + 1) - gammaln(sites - up + 1)
    log_weights = log_weights + coupling * sites * m**2 / (2 * temperature)
    numbers = rng.choice(sites + 1, size=count, p=np.exp(log_weights - logsumexp(log_weights)))
    places = rng.random((count, sites)).argsort(axis=1)
    return np.where(places < numbers[:, None], 1, -1).reshape(count, size, size).astype(np.int8)


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
