"""How the sampling kernels are compiled: one set of numba options for all of them."""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["inlined", "kernel"]

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of NumPy arrays with numba: without the GIL, kept on disk for the next process.

    The compiled code is stored beside the source or in the cache folder of the user (`NUMBA_CACHE_DIR`
    moves it); when neither can be written it is compiled in every process, quietly. Arrays are indexed
    without bounds checks and x / 0 is infinite, as in NumPy. Put `@typing.no_type_check` below it.

    >>> import typing
    >>> @kernel
    ... @typing.no_type_check
    ... def triangular(n):
    ...     total = 0
    ...     for i in range(n + 1):
    ...         total += i
    ...     return total
    >>> triangular(4)
    10
    """
    return _compiled(function, **_OPTIONS)


def inlined(function: Callable[..., Any]) -> Any:
    """As `kernel`, for a part that is compiled into each kernel that calls it: its scalars stay in registers.

    >>> import typing
    >>> @inlined
    ... @typing.no_type_check
    ... def double(n):
    ...     return 2 * n
    >>> double(4)
    8
    """
    return _compiled(function, forceinline=True, **_OPTIONS)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": no folder for the cache
        return numba.njit(**options)(function)
