"""Hidden units through their cumulant generating functions: one class for each prior."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ._checks import Numbers
from ._prior import HiddenPrior, checked_order, float_array, real_array
from ._states import log_sum, nearest_zero, taylor_of_states, tilted

__all__ = [
    "BernoulliPrior",
    "FiniteStatePrior",
    "GaussianPrior",
    "IsingPrior",
    "PoissonPrior",
    "RectifiedPrior",
    "spin_prior",
]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_CUT = 72.0  # the rectified density is cut where it has fallen by exp(-72)


class FiniteStatePrior(HiddenPrior):
    """A unit with finitely many real states h_k of weight exp(log_weights_k): the direct log-sum.

    `states` [k], `log_weights` [k] (zero when left out; -inf for a state that never occurs). Raises
    `UsageError` for shapes that do not fit or states that are not finite.

    >>> three = FiniteStatePrior([-1.0, 0.0, 1.0])
    >>> [round(float(v), 6) for v in (three.log_sum(0.0), three.variance(), three.radius())]
    [1.098612, 0.666667, 2.094395]
    """

    states: Float[np.ndarray, " k"]
    log_weights: Float[np.ndarray, " k"]

    def __init__(self, states: Numbers, log_weights: Numbers | None = None):
        self.states = float_array(states)
        self.log_weights = np.zeros_like(self.states) if log_weights is None else float_array(log_weights)
        if self.states.ndim != 1 or self.states.size == 0 or self.log_weights.shape != self.states.shape:
            raise UsageError(
                f"states {self.states.shape} and log_weights {self.log_weights.shape} must be vectors of one "
                "length, at least 1."
            )
        bad = np.isnan(self.log_weights) | (self.log_weights == np.inf)
        if not np.isfinite(self.states).all() or bad.any() or np.isneginf(self.log_weights).all():
            raise UsageError("States must be finite, and log_weights finite or -inf but not all -inf.")

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """ln sum_k exp(log_weights_k + t h_k), [...]."""
        return log_sum(tilted(real_array(t), self.states, self.log_weights)[0])

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """kappa_n/n!, n = 0 ... order, from central moments, [order + 1, ...]."""
        law = tilted(real_array(bias), self.states, self.log_weights)
        return taylor_of_states(*law, checked_order(order, 0))

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """The distance from `bias` to the nearest complex zero of sum_k exp(log_weights_k + t h_k), [...].

        Never below pi/(max h - min h).
        """
        values = float_array(bias)
        flat = [nearest_zero(self.states, self.log_weights + b * self.states) for b in values.ravel()]
        return np.array(flat).reshape(values.shape)


class BernoulliPrior(FiniteStatePrior):
    """A unit in {0, 1}: K(t) = softplus(t) = ln(1 + e^t); mean 1/(1 + e^-t), radius sqrt(b^2 + pi^2).

    >>> prior = BernoulliPrior()
    >>> round(float(prior.log_sum(1.0)), 6), round(float(prior.mean(1.0)), 6), round(float(prior.radius()), 6)
    (1.313262, 0.731059, 3.141593)
    """

    def __init__(self):
        super().__init__(np.array([0.0, 1.0]))

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """softplus(t), [...]."""
        return jax.nn.softplus(real_array(t))

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """sqrt(b^2 + pi^2), [...]."""
        return np.asarray(np.hypot(float_array(bias), math.pi))


class IsingPrior(FiniteStatePrior):
    """A unit ±1: K(t) = ln(2 cosh t); mean tanh t, radius sqrt(b^2 + pi^2/4).

    >>> prior = IsingPrior()
    >>> [round(float(v), 6) for v in (prior.log_sum(1.0), prior.variance(1.0), prior.radius())]
    [1.126928, 0.419974, 1.570796]
    """

    def __init__(self):
        super().__init__(np.array([-1.0, 1.0]))

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """ln(2 cosh t), [...]."""
        return jnp.logaddexp(real_array(t), -real_array(t))

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """sqrt(b^2 + pi^2/4), [...]."""
        return np.asarray(np.hypot(float_array(bias), math.pi / 2))


class GaussianPrior(HiddenPrior):
    """A real unit, Normal(mean, variance) in zero field: K(t) = m t + s^2 t^2/2, normalised; entire.

    `variance` s^2 > 0 and `mean` m are numbers, `UsageError` otherwise. Two cumulants, so the series ends.

    >>> prior = GaussianPrior(2.0, mean=0.5)
    >>> float(prior.log_sum(1.0)), float(prior.mean(1.0)), float(prior.cumulant(3))
    (1.5, 2.5, 0.0)
    """

    width: float
    centre: float

    def __init__(self, variance: float | int = 1.0, mean: float | int = 0.0):
        if not (math.isfinite(variance) and variance > 0 and math.isfinite(mean)):
            raise UsageError(f"variance must be positive and mean finite, not {variance} and {mean}.")
        self.width, self.centre = float(variance), float(mean)

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """m t + s^2 t^2/2, [...]."""
        t = real_array(t)
        return self.centre * t + 0.5 * self.width * t**2

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """K, m + s^2 b, s^2/2, 0, ..., [order + 1, ...]."""
        b = real_array(bias)
        first = [self.log_sum(b), self.centre + self.width * b, jnp.full_like(b, self.width / 2)]
        return jnp.stack([*first, *[jnp.zeros_like(b)] * max(order - 2, 0)][: checked_order(order, 0) + 1])

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """Infinity, [...]."""
        return np.full_like(float_array(bias), np.inf)


class PoissonPrior(HiddenPrior):
    """A count 0, 1, 2, ... with weights rate^h/h!: K(t) = rate e^t; every cumulant is rate e^t; entire.

    `rate` is a positive number, `UsageError` otherwise. K is unnormalised, K(0) = rate.

    >>> prior = PoissonPrior(2.0)
    >>> float(prior.log_sum(0.0)), float(prior.cumulant(5))
    (2.0, 2.0)
    """

    rate: float

    def __init__(self, rate: float | int = 1.0):
        if not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"The rate must be positive and finite, not {rate}.")
        self.rate = float(rate)

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """rate e^t, [...]."""
        return self.rate * jnp.exp(real_array(t))

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """rate e^b/n!, [order + 1, ...]."""
        value = self.log_sum(bias)
        return jnp.stack([value / math.factorial(n) for n in range(checked_order(order, 0) + 1)])

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """Infinity, [...]."""
        return np.full_like(float_array(bias), np.inf)


class RectifiedPrior(HiddenPrior):
    """A unit h >= 0 with weight exp(-h^2/2): K(t) = t^2/2 + ln Phi(t) + 1/2 ln(2 pi), Phi the normal law.

    K and its cumulants are 80-point Gauss-Legendre sums over the part of h >= 0 that carries weight, to
    rounding for every t; t^2/2 + ln Phi(t) would cancel for very negative t, where h is exponential with mean
    1/|t|. The series about b converges up to the nearest complex zero of Phi; the first pair is 1.916 ± 2.816
    i.

    >>> prior = RectifiedPrior()
    >>> [round(float(v), 6) for v in (prior.log_sum(0.0), prior.mean(-100.0), prior.radius())]
    [0.225791, 0.009998, 3.406303]
    """

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """t^2/2 + ln Phi(t) + 1/2 ln(2 pi), stable for all t, [...]."""
        log_terms, _, offset = _rectified_nodes(real_array(t))
        return log_sum(log_terms) + offset

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """kappa_n/n!, n = 0 ... order, of the truncated normal law, [order + 1, ...]."""
        log_terms, states, offset = _rectified_nodes(real_array(bias))
        return taylor_of_states(log_terms, states, checked_order(order, 0)).at[0].add(offset)

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """The distance from `bias` to the nearest complex zero of Phi, [...]."""
        values = float_array(bias)
        return np.array([_rectified_radius(float(b)) for b in values.ravel()]).reshape(values.shape)


def spin_prior(spin: float | int) -> FiniteStatePrior:
    """A spin S with the states -S, -S + 1, ..., S of equal weight; spin 1/2 is ±1/2.

    Raises `UsageError` unless 2 S is a positive integer.

    >>> round(float(spin_prior(0.5).radius()), 6)               # pi
    3.141593
    """
    if not (spin > 0 and float(2 * spin).is_integer()):
        raise UsageError(f"The spin must be 1/2, 1, 3/2, ..., not {spin}.")
    return FiniteStatePrior(np.arange(-spin, spin + 0.5))


@jax.jit
def _rectified_nodes(t: Array) -> tuple[Array, Array, Array]:
    """A Gauss-Legendre sum over h: the ln of its terms and the nodes, [..., 80] both, and an offset [...].

    The integrand is exp(-(h - p)^2/2 + (t - p) h), p = max(t, 0), and the offset p^2/2: nothing cancels.
    The nodes stay where they are when t is differentiated; moving them would change nothing.
    """
    fixed = jax.lax.stop_gradient(t)[..., None]
    peak = jnp.maximum(fixed, 0)
    reach = math.sqrt(2 * _CUT)
    low = jnp.maximum(-peak, -reach)
    high = jnp.where(fixed > 0, reach, 2 * _CUT / (jnp.sqrt(fixed**2 + 2 * _CUT) + jnp.abs(fixed)))
    shape = (*t.shape, _NODES.size)
    node = jnp.broadcast_to(jnp.asarray((_NODES + 1) / 2, t.dtype), shape)
    log_weight = jnp.broadcast_to(jnp.asarray(np.log(_WEIGHTS / 2), t.dtype), shape)
    away = low + (high - low) * node
    states = peak + away
    log_terms = log_weight + jnp.log(high - low) - 0.5 * away**2 + (t[..., None] - peak) * states
    return log_terms, states, 0.5 * peak[..., 0] ** 2


def _rectified_radius(bias: float) -> float:
    """Zeros of Phi: e^{t^2/2} = 1/2 erfcx(t/sqrt 2), on the branches k = 1, 2, ... of the logarithm."""
    centre = bias**2 / (8 * math.pi) if bias > 0 else 0.0  # |t_k|^2 = 4 pi k about, nearest at |t| = b/sqrt 2
    k = np.arange(max(1, round(centre) - 50), round(centre) + 50)
    t = np.sqrt(4j * math.pi * k)
    for _ in range(60):
        t = np.sqrt(2 * (2j * math.pi * k + np.log(0.5 * scipy.special.wofz(1j * t / math.sqrt(2)))))
    return float(np.abs(t - bias).min())
