"""All that the study measures: fields, reconstructions, coarse variables, the chain."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import BeliefNetwork
from deeprg.montecarlo import Estimate
from deeprg.probes import gauge_sign
from deeprg.studies._mehta_chain import HandBuilt, hand_built
from deeprg.studies._mehta_coarse import CoarseCurve, Decay, block_centres, coarse_curve, decay, likeness
from deeprg.studies._mehta_locality import Locality, block_fields, locality
from deeprg.studies._mehta_machines import (
    Case,
    Settings,
    bare_network,
    case_of,
    fields_of,
    penalised_layer,
    rows_of,
    train_network,
)
from deeprg.studies._mehta_reconstruction import (
    advantage,
    block_guesses,
    coarse_spins,
    leading_modes,
    mode_guess,
    network_guess,
    overlap,
)
from deeprg.studies._spins import ising_data

__all__ = [
    "BLOCKS",
    "FREE",
    "LEARNED",
    "SHUFFLED",
    "SORTED",
    "UNTRAINED",
    "Coarse",
    "Findings",
    "Remembered",
    "find",
]

LEARNED, FREE, UNTRAINED = "with L1", "without L1", "untrained"
SHUFFLED, SORTED, BLOCKS = "shuffled sites", "shuffled, sorted back", "block spins"

# Guesses of a configuration, beside those of the networks.
LIKELIEST, PAINTED, LINEAR = "with L1, likeliest units", "majority, painted", "majority, linear fit"
MODES, OTHER = "leading modes", "units of another"

_PICTURES = 6
_KNOWN = 8000  # configurations from which correlations and references are taken


@dataclass(frozen=True)
class Remembered:
    """Overlaps from the units of one layer, by the name of the guess.

    `ahead`: overlap of the network less that of painted majority spins, on the same configurations.
    """

    units: int
    side: int
    overlaps: dict[str, Estimate]
    ahead: dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class Coarse:
    """Correlations of the units of one layer, and of majority spins of blocks of as many sites, by case."""

    side: int
    curves: dict[str, CoarseCurve]
    decays: dict[str, Decay]


@dataclass
class Findings:
    """Everything that was measured. `pictures`: some held-out configurations and their guesses."""

    settings: Settings
    chain: HandBuilt
    cases: dict[str, Case] = field(default_factory=dict)
    penalties: dict[float, Locality] = field(default_factory=dict)
    remembered: list[Remembered] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    coarse: list[Coarse] = field(default_factory=list)
    likeness: dict[str, list[dict[int, np.ndarray]]] = field(default_factory=dict)

    @property
    def learned(self) -> Case:
        """The network as set."""
        return self.cases[LEARNED]

    def network(self, name: str) -> BeliefNetwork:
        """The network of a case that has one."""
        network = self.cases[name].network
        assert network is not None
        return network


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Make the data, train the networks and measure."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 64))
    temperature = 1 / settings.coupling
    say(f"data: {settings.samples} configurations at K = {settings.coupling:g}")
    spins = ising_data(settings.size, temperature, settings.samples, settings.seed)
    unseen = ising_data(settings.size, temperature, settings.held_out, settings.seed + 2**31)
    found = Findings(settings, hand_built(settings.ring, settings.chain_coupling, settings.copy_weight))
    # Configurations are stored draw by draw; the rows of a batch are taken at random.
    rows = rows_of(spins, settings.units)
    order = np.random.default_rng([settings.seed, 2]).permutation(settings.size**2)

    say(f"network {LEARNED} = {settings.penalty:g}: {_words(settings)}")
    learned = train_network(rows, settings.penalty, settings, say, key=next(keys))
    say(f"network {FREE}")
    free = train_network(rows, 0.0, settings, say, key=next(keys))
    say(f"network with L1 on {SHUFFLED}")
    shuffled = train_network(rows[:, order], settings.penalty, settings, say, key=next(keys))
    bare = bare_network(settings, key=next(keys))
    shape = settings.shape
    found.cases = {
        LEARNED: case_of(LEARNED, fields_of(learned, shape), learned),
        FREE: case_of(FREE, fields_of(free, shape), free),
        SHUFFLED: case_of(SHUFFLED, fields_of(shuffled, shape), shuffled),
        SORTED: case_of(SORTED, fields_of(shuffled, shape, order), shuffled),
        UNTRAINED: case_of(UNTRAINED, fields_of(bare, shape), bare),
        BLOCKS: case_of(BLOCKS, [block_fields(settings.size, side) for side in settings.sides]),
    }
    for penalty in settings.penalties:
        say(f"first layer with L1 = {penalty:g}")
        found.penalties[penalty] = locality(penalised_layer(rows, penalty, settings, say, key=next(keys)))
    found.penalties |= {0.0: found.cases[FREE].local[0], settings.penalty: found.learned.local[0]}

    say("reconstructions and coarse variables")
    known = _thinned(spins)
    modes = leading_modes(known)
    for depth, side in enumerate(settings.sides, 1):
        majority = coarse_spins(known, side, key=next(keys))
        guesses = _guesses(found, unseen, known, majority, modes, depth, key=next(keys))
        found.remembered.append(_remembered(settings.layers[depth - 1], side, unseen, guesses))
        found.coarse.append(_coarse(found, known, majority, order, depth, key=next(keys)))
    found.pictures = {"configuration": unseen[:_PICTURES].astype(np.float64)}
    found.pictures |= {name: guess[:_PICTURES] for name, guess in guesses.items()}
    found.likeness = {
        name: [{side: likeness(one, side) for side in settings.sides} for one in case.fields]
        for name, case in found.cases.items()
    }
    return found


def _words(settings: Settings) -> str:
    layers = "-".join(str(units) for units in (settings.size**2, *settings.layers))
    return f"{layers}, {settings.steps} steps for the first layer, {settings.upper_steps} for the others"


def _guesses(
    found: Findings,
    unseen: np.ndarray,
    known: np.ndarray,
    majority: np.ndarray,
    modes: np.ndarray,
    depth: int,
    *,
    key: PRNGKeyArray,
) -> dict[str, np.ndarray]:
    """The unseen configurations from the units of a layer, and from as many other numbers."""
    side, units = found.settings.sides[depth - 1], found.settings.layers[depth - 1]
    own = dict(zip((LEARNED, FREE, UNTRAINED, BLOCKS), jax.random.split(key, 4), strict=True))
    guesses = {
        name: network_guess(found.network(name), unseen, depth, key=own[name])
        for name in (LEARNED, FREE, UNTRAINED)
    }
    guesses[LIKELIEST] = network_guess(found.network(LEARNED), unseen, depth)
    blocks = block_guesses(coarse_spins(unseen, side, key=own[BLOCKS]), known, majority)
    guesses[PAINTED], guesses[LINEAR] = blocks["painted"], blocks["linear"]
    guesses[MODES] = mode_guess(unseen, modes, units)
    # Chains are drawn from in turn: the neighbour in the list comes from another chain.
    guesses[OTHER] = np.roll(guesses[LEARNED], 1, axis=0)
    return guesses


def _remembered(units: int, side: int, unseen: np.ndarray, guesses: dict[str, np.ndarray]) -> Remembered:
    return Remembered(
        units,
        side,
        {name: overlap(unseen, guess) for name, guess in guesses.items()},
        {name: advantage(unseen, guesses[name], guesses[PAINTED]) for name in (LEARNED, LIKELIEST)},
    )


def _coarse(
    found: Findings,
    known: np.ndarray,
    majority: np.ndarray,
    order: np.ndarray,
    depth: int,
    *,
    key: PRNGKeyArray,
) -> Coarse:
    """Correlations of the drawn units of a layer, beside those of majority spins and of shuffled sites."""
    here, there = jax.random.split(key)
    size, side = found.settings.size, found.settings.sides[depth - 1]
    flat, blocks = (x.reshape(len(x), -1) for x in (known, majority))
    curves = {
        LEARNED: _unit_curve(found, LEARNED, flat, depth, key=here),
        SHUFFLED: _unit_curve(found, SHUFFLED, flat[:, order], depth, key=there),
        BLOCKS: coarse_curve(blocks, block_centres(size, side), np.ones(blocks.shape[1]), size),
    }
    return Coarse(side, curves, {name: decay(curve, size, side) for name, curve in curves.items()})


def _unit_curve(
    found: Findings, name: str, flat: np.ndarray, depth: int, *, key: PRNGKeyArray
) -> CoarseCurve:
    case, network = found.cases[name], found.network(name)
    machine = network.machines[0]
    v = machine.visible.encode(jnp.asarray(flat, machine.weights.dtype))
    h = np.asarray(network.up(v, depth=depth, key=key))
    centre, sign = case.local[depth - 1].centre, gauge_sign(case.fields[depth - 1])
    return coarse_curve(h, centre, sign, found.settings.size)


def _thinned(spins: np.ndarray) -> np.ndarray:
    """Up to 8000 configurations from all over the set."""
    return spins[:: -(-len(spins) // _KNOWN)]
