"""Everything that the study measures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from deeprg.coarsegrain import build_block_rule, coarsen_ensemble
from deeprg.coarsegrain.boltzmann import BoltzmannLayer
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.lattice import Lattice
from deeprg.probes import RelativeMap, relative_map, vh_maps
from deeprg.studies._koch_flow import Stage, flow_stages, mean_abs, stage_of
from deeprg.studies._koch_machines import blank, scattered, train, train_stack
from deeprg.studies._koch_patterns import Patterns, patterns_of
from deeprg.studies._koch_settings import Settings
from deeprg.studies._progress import told
from deeprg.studies._spins import ising_data

__all__ = ["AVERAGE", "BLANK", "RBM_NAME", "SCATTERED", "Findings", "find"]

AVERAGE, RBM_NAME = "RG: block averages", "RBM"
BLANK, SCATTERED = "RBM, untrained", "RBM, spins scattered"
_BLOCKS = 10  # of the jackknife of the maps of the stack, which are large


@dataclass
class Findings:
    """Maps by coarse-graining, those of the stack by depth, two-point functions along the flows."""

    settings: Settings
    patterns: dict[str, Patterns] = field(default_factory=dict)
    profile: RelativeMap | None = None
    stack: dict[str, list[Patterns]] = field(default_factory=dict)
    flow: list[Stage] = field(default_factory=list)
    blocks: dict[str, list[Stage]] = field(default_factory=dict)
    magnetization: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def profile_numbers(self) -> dict[str, tuple[float, float]]:
        """⟨v h⟩ of block averages inside the block and at the first site outside, each with its error."""
        assert self.profile is not None
        value, error = self.profile.value, self.profile.error
        inside = [(0, 0), (0, 1), (1, 0), (1, 1)]
        outside = [(0, 2), (1, 2), (2, 0), (2, 1), (0, -1), (1, -1), (-1, 0), (-1, 1)]
        found = {}
        for name, sites in (("inside", inside), ("outside", outside)):
            rows = [(value[site], error[site]) for site in sites]
            # sites of one block share their configurations: the mean of their errors bounds that of the mean
            found[name] = (float(np.mean([v for v, _ in rows])), float(np.mean([e for _, e in rows])))
        return found


def find(settings: Settings, say: Callable[[str], None]) -> Findings:
    """Sample, train, and look at all the coarse-grainings."""
    keys = iter(jax.random.split(jax.random.key(settings.seed), 32))
    rng = np.random.default_rng([settings.seed, 1])
    found = Findings(settings)
    size = settings.size
    say(f"data: {settings.samples} configurations of {size}x{size} at T_c")
    x = ising_data(size, CRITICAL_TEMPERATURE, settings.samples, settings.seed)
    fresh = ising_data(
        size, CRITICAL_TEMPERATURE, max(settings.probed, settings.flow_chains), settings.seed + 1
    )
    probed = fresh[: settings.probed]
    fine, coarse = Lattice((size, size)), Lattice((size // 2, size // 2))
    rule = build_block_rule("average", fine, side=2)
    say("RG: averages of 2x2 blocks")
    found.profile = relative_map(rule, probed, key=next(keys), mean=True)
    reference = vh_maps(rule, probed, key=next(keys), mean=True)
    found.patterns[AVERAGE] = patterns_of(AVERAGE, reference, coarse)
    untrained = blank(fine.size, coarse.size, settings, next(keys))
    machines = {BLANK: untrained}
    for name, rows in ((RBM_NAME, x), (SCATTERED, scattered(x, rng))):
        say(f"{name}: {fine.size} and {coarse.size} units, {settings.steps} steps")
        machines[name] = train(untrained, rows, settings.steps, settings, told(say, name), next(keys))
    for name, machine in machines.items():
        maps = vh_maps(BoltzmannLayer(machine, fine), probed, key=next(keys), mean=True)
        found.patterns[name] = patterns_of(name, maps, coarse, reference)
    say("flow v -> h -> v' from data at T_c, and block-spin steps")
    start = fresh[: settings.flow_chains]
    found.flow = flow_stages(machines[RBM_NAME], start, settings.rounds, next(keys))
    for name in ("majority", "decimation"):
        options: dict[str, Any] = {"ties": "random"} if name == "majority" else {}
        blocks = build_block_rule(name, fine, side=2, **options)
        found.blocks[name] = [
            stage_of(0, start),
            stage_of(1, np.asarray(coarsen_ensemble(blocks, start, key=next(keys)))),
        ]
    _stack(found, say, keys)
    return found


def _stack(found: Findings, say: Callable[[str], None], keys: Any) -> None:
    """The stack of machines and the tower of blocks, from the same configurations."""
    settings = found.settings
    size = settings.stack_size
    say(f"stack: {settings.stack_samples} configurations of {size}x{size} at T_c")
    x = ising_data(size, CRITICAL_TEMPERATURE, settings.stack_samples, settings.seed + 2)
    probed = ising_data(size, CRITICAL_TEMPERATURE, settings.probed, settings.seed + 3)
    network = train_stack(x, settings, say, next(keys))
    lattices = [Lattice((size // 2**depth,) * 2) for depth in range(settings.depth + 1)]
    found.stack = {AVERAGE: [], RBM_NAME: []}
    found.magnetization = {"majority": [], RBM_NAME: []}
    for depth in range(1, settings.depth + 1):
        say(f"maps through {depth} layers")
        blocks = build_block_rule("average", lattices[0], side=2, steps=depth)
        layers = network.up_to(depth).coarse_graining(*lattices[: depth + 1])
        reference = vh_maps(blocks, probed, key=next(keys), mean=True, blocks=_BLOCKS)
        maps = vh_maps(layers, probed, key=next(keys), blocks=_BLOCKS)
        found.stack[AVERAGE].append(patterns_of(AVERAGE, reference, lattices[depth]))
        found.stack[RBM_NAME].append(patterns_of(RBM_NAME, maps, lattices[depth], reference))
        majority = build_block_rule("majority", lattices[0], side=2, steps=depth, ties="random")
        spins = np.asarray(coarsen_ensemble(majority, probed, key=next(keys)))
        found.magnetization["majority"].append(mean_abs(spins))
        units = np.asarray(coarsen_ensemble(layers, probed, key=next(keys))).reshape(len(probed), -1)
        signs = found.stack[RBM_NAME][-1].statistics.sign
        found.magnetization[RBM_NAME].append(mean_abs(units * signs))
