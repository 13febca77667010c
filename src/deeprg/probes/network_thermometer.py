"""A neural thermometer: a classifier over a grid of temperatures, with what it does to data of known T."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from deeprg.probes.estimates import Estimate
from deeprg.runs.errors import UsageError
from deeprg.train import Plan, RowBatches, TrainState, train

__all__ = ["Calibration", "NetworkReading", "NetworkThermometer", "train_thermometer"]

_BINS = 10
_HELD_OUT = 5  # every fifth configuration
_FLOOR = 0.1  # standard deviations that nobody minds
_SLACK = 1.5  # an ensemble may be so much farther from the data than any held-out one


@dataclass(frozen=True)
class Calibration:
    """What a classifier does to held-out configurations of known temperature.

    confusion [k, k]: row T, column T': the share of configurations of T whose most likely class is T'.
    mean, spread [k]: average and standard deviation over configurations of the mean temperature of P(T).
    confidence, accuracy, share [10]: per bin of the largest probability, its average, how often that class is
        right, and the share of configurations; NaN in an empty bin.
    ece: the expected calibration error, Σ share |accuracy - confidence| (C. Guo et al., arXiv:1706.04599).
    correct: the share of right classes. cross_entropy: in nats.
    distance [k]: `NetworkReading.distance` of the held-out ensembles, the yardstick for others.
    """

    temperatures: np.ndarray
    confusion: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray
    ece: float
    correct: float
    cross_entropy: float
    distance: np.ndarray

    def at(self, temperature: float) -> tuple[float, float]:
        """Average reading and spread at the point of the grid nearest to `temperature`."""
        nearest = int(np.argmin(np.abs(self.temperatures - temperature)))
        return float(self.mean[nearest]), float(self.spread[nearest])

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {
            name: [None if isinstance(x, float) and math.isnan(x) else x for x in value.tolist()]
            if isinstance(value, np.ndarray)
            else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class NetworkReading:
    """What the classifier says of an ensemble.

    probabilities [k]: P(T), the mean over configurations of the softmax. peak: its most likely temperature.
    mean: average over configurations of the mean temperature, with its error; spread: its standard deviation.
    distance: how far ⟨|m|⟩ or ⟨e⟩ are from those of the training data mixed with weights P(T), in standard
        deviations of that mixture.
    flags: reasons not to believe the reading.
    """

    probabilities: np.ndarray
    peak: float
    mean: Estimate
    spread: float
    distance: float
    flags: tuple[str, ...]

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against the reading."""
        return not self.flags

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "probabilities": self.probabilities.tolist(),
            "peak": self.peak,
            "mean": self.mean.to_dict(),
            "spread": self.spread,
            "distance": self.distance,
            "flags": list(self.flags),
        }


class _Classifier(eqx.Module):
    network: eqx.nn.MLP

    def __call__(self, x: Float[Array, "n sites"]) -> Float[Array, "n classes"]:
        return jax.vmap(self.network)(x)


