"""The reverse Kullback-Leibler divergence averaged over an interval of a parameter."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ...exact import reference
from ...hamiltonians import HamiltonianFamily
from ...runs.errors import UsageError
from ._conditioned import ConditionedFlow
from ._objectives import Metrics, batch_ess, free_energy_terms

__all__ = ["ConditionedReverseKL", "log_partition_baseline", "stratified"]

_VALUES = 1  # keeps the keys of the values apart from those of the latents


def stratified(keys: Key[Array, " n"], low: float, high: float, dtype=jnp.float32) -> Float[Array, " n"]:
    """One value in each of n equal parts of [low, high], uniform in its part, drawn with the part's key.

    >>> values = stratified(jax.random.split(jax.random.key(0), 4), 0.0, 4.0)
    >>> jnp.floor(values).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    n = keys.shape[0]
    place = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, _VALUES), (), dtype))(keys)
    return low + (high - low) * (jnp.arange(n, dtype=dtype) + place) / n


def log_partition_baseline(family: HamiltonianFamily, *, points: int = 32) -> tuple[float, ...]:
    """Chebyshev coefficients of the exact ln Z(v) over the widened interval; none where it is not known.

    The polynomial goes through ln Z at `points` Chebyshev nodes; ln Z of a finite lattice is analytic in v.

    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> family = HamiltonianFamily(GaussianField(Lattice((1,)), 1.0), "mass_squared", 0.5, 1.5)
    >>> [round(value, 4) for value in log_partition_baseline(family)[:2]]
    [0.9619, -0.2997]
    """
    family = family.widened()
    nodes = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    values = 0.5 * (family.low + family.high) + 0.5 * (family.high - family.low) * nodes
    known = [reference(family.at(float(value))) for value in values]
    levels = [row.log_partition for row in known if row is not None]
    if len(levels) < points:
        return ()
    return tuple(np.polynomial.chebyshev.chebfit(nodes, levels, points - 1).tolist())


class ConditionedReverseKL(eqx.Module):
    """The mean over v of F(v) = E_{x ~ q_v}[ln q_v(x) + H(x; v)] >= -ln Z(v).

    A batch of n keys is cut into `values` groups of n/values samples. Each group has its own v, one in each
    of as many equal parts (`stratified`) of the interval, new in every step; the interval is the widened one
    (`HamiltonianFamily.widened`), since a polynomial is worst at its ends. Estimators of the gradient as in
    `ReverseKL`. All v count alike, in nats: a constant per v, such as ln Z(v), changes no gradient.

    `baseline` are Chebyshev coefficients over the widened interval of an estimate of ln Z(v), which is added
    to F(v), so that the loss does not jump with the values drawn; with the exact ln Z(v) it is the mean gap.

    Metrics: `free_energy` (= loss), `std_log_weight` and `ess` within groups on average, `ess_min` over
    groups. Raises `UsageError` for another estimator, fewer than one value, and a batch that `values` does
    not divide.

    >>> from deeprg.coarsegrain.flow import build_conditioned_flow
    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> family = HamiltonianFamily(GaussianField(Lattice((2, 2)), 1.0), "mass_squared", 0.5, 2.0)
    >>> flow = build_conditioned_flow(family, width=4, key=jax.random.key(0))
    >>> loss, metrics = ConditionedReverseKL(family, values=4)(flow, jax.random.split(jax.random.key(1), 8))
    >>> bool(loss >= -family.at(0.5).log_partition)
    True
    """

    family: HamiltonianFamily
    values: int = eqx.field(static=True)
    estimator: Literal["path", "standard"] = eqx.field(static=True)
    baseline: tuple[float, ...] = eqx.field(static=True)

    def __init__(
        self,
        family: HamiltonianFamily,
        *,
        values: int = 16,
        estimator: str = "path",
        baseline: tuple[float, ...] = (),
    ):
        if estimator not in ("path", "standard"):
            raise UsageError(f"The gradient estimator is 'path' or 'standard', not '{estimator}'.")
        if values < 1:
            raise UsageError(f"A step needs at least one value of the parameter, not {values}.")
        self.family, self.values, self.estimator, self.baseline = family, values, estimator, baseline

    def __call__(self, flow: ConditionedFlow, keys: Key[Array, " n"]) -> tuple[Float[Array, ""], Metrics]:
        """The loss, whose derivative is the chosen estimator, and the metrics."""
        n, family = keys.shape[0], self.family
        if n % self.values:
            raise UsageError(
                f"A batch of {n} cannot be shared by {self.values} values of {family.parameter}. Choose a "
                f"multiple of {self.values}."
            )
        groups = keys.reshape(self.values, n // self.values)
        dtype = jax.eval_shape(lambda: flow.at(family.low).latent(key=jax.random.key(0)))
        kind = jnp.result_type(jax.tree.leaves(dtype)[0])
        wide = family.widened()
        values = stratified(groups[:, 0], wide.low, wide.high, kind)

        def group(value: Array, keys: Array) -> tuple[Array, Array, Array]:
            return free_energy_terms(flow.at(value), keys, lambda x: family.energy(x, value), self.estimator)

        loss, log_q, energy = jax.vmap(group)(values, groups)
        level = jax.vmap(self._level)(values)[:, None]
        log_weight = jax.lax.stop_gradient(-energy - log_q)
        ess = jax.vmap(batch_ess)(log_weight)
        metrics = {
            "free_energy": -jnp.mean(log_weight - level),
            "std_log_weight": jnp.mean(jnp.std(log_weight, axis=1)),
            "ess": jnp.mean(ess),
            "ess_min": jnp.min(ess),
        }
        return jnp.mean(loss + level), metrics

    def _level(self, value: Array) -> Float[Array, ""]:
        """The baseline at a value, by Clenshaw's recurrence."""
        scaled = self.family.widened().scaled(value)
        last = before = jnp.zeros_like(scaled)
        for coefficient in self.baseline[:0:-1]:
            last, before = coefficient + 2 * scaled * last - before, last
        constant = self.baseline[0] if self.baseline else 0.0
        return constant + scaled * last - before
