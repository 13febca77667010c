"""Circulant matrices with a traced spectrum, by products with small Fourier matrices instead of FFTs.

One product per axis costs L operations per site, little beside a network, and it batches: XLA for CPUs gives
batched FFTs of several devices a layout that they then refuse.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["apply", "quadratic_form"]


def apply(x: Float[Array, "..."], spectrum: Float[Array, "*lattice"]) -> Float[Array, "..."]:
    """M x for a real field [*lattice, *batch], M given by its eigenvalues, which are even under k -> -k."""
    factor = spectrum.astype(x.dtype).reshape(*spectrum.shape, *(1,) * (x.ndim - spectrum.ndim))
    real, imaginary = _transform(x, jnp.zeros_like(x), spectrum.ndim, 1.0)
    return _transform(factor * real, factor * imaginary, spectrum.ndim, -1.0)[0] / spectrum.size


def quadratic_form(x: Float[Array, "*lattice"], spectrum: Float[Array, "*lattice"]) -> Float[Array, ""]:
    """x^T M x = Σ_k M(k) |x_k|²/N.

    >>> round(float(quadratic_form(jnp.array([1.0, 0.0, 2.0, 0.0]), jnp.array([3.0, 1.0, 2.0, 1.0]))), 5)
    11.75
    """
    real, imaginary = _transform(x, jnp.zeros_like(x), x.ndim, 1.0)
    return jnp.sum(spectrum.astype(x.dtype) * (real**2 + imaginary**2)) / x.size


def _transform(real: Array, imaginary: Array, ndim: int, sign: float) -> tuple[Array, Array]:
    """Σ_j exp(-sign 2πi jk/L) along each of the first axes, as real and imaginary parts."""
    for axis in range(ndim):
        extent = real.shape[axis]
        turns = np.outer(np.arange(extent), np.arange(extent)) % extent
        angles = 2 * np.pi * turns / extent
        cosine, sine = jnp.asarray(np.cos(angles), real.dtype), jnp.asarray(sign * np.sin(angles), real.dtype)

        def along(matrix: Array, x: Array, axis: int = axis) -> Array:
            return jnp.moveaxis(jnp.tensordot(matrix, x, axes=(1, axis)), 0, axis)

        real, imaginary = (
            along(cosine, real) + along(sine, imaginary),
            along(cosine, imaginary) - along(sine, real),
        )
    return real, imaginary
