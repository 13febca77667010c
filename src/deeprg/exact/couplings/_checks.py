"""Checks of numbers and sites that the exact rooms share."""

import operator
from typing import Any

import numpy as np

from ...runs.errors import UsageError

__all__ = ["real_numbers", "set_of_sites", "whole_sites"]


def real_numbers(name: str, value: Any) -> np.ndarray:
    """The value as a float64 array; `UsageError` for ragged lists, text, complex numbers and None.

    >>> real_numbers("weights", [[1, 2], [3, 4]]).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise UsageError(f"{name}: rows of one length are needed, but the lists are ragged.") from None
    if array.dtype.kind in "cUSOMm":
        what = {"c": "complex numbers", "U": "text", "S": "text"}.get(array.dtype.kind, "what is no number")
        raise UsageError(f"{name}: real numbers are needed, but it holds {what}.")
    return array.astype(np.float64, copy=False)


def whole_sites(sites: Any) -> tuple[int, ...]:
    """The sites as integers; `UsageError` for anything else, 0.5 included.

    >>> whole_sites(np.array([2, 0]))
    (2, 0)
    """
    try:
        return tuple(operator.index(site) for site in sites)
    except TypeError:
        raise UsageError(f"Sites are whole numbers in a tuple or list, not {sites!r}.") from None


def set_of_sites(sites: tuple[int, ...], n: int) -> tuple[int, ...]:
    """The sites in rising order, or an error when they are no set of numbers below n."""
    key = tuple(sorted(whole_sites(sites)))
    if len(set(key)) < len(key) or any(not 0 <= site < n for site in key):
        raise UsageError(f"{tuple(sites)} is not a set of sites: different numbers from 0 to {n - 1}.")
    return key
