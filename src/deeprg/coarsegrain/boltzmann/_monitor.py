"""How a training of a Boltzmann machine goes, from data alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._rbm import RBM

__all__ = ["free_energy_gap", "monitor", "pseudo_likelihood", "reconstruction_error", "singular_values"]


@eqx.filter_jit
def reconstruction_error(machine: RBM, v: Float[Array, "n v"], *, key: PRNGKeyArray) -> Float[Array, ""]:
    """The mean square of v - ⟨v | h⟩ with h drawn from p(h | v): over rows and units.

    Small for a machine that copies its input, also where its law is far from that of the data.

    >>> machine = RBM.create(4, 3, scale=0.0, key=jax.random.key(0))
    >>> float(reconstruction_error(machine, jnp.ones((5, 4), jnp.float32), key=jax.random.key(1)))
    1.0
    """
    again = machine.visible_mean(machine.sample_hidden(v, key=key))
    return jnp.mean((v - again) ** 2)


@eqx.filter_jit
def pseudo_likelihood(machine: RBM, v: Float[Array, "n v"], *, key: PRNGKeyArray) -> Float[Array, ""]:
    """An estimate of the mean over rows of sum_i ln p(v_i | the others), in nats (Besag 1975).

    One unit of each row is drawn, and its term counted for all n_v units. For a unit with k states it is the
    log-softmax of -F over them. Raises `UsageError` for visible units with infinitely many states.

    >>> machine = RBM.create(4, 3, scale=0.0, key=jax.random.key(0))       # independent fair spins: 4 ln 1/2
    >>> round(float(pseudo_likelihood(machine, jnp.ones((5, 4), jnp.float32), key=jax.random.key(1))), 6)
    -2.772589
    """
    states = machine.visible.states
    if states is None:
        raise UsageError(
            f"'{machine.visible.name}' visible units have infinitely many states and no sum over them here; "
            "compare free energies on held-out data instead."
        )
    q, units = machine.visible.q, machine.n_visible
    sites = jax.random.randint(key, (len(v),), 0, units)
    split = v.reshape(len(v), units, q)
    here = jnp.arange(units)[None, :] == sites[:, None]
    values = jnp.asarray(states, v.dtype)

    def log_weight(state: Array) -> Array:
        moved = jnp.where(here[..., None], state[None, None], split)
        return -machine.free_energy(moved.reshape(v.shape))

    log_weights = jnp.stack([log_weight(state) for state in values], axis=-1)
    own = jnp.take_along_axis(split, sites[:, None, None], axis=1)[:, 0]
    match = jnp.all(own[:, None] == values[None], axis=-1)
    chosen = jnp.sum(jnp.where(match, jax.nn.log_softmax(log_weights, axis=-1), 0.0), axis=-1)
    return units * jnp.mean(chosen)


@eqx.filter_jit
def free_energy_gap(
    machine: RBM, train: Float[Array, "n v"], held_out: Float[Array, "m v"]
) -> Float[Array, ""]:
    """⟨F⟩_held-out - ⟨F⟩_train: ln Z drops out, and a growing gap is overfitting (Hinton 2012, section 6).

    >>> machine = RBM.create(4, 3, key=jax.random.key(0))
    >>> v = jnp.ones((5, 4), jnp.float32)
    >>> round(abs(float(free_energy_gap(machine, v, v))), 6)
    0.0
    """
    return jnp.mean(machine.free_energy(held_out)) - jnp.mean(machine.free_energy(train))


def singular_values(machine: RBM) -> Float[np.ndarray, " k"]:
    """The singular values of W, largest first: modes that grow beyond the noise are what was learned.

    >>> singular_values(RBM.create(4, 3, scale=0.0, key=jax.random.key(0))).tolist()
    [0.0, 0.0, 0.0]
    """
    return np.linalg.svd(np.asarray(machine.weights, np.float64), compute_uv=False)


def monitor(
    machine: RBM,
    train: Float[Array, "n v"],
    held_out: Float[Array, "m v"] | None = None,
    *,
    key: PRNGKeyArray,
) -> dict[str, float]:
    """The numbers worth a curve: error of reconstruction, pseudo-likelihood, gap, largest mode of W.

    >>> machine = RBM.create(4, 3, scale=0.0, key=jax.random.key(0))
    >>> sorted(monitor(machine, jnp.ones((5, 4), jnp.float32), key=jax.random.key(1)))
    ['pseudo_likelihood', 'reconstruction_error', 'singular_value_1']
    """
    down, over = jax.random.split(key)
    numbers = {
        "reconstruction_error": float(reconstruction_error(machine, train, key=down)),
        "singular_value_1": float(singular_values(machine)[0]),
    }
    if machine.visible.states is not None:
        numbers["pseudo_likelihood"] = float(pseudo_likelihood(machine, train, key=over))
    if held_out is not None:
        numbers["free_energy_gap"] = float(free_energy_gap(machine, train, held_out))
    return numbers
