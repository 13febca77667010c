"""ln Z of a machine of any size by annealed importance sampling, from both ends, with error bars."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...montecarlo.importance import importance_summary
from ...runs.errors import UsageError
from ._rbm import RBM

__all__ = ["AISEstimate", "ais", "independent_base", "log_z_of_base", "reverse_ais"]

_FEWEST_EFFECTIVE = 10
_LARGEST_PARETO = 0.7


@dataclass(frozen=True, eq=False)
class AISEstimate:
    """An estimate of ln Z from independent annealed chains, in nats.

    log_partition: forward, ln of the mean weight, whose average is a lower bound of ln Z; reverse, minus ln
        of the mean inverse weight, an upper bound. The two ends enclose ln Z up to their errors.
    error: standard error by the delta method; jackknife_error: by leaving one chain out at a time.
    corrected: log_partition with the jackknife estimate of its bias taken out; None when one chain has all
        the weight.
    log_weights: one for each chain, [chains]: each alone is an estimate of ln Z.
    spread: the standard deviation of log_weights; goes to zero as temperatures are added.
    ess: effective chains over chains; 1 for a perfect path.
    pareto_k: the shape of the tail of the weights; errors mean nothing above 0.7. None where it is unknown.
    temperatures: the number of steps of the path; direction: "forward" or "reverse".
    problems: what makes the numbers unreliable, and the remedy, in words; empty when nothing was found.
    """

    log_partition: float
    error: float
    jackknife_error: float
    corrected: float | None
    log_weights: np.ndarray
    spread: float
    ess: float
    pareto_k: float | None
    temperatures: int
    direction: str
    problems: tuple[str, ...]

    @property
    def trusted(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


def independent_base(rbm: RBM, data: Any | None = None) -> RBM:
    """A machine with W = 0 to anneal from: hidden biases of `rbm`, visible ones from data, or zero without.

    The visible units then have the means of `data`, [n, n_v q_v], with one more row of the unit's own mean,
    so that a pixel that never changes keeps a finite field. Raises `UsageError` for data that do not fit.

    >>> rbm = RBM.create(2, 1, visible_unit="binary", key=jax.random.key(0))
    >>> base = independent_base(rbm, [[1, 0], [1, 1], [1, 0]])
    >>> [round(float(x), 4) for x in base.visible_bias]                      # ln(3.5/0.5), ln(1.5/2.5)
    [1.9459, -0.5108]
    """
    visible = jnp.zeros_like(rbm.visible_bias)
    if data is not None:
        rows = _configurations(rbm, data, "data")
        own = rbm.visible.mean(visible)
        mean = (jnp.asarray(rows.sum(axis=0), own.dtype) + own) / (len(rows) + 1)
        visible = rbm.visible.field_of(mean)
    return RBM(jnp.zeros_like(rbm.weights), visible, rbm.hidden_bias, rbm.visible, rbm.hidden, rbm.biases)


def ais(
    rbm: RBM,
    *,
    temperatures: Any = 1000,
    chains: int = 100,
    base: RBM | None = None,
    key: PRNGKeyArray,
) -> AISEstimate:
    """ln Z by annealed importance sampling along E_t = (1 - t) E_base + t E, from the base to the machine.

    Each chain starts at an exact draw from the base, and at every step

        ln w += F_t(v) - F_t'(v),   then one round of block Gibbs at t',

    so that the mean of w is Z/Z_base for any number of temperatures. More temperatures narrow the spread of
    ln w, as one over their root; more chains only average it. Sources: R. M. Neal, Stat. Comput. 11, 125
    (2001); R. Salakhutdinov, I. Murray, ICML 2008.

    Args:
        temperatures: the number of equal steps, or the rising values of t from 0 to 1.
        base: a machine with W = 0 (`independent_base`); None takes uniform visible units. One fitted to the
            data shortens the path.

    Raises:
        UsageError: a base with couplings, or of other units or sizes; fewer than 2 chains or no step.
        NumericalError: weights that are not finite, or a machine without a normalisable law.

    >>> from deeprg.coarsegrain.boltzmann import log_partition
    >>> rbm = RBM.create(20, 5, scale=0.3, key=jax.random.key(0))
    >>> estimate = ais(rbm, temperatures=100, chains=200, key=jax.random.key(1))
    >>> abs(estimate.log_partition - log_partition(rbm)) < 3 * estimate.error, estimate.trusted
    (True, True)
    """
    base, steps = _checked(rbm, base, temperatures)
    if chains < 2:
        raise UsageError(f"chains = {chains} is out of range; an error needs at least 2, better 100.")
    first, rest = jax.random.split(key)
    v = base.visible.sample(jnp.broadcast_to(base.visible_bias, (chains, len(base.visible_bias))), key=first)
    return _estimate(log_z_of_base(base) + _anneal(rbm, base, steps, v, rest), steps, "forward")


def reverse_ais(
    rbm: RBM, samples: Any, *, temperatures: Any = 1000, base: RBM | None = None, key: PRNGKeyArray
) -> AISEstimate:
    """An upper bound of ln Z: annealing from samples of the machine down to the base.

    The mean of 1/w is Z_base/Z when `samples` [chains, n_v q_v] are independent exact draws of p(v); then the
    average of the result lies above ln Z. From a Markov chain that has not mixed it is no bound: chains stuck
    in one mode make it too small. `temperatures` and `base` as in `ais`, with its errors. Source: Y. Burda,
    R. Grosse, R. Salakhutdinov, arXiv:1412.8566.

    >>> from deeprg.coarsegrain.boltzmann import log_partition
    >>> rbm = RBM.create(20, 5, scale=0.3, key=jax.random.key(0))
    >>> start = jnp.ones((200, 20), jnp.float32)
    >>> samples = rbm.gibbs(start, steps=100, key=jax.random.key(1))         # it mixes in a few steps
    >>> estimate = reverse_ais(rbm, samples, temperatures=100, key=jax.random.key(2))
    >>> abs(estimate.log_partition - log_partition(rbm)) < 3 * estimate.error, estimate.direction
    (True, 'reverse')
    """
    base, steps = _checked(rbm, base, temperatures)
    v = _configurations(rbm, samples, "samples")
    if len(v) < 2:
        raise UsageError(f"samples holds {len(v)} configuration; an error needs at least 2, better 100.")
    start = jnp.asarray(v, rbm.weights.dtype)
    return _estimate(log_z_of_base(base) - _anneal(rbm, base, steps[::-1], start, key), steps, "reverse")


def _anneal(rbm: RBM, base: RBM, steps: np.ndarray, v: Array, key: PRNGKeyArray) -> np.ndarray:
    """ln of the weights of chains that start at v and follow the values `steps` of t, float64 [chains]."""
    with jax.enable_x64(True):  # for the sum of ln w alone; the chains keep the machine's precision
        return np.asarray(_annealed(rbm, base, jnp.asarray(steps, rbm.weights.dtype), v, key))


@eqx.filter_jit
def _annealed(
    rbm: RBM, base: RBM, steps: Float[Array, " k"], v: Float[Array, "c v"], key: PRNGKeyArray
) -> Float[Array, " c"]:
    own = rbm.visible_bias - base.visible_bias
    shift = (rbm.hidden_bias - base.hidden_bias)[None]
    low, low_hidden = base.visible_bias[None], base.hidden_bias[None]

    def step(carry: tuple[Array, Array], now: tuple[Array, Array, Array]) -> tuple[tuple, None]:
        (v, log_weight), (before, after, key) = carry, now
        up, down = jax.random.split(key)
        drive = shift + v @ rbm.weights
        field = low_hidden + after * drive
        # unit by unit, so that the large free energies themselves never cancel
        gain = rbm.hidden.log_sum(field) - rbm.hidden.log_sum(low_hidden + before * drive)
        change = (after - before) * (v @ own) + jnp.sum(gain, axis=-1)
        h = rbm.hidden.sample(field, key=up)
        v = rbm.visible.sample(low + after * (own[None] + h @ rbm.weights.T), key=down)
        return (v, log_weight + change.astype(jnp.float64)), None

    keys = jax.random.split(key, len(steps) - 1)
    start = v, jnp.zeros(len(v), jnp.float64)
    return jax.lax.scan(step, start, (steps[:-1], steps[1:], keys))[0][1]


def _estimate(log_weights: np.ndarray, steps: np.ndarray, direction: str) -> AISEstimate:
    sign = 1.0 if direction == "forward" else -1.0
    summary = importance_summary(sign * log_weights)
    corrected, chains = summary.log_partition_corrected, summary.n
    problems = []
    remedy = (
        f"Use more temperatures than {len(steps) - 1}, or a base fitted to the data; more chains help little."
    )
    if chains * summary.ess < _FEWEST_EFFECTIVE:
        problems.append(
            f"Only {chains * summary.ess:.1f} of {chains} chains are effective: ln w spreads by "
            f"{summary.std_log_weight:.3g} nats, so the variance is underestimated. {remedy}"
        )
    if summary.pareto_k is not None and summary.pareto_k > _LARGEST_PARETO:
        problems.append(f"The weights have a heavy tail (Pareto k = {summary.pareto_k:.2f} > 0.7). {remedy}")
    return AISEstimate(
        log_partition=sign * summary.log_partition,
        error=summary.log_partition_error,
        jackknife_error=_jackknife_error(sign * log_weights),
        corrected=None if corrected is None else sign * corrected,
        log_weights=log_weights,
        spread=summary.std_log_weight,
        ess=summary.ess,
        pareto_k=summary.pareto_k,
        temperatures=len(steps) - 1,
        direction=direction,
        problems=tuple(problems),
    )


def _jackknife_error(log_weights: np.ndarray) -> float:
    """The standard error of ln of the mean weight from the estimates without one chain each."""
    n = len(log_weights)
    weights = np.exp(log_weights - log_weights.max())
    rest = weights.sum() - weights
    rest[weights.argmax()] = np.delete(weights, weights.argmax()).sum()
    if rest.min() <= 0:
        return float("inf")
    return float(np.sqrt((n - 1) * np.var(np.log(rest))))


def log_z_of_base(base: RBM) -> float:
    """ln Z of independent units, in closed form."""
    with jax.enable_x64(True):
        parts = [
            unit.log_sum(bias.astype(jnp.float64)).sum()
            for unit, bias in ((base.visible, base.visible_bias), (base.hidden, base.hidden_bias))
        ]
    return float(parts[0]) + float(parts[1])


def _checked(rbm: RBM, base: RBM | None, temperatures: Any) -> tuple[RBM, np.ndarray]:
    """The base, and the values of t from 0 to 1."""
    rbm.check_normalisable()
    if base is None:
        base = independent_base(rbm)
    alike = (base.visible, base.hidden, base.weights.shape) == (rbm.visible, rbm.hidden, rbm.weights.shape)
    if not alike or bool(jnp.any(base.weights != 0)):
        raise UsageError(
            f"The base must have the machine's units and sizes ({rbm.n_visible} {rbm.visible.name}, "
            f"{rbm.n_hidden} {rbm.hidden.name}) and W = 0; make it with independent_base(rbm, data)."
        )
    given = np.asarray(temperatures, np.float64)
    if given.ndim == 0:
        if given < 1 or given != np.floor(given):
            raise UsageError(f"temperatures = {temperatures} is no number of steps; take 100 or more.")
        given = np.linspace(0, 1, int(given) + 1)
    if given.ndim != 1 or given.size < 2 or given[0] != 0 or given[-1] != 1 or (np.diff(given) <= 0).any():
        raise UsageError(
            "temperatures must be a number of steps, or values that rise strictly from 0 (the base) to 1 "
            f"(the machine), not {np.array2string(given, threshold=6)}."
        )
    return base, given


def _configurations(rbm: RBM, rows: Any, what: str) -> np.ndarray:
    array = np.asarray(rows, np.float64)
    size = rbm.weights.shape[0]
    if array.ndim != 2 or array.shape[1] != size or not len(array):
        raise UsageError(f"{what} has shape {array.shape}; [rows, {size}] with at least one row is needed.")
    rbm.visible.check(array, what)
    return array
