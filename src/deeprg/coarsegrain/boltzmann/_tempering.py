"""Sampling a machine with separated modes: a ladder of machines whose chains exchange configurations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from ...runs.errors import UsageError
from ._ais import independent_base
from ._rbm import RBM

__all__ = ["TemperedSamples", "parallel_tempering", "trajectory_tempering"]


@dataclass(frozen=True, eq=False)
class TemperedSamples:
    """What a tempering gives back.

    samples: draws of p(v) of the last machine, [draws, chains, n_v q_v]; one chain's draws are correlated.
    swap_rates: the accepted fraction between a machine and the next, [machines - 1]. Where it is near zero
        the ladder is cut in two; add a rung there.
    renewals: how many configurations reached the last machine from the first one, over all chains. Rates can
        be high and renewals rare; without renewals the last machine saw only what it started from.
    replicas: the configurations at the end, [machines, chains, n_v q_v]: the `start` of a continuation.
    """

    samples: np.ndarray
    swap_rates: np.ndarray
    renewals: int
    replicas: np.ndarray


def parallel_tempering(
    rbm: RBM,
    *,
    betas: Any = 11,
    chains: int = 100,
    draws: int = 1,
    thin: int = 1,
    burn_in: int = 100,
    data: Any | None = None,
    start: ArrayLike | None = None,
    key: PRNGKeyArray,
) -> TemperedSamples:
    """Draws of p(v) by chains at inverse temperatures between an independent base and the machine.

    Rung beta has the energy (1 - beta) E_0 + beta E. The base E_0 has W = 0 and the biases a_0, whose means
    m are those of `data` (uniform units without), and b_0 = b + W^T m, so that hidden units feel

        b + W^T m + beta W^T (v - m):

    couplings are scaled about the mean, and spins and the same law in bits have the same ladder. At beta = 0
    every round is an independent draw. Rounds and exchanges are those of `trajectory_tempering`. Source:
    K. Hukushima, K. Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996).

    Args:
        betas: the number of equally spaced rungs, both ends included, or their rising values from 0 to 1.
        data: configurations [n, n_v q_v] that give the base its means; then fewer rungs are needed.
        chains, draws, thin, burn_in, start: as in `trajectory_tempering`.

    Raises:
        UsageError: betas that do not rise from 0 to 1, data that do not fit, and as `trajectory_tempering`.

    >>> rbm = RBM.create(8, 3, scale=0.5, key=jax.random.key(0))
    >>> found = parallel_tempering(rbm, betas=4, chains=50, draws=10, key=jax.random.key(1))
    >>> found.samples.shape, bool((found.swap_rates > 0.3).all()), found.renewals > 10
    ((10, 50, 8), True, True)
    """
    base = independent_base(rbm, data)
    mean = base.visible.mean(base.visible_bias)
    base = eqx.tree_at(lambda m: m.hidden_bias, base, rbm.hidden_field(mean))
    grid = np.asarray(betas, np.float64)
    if grid.ndim == 0:
        if grid < 2 or grid != np.floor(grid):
            raise UsageError(f"betas = {betas} is no number of rungs; take 2 or more, for example 11.")
        grid = np.linspace(0, 1, int(grid))
    rising = grid.ndim == 1 and len(grid) > 1 and (np.diff(grid) > 0).all()
    if not (rising and grid[0] == 0 and grid[-1] == 1):
        raise UsageError(
            "betas must be a number of rungs, or values that rise strictly from 0 (the base) to 1 (the "
            f"machine), not {np.array2string(grid, threshold=6)}."
        )
    ladder = [jax.tree.map(lambda x, y, b=b: (1 - b) * x + b * y, base, rbm) for b in grid.tolist()]
    return trajectory_tempering(
        ladder, chains=chains, draws=draws, thin=thin, burn_in=burn_in, start=start, key=key
    )


def trajectory_tempering(
    machines: Sequence[RBM],
    *,
    chains: int = 100,
    draws: int = 1,
    thin: int = 1,
    burn_in: int = 100,
    start: ArrayLike | None = None,
    key: PRNGKeyArray,
) -> TemperedSamples:
    """Draws of p(v) of the last of several machines, such as the checkpoints of its training in order.

    A round is one block Gibbs step of every chain of every machine, then exchanges of the configurations of
    neighbours i, i + 1, even and odd i in turn, accepted with probability

        min(1, exp(F_i(v_i) + F_j(v_j) - F_i(v_j) - F_j(v_i))),   j = i + 1,

    the Metropolis ratio with the hidden layers summed out; F_i is the free energy of machine i, and its Z_i
    drops out. Every machine's law stays as it is. An early checkpoint mixes fast and knows all modes, while
    scaling the weights can pass a first-order transition on which exchanges stall. Sources: N. Béreux,
    A. Decelle, C. Furtlehner, L. Rosset, B. Seoane, arXiv:2405.15376; for exchanges in turn, S. Syed,
    A. Bouchard-Côté, G. Deligiannidis, A. Doucet, arXiv:1905.02939.

    Args:
        machines: two or more with the same units and sizes, the easiest to sample first.
        chains: independent copies of the ladder; `start` overrides it.
        draws, thin, burn_in: configurations of the last machine are kept after burn_in + thin,
            burn_in + 2 thin, ... rounds.
        start: configurations [chains, n_v q_v] put on every rung, or the `replicas` of an earlier call;
            None draws independent units in the first machine's visible bias.

    Raises:
        UsageError: fewer than two machines, machines that differ in units or sizes, impossible counts, a
            start that the units cannot take.
        NumericalError: a machine without a normalisable law.

    >>> machines = [RBM.create(8, 3, scale=s, key=jax.random.key(0)) for s in (0.0, 0.3, 0.6)]
    >>> found = trajectory_tempering(machines, chains=50, draws=10, key=jax.random.key(1))
    >>> found.samples.shape, found.replicas.shape, bool((found.swap_rates > 0.3).all())
    ((10, 50, 8), (3, 50, 8), True)
    """
    if len(machines) < 2:
        raise UsageError(f"A ladder needs two machines or more, not {len(machines)}.")
    for name, value, least in (("chains", chains, 1), ("draws", draws, 1), ("thin", thin, 1)):
        if value < least:
            raise UsageError(f"{name} = {value} must be at least {least}.")
    if burn_in < 0:
        raise UsageError(f"burn_in = {burn_in} must be at least 0.")
    _check_alike(machines)
    for machine in machines:
        machine.check_normalisable()
    starting, going = jax.random.split(key)
    replicas = _replicas(machines, chains, start, starting)
    ladder = jax.tree.map(lambda *leaves: jnp.stack(leaves), *machines)
    counts = np.full(draws, thin, np.int32)
    counts[0] += burn_in
    turns = jnp.asarray(np.cumsum(counts, dtype=np.int32) - counts), jnp.asarray(counts)
    replicas, kept = _rounds(ladder, replicas, turns, going)
    samples, accepted, renewals = (np.asarray(x) for x in kept)
    tried = _tries(len(machines), burn_in + draws * thin) * replicas.shape[1]
    return TemperedSamples(
        samples=samples,
        swap_rates=accepted.sum(axis=0) / tried,
        renewals=int(renewals.sum()),
        replicas=np.asarray(replicas),
    )


@eqx.filter_jit
def _rounds(
    ladder: RBM,
    replicas: Float[Array, "r c v"],
    turns: tuple[Int[Array, " draws"], Int[Array, " draws"]],
    key: PRNGKeyArray,
) -> tuple[Array, tuple[Array, Array, Array]]:
    """Rounds for each draw, with the numbers `turns` of the first one and how many.

    The last replicas; for each draw the last rung's configurations, accepted swaps [r - 1] and renewals.
    """

    def draw(state: tuple, turn: tuple[Array, Array]) -> tuple[tuple, tuple]:
        def one(i: Array, carry: tuple) -> tuple:
            state, accepted, renewals = carry
            state, swapped, new = _round(ladder, state, turn[0] + i, jax.random.fold_in(key, turn[0] + i))
            return state, accepted + swapped, renewals + new

        zero = jnp.zeros(len(replicas) - 1, jnp.int32), jnp.zeros((), jnp.int32)
        state, accepted, renewals = jax.lax.fori_loop(0, turn[1], one, (state, *zero))
        return state, (state[0][-1], accepted, renewals)

    fresh = jnp.zeros(replicas.shape[:2], bool)  # whether a configuration has been at the first rung
    (replicas, _), kept = jax.lax.scan(draw, (replicas, fresh), turns)
    return replicas, kept


def _round(ladder: RBM, state: tuple, turn: Array, key: PRNGKeyArray) -> tuple[tuple, Array, Array]:
    """Gibbs on every rung, exchanges of even or odd pairs; accepted swaps [r - 1] and renewals."""
    v, fresh = state
    rungs = len(v)
    moving, swapping = jax.random.split(key)
    keys = jax.random.split(moving, rungs)
    v = eqx.filter_vmap(lambda rbm, v, key: rbm.gibbs(v, key=key))(ladder, v, keys)
    index = jnp.arange(rungs, dtype=jnp.int32)
    partner = jnp.where((index + turn) % 2 == 0, index + 1, index - 1)
    partner = jnp.where((partner < 0) | (partner >= rungs), index, partner)
    free_energy = eqx.filter_vmap(lambda rbm, v: rbm.free_energy(v))
    own, crossed = free_energy(ladder, v), free_energy(ladder, v[partner])
    gain = own + own[partner] - crossed - crossed[partner]
    log_u = -jax.random.exponential(swapping, gain.shape, gain.dtype)
    upper = partner > index
    # both of a pair read the number of the lower one: they swap together or not at all
    accept = (log_u[jnp.minimum(index, partner)] < gain) & (partner != index)[:, None]
    v = jnp.where(accept[:, :, None], v[partner], v)
    fresh = jnp.where(accept, fresh[partner], fresh)
    renewals = jnp.sum(fresh[-1], dtype=jnp.int32)
    fresh = fresh.at[-1].set(False).at[0].set(True)
    swapped = jnp.sum(accept & upper[:, None], axis=1, dtype=jnp.int32)[:-1]
    return (v, fresh), swapped, renewals


def _tries(rungs: int, rounds: int) -> np.ndarray:
    """How often each pair was tried in so many rounds, at least once to divide by."""
    even = np.arange(rungs - 1) % 2 == 0
    return np.maximum(np.where(even, (rounds + 1) // 2, rounds // 2), 1)


def _check_alike(machines: Sequence[RBM]) -> None:
    kinds = [(m.visible, m.hidden, m.weights.shape, m.weights.dtype) for m in machines]
    for number, (machine, kind) in enumerate(zip(machines, kinds, strict=True)):
        if kind != kinds[0]:
            raise UsageError(
                f"Machine {number} of the ladder has {machine.n_visible} '{machine.visible.name}' and "
                f"{machine.n_hidden} '{machine.hidden.name}' units in {machine.weights.dtype}, machine 0 "
                f"others: {machines[0].n_visible} '{machines[0].visible.name}', {machines[0].n_hidden} "
                f"'{machines[0].hidden.name}', {machines[0].weights.dtype}. Only equal ones can exchange."
            )


def _replicas(machines: Sequence[RBM], chains: int, start: Any, key: PRNGKeyArray) -> Array:
    """The configurations before the first round, [machines, chains, n_v q_v]."""
    first, rungs = machines[0], len(machines)
    bias = first.visible_bias
    if start is None:
        return first.visible.sample(jnp.broadcast_to(bias, (rungs, chains, len(bias))), key=key)
    given, width = np.asarray(start, np.float64), len(bias)
    fits = given.ndim in (2, 3) and given.shape[-1] == width and given.shape[:-2] in ((), (rungs,))
    if not (fits and given.size):
        raise UsageError(
            f"start has shape {given.shape}; [chains, {width}] or [{rungs}, chains, {width}] with at least "
            "one chain is needed."
        )
    first.visible.check(given, "start")
    return jnp.asarray(np.broadcast_to(given, (rungs, *given.shape[-2:])), bias.dtype)
