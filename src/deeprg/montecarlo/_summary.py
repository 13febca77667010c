"""What the result classes of this room share."""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.runs.errors import NumericalError, UsageError

__all__: list[str] = []


def json_ready(result: Any) -> dict[str, Any]:
    """Fields of a result dataclass as plain JSON values; NaN and infinities become None."""
    fields = dataclasses.asdict(result)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in fields.items()}


def checked_log_weights(log_weights: ArrayLike, name: str, ndim: tuple[int, ...]) -> np.ndarray:
    """`log_weights` as float64, refused unless the number of axes and the values are usable."""
    array = np.asarray(log_weights, dtype=np.float64)
    if array.ndim not in ndim:
        allowed = " or ".join(str(d) for d in ndim)
        raise UsageError(f"{name} has shape {array.shape}; it must have {allowed} axes.")
    if array.shape[-1] < 2 or array.shape[0] < 1:
        raise UsageError(f"{name} has shape {array.shape}; at least 2 samples are needed. Draw more samples.")
    if (n_nan := int(np.isnan(array).sum())) > 0:
        raise UsageError(
            f"{name} holds {n_nan} NaN of {array.size}; find where -H(x) - ln q(x) fails and remove it."
        )
    if (n_inf := int(np.isposinf(array).sum())) > 0:
        raise NumericalError(
            f"{name} holds +inf {n_inf} times among {array.size} values: q(x) = 0 or H(x) = -inf there. "
            "Finite values and -inf (a sample of zero weight) are allowed; check ln q for underflow."
        )
    return array
