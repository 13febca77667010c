"""What each latent of a flow does: kernels ∂x/∂z by scale, their reach, and correlations of latents."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from deeprg.coarsegrain.flow import (
    AbstractFlow,
    Flow,
    base_flow,
    checked_latents,
    hierarchy_of,
    latent_scales,
)
from deeprg.lattice import Lattice
from deeprg.probes.patterns import participation_ratio, pattern_width
from deeprg.runs.errors import UsageError

__all__ = [
    "KernelSet",
    "LatentCorrelations",
    "LatentReach",
    "gradient_kernels",
    "latent_correlations",
    "latent_reach",
]

_AT_ONCE = 1 << 14  # sites times samples whose linearised flow is in memory together


class _Plain:
    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}


@dataclass(frozen=True)
class KernelSet(_Plain):
    """Kernels K(d) = ∂x(j + d)/∂z_j of one latent j per scale, moved so that d = 0 is at extent // 2.

    mean, rms: average and root mean square over latent configurations, [scales, *lattice], scale 0 first.
    sites: the site of each latent, [scales, ndim]. n: the number of configurations.
    """

    mean: np.ndarray
    rms: np.ndarray
    sites: np.ndarray
    n: int

    @property
    def error(self) -> np.ndarray:
        """The standard error of `mean`, √((rms² - mean²)/n), [scales, *lattice]."""
        return np.sqrt(np.maximum(self.rms**2 - self.mean**2, 0) / self.n)


@dataclass(frozen=True)
class LatentReach(_Plain):
    """How far each latent reaches and how much it moves: arrays [*lattice] over the latents' sites.

    With R(i) = √⟨(∂x_i/∂z_j)²⟩ the root mean square kernel of latent j:
    participation: (Σ R²)² / Σ R⁴, a number of sites. radius: root mean square distance on the torus of R²
    above its smallest value from its centre, NaN for a uniform R. weight: Σ R². scale: of the latent.
    """

    participation: np.ndarray
    radius: np.ndarray
    weight: np.ndarray
    scale: np.ndarray
    n: int

    def by_scale(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of one of the three over the latents of every scale, [scales] each.

        >>> weight, scale = np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([[0, 1], [1, 1]])
        >>> mean, spread = LatentReach(weight, weight, weight, scale, 1).by_scale("weight")
        >>> mean.tolist(), spread.round(3).tolist()
        ([4.0, 2.0], [0.0, 0.816])
        """
        values = getattr(self, name)
        groups = [values[self.scale == scale] for scale in range(self.scale.max() + 1)]
        return np.array([g.mean() for g in groups]), np.array([g.std() for g in groups])


@dataclass(frozen=True)
class LatentCorrelations(_Plain):
    """Correlation coefficients of all pairs of latents, scale by scale.

    matrix: [N, N], scale 0 first, within a scale in C order of the sites; `sites` [N] are their flat indices.
    edges: the latents of scale s are edges[s] … edges[s + 1] - 1, [scales + 1].
    largest: the largest |r| of different latents of two scales, [scales, scales]; NaN within a scale of one.
    null: 1/√n, the error of r for independent latents; the largest |r| of P pairs is about √(2 ln 2P) of it.
    """

    matrix: np.ndarray
    sites: np.ndarray
    edges: np.ndarray
    largest: np.ndarray
    null: float
    n: int


