"""Sums over all states of the smaller finite layer of a machine, block after block in float64."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import NumericalError, UsageError
from ._rbm import RBM
from ._units import AbstractUnit

__all__ = [
    "DEFAULT_LIMIT",
    "double",
    "enumerable",
    "exactly",
    "layer_states",
    "log_sum_blocks",
    "state_blocks",
]

DEFAULT_LIMIT = 24
_NUMBERS = 1 << 18  # fields at a time: they stay in the cache, and rectified units need 80 times as many


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Float64 on the CPU, whatever the user's settings."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        yield


def double(rbm: RBM) -> RBM:
    """The machine in float64; inside `exactly`."""
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float64)), rbm)


def layer_states(unit: AbstractUnit, n: int, first: int = 0, count: int | None = None) -> np.ndarray:
    """The statistics of the states number first ... first + count - 1 of n units, [count, n q].

    Unit 0 runs fastest, each unit through `unit.states`: the order of
    `deeprg.exact.couplings.configurations`.

    >>> from deeprg.coarsegrain.boltzmann import Spin
    >>> layer_states(Spin(), 2).tolist()
    [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]
    """
    states = unit.states
    assert states is not None
    k = len(states)
    number = np.arange(first, k**n if count is None else first + count)
    digits = number[:, None] // k ** np.arange(n) % k
    return states[digits].reshape(len(number), n * unit.q)


def enumerable(rbm: RBM, limit: int) -> tuple[RBM, bool]:
    """The machine turned so that the layer to enumerate is hidden, and whether it was turned.

    Raises `UsageError` where no layer has at most 2^limit states.
    """
    counts = [_log2_states(u, n) for u, n in ((rbm.visible, rbm.n_visible), (rbm.hidden, rbm.n_hidden))]
    turned = counts[0] < counts[1]
    smallest = min(counts)
    if smallest > limit + 1e-9:
        patience = ""
        if math.isinf(smallest):
            what = (
                f"neither layer has finitely many states ({rbm.visible.name} and {rbm.hidden.name} units), "
                "so nothing can be enumerated"
            )
        else:
            what = (
                f"the smaller layer has 10^{smallest * math.log10(2):.1f} states "
                f"(2^{smallest:.4g}), above the limit of 2^{limit}"
            )
            patience = ", or raise `limit` and wait: every unit doubles the time"
        raise UsageError(
            f"An exact sum is out of reach for {rbm.n_visible} visible and {rbm.n_hidden} hidden units: "
            f"{what}. Estimate ln Z by annealed importance sampling (ais){patience}."
        )
    return (rbm.transposed if turned else rbm), turned


def state_blocks(rbm: RBM) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All hidden states in blocks: the states of the first units [B, f q] and, fixed, of the others [r q].

    The first array is the same for every block, so whatever depends on it is computed once.
    """
    states = rbm.hidden.states
    assert states is not None
    k, n, width = len(states), rbm.n_hidden, rbm.weights.shape[0]
    fast = n
    while fast > 0 and k**fast * width > _NUMBERS:
        fast -= 1
    low = layer_states(rbm.hidden, fast)
    for number in range(k ** (n - fast)):
        yield low, layer_states(rbm.hidden, n - fast, number, 1)[0]


def log_sum_blocks(rbm: RBM, moments: Callable | None = None) -> tuple[float, Any]:
    """ln sum_h exp(-F(h)) over all hidden states, and means under that law.

    `moments(rbm, weights [B], field [B, v], low [B, f q], high [r q])` returns a pytree of sums over the
    block, linear in the weights. Raises `NumericalError` where the sum is not finite.
    """
    highest, total, sums = -math.inf, 0.0, None
    fast, table = jnp.empty(0), None
    for low, high in state_blocks(rbm):
        if table is None:
            fast = jnp.asarray(low)
            table = _fast_part(rbm, fast)
        top, part, block = _block(rbm, table, fast, jnp.asarray(high), moments)
        top = float(top)
        if not math.isfinite(top):
            raise NumericalError(
                f"ln Z is not finite (a state has ln weight {top}): weights or biases have overflowed or are "
                "NaN. Go back to an earlier checkpoint and lower the learning rate."
            )
        rise = max(highest, top)
        keep, add = math.exp(highest - rise), math.exp(top - rise)
        total = keep * total + add * float(part)
        scaled = jax.tree.map(lambda x, w=add: w * np.asarray(x), block)
        sums = scaled if sums is None else jax.tree.map(lambda x, y, w=keep: w * x + y, sums, scaled)
        highest = rise
    return highest + math.log(total), jax.tree.map(lambda x: x / total, sums)


@eqx.filter_jit
def _fast_part(rbm: RBM, low: Float[Array, "b f"]) -> tuple[Array, Array]:
    """What the fast units contribute to the visible fields [B, v] and to -F [B]."""
    f = low.shape[1]
    return low @ rbm.weights[:, :f].T + rbm.visible_bias[None], low @ rbm.hidden_bias[:f]


@eqx.filter_jit
def _block(rbm: RBM, table: tuple[Array, Array], low: Array, high: Array, moments: Callable | None) -> tuple:
    """The largest ln weight of a block, the sum of the weights over it, and the sums of moments."""
    f = low.shape[1]
    field = table[0] + (rbm.weights[:, f:] @ high)[None]
    log_weights = table[1] + high @ rbm.hidden_bias[f:] + jnp.sum(rbm.visible.log_sum(field), axis=-1)
    top = jnp.max(log_weights)
    weights = jnp.exp(log_weights - top)
    return top, jnp.sum(weights), None if moments is None else moments(rbm, weights, field, low, high)


def _log2_states(unit: AbstractUnit, n: int) -> float:
    return math.inf if unit.states is None else n * math.log2(len(unit.states))
