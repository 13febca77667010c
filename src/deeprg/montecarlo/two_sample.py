"""Do two correlated series come from one distribution."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from scipy import stats

from deeprg.montecarlo._summary import json_ready
from deeprg.montecarlo.autocorrelation import GammaEstimate, Samples, checked_chains, gamma_method
from deeprg.runs.errors import UsageError

__all__ = ["TwoSampleTest", "two_sample_test"]

_LEFT_OVER = 0.03
_FEWEST = 20


@dataclass(frozen=True)
class TwoSampleTest:
    """What `two_sample_test` found: small probabilities speak against one common distribution.

    difference, difference_error, z, p_mean: of the means, with Γ-method errors on all samples.
    ks, p_ks: Kolmogorov and Smirnov's largest distance of the distributions, on `n_a` and `n_b` samples
        thinned until they are independent. For discrete data p_ks errs on the side of agreement.
    p: the smaller of the two, doubled because there are two.
    short: a series is shorter than 50 tau_int; its errors may be too small.
    """

    difference: float
    difference_error: float
    z: float
    p_mean: float
    ks: float
    p_ks: float
    p: float
    n_a: int
    n_b: int
    short: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return json_ready(self)


def two_sample_test(a: Samples, b: Samples) -> TwoSampleTest:
    """Test whether two correlated series sample the same distribution: their means, and their shapes.

    The means by z = (ā - b̄)/√(σ_a² + σ_b²) with Γ-method errors. The distributions by the two-sample
    Kolmogorov-Smirnov test, which supposes independent samples: each series is thinned by the step at which
    an exponential autocorrelation of its tau_int, τ = 1/ln[(2 tau_int + 1)/(2 tau_int - 1)], falls to 0.03.

    Args:
        a: `[steps]`, `[chains, steps]`, or a list of vectors, in equilibrium.
        b: likewise; lengths may differ.

    Raises:
        UsageError: NaN, or fewer than 20 samples left after thinning.
        NumericalError: a series without fluctuations.

    >>> rng = np.random.default_rng(0)
    >>> same = two_sample_test(rng.normal(size=2000), rng.normal(size=3000))
    >>> wider = two_sample_test(rng.normal(size=2000), 1.3 * rng.normal(size=3000))
    >>> print(f"{same.p:.2f}; {wider.p_mean:.2f} {wider.p_ks:.0e}")
    0.34; 0.67 7e-07
    """
    found = [gamma_method(samples) for samples in (a, b)]
    thinned = [_thinned(name, samples, row) for name, samples, row in zip("ab", (a, b), found, strict=True)]
    difference = found[0].mean - found[1].mean
    error = math.hypot(found[0].error, found[1].error)
    z = difference / error
    p_mean = float(scipy.special.erfc(abs(z) / math.sqrt(2)))
    shape: Any = stats.ks_2samp(thinned[0], thinned[1], method="asymp")
    p_ks = float(shape.pvalue)
    return TwoSampleTest(
        difference=difference,
        difference_error=error,
        z=z,
        p_mean=p_mean,
        ks=float(shape.statistic),
        p_ks=p_ks,
        p=min(1.0, 2 * min(p_mean, p_ks)),
        n_a=thinned[0].size,
        n_b=thinned[1].size,
        short=any(row.short for row in found),
    )


def _thinned(name: str, samples: Samples, row: GammaEstimate) -> np.ndarray:
    step = independent_step(row.tau_int, left_over=_LEFT_OVER)
    kept = np.concatenate([chain[::step] for chain in checked_chains(samples)])
    if kept.size < _FEWEST:
        raise UsageError(
            f"Series {name} has {row.n} samples with tau_int = {row.tau_int:.3g}: {kept.size} independent "
            f"ones, but the test needs {_FEWEST}. Take more samples."
        )
    return kept


def independent_step(tau_int: float, *, left_over: float) -> int:
    """The lag at which an exponential autocorrelation with this tau_int has fallen to `left_over`.

    >>> independent_step(0.5, left_over=0.03), independent_step(9.5, left_over=0.03)
    (1, 34)
    """
    if tau_int <= 0.5:
        return 1
    return max(1, math.ceil(-math.log(left_over) / math.log((2 * tau_int + 1) / (2 * tau_int - 1))))
