"""Wandering among the latents of a flow: paths, scales of two configurations, directions between classes."""

from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ...runs.errors import UsageError, nearest
from ._flow import AbstractFlow, Flow
from ._latents import base_flow, checked_latents, hierarchy_of, latent_scales, pull

__all__ = ["LatentDirection", "latent_direction", "moved", "scale_mix", "wander"]

_FEWEST = 10
_PATHS = ("spherical", "straight")


def wander(
    flow: AbstractFlow,
    z0: ArrayLike,
    z1: ArrayLike,
    steps: int,
    path: Literal["spherical", "straight"] | str = "spherical",
) -> Float[Array, "..."]:
    """The fields x(t) = T(z(t)) on a path from the latents z0 to z1 [*lattice], shape [*lattice, steps].

    t = 0 … 1 in equal steps, both ends among them. With ω the angle between z0 and z1,

        straight:   z(t) = (1 - t) z0 + t z1
        spherical:  z(t) = [sin((1 - t) ω) z0 + sin(t ω) z1] / sin ω.

    A Gaussian prior puts |z| within about √2/2 of √N. Halfway between two independent draws the straight path
    has |z| = √(N/2), where the prior has no samples; the spherical one keeps the norm
    (arXiv:1609.04468, "slerp"). For ω = 0, or an end at the origin, it is the straight path.
    A flow averaged over a group goes by its base flow.

    Raises `UsageError` for latents of another shape, fewer than 2 steps, an unknown path, and ends that are
    opposite to each other: the spherical path then has no direction.

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.lattice import Lattice
    >>> z0, z1 = jnp.array([[3.0, 0.0], [0.0, 0.0]]), jnp.array([[0.0, 3.0], [0.0, 0.0]])
    >>> x = wander(Flow(Lattice((2, 2)), Chain()), z0, z1, 3)
    >>> [round(float(value), 3) for value in x[0, :, 1]]
    [2.121, 2.121]
    """
    base = base_flow(flow)
    start, end = (checked_latents(base, z, f"latents {name}", 0) for name, z in (("z0", z0), ("z1", z1)))
    if steps < 2:
        raise UsageError(f"A path has 2 steps or more, its ends, not {steps}.")
    if path not in _PATHS:
        raise UsageError(f"There is no path '{path}'.{nearest(path, _PATHS)} Known: {', '.join(_PATHS)}.")
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    t = np.linspace(0, 1, steps)
    first, second = (1 - t, t) if path == "straight" else _spherical(a, b, t)
    return _forward(base, jnp.asarray(a[..., None] * first + b[..., None] * second, start.dtype))


def _spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of both ends along the spherical path."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if 0 in lengths:
        return 1 - t, t
    u, v = a / lengths[0], b / lengths[1]
    # arccos(u·v) would lose half of the digits of a small angle.
    angle = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if angle < 1e-8:
        return 1 - t, t
    if np.pi - angle < 1e-6:
        raise UsageError(
            "The ends are opposite to each other, z1 = -c z0, so no spherical path is the shortest. Take "
            "'straight', or go by a third configuration."
        )
    return np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle)


