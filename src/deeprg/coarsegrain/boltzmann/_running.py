"""ln Z while a machine is trained: chains annealed from each machine to the next one, with weights."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._ais import independent_base, log_z_of_base
from ._rbm import RBM

__all__ = ["RunningEstimate", "RunningPartition"]

_FIRST = 500  # steps from independent units to the first machine
_FLOOR = 1e-12


@dataclass(frozen=True)
class RunningEstimate:
    """ln Z of the newest machine, its error over the islands, and the share of chains that still count."""

    log_partition: float
    error: float
    ess: float


class RunningPartition:
    """ln Z along a training, by a particle filter that follows the machine.

    `islands` independent populations of `chains` configurations start in independent units, where ln Z is
    known, and are annealed to the machine. Each `update` anneals them on to a newer machine in `steps` steps
    of t, E_t = (1 - t) E_old + t E_new,

        ln w += F_t(v) - F_t'(v),   then one round of block Gibbs at t',

    and draws the configurations of an island anew by their weights when fewer than half of them count. The
    mean of the islands' estimates of Z has no bias, so ln Z is low on average, the less the nearer machines
    are to each other. It costs about as much as `steps` training steps. Sources: A. Doucet, N. de Freitas, N.
    Gordon (eds.), Sequential Monte Carlo Methods in Practice (2001); along a training, N. Béreux et al.,
    arXiv:2405.15376.

    `data` [n, n_v q_v] gives the independent units the means of the data. Raises `UsageError` for fewer than
    two islands, or numbers below one.

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
        steps: int = 20,
        key: PRNGKeyArray,
    ):
        if islands < 2 or chains < 1 or steps < 1:
            raise UsageError(
                f"islands = {islands}, chains = {chains}, steps = {steps}: an error needs two islands, "
                "each with a chain or more, and at least one step."
            )
        base = independent_base(machine, data)
        starting, rest = jax.random.split(key)
        field = jnp.broadcast_to(base.visible_bias, (islands, chains, len(base.visible_bias)))
        self._machine, self._v = base, base.visible.sample(field, key=starting)
        self._log_weights = np.zeros((islands, chains))
        self._log_z = np.full(islands, log_z_of_base(base))  # up to what the weights hold
        self._steps = steps
        self._advance(machine, max(_FIRST, steps), rest)

    def update(self, machine: RBM, *, key: PRNGKeyArray) -> RunningEstimate:
        """Anneal on to this machine, of the same units and sizes; ln Z of it."""
        self._advance(machine, self._steps, key)
        return self.estimate

    @property
    def estimate(self) -> RunningEstimate:
        """ln Z of the newest machine; the error by the delta method over the islands."""
        logs = self._log_z + self._log_means()
        top = logs.max()
        ratios = np.exp(logs - top)
        mean = ratios.mean()
        error = ratios.std(ddof=1) / (np.sqrt(len(ratios)) * mean)
        return RunningEstimate(
            float(top + np.log(mean)), max(float(error), _FLOOR), float(self._ess().mean())
        )

    def _advance(self, machine: RBM, steps: int, key: PRNGKeyArray) -> None:
        """In pieces, so that an island is drawn anew before all of its weight is in one chain."""
        pieces = -(-steps // self._steps)
        times = np.linspace(0, 1, pieces + 1)
        for number, own in enumerate(jax.random.split(key, pieces)):
            moving, choosing = jax.random.split(own)
            with jax.enable_x64(True):  # for the sum of ln w alone
                span = jnp.asarray(np.linspace(times[number], times[number + 1], self._steps + 1))
                self._v, gain = _annealed(self._machine, machine, span, self._v, moving)
            self._log_weights = self._log_weights + np.asarray(gain)
            self._resample(choosing)
        self._machine = machine

    def _ess(self) -> np.ndarray:
        """The effective share of each island."""
        weights = np.exp(self._log_weights - self._log_weights.max(axis=1, keepdims=True))
        return weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1) / weights.shape[1]

    def _log_means(self) -> np.ndarray:
        """ln of the mean weight of each island."""
        top = self._log_weights.max(axis=1, keepdims=True)
        return top[:, 0] + np.log(np.exp(self._log_weights - top).mean(axis=1))

    def _resample(self, key: PRNGKeyArray) -> None:
        """Systematic resampling (Kitagawa 1996) of the islands where fewer than half of the chains count."""
        few = np.flatnonzero(self._ess() < 0.5)
        if not len(few):
            return
        chains = self._log_weights.shape[1]
        rows = np.tile(np.arange(chains), (len(self._log_z), 1))
        offsets = np.asarray(jax.random.uniform(key, (len(self._log_z),)), np.float64)
        for island in few:
            weights = np.exp(self._log_weights[island] - self._log_weights[island].max())
            places = (np.arange(chains) + offsets[island]) / chains
            chosen = np.searchsorted(np.cumsum(weights) / weights.sum(), places)
            rows[island] = np.minimum(chosen, chains - 1)
        self._log_z[few] += self._log_means()[few]
        self._log_weights[few] = 0.0
        self._v = jnp.take_along_axis(self._v, jnp.asarray(rows)[:, :, None], axis=1)


@eqx.filter_jit
def _annealed(
    old: RBM, new: RBM, times: Float[Array, " k"], v: Float[Array, "i c v"], key: PRNGKeyArray
) -> tuple[Float[Array, "i c v"], Float[Array, "i c"]]:
    kind = v.dtype

    def between(t: Array) -> RBM:
        return jax.tree.map(lambda a, b: a + t.astype(kind) * (b - a), old, new)

    def step(carry: tuple[Array, Array], now: tuple[Array, Array, Array]) -> tuple[tuple, None]:
        (v, total), (before, after, key) = carry, now
        first, second = old.hidden_field(v), new.hidden_field(v)
        low, high = (first + t.astype(kind) * (second - first) for t in (before, after))
        # unit by unit, so that the large free energies themselves never cancel
        gain = jnp.sum(new.hidden.log_sum(high) - new.hidden.log_sum(low), axis=-1)
        gain = gain + (after - before).astype(kind) * (v @ (new.visible_bias - old.visible_bias))
        up, down = jax.random.split(key)
        v = between(after).sample_visible(new.hidden.sample(high, key=up), key=down)
        return (v, total + gain.astype(total.dtype)), None

    keys = jax.random.split(key, len(times) - 1)
    start = v, jnp.zeros(v.shape[:-1], jnp.float64)
    return jax.lax.scan(step, start, (times[:-1], times[1:], keys))[0]
