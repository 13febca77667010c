"""First weights of networks: the numbers of `jax.random`, without a compilation for every shape."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float, PRNGKeyArray

__all__ = ["normals", "uniforms"]

_SMALLEST = 1024


def normals(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any = None) -> Float[Array, "..."]:
    """`jax.random.normal(key, shape, dtype)`, its compiled program shared by all shapes of like size.

    A network has many small arrays of different shapes, and JAX takes 0.4 s to compile each draw. Entry i of
    a draw depends on i alone, so that the first entries of a longer draw are those of a shorter one.

    >>> key = jax.random.key(0)
    >>> bool((normals(key, (3, 5)) == jax.random.normal(key, (3, 5))).all())
    True
    """
    return _cut(jax.random.normal, key, shape, dtype)


def uniforms(
    key: PRNGKeyArray, shape: tuple[int, ...], bound: float, dtype: Any = None
) -> Float[Array, "..."]:
    """Uniform numbers in [-bound, bound), made like `normals`.

    >>> float(abs(uniforms(jax.random.key(0), (100,), 0.5)).max()) <= 0.5
    True
    """
    return bound * (2 * _cut(jax.random.uniform, key, shape, dtype) - 1)


def _cut(draw: Callable[..., Array], key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
    count = math.prod(shape)
    size = max(_SMALLEST, 1 << max(count - 1, 0).bit_length())
    return _draw(draw, size, dtype, key)[:count].reshape(shape)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _draw(draw: Callable[..., Array], size: int, dtype: Any, key: PRNGKeyArray) -> Array:
    return draw(key, (size,), dtype)
