"""The transforms of 2^n numbers compiled by numba: radix-4 butterflies, block after block in the cache."""

import typing
from collections.abc import Callable
from typing import Any

import numba

__all__ = ["moebius_kernel", "walsh_kernel", "zeta_kernel"]

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_BLOCK = 1 << 12  # 32 KiB, the innermost cache


def _compiled(function: Callable[..., Any]) -> Any:
    """A kernel kept on disk for the next process, or compiled in each where no folder can be written."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # "no locator available": no folder for the cache
        return numba.njit(**_OPTIONS)(function)


def _part(function: Callable[..., Any]) -> Any:
    """A piece that is compiled into the kernels that call it, once for each kind of pair."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


@_part
@typing.no_type_check
def _sum_difference(a, b):
    return a + b, a - b


@_part
@typing.no_type_check
def _difference(a, b):
    return a, b - a


@_part
@typing.no_type_check
def _sum(a, b):
    return a, a + b


@_part
@typing.no_type_check
def _two_bits(pair, x, start, stop, h):
    """The butterflies of the bits h and 2 h between `start` and `stop`."""
    for s in range(start, stop, 4 * h):
        # Views with indices from 0 can be shown to be in range: only then are the loops vectorised.
        x0, x1, x2, x3 = (
            x[s : s + h],
            x[s + h : s + 2 * h],
            x[s + 2 * h : s + 3 * h],
            x[s + 3 * h : s + 4 * h],
        )
        for j in range(h):
            a, b = pair(x0[j], x1[j])
            c, d = pair(x2[j], x3[j])
            x0[j], x2[j] = pair(a, c)
            x1[j], x3[j] = pair(b, d)


@_part
@typing.no_type_check
def _first_bits(pair, source, x, scale):
    """The butterflies of the bits 1 and 2 out of place, which saves a copy."""
    for j in range(0, x.size, 4):
        group, result = source[j : j + 4], x[j : j + 4]
        a, b = pair(scale * group[0], scale * group[1])
        c, d = pair(scale * group[2], scale * group[3])
        result[0], result[2] = pair(a, c)
        result[1], result[3] = pair(b, d)


@_part
@typing.no_type_check
def _transform(pair, source, x, scale):
    size = x.size
    block = min(size, _BLOCK)
    for start in range(0, size, block):
        stop = start + block
        _first_bits(pair, source[start:stop], x[start:stop], scale)
        h = 4
        while 4 * h <= block:
            _two_bits(pair, x, start, stop, h)
            h *= 4
        while stop % (4 * h) == 0:  # depth first: a higher bit as soon as its four parts are done
            _two_bits(pair, x, stop - 4 * h, stop, h)
            h *= 4
    if h < size:
        low, high = x[:h], x[h:]
        for j in range(h):
            low[j], high[j] = pair(low[j], high[j])


@_compiled
@typing.no_type_check
def walsh_kernel(source, x, scale):
    """x = scale H source with H the matrix of the signs (-1)^popcount(S & m); sizes 16, 32, 64, ..."""
    _transform(_sum_difference, source, x, scale)


@_compiled
@typing.no_type_check
def moebius_kernel(source, x, scale):
    """x_S = scale sum_{T in S} (-1)^(|S| - |T|) source_T; sizes 16, 32, 64, ..."""
    _transform(_difference, source, x, scale)


@_compiled
@typing.no_type_check
def zeta_kernel(source, x, scale):
    """x_S = scale sum_{T in S} source_T; sizes 16, 32, 64, ..."""
    _transform(_sum, source, x, scale)
