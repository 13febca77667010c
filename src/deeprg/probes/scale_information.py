"""What the details of a scale know of the coarse variable, before a level of a flow is undone and after."""

import itertools
from dataclasses import dataclass

import numpy as np

from deeprg.coarsegrain.flow import AbstractFlow, coarse_flow, hierarchy_of, pull, sites_at
from deeprg.montecarlo.information import InformationEstimate, ksg_information

__all__ = ["ScaleInformation", "scale_information"]


@dataclass(frozen=True)
class ScaleInformation:
    """Mutual information in nats between the coarse variable around one block and the block's other sites.

    shape: of the finer level.
    field: I(coarse : values of the other sites), in the flow's own variable.
    latent: I(coarse : latents of the other sites), which an exact flow makes 0.
    """

    shape: tuple[int, ...]
    field: InformationEstimate
    latent: InformationEstimate


def scale_information(flow: AbstractFlow, fields: np.ndarray) -> list[ScaleInformation]:
    """I(coarse : details) at every level, fine to coarse, from fields [*lattice, n] of the target.

    The block at the origin has 2^d sites: one is kept (y), the others are details. Their values x, or the
    latents z that the level turns them into, are held against y at the corners of the block, by nearest
    neighbours (`ksg_information`): decoupling, I(y : z) = 0 for every block, is what makes a step of a flow
    one of the renormalization group. Being about one block it is a lower bound of I(all y : all z).

    Raises `UsageError` for flows without a hierarchy and for too few fields.

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain, Flow, Hierarchy
    >>> from deeprg.lattice import Lattice
    >>> ring = Lattice((4,))
    >>> identity = Flow(ring, Hierarchy(ring, Chain(), (Chain(),), (0, 0)))
    >>> noise = np.random.default_rng(0).normal(size=(4, 2000)).astype(np.float32)
    >>> [row.shape for row in scale_information(identity, noise)]
    [(4,), (2,)]
    """
    z, _ = pull(flow, fields)
    found = []
    for levels in range(1, hierarchy_of(flow).depth + 1):
        fine, coarse = (coarse_flow(flow, n) for n in (levels - 1, levels))
        latents = sites_at(z, fine.lattice.shape)
        x, y = (np.asarray(one.push(sites_at(z, one.lattice.shape))[0]) for one in (fine, coarse))
        cell = [f // c for f, c in zip(fine.lattice.shape, coarse.lattice.shape, strict=True)]
        sites = list(itertools.product(*map(range, cell)))[1:]
        corners = {
            tuple(step % extent for step, extent in zip(steps, coarse.lattice.shape, strict=True))
            for steps in itertools.product(*map(range, cell))
        }
        kept = np.stack([y[corner] for corner in sorted(corners)], axis=1)
        rows = [np.stack([np.asarray(v)[site] for site in sites], axis=1) for v in (x, latents)]
        found.append(ScaleInformation(fine.lattice.shape, *(ksg_information(row, kept) for row in rows)))
    return found
