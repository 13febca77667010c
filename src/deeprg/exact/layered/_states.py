"""Sums over the states of a hidden unit: their logarithm's Taylor series in the field, at any order."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["log_sum", "log_taylor", "nearest_zero", "taylor_of_states", "tilted"]

_NEAR = 1e-4
_MOST_POINTS = 1 << 17


@jax.jit
def tilted(t: Array, states: Array | np.ndarray, log_weights: Array | np.ndarray) -> tuple[Array, Array]:
    """log_weights_k + t states_k and states_k for every field t [...]: [..., k] both."""
    shape = (*t.shape, states.size)
    every = jnp.broadcast_to(jnp.asarray(states, t.dtype), shape)
    return jnp.broadcast_to(jnp.asarray(log_weights, t.dtype), shape) + t[..., None] * every, every


@jax.jit
def log_sum(logits: Float[Array, "*batch k"]) -> Float[Array, "*batch"]:
    """ln sum_k exp(logits_k), shape [...]."""
    return jax.nn.logsumexp(logits, axis=-1)


@functools.partial(jax.jit, static_argnames="order")
def taylor_of_states(
    logits: Float[Array, "*batch k"], states: Float[Array, "*batch k"], order: int
) -> Float[Array, "n *batch"]:
    """Taylor coefficients in delta of ln sum_k exp(logits_k + delta h_k), [order + 1, ...].

    Coefficient n is kappa_n/n!, with kappa_n the cumulants of h under the law softmax(logits); coefficient 0
    is the logarithm itself. The cumulants come from the central moments by `log_taylor`.
    """
    law = jax.nn.softmax(logits, axis=-1)
    mean = jnp.sum(law * states, axis=-1)
    centred = states - mean[..., None]

    def next_moment(term: Array, power: Array) -> tuple[Array, Array]:
        term = term * centred / power
        return term, term.sum(axis=-1)

    _, higher = jax.lax.scan(next_moment, law, jnp.arange(1, order + 1, dtype=logits.dtype))
    moments = jnp.concatenate([jnp.ones_like(mean)[None], higher])
    if order >= 1:
        moments = moments.at[1].set(0)  # exactly, whatever the rounding
    series = log_taylor(moments).at[0].set(log_sum(logits))
    return series.at[1].set(mean) if order >= 1 else series


def log_taylor(coefficients: Float[Array, "n *batch"]) -> Float[Array, "n *batch"]:
    """Taylor coefficients of ln f from those of f with f(0) = 1, along the first axis.

    k a_k = k c_k - sum_{j=1}^{k-1} j a_j c_{k-j}: the recursion of cumulants from moments, divided by k!.

    >>> log_taylor(jnp.array([1.0, 1.0, 0.5])).tolist()          # exp(t) to second order
    [0.0, 1.0, 0.0]
    """
    count = len(coefficients)

    def next_slope(k: Array, slopes: Array) -> Array:  # slopes_j = j a_j
        lags = k - jnp.arange(count)
        below = jnp.where(_column(lags > 0, slopes), slopes * coefficients[jnp.maximum(lags, 0)], 0)
        return slopes.at[k].set(k.astype(slopes.dtype) * coefficients[k] - below.sum(axis=0))

    slopes = jax.lax.fori_loop(1, count, next_slope, jnp.zeros_like(coefficients))
    return slopes / _column(jnp.maximum(jnp.arange(count), 1).astype(slopes.dtype), slopes)


def _column(values: Array, like: Array) -> Array:
    return values.reshape((-1,) + (1,) * (like.ndim - 1))


def nearest_zero(states: np.ndarray, log_weights: np.ndarray) -> float:
    """The distance from 0 of the nearest complex zero of M(z) = sum_k exp(log_weights_k + z states_k).

    That is the radius of convergence of ln M. No zero lies within pi/(max - min) (all terms are then in one
    half plane); the zeros in a disc are counted by the winding of M along its rim, the radius is found by
    bisection, and Newton's method finishes. Infinity for a single state.

    >>> round(nearest_zero(np.array([-1.0, 1.0]), np.zeros(2)), 12)     # pi/2
    1.570796326795
    """
    keep = np.isfinite(log_weights)
    states, log_weights = states[keep], log_weights[keep]
    spread = float(np.ptp(states)) if states.size else 0.0
    if spread == 0:
        return np.inf
    # M up to a positive factor and a shift of the states, which moves no zero
    states = (states - states.mean()) / spread
    log_weights = log_weights - log_weights.max()

    def value(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        exponents = log_weights + z[..., None] * states
        terms = np.exp(exponents - np.real(exponents).max(axis=-1, keepdims=True))
        return terms.sum(axis=-1), terms @ states, np.abs(terms).sum(axis=-1)

    inside, outside = np.pi, 2 * np.pi
    while _winding(value, outside) == 0:
        inside, outside = outside, 2 * outside
    for near in (1e-2, 1e-3, 1e-4):
        while outside - inside > near * outside:
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if _winding(value, middle) else (middle, outside)
        found = _newton(value, (inside + outside) / 2)
        fits = (1 - _NEAR) * inside <= found <= (1 + _NEAR) * outside
        if fits and _winding(value, (1 - _NEAR) * found) == 0:  # no nearer zero
            return found / spread
    return inside / spread


def _newton(value: Callable, radius: float) -> float:
    """The modulus of the zero that Newton's method finds from where M is smallest on a circle."""
    rim = radius * np.exp(1j * np.linspace(0, np.pi, 4097))
    total, _, scale = value(rim)
    z = rim[[np.argmin(np.abs(total) / scale)]]
    for _ in range(60):
        total, slope, scale = value(z)
        if np.abs(total[0]) <= 4 * np.finfo(np.float64).eps * scale[0] or slope[0] == 0:
            break
        z = z - total / slope
    return float(np.abs(z[0]))


def _winding(value: Callable, radius: float) -> int:
    """The number of zeros in the upper half disc; M > 0 on the real axis, so the arc turns by 2 pi each."""
    points = 512
    while True:
        values = value(radius * np.exp(1j * np.linspace(0, np.pi, points + 1)))[0]
        turns = np.angle(values[1:] * values[:-1].conj())
        if np.abs(turns).max() < np.pi / 3 or points >= _MOST_POINTS:
            return round(float(turns.sum()) / (2 * np.pi))
        points *= 4
