"""The exact likelihood of a small machine: ln Z by enumerating a layer, moments, gradients, divergences."""

import math
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...exact import DiscreteDistribution
from ...runs.errors import UsageError
from ._enumeration import DEFAULT_LIMIT, double, enumerable, exactly, layer_states, log_sum_blocks
from ._rbm import RBM

__all__ = [
    "ExactMoments",
    "exact_moments",
    "kl_divergence",
    "log_likelihood",
    "log_likelihood_gradient",
    "log_partition",
    "visible_distribution",
]

_MOST_VISIBLE_STATES = 20
_NUMBERS = 1 << 18  # at a time


@dataclass(frozen=True, eq=False)
class ExactMoments:
    """ln Z and the exact means under p(v, h): `visible` ⟨v⟩, `hidden` ⟨h⟩, `coupled` ⟨v h^T⟩, in float64."""

    log_partition: float
    visible: np.ndarray
    hidden: np.ndarray
    coupled: np.ndarray


def log_partition(rbm: RBM, *, limit: int = DEFAULT_LIMIT) -> float:
    """ln Z = ln sum_{v, h} exp(-E(v, h)), exact, by enumerating the smaller finite layer.

    The other layer is summed in closed form. In float64 and in blocks, so memory stays small; time grows as
    the number of states times the units of the other layer. Raises `UsageError`, with the number of states,
    where no layer has at most 2^limit, and `NumericalError` for weights that are not finite.

    >>> import jax
    >>> machine = RBM.create(6, 3, scale=0.0, key=jax.random.key(0))
    >>> round(log_partition(machine), 9)                                     # 9 ln 2
    6.238324625
    """
    with exactly():
        turned, _ = enumerable(double(rbm), limit)
        return log_sum_blocks(turned)[0]


def log_likelihood(rbm: RBM, v: Any, *, limit: int = DEFAULT_LIMIT) -> np.ndarray:
    """ln p(v) = -F(v) - ln Z of every configuration [..., n_v q_v], exact, in nats, float64 [...].

    Raises `UsageError` as `log_partition` and for configurations that the visible units cannot take.

    >>> import jax
    >>> machine = RBM.create(6, 3, scale=0.0, key=jax.random.key(0))
    >>> round(float(log_likelihood(machine, jnp.ones(6))), 9)               # -6 ln 2
    -4.158883083
    """
    states = _configurations(rbm, v)
    return np.asarray(-_free_energies(rbm, states) - log_partition(rbm, limit=limit))


def exact_moments(rbm: RBM, *, limit: int = DEFAULT_LIMIT) -> ExactMoments:
    """⟨v⟩, ⟨h⟩ and ⟨v h^T⟩ of the machine, exact, in float64; limit and errors as `log_partition`.

    >>> import jax
    >>> machine = RBM.create(1, 1, key=jax.random.key(0))
    >>> machine = eqx.tree_at(lambda m: m.weights, machine, jnp.array([[0.5]]))
    >>> round(float(exact_moments(machine).coupled[0, 0]), 6)               # tanh(1/2)
    0.462117
    """
    with exactly():
        machine, turned = enumerable(double(rbm), limit)
        log_z, (visible, hidden, coupled) = log_sum_blocks(machine, _moments)
    if turned:
        visible, hidden, coupled = hidden, visible, coupled.T
    return ExactMoments(log_z, visible, hidden, coupled)


def log_likelihood_gradient(rbm: RBM, v: Any, *, limit: int = DEFAULT_LIMIT) -> RBM:
    """The exact gradient of the mean of ln p(v) over configurations [..., n_v q_v]: a machine of gradients.

        d/dW = ⟨v h^T⟩_data - ⟨v h^T⟩_model,   d/da = ⟨v⟩_data - ⟨v⟩_model,   d/db = ⟨h⟩_data - ⟨h⟩_model,

    with h averaged over p(h | v) in the data. Float64. Of the biases too where the machine has none to train.
    Errors as `log_likelihood`.

    >>> import jax
    >>> machine = RBM.create(2, 1, scale=0.0, key=jax.random.key(0))
    >>> log_likelihood_gradient(machine, jnp.array([[1.0, -1.0], [1.0, 1.0]])).visible_bias.tolist()
    [1.0, 0.0]
    """
    states = _configurations(rbm, v)
    states = states.reshape(-1, states.shape[-1])
    if not len(states):
        raise UsageError("v holds no configuration; a gradient of the likelihood needs at least one.")
    model = exact_moments(rbm, limit=limit)
    with exactly():
        machine = double(rbm)
        sums = [_data_moments(machine, jnp.asarray(rows)) for rows in _chunks(machine, states)]
        hidden, coupled = (jnp.stack(parts).sum(axis=0) / len(states) for parts in zip(*sums, strict=True))
        visible = jnp.asarray(states.mean(axis=0))
        parts = coupled - model.coupled, visible - model.visible, hidden - model.hidden
        return RBM(*parts, rbm.visible, rbm.hidden, rbm.biases)


