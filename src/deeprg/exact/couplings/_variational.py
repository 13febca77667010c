"""Variational RG of Mehta and Schwab: operators T(v, h), their trace condition, and the map to an RBM."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._checks import real_numbers
from ._transforms import check_variables, configurations

__all__ = [
    "VariationalRG",
    "coarse_energy",
    "log_trace",
    "operator_of_rbm",
    "operator_of_rule",
    "rbm_energy",
    "rbm_of_operator",
    "unfaithful_operator",
    "variational_rg",
]


@dataclass(frozen=True)
class VariationalRG:
    """How a coarse-graining operator T(v, h) treats a system of energy H(v), as `variational_rg` returns it.

    log_trace: ln sum_h e^T(v, h) for every v, [V]; zero everywhere for an exact step.
    violation: its largest absolute value.
    delta_f: F of the coarse system minus F of the system, -ln sum_h e^-H'(h) + ln sum_v e^-H(v).
    kl: KL(p || q) in nats from p(v) = e^-H/Z to the visible law q(v) of the RBM with E = H - T.
    coarse_energy: H'(h) = -ln sum_v e^(T(v, h) - H(v)), [states of h].
    """

    log_trace: np.ndarray
    violation: float
    delta_f: float
    kl: float
    coarse_energy: np.ndarray

    @property
    def exact(self) -> bool:
        """Whether sum_h e^T = 1 for every v, up to rounding."""
        return self.violation < 1e-10


def rbm_energy(
    weights: ArrayLike, hidden_bias: ArrayLike, visible_bias: ArrayLike, spins: str = "pm"
) -> np.ndarray:
    """E(v, h) = -a.v - b.h - v^T W h on all states, [2^n, 2^m] in the order of `configurations`.

    W [n, m], b [m], a [n]. Raises `UsageError` for shapes that do not fit, and above n + m = 20.

    >>> rbm_energy([[0.5]], [0.0], [0.0]).tolist()
    [[-0.5, 0.5], [0.5, -0.5]]
    """
    W, b, a = (real_numbers("RBM", part) for part in (weights, hidden_bias, visible_bias))
    if W.ndim != 2 or b.shape != W.shape[1:] or a.shape != W.shape[:1]:
        raise UsageError(f"An RBM has W [n, m], b [m], a [n], not {W.shape}, {b.shape}, {a.shape}.")
    check_variables(sum(W.shape), 20, 8)
    v, h = (configurations(size, spins).astype(np.float64) for size in W.shape)
    return -(v @ a)[:, None] - h @ b - v @ W @ h.T


def operator_of_rbm(rbm: ArrayLike, energy: ArrayLike) -> np.ndarray:
    """T(v, h) = -E(v, h) + H(v), the operator that an RBM with energy E [V, M] is for a system H [V].

    Then e^T = p(h | v) e^(H(v) - H_RBM(v)), and the coarse system is the RBM's hidden layer, H' = H_RBM(h):
    arXiv:1410.3831.

    >>> operator_of_rbm([[0.0, 1.0]], [0.5]).tolist()
    [[0.5, -0.5]]
    """
    E, H = _tables(rbm, energy)
    return H[:, None] - E


def rbm_of_operator(operator: ArrayLike, energy: ArrayLike) -> np.ndarray:
    """E(v, h) = H(v) - T(v, h): the joint energy [V, M] of an operator; undoes `operator_of_rbm`.

    >>> rbm_of_operator([[0.5, -0.5]], [0.5]).tolist()
    [[0.0, 1.0]]
    """
    T, H = _tables(operator, energy)
    return H[:, None] - T


def operator_of_rule(probabilities: ArrayLike) -> np.ndarray:
    """T = ln P(h | v) of a conditional distribution, [V, M]: it meets the trace condition, so it is exact.

    Entries that never occur become -inf, which all functions here take. Raises `UsageError` when a row is no
    distribution.

    >>> log_trace(operator_of_rule([[0.25, 0.75], [1.0, 0.0]])).round(12).tolist()
    [0.0, 0.0]
    """
    p = real_numbers("P(h | v)", probabilities)
    if p.ndim != 2 or not np.isfinite(p).all() or (p < 0).any() or np.abs(p.sum(axis=1) - 1).max() > 1e-9:
        raise UsageError("Each row of P(h | v), [V, M], must hold probabilities that add up to 1.")
    with np.errstate(divide="ignore"):
        return np.log(p)


def log_trace(operator: ArrayLike) -> np.ndarray:
    """ln sum_h e^T(v, h) as a function of v, [V]: zero for every v if and only if the step is exact.

    >>> log_trace([[0.0, 0.0]]).round(6).tolist()
    [0.693147]
    """
    T = _operator(operator)
    return _log_sum(T, axis=1)


def coarse_energy(operator: ArrayLike, energy: ArrayLike) -> np.ndarray:
    """H'(h) = -ln sum_v e^(T(v, h) - H(v)), the energy of the coarse system, [M].

    >>> coarse_energy([[0.0], [0.0]], [0.0, 0.0]).round(6).tolist()
    [-0.693147]
    """
    T, H = _tables(operator, energy)
    return -_log_sum(T - H[:, None], axis=0)


def variational_rg(operator: ArrayLike, energy: ArrayLike) -> VariationalRG:
    """The trace condition, the free energies and the KL divergence of an operator T [V, M] on a system H [V].

        Delta F = F' - F = -ln ⟨sum_h e^T⟩_p,     KL(p || q) = -⟨ln sum_h e^T⟩_p - Delta F >= 0.

    The trace condition sum_h e^T = 1 for EVERY v gives Delta F = 0 and KL = 0. The converses fail: Delta F is
    one number, an average over v that a constant in T can make zero (`unfaithful_operator`); KL = 0 only says
    that the trace does not depend on v. Source: arXiv:1410.3831, corrected by arXiv:1609.03541.

    Raises `UsageError` for shapes that do not fit.

    >>> found = variational_rg(operator_of_rule([[0.5, 0.5], [0.9, 0.1]]), [0.0, 1.0])
    >>> found.exact, abs(round(found.delta_f, 12)), abs(round(found.kl, 12))
    (True, 0.0, 0.0)
    """
    T, H = _tables(operator, energy)
    trace, log_z = log_trace(T), _log_sum(-H, axis=0)
    p = np.exp(-H - log_z)
    coarse = coarse_energy(T, H)
    delta_f = float(log_z - _log_sum(-coarse, axis=0))
    kl = float(-(p @ trace) - delta_f)
    return VariationalRG(trace, float(np.abs(trace).max()), delta_f, max(kl, 0.0), coarse)


def unfaithful_operator(coupling: float | int, weight: float | int) -> tuple[np.ndarray, np.ndarray]:
    """The counterexample: an operator with Delta F = 0 at every weight, exact at one weight only.

    Two spins with H = -K v_1 v_2 and one hidden spin, T = w h (v_1 + v_2) - K v_1 v_2 + c. The constant

        c = ln[cosh K / (cosh 2w + 1)]

    makes Delta F = 0 whatever w is: it fixes the normalisation and nothing else. The trace is
    2 cosh(2w) e^(c - K) for aligned spins and 2 e^(c + K) for opposite ones; both are 1 only where
    cosh 2w = e^2K, the exact marginalisation. At w = 0 the hidden spin knows nothing of v at all.

    Returns T [4, 2] and H [4] in the order of `configurations`. Raises `UsageError` unless both are finite.

    >>> blind = variational_rg(*unfaithful_operator(0.5, 0.0))
    >>> abs(round(blind.delta_f, 12)), round(blind.violation, 6), round(blind.kl, 6), blind.exact
    (0.0, 0.620115, 0.110944, False)
    """
    K, w = float(coupling), float(weight)
    if not (math.isfinite(K) and math.isfinite(w)):
        raise UsageError(f"The coupling and the weight must be finite, not {coupling} and {weight}.")
    v = configurations(2).astype(np.float64)
    energy = -K * v[:, 0] * v[:, 1]
    log_cosh = np.logaddexp([K, 2 * w], [-K, -2 * w]) - math.log(2)
    constant = log_cosh[0] - np.logaddexp(log_cosh[1], 0.0)
    return operator_of_rbm(rbm_energy([[w], [w]], [0.0], [0.0, 0.0]) - constant, energy), energy


def _log_sum(x: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(scipy.special.logsumexp(x, axis=axis))


def _operator(operator: ArrayLike) -> np.ndarray:
    T = real_numbers("operator", operator)
    if T.ndim != 2 or T.size == 0:
        raise UsageError(f"An operator is a table T [V, M], but its shape is {T.shape}.")
    if np.isnan(T).any() or np.isposinf(T).any():
        raise UsageError("An operator is a table without NaN and +inf; -inf is for what never occurs.")
    return T


def _tables(operator: ArrayLike, energy: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    T, H = real_numbers("table", operator), real_numbers("energy", energy)
    if T.ndim != 2 or H.shape != T.shape[:1]:
        raise UsageError(f"The table is [V, M] and the energy [V]; they are {T.shape} and {H.shape}.")
    if not np.isfinite(H).all() or np.isnan(T).any():
        raise UsageError("The table holds NaN, or the energy numbers that are not finite.")
    return T, H
