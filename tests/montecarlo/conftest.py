"""What the tests of estimators share: chains whose every average and autocorrelation is known."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import lfilter

from deeprg.exact import kaufman


@pytest.fixture(scope="session")
def ar1():
    """`ar1(seed, a, shape)`: stationary AR(1) of unit variance and mean zero along the last axis."""

    def ar1(seed, a, shape):
        noise = np.random.default_rng(seed).normal(size=shape)
        noise[..., 1:] *= np.sqrt(1 - a * a)
        return lfilter([1.0], [1.0, -a], noise, axis=-1)

    return ar1


@pytest.fixture(scope="session")
def tau_of():
    """tau_int of ρ(t) = a^t."""
    return lambda a: 0.5 * (1 + a) / (1 - a)


@pytest.fixture(scope="session")
def assert_unit_variance():
    """The mean square of the pulls is 1 ± 0.15, by itself within 4 standard errors √(2/n)."""

    def check(pulls, tolerance=0.15):
        assert abs(np.mean(np.square(pulls)) - 1) < tolerance

    return check


class EnumeratedChain:
    """The 4 x 4 Ising torus by its 2^16 states, and chains that draw a fresh state with probability 1 - a.

    Between draws the state is kept: every observable has ρ(t) = a^t exactly, and every average is a sum.
    """

    size, shape = 16, (4, 4)

    def __init__(self):
        spins = (2 * ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1) - 1).reshape(-1, 4, 4)
        bonds = sum((spins * np.roll(spins, 1, axis)).sum(axis=(1, 2)) for axis in (1, 2))
        m = spins.mean(axis=(1, 2))
        modes = np.abs(np.fft.fft2(spins)) ** 2 / 16
        self.spins = spins
        self.law, self.exact = functools.cache(self._law), functools.cache(self._exact)
        self.states = {
            "energy_per_site": -bonds / 16,
            "abs_magnetization": np.abs(m),
            "magnetization_squared": m**2,
            "structure_factor_min": (modes[:, 0, 1] + modes[:, 1, 0]) / 2,
        }

    def _law(self, temperature):
        weight = np.exp(-16 * (self.states["energy_per_site"] + 2) / temperature)
        return weight / weight.sum()

    def index(self, seed, temperature, a, shape):
        rng = np.random.default_rng(seed)
        drawn = np.searchsorted(np.cumsum(self.law(temperature)), rng.random(shape)).clip(max=(1 << 16) - 1)
        fresh = rng.random(shape) >= a
        fresh[..., 0] = True
        last = np.maximum.accumulate(np.where(fresh, np.arange(shape[-1]), 0), axis=-1)
        return np.take_along_axis(drawn, last, axis=-1)

    def series(self, seed, temperature, a, shape):
        index = self.index(seed, temperature, a, shape)
        return {name: values[index] for name, values in self.states.items()}

    def _exact(self, temperature):
        p, s, n = self.law(temperature), self.states, 16
        e, a, m2 = s["energy_per_site"], s["abs_magnetization"], s["magnetization_squared"]
        mean = {name: float(p @ values) for name, values in s.items()}
        return mean | {
            "specific_heat": n / temperature**2 * float(p @ e**2 - (p @ e) ** 2),
            "susceptibility": n / temperature * float(p @ m2 - (p @ a) ** 2),
            "binder_cumulant": 1 - float(p @ m2**2) / (3 * float(p @ m2) ** 2),
            "correlation_length": float(
                np.sqrt(n * (p @ m2) / (p @ s["structure_factor_min"]) - 1) / (2 * np.sin(np.pi / 4))
            ),
        }


@pytest.fixture(scope="session")
def ising16():
    chain = EnumeratedChain()
    known = kaufman((4, 4), 2.5)
    exact = SimpleNamespace(**chain.exact(2.5))
    assert exact.energy_per_site == pytest.approx(known.energy_per_site, abs=1e-12)
    assert exact.specific_heat == pytest.approx(known.specific_heat, abs=1e-12)
    return chain
