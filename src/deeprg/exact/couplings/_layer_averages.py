"""Averages over the spins outside a set of what a hidden layer adds to its coupling."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...runs.errors import NumericalError, UsageError

__all__ = ["Cgf", "averaged", "converged", "derivatives", "evaluated", "leading", "sampled", "trapezoid"]

_RANGE, _WIDEST_RANGE = 9.0, 38.0  # Normal(0, 1) is below 1e-17 and 1e-300 there
_MOST_STEPS = 1 << 20
_FEW_ROWS = 1 << 10
_TOLERANCE, _ROUNDING = 1e-11, 1e-14

Cgf = Callable[[Any], Any]
"""The cumulant generating functions of hidden units: fields [..., m] to the same shape."""


def signs(k: int) -> np.ndarray:
    """The 2^k states of k spins ±1, [2^k, k]."""
    return 1.0 - 2 * ((np.arange(1 << k)[:, None] >> np.arange(k)) & 1)


def evaluated(cgf: Cgf, fields: np.ndarray) -> np.ndarray:
    """K of NumPy fields [..., m], in rows of two sizes only: JAX compiles K anew for every shape."""
    flat = fields.reshape(-1, fields.shape[-1])
    rows = _FEW_ROWS if len(flat) <= 4 * _FEW_ROWS else 16 * _FEW_ROWS
    values = np.empty_like(flat)
    for start in range(0, len(flat), rows):
        part = flat[start : start + rows]
        padded = np.pad(part, ((0, rows - len(part)), (0, 0)))
        values[start : start + rows] = np.asarray(cgf(jnp.asarray(padded)))[: len(part)]
    return values.reshape(fields.shape)


def trapezoid(reach: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """`steps` + 1 points from -reach to reach and the weights of Normal(0, 1) there, which add up to 1."""
    points = np.linspace(-reach, reach, steps + 1)
    weights = np.exp(-(points**2) / 2)
    return points, weights / weights.sum()


def averaged(inside: Any, tails: Any, b: Any, cgf: Cgf, points: np.ndarray, weights: np.ndarray) -> Any:
    """The couplings of sets by the central limit, [sets], from the weights inside [sets, k, m].

        J_S = sum_j E_z 2^-k sum_sigma (prod sigma) K_j(b_j + w_S.sigma + sqrt(tails_j) z),  z ~ Normal(0, 1),

    by a quadrature over z; tails [sets, m] are the outside sums of w^2. In NumPy or JAX as the arguments are.
    """
    xp, dtype, k = inside.__array_namespace__(), inside.dtype, inside.shape[1]
    sigma = signs(k)
    shift = xp.einsum("tk,ckm->ctm", xp.asarray(sigma, dtype=dtype), inside)
    # The square root has no derivative where nothing is outside; there it is kept constant.
    spread = xp.where(tails > 0, xp.sqrt(xp.where(tails > 0, tails, xp.ones_like(tails))), 0)
    noise = spread[:, None] * xp.asarray(points, dtype=dtype)[None, :, None]
    table = cgf((b[None, None] + shift)[:, :, None] + noise[:, None])  # [sets, 2^k, nodes, m]
    parity = xp.asarray(sigma.prod(axis=1) / (1 << k), dtype=dtype)
    return xp.einsum("t,ctq->cq", parity, table.sum(axis=-1)) @ xp.asarray(weights, dtype=dtype)


def converged(inside: np.ndarray, tails: np.ndarray, b: np.ndarray, cgf: Cgf, most: int) -> np.ndarray:
    """The same to 1e-10 for every width of the outside field, [sets]; `most` numbers at a time.

    The trapezoidal rule: for an integrand that is analytic in a strip |Im z| < a its error falls as
    exp(-2 pi a/step). K(m + s z) has the strip (radius of K)/s, pi/(2 s) for ±1 units, so that the step must
    shrink with the width s, which Gauss-Hermite nodes do not. The step is halved, and the range widened (for
    K that grow exponentially), until nothing changes.
    """

    def in_numpy(fields: np.ndarray) -> np.ndarray:
        return evaluated(cgf, fields)

    width = math.sqrt(float(tails.max(initial=0.0)))
    edges = np.abs(inside).sum(axis=1).max(axis=0, initial=0.0) + 2 * np.sqrt(tails.max(axis=0, initial=0.0))
    size = float(np.abs(in_numpy(np.stack([b - edges, b + edges]))).sum(axis=-1).max(initial=0.0))
    reach, step = _RANGE, _RANGE / math.ceil(3 * _RANGE * max(1.0, width)) if width else math.inf
    previous = None
    while True:
        steps = 2 * math.ceil(reach / step)
        rule = trapezoid(reach, steps) if width else (np.zeros(1), np.ones(1))
        batch = max(1, most // (len(rule[0]) * max(len(b), 1) << inside.shape[1]))
        found = np.concatenate(
            [
                averaged(inside[start : start + batch], tails[start : start + batch], b, in_numpy, *rule)
                for start in range(0, len(inside), batch)
            ]
            or [np.zeros(0)]
        )
        if previous is not None or not width:
            change = np.abs(found - previous) if previous is not None else np.zeros_like(found)
            if (change <= _TOLERANCE * np.abs(found) + _ROUNDING * size).all():
                return found
        if steps > _MOST_STEPS or not np.isfinite(found).all():
            raise NumericalError(
                f"The average of K over an outside field of width {width:.3g} does not converge: K is too "
                "rough or grows too fast. Weaken the weights, or take method='monte-carlo'."
            )
        previous, step, reach = found, step / 2, min(1.25 * reach, _WIDEST_RANGE)


def derivatives(b: Any, cgf: Cgf) -> tuple[jax.Array, jax.Array, jax.Array]:
    """K, K' and K'' at the biases, [m] each."""

    def slope(t: jax.Array) -> jax.Array:
        return jax.jvp(cgf, (t,), (jnp.ones_like(t),))[1]

    @jax.jit  # one compilation instead of one for every operation
    def three(t: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return cgf(t), slope(t), jax.jvp(slope, (t,), (jnp.ones_like(t),))[1]

    return three(jnp.asarray(b))


def leading(W: Any, kappas: Sequence[Any], chosen: np.ndarray) -> Any:
    """The couplings of sets with K replaced by its second-order Taylor polynomial about b, [sets].

    From the `derivatives` kappas, in NumPy or JAX as they are: constant sum_j K + K'' sum_i w_ij^2 / 2,
    fields sum_j w_ij K', pairs sum_j w_ij w_kj K'', no more.
    """
    value, slope, curvature = kappas
    xp, order = W.__array_namespace__(), chosen.shape[1]
    if order == 0:
        return xp.broadcast_to(xp.sum(value + curvature * xp.sum(W * W, axis=0) / 2), (len(chosen),))
    if order == 1:
        return W[chosen[:, 0]] @ slope
    if order == 2:
        return (W[chosen[:, 0]] * W[chosen[:, 1]]) @ curvature
    return xp.zeros(len(chosen), dtype=W.dtype)


def sampled(
    W: np.ndarray, b: np.ndarray, cgf: Cgf, chosen: np.ndarray, spins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The couplings of sets averaged over random spins [samples, n], and their standard errors, [sets]."""
    if len(spins) < 2:
        raise UsageError(f"{len(spins)} samples give no error; take hundreds or more.")
    sigma = signs(chosen.shape[1])
    parity = sigma.prod(axis=1) / len(sigma)
    field = b + spins @ W
    values, errors = np.empty(len(chosen)), np.empty(len(chosen))
    for place, sites in enumerate(chosen):
        outside = field - spins[:, sites] @ W[sites]
        terms = sum(
            sign * evaluated(cgf, outside + shift).sum(axis=-1)
            for sign, shift in zip(parity, sigma @ W[sites], strict=True)
        )
        values[place] = np.mean(terms)
        errors[place] = np.std(terms, ddof=1) / np.sqrt(len(spins))
    return values, errors
