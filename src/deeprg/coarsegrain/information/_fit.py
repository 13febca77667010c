"""RSMI: the rule for a block that keeps the most information of its environment, and how much that is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from numpy.typing import ArrayLike
from scipy.special import entr

from ...montecarlo.information import InformationEstimate, classified_information
from ...runs.errors import UsageError
from ...train import Plan, TrainState, train
from ._objective import Classifier, ReadInformation, RetainedInformation, classifier
from ._reader import BlockReader
from ._start import begun
from ._surroundings import Surroundings
from ._windows import Windows

__all__ = ["RSMI", "fit_rsmi", "retained_information"]

_FEWEST = 1000
_CHUNK, _VIEWS, _BLOCKS = 8192, 4, 50
_SURE = -20.0  # ln q of a state that was there, below which the classifier learned by heart


@dataclass(frozen=True, eq=False)
class RSMI:
    """What a search found.

    reader: the rule.
    retained: I(H:E) of its sharp hidden spins, a lower bound on configurations that no training saw.
    relaxed: the bound at the end of the search, of hidden spins that are drawn from p(h | v).
    seconds: of the search and of the judgement.
    """

    reader: BlockReader
    retained: InformationEstimate
    relaxed: float
    seconds: tuple[float, float]


def fit_rsmi(
    around: Surroundings,
    configurations: ArrayLike,
    plan: Plan,
    *,
    hidden: int = 1,
    width: int = 0,
    kinds: int = 2,
    mixed: bool = False,
    period: int = 1,
    judging: Plan | None = None,
    held_out: float = 0.25,
    key: PRNGKeyArray,
    on_chunk: Callable[[dict[str, Any]], None] | None = None,
    on_event: Callable[[str], None] | None = None,
) -> RSMI:
    """Search the rule that keeps the most information, in configurations [n, *lattice(, components)].

    Blocks are taken everywhere, at multiples of `period` (`Windows`). The last share `held_out` of the
    configurations judges: `retained_information` of the sharp rule. `plan` is of the search, `judging` of
    the classifier that judges (the same plan unless given); `width` 0 is a linear rule, else a network. A
    linear rule begins near the first `canonical_filters`, with `mixed` at a random mixture of them, so that
    several searches show all that are as good. Hidden units have `kinds` states: 2 of spins, q for Potts
    spins, whose configurations are `one_hot`. `on_chunk` is that of `train`, of the search, and
    `on_event` that of both trainings.

    Source: M. Koch-Janusz and Z. Ringel, Nature Phys. 14, 578 (2018), arXiv:1704.06279; D. E. Gökmen et al.,
    Phys. Rev. Lett. 127, 240603 (2021), arXiv:2101.11633, with another bound (`RetainedInformation`).
    Raises `UsageError` for configurations that do not match, NaN, too few of them, a share outside (0, 1).

    The environment is a copy of one site of the block, which the filter finds.

    >>> rows = np.random.default_rng(0).choice((-1, 1), size=(4000, 6))
    >>> rows[:, 4] = rows[:, 1]
    >>> around = Surroundings(6, block=(0, 1, 2), environment=(4,))
    >>> plan = Plan(steps=400, batch=200, learning_rate=0.01, steps_per_call=50)
    >>> found = fit_rsmi(around, rows, plan, key=jax.random.key(0))
    >>> int(np.argmax(np.abs(found.reader.weights))), round(found.retained.value, 2)
    (1, 0.69)
    """
    first, last = _split(around, configurations, held_out)
    keys = jax.random.split(key, 5)
    windows = _enough(Windows(around, jnp.asarray(first), period))
    size, rows = windows.size, len(around.environment) * first.shape[2]
    reader = BlockReader.create(size, hidden, width=width, kinds=kinds, key=keys[0])
    start = begun(reader, windows, mixed=mixed, key=keys[0])
    model = (start, classifier(rows, reader.count, key=keys[1]))
    starting = time.perf_counter()
    objective = RetainedInformation(size)
    state = TrainState.create(model, plan, key=keys[2])
    result = train(state, objective, windows, plan, on_chunk=on_chunk, on_event=on_event)
    reader, q = result.state.averaged
    searched = time.perf_counter()
    relaxed = -float(objective((reader, q), windows(keys[4], _CHUNK))[0])
    unseen = Windows(around, jnp.asarray(last), period)
    if on_event is not None:
        on_event("training the classifier that judges the sharp rule")
    retained = _judged(reader, windows, unseen, judging or plan, start=q, key=keys[3], on_event=on_event)
    return RSMI(reader, retained, relaxed, (searched - starting, time.perf_counter() - searched))


def retained_information(
    reader: BlockReader,
    around: Surroundings,
    configurations: ArrayLike,
    plan: Plan,
    *,
    period: int = 1,
    held_out: float = 0.25,
    key: PRNGKeyArray,
) -> InformationEstimate:
    """A lower bound of I(H:E) of the sharp hidden spins of a rule, H(h) + E ln q(h | e).

    A classifier q is trained on the first configurations and judged on the last, on a lattice in four places
    of each; the entropy of h is that of its counts there, with Miller's correction. The error is the
    jackknife's over consecutive configurations, and H(h) bounds from above.

    Raises `UsageError` as `fit_rsmi`.

    A block of one spin, and its neighbours in a ring of equal pairs:

    >>> from deeprg.lattice import Lattice
    >>> pairs = np.repeat(np.random.default_rng(0).choice((-1, 1), size=(4000, 4)), 2, axis=1)
    >>> around = Surroundings.on_lattice(Lattice((8,)), (1,), buffer=0, environment=1)
    >>> copy = BlockReader(jnp.ones((1, 1), jnp.float32), None, 1)
    >>> plan = Plan(steps=300, batch=500, learning_rate=0.01, steps_per_call=50)
    >>> found = retained_information(copy, around, pairs, plan, period=2, key=jax.random.key(0))
    >>> round(found.value, 2)
    0.69
    """
    first, last = _split(around, configurations, held_out)
    starting, judging = jax.random.split(key)
    seen, unseen = (_enough(Windows(around, jnp.asarray(part), period)) for part in (first, last))
    if reader.weights is not None and reader.weights.shape[1] != seen.size:
        raise UsageError(
            f"The rule reads {reader.weights.shape[1]} numbers, but the block has {seen.size}; Potts spins "
            "are read as `one_hot`."
        )
    q = classifier(len(around.environment) * first.shape[2], reader.count, key=starting)
    return _judged(reader, seen, unseen, plan, start=q, key=judging)


def _judged(
    reader: BlockReader,
    seen: Windows,
    unseen: Windows,
    plan: Plan,
    *,
    start: Classifier,
    key: PRNGKeyArray,
    on_event: Callable[[str], None] | None = None,
) -> InformationEstimate:
    training, looking = jax.random.split(key)
    objective = ReadInformation(reader, seen.size)
    state = TrainState.create(start, plan, key=training)
    q = train(state, objective, seen, plan, on_event=on_event).state.averaged
    views = 1 if unseen.around.lattice is None else _VIEWS  # nothing moves on a graph
    places = np.repeat(np.arange(len(unseen.table)), views)
    found = []
    for i in range(0, len(places), _CHUNK):
        here = jax.random.fold_in(looking, i)
        found.append(_likelihood(objective, q, unseen, jnp.asarray(places[i : i + _CHUNK]), here))
    states, log_q = (np.concatenate([np.asarray(x) for x in column]) for column in zip(*found, strict=True))
    return _estimate(states, log_q.astype(np.float64), reader.count)


@eqx.filter_jit
def _likelihood(
    objective: ReadInformation, q: Classifier, windows: Windows, numbers: Array, key: PRNGKeyArray
) -> tuple[Array, Array]:
    return objective.log_likelihood(q, windows.rows(numbers, key=key))


def _estimate(states: np.ndarray, log_q: np.ndarray, count: int) -> InformationEstimate:
    n = len(states)
    found = classified_information(states, log_q, count, blocks=_BLOCKS)
    entropy = float(entr(np.bincount(states, minlength=count) / n).sum())
    flags = []
    if log_q.min() < _SURE:
        flags.append(
            "The classifier was sure of states that were not there: it learned by heart; use more data."
        )
    method = "classifier bound, configurations held out"
    return InformationEstimate(found.value, found.error, n, method, None, flags).checked(entropy)


def _split(around: Surroundings, configurations: ArrayLike, held_out: float) -> tuple[np.ndarray, np.ndarray]:
    table = around.table(configurations)
    if len(table) < _FEWEST:
        raise UsageError(f"{len(table)} configurations are too few for information; take {_FEWEST} or more.")
    if not 0 < held_out < 1:
        raise UsageError(f"held_out = {held_out} is a share of the configurations, between 0 and 1.")
    last = len(table) - round(held_out * len(table))
    return table[:last], table[last:]


def _enough(windows: Windows) -> Windows:
    lattice = windows.around.lattice
    places = 1 if lattice is None else lattice.size // windows.period**lattice.ndim
    if len(windows.table) * places < 2 * windows.width:
        raise UsageError(
            f"{len(windows.table)} configurations with {places} places for a block are too few for "
            f"{windows.width} numbers of block and environment; take {2 * windows.width // places + 1} or "
            "more, or a narrower environment."
        )
    return windows
