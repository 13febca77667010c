"""Variational bounds of the mutual information from a critic's scores of matched and independent pairs."""

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from deeprg.montecarlo.information._held_out import HeldOut
from deeprg.montecarlo.jackknife import Jackknife, from_replicas
from deeprg.runs.errors import UsageError

__all__ = ["NWJ", "DonskerVaradhan", "InfoNCE", "Smile"]

_CLOSE = 1.5  # nats to the ceiling of InfoNCE, where a sharp dependence loses 0.25
_NOISY = 0.1


class AbstractBound(eqx.Module):
    """A bound: what a training maximises on a batch, and what held-out samples say of the result."""

    words: ClassVar[str]

    @abc.abstractmethod
    def batch_value(self, scores: Float[Array, "n n"]) -> Scalar:
        """What is maximised, of the scores f(x_i, y_j) of a batch; matched pairs are on the diagonal."""

    def exponents(self, scores: np.ndarray) -> np.ndarray:
        """What stands in the exponentials of independent pairs: the scores."""
        return scores

    @abc.abstractmethod
    def judged(self, held: HeldOut) -> Jackknife:
        """The value on held-out samples, with its error over blocks."""

    @abc.abstractmethod
    def flags(self, value: float, held: HeldOut) -> list[str]:
        """Why the value cannot be trusted."""


class InfoNCE(AbstractBound):
    """E [f(x, y) - ln (1/K) Σ_j exp f(x, y_j)] over y itself and K - 1 independent y_j; at most ln K.

    Where ln p/pp hardly varies over matched pairs the best critic gives I - ln(1 + exp(I)/K): values within
    1.5 of the ceiling are too low by 0.25 nats and more, and are flagged as saturated.

    Source: A. van den Oord, Y. Li, O. Vinyals, arXiv:1807.03748, eq. (4) and section 2.3; B. Poole et
    al., arXiv:1905.06922, section 2.3.
    """

    words: ClassVar[str] = "InfoNCE"

    def batch_value(self, scores: Float[Array, "n n"]) -> Scalar:
        """The bound with K = n."""
        return jnp.mean(jnp.diagonal(scores) - _log_mean_exp(scores, axis=1))

    def judged(self, held: HeldOut) -> Jackknife:
        """K is that of the judgement; without one block, the K - 1 negatives keep their weight."""
        positive, total, number = np.exp(held.matched), held.sums.sum(axis=1), held.counts.sum(axis=1)

        def terms(mean: np.ndarray) -> np.ndarray:
            return held.matched - np.log((positive + number * mean) / (number + 1))

        replicas = [
            terms((total - held.sums[:, b]) / (number - held.counts[:, b]))[held.block != b].mean()
            for b in range(held.sums.shape[1])
        ]
        return from_replicas(np.asarray(terms(total / number).mean()), np.array(replicas))

    def flags(self, value: float, held: HeldOut) -> list[str]:
        """Saturation."""
        ceiling = self.ceiling(held)
        if value <= ceiling - _CLOSE:
            return []
        return [
            f"saturated: {value:.3g} is within {_CLOSE} of the ceiling ln K = {ceiling:.3g} of K = "
            f"{math.exp(ceiling):.0f} held-out samples; the information may be much larger. Take more."
        ]

    def ceiling(self, held: HeldOut) -> float:
        """ln K of the judgement."""
        return float(np.log(held.counts.sum(axis=1) + 1).mean())


class DonskerVaradhan(AbstractBound):
    """E_p f - ln E_pp exp f with the joint law p and the product pp of its marginals; tight at ln p/pp + c.

    All pairs of a batch are used, so that the gradient of the logarithm of a mean needs no moving average.
    Source: M. D. Donsker and S. R. S. Varadhan, Commun. Pure Appl. Math. 36, 183 (1983); M. I. Belghazi et
    al., arXiv:1801.04062, section 3 (MINE).
    """

    words: ClassVar[str] = "Donsker-Varadhan"

    def batch_value(self, scores: Float[Array, "n n"]) -> Scalar:
        """The bound on the batch."""
        return jnp.mean(jnp.diagonal(scores)) - _log_mean_exp(_independent(scores))

    def judged(self, held: HeldOut) -> Jackknife:
        """The bound on all pairs."""
        return held.jackknife(lambda mean, partition: mean - math.log(partition))

    def flags(self, value: float, held: HeldOut) -> list[str]:
        """A partition term of too few samples, and what no number of samples can show."""
        return _partition_flags(value, held)


