"""Averages over the target from draws of a model: reweighted, by independence Metropolis, or as drawn."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.exact import Reference
from deeprg.montecarlo import Estimate, gamma_method, independence_metropolis, reweighted
from deeprg.probes.ensemble import MeasuredDraws, axis_profile
from deeprg.runs.errors import UsageError, nearest

__all__ = [
    "ESTIMATORS",
    "Estimate",
    "Estimates",
    "Profile",
    "direct_estimates",
    "estimates",
    "importance_estimates",
    "independence_estimates",
    "longest_stay",
]

_STEPS, _MOST_CHAINS = 2000, 64


@dataclass(frozen=True)
class Profile:
    """The correlator G(r) along an axis with errors: arrays over `r`; `exact` where it is known."""

    r: np.ndarray
    value: np.ndarray
    error: np.ndarray
    exact: np.ndarray | None = None


@dataclass(frozen=True)
class Estimates:
    """All averages that one method made of n draws.

    `biased` says that they are averages over the model, not over the target. `acceptance`, `chains`, `steps`,
    `discard`, `tau_int` (the largest over the observables) and `replica_q` (the smallest probability that the
    chains agree) belong to chains and are None otherwise.
    """

    method: str
    n: int
    observables: dict[str, Estimate]
    correlation: Profile | None = None
    biased: bool = False
    acceptance: float | None = None
    tau_int: float | None = None
    chains: int | None = None
    steps: int | None = None
    discard: int | None = None
    replica_q: float | None = None
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row = asdict(self) | {"observables": {k: v.to_dict() for k, v in self.observables.items()}}
        if self.correlation is not None:
            row["correlation"] = asdict(self.correlation)
        return row


def _exact_profile(draws: MeasuredDraws, reference: Reference | None) -> np.ndarray | None:
    if reference is None or reference.correlation is None:
        return None
    return axis_profile(np.asarray(reference.correlation), draws.shape)


def _known(reference: Reference | None, name: str) -> float | None:
    return None if reference is None else reference.observables.get(name)


def _averaged(
    method: str,
    draws: MeasuredDraws,
    reference: Reference | None,
    average: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    *,
    biased: bool,
) -> Estimates:
    rows = {}
    for name, values in draws.scalars.items():
        mean, error = average(values)
        rows[name] = Estimate(float(mean), float(error), _known(reference, name))
    profile = None
    if draws.correlation is not None:
        mean, error = average(draws.correlation)
        profile = Profile(np.arange(mean.size), mean, error, _exact_profile(draws, reference))
    return Estimates(method, draws.n, rows, profile, biased=biased)


def importance_estimates(draws: MeasuredDraws, reference: Reference | None = None) -> Estimates:
    """Averages over the target by self-normalised importance weights, see `deeprg.montecarlo.reweighted`.

    >>> x = np.random.default_rng(0).normal(size=100_000)                # q = Normal(0, 1)
    >>> log_weights = -0.5 * (x / 0.8)**2 + 0.5 * x**2                   # target Normal(0, 0.8²)
    >>> row = importance_estimates(MeasuredDraws((1,), log_weights, {"x2": x**2})).observables["x2"]
    >>> print(f"{row.value:.3f} +- {row.error:.3f} (exact 0.64)")
    0.639 +- 0.002 (exact 0.64)
    """
    return _averaged(
        "importance", draws, reference, lambda values: reweighted(values, draws.log_weights), biased=False
    )


def direct_estimates(draws: MeasuredDraws, reference: Reference | None = None) -> Estimates:
    """Averages over the model itself: biased by what the model has not learned, whatever the errors say."""
    root = math.sqrt(draws.n)
    result = _averaged(
        "direct",
        draws,
        reference,
        lambda values: (values.mean(axis=0), values.std(axis=0, ddof=1) / root),
        biased=True,
    )
    result.warnings.append("direct averages are over the model, not over the target: they are biased.")
    return result


def longest_stay(index: np.ndarray) -> int:
    """The most steps that a chain [chains, steps] spends on one proposal without a break.

    >>> longest_stay(np.array([[0, 1, 1, 1, 4, 4]]))
    3
    """
    longest = 0
    for row in index:
        edges = np.flatnonzero(np.diff(row)) + 1
        longest = max(longest, int(np.diff(np.concatenate([[0], edges, [row.size]])).max()))
    return longest


def independence_estimates(
    draws: MeasuredDraws, reference: Reference | None = None, *, key: PRNGKeyArray
) -> Estimates:
    """Averages over exact chains that take the draws as proposals, with Γ-method errors.

    The draws are dealt to up to 64 chains of 2000 or more steps. A start as long as the longest stay on one
    proposal is dropped from each chain (at most half of it). See
    `deeprg.montecarlo.independence_metropolis`.

    Raises `NumericalError` when no proposal is accepted.

    >>> import jax
    >>> x = np.random.default_rng(0).normal(size=100_000)                # q = Normal(0, 1)
    >>> log_weights = -0.5 * (x / 0.8)**2 + 0.5 * x**2                   # target Normal(0, 0.8²)
    >>> result = independence_estimates(MeasuredDraws((1,), log_weights, {"x2": x**2}), key=jax.random.key(1))
    >>> row = result.observables["x2"]
    >>> print(f"{row.value:.2f} (exact 0.64), acceptance {result.acceptance:.2f}, tau_int {row.tau_int:.0f}")
    0.64 (exact 0.64), acceptance 0.86, tau_int 1
    """
    chains = min(max(draws.n // _STEPS, 1), _MOST_CHAINS)
    steps = draws.n // chains
    if steps < 8:
        raise UsageError(f"n = {draws.n} draws are too few for a chain; draw at least 8.")

    def deal(values: np.ndarray) -> np.ndarray:
        return values[: chains * steps].reshape(chains, steps, *values.shape[1:])

    walk = independence_metropolis(deal(draws.log_weights), key=key)
    stay = longest_stay(walk.index)
    discard = min(stay, steps // 2)
    warnings = []
    if stay > steps // 2:
        warnings.append(
            f"a chain stayed on one proposal for {stay} of its {steps} steps: its errors cannot be trusted. "
            "Draw more samples or train further."
        )
    rows, q_values = {}, []
    for name, values in draws.scalars.items():
        visited = np.take_along_axis(deal(values), walk.index, axis=1)[:, discard:]
        chain = gamma_method(visited)
        rows[name] = Estimate(chain.mean, chain.error, _known(reference, name), chain.tau_int, chain.short)
        if chain.replica_q is not None:
            q_values.append(chain.replica_q)
    profile = None
    if draws.correlation is not None:
        profile = _chain_profile(deal(draws.correlation), walk.index, discard, draws, reference)
    if any(row.short for row in rows.values()):
        warnings.append(
            f"chains of {steps - discard} steps are shorter than 50 tau_int: errors may be too small."
        )
    return Estimates(
        "independence",
        chains * steps,
        rows,
        profile,
        acceptance=walk.acceptance,
        tau_int=max((row.tau_int for row in rows.values() if row.tau_int is not None), default=None),
        chains=chains,
        steps=steps,
        discard=discard,
        replica_q=min(q_values, default=None),
        warnings=warnings,
    )


def _chain_profile(
    values: np.ndarray, index: np.ndarray, discard: int, draws: MeasuredDraws, reference: Reference | None
) -> Profile:
    means, errors = [], []
    for r in range(values.shape[-1]):
        visited = np.take_along_axis(values[..., r], index, axis=1)[:, discard:]
        if np.ptp(visited) <= 1e-12 * abs(visited.flat[0]):  # G(0) = 1 for spins
            means.append(float(visited.flat[0]))
            errors.append(0.0)
        else:
            chain = gamma_method(visited)
            means.append(chain.mean)
            errors.append(chain.error)
    return Profile(np.arange(len(means)), np.array(means), np.array(errors), _exact_profile(draws, reference))


ESTIMATORS: dict[str, str] = {
    "importance": "self-normalised importance weights: unbiased up to 1/n",
    "independence": "independence Metropolis over the draws: exact chains with autocorrelation",
    "direct": "plain averages over the model: biased",
}


def estimates(
    draws: MeasuredDraws, method: str, reference: Reference | None = None, *, key: PRNGKeyArray
) -> Estimates:
    """The averages by the method of that name, one of `ESTIMATORS`; `UsageError` when there is none.

    `key` decides on acceptance in the method "independence"; the others ignore it.
    """
    if method == "importance":
        return importance_estimates(draws, reference)
    if method == "independence":
        return independence_estimates(draws, reference, key=key)
    if method == "direct":
        return direct_estimates(draws, reference)
    raise UsageError(
        f"there is no method '{method}'.{nearest(method, ESTIMATORS)} Known: {', '.join(ESTIMATORS)}."
    )
