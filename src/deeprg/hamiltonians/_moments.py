"""What is measured on one configuration of any model: the order parameter and the smallest momenta."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from . import circulant


def as_float(x: Array) -> Array:
    """An array in the default float type unless it already has a float type."""
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))


def structure_factor_min(*components: Real[Array, "*lattice"]) -> Float[Array, ""]:
    """S(k) = |sum_j v_j exp(i k j)|^2 / N of a vector field at k = 2 pi / L, averaged over the longest axes.

    Extents of 1 have no such momentum and are left out; on a single site S(0) is returned.
    """
    shape = components[0].shape
    longest = max(shape)
    axes = [axis for axis, extent in enumerate(shape) if extent == longest > 1]
    values = [as_float(v) for v in components]
    if not axes:
        return sum((jnp.sum(v**2) for v in values), jnp.zeros((), values[0].dtype))
    total = jnp.zeros((), values[0].dtype)
    for v in values:
        for axis in axes:
            profile = jnp.sum(v, axis=tuple(a for a in range(len(shape)) if a != axis))
            angles = 2 * np.pi * np.arange(shape[axis]) / shape[axis]
            for wave in (np.cos(angles), np.sin(angles)):
                total = total + jnp.sum(profile * jnp.asarray(wave, v.dtype)) ** 2
    return total / (len(axes) * math.prod(shape))


def scalar_moments(x: Real[Array, "*lattice"]) -> dict[str, Float[Array, ""]]:
    """`magnetization`, its modulus and square, and `structure_factor_min` of one number per site."""
    values = as_float(x)
    mean = jnp.mean(values)
    return {
        "magnetization": mean,
        "abs_magnetization": jnp.abs(mean),
        "magnetization_squared": mean**2,
        "structure_factor_min": structure_factor_min(values),
    }


def vector_moments(components: Sequence[Float[Array, "*lattice"]]) -> dict[str, Float[Array, ""]]:
    """The modulus of the mean vector, its square, and `structure_factor_min`; v_j has unit length."""
    squared = sum((jnp.mean(v) ** 2 for v in components), jnp.zeros((), components[0].dtype))
    return {
        "abs_magnetization": jnp.sqrt(squared),
        "magnetization_squared": squared,
        "structure_factor_min": structure_factor_min(*components),
    }


def correlation(*components: Real[Array, "*lattice"]) -> Float[Array, "*lattice"]:
    """G(r), the lattice average of v_i . v_{i+r}, by Fourier transform."""
    parts = [circulant.autocorrelation(as_float(v)) for v in components]
    return sum(parts[1:], parts[0])


def with_correlation(
    scalars: dict[str, Float[Array, ""]], correlator: Float[Array, "*lattice"]
) -> dict[str, Float[Array, "..."]]:
    """The observables: the scalars without `structure_factor_min`, and the correlator."""
    kept = {name: value for name, value in scalars.items() if name != "structure_factor_min"}
    return {**kept, "correlation": correlator}
