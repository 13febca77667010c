"""Formulas that serve NumPy (float64 references) and JAX (gradients) alike."""

import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...runs.errors import UsageError

__all__ = ["log_cosh", "namespace", "real"]


def namespace(*values: Any) -> ModuleType:
    """`jax.numpy` when one of the values is a JAX array or is being traced, else NumPy.

    >>> namespace(1.0, np.ones(2)).__name__, namespace(jnp.ones(2)).__name__
    ('numpy', 'jax.numpy')
    """
    return jnp if any(isinstance(value, jax.Array) for value in values) else np


def real(name: str, value: Any) -> Any:
    """The value as it is if JAX holds it, else as float64; NaN and what is no number are a `UsageError`.

    >>> float(real("coupling", 1))
    1.0
    """
    if isinstance(value, jax.Array):
        return value
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"The {name} must be a real number or an array of them, not {value!r}.") from None
    if np.isnan(array).any():
        raise UsageError(f"The {name} holds NaN; give real numbers.")
    return array


def log_cosh(x: Any) -> Any:
    """ln cosh x without overflow, smooth at 0, to full relative precision.

    >>> round(float(log_cosh(np.float64(1000.0))), 9), float(log_cosh(np.float64(1e-12)))
    (999.306852819, 5e-25)
    """
    xp = namespace(x)
    small = xp.abs(x) < 1
    half = xp.sinh(xp.where(small, x, 0.0) / 2)  # cosh x = 1 + 2 sinh^2(x/2)
    return xp.where(small, xp.log1p(2 * half * half), xp.logaddexp(x, -x) - math.log(2))
