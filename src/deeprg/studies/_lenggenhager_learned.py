"""Rules that a search finds from samples alone, and what they do to the action, exactly."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from deeprg.coarsegrain.information import BlockReader, Surroundings, fit_rsmi, retained_information
from deeprg.exact.blocking import Decimation, Majority, Soft, UserRule
from deeprg.montecarlo.information import InformationEstimate
from deeprg.studies._lenggenhager_measure import Bench, Measured
from deeprg.train import Plan

__all__ = ["Learned", "chain_samples", "learned_rule", "sharp_rule"]

_HELD_OUT = 0.75
_BATCH, _RATE = 2000, 5e-3
_JUDGING = 600


@dataclass(frozen=True)
class Learned:
    """One rule that was found from samples.

    weights: of the linear rule.
    estimate: I(X:E) of the sharp rule from samples held out.
    sharp, soft: the same rule measured exactly, as judged and as trained (with the strength it had then).
    decimation, majority: the named rules, exactly; `judged` the estimate of decimation from the same samples.
    shuffled: the search once more, on blocks and environments of different samples.
    """

    weights: tuple[float, ...]
    estimate: InformationEstimate
    sharp: Measured
    soft: Measured
    decimation: Measured
    majority: Measured
    judged: InformationEstimate
    shuffled: InformationEstimate

    @property
    def ratio(self) -> float:
        """Largest over smallest weight."""
        sizes = np.abs(self.weights)
        return float(sizes.max() / max(sizes.min(), np.finfo(float).tiny))


def chain_samples(coupling: float, buffer: int, count: int, seed: int) -> tuple[np.ndarray, Surroundings]:
    """Independent samples of a pair in the infinite chain and the two spins beyond a buffer of it.

    In order of place: environment, pair, environment [count, 4]; the spins between are summed over, which
    leaves bonds with a mean product tanh(K)^distance.

    >>> spins, _ = chain_samples(0.5, 1, 100_000, 0)
    >>> bool(abs(np.mean(spins[:, 0] * spins[:, 1]) - np.tanh(0.5) ** 2) < 0.01)
    True
    """
    rng = np.random.default_rng(seed)
    distances = np.array([buffer + 1, 1, buffer + 1])
    equal = rng.random((count, 3)) < (1 + np.tanh(coupling) ** distances) / 2
    bonds = np.where(equal, 1, -1).astype(np.int8)
    first = rng.choice(np.array([-1, 1], np.int8), (count, 1))
    spins = np.cumprod(np.concatenate([first, bonds], axis=1), axis=1, dtype=np.int8)
    return spins, Surroundings(4, block=(1, 2), environment=(0, 3))


def sharp_rule(weights: np.ndarray) -> UserRule:
    """x = sign(sum of weights times spins), +1 where that is 0.

    >>> sharp_rule(np.array([2.0, -1.0])).table(2)[:, 0].tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    return UserRule(lambda spins: (spins @ weights >= 0).astype(float))


def learned_rule(bench: Bench, around: Surroundings, spins: np.ndarray, steps: int, seed: int) -> Learned:
    """Search a linear rule in the samples, and measure it in the bench."""
    keys = jax.random.split(jax.random.key(seed), 3)
    plan = Plan(steps=steps, batch=_BATCH, learning_rate=_RATE, steps_per_call=50)
    judging = Plan(steps=min(steps, _JUDGING), batch=_BATCH, learning_rate=_RATE, steps_per_call=50)
    found = fit_rsmi(around, spins, plan, judging=judging, held_out=_HELD_OUT, key=keys[0])
    weights = np.asarray(found.reader.weights, np.float64)[0]
    one = BlockReader(jnp.asarray(np.eye(len(weights))[:1], jnp.float32), None, 1)
    judged = retained_information(one, around, spins, judging, held_out=_HELD_OUT, key=keys[1])
    return Learned(
        tuple(weights.tolist()),
        found.retained,
        bench.measure("learned, sharp", sharp_rule(weights)),
        bench.measure("learned, as trained", Soft(weights)),
        bench.measure("decimation", Decimation(0)),
        bench.measure("majority", Majority(ties="random")),
        judged,
        _shuffled(around, spins, judging, keys[2]),
    )


def _shuffled(around: Surroundings, spins: np.ndarray, plan: Plan, key: jax.Array) -> InformationEstimate:
    """Blocks of one configuration beside the environment of the next."""
    table = around.table(spins)
    apart = table.copy()
    apart[:, list(around.block)] = np.roll(table[:, list(around.block)], 1, axis=0)
    fixed = Surroundings(around.sites, around.block, around.environment)  # nothing may move
    return fit_rsmi(fixed, apart, plan, held_out=_HELD_OUT, key=key).retained
