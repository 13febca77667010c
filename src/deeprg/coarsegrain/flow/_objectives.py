"""What a flow is trained on: an energy (reverse Kullback-Leibler) or samples (negative log likelihood)."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError
from ._flow import AbstractFlow

__all__ = ["NegativeLogLikelihood", "ReverseKL"]

Metrics = dict[str, Float[Array, ""]]


class ReverseKL(eqx.Module):
    """Probability density distillation: the variational free energy F = E_{x ~ q}[ln q(x) + H(x)] >= -ln Z.

    F + ln Z is the Kullback-Leibler divergence KL(q || exp(-H)/Z) (Li & Wang, arXiv:1802.02840, eq. (4)). Two
    unbiased estimators of the same gradient:

    - "standard": differentiate ln q(x(z)) + H(x(z)) as it stands;
    - "path": drop the term E[∂_θ ln q_θ(x)|_x] = 0, i.e. take E[(∂ ln q/∂x + ∂H/∂x) ∂x/∂θ]. Its variance
      vanishes as q approaches the target (Roeder et al., arXiv:1703.09194; Vaitl et al., arXiv:2207.08219).
      The score ∂ ln q/∂x is carried along with the sample (`push_score`), so no inverse is needed.

    The batch is an array of PRNG keys [n]. Metrics: `free_energy` (= loss), `std_log_weight`, `ess` of the
    batch (fraction), `energy` = E[H] and `negentropy` = E[ln q]. Raises `UsageError` for another estimator.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.hamiltonians import GaussianField
    >>> from deeprg.lattice import Lattice
    >>> target = GaussianField(Lattice((2, 2)), mass_squared=1.0)
    >>> keys = jax.random.split(jax.random.key(0), 8)
    >>> loss, metrics = ReverseKL(target)(Flow(target.lattice, Chain()), keys)
    >>> bool(loss >= -target.log_partition)
    True
    """

    hamiltonian: AbstractHamiltonian
    estimator: Literal["path", "standard"] = eqx.field(static=True)

    def __init__(self, hamiltonian: AbstractHamiltonian, estimator: str = "path"):
        if estimator not in ("path", "standard"):
            raise UsageError(f"The gradient estimator is 'path' or 'standard', not '{estimator}'.")
        self.hamiltonian, self.estimator = hamiltonian, estimator

    def __call__(self, flow: AbstractFlow, keys: Key[Array, " n"]) -> tuple[Float[Array, ""], Metrics]:
        """The loss, whose derivative is the chosen estimator, and the metrics."""
        loss, log_q, energy = free_energy_terms(flow, keys, self.hamiltonian.energy, self.estimator)
        log_q, energy = jax.lax.stop_gradient((log_q, energy))
        log_weight = -energy - log_q
        metrics = {
            "free_energy": -jnp.mean(log_weight),
            "std_log_weight": jnp.std(log_weight),
            "ess": batch_ess(log_weight),
            "energy": jnp.mean(energy),
            "negentropy": jnp.mean(log_q),
        }
        return jnp.mean(loss), metrics


def batch_ess(log_weight: Float[Array, " n"]) -> Float[Array, ""]:
    """The effective sample size of a batch as a fraction, (Σw)²/(n Σw²)."""
    scaled = jnp.exp(log_weight - jnp.max(log_weight))
    return jnp.sum(scaled) ** 2 / jnp.sum(scaled**2) / log_weight.shape[0]


def free_energy_terms(
    flow: AbstractFlow,
    keys: Key[Array, " n"],
    energy: Callable[[Array], Array],
    estimator: Literal["path", "standard"],
) -> tuple[Float[Array, " n"], Float[Array, " n"], Float[Array, " n"]]:
    """ln q + H of a draw per key, with the derivative of the estimator, and ln q and H."""
    latents = jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys)
    terms = _path if estimator == "path" else _standard
    return terms(flow, latents, jax.vmap(energy, in_axes=-1))


def _standard(
    flow: AbstractFlow, latent: PyTree[Array], energies: Callable[[Array], Array]
) -> tuple[Array, Array, Array]:
    x, log_q = flow.push(latent)
    energy = energies(x)
    return log_q + energy, log_q, energy


def _path(
    flow: AbstractFlow, latent: PyTree[Array], energies: Callable[[Array], Array]
) -> tuple[Array, Array, Array]:
    x, log_q, score = flow.push_score(latent)
    energy, pull = jax.vjp(energies, jax.lax.stop_gradient(x))
    (force,) = pull(jnp.ones_like(energy))
    log_q, direction = jax.lax.stop_gradient((log_q, score + force))
    # The value is that of the free energy, the derivative that of direction · x.
    surrogate = jnp.sum(direction * x, axis=tuple(range(flow.lattice.ndim)))
    return log_q + energy + (surrogate - jax.lax.stop_gradient(surrogate)), log_q, energy


class NegativeLogLikelihood(eqx.Module):
    """Density estimation from samples: -E_data[ln q(x)], the forward KL divergence up to a constant.

    The batch is fields [n, *lattice]. Data must be true draws of the field: for the continuous dual draw
    x | s first (`ContinuousDual.sample_given_spins`).

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.lattice import Lattice
    >>> loss, _ = NegativeLogLikelihood()(Flow(Lattice((2,)), Chain()), jnp.zeros((3, 2)))
    >>> round(float(loss), 6)
    1.837877
    """

    def __call__(self, flow: AbstractFlow, fields: Float[Array, "n ..."]) -> tuple[Float[Array, ""], Metrics]:
        """The mean of -ln q over the batch."""
        log_q = flow.log_prob(jnp.moveaxis(fields, 0, -1))
        return -jnp.mean(log_q), {"log_likelihood": jnp.mean(jax.lax.stop_gradient(log_q))}
