"""A worm update for dimer coverings: two monomers, one of which walks until they meet again."""

import math
import typing
from collections.abc import Sequence

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian, Dimers
from deeprg.montecarlo.samplers._base import (
    AbstractSampler,
    Draws,
    Info,
    Start,
    State,
    checked_chains,
    fixed_shape,
    mixed_start,
    over_chains,
    whole_lattice,
)
from deeprg.montecarlo.samplers._numba import kernel
from deeprg.montecarlo.samplers._random import next_bits, streams, unit
from deeprg.runs.errors import UsageError

__all__ = ["WormSampler"]

_HOT_BLOCK = -(2**62)  # random numbers of the start


class WormSampler(AbstractSampler):
    """Dimer coverings of an even square torus by worms; one update is one worm, that is one attempt.

    From a covering D with weight w(D) = exp(-H(D)):

    - *open*: choose a site a (probability 1/N), remove its dimer to b; accept with min(1, w(D')/w(D)). Now
      there are monomers at a, the tail, and at b, the head, and N/2 - 1 dimers D'. If refused, the update
      ends with D once more;
    - the head b chooses one of its 4 bonds. If it leads to the tail, *close*: put a dimer on that bond,
      accept with min(1, w(D)/w(D')), and the update ends. Otherwise it leads to a site c with a partner d;
      *move*: put a dimer on the bond b-c in place of c-d, with the head at d, accept with
      min(1, w(D'')/w(D')). What is refused leaves the state as it is, and the head chooses again.

    Detailed balance holds for the extended ensemble in which a state with monomers has weight eta w(D'),
    eta = 4/N: opening and closing balance because w(D) (1/N) min(1, w(D')/w(D)) equals
    (4/N) w(D') (1/4) min(1, w(D)/w(D')), moves because b-c and d-c are both chosen with probability 1/4.
    Coverings seen in it are then distributed with w(D), whatever the length of the worms. A worm can
    close around the torus, so all winding sectors are reached. Source: A. W. Sandvik and R. Moessner, Phys.
    Rev. B 73, 144504 (2006), here with Metropolis in place of directed loops; F. Alet et al., Phys.
    Rev. Lett. 94, 235702 (2005) for the model.

    Any sign of the interaction will do. `info` has `steps`, the proposals of the head per worm.

    Raises `UsageError` for other models and for more than one temperature.

    >>> from deeprg.lattice import Lattice
    >>> model = Dimers(Lattice((8, 8)), temperature=1.0, interaction=0.0)
    >>> sampler = WormSampler([model], chains=16)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 200, seed=0)
    >>> drawn = sampler.run(state, draws=20, thin=64, seed=0, block=0).configurations
    >>> all(model.is_valid(x) for x in drawn.reshape(-1, 8, 8))
    True
    """

    name = "worm"

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int):
        self.hamiltonians = tuple(hamiltonians)
        if len(self.hamiltonians) != 1:
            raise UsageError(
                f"The worm takes one temperature at a time, not {len(self.hamiltonians)}; run one by one."
            )
        model = self.hamiltonians[0]
        if not isinstance(model, Dimers):
            raise UsageError(
                f"The worm updates dimers, not {type(model).__name__}; for spins take 'wolff' or 'heat-bath'."
            )
        self.chains = checked_chains(chains)
        self.shape = fixed_shape(self.hamiltonians)
        self._model = model
        self._neighbours = model.lattice.neighbours().astype(np.int32)
        # The acceptance of a change of -2 ... 2 plaquettes with parallel dimers.
        self._acceptance = np.exp(np.minimum(-model.interaction / model.temperature * np.arange(-2, 3), 0))

    def start(self, *, seed: int, order: Start) -> State:
        """Columnar coverings, or these after a worm per site without interaction."""
        cold = self._model.columnar()
        generators = streams(seed, self._model.temperature, self.chains, _HOT_BLOCK)

        def hot(chain: int) -> np.ndarray:
            covering = cold.reshape(1, -1).copy()
            stream = generators[chain : chain + 1]
            _worms(covering, self._neighbours, np.ones(5), stream, covering.size)
            return covering.reshape(self.shape)

        return {"configurations": mixed_start(order, self.chains, cold, hot)[None]}

    @property
    def suggested_thermalisation(self) -> int:
        """Ten worms per site, more by exp(2|v|/T) in the cold, up to a million."""
        cold = min(2 * abs(self._model.interaction) / self._model.temperature, 12.0)
        return min(round(10 * self._model.lattice.size * math.exp(cold)), 1_000_000)

    def suggested_thin(self, info: Info) -> int:
        """As many worms as have a step of the head for every site on average."""
        return whole_lattice(info["steps"] / self._model.lattice.size)

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        coverings = state["configurations"].reshape(self.chains, -1).astype(np.int8)
        generators = streams(seed, self._model.temperature, self.chains, block)
        kept = np.empty((draws, *coverings.shape), np.int8)

        def update(part: slice) -> int:
            steps = 0
            for draw in range(draws):
                steps += _worms(coverings[part], self._neighbours, self._acceptance, generators[part], thin)
                kept[draw, part] = coverings[part]
            return steps

        parts, seconds = over_chains(update, self.chains, self.threads)
        steps = sum(parts)
        updates = float(draws * thin * self.chains)
        configurations = kept.reshape(draws, 1, self.chains, *self.shape)
        info = {
            "updates": np.array([updates]),
            "seconds": np.array([seconds]),
            "steps": np.array([steps / updates]),
        }
        return Draws({**state, "configurations": configurations[-1].copy()}, configurations, info)