@dataclass(frozen=True)
class NetworkThermometer:
    """A trained classifier of Ising configurations by temperature; `train_thermometer` makes one.

    `profile` [k, 4] has mean and variance of |m|, then of the energy per site, of the training data at each
    temperature. It is not used to read, but to see whether what is read is like what was learned.
    """

    classifier: _Classifier
    temperatures: np.ndarray
    shape: tuple[int, ...]
    profile: np.ndarray
    calibration: Calibration | None = None

    def probabilities(self, configurations: Any) -> np.ndarray:
        """softmax for every configuration [n, *shape], [n, k].

        Raises `UsageError` for another lattice and for anything but spins ±1.
        """
        x = _spins(configurations, self.shape)
        flat = jnp.asarray(x.reshape(len(x), -1), jnp.float32)
        return np.asarray(_softmax(self.classifier, flat), np.float64)

    def read(self, configurations: Any) -> NetworkReading:
        """Read an ensemble [n, *shape], and flag it where the classifier has seen nothing like it.

        Flagged are a peak at an end of the grid, beyond which the temperature may lie (T = 0 has nothing
        below), and an ensemble whose ⟨|m|⟩ or ⟨e⟩ does not fit the temperatures that are read: 1.5 times
        farther off than held-out ensembles of temperatures with a tenth or more of the peak of P(T), and
        0.1 or more. Raises as `probabilities`.
        """
        each = self.probabilities(configurations)
        means = each @ self.temperatures
        total = each.mean(axis=0)
        peak = int(np.argmax(total))
        distance = self._distance(total, configurations)
        flags = []
        if peak == len(total) - 1 or (peak == 0 and self.temperatures[0] > 0):
            flags.append(f"the peak is at the end of the grid, T = {self.temperatures[peak]:g}")
        known = math.inf if self.calibration is None else self._known(total)
        if distance > max(_SLACK * known, _FLOOR):
            flags.append(
                f"|m| or energy is {distance:.2g} standard deviations from the training data at the "
                f"temperatures that are read (held-out data: up to {known:.2g})"
            )
        spread = float(means.std())
        return NetworkReading(
            probabilities=total,
            peak=float(self.temperatures[peak]),
            mean=Estimate(float(means.mean()), spread / math.sqrt(len(means)), n=len(means)),
            spread=spread,
            distance=distance,
            flags=tuple(flags),
        )

    def calibrate(self, configurations: Sequence[Any]) -> Calibration:
        """What it does to configurations of its own temperatures, one entry [n, *shape] for each.

        Raises `UsageError` for another number of temperatures, and as `probabilities`.
        """
        if len(configurations) != len(self.temperatures):
            raise UsageError(
                f"{len(configurations)} ensembles do not match the {len(self.temperatures)} temperatures."
            )
        parts = [self.probabilities(one) for one in configurations]
        count = len(self.temperatures)
        labels = np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])
        every = np.concatenate(parts)
        best, top = every.argmax(axis=1), every.max(axis=1)
        right = best == labels
        bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
        sizes = np.bincount(bins, minlength=_BINS)
        with np.errstate(invalid="ignore"):
            confidence = np.bincount(bins, top, _BINS) / sizes
            accuracy = np.bincount(bins, right, _BINS) / sizes
        gap = np.where(sizes > 0, np.abs(accuracy - confidence), 0.0)
        readings = [part @ self.temperatures for part in parts]
        likely = np.maximum(every[np.arange(len(every)), labels], 1e-30)
        return Calibration(
            temperatures=self.temperatures,
            confusion=np.stack([np.bincount(p.argmax(axis=1), minlength=count) / len(p) for p in parts]),
            mean=np.array([r.mean() for r in readings]),
            spread=np.array([r.std() for r in readings]),
            confidence=confidence,
            accuracy=accuracy,
            share=sizes / len(every),
            ece=float(gap @ sizes / len(every)),
            correct=float(right.mean()),
            cross_entropy=float(-np.log(likely).mean()),
            distance=np.array(
                [self._distance(p.mean(axis=0), one) for p, one in zip(parts, configurations, strict=True)]
            ),
        )

    def _distance(self, probabilities: np.ndarray, configurations: Any) -> float:
        """Distance of ⟨|m|⟩ and ⟨e⟩ from the mixture of training data with these weights; the larger one."""
        measured = _profile(_spins(configurations, self.shape))
        worst = 0.0
        for column in (0, 2):
            mean, variance = self.profile[:, column], self.profile[:, column + 1]
            expected = probabilities @ mean
            width = math.sqrt(probabilities @ (variance + (mean - expected) ** 2) + 1 / self._sites**2)
            worst = max(worst, abs(measured[column] - expected) / width)
        return float(worst)

    def _known(self, probabilities: np.ndarray) -> float:
        """The largest distance of held-out ensembles at temperatures that are read."""
        assert self.calibration is not None
        return float(np.max(self.calibration.distance[probabilities >= 0.1 * probabilities.max()]))

    @property
    def _sites(self) -> int:
        return math.prod(self.shape)