def gradient_kernels(
    flow: AbstractFlow, latents: ArrayLike, *, site_of_scale: Mapping[int, tuple[int, ...]] | None = None
) -> KernelSet:
    """K_j(d) = ∂x(j + d)/∂z_j of one latent of every scale, over configurations z [*lattice, n].

    By default the latent of each scale whose site is nearest to the centre of the lattice; `site_of_scale`
    names others for some or all scales. x is the physical field, also where the flow has a variable of its
    own. Where a coarse latent makes large parts switch sign, its kernel is large on few configurations, and
    the averages have heavy tails: take thousands and look at `error`. For a Gaussian prior the mean kernel is
    also ⟨x z_j⟩ (Stein's identity), without these tails. A flow averaged over a group goes by its base flow.
    Source: figure of arXiv:1802.02840 (its code is not published).

    Raises `UsageError` for a flow without a hierarchy, latents of another shape, a scale that the hierarchy
    does not have, and a site that belongs to another scale.

    >>> from deeprg.coarsegrain.flow import Chain, Circulant, Hierarchy
    >>> ring = Lattice((4,))
    >>> double = Circulant(ring, spectrum=np.array([3.0, 2.0, 1.0, 2.0]))
    >>> flow = Flow(ring, Chain(Hierarchy(ring, Chain(), (Chain(),), (0, 0)), double))
    >>> gradient_kernels(flow, np.zeros((4, 10))).mean[2].tolist()       # 2 + (shift + shift back)/2
    [0.0, 0.5, 2.0, 0.5]
    """
    lattice, z = _latents(flow, latents)
    scales = latent_scales(lattice)
    chosen = [_central_site(scales, scale) for scale in range(scales.max() + 1)]
    for scale, site in (site_of_scale or {}).items():
        if scale not in range(len(chosen)):
            raise UsageError(f"The hierarchy on {lattice} has scales 0 to {len(chosen) - 1}, not {scale}.")
        if tuple(site) not in map(tuple, np.argwhere(scales == scale).tolist()):
            raise UsageError(
                f"{tuple(site)} is no site of scale {scale} on {lattice}, as {chosen[scale]} is."
            )
        chosen[scale] = tuple(site)
    sites = np.array(chosen)
    flat = np.ravel_multi_index(tuple(sites.T), lattice.shape)
    mean, square = _moments(base_flow(flow), z, np.asarray(flat))
    back = (np.array(lattice.shape) // 2 - sites).tolist()
    mean, rms = (
        np.stack([lattice.translate(k, tuple(shift)) for k, shift in zip(kernels, back, strict=True)])
        for kernels in (mean, np.sqrt(square))
    )
    return KernelSet(mean, rms, sites, z.shape[-1])


def latent_reach(flow: AbstractFlow, latents: ArrayLike) -> LatentReach:
    """Participation, radius and weight of the root mean square kernel of every latent; see `LatentReach`.

    Averages over configurations z [*lattice, n], with the heavy tails that `gradient_kernels` tells of. Takes
    as many derivatives as there are sites. A flow averaged over a group goes by its base flow.

    Raises `UsageError` for a flow without a hierarchy, and latents of another shape.

    >>> from deeprg.coarsegrain.flow import Chain, Hierarchy
    >>> flow = Flow(Lattice((4,)), Hierarchy(Lattice((4,)), Chain(), (Chain(),), (0, 0)))
    >>> reach = latent_reach(flow, np.zeros((4, 10)))
    >>> reach.participation.tolist(), reach.radius.round(6).tolist(), reach.weight.tolist()
    ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0])
    """
    lattice, z = _latents(flow, latents)
    _, square = _moments(base_flow(flow), z, np.arange(lattice.size))
    return LatentReach(
        participation=(lattice.size * participation_ratio(np.sqrt(square))).reshape(lattice.shape),
        radius=pattern_width(square).reshape(lattice.shape),
        weight=square.reshape(lattice.size, -1).sum(axis=1).reshape(lattice.shape),
        scale=latent_scales(lattice),
        n=z.shape[-1],
    )


def latent_correlations(latents: ArrayLike) -> LatentCorrelations:
    """r_jk = ⟨(z_j - ⟨z_j⟩)(z_k - ⟨z_k⟩)⟩ / (s_j s_k) of latents z [*lattice, n], ordered by scale.

    The latents are those that `pull` finds for independent samples of the target: for a perfect flow they are
    independent. Linear correlations do not see every dependence.

    Raises `UsageError` for fewer than 10 samples, latents that do not vary or are not finite, and lattices
    without scales.

    >>> z = np.random.default_rng(0).normal(size=(4, 4, 2500))
    >>> z[0, 1] = 0.6 * z[0, 0] + 0.8 * z[0, 1]                          # scale 2 goes with scale 0
    >>> found = latent_correlations(z)
    >>> found.edges.tolist(), found.largest[0].round(1).tolist(), found.null
    ([0, 1, 4, 16], [nan, 0.0, 0.6], 0.02)
    """
    z = np.asarray(latents, np.float64)
    if not 2 <= z.ndim <= 4 or z.shape[-1] < 10:
        raise UsageError(
            f"The latents have shape {z.shape}; it must be [*lattice, n], 1 to 3 axes and 10 samples or more."
        )
    scales = latent_scales(Lattice(z.shape[:-1])).reshape(-1)
    order = np.argsort(scales, kind="stable")
    rows = z.reshape(len(scales), -1)[order]
    if not np.isfinite(rows).all() or rows.std(axis=1).min() <= 1e-12 * np.abs(rows).max():
        raise UsageError("A latent does not vary, or holds NaN or infinity, so it has no correlations.")
    edges = np.searchsorted(scales[order], np.arange(scales.max() + 2))
    matrix = np.asarray(np.corrcoef(rows))
    off = np.abs(matrix)
    np.fill_diagonal(off, np.nan)
    blocks = [slice(first, last) for first, last in itertools.pairwise(edges)]
    largest = np.array([[np.nanmax(off[a, b], initial=-1.0) for b in blocks] for a in blocks])
    largest[largest < 0] = np.nan
    n = z.shape[-1]
    return LatentCorrelations(matrix, order, edges, largest, 1 / float(np.sqrt(n)), n)


def _latents(flow: AbstractFlow, latents: ArrayLike) -> tuple[Lattice, Array]:
    """The lattice of a flow with a hierarchy and the latents, checked."""
    lattice = hierarchy_of(flow).lattice
    z = checked_latents(base_flow(flow), latents, "latents", 1)
    if z.shape[-1] == 0:
        raise UsageError("There are no latents to average over; give one configuration or more.")
    return lattice, z


def _central_site(scales: np.ndarray, scale: int) -> tuple[int, ...]:
    """The site of a scale nearest to the centre, the first in C order of several."""
    sites = np.argwhere(scales == scale)
    away = np.abs(sites - np.array(scales.shape) // 2)
    away = np.minimum(away, np.array(scales.shape) - away)
    return tuple(int(c) for c in sites[np.argmin((away**2).sum(axis=1))])


def _moments(flow: Flow, z: Array, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """⟨∂x/∂z_j⟩ and ⟨(∂x/∂z_j)²⟩ over the samples for latents j by flat index, [latents, *lattice] each."""
    batch = max(1, _AT_ONCE // flow.lattice.size)
    n = z.shape[-1]
    first, second = np.zeros((2, len(sites), *flow.lattice.shape))
    for start in range(0, n, batch):
        sums = _sums(flow, z[..., start : start + batch], jnp.asarray(sites))
        first += np.asarray(sums[0], np.float64)
        second += np.asarray(sums[1], np.float64)
    return first / n, second / n


@eqx.filter_jit
def _sums(flow: Flow, z: Array, sites: Array) -> tuple[Array, Array]:
    # Linearised once, for all latents; the samples of a batch do not mix, so one tangent serves them all.
    _, derivative = jax.linearize(lambda z: flow.bijector.forward(z)[0], z)

    def column(site: Array) -> tuple[Array, Array]:
        hot = (jnp.arange(flow.lattice.size) == site).astype(z.dtype).reshape(flow.lattice.shape)
        kernel = derivative(jnp.broadcast_to(hot[..., None], z.shape))
        return kernel.sum(axis=-1), (kernel**2).sum(axis=-1)

    return jax.lax.map(column, sites)
