"""The law that every sampler keeps, and the checks that they share."""

import abc
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.runs.errors import UsageError

__all__ = [
    "AbstractSampler",
    "Draws",
    "Info",
    "Start",
    "State",
    "checked_chains",
    "fixed_shape",
    "ordered_chains",
    "over_chains",
    "seed_sequence",
    "whole_lattice",
]

State = dict[str, np.ndarray]
"""Everything that the next update depends on, arrays [temperatures, ...]."""

Info = Mapping[str, np.ndarray]
"""What a run says about itself, one float per temperature: `updates`, and for example `acceptance`."""

Start = Literal["hot", "cold", "mixed"]
"""All chains disordered, all ordered, or every other one: chains that started apart must come to agree."""


class Draws(NamedTuple):
    """What one `run` returns: the state after it, the kept configurations, and what it says about itself.

    `configurations` is [draws, temperatures, chains, *shape].
    """

    state: State
    configurations: np.ndarray
    info: Info


class AbstractSampler(abc.ABC):
    """Markov chains of one model at one or several temperatures, each with its own chains.

    A subclass takes `hamiltonians` (one per temperature, of one model on one lattice) and the number of
    `chains` at each, refuses with a reason what it cannot treat, and defines:

    - `start(seed, order)`: the state before the first update;
    - `run(state, draws, thin, seed, block)`: `draws` times `thin` updates, a configuration kept after each
      `thin`. A pure function of its arguments, so that a run resumes bit for bit from a stored state; the
      random numbers come from (seed, temperature, chain, block);
    - `suggested_thermalisation`: updates after which a start is forgotten, a guess;
    - `reason`: one line on when one takes this algorithm.

    What one update is (a sweep, a cluster, a trajectory, a worm) stands in the class's docstring.
    """

    name: str
    batched: bool = False  # whether all temperatures run in one call; otherwise it takes exactly one

    threads: int = 1  # that `run` may use for its chains; the numbers do not depend on it

    hamiltonians: tuple[AbstractHamiltonian, ...]
    chains: int

    @abc.abstractmethod
    def start(self, *, seed: int, order: Start) -> State:
        """The state of all chains before the first update."""

    @abc.abstractmethod
    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """`draws` configurations, `thin` updates apart, and the state after the last."""

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """The state after so many updates; algorithms with parameters adapt them here, and only here."""
        drawn = self.run(state, 1, updates, seed=seed, block=-1)
        return drawn.state, drawn.info

    @property
    def suggested_thermalisation(self) -> int:
        """Updates after which a start should be forgotten."""
        return 200

    def suggested_thin(self, info: Info) -> int:
        """Updates between kept configurations, from what thermalisation said; one for sweeps."""
        del info
        return 1


def whole_lattice(share: np.ndarray) -> int:
    """How many updates that each visit a share of the sites visit every site once on average.

    >>> whole_lattice(np.array([0.3]))
    3
    """
    return max(round(1 / float(np.mean(share))), 1)


def seed_sequence(hamiltonians: Sequence[AbstractHamiltonian], *numbers: int) -> np.random.SeedSequence:
    """A seed of its own for the given Hamiltonians and numbers (seed, purpose, block …).

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> one, two = (seed_sequence([Ising(Lattice((4, 4)), temperature=t)], 0, 1) for t in (2.0, 2.5))
    >>> bool(one.generate_state(1)[0] == two.generate_state(1)[0])
    False
    """
    text = "\n".join(h.describe() for h in hamiltonians)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], np.uint32)
    return np.random.SeedSequence([*(n % 2**32 for n in numbers), *words.tolist()])


def over_chains(call: Callable[[slice], Any], chains: int, threads: int) -> tuple[list[Any], float]:
    """The results of `call` on slices that divide the chains among threads, and the processor time in all.

    >>> over_chains(lambda part: (part.start, part.stop), chains=5, threads=2)[0]
    [(0, 3), (3, 5)]
    """

    def timed(part: slice) -> tuple[Any, float]:
        begun = time.thread_time()  # waiting for a core or for Python is not sampling
        result = call(part)
        return result, time.thread_time() - begun

    size = -(-chains // min(threads, chains))
    parts = [slice(first, min(first + size, chains)) for first in range(0, chains, size)]
    if len(parts) == 1:
        done = [timed(parts[0])]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(timed, parts))
    return [result for result, _ in done], sum(seconds for _, seconds in done)


def fixed_shape(hamiltonians: Sequence[AbstractHamiltonian]) -> tuple[int, ...]:
    """The shape of the one lattice and model that all share; `UsageError` otherwise."""
    first = hamiltonians[0]
    for other in hamiltonians[1:]:
        if type(other) is not type(first) or other.lattice != first.lattice:
            raise UsageError(
                f"One sampler treats one model on one lattice, not {first.describe()} and {other.describe()}."
            )
    return first.lattice.shape


def checked_chains(chains: int) -> int:
    """The number of chains, at least one."""
    if chains < 1:
        raise UsageError(f"The number of chains is {chains}, but it must be at least 1.")
    return chains


def ordered_chains(order: Start, chains: int) -> np.ndarray:
    """Which chains start ordered, [chains].

    >>> ordered_chains("mixed", 4).tolist()
    [True, False, True, False]
    """
    if order == "mixed":
        return np.arange(chains) % 2 == 0
    if order not in ("hot", "cold"):
        raise UsageError(f"The start is 'hot', 'cold' or 'mixed', not '{order}'.")
    return np.full(chains, order == "cold")


def mixed_start(order: Start, chains: int, cold: np.ndarray, hot: Callable[[int], np.ndarray]) -> np.ndarray:
    """Chains [chains, *shape] of copies of `cold` and of what `hot(chain)` draws."""
    ordered = ordered_chains(order, chains)
    return np.stack([cold if ordered[c] else hot(c) for c in range(chains)])
