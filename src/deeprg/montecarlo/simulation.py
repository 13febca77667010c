"""What to simulate and how: the choices that a user leaves open are made here."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from deeprg.hamiltonians import MODELS, AbstractHamiltonian, build_model
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import ALGORITHMS, AbstractSampler, Start, build_sampler, choose_algorithm
from deeprg.runs.errors import UsageError, nearest

__all__ = ["Group", "Simulation"]

_BLOCK_BYTES, _SMALL_BLOCK_BYTES = 8 << 20, 1 << 19
_LONGEST_BLOCK = 1024
_BLOCKS = 20  # about so many, for progress and for what a kill can lose
_FEWEST = 8  # draws per chain below which there is nothing to average


class Group(NamedTuple):
    """A sampler and the numbers of the temperatures that it treats in one call."""

    sampler: AbstractSampler
    temperatures: tuple[int, ...]


@dataclass(frozen=True)
class Simulation:
    """What to simulate: a model of `deeprg.hamiltonians.MODELS` at one or several temperatures, and how.

    `samples` configurations are kept at every temperature, divided among `chains`, `thin` updates apart,
    after `thermalise` updates. None leaves a choice to the program: the algorithm to `choose_algorithm`,
    `chains` to the algorithm, `thin` to 1 or, for single clusters, to as many as visit each site once,
    `thermalise` to the algorithm's guess. `plan` fills them in.

    >>> plan = Simulation("ising", (16, 16), (2.0, 2.5), samples=1000).plan()
    >>> plan.algorithm, plan.chains, plan.draws
    ('wolff', 4, 250)
    """

    model: str
    shape: tuple[int, ...]
    temperatures: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str | None = None
    samples: int = 10_000
    chains: int | None = None
    thin: int | None = None
    thermalise: int | None = None
    seed: int = 0
    start: Start = "mixed"
    keep_configurations: bool = True
    reason: str = "asked for"
    block: int = 0

    @property
    def draws(self) -> int:
        """Configurations kept per chain, at least 8."""
        return max(math.ceil(self.samples / (self.chains or 1)), _FEWEST)

    def hamiltonians(self) -> tuple[AbstractHamiltonian, ...]:
        """One Hamiltonian per temperature; `UsageError` where the model refuses."""
        if self.model not in MODELS:
            raise UsageError(
                f"There is no model '{self.model}'.{nearest(self.model, MODELS)} Known: {', '.join(MODELS)}."
            )
        lattice, entry = Lattice(self.shape), MODELS[self.model]
        if not entry.has_temperature:
            if self.temperatures:
                raise UsageError(
                    f"The model '{self.model}' has no temperature, its weight is exp(-S). "
                    f"It has {', '.join(entry.options)}."
                )
            return (build_model(self.model, lattice, None, **self.options),)
        if not self.temperatures:
            raise UsageError(f"The model '{self.model}' needs a temperature, for example 2.5 or 2.0:2.6:0.1.")
        repeated = {t for t in self.temperatures if self.temperatures.count(t) > 1}
        if repeated:
            raise UsageError(f"The temperature {min(repeated):g} is given twice.")
        return tuple(build_model(self.model, lattice, float(t), **self.options) for t in self.temperatures)

    def groups(self) -> list[Group]:
        """The samplers of a planned simulation; `UsageError` where the algorithm cannot treat the model."""
        assert self.algorithm is not None, "call plan() first"
        assert self.chains is not None, "call plan() first"
        hamiltonians = self.hamiltonians()
        if self.algorithm in ALGORITHMS and ALGORITHMS[self.algorithm].load().batched:
            together = build_sampler(self.algorithm, hamiltonians, self.chains)
            return [Group(together, tuple(range(len(hamiltonians))))]
        return [
            Group(build_sampler(self.algorithm, [h], self.chains), (t,)) for t, h in enumerate(hamiltonians)
        ]

    def plan(self) -> "Simulation":
        """The simulation with every choice made; raises `UsageError` for what cannot be simulated."""
        for name, least in (("samples", 1), ("chains", 1), ("thin", 1), ("thermalise", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} = {value} must be at least {least}.")
        algorithm, reason = self.algorithm, self.reason
        if algorithm is None:
            algorithm, reason = choose_algorithm(self.hamiltonians())
        chains = self.chains
        if chains is None:
            chains = min(_CHAINS.get(algorithm, 4), max(self.samples // _FEWEST, 1))
        planned = dataclasses.replace(self, algorithm=algorithm, reason=reason, chains=chains)
        groups = planned.groups()
        thermalise = self.thermalise
        if thermalise is None:
            thermalise = max(group.sampler.suggested_thermalisation for group in groups)
        together = max(len(group.temperatures) for group in groups)
        kept = 4 * chains * together * math.prod(self.shape)  # bytes of one draw, at most
        wanted = max(math.ceil(planned.draws / _BLOCKS), _SMALL_BLOCK_BYTES // kept)
        block = min(_BLOCK_BYTES // kept, _LONGEST_BLOCK, wanted, planned.draws)
        return dataclasses.replace(planned, thermalise=thermalise, block=max(block, 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives the same simulation."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Simulation":
        """The simulation with the given values, lists for tuples allowed.

        >>> plan = Simulation("ising", (8, 8), (2.0,)).plan()
        >>> Simulation.from_dict(plan.to_dict()) == plan
        True
        """
        lists = {"shape": tuple(values["shape"]), "temperatures": tuple(values["temperatures"])}
        return cls(**{**values, **lists})


_CHAINS = {
    "metropolis": 16,
    "heat-bath": 16,
    "multispin": 64,
    "bit-parallel": 64,
    "tempering": 16,
    "hmc": 16,
    "nuts": 16,
}
