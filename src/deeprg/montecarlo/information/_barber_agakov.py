"""Barber and Agakov's bound: a trained conditional law q(y | x) against the marginal law of y."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Scalar
from numpy.typing import ArrayLike
from scipy.special import entr

from deeprg.montecarlo.information._classified import classified_information
from deeprg.montecarlo.information._critics import silent
from deeprg.montecarlo.information._discrete import labels
from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._samples import paired
from deeprg.montecarlo.information._training import DEFAULT_PLAN, Parts
from deeprg.montecarlo.jackknife import Jackknife, block_sums, delete_one
from deeprg.runs.errors import UsageError
from deeprg.train import Plan

__all__ = ["barber_agakov_information"]

_MOST_STATES = 512
_DEPTH = 2
_MOST_OFF = 0.1


class _Normal(eqx.Module):
    """ln q(y | x) - ln N(y; 0, 1) of rows (x, y): q normal with learned mean, scales and correlations.

    The mean is M x + m(x), and L (y - mean)/σ(x) is standard normal, L with unit diagonal.
    """

    linear: Float[Array, "dy dx"]
    log_scale: Float[Array, " dy"]
    mixing: Float[Array, "dy dy"]
    network: eqx.nn.MLP
    dx: int = eqx.field(static=True)
    gain: float | Float[Array, ""] = 1.0

    @classmethod
    def create(cls, parts: Parts, width: int, key: PRNGKeyArray) -> "_Normal":
        dx, dy = parts.dx, parts.seen.shape[1] - parts.dx
        rho = np.zeros(dy)
        rho[: min(dx, dy)] = parts.coordinates.correlations
        linear = np.eye(dy, dx) * rho[:, None]
        log_scale = 0.5 * np.log1p(-(rho**2))
        network = silent(eqx.nn.MLP(dx, 2 * dy, width, _DEPTH, jax.nn.silu, dtype=jnp.float32, key=key))
        start = [jnp.asarray(part, jnp.float32) for part in (linear, log_scale, np.zeros((dy, dy)))]
        return cls(start[0], start[1], start[2], network, dx)

    def log_ratios(self, rows: Float[Array, "n columns"]) -> Float[Array, " n"]:
        x, y = rows[:, : self.dx], rows[:, self.dx :]
        mean, log_scale = jnp.split(self.gain * jax.vmap(self.network)(x), 2, axis=1)
        log_scale = log_scale + self.log_scale[None]
        z = (y - mean - x @ self.linear.T) * jnp.exp(-log_scale)
        z = z + z @ jnp.tril(self.mixing, -1).T
        return 0.5 * jnp.sum(y**2 - z**2, axis=1) - jnp.sum(log_scale, axis=1)


class _Classifier(eqx.Module):
    """ln q(label | x) of rows (x, label)."""

    network: eqx.nn.MLP
    gain: float | Float[Array, ""] = 1.0

    def log_ratios(self, rows: Float[Array, "n columns"]) -> Float[Array, " n"]:
        log_q = jax.nn.log_softmax(self.gain * jax.vmap(self.network)(rows[:, :-1]))
        return jnp.take_along_axis(log_q, rows[:, -1:].astype(jnp.int32), axis=1)[:, 0]


class _Likelihood(eqx.Module):
    """Minus the mean log ratio of a batch."""

    def __call__(
        self, model: _Normal | _Classifier, batch: Float[Array, "n columns"]
    ) -> tuple[Scalar, dict[str, Scalar]]:
        return -jnp.mean(model.log_ratios(batch)), {}


def barber_agakov_information(
    x: ArrayLike,
    y: ArrayLike,
    *,
    plan: Plan = DEFAULT_PLAN,
    width: int = 64,
    scale: str = "ranks",
    held_out: float = 0.3,
    blocks: int = 50,
    key: PRNGKeyArray,
) -> InformationEstimate:
    """E ln q(y | x) + H(Y) <= I(X:Y) with a trained q, no independent pairs and no exponentials.

    Of discrete variables one is read from the other: that of fewer different rows, if they are of integers
    and at most 512. q is a classifier and H(Y) the entropy of the counts with Miller's correction, which is
    also the bound that the value is checked against. It is a lower bound.

    Otherwise q is normal, with mean and scales by a network and correlations that do not depend on x, and
    H(Y) is replaced by the cross entropy with a normal law of y, in the coordinates of
    `variational_information`. That is H(Y) where y is jointly normal, which normal scores make of one column;
    else it is larger, and the value is no bound. Flagged is E|y|⁴ of whitened y more than 10 % off
    d(d + 2) (K. V. Mardia, Biometrika 57, 519 (1970)).

    Training, held-out samples, errors, arguments and refusals are those of `variational_information`. Source:
    D. Barber and F. Agakov, NIPS 16 (2003); B. Poole et al., arXiv:1905.06922, section 2.1.

    >>> rng = np.random.default_rng(0)
    >>> bit, flip = rng.integers(0, 2, 4000), rng.random(4000) < 0.1
    >>> found = barber_agakov_information(bit, bit ^ flip, key=jax.random.key(0))        # exact 0.3681
    >>> print(f"{found.value:.2f} +- {found.error:.2f} <= {found.bound:.2f}")
    0.36 +- 0.02 <= 0.69
    """
    first, second, count = _roles(x, y)
    parts = Parts.of(first, second, scale=scale, held_out=held_out, blocks=blocks)
    making, training = jax.random.split(key)
    model: _Normal | _Classifier
    if count:
        parts = parts.labelled(labels("y", second))
        model = _Classifier(
            eqx.nn.MLP(parts.dx, count, width, _DEPTH, jax.nn.silu, dtype=jnp.float32, key=making)
        )
    else:
        model = _Normal.create(parts, width, making)
    model = parts.trained(model, _Likelihood(), plan, key=training)

    def judged(rows: np.ndarray) -> Jackknife:
        return _value(np.asarray(_log_ratios(model, jnp.asarray(rows)), np.float64), rows, count, blocks)

    found = judged(parts.unseen)
    flags = parts.flags(found.value, found.error, judged(parts.seen[: len(parts.unseen)]).value)
    if not count:
        flags += _normal_flags(parts.unseen[:, parts.dx :])
    law = f"classifier of {count} states" if count else "normal law"
    method = f"Barber-Agakov, {law}, samples held out"
    estimate = InformationEstimate(found.value, found.error, len(parts.unseen), method, flags=flags)
    return estimate.checked(_entropy(parts.unseen[:, -1], count)) if count else estimate


def _roles(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray, int]:
    """(what is read, what is predicted, its number of different rows or 0 for real numbers)."""
    first, second = paired(x, y)
    whole = [bool((z == np.rint(z)).all()) for z in (first, second)]
    if not any(whole):
        return first, second, 0
    states = [
        len(np.unique(z, axis=0)) if integer else len(z)
        for z, integer in zip((first, second), whole, strict=True)
    ]
    if min(states) > _MOST_STATES:
        raise UsageError(
            f"Discrete x or y with {min(states)} different rows; Barber-Agakov sums over {_MOST_STATES} at "
            "most. Take 'infonce', or coarser labels."
        )
    return (first, second, states[1]) if states[1] <= states[0] else (second, first, states[0])


def _value(log_ratios: np.ndarray, rows: np.ndarray, count: int, blocks: int) -> Jackknife:
    if count:
        return classified_information(rows[:, -1].astype(int), log_ratios, count, blocks=blocks)
    sums, counts = block_sums([log_ratios], blocks)
    return delete_one(lambda log_ratio: float(log_ratio), {"log_ratio": sums}, counts)


def _entropy(states: np.ndarray, count: int) -> float:
    """The entropy of the labels' frequencies with Miller's correction."""
    p = np.bincount(states.astype(int), minlength=count) / len(states)
    return float(entr(p).sum() + (np.count_nonzero(p) - 1) / (2 * len(states)))


def _normal_flags(y: np.ndarray) -> list[str]:
    n, d = y.shape
    y = y - y.mean(axis=0)
    y = y @ np.linalg.inv(np.linalg.cholesky(y.T @ y / n)).T
    off = float(np.mean(np.sum(y**2, axis=1) ** 2)) / (d * (d + 2)) - 1
    if abs(off) <= max(_MOST_OFF, 7 * np.sqrt(8 / (d * (d + 2) * n))):
        return []
    return [
        f"E|y|^4 of y is {100 * off:+.0f} % off that of a normal law, whose entropy stands for that of y: "
        "the value is no lower bound and probably too high. Take another method, or exchange x and y."
    ]


@eqx.filter_jit
def _log_ratios(model: _Normal | _Classifier, rows: Array) -> Array:
    return model.log_ratios(rows)