@kernel
@typing.no_type_check
def _parallel(covering, neighbours, site, direction):
    """How many dimers lie parallel beside the bond from `site` in `direction`.

    >>> neighbours = np.array([[1, 1, 2, 2], [0, 0, 3, 3], [3, 3, 0, 0], [2, 2, 1, 1]])
    >>> _parallel(np.array([0, 1, 0, 1], np.int8), neighbours, 1, 1)
    2
    """
    begin = neighbours[site, direction] if direction & 1 else site
    along = direction & 2
    beside = 2 - along
    count = 0
    if covering[neighbours[begin, beside]] == along:
        count += 1
    if covering[neighbours[begin, beside + 1]] == along:
        count += 1
    return count


@kernel
@typing.no_type_check
def _worms(coverings, neighbours, acceptance, generators, count):
    """`count` worms in each covering, int8 [chains, sites]; returns how many times a head chose a bond."""
    chains, sites = coverings.shape
    steps = 0
    for chain in range(chains):
        covering, generator = coverings[chain], generators[chain]
        for _ in range(count):
            tail = int(unit(next_bits(generator)) * sites)
            direction = int(covering[tail])
            lost = _parallel(covering, neighbours, tail, direction)
            if unit(next_bits(generator)) >= acceptance[2 - lost]:
                continue
            head = neighbours[tail, direction]
            covering[tail] = covering[head] = -1
            closed = False
            while not closed:
                steps += 1
                bits = next_bits(generator)  # the two lowest choose the bond, the upper 53 are compared
                direction = int(bits & np.uint64(3))
                there = neighbours[head, direction]
                if there == tail:
                    gained = _parallel(covering, neighbours, head, direction)
                    closed = unit(bits) < acceptance[2 + gained]
                    if closed:
                        covering[head], covering[tail] = direction, direction ^ 1
                else:
                    old = int(covering[there])
                    partner = neighbours[there, old]
                    lost = _parallel(covering, neighbours, there, old)
                    covering[there] = covering[partner] = -1
                    gained = _parallel(covering, neighbours, head, direction)
                    if unit(bits) < acceptance[2 + gained - lost]:
                        covering[head], covering[there] = direction, direction ^ 1
                        head = partner
                    else:
                        covering[there], covering[partner] = old, old ^ 1
    return steps
