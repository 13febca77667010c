"""Averages over the spins outside a set of what a hidden layer adds to its coupling."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...runs.errors import UsageError

__all__ = ["Cgf", "averaged", "leading", "sampled"]

Cgf = Callable[[Any], Any]
"""The cumulant generating functions of hidden units: fields [..., m] to the same shape."""


def signs(k: int) -> np.ndarray:
    """The 2^k states of k spins ±1, [2^k, k]."""
    return 1.0 - 2 * ((np.arange(1 << k)[:, None] >> np.arange(k)) & 1)


def averaged(inside: jax.Array, tails: jax.Array, b: jax.Array, cgf: Cgf, nodes: int) -> jax.Array:
    """The couplings of sets by the central limit, [sets], from the weights inside [sets, k, m].

        J_S = sum_j E_z 2^-k sum_sigma (prod sigma) K_j(b_j + w_S.sigma + sqrt(tails_j) z),  z ~ Normal(0, 1),

    by Gauss-Hermite quadrature with `nodes` points; tails [sets, m] are the outside sums of w^2.
    """
    if nodes < 1:
        raise UsageError(f"nodes = {nodes}; a quadrature needs one or more, 64 is usual.")
    dtype, k = inside.dtype, inside.shape[1]
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    sigma = signs(k)
    shift = jnp.einsum("tk,ckm->ctm", jnp.asarray(sigma, dtype), inside)
    # The square root has no derivative where nothing is outside; there it is kept constant.
    spread = jnp.where(tails > 0, jnp.sqrt(jnp.where(tails > 0, tails, jnp.ones_like(tails))), 0)
    noise = spread[:, None] * jnp.asarray(points, dtype)[None, :, None]
    table = cgf((b[None, None] + shift)[:, :, None] + noise[:, None])  # [sets, 2^k, nodes, m]
    weight = jnp.asarray(weights / weights.sum(), dtype)
    parity = jnp.asarray(sigma.prod(axis=1) / (1 << k), dtype)
    return jnp.einsum("t,q,ctqm->c", parity, weight, table)


def leading(weights: Any, b: Any, cgf: Cgf, chosen: np.ndarray) -> jax.Array:
    """The couplings of sets with K replaced by its second-order Taylor polynomial about b, [sets].

    constant sum_j K + K'' sum_i w_ij^2 / 2, fields sum_j w_ij K', pairs sum_j w_ij w_kj K'', no more.
    """
    W, b = jnp.asarray(weights), jnp.asarray(b)

    def slope(t: jax.Array) -> jax.Array:
        return jax.jvp(cgf, (t,), (jnp.ones_like(t),))[1]

    order = chosen.shape[1]
    if order == 0:
        curvature = jax.jvp(slope, (b,), (jnp.ones_like(b),))[1]
        return jnp.full(len(chosen), jnp.sum(cgf(b) + curvature * jnp.sum(W * W, axis=0) / 2))
    if order == 1:
        return W[chosen[:, 0]] @ slope(b)
    if order == 2:
        curvature = jax.jvp(slope, (b,), (jnp.ones_like(b),))[1]
        return (W[chosen[:, 0]] * W[chosen[:, 1]]) @ curvature
    return jnp.zeros(len(chosen), W.dtype)


def sampled(
    W: np.ndarray, b: np.ndarray, cgf: Cgf, chosen: np.ndarray, spins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The couplings of sets averaged over random spins [samples, n], and their standard errors, [sets]."""
    if len(spins) < 2:
        raise UsageError(f"{len(spins)} samples give no error; take hundreds or more.")
    sigma = signs(chosen.shape[1])
    parity = sigma.prod(axis=1) / len(sigma)
    field = b + spins @ W
    compiled = jax.jit(lambda t: cgf(t).sum(axis=-1))
    values, errors = np.empty(len(chosen)), np.empty(len(chosen))
    for place, sites in enumerate(chosen):
        outside = field - spins[:, sites] @ W[sites]
        terms = sum(
            sign * np.asarray(compiled(outside + shift))
            for sign, shift in zip(parity, sigma @ W[sites], strict=True)
        )
        values[place] = np.mean(terms)
        errors[place] = np.std(terms, ddof=1) / np.sqrt(len(spins))
    return values, errors