class NWJ(AbstractBound):
    """1 + E_p f - E_pp exp f: no logarithm of a mean, so no bias of batches; tight at f = ln p/pp.

    Source: X. Nguyen, M. J. Wainwright, M. I. Jordan, IEEE Trans. Inf. Theory 56, 5847 (2010);
    arXiv:1905.06922, section 2.2, with f + 1 for f.
    """

    words: ClassVar[str] = "NWJ"

    def batch_value(self, scores: Float[Array, "n n"]) -> Scalar:
        """The bound on the batch."""
        return 1 + jnp.mean(jnp.diagonal(scores)) - jnp.exp(_log_mean_exp(_independent(scores)))

    def judged(self, held: HeldOut) -> Jackknife:
        """The bound on all pairs."""
        return held.jackknife(lambda mean, partition: 1 + mean - partition)

    def flags(self, value: float, held: HeldOut) -> list[str]:
        """As those of `DonskerVaradhan`."""
        return _partition_flags(value, held)


class Smile(AbstractBound):
    """E_p f - ln E_pp exp(clip(f, -τ, τ)), no bound: less variance than Donsker-Varadhan, with a bias.

    f is trained by the Jensen-Shannon bound E_p ln σ(f) + E_pp ln σ(-f), whose optimum is ln p/pp and which
    has no exponentials. Where ln p/pp > τ the partition term is too small and the value too high. Source: J.
    Song, S. Ermon, arXiv:1910.06222, section 5. Raises `UsageError` for a clip that is not positive.
    """

    words: ClassVar[str] = "SMILE"

    clip: float = 5.0

    def __check_init__(self):
        if not self.clip > 0:
            raise UsageError(f"clip = {self.clip} must be a positive number of nats; 5 is usual.")

    def batch_value(self, scores: Float[Array, "n n"]) -> Scalar:
        """The Jensen-Shannon bound."""
        apart = jnp.where(_off_diagonal(scores), jax.nn.log_sigmoid(-scores), jnp.zeros_like(scores))
        n = len(scores)
        return jnp.mean(jax.nn.log_sigmoid(jnp.diagonal(scores))) + jnp.sum(apart) / (n * (n - 1))

    def exponents(self, scores: np.ndarray) -> np.ndarray:
        """The clipped scores."""
        return np.clip(scores, -self.clip, self.clip)

    def judged(self, held: HeldOut) -> Jackknife:
        """Donsker-Varadhan with the clipped partition term."""
        return held.jackknife(lambda mean, partition: mean - math.log(partition))

    def flags(self, value: float, held: HeldOut) -> list[str]:
        """As those of `DonskerVaradhan`, and a clip that cut."""
        flags = _partition_flags(value, held)
        if (cut := float(np.mean(held.matched > self.clip))) > 0.01:
            flags.append(
                f"{100 * cut:.0f} % of the matched pairs have a score above the clip of {self.clip:g}: the "
                "partition term is cut and the value probably too high. Take a larger clip."
            )
        return flags


def _partition_flags(value: float, held: HeldOut) -> list[str]:
    flags = []
    partition = held.jackknife(lambda mean, partition: partition)
    if (relative := partition.error / partition.value) > _NOISY:
        flags.append(
            f"The partition term has a relative error of {relative:.2g}, more than {_NOISY}: few pairs carry "
            "it, and neither value nor error can be trusted. Take more samples."
        )
    if value > (most := math.log(len(held.matched))):
        flags.append(
            f"{value:.3g} nats are above ln n = {most:.3g} of {len(held.matched)} held-out samples, which no "
            "bound can show with confidence (arXiv:1811.04251). Take more samples."
        )
    return flags


def _off_diagonal(scores: Array) -> Array:
    return ~jnp.eye(len(scores), dtype=bool)


def _independent(scores: Array) -> Array:
    """The scores with the matched pairs excluded from exponentials."""
    return jnp.where(_off_diagonal(scores), scores, jnp.full_like(scores, -jnp.inf))


def _log_mean_exp(scores: Array, axis: int | None = None) -> Array:
    """ln of the mean of exp over an axis, or over all pairs that are not matched."""
    number = len(scores) if axis is not None else len(scores) * (len(scores) - 1)
    return jax.nn.logsumexp(scores, axis=axis) - math.log(number)