def train_thermometer(
    configurations: Sequence[Any],
    temperatures: Sequence[float],
    *,
    hidden: int = 128,
    depth: int = 2,
    steps: int = 3000,
    batch: int = 250,
    learning_rate: float = 1e-3,
    key: PRNGKeyArray,
) -> NetworkThermometer:
    """Train a classifier on configurations of known temperature; every fifth one is kept for calibration.

    A fully connected network with `depth` layers of `hidden` tanh units and a softmax, trained on the cross
    entropy with Adam. Source of the idea: Iso, Shiba, Yokoo, Phys. Rev. E 97, 053304 (2018).

    Args:
        configurations: one entry [n, *shape] of spins ±1 for each temperature, n >= 10.
        temperatures: rising, 2 to 127 of them.

    Raises:
        UsageError: numbers of entries that do not match, temperatures that do not rise, too few
            configurations, different lattices, anything but spins ±1.

    >>> rng = np.random.default_rng(0)
    >>> ordered, random = np.ones((200, 4, 4)), rng.choice([-1.0, 1.0], size=(200, 4, 4))
    >>> found = train_thermometer([ordered, random], [1.0, 9.0], steps=200, key=jax.random.key(0))
    >>> found.read(ordered[:5]).peak, found.calibration.correct > 0.95
    (1.0, True)
    """
    grid = np.asarray(temperatures, np.float64)
    if len(configurations) != len(grid) or not 2 <= len(grid) <= 127 or not np.all(np.diff(grid) > 0):
        raise UsageError(
            f"{len(configurations)} ensembles and temperatures {grid.tolist()} do not match; give one "
            "ensemble for each of 2 to 127 rising temperatures."
        )
    shape = np.shape(configurations[0])[1:]
    data = [_spins(one, shape) for one in configurations]
    if min(len(one) for one in data) < 2 * _HELD_OUT:
        raise UsageError(
            f"{min(map(len, data))} configurations at a temperature are too few; take 10 or more."
        )
    held = [one[::_HELD_OUT] for one in data]
    kept = [np.delete(one, np.s_[::_HELD_OUT], axis=0) for one in data]
    rows = [
        np.concatenate([one.reshape(len(one), -1), np.full((len(one), 1), k, np.int8)], axis=1)
        for k, one in enumerate(kept)
    ]
    starting, training = jax.random.split(key)
    network = eqx.nn.MLP(
        math.prod(shape), len(grid), hidden, depth, jnp.tanh, dtype=jnp.float32, key=starting
    )
    plan = Plan(steps=steps, batch=batch, learning_rate=learning_rate, steps_per_call=min(steps, 100))
    state = TrainState.create(_Classifier(network), plan, key=training)
    result = train(state, _cross_entropy, RowBatches(jnp.asarray(np.concatenate(rows))), plan)
    profile = np.stack([_profile(one) for one in kept])
    found = NetworkThermometer(result.state.model, grid, tuple(shape), profile)
    return NetworkThermometer(result.state.model, grid, tuple(shape), profile, found.calibrate(held))


def _cross_entropy(model: _Classifier, rows: Int[Array, "n columns"]) -> tuple[Scalar, dict[str, Scalar]]:
    logits = model(rows[:, :-1].astype(jnp.float32))
    labels = rows[:, -1:].astype(jnp.int32)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels, axis=1)
    return -jnp.mean(chosen), {}


@eqx.filter_jit
def _softmax(classifier: _Classifier, x: Array) -> Array:
    return jax.nn.softmax(classifier(x))


def _spins(configurations: Any, shape: tuple[int, ...]) -> np.ndarray:
    x = np.asarray(configurations)
    if x.ndim != len(shape) + 1 or x.shape[1:] != tuple(shape) or not len(x):
        raise UsageError(
            f"configurations have shape {x.shape}, but the thermometer reads [n, "
            f"{', '.join(map(str, shape))}]: on another lattice T means another law."
        )
    if not np.all(np.abs(x) == 1):
        bad = x[np.abs(x) != 1].flat[0]
        raise UsageError(f"configurations hold {bad:g}; a thermometer reads spins -1 and +1.")
    return x.astype(np.int8)


def _profile(x: np.ndarray) -> np.ndarray:
    """Mean and variance of |m| and of the energy per site with J = 1."""
    s = x.astype(np.float32)
    axes = tuple(range(1, x.ndim))
    size = abs(s.mean(axis=axes))
    energy = -sum((s * np.roll(s, 1, axis=axis)).mean(axis=axes) for axis in axes)
    return np.array([size.mean(), size.var(), np.mean(energy), np.var(energy)], np.float64)
