"""What a classical MERA is trained on: the variational free energy, its gradient by the score function."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...hamiltonians import AbstractHamiltonian
from ..flow import batch_ess
from ._heat_bath import summed_energy
from ._mera import ClassicalMERA

__all__ = ["DiscreteReverseKL", "cost"]


def cost(
    model: ClassicalMERA, hamiltonian: AbstractHamiltonian, u: Float[Array, "latent n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """ln q + H of draws, minus their log weight, and ln q, the spins of the heat bath summed exactly.

    A weight π/q does not depend on spins that are drawn from π(. | others): what is left is that of the even
    sublattice, with `summed_energy`.
    """
    x, log_q = model.push_without_bath(u)
    x = x.reshape(*model.lattice.shape, -1)
    energies = summed_energy(hamiltonian, x) if model.heat_bath else jax.vmap(hamiltonian.energy, -1)(x)
    return jax.lax.stop_gradient(log_q) + jax.lax.stop_gradient(energies), log_q


class DiscreteReverseKL(eqx.Module):
    """F = E_{x ~ q}[ln q(x) + H(x)] >= -ln Z of a model of spins; the batch is PRNG keys [n].

    Spins have no derivative, so the gradient is E[(c - <c>) ∂ ln q], c = ln q + H, <c> the mean of the other
    draws of the batch (R. J. Williams, Mach. Learn. 8, 229 (1992); D. Wu, L. Wang, P. Zhang, Phys. Rev. Lett.
    122, 080602 (2019), arXiv:1809.10606, eq. (4)): unbiased, with a variance that vanishes as q approaches
    the target. The loss is F; metrics: `free_energy`, `std_log_weight`, `ess` of the batch, `negentropy`.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> target = Ising(Lattice((4, 4)), 2.5)
    >>> model = ClassicalMERA(target, key=jax.random.key(0))
    >>> loss, _ = DiscreteReverseKL(target)(model, jax.random.split(jax.random.key(1), 256))
    >>> bool(loss > -14.9)                                                  # F = -14.7847 exactly
    True
    """

    hamiltonian: AbstractHamiltonian

    def __call__(
        self, model: ClassicalMERA, keys: Key[Array, " n"]
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The loss, whose derivative is that estimator, and the metrics."""
        count, n = model.n_latent, len(keys)
        u = jax.vmap(lambda key: jax.random.uniform(key, (count,), jnp.float32), out_axes=-1)(keys)
        costs, log_q = cost(model, self.hamiltonian, u)
        mean = jnp.mean(costs)
        score = jnp.mean((costs - mean) * log_q) * (n / max(n - 1, 1))
        metrics = {
            "free_energy": mean,
            "std_log_weight": jnp.std(costs),
            "ess": batch_ess(-costs),
            "negentropy": jnp.mean(jax.lax.stop_gradient(log_q)),
        }
        return mean + score - jax.lax.stop_gradient(score), metrics