def visible_distribution(rbm: RBM) -> np.ndarray:
    """p(v) of all visible states, float64 [k^n], unit 0 running fastest, each through `unit.states`.

    For spins and bits that is the order of `deeprg.exact.couplings.configurations`. Raises `UsageError` above
    2^20 states and for visible units without finitely many.

    >>> import jax
    >>> machine = RBM.create(2, 1, scale=0.0, key=jax.random.key(0))
    >>> visible_distribution(machine).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    states = rbm.visible.states
    if states is None or rbm.n_visible * math.log2(len(states)) > _MOST_VISIBLE_STATES:
        raise UsageError(
            f"{rbm.n_visible} visible '{rbm.visible.name}' units have too many states to list; at most "
            f"2^{_MOST_VISIBLE_STATES}. Evaluate log_likelihood on chosen configurations, or draw samples."
        )
    log_weights = -_free_energies(rbm, layer_states(rbm.visible, rbm.n_visible))
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def kl_divergence(rbm: RBM, law: DiscreteDistribution, *, limit: int = DEFAULT_LIMIT) -> float:
    """KL(law | machine) = sum_x law(x) ln[law(x)/p(x)] in nats, exact, for an enumerated model.

    `law` as `deeprg.exact.enumerate_distribution` makes it; its states are read by `visible.encode`: Ising
    spins become bits for binary visible units, Potts colours one-hot vectors. Raises `UsageError` when the
    numbers of variables differ, when the visible units cannot take the states or have densities instead of
    probabilities, and as `log_partition`.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> from deeprg.exact import enumerate_distribution
    >>> law = enumerate_distribution(Ising(Lattice((2, 2)), temperature=2.0))
    >>> import jax
    >>> machine = RBM.create(4, 2, scale=0.0, key=jax.random.key(0))
    >>> round(kl_divergence(machine, law), 6)                               # 4 ln 2 minus the entropy
    1.576526
    """
    states = law.states.reshape(len(law.states), -1).astype(np.float64)
    if states.shape[1] != rbm.n_visible:
        raise UsageError(
            f"The law has {states.shape[1]} variables, but the machine has {rbm.n_visible} visible units."
        )
    if rbm.visible.states is None:
        raise UsageError(
            f"Visible '{rbm.visible.name}' units have a density, and a law of discrete states has none: the "
            "divergence is infinite. Use spin, binary or Potts visible units."
        )
    with exactly():
        encoded = np.asarray(rbm.visible.encode(jnp.asarray(states)))
    possible = law.probabilities > 0
    p = law.probabilities[possible]
    return float(p @ (np.log(p) - log_likelihood(rbm, encoded[possible], limit=limit)))


def _configurations(rbm: RBM, v: Any) -> np.ndarray:
    """v in float64, refused unless the visible layer can take it."""
    states = np.asarray(v, np.float64)
    size = rbm.weights.shape[0]
    if states.ndim == 0 or states.shape[-1] != size:
        raise UsageError(f"v has shape {states.shape}; [..., {size}] is needed.")
    rbm.visible.check(states, "v")
    return states


def _chunks(rbm: RBM, rows: np.ndarray) -> list[np.ndarray]:
    size = max(_NUMBERS // max(rbm.weights.shape), 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _free_energies(rbm: RBM, states: np.ndarray) -> np.ndarray:
    """F(v) in float64, [...], chunk after chunk."""
    rows = states.reshape(-1, states.shape[-1])
    with exactly():
        machine = double(rbm)
        parts = [np.asarray(_free_energy(machine, jnp.asarray(part))) for part in _chunks(machine, rows)]
    return np.concatenate([np.empty(0), *parts]).reshape(states.shape[:-1])


@eqx.filter_jit
def _free_energy(rbm: RBM, v: Float[Array, "n v"]) -> Float[Array, " n"]:
    return rbm.free_energy(v)


@eqx.filter_jit
def _data_moments(rbm: RBM, v: Float[Array, "n v"]) -> tuple[Array, Array]:
    hidden = rbm.hidden_mean(v)
    return hidden.sum(axis=0), v.T @ hidden


def _moments(
    rbm: RBM,
    weights: Float[Array, " b"],
    field: Float[Array, "b v"],
    low: Float[Array, "b f"],
    high: Float[Array, " r"],
) -> tuple[Array, Array, Array]:
    """Sums of E[v | h], h and E[v | h] h^T over a block of hidden states."""
    weighted = weights[:, None] * rbm.visible.mean(field)
    visible = weighted.sum(axis=0)
    hidden = jnp.concatenate([weights @ low, weights.sum() * high])
    return visible, hidden, jnp.concatenate([weighted.T @ low, jnp.outer(visible, high)], axis=1)
