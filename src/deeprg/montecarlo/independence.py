"""Exact chains from a tractable model: independence Metropolis over proposals that are drawn beforehand."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from numpy.typing import ArrayLike

from deeprg.montecarlo._summary import checked_log_weights
from deeprg.montecarlo.autocorrelation import GammaEstimate, gamma_method
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["IndependenceChains", "chain_averages", "independence_metropolis"]

# Long scans are cut into pieces of one compiled length: the cost of stacked scan outputs can grow faster than
# linearly on some versions of jaxlib.
_CHUNK = 1024


class IndependenceChains(NamedTuple):
    """The course of the chains: `index[c, t]` is the number of the proposal that chain c occupies at step t.

    `acceptance` is the fraction of accepted proposals over all chains; the start is not counted.
    """

    index: np.ndarray
    acceptance: float


def _advance_chain(
    key: PRNGKeyArray,
    index: Int[Array, ""],
    log_weight: Float[Array, ""],
    log_weights: Float[Array, " steps"],
    first: Int[Array, ""],
) -> tuple[Int[Array, ""], Float[Array, ""], Int[Array, " steps"]]:
    """One chain through one chunk of proposals, numbered from `first`."""
    log_uniform = -jax.random.exponential(key, log_weights.shape, log_weights.dtype)
    number = first + jnp.arange(log_weights.shape[0], dtype=jnp.int32)

    def step(state, proposal):
        index, current = state
        new, log_u, i = proposal
        # min(1, w'/w) as a sum, not a difference, so that two zero weights (-inf) give no NaN.
        accept = new >= current + log_u
        index, current = jnp.where(accept, i, index), jnp.where(accept, new, current)
        return (index, current), index

    (index, log_weight), visited = jax.lax.scan(step, (index, log_weight), (log_weights, log_uniform, number))
    return index, log_weight, visited


@jax.jit
def _advance(key, index, log_weight, log_weights, first):
    """All chains through the chunk of proposals that starts at `first`."""
    keys = jax.random.split(jax.random.fold_in(key, first), index.shape[0])
    return jax.vmap(_advance_chain, in_axes=(0, 0, 0, 0, None))(keys, index, log_weight, log_weights, first)


def independence_metropolis(log_weights: ArrayLike, *, key: PRNGKeyArray) -> IndependenceChains:
    """Markov chains with the exact target as stationary law, from independent proposals of a model q.

    A chain at x moves to the proposal x' with probability min(1, w(x')/w(x)), w(x) = exp(-H(x))/q(x); else it
    stays (metropolised independence sampling; with flows, arXiv:1904.12072). Give ln w, not -H: without ln q
    the chain samples q(x) exp(-H(x)), another distribution. Draw all proposals in one batch; only accept and
    reject remain here. Chains start at their first proposal, which follows q: discard a start that is longer
    than the longest stay.

    Args:
        log_weights: ln w(x) = -H(x) - ln q(x) of the proposals, up to one constant, `[chains, steps]`; -inf
            is a proposal that the target forbids.
        key: decides on acceptance; must not be the key that drew the proposals.

    Raises:
        UsageError: not two axes, no chain, fewer than 2 steps, or NaN.
        NumericalError: +inf, or a chain all of whose proposals have zero weight.

    >>> import jax, numpy as np
    >>> proposals = np.random.default_rng(0).integers(0, 2, size=(100, 1000))      # q = (1/2, 1/2)
    >>> log_weights = np.log(np.array([0.2, 0.8]) / 0.5)[proposals]                # target (0.2, 0.8)
    >>> chains = independence_metropolis(log_weights, key=jax.random.key(1))
    >>> states = np.take_along_axis(proposals, chains.index, axis=1)[:, 50:]
    >>> print(f"{states.mean():.2f} with acceptance {chains.acceptance:.2f}")
    0.80 with acceptance 0.70
    """
    checked = checked_log_weights(log_weights, "log_weights", ndim=(2,))
    n_chains, steps = checked.shape
    best = checked.max(axis=1, keepdims=True)
    if (dead := np.flatnonzero(np.isneginf(best[:, 0]))).size:
        raise NumericalError(
            f"All {steps} proposals of chain {dead[0]} have weight zero (ln w = -inf), as in {dead.size} of "
            f"{n_chains} chains. The model misses the target; train it further or draw more proposals."
        )
    dtype = jnp.result_type(float)
    # Only differences within a chain count; taking them off the maximum first saves digits in float32.
    centred = (checked - best).astype(dtype)
    chunk = min(_CHUNK, steps)
    n_chunks = -(-steps // chunk)
    centred = np.pad(centred, ((0, 0), (0, n_chunks * chunk - steps)), constant_values=-np.inf)
    index = np.zeros(n_chains, dtype=np.int32)
    log_weight = np.full(n_chains, -np.inf, dtype=dtype)  # so that proposal 0 is accepted
    visited = []
    for first in range(0, n_chunks * chunk, chunk):
        piece = centred[:, first : first + chunk]
        index, log_weight, stays = _advance(key, index, log_weight, piece, np.int32(first))
        visited.append(np.asarray(stays))
    occupied = np.concatenate(visited, axis=1)[:, :steps]
    return IndependenceChains(occupied, float(np.mean(occupied[:, 1:] != occupied[:, :-1])))


def chain_averages(
    observables: Mapping[str, ArrayLike], index: ArrayLike, *, discard: int
) -> dict[str, GammaEstimate]:
    """Averages over independence chains with Γ-method errors.

    Each observable is given at the proposals and read off along the chains: O[c, index[c, t]], t >= discard.

    Args:
        observables: name to values at the proposals, `[chains, steps]` each.
        index: `IndependenceChains.index`, `[chains, steps]`.
        discard: steps to drop at the start of every chain, where it still follows q.

    Raises:
        UsageError: shapes that differ, or a discard that leaves fewer than 4 steps.
        NumericalError: an observable that does not fluctuate along the chains.

    >>> import jax, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(20, 2000))                       # q = Normal(0, 1)
    >>> log_weights = -0.5 * (x / 0.8)**2 + 0.5 * x**2                             # target Normal(0, 0.8²)
    >>> chains = independence_metropolis(log_weights, key=jax.random.key(1))
    >>> x2 = chain_averages({"x2": x**2}, chains.index, discard=50)["x2"]
    >>> print(f"{x2.mean:.3f} +- {x2.error:.3f} (exact 0.64), tau_int {x2.tau_int:.2f}")
    0.638 +- 0.005 (exact 0.64), tau_int 0.65
    """
    occupied = np.asarray(index)
    if occupied.ndim != 2 or not np.issubdtype(occupied.dtype, np.integer):
        raise UsageError(
            f"index has shape {occupied.shape} and type {occupied.dtype}; give integers [chains, steps]."
        )
    if not 0 <= discard <= occupied.shape[1] - 4:
        raise UsageError(
            f"discard = {discard} is out of range; chains of {occupied.shape[1]} steps need 4 or more left."
        )
    averages = {}
    for name, values in observables.items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape != occupied.shape:
            raise UsageError(
                f"Observable '{name}' has shape {array.shape}, not that of index, {occupied.shape}."
            )
        averages[name] = gamma_method(np.take_along_axis(array, occupied, axis=1)[:, discard:])
    return averages
