"""How good a flow is: its free energy beside the exact one, its weights, its acceptance, its observables."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.exact import Reference
from deeprg.hamiltonians import AbstractHamiltonian, ContinuousDual
from deeprg.montecarlo import importance_summary
from deeprg.probes.ensemble import MeasuredDraws
from deeprg.probes.estimates import importance_estimates, independence_estimates
from deeprg.runs.errors import NumericalError

__all__ = ["quality", "spin_log_partition"]


def quality(draws: MeasuredDraws, reference: Reference | None = None, *, key: PRNGKeyArray) -> dict[str, Any]:
    """The numbers by which a trained flow is judged, ready for JSON.

    Free energies in nats: `free_energy` = E_q[ln q + H] with its error, `exact_free_energy`, `gap` (their
    difference, = KL(q|π)), `gap_per_site`; `log_partition` from the weights with its error and the exact one;
    `std_log_weight`, `ess` with `ess_samples` and `ess_trusted` (10⁵ samples or more), `pareto_k`,
    `largest_weight`; `kl_forward`, KL(π|q) from the same weights; `acceptance`, `tau_int`, `chain_short` and
    `replica_q` of independence Metropolis; `observables` (reweighted) and `correlation`. What is not known is
    None. See `deeprg.montecarlo.importance_summary` for formulas. `key` decides on acceptance.

    >>> import jax
    >>> x = np.random.default_rng(0).normal(size=100_000)                # q = Normal(0, 1)
    >>> log_weights = -0.5 * (x / 0.8)**2 + 0.5 * x**2 + 0.5 * np.log(2 * np.pi)
    >>> row = quality(MeasuredDraws((1,), log_weights, {"x2": x**2}), key=jax.random.key(0))
    >>> round(row["ess"], 2), row["ess_trusted"], round(row["log_partition"], 2)
    (0.93, True, 0.7)
    """
    summary = importance_summary(draws.log_weights)
    averages = importance_estimates(draws, reference)
    warnings = []
    try:
        chain = independence_estimates(draws, reference, key=key)
        acceptance, tau, replica = chain.acceptance, chain.tau_int, chain.replica_q
        short = any(row.short for row in chain.observables.values()) or bool(chain.warnings)
    except NumericalError as error:  # chains that never move: a number to report, not a reason to end
        acceptance, tau, replica, short = 0.0, None, None, True
        warnings.append(str(error))
    exact = None if reference is None else reference.free_energy
    gap = None if exact is None else summary.free_energy - exact
    row = summary.to_dict()
    row.update(
        exact_free_energy=exact,
        exact_log_partition=None if reference is None else reference.log_partition,
        exact_source=None if reference is None else reference.source,
        gap=gap,
        gap_error=None if exact is None else summary.free_energy_error,
        gap_per_site=None if gap is None else gap / math.prod(draws.shape),
        log_partition_pull=_pull(summary.log_partition, summary.log_partition_error, reference),
        kl_forward=_forward_divergence(draws.log_weights),
        acceptance=acceptance,
        tau_int=tau,
        chain_short=short,
        replica_q=replica,
        observables={name: entry.to_dict() for name, entry in averages.observables.items()},
        correlation=averages.to_dict()["correlation"],
        warnings=warnings,
    )
    if not summary.ess_trusted:
        row["warnings"].append(
            f"the ESS comes from {summary.n} samples; fewer than 100000 miss the tail and flatter the model."
        )
    return row


def spin_log_partition(row: Mapping[str, Any], hamiltonian: AbstractHamiltonian) -> dict[str, float | None]:
    """ln Z of the spins of a continuous dual from the dual's own: ln Z less `log_partition_constant`.

    `row` has `log_partition`, `log_partition_error` and `exact_log_partition`; the answer has the same for
    the spins, None for other Hamiltonians.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> dual = build_hamiltonian("ising", Lattice((4, 4)))
    >>> row = {"log_partition": 22.0, "log_partition_error": 0.1, "exact_log_partition": None}
    >>> round(spin_log_partition(row, dual)["spin_log_partition"], 4)
    0.1452
    """
    value, error, exact = row["log_partition"], row["log_partition_error"], row["exact_log_partition"]
    dual = isinstance(hamiltonian, ContinuousDual)
    constant = hamiltonian.log_partition_constant if dual else 0.0
    return {
        "spin_log_partition": value - constant if dual else None,
        "spin_log_partition_error": error if dual else None,
        "exact_spin_log_partition": exact - constant if dual and exact is not None else None,
    }


def _pull(value: float, error: float, reference: Reference | None) -> float | None:
    return None if reference is None or not error > 0 else (value - reference.log_partition) / error


def _forward_divergence(log_weights: np.ndarray) -> float:
    """KL(π|q) = E_π[ln w] - ln Z, both by reweighting the same draws: it sees no mode that q misses."""
    shifted = log_weights - log_weights.max()
    weights = np.exp(shifted)
    finite = weights > 0
    mean = float(np.sum(weights[finite] * shifted[finite]) / weights.sum())
    return mean - math.log(weights.mean())
