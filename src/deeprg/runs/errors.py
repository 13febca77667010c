"""The errors a user can meet, each with the exit code that the command line returns for it."""

import difflib
from collections.abc import Iterable

__all__ = ["DeeprgError", "NumericalError", "UsageError", "nearest"]


class DeeprgError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(DeeprgError, ValueError):
    """Bad input: a value, a configuration, a folder or a checkpoint that cannot be used. Exit code 2."""

    exit_code = 2


class NumericalError(DeeprgError, ArithmeticError):
    """The numbers failed: divergence, NaN, a matrix that is not positive definite. Exit code 3."""

    exit_code = 3


def nearest(name: str, options: Iterable[str]) -> str:
    """The hint that ends a message on an unknown name.

    >>> nearest("isng", ["ising", "phi4"])
    " Did you mean 'ising'?"
    """
    close = difflib.get_close_matches(str(name), list(options), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""
