"""Do several chains agree, and how many independent samples are they worth: R-hat and effective size."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.runs.errors import UsageError

__all__ = ["effective_sample_size", "split_r_hat"]


def split_r_hat(chains: ArrayLike) -> float:
    """R-hat of chains [chains, steps], each split in half: √(variance over all / variance within chains).

    1 when all halves look alike; above 1.01 they have not converged. Rank-normalised, and the larger of the
    values for location and for scale (A. Vehtari et al., arXiv:1903.08008, section 4), by
    `blackjax.diagnostics.rhat`. NaN when the samples do not fluctuate.

    Raises:
        UsageError: not `[chains, steps]` with at least 2 chains of 8 steps, or NaN.

    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> shift = np.array([[0.0], [0.0], [0.0], [1.0]])
    >>> print(f"{split_r_hat(x):.2f} {split_r_hat(x + shift):.2f}")
    1.00 1.11
    """
    return _diagnosed("rhat", _checked(chains))


def effective_sample_size(chains: ArrayLike) -> float:
    """How many independent samples the chains [chains, steps] are worth for their mean: n/(2 tau_int).

    Chains that disagree count for less, unlike in `gamma_method`: the variance over all chains takes part.
    Geyer's initial monotone sequence (arXiv:1903.08008, section 3.2), by
    `blackjax.diagnostics.effective_sample_size`. 0 when no chain fluctuates.

    Raises:
        UsageError: not `[chains, steps]` with at least 2 chains of 8 steps, or NaN.

    AR(1) with coefficient 0.9 has tau_int = 9.5, so that 4 x 20000 steps are worth 4211:

    >>> from scipy.signal import lfilter
    >>> noise = np.random.default_rng(1).normal(size=(4, 20000))
    >>> print(round(effective_sample_size(lfilter([1.0], [1.0, -0.9], noise, axis=1))))
    4319
    """
    return _diagnosed("effective_sample_size", _checked(chains))


def _checked(chains: ArrayLike) -> np.ndarray:
    array = np.asarray(chains, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 8:
        raise UsageError(
            f"chains has shape {array.shape}; it must be [chains, steps] with 2 or more chains of 8 or more."
        )
    if not np.isfinite(array).all():
        raise UsageError("chains holds NaN or infinity; find where the observable fails.")
    return array


@functools.cache
def _compiled(name: str) -> Callable[[Any], Any]:
    """A diagnostic of blackjax, which takes seconds to import, compiled once per shape."""
    import blackjax.diagnostics
    import jax

    return jax.jit(getattr(blackjax.diagnostics, name))


def _diagnosed(name: str, array: np.ndarray) -> float:
    import jax

    # blackjax relies on the standard promotion rules; a caller may have set stricter ones.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        value = float(_compiled(name)(jax.numpy.asarray(array)))
    return value if math.isfinite(value) else math.nan
