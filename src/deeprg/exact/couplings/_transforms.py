"""Functions of n two-valued variables and their coefficients: the Walsh-Hadamard and Moebius transforms."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._checks import real_numbers

__all__ = [
    "configurations",
    "inverse_mobius",
    "inverse_walsh_hadamard",
    "mobius",
    "walsh_hadamard",
]

DEFAULT_LIMIT, HIGHEST_LIMIT = 20, 26
_FEWEST_FOR_KERNEL = 1 << 11  # below, NumPy is as fast and needs no compiler


def configurations(n: int, spins: str = "pm", *, limit: int = DEFAULT_LIMIT) -> np.ndarray:
    """All 2^n configurations in the order of every transform here, int8 [2^n, n].

    Bit i of the row number m belongs to variable i. spins = "pm": x_i = 1 - 2 bit, row 0 is all +1;
    spins = "binary": x_i = bit, row 0 is all 0. (With s = 2 x - 1 the same physical state has the
    complementary number: reverse an array over states to go from one order to the other. The states of
    `deeprg.exact.enumerate_distribution` of an Ising model are reversed in this sense.)

    Raises `UsageError` above `limit` variables and for another name of the spins.

    >>> configurations(2).tolist()
    [[1, 1], [-1, 1], [1, -1], [-1, -1]]
    >>> configurations(2, "binary").tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    check_spins(spins)
    check_variables(n, limit, bytes_per_state=n)
    return rows(np.arange(1 << n), n, spins)


def walsh_hadamard(values: ArrayLike | jax.Array, *, limit: int = DEFAULT_LIMIT) -> Any:
    """The couplings J_S of a function of n spins ±1, [..., 2^n] in the order of `configurations`.

        f(x) = sum_S J_S prod_{i in S} x_i,     J_S = 2^-n sum_x f(x) prod_{i in S} x_i.

    Element S of the result is the set of the bits of S. The fast transform, n 2^n additions: NumPy arrays in
    float64 (numba above 2^10 numbers, in place in the cache, a few times the time of a copy), JAX arrays in
    their own precision and differentiably; leading axes are a batch.

    Raises `UsageError` when the number of values is not 2^n, values are not real and finite (traced ones
    cannot be looked at), or n > `limit`.

    >>> walsh_hadamard([2.0, 0.0, 0.0, 2.0]).tolist()          # 1 + x_0 x_1
    [1.0, 0.0, 0.0, 1.0]
    """
    return _transform(values, "walsh", limit, inverse=False)


def inverse_walsh_hadamard(coefficients: ArrayLike | jax.Array, *, limit: int = DEFAULT_LIMIT) -> Any:
    """The values f(x) = sum_S J_S prod_{i in S} x_i on all 2^n states ±1; undoes `walsh_hadamard`.

    Raises `UsageError` as `walsh_hadamard` does.

    >>> inverse_walsh_hadamard([0.0, 0.5, 0.0, 1.0]).tolist()   # x_0/2 + x_0 x_1
    [1.5, -1.5, -0.5, 0.5]
    """
    return _transform(coefficients, "walsh", limit, inverse=True)


def mobius(values: ArrayLike | jax.Array, *, limit: int = DEFAULT_LIMIT) -> Any:
    """The couplings J_S of a function of n variables {0, 1}, [..., 2^n] in the order of `configurations`.

        f(x) = sum_S J_S prod_{i in S} x_i,     J_S = sum_{T in S} (-1)^(|S| - |T|) f(1_T),

    with 1_T the state in which the variables in T are 1. As `walsh_hadamard` otherwise; the terms alternate
    in sign, so rounding grows by a factor up to 2^|S|.

    Raises `UsageError` as `walsh_hadamard` does.

    >>> mobius([0.0, 0.0, 0.0, 3.0]).tolist()                   # 3 x_0 x_1
    [0.0, 0.0, 0.0, 3.0]
    """
    return _transform(values, "mobius", limit, inverse=False)


def inverse_mobius(coefficients: ArrayLike | jax.Array, *, limit: int = DEFAULT_LIMIT) -> Any:
    """The values f(1_T) = sum_{S in T} J_S on all 2^n states {0, 1}; undoes `mobius`.

    Raises `UsageError` as `walsh_hadamard` does.

    >>> inverse_mobius([1.0, 0.5, 0.0, 3.0]).tolist()
    [1.0, 1.5, 1.0, 4.5]
    """
    return _transform(coefficients, "mobius", limit, inverse=True)