def scale_mix(
    flow: AbstractFlow, coarse_of: ArrayLike, details_of: ArrayLike, scale: int
) -> Float[Array, "..."]:
    """The field with the latents of scales 0 … `scale` of one field and the finer ones of another.

    x = T(z), z_j = T^-1(coarse_of)_j for latents j of scale <= `scale`, T^-1(details_of)_j for the others:
    the coarse variable at level `scale` is that of `coarse_of`, and what decorates it is from `details_of`.
    Fields and result are [*lattice, *batch]. A flow averaged over a group goes by its base flow.

    Raises `UsageError` for a flow without a hierarchy, fields of another or of two shapes, and a scale
    outside 0 … depth - 1 (at the finest, depth, nothing is left to take from `details_of`).

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain, Flow, Hierarchy
    >>> from deeprg.lattice import Lattice
    >>> identity = Hierarchy(Lattice((4, 4)), Chain(), (Chain(),), (0, 0))
    >>> mixed = scale_mix(Flow(Lattice((4, 4)), identity), jnp.ones((4, 4)), jnp.zeros((4, 4)), 1)
    >>> int(mixed.sum())
    4
    """
    hierarchy = hierarchy_of(flow)
    base = base_flow(flow)
    coarse = checked_latents(base, coarse_of, "fields coarse_of")
    details = checked_latents(base, details_of, "fields details_of")
    if coarse.shape != details.shape:
        raise UsageError(f"The fields have two shapes, {coarse.shape} and {details.shape}; give equal ones.")
    if not 0 <= scale < hierarchy.depth:
        raise UsageError(
            f"The hierarchy on {base.lattice} has scales 0 to {hierarchy.depth}; the latents up to 0 … "
            f"{hierarchy.depth - 1} can come from one field and the rest from another, not up to {scale}."
        )
    keep = latent_scales(base.lattice) <= scale
    keep = keep.reshape(*keep.shape, *(1,) * (coarse.ndim - keep.ndim))
    return _forward(base, jnp.where(keep, pull(base, coarse)[0], pull(base, details)[0]))


class LatentDirection(NamedTuple):
    """The difference of two classes' mean latents and its standard error, [*lattice] each."""

    value: np.ndarray
    error: np.ndarray


def latent_direction(flow: AbstractFlow, fields_a: ArrayLike, fields_b: ArrayLike) -> LatentDirection:
    """⟨z⟩_a - ⟨z⟩_b, the means over two classes of fields [*lattice, n], such as m > 0 and m < 0.

    The standard error of every latent is √(s_a²/n_a + s_b²/n_b), s² the variances within the classes; the
    fields of a class are taken as independent. A flow averaged over a group goes by its base flow. Source:
    the attribute vectors of arXiv:1609.04468.

    Raises `UsageError` for fields of another lattice, and fewer than 10 in a class.

    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.lattice import Lattice
    >>> noise = np.random.default_rng(0).normal(size=(2, 2, 2, 400))
    >>> found = latent_direction(Flow(Lattice((2, 2)), Chain()), noise[0] + 1, noise[1] - 1)
    >>> round(float(found.value.mean()), 1), round(float(found.error.mean()), 2)
    (2.0, 0.07)
    """
    base = base_flow(flow)
    means, variances = [], []
    for name, fields in (("fields_a", fields_a), ("fields_b", fields_b)):
        x = checked_latents(base, fields, f"fields {name}", 1)
        if x.shape[-1] < _FEWEST:
            raise UsageError(
                f"{name} holds {x.shape[-1]} fields; a mean with an error needs {_FEWEST} or more of a class."
            )
        z = np.asarray(pull(base, x)[0], np.float64)
        means.append(z.mean(axis=-1))
        variances.append(z.var(axis=-1, ddof=1) / z.shape[-1])
    return LatentDirection(means[0] - means[1], np.sqrt(variances[0] + variances[1]))


def moved(flow: AbstractFlow, x: ArrayLike, direction: ArrayLike, amount: float) -> Float[Array, "..."]:
    """T(T^-1(x) + amount · direction): fields [*lattice, *batch], moved along a direction of the latents.

    `direction` is [*lattice], for instance the `value` of a `latent_direction`. A flow averaged over a group
    goes by its base flow. Raises `UsageError` for fields or a direction of another lattice.

    >>> import jax.numpy as jnp
    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.lattice import Lattice
    >>> float(moved(Flow(Lattice((2, 2)), Chain()), jnp.ones((2, 2)), np.full((2, 2), 3.0), 0.5)[0, 0])
    2.5
    """
    base = base_flow(flow)
    step = checked_latents(base, direction, "components of the direction", 0)
    z, _ = pull(base, x)
    step = (amount * step).astype(z.dtype)
    return _forward(base, z + step.reshape(*step.shape, *(1,) * (z.ndim - step.ndim)))


@eqx.filter_jit
def _forward(flow: Flow, z: Array) -> Array:
    return flow.bijector.forward(z)[0]
