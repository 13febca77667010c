"""ln Z while a machine is trained: chains that follow the machine, with weights."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._ais import independent_base, log_z_of_base
from ._rbm import RBM

__all__ = ["RunningEstimate", "RunningPartition"]

_STEP, _LEAST = 0.2, 20  # standard deviation of ln w that one step may add; steps of an update
_FEWEST = 0.5  # effective share of an island, below which its chains are drawn anew
_LARGEST, _FLOOR = 0.5, 1e-12


@dataclass(frozen=True)
class RunningEstimate:
    """ln Z of the newest machine, its error over the islands, and the effective share of their chains."""

    log_partition: float
    error: float
    ess: float


class RunningPartition:
    """ln Z along a training, by a particle filter that follows the machine.

    `islands` independent populations of `chains` configurations start in independent units, where ln Z is
    known. `update` anneals them to a newer machine, E_t = (1 - t) E_old + t E_new,

        ln w += F_t(v) - F_t'(v),   then one round of block Gibbs at t',

    with steps t -> t' so small that ln w spreads by no more than 0.2 at each, and draws the configurations of
    an island anew by their weights when fewer than half of them count. Where the rounds that it may take do
    not suffice, the chains stay on the way, there is no estimate, and the next update goes on from there. The
    mean of the islands' estimates of Z has (but for the choice of the steps) no bias, so ln Z is low on
    average, the less the more chains there are. Sources: A. Doucet, N. de Freitas, N. Gordon (eds.),
    Sequential Monte Carlo Methods in Practice (2001); along a training, N. Béreux et al., arXiv:2405.15376.

    `data` [n, n_v q_v] gives the independent units the means of the data. Raises `UsageError` for fewer than
    two islands, or no chain.

    >>> from deeprg.coarsegrain.boltzmann import log_partition
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> weak, strong = (RBM.create(12, 4, scale=s, key=keys[0]) for s in (0.1, 0.4))
    >>> running = RunningPartition(weak, key=keys[1])
    >>> found = running.update(strong, key=keys[2])
    >>> abs(found.log_partition - log_partition(strong)) < 4 * found.error < 0.4
    True
    """

    def __init__(
        self,
        machine: RBM,
        data: Any | None = None,
        *,
        islands: int = 8,
        chains: int = 32,
        key: PRNGKeyArray,
    ):
        if islands < 2 or chains < 1:
            raise UsageError(
                f"islands = {islands}, chains = {chains}: an error needs two islands, each with a chain."
            )
        self._machine = base = independent_base(machine, data)
        field = jnp.broadcast_to(base.visible_bias, (islands, chains, len(base.visible_bias)))
        self._v = base.visible.sample(field, key=key)
        self._log_weights = np.zeros((islands, chains))
        self._log_z = np.full(islands, log_z_of_base(base))  # up to what the weights hold

    def update(self, machine: RBM, *, rounds: int = 1000, key: PRNGKeyArray) -> RunningEstimate | None:
        """Follow the machine, of the same units and sizes, for at most so many rounds of Gibbs sampling.

        ln Z of it, the error by the delta method over the islands; None where the rounds were too few, or the
        islands differ so much (an error above 0.5) that the estimate hangs on one of them.
        """
        with jax.enable_x64(True):  # for ln w alone
            arrays = jnp.asarray(self._log_weights), jnp.asarray(self._log_z)
            t, self._v, log_weights, log_z = _follow(self._machine, machine, self._v, *arrays, rounds, key)
            self._log_weights, self._log_z, t = np.array(log_weights), np.array(log_z), float(t)
        if t < 1:
            self._machine = _between(self._machine, machine, jnp.asarray(t, machine.weights.dtype))
            return None
        self._machine = machine
        logs = self._log_z + np.asarray(_log_means(self._log_weights))
        ratios = np.exp(logs - logs.max())
        error = ratios.std(ddof=1) / (np.sqrt(len(ratios)) * ratios.mean())
        if error > _LARGEST:
            return None
        return RunningEstimate(
            float(logs.max() + np.log(ratios.mean())),
            max(float(error), _FLOOR),
            float(np.mean(_shares(self._log_weights))),
        )


def _log_means(log_weights: Any) -> Any:
    """ln of the mean weight of each island."""
    top = log_weights.max(axis=1, keepdims=True)
    return top[:, 0] + jnp.log(jnp.exp(log_weights - top).mean(axis=1))


def _shares(log_weights: Any) -> Any:
    """The effective share of each island."""
    weights = jnp.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1) / weights.shape[1]


def _between(old: RBM, new: RBM, t: Array) -> RBM:
    return jax.tree.map(lambda a, b: a + t * (b - a), old, new)


@eqx.filter_jit
def _follow(
    old: RBM,
    new: RBM,
    v: Float[Array, "i c v"],
    log_weights: Float[Array, "i c"],
    log_z: Float[Array, " i"],
    rounds: int,
    key: PRNGKeyArray,
) -> tuple[Float[Array, ""], Float[Array, "i c v"], Float[Array, "i c"], Float[Array, " i"]]:
    """t that was reached, and the chains there."""
    kind, unit = v.dtype, new.hidden

    def unfinished(state: tuple) -> Bool[Array, ""]:
        return (state[0] < 1) & (state[1] < rounds)

    def step(state: tuple) -> tuple:
        t, done, v, log_weights, log_z = state
        own = jax.random.fold_in(key, done)
        choosing, up, down = jax.random.split(own, 3)
        first, second = old.hidden_field(v), new.hidden_field(v)
        low = first + t.astype(kind) * (second - first)
        drive = v @ (new.visible_bias - old.visible_bias)
        slope = drive + jnp.sum(unit.mean(low) * (second - first), axis=-1)  # d ln w/dt
        spread = jnp.sqrt(jnp.mean(jnp.var(slope, axis=1))).astype(t.dtype)
        after = jnp.minimum(1.0, t + jnp.minimum(_STEP / (spread + _FLOOR), 1 / min(_LEAST, rounds)) + _FLOOR)
        high = first + after.astype(kind) * (second - first)
        # unit by unit, so that the large free energies themselves never cancel
        gain = jnp.sum(unit.log_sum(high) - unit.log_sum(low), axis=-1) + (after - t).astype(kind) * drive
        log_weights = log_weights + gain.astype(log_weights.dtype)
        v, high, log_weights, log_z = _drawn_anew(v, high, log_weights, log_z, choosing)
        h = unit.sample(high, key=up)
        v = _between(old, new, after.astype(kind)).sample_visible(h, key=down)
        return after.astype(t.dtype), done + 1, v, log_weights, log_z

    start = jnp.zeros((), log_z.dtype), jnp.zeros((), jnp.int32), v, log_weights, log_z
    t, _, v, log_weights, log_z = jax.lax.while_loop(unfinished, step, start)
    return t, v, log_weights, log_z


def _drawn_anew(
    v: Array, field: Array, log_weights: Array, log_z: Array, key: PRNGKeyArray
) -> tuple[Array, Array, Array, Array]:
    """Systematic resampling (Kitagawa 1996) of the islands where fewer than half of the chains count."""
    few = _shares(log_weights) < _FEWEST
    islands, chains = log_weights.shape
    weights = jnp.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    ends = jnp.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    offsets = jax.random.uniform(key, (islands, 1), ends.dtype)
    places = (jnp.arange(chains, dtype=ends.dtype)[None] + offsets) / chains
    chosen = jax.vmap(jnp.searchsorted)(ends, places).astype(jnp.int32)
    own = jnp.arange(chains, dtype=jnp.int32)[None]
    rows = jnp.where(few[:, None], jnp.minimum(chosen, chains - 1), own)[:, :, None]
    v, field = (jnp.take_along_axis(x, rows, axis=1) for x in (v, field))
    log_z = jnp.where(few, log_z + _log_means(log_weights), log_z)
    return v, field, jnp.where(few[:, None], 0.0, log_weights), log_z
