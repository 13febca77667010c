"""Bounds of the mutual information by a trained critic, judged on samples that trained nothing."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar
from numpy.typing import ArrayLike

from deeprg.montecarlo.information._bounds import AbstractBound
from deeprg.montecarlo.information._critics import CRITICS
from deeprg.montecarlo.information._held_out import HeldOut
from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._training import DEFAULT_PLAN, Parts
from deeprg.runs.errors import UsageError, nearest
from deeprg.train import Plan

__all__ = ["variational_information"]


class _Objective(eqx.Module):
    """Minus a bound, on a batch of rows (x, y)."""

    bound: AbstractBound
    dx: int = eqx.field(static=True)

    def __call__(self, critic: Any, batch: Float[Array, "n columns"]) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss, no metrics."""
        groups = jnp.array_split(batch, -(-len(batch) // critic.together))
        return -jnp.mean(jnp.stack([self._value(critic, rows) for rows in groups])), {}

    def _value(self, critic: Any, rows: Float[Array, "n columns"]) -> Scalar:
        return self.bound.batch_value(critic.scores(rows[:, : self.dx], rows[:, self.dx :]))


def variational_information(
    x: ArrayLike,
    y: ArrayLike,
    bound: AbstractBound,
    *,
    plan: Plan = DEFAULT_PLAN,
    critic: str = "separable",
    width: int = 64,
    scale: str = "ranks",
    held_out: float = 0.3,
    blocks: int = 50,
    key: PRNGKeyArray,
) -> InformationEstimate:
    """A bound of I(X:Y) by a critic f(x, y) that is trained on the first samples and judged on the last.

    Continuous columns become normal scores of the training samples (`scale` "ranks") or are divided by their
    deviations; discrete ones always the latter. A rotation makes them canonical pairs, and the critic begins
    at the Gaussian of their correlations, so that training is for what is not Gaussian; how much of what the
    network adds is kept, 0 ... 1, is chosen on a fifth of the first samples that did not train it. Held-out
    samples have no part in any of this, and so a lower bound remains one in expectation.

    The value is that of the held-out samples, where y_j of other blocks stand for independent ones. The error
    is the jackknife's over `blocks` of consecutive held-out samples, which should be long against the
    autocorrelation time; it does not contain what the critic misses. Flags: those of the bound; d_x d_y/(2
    n) > 0.05, what correlations alone cost in n samples; a value on the training samples that is much larger.

    Args:
        x, y: `[n]` or `[n, d]`, drawn together; numbers, with labels as one column per state.
        bound: `InfoNCE`, `NWJ`, `DonskerVaradhan` or `Smile`.
        critic: "separable", or "concatenated" for few dimensions and sharp dependence; `width` of its layers.
        held_out: share of the samples that judge.

    Raises:
        UsageError: fewer than 1000 samples or 20 for each column, an unknown critic or scale, a share outside
            (0, 1), fewer than 10 blocks, NaN, constant columns, unequal lengths.
        NumericalError: a training that diverges.

    A relation without correlation, y = |x| + noise: I = 1.077 by quadrature.

    >>> from deeprg.montecarlo.information import InfoNCE
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 4000))
    >>> y = np.abs(x) + 0.2 * noise
    >>> found = variational_information(x, y, InfoNCE(), key=jax.random.key(0))
    >>> print(f"{found.value:.2f} +- {found.error:.2f}")
    1.02 +- 0.03
    """
    if critic not in CRITICS:
        raise UsageError(
            f"critic = '{critic}' is unknown; take one of {', '.join(CRITICS)}.{nearest(critic, CRITICS)}"
        )
    parts = Parts.of(x, y, scale=scale, held_out=held_out, blocks=blocks)
    making, training = jax.random.split(key)
    dx = parts.dx
    strengths = jnp.asarray(np.arctanh(parts.coordinates.correlations), jnp.float32)
    start = CRITICS[critic].create(dx, parts.seen.shape[1] - dx, strengths, width=width, key=making)
    model = parts.trained(start, _Objective(bound, dx), plan, key=training)

    def judged(rows: np.ndarray) -> HeldOut:
        return HeldOut.of(model, rows[:, :dx], rows[:, dx:], blocks, bound.exponents)

    held = judged(parts.unseen)
    found = bound.judged(held)
    on_seen = bound.judged(judged(parts.seen[: len(parts.unseen)])).value
    flags = bound.flags(found.value, held) + parts.flags(found.value, found.error, on_seen)
    method = f"{bound.words}, {critic} critic, samples held out"
    return InformationEstimate(found.value, found.error, len(parts.unseen), method, flags=flags)
