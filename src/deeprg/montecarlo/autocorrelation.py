"""Averages over Markov chains with honest errors: the Γ-method of U. Wolff, hep-lat/0306017."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import ArrayLike

from deeprg.montecarlo._summary import json_ready
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["GammaEstimate", "Samples", "autocorrelation_function", "autocovariance", "gamma_method"]

Samples = ArrayLike | Sequence[ArrayLike]
"""One observable along chains: `[steps]`, `[chains, steps]`, or a list of vectors of different lengths."""

_SHORTEST_CHAIN = 4
_TRUSTED_LENGTH = 50
_LUESCHER_TAIL = 100


@dataclass(frozen=True)
class GammaEstimate:
    """The average of one observable over one or several chains, as `gamma_method` returns it.

    `tau_int` is ½ + Σ_{t≥1} ρ(t): 0.5 for independent samples, and `error`² = 2 τ_int variance / n.
    `short` is true when the shortest chain has fewer than 50 τ_int steps, or when no window was found: then
    the errors may be too small by an unknown amount, and the chains must be longer. `replica_q` is the
    probability that chains which agree differ at least as much as these; None for a single chain.
    """

    mean: float
    error: float
    error_of_error: float
    tau_int: float
    tau_int_error: float
    variance: float
    window: int
    n: int
    chains: int
    short: bool
    replica_q: float | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return json_ready(self)


def checked_chains(samples: Samples) -> list[np.ndarray]:
    """The chains as a list of float64 vectors."""
    if isinstance(samples, (list, tuple)) and len(samples) > 0 and np.ndim(samples[0]) > 0:
        chains = [np.asarray(chain, dtype=np.float64) for chain in samples]
    else:
        array = np.asarray(samples, dtype=np.float64)
        if array.ndim not in (1, 2):
            raise UsageError(f"samples has shape {array.shape}; it must be [steps] or [chains, steps].")
        chains = list(np.atleast_2d(array))
    if not chains:
        raise UsageError("samples holds no chain; give an array [chains, steps] or a list of chains.")
    for r, chain in enumerate(chains):
        if chain.ndim != 1 or chain.size < _SHORTEST_CHAIN:
            raise UsageError(
                f"Chain {r} has shape {chain.shape}; a chain is a vector of {_SHORTEST_CHAIN} or more values."
            )
        if not np.isfinite(chain).all():
            raise UsageError(
                f"Chain {r} holds NaN or infinity; remove it or find where the observable fails."
            )
    return chains


def autocovariance(samples: Samples, *, max_lag: int) -> np.ndarray:
    """Autocovariance Γ(t), t = 0 … max_lag, over all chains, about their common mean.

    Γ(t) = 1/(N - R t) Σ_r Σ_i (a_r,i - ā)(a_r,i+t - ā), hep-lat/0306017 eq. (31), for R chains of N values in
    all; the sums are evaluated by FFT. Not corrected for the bias -C/N that the subtracted mean brings.

    Args:
        samples: `[steps]`, `[chains, steps]`, or a list of vectors when the chains differ in length.
        max_lag: largest t; smaller than the length of the shortest chain.

    Raises:
        UsageError: NaN or infinity in the samples, a chain of fewer than 4 values, or a max_lag out of range.

    >>> print(autocovariance([1.0, -1.0, 1.0, -1.0], max_lag=2))
    [ 1. -1.  1.]
    """
    chains = checked_chains(samples)
    lengths = np.array([chain.size for chain in chains])
    if not 0 <= max_lag < lengths.min():
        raise UsageError(
            f"max_lag = {max_lag} is out of range; the shortest chain allows 0 … {lengths.min() - 1}."
        )
    mean = sum(chain.sum() for chain in chains) / lengths.sum()
    total = np.zeros(max_lag + 1)
    for chain in chains:
        # Padding by max_lag keeps the circular correlation of the FFT from wrapping into the lags in use.
        n_fft = scipy.fft.next_fast_len(chain.size + max_lag, real=True)
        spectrum = np.abs(np.fft.rfft(chain - mean, n_fft)) ** 2
        total += np.fft.irfft(spectrum, n_fft)[: max_lag + 1]
    return total / (lengths.sum() - len(chains) * np.arange(max_lag + 1))


def autocorrelation_function(samples: Samples, max_lag: int) -> tuple[np.ndarray, np.ndarray]:
    """The normalised autocorrelation ρ(t) = Γ(t)/Γ(0), t = 0 … max_lag, and its error, for figures.

    δρ(t)² = 1/N Σ_{k=1}^{t+Λ} [ρ(k+t) + ρ(|k-t|) - 2 ρ(k) ρ(t)]² with Λ = 100 (Madras and Sokal; M. Luescher,
    hep-lat/0409106, appendix E). Values at neighbouring t are strongly correlated: a tail that stays
    one error above zero over many t means nothing.

    Args:
        samples: `[steps]`, `[chains, steps]`, or a list of vectors when the chains differ in length.
        max_lag: largest t; smaller than the length of the shortest chain.

    Raises:
        UsageError: NaN or infinity in the samples, a chain of fewer than 4 values, or a max_lag out of range.
        NumericalError: samples without fluctuations.

    >>> noise = np.random.default_rng(0).normal(size=(4, 2000))
    >>> rho, error = autocorrelation_function(noise[:, 1:] + noise[:, :-1], max_lag=2)   # ρ(1) = 1/2
    >>> print(rho.round(2), error.round(2))
    [1.   0.51 0.02] [0.   0.01 0.01]
    """
    chains = checked_chains(samples)
    longest = min(2 * max_lag + _LUESCHER_TAIL, min(chain.size for chain in chains) - 1)
    gamma = autocovariance(chains, max_lag=max(longest, max_lag))
    if not is_fluctuation(gamma[0], float(np.mean(np.concatenate(chains)))):
        raise NumericalError("The samples do not fluctuate: a constant has no autocorrelation function.")
    rho = gamma / gamma[0]
    padded = np.concatenate([rho, np.zeros(2 * max_lag + _LUESCHER_TAIL + 1 - rho.size)])
    error = np.zeros(max_lag + 1)
    for t in range(1, max_lag + 1):
        k = np.arange(1, t + _LUESCHER_TAIL + 1)
        terms = padded[k + t] + padded[np.abs(k - t)] - 2 * padded[k] * rho[t]
        error[t] = math.sqrt(float(terms @ terms) / sum(chain.size for chain in chains))
    return rho[: max_lag + 1], error


def is_fluctuation(variance: float, mean: float) -> bool:
    """Whether a variance is more than what rounding alone leaves in constant data, (eps mean)²."""
    return bool(variance > (8 * np.finfo(np.float64).eps * abs(mean)) ** 2)


def _window(rho: np.ndarray, n: int, s: float) -> tuple[int, bool]:
    """The summation window W and whether the windowing condition was met, hep-lat/0306017 eqs. (51), (52)."""
    lag = np.arange(1, rho.size)
    tau_int = 0.5 + np.cumsum(rho[1:])
    tau = np.full(lag.size, np.finfo(np.float64).tiny)
    positive = tau_int > 0.5
    # eq. (51): S/τ = ln[(2 τ_int + 1)/(2 τ_int - 1)]; for anticorrelated data τ → 0 and W = 1.
    tau[positive] = s / np.log((2 * tau_int[positive] + 1) / (2 * tau_int[positive] - 1))
    with np.errstate(over="ignore"):
        g = np.exp(-lag / tau) - tau / np.sqrt(lag * n)  # eq. (52), W is the first lag with g(W) < 0
    met = np.flatnonzero(g < 0)
    return (int(lag[met[0]]), True) if met.size else (int(lag[-1]), False)


def gamma_method(samples: Samples, *, window_factor: float = 1.5) -> GammaEstimate:
    """Mean of a chain, its error and its integrated autocorrelation time by the Γ-method.

    error² = C/N with C = Γ(0) + 2 Σ_{t=1}^W Γ(t) and τ_int = C / (2 Γ(0)) = ½ + Σ_{t=1}^W ρ(t): 0.5 means
    independent. (Others define τ = 1 + 2 Σ ρ, twice this one.) W is chosen by Wolff's automatic windowing,
    which balances the noise of a long window against the tail that a short one cuts. Several chains (replica)
    must sample the same distribution; their common mean is used, and `replica_q` tests that they agree. The
    chains must be in equilibrium: drop the start before you call. The windowing supposes positive
    correlations; with ρ(1) < 0 it stops at W = 1 and leaves the rest of an alternating tail out. Source:
    U. Wolff, hep-lat/0306017.

    Args:
        samples: `[steps]`, `[chains, steps]`, or a list of vectors when the chains differ in length.
        window_factor: S, the assumed τ_exp/τ_int; 1 to 2 is usual. Larger S means longer windows.

    Raises:
        UsageError: NaN or infinity in the samples, chains of fewer than 4 values, or a window_factor <= 0.
        NumericalError: samples without fluctuations, or so anticorrelated that the estimated error² is <= 0.

    An AR(1) process x' = 0.8 x + noise has τ_int = ½ (1 + 0.8)/(1 - 0.8) = 4.5:

    >>> import numpy as np
    >>> from scipy.signal import lfilter
    >>> noise = np.random.default_rng(0).normal(size=(4, 20000))
    >>> estimate = gamma_method(lfilter([1.0], [1.0, -0.8], noise, axis=1))
    >>> print(f"tau_int {estimate.tau_int:.2f} +- {estimate.tau_int_error:.2f}, short: {estimate.short}")
    tau_int 4.87 +- 0.21, short: False
    """
    chains = checked_chains(samples)
    if not window_factor > 0:
        raise UsageError(f"window_factor = {window_factor} must be positive; 1.5 suits most chains.")
    lengths = np.array([chain.size for chain in chains])
    n, shortest = int(lengths.sum()), int(lengths.min())
    chain_means = np.array([chain.mean() for chain in chains])
    mean = float(lengths @ chain_means / n)
    gamma = autocovariance(chains, max_lag=shortest // 2)
    if not is_fluctuation(gamma[0], mean):
        raise NumericalError(
            f"All {n} samples equal {mean:.6g}: without fluctuations there is no error and no tau_int. "
            "Either the observable is a constant or every chain is stuck; look at the acceptance."
        )
    window, met = _window(gamma / gamma[0], n, window_factor)
    c_f = gamma[0] + 2 * gamma[1 : window + 1].sum()  # eq. (35)
    gamma = gamma + c_f / n  # bias of the subtracted mean; amounts to C (1 + (2W + 1)/N), eq. (49)
    c_f = gamma[0] + 2 * gamma[1 : window + 1].sum()
    if c_f <= 0:
        raise NumericalError(
            f"The estimated error² is {c_f / n:.3g} <= 0 with window {window}: the samples are strongly "
            "anticorrelated. Average neighbouring steps before the analysis."
        )
    tau_int = float(c_f / (2 * gamma[0]))  # eq. (41)
    tau_int_error = 2 * tau_int * math.sqrt(max(window + 0.5 - tau_int, 0.0) / n)  # eq. (42)
    error = math.sqrt(c_f / n)
    replica_q = None
    if len(chains) > 1:
        chi_squared = float(lengths @ (chain_means - mean) ** 2 / c_f)
        replica_q = float(scipy.special.gammaincc((len(chains) - 1) / 2, chi_squared / 2))
    return GammaEstimate(
        mean=mean,
        error=error,
        error_of_error=error * math.sqrt((window + 0.5) / n),
        tau_int=tau_int,
        tau_int_error=tau_int_error,
        variance=float(gamma[0]),
        window=window,
        n=n,
        chains=len(chains),
        short=not met or shortest < _TRUSTED_LENGTH * tau_int,
        replica_q=replica_q,
    )
