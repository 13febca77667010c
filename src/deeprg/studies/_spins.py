"""Ising configurations and other spins that studies train on: critical, in a field, ordered, mean field."""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln, logsumexp

from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import build_sampler

__all__ = ["field_data", "ising_chains", "ising_data", "mean_field_data", "ordered", "random_spins"]

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
    chains = ising_chains(Lattice((size, size)), temperature, count, seed)
    return chains.swapaxes(0, 1).reshape(-1, size, size)[:count]


def ising_chains(lattice: Lattice, temperature: float, count: int, seed: int) -> np.ndarray:
    """Ising configurations, 5 Swendsen-Wang sweeps apart, of independent chains: [40, draws, *lattice].

    40 chains of as many draws as make `count` configurations or just more.

    >>> ising_chains(Lattice((4, 4, 4)), 4.5, 100, 0).shape
    (40, 3, 4, 4, 4)
    """
    sampler = build_sampler("swendsen-wang", [Ising(lattice, temperature)], _CHAINS)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 100, seed=seed)
    drawn = sampler.run(state, -(-count // _CHAINS), 5, seed=seed, block=0).configurations
    return drawn[:, 0].swapaxes(0, 1).astype(np.int8, copy=False)


def field_data(
    size: int, temperatures: Sequence[float], field: float, count: int, seed: int
) -> dict[float, np.ndarray]:
    """Ising configurations in a field H > 0 (units of J), 10 heat-bath sweeps apart, by temperature.

    Each [count, size, size]; at T = 0 all spins are up. A field sets a scale of its own: there is no critical
    slowing down.

    >>> data = field_data(4, [0.0, 2.0, 8.0], 0.5, 200, 0)
    >>> bool(data[0.0].mean() == 1.0 > data[2.0].mean() > data[8.0].mean() > 0)
    True
    """
    warm = [t for t in temperatures if t > 0]
    models = [Ising(Lattice((size, size)), t, field=field / t) for t in warm]
    sampler = build_sampler("heat-bath", models, _CHAINS)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 200, seed=seed)
    drawn = sampler.run(state, -(-count // _CHAINS), 10, seed=seed, block=0).configurations
    found = {t: np.ones((count, size, size), np.int8) for t in temperatures if t == 0}
    for number, t in enumerate(warm):
        found[t] = drawn[:, number].reshape(-1, size, size)[:count].astype(np.int8)
    return found


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
