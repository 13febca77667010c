"""The renormalised energy of a flow's retained variables: exact by marginalising the detail latents."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...hamiltonians import AbstractHamiltonian
from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import Chain
from ._flow import AbstractFlow, Flow
from ._hierarchy import Hierarchy, level_shapes, sites_at
from ._latents import base_flow, hierarchy_of, links_of

__all__ = ["MarginalEnergy", "RenormalisedEnergy", "coarse_flow"]

_FEWEST = 16
_TOGETHER = 2048  # fine fields that are computed at once
_LEAST_SHARE = (
    0.1  # effective share of the detail draws below which an average of weights is not to be trusted
)


def coarse_flow(flow: AbstractFlow, levels: int) -> Flow:
    """The flow of the variable y that is left after undoing the finest `levels` levels; same weights.

    Its density q_k is the law of y under the whole flow: y depends on the latents of the coarser levels only.
    Raises `UsageError` for a flow without a hierarchy and for levels that it does not have.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> target = build_hamiltonian("ising", Lattice((8, 8)))
    >>> flow = build_flow(target, width=2, depth=1, key=jax.random.key(0))
    >>> str(coarse_flow(flow, 1).lattice)
    '4x4'
    """
    base, whole = base_flow(flow), hierarchy_of(flow)
    if not 0 <= levels <= whole.depth:
        raise UsageError(f"The hierarchy on {whole.lattice} has {whole.depth} levels, so {levels} cannot go.")
    lattice = Lattice(level_shapes(whole.lattice)[whole.depth - levels])
    kept = Hierarchy(lattice, whole.base, whole.levels, whole.level_of[: whole.depth - levels])
    return Flow(lattice, kept, prior=base.prior, dtype=base.dtype)


class MarginalEnergy(NamedTuple):
    """Renormalised energies [m] by sampling the details, their standard errors, and the share of draws that
    counts, (Σw)²/(n Σw²), for each."""

    value: np.ndarray
    error: np.ndarray
    share: np.ndarray

    @property
    def trusted(self) -> bool:
        """Whether at least a tenth of the draws counts for every y."""
        return bool(self.share.min() >= _LEAST_SHARE)


class RenormalisedEnergy(eqx.Module):
    r"""The energy function of the variable y that a flow retains after its finest `levels` levels.

    With x = T(z_fine, y), w = exp(-H)/q:

    - `model`: E_q(y) = -ln q_k(y), that of the flow;
    - `given`: E(y | z_fine) = -ln q_k(y) - ln w(x), exact for given details;
    - `marginal`: E(y) = -ln q_k(y) - ln E_{z_fine}[w(x)], the target's own. It keeps the partition function,
      ∫ dy exp(-E(y)) = Z, whatever the flow. By Jensen E(y) <= E_{z_fine} E(y | z_fine), and for a perfect
      flow all three agree up to -ln Z.

    Fields y are [*coarse, *batch], in the flow's own variable (whitened, say). For an average over a group
    y is the variable of g^-1 x, the element g drawn given x with probability ∝ q_0(g^-1 x).

    Raises `UsageError` as `coarse_flow` does.

    >>> import jax, jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import GaussianField
    >>> target = GaussianField(Lattice((2, 2)), mass_squared=1.0)
    >>> flow = build_flow(target, width=2, depth=1, key=jax.random.key(0))
    >>> energy = RenormalisedEnergy(flow, target, levels=1)
    >>> y = jnp.zeros((1, 1, 3))
    >>> energy.model(y).shape, energy.marginal(y, samples=100, key=jax.random.key(1)).value.shape
    ((3,), (3,))
    """

    flow: AbstractFlow
    hamiltonian: AbstractHamiltonian
    levels: int = eqx.field(static=True)
    coarse: Flow

    def __init__(self, flow: AbstractFlow, hamiltonian: AbstractHamiltonian, *, levels: int):
        if flow.lattice != hamiltonian.lattice:
            raise UsageError(f"The flow is on {flow.lattice}, but the Hamiltonian on {hamiltonian.lattice}.")
        self.flow, self.hamiltonian, self.levels = flow, hamiltonian, levels
        self.coarse = coarse_flow(flow, levels)

    @eqx.filter_jit
    def model(self, y: Float[Array, "..."]) -> Float[Array, "..."]:
        """-ln q_k(y)."""
        return -self.coarse.log_prob(jnp.asarray(y, self.coarse.dtype))

    @eqx.filter_jit
    def refined(self, y: Float[Array, "..."], z: Float[Array, "..."]) -> tuple[Array, Array]:
        """The field x of y and detail latents z [*lattice, *batch], and ln w(x).

        The values of z at the sites of y are not used.
        """
        y, z = jnp.asarray(y, self.coarse.dtype), jnp.asarray(z, self.coarse.dtype)
        x, log_det = hierarchy_of(self.flow).refine(y, z)
        x, step = Chain(*links_of(self.flow)[1:]).forward(x)
        energy = jax.vmap(self.hamiltonian.energy, in_axes=-1)(x.reshape(*self.flow.lattice.shape, -1))
        if isinstance(self.flow, Flow):
            log_q = self.coarse.log_prob(y) + self._log_prior_of_details(z) - log_det - step
        else:
            log_q = self.flow.log_prob(x)
        return x, -energy.reshape(log_q.shape) - log_q

    def given(self, y: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
        """-ln q_k(y) - ln w(T(z, y)) for detail latents z [*lattice, *batch]."""
        return self.model(y) - self.refined(y, z)[1]

    def marginal(self, y: Float[Array, "*coarse m"], *, samples: int, key: PRNGKeyArray) -> MarginalEnergy:
        """-ln q_k(y) - ln of the mean of w over `samples` draws of the details, for each of m fields.

        The logarithm of a mean of n draws is too low by Var(w)/(2 n E[w]²), which is put back. Raises
        `UsageError` for fewer than 16 samples.
        """
        if samples < _FEWEST:
            raise UsageError(f"{samples} draws of the details give no error; take {_FEWEST} or more.")
        count = y.shape[-1]
        rows = max(_TOGETHER // samples, 1)
        log_weights = []
        for first in range(0, count, rows):
            numbers = jnp.minimum(jnp.arange(first, first + rows), count - 1)
            log_weights.append(np.asarray(self._weights(y[..., numbers], samples, key, numbers), np.float64))
        table = np.concatenate(log_weights)[:count]
        top = table.max(axis=1, keepdims=True)
        weights = np.exp(table - top)
        mean = weights.mean(axis=1)
        relative = weights.var(axis=1, ddof=1) / (samples * mean**2)
        log_mean = top[:, 0] + np.log(mean) + 0.5 * relative
        share = weights.sum(axis=1) ** 2 / (samples * (weights**2).sum(axis=1))
        return MarginalEnergy(np.asarray(self.model(y), np.float64) - log_mean, np.sqrt(relative), share)

    @eqx.filter_jit
    def _weights(self, y: Array, samples: int, key: PRNGKeyArray, numbers: Array) -> Float[Array, "m n"]:
        keys = jax.vmap(lambda i: jax.random.split(jax.random.fold_in(key, i), samples))(numbers)
        base = base_flow(self.flow)
        z = jax.vmap(lambda k: base.latent(key=k), out_axes=-1)(keys.reshape(-1))
        many = jnp.repeat(y, samples, axis=-1)
        return self.refined(many, z)[1].reshape(len(numbers), samples)

    def _log_prior_of_details(self, z: Array) -> Array:
        """ln p of the latents that are not at sites of y."""
        everywhere = np.zeros(self.flow.lattice.shape, bool)
        sites_at(everywhere, coarse_flow(self.flow, self.levels).lattice.shape)[...] = True
        mask = everywhere.reshape(*everywhere.shape, *(1 for _ in z.shape[everywhere.ndim :]))
        density = jnp.where(mask, 0.0, base_flow(self.flow).prior.log_density(z))
        return jnp.sum(density, axis=tuple(range(everywhere.ndim)))