def rows(masks: np.ndarray, n: int, spins: str) -> np.ndarray:
    """The configurations with the numbers `masks`, int8 [len(masks), n]."""
    states = np.empty((len(masks), n), np.int8)
    for site in range(n):
        bit = (masks >> site) & 1
        states[:, site] = bit if spins == "binary" else 1 - 2 * bit
    return states


def check_spins(spins: str) -> None:
    """Refuse other conventions than "pm" and "binary"."""
    if spins not in ("pm", "binary"):
        raise UsageError(f"spins = '{spins}' is unknown; 'pm' means ±1, 'binary' means 0 and 1.")


def check_variables(n: int, limit: int, bytes_per_state: int = 16) -> None:
    """Refuse n above the limit, and say how much memory it would take."""
    if not 0 <= limit <= HIGHEST_LIMIT:
        raise UsageError(f"limit = {limit} is out of range; an exact transform takes 0 to {HIGHEST_LIMIT}.")
    if n < 0:
        raise UsageError(f"n = {n} is no number of variables.")
    if n > limit:
        memory = n * math.log10(2) + math.log10(max(bytes_per_state, 1) / 1e9)
        amount = f"{10**memory:.2g} GB" if memory < 6 else f"10^{memory:.0f} GB"
        more = f"pass limit={n}" if n <= HIGHEST_LIMIT else f"{HIGHEST_LIMIT} is the most"
        raise UsageError(
            f"{n} variables have 2^{n} states: the arrays would take {amount}, and the limit is {limit} "
            f"variables ({more}). For chosen sets of variables of a hidden layer use rbm_couplings."
        )


def variables_of(size: int, what: str = "values") -> int:
    """n for 2^n numbers, or an error."""
    n = size.bit_length() - 1
    if size < 1 or size != 1 << n:
        raise UsageError(f"There are {size} {what}; a function of n two-valued variables has 2^n.")
    return n


def _transform(values: Any, kind: str, limit: int, inverse: bool) -> Any:
    on_jax = isinstance(values, jax.Array)
    array = values if on_jax else real_numbers("values", values)
    if array.ndim == 0:
        raise UsageError("A transform takes an array [..., 2^n] of values, not one number.")
    size = array.shape[-1]
    check_variables(variables_of(size), limit)
    scale = 1 / size if kind == "walsh" and not inverse else 1.0
    if jnp.iscomplexobj(array):
        raise UsageError("The values are complex; transform the real and the imaginary part, one by one.")
    if not isinstance(array, Tracer) and not np.isfinite(np.asarray(array)).all():
        raise UsageError("The values hold NaN or infinity; every state needs a finite value.")
    if on_jax:
        return _by_stages(array, _pair(kind, inverse)) * scale
    if size < _FEWEST_FOR_KERNEL:
        return _by_stages(array, _pair(kind, inverse)) * scale
    from . import _butterflies as compiled

    kernel = {
        ("walsh", False): compiled.walsh_kernel,
        ("walsh", True): compiled.walsh_kernel,
        ("mobius", False): compiled.moebius_kernel,
        ("mobius", True): compiled.zeta_kernel,
    }[kind, inverse]
    source = np.ascontiguousarray(array).reshape(-1, size)
    result = np.empty_like(source)
    for row, out in zip(source, result, strict=True):
        kernel(row, out, scale)
    return result.reshape(array.shape)


def _pair(kind: str, inverse: bool) -> Callable[[Any, Any], tuple[Any, Any]]:
    if kind == "walsh":
        return lambda a, b: (a + b, a - b)
    return (lambda a, b: (a, a + b)) if inverse else (lambda a, b: (a, b - a))


def _by_stages(x: Any, pair: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """One bit after the other on whole arrays of NumPy or JAX."""
    xp, shape, h = x.__array_namespace__(), x.shape, 1
    while h < shape[-1]:
        view = x.reshape(*shape[:-1], -1, 2, h)
        x = xp.stack(pair(view[..., 0, :], view[..., 1, :]), axis=-2).reshape(shape)
        h *= 2
    return x
