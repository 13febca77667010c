"""Translation-invariant symmetric matrices, given by their eigenvalues in the order of `numpy.fft.fftn`."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def half(spectrum: np.ndarray) -> np.ndarray:
    """The part of a spectrum that `rfftn` keeps."""
    return spectrum[..., : spectrum.shape[-1] // 2 + 1]


def quadratic_form(x: Float[Array, "*lattice"], spectrum: np.ndarray) -> Float[Array, ""]:
    """x^T M x by Parseval: one `rfftn`, and one more in the gradient."""
    extent = x.shape[-1]
    twice = np.full(extent // 2 + 1, 2.0)
    twice[0] = 1.0
    if extent % 2 == 0:
        twice[-1] = 1.0
    weights = jnp.asarray(half(spectrum) * twice / x.size, x.dtype)
    modes = jnp.fft.rfftn(x)
    return jnp.sum(weights * (modes.real**2 + modes.imag**2))


def apply(x: Float[Array, "*lattice"], spectrum: np.ndarray) -> Float[Array, "*lattice"]:
    """M x by two Fourier transforms."""
    modes = jnp.fft.rfftn(x)
    modes = modes * jnp.asarray(half(spectrum), modes.dtype)
    return jnp.fft.irfftn(modes, s=x.shape)


def autocorrelation(x: Float[Array, "*lattice"]) -> Float[Array, "*lattice"]:
    """The lattice average of x_i x_{i+r} for every displacement r."""
    modes = jnp.fft.rfftn(x)
    return jnp.fft.irfftn((modes.real**2 + modes.imag**2).astype(modes.dtype), s=x.shape) / x.size
