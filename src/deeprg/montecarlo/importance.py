"""What importance weights say about a model: free energy, partition function, and whether to believe them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.montecarlo._summary import checked_log_weights, json_ready
from deeprg.montecarlo.autocorrelation import gamma_method
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["ImportanceSummary", "importance_summary", "reweighted"]

_TRUSTED_SAMPLES = 100_000
_FEWEST_FOR_PARETO = 25


@dataclass(frozen=True)
class ImportanceSummary:
    """Free energies and quality of n independent samples x ~ q with weights w(x) = exp(-H(x))/q(x).

    Free energies, in nats:
        free_energy, free_energy_error: variational F = E_q[ln q + H] = -E_q[ln w] >= -ln Z; infinite if a
            weight is zero.
        log_partition, log_partition_error: ln of the mean weight, error by the delta method. Its average lies
            below ln Z, by (1/ess - 1)/(2n) to leading order.
        log_partition_corrected: the same with the jackknife estimate of that bias taken out; None when all
            the weight sits on one sample.
    Bounds that hold for any q, as expectations; what is given estimates them, with an error:
        lower_bound = E_q[ln w] <= ln Z <= E_π[ln w] = upper_bound (None without target samples). The
            distances to ln Z are KL(q|π) and KL(π|q).
    Quality:
        std_log_weight: standard deviation of ln w; 0 for a perfect model.
        ess: (Σw)²/(n Σw²) from `ess_samples` samples; 1 for a perfect model. It can be high for a q that
            misses part of the target, the more so the fewer the samples: `ess_trusted` is true from 10⁵ on.
        ess_forward: 1/(E_π[w] E_π[1/w]), the same quantity from target samples, which see the miss; or None.
        pareto_k: shape of the tail of w, which has finite moments below 1/k only. Under 0.5 the errors are
            normal; over 0.7 neither log_partition nor its error is reliable. None with fewer than 25 samples
            or too many equal weights.
        largest_weight: largest w/Σw; 1/n for a perfect model.
    """

    n: int
    free_energy: float
    free_energy_error: float
    log_partition: float
    log_partition_error: float
    log_partition_corrected: float | None
    lower_bound: float
    lower_bound_error: float
    upper_bound: float | None
    upper_bound_error: float | None
    std_log_weight: float
    ess: float
    ess_samples: int
    ess_trusted: bool
    ess_forward: float | None
    pareto_k: float | None
    largest_weight: float

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; infinities become None."""
        return json_ready(self)


def _log_mean_exp(values: np.ndarray) -> float:
    top = values.max()
    return float(top + np.log(np.mean(np.exp(values - top))))


def _jackknife_log_mean(weights: np.ndarray, log_mean: float) -> float | None:
    """n ln w̄ - (n - 1) mean_i ln w̄_(i), with w̄_(i) the mean weight without sample i."""
    n, largest = weights.size, int(weights.argmax())
    rest = np.delete(weights, largest).sum()
    if rest == 0:
        return None
    log_left = np.log1p(-np.delete(weights, largest) / weights.sum()).sum() + math.log(rest / weights.sum())
    return float(log_mean - (n - 1) * (log_left / n - math.log1p(-1 / n)))


