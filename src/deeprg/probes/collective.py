"""The collective variables of a flow on samples of its target: information, and couplings by scale."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.flow import (
    AbstractFlow,
    RenormalisedEnergy,
    coarse_flow,
    hierarchy_of,
    pull,
    sites_at,
)
from deeprg.hamiltonians import AbstractDual, AbstractHamiltonian
from deeprg.montecarlo.information import (
    InformationEstimate,
    PairwiseInformation,
    ksg_information,
    pairwise_information,
    total_correlation_removed,
)
from deeprg.montecarlo.samplers import build_sampler, choose_algorithm
from deeprg.probes.renormalised_couplings import CouplingFit, field_operators, fit_couplings
from deeprg.runs.errors import UsageError

__all__ = [
    "InformationMaps",
    "RenormalisedLevel",
    "cut_information",
    "information_maps",
    "renormalised_levels",
    "target_fields",
]

_CHAINS = 32
_CUT_TOLERANCE = 1e-6


def target_fields(hamiltonian: AbstractHamiltonian, n: int, *, seed: int = 0) -> np.ndarray:
    """About n independent fields of the target, [*lattice, n], by the algorithm that suits it.

    Of a continuous dual: spins by clusters, then the field given the spins (exact). Draws of a chain are five
    times as far apart as the algorithm advises.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> target_fields(build_hamiltonian("ising", Lattice((4, 4))), 100).shape
    (4, 4, 100)
    """
    if n < 1:
        raise UsageError(f"At least one field is needed, not {n}.")
    dual = hamiltonian if isinstance(hamiltonian, AbstractDual) else None
    model = hamiltonian if dual is None else dual.spins
    chains = min(_CHAINS, n)
    sampler = build_sampler(choose_algorithm([model])[0], [model], chains)
    state, info = sampler.thermalise(
        sampler.start(seed=seed, order="mixed"), sampler.suggested_thermalisation, seed=seed
    )
    thin = 5 * sampler.suggested_thin(info)
    drawn = sampler.run(state, -(-n // chains), thin, seed=seed, block=0).configurations[:, 0]
    flat = drawn.reshape(-1, *model.lattice.shape)[:n]
    if dual is not None:
        flat = dual.fields_given_spins(jnp.asarray(flat, float), key=jax.random.key(seed))
    return np.moveaxis(np.asarray(flat), 0, -1)


@dataclass(frozen=True)
class InformationMaps:
    """Mutual information of pairs, in nats: `physical` of sites of the field, `latent` of latents.

    `removed` is the total correlation TC(x) - TC(z) that the flow takes away, TC = Σ H(x_i) - H(x).
    """

    physical: PairwiseInformation
    latent: PairwiseInformation
    removed: InformationEstimate

    @property
    def largest(self) -> tuple[float, float]:
        """The largest entries of the two."""
        return float(np.nanmax(self.physical.value)), float(np.nanmax(self.latent.value))


def information_maps(flow: AbstractFlow, fields: np.ndarray, *, bins: int = 12) -> InformationMaps:
    """Mutual information between all pairs of sites of fields [*lattice, n] and of their latents.

    Fields are samples of the target (the figure of arXiv:1802.02840 that has no public code). Bins lose some
    information, so both are lower estimates; see `pairwise_information`. Raises `UsageError` for too few
    fields.

    >>> from deeprg.coarsegrain.flow import Chain, Circulant, Flow, Hierarchy
    >>> from deeprg.lattice import Lattice
    >>> ring = Lattice((4,))
    >>> mixing = Circulant(ring, spectrum=np.array([2.0, 1.0, 0.5, 1.0]))
    >>> flow = Flow(ring, Chain(Hierarchy(ring, Chain(), (Chain(),), (0, 0)), mixing))
    >>> z = np.random.default_rng(0).normal(size=(4, 8000)).astype(np.float32)
    >>> maps = information_maps(flow, np.asarray(mixing.forward(jnp.asarray(z))[0]))
    >>> maps.largest[0] > 0.05 > maps.largest[1], round(maps.removed.value, 1)
    (True, 0.9)
    """
    z, log_det = pull(flow, fields)
    x_rows = np.asarray(fields, np.float64).reshape(-1, fields.shape[-1]).T
    z_rows = np.asarray(z, np.float64).reshape(x_rows.shape[1], -1).T
    return InformationMaps(
        pairwise_information(x_rows, bins),
        pairwise_information(z_rows, bins),
        total_correlation_removed(x_rows, z_rows, np.asarray(log_det, np.float64)),
    )


def cut_information(flow: AbstractFlow, fields: np.ndarray, *, axis: int = 0) -> InformationEstimate:
    """I(a:b) of the coarse variables of the two halves of a torus, from fields [*lattice, n] of the target.

    a and b are the halves of the flow's variable on its 2 x 2 level. Where each is a function of its own half
    of the field alone, as in a tree, I(a:b) <= I(A:B) by data processing, with equality for fields of the
    tree itself: its details share nothing across the cut. By nearest neighbours, `ksg_information`.

    Raises `UsageError` when the halves of the coarse variable depend on both halves of the field
    (disentanglers across the cut), for another axis, and when no level has two sites along it.
    """
    ndim = flow.lattice.ndim
    if not 0 <= axis < ndim:
        raise UsageError(f"The axis of the cut is {axis}, but the lattice {flow.lattice} has {ndim}.")
    levels = hierarchy_of(flow).depth
    while levels >= 0 and coarse_flow(flow, levels).lattice.shape[axis] < 2:
        levels -= 1
    if levels < 0 or coarse_flow(flow, levels).lattice.shape[axis] != 2:
        raise UsageError(f"No level of the flow on {flow.lattice} has two sites along axis {axis}.")
    coarse = coarse_flow(flow, levels)

    def retained(x: jax.Array) -> jax.Array:
        z, _ = pull(flow, x)
        return coarse.push(sites_at(z, coarse.lattice.shape))[0]

    x = jnp.asarray(fields)
    slopes = jax.jacrev(retained)(x[..., 0])
    half = flow.lattice.shape[axis] // 2
    strange = jnp.abs(
        jnp.take(jnp.take(slopes, 0, axis=axis), np.arange(half, 2 * half), axis=ndim - 1 + axis)
    )
    if float(strange.max()) > _CUT_TOLERANCE * float(jnp.abs(slopes).max()):
        raise UsageError(
            "The coarse variables of one half depend on the other half of the field: layers of this flow "
            "reach across the cut, so its latents are no bottleneck. Take the layout 'ttn'."
        )
    y = np.asarray(retained(x), np.float64)
    a, b = (np.take(y, side, axis=axis).reshape(-1, y.shape[-1]).T for side in (0, 1))
    return ksg_information(a, b)


@dataclass(frozen=True)
class RenormalisedLevel:
    """The renormalised energy after undoing `levels` levels: its couplings, how well details are averaged.

    `shape` is the coarse lattice's; `detail_error` the mean error of an energy from sampling the details;
    `trusted` whether enough draws of the details counted. `model` has the couplings of the flow's own energy.
    """

    levels: int
    shape: tuple[int, ...]
    fit: CouplingFit
    model: CouplingFit
    detail_error: float
    trusted: bool


def renormalised_levels(
    flow: AbstractFlow,
    hamiltonian: AbstractHamiltonian,
    *,
    n: int = 1000,
    details: int = 64,
    bodies: int = 4,
    reach: float = 2.0,
    key: PRNGKeyArray,
) -> list[RenormalisedLevel]:
    """Effective couplings of the renormalised energy at every level with four sites or more, fine to coarse.

    n coarse fields are drawn from the flow at each level, their energies by `details` draws each. Fields are
    divided by their root mean square, so couplings at different levels compare: a flow of couplings. Level 0
    is the field itself, its energy exact.

    Raises `UsageError` as `fit_couplings` and `RenormalisedEnergy.marginal` do.
    """
    rows = []
    for levels in range(hierarchy_of(flow).depth + 1):
        energy = RenormalisedEnergy(flow, hamiltonian, levels=levels)
        if min(energy.coarse.lattice.shape) < 2:
            break
        draw_key, detail_key = jax.random.split(jax.random.fold_in(key, levels))
        keys = jax.random.split(draw_key, n)
        y, _ = energy.coarse.push(jax.vmap(lambda k, e=energy: e.coarse.latent(key=k), out_axes=-1)(keys))
        operators = field_operators(energy.coarse.lattice, bodies=bodies, reach=reach)
        found = energy.marginal(y, samples=16 if levels == 0 else details, key=detail_key)
        fields = np.asarray(y)
        rows.append(
            RenormalisedLevel(
                levels,
                energy.coarse.lattice.shape,
                fit_couplings(fields, found.value, operators),
                fit_couplings(fields, np.asarray(energy.model(y), np.float64), operators),
                float(found.error.mean()),
                found.trusted,
            )
        )
    return rows
