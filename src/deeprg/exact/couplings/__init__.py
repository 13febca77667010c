"""Couplings of any energy by order, cumulants and connected correlators, and variational RG."""

from ._transforms import (
    configurations,
    inverse_mobius,
    inverse_walsh_hadamard,
    mobius,
    walsh_hadamard,
)

__all__ = [
    "configurations",
    "inverse_mobius",
    "inverse_walsh_hadamard",
    "mobius",
    "walsh_hadamard",
]
