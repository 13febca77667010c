"""Potts hidden units: one field for each of the q states."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ._checks import Numbers
from ._prior import HiddenPrior, checked_order, float_array, real_array
from ._states import log_sum, nearest_zero, taylor_of_states

__all__ = ["PottsPrior"]


class PottsPrior(HiddenPrior):
    """A unit with q states, h a one-hot vector [q]: K(t) = logsumexp_c t_c for a field t [..., q].

    The weights of an effective energy are then [n, m, q] and the biases [m, q]. The mean is the law of the
    states [..., q], the variance their covariance [..., q, q]. Raises `UsageError` for q < 2 and for fields
    whose last axis is not q.

    >>> prior = PottsPrior(3)
    >>> round(float(prior.log_sum([0.0, 0.0, 0.0])), 6), prior.mean([0.0, 0.0, 0.0]).round(6).tolist()
    (1.098612, [0.333333, 0.333333, 0.333333])
    """

    states: int

    def __init__(self, states: int):
        if states < 2:
            raise UsageError(f"A Potts unit has at least 2 states, not {states}.")
        self.states = states

    def log_sum(self, t: Numbers) -> Float[Array, "..."]:
        """logsumexp over the last axis of t [..., q], shape [...]."""
        return log_sum(self._field(t))

    def cumulant(self, n: int, bias: Numbers = 0.0) -> Float[Array, "..."]:
        """The joint cumulants of the one-hot vector in the field `bias` [..., q]: a tensor [..., q, ..., q].

        The n-th derivative of logsumexp. Raises `UsageError` for n < 1.

        >>> PottsPrior(2).cumulant(2, [0.0, 0.0]).tolist()
        [[0.25, -0.25], [-0.25, 0.25]]
        """
        derivative = jax.nn.logsumexp
        for _ in range(checked_order(n, 1)):
            derivative = jax.jacfwd(derivative)
        field = self._field(bias)
        flat = jax.jit(jax.vmap(derivative))(field.reshape(-1, self.states))
        return flat.reshape(field.shape[:-1] + flat.shape[1:])

    def taylor(self, order: int, bias: Numbers = 0.0) -> Float[Array, "n ..."]:
        """A Potts unit has no series in one number; `UsageError`. See `terms` and `cumulant`."""
        raise UsageError(
            "A Potts unit's field is a vector: use terms(order, bias, delta) or cumulant(n, bias)."
        )

    def terms(self, order: int, bias: Numbers, delta: Numbers) -> Float[Array, "n ..."]:
        """The terms of K(bias + delta) of each order in delta [..., q], n = 0 ... order, [order + 1, ...].

        They are the cumulants of delta.h over n!.

        >>> terms = PottsPrior(2).terms(40, [0.0, 0.0], [0.3, -0.2])
        >>> float(abs(terms.sum() - PottsPrior(2).log_sum([0.3, -0.2]))) < 1e-14
        True
        """
        step = self._field(delta)
        base = jnp.broadcast_to(self._field(bias), step.shape)
        return taylor_of_states(base, step, checked_order(order, 0))

    def reach(self, bias: Numbers, delta: Numbers) -> np.ndarray:
        """1/(radius of convergence in s of K(bias + s delta)), float64 [...]: the series converges below 1.

        Where the bound (max delta - min delta)/pi is below 1 already, that bound.

        >>> reach = PottsPrior(2).reach([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [4.0, 0.0]])
        >>> reach.round(6).tolist()                             # 1/pi, 4/pi
        [0.31831, 1.27324]
        """
        steps = float_array(delta)
        bases = np.broadcast_to(float_array(bias), steps.shape)
        bound = np.ptp(steps, axis=-1) / np.pi
        exact = np.array(bound)
        for where in np.argwhere(bound >= 1):
            index = tuple(where)
            exact[index] = 1 / nearest_zero(steps[index], bases[index])
        return exact

    def radius(self, bias: Numbers = 0.0) -> np.ndarray:
        """The radius of convergence depends on the direction of the field; `UsageError`. See `reach`."""
        raise UsageError("A Potts unit's radius depends on the direction: use reach(bias, delta).")

    def _field(self, t: Numbers) -> Array:
        field = real_array(t)
        if field.ndim == 0 or field.shape[-1] != self.states:
            raise UsageError(f"The field has shape {field.shape}; its last axis must be {self.states}.")
        return field