def _pareto_k(log_weights: np.ndarray) -> float | None:
    """Shape of a generalised Pareto law fitted to the largest min(n/5, 3 √n) weights, arXiv:1507.02646.

    The fit (Zhang and Stephens 2009, with the prior that draws k towards 0.5) is blackjax's.
    """
    n = log_weights.size
    if n < _FEWEST_FOR_PARETO:
        return None
    tail_size = min(int(3 * math.sqrt(n)), n // 5)
    tail = np.sort(log_weights)[n - tail_size - 1 :]
    if tail[0] < tail[-1]:
        quartile = int(tail_size / 4 + 0.5)  # the order statistic that sets the scale of the fit
        if tail[quartile] == tail[0]:
            return None
        top = tail[-1]
        if np.exp(tail[quartile] - top) == np.exp(tail[0] - top):  # hundreds of nats apart: Hill's estimate
            finite = tail[np.isfinite(tail)]
            return float(np.mean(finite - finite[0]))
    import jax  # here, because blackjax takes seconds to import and no other function needs it
    from blackjax.diagnostics import psis_weights

    # blackjax relies on the standard promotion rules; a caller may have set stricter ones.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        k = float(jax.jit(psis_weights)(jax.numpy.asarray(log_weights))[1])
    return k if math.isfinite(k) else None


def importance_summary(
    log_weights: ArrayLike, *, forward_log_weights: ArrayLike | None = None
) -> ImportanceSummary:
    """Free energy, ln Z, their errors and bounds, and the quality of the weights w(x) = exp(-H(x))/q(x).

    Everything is computed in float64. See `ImportanceSummary` for each number. Sources: effective sample
    size, arXiv:2101.08176; Pareto k, arXiv:1507.02646.

    Args:
        log_weights: ln w(x) = -H(x) - ln q(x) at independent x ~ q, `[n]`, n >= 2; -inf is a zero weight.
        forward_log_weights: ln w(x) at samples of the target x ~ π ∝ exp(-H): `[m]` if independent, `[chains,
            steps]` from Markov chains; then the error of the upper bound is the Γ-method's.

    Raises:
        UsageError: wrong number of axes, fewer than 2 samples, or NaN; -inf among forward_log_weights.
        NumericalError: +inf, or no weight above zero.

    Proposals from Normal(0, 1) for H = x²/(2·0.8²), where ln Z = ln(0.8 √2π) = 0.696:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> summary = importance_summary(-0.5 * (x / 0.8)**2 + 0.5 * x**2 + 0.5 * np.log(2 * np.pi))
    >>> print(f"ln Z {summary.log_partition:.4f} +- {summary.log_partition_error:.4f}, ess {summary.ess:.3f}")
    ln Z 0.6961 +- 0.0008, ess 0.933
    """
    log_w = checked_log_weights(log_weights, "log_weights", ndim=(1,))
    n = log_w.size
    top = log_w.max()
    if np.isneginf(top):
        raise NumericalError(
            f"All {n} weights are zero (ln w = -inf): the model never meets the target. Check the energy, "
            "train the model further or draw more samples."
        )
    weights = np.exp(log_w - top)
    total = weights.sum()
    log_mean = float(top + np.log(total / n))
    ess = float(total**2 / (n * np.sum(weights**2)))
    if np.isneginf(log_w).any():
        mean_log, mean_log_error, std = -math.inf, math.inf, math.inf
    else:
        mean_log, std = float(log_w.mean()), float(log_w.std(ddof=1))
        mean_log_error = std / math.sqrt(n)
    upper = upper_error = ess_forward = None
    if forward_log_weights is not None:
        upper, upper_error, ess_forward = _forward(forward_log_weights)
    return ImportanceSummary(
        n=n,
        free_energy=-mean_log,
        free_energy_error=mean_log_error,
        log_partition=log_mean,
        # std(w)/(√n mean(w)), and the relative variance of w is 1/ess - 1
        log_partition_error=math.sqrt(max(1 / ess - 1, 0.0) / (n - 1)),
        log_partition_corrected=_jackknife_log_mean(weights, log_mean),
        lower_bound=mean_log,
        lower_bound_error=mean_log_error,
        upper_bound=upper,
        upper_bound_error=upper_error,
        std_log_weight=std,
        ess=ess,
        ess_samples=n,
        ess_trusted=n >= _TRUSTED_SAMPLES,
        ess_forward=ess_forward,
        pareto_k=_pareto_k(log_w),
        largest_weight=float(weights.max() / total),
    )


def _forward(forward_log_weights: ArrayLike) -> tuple[float, float, float]:
    """E_π[ln w] with its error, and the ess from target samples: E_q[w²]/Z = E_π[w], 1/Z = E_π[1/w]."""
    log_w = checked_log_weights(forward_log_weights, "forward_log_weights", ndim=(1, 2))
    if np.isneginf(log_w).any():
        raise UsageError(
            "forward_log_weights holds -inf: exp(-H) = 0 at what should be a sample of exp(-H). Give weights "
            "at samples of the target, not of the model."
        )
    independent = log_w.ndim == 1
    error = float(log_w.std(ddof=1)) / math.sqrt(log_w.size) if independent else gamma_method(log_w).error
    return float(log_w.mean()), error, math.exp(-_log_mean_exp(log_w) - _log_mean_exp(-log_w))


def reweighted(values: ArrayLike, log_weights: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Average over the target from samples of the model, with its error: self-normalised importance sampling.

    ⟨O⟩ = Σ p_i O_i with p_i = w_i/Σw, and error² = n/(n-1) Σ p_i² (O_i - ⟨O⟩)² (delta method). The bias is of
    order 1/(n ess). Where `importance_summary` reports pareto_k > 0.7, neither number is reliable. Source:
    Owen, Monte Carlo theory, methods and examples (2013), section 9.2.

    Args:
        values: O at the samples, `[n, ...]`; every trailing component is averaged on its own.
        log_weights: ln w(x) = -H(x) - ln q(x) at independent x ~ q, `[n]`.

    Returns:
        mean and error, both of the shape of one value, `[...]`.

    Raises:
        UsageError: shapes that do not fit, fewer than 2 samples, NaN; infinite values of non-zero weight.
        NumericalError: +inf among the weights, or no weight above zero.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> mean, error = reweighted(x**2, -0.5 * (x / 0.8)**2 + 0.5 * x**2)
    >>> print(f"{mean:.4f} +- {error:.4f} (exact 0.64)")
    0.6388 +- 0.0022 (exact 0.64)
    """
    log_w = checked_log_weights(log_weights, "log_weights", ndim=(1,))
    array = np.asarray(values, dtype=np.float64)
    n = log_w.size
    if array.ndim == 0 or array.shape[0] != n:
        raise UsageError(
            f"values has shape {array.shape} for {n} log weights; its first axis must be {n} long."
        )
    top = log_w.max()
    if np.isneginf(top):
        raise NumericalError(f"All {n} weights are zero (ln w = -inf); no average exists. Check the energy.")
    p = np.exp(log_w - top)
    array, p = array[p > 0], p[p > 0] / p.sum()
    if not np.isfinite(array).all():
        raise UsageError(
            "values holds NaN or infinity at samples of non-zero weight; find where the observable fails."
        )
    mean = np.tensordot(p, array, axes=1)
    error = np.sqrt(n / (n - 1) * np.tensordot(p**2, (array - mean) ** 2, axes=1))
    return np.asarray(mean), np.asarray(error)
