"""Samples of the study of coarse-grained data: spins without their structure, and driven units."""

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

__all__ = ["driven_units", "gaussian_like", "shuffled"]

_GAIN, _OFFSET = 4.0, -8.0 / 3.0


def shuffled(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every unit of samples [n, units] in a random order of its own: the same means, no correlations."""
    return rng.permuted(x, axis=0)


def gaussian_like(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian samples [n, units] with the covariance of x.

    >>> rng = np.random.default_rng(0)
    >>> spins = np.repeat(rng.choice([-1.0, 1.0], size=(4000, 1)), 2, axis=1)
    >>> y = gaussian_like(spins, rng)
    >>> np.abs(np.cov(y, rowvar=False) - 1).max().round(1), bool(abs((y**4).mean() - 3) < 0.3)
    (np.float64(0.0), True)
    """
    covariance = np.cov(x, rowvar=False)
    return rng.multivariate_normal(np.zeros(x.shape[1]), covariance, size=len(x), method="eigh")


def driven_units(count: int, units: int, fields: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Units 0 or 1 that share slow fields and know nothing else of each other, [count, units].

    P(s_i = 1 | h) = 1/(1 + exp(-4 w_i . h + 8/3)) with Gaussian w_i of variance 1/fields in each component;
    h_f are independent Gaussian processes with <h_f(t) h_f(t')> = exp(-|t - t'|/memory). After M. C. Morrell,
    A. J. Sederberg and I. Nemenman, Phys. Rev. Lett. 126, 118302 (2021), arXiv:2008.00435.

    >>> x = driven_units(2000, 3, 1, 5.0, np.random.default_rng(0))
    >>> x.shape, sorted(set(x.ravel().tolist()))
    ((2000, 3), [0.0, 1.0])
    """
    keep = np.exp(-1 / memory)
    noise = rng.normal(size=(count, fields)) * np.sqrt(1 - keep**2)
    noise[0] /= np.sqrt(1 - keep**2)
    h = np.asarray(lfilter([1.0], [1.0, -keep], noise, axis=0))
    w = rng.normal(size=(fields, units)) / np.sqrt(fields)
    return (rng.random((count, units)) < expit(_GAIN * (h @ w) + _OFFSET)).astype(np.float64)
