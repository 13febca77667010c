"""Samplers: Markov chains of lattice models, local, cluster, bit-parallel, Hamiltonian, tempered, worm.

Modules are imported when an algorithm is first used, so that numba and blackjax cost nothing before.
"""

import importlib
from collections.abc import Sequence
from typing import NamedTuple

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.runs.errors import UsageError, nearest

from ._base import AbstractSampler, Draws, Info, Start, State, checked_chains, ordered_chains, seed_sequence
from ._choice import Choice, choose_algorithm

__all__ = [
    "ALGORITHMS",
    "AbstractSampler",
    "Algorithm",
    "Choice",
    "Draws",
    "Info",
    "Start",
    "State",
    "build_sampler",
    "checked_chains",
    "choose_algorithm",
    "ordered_chains",
    "seed_sequence",
]


class Algorithm(NamedTuple):
    """A registered algorithm: where its class is, what one update is, what it is good for.

    `module` is a private module of this package, or the full name of one elsewhere.

    >>> ALGORITHMS["wolff"].update
    'cluster'
    """

    module: str
    cls: str
    update: str
    summary: str

    def load(self) -> type[AbstractSampler]:
        """The class, imported now."""
        package = __name__ if self.module.startswith("_") else ""
        return getattr(importlib.import_module(f"{package}.{self.module}".lstrip(".")), self.cls)


ALGORITHMS: dict[str, Algorithm] = {
    "metropolis": Algorithm("_local", "Metropolis", "sweep", "single sites, all but dimers, CPU or GPU"),
    "heat-bath": Algorithm("_local", "HeatBath", "sweep", "single spins given their neighbours, any field"),
    "multispin": Algorithm(
        "_multispin", "MultispinSampler", "sweep", "64 Ising replicas in a machine word, Metropolis"
    ),
    "bit-parallel": Algorithm(
        "_bit_parallel", "BitParallelSampler", "sweep", "32 Ising replicas in a word, in JAX, CPU or GPU"
    ),
    "wolff": Algorithm("_cluster", "WolffSampler", "cluster", "single clusters of Ising or Potts spins"),
    "swendsen-wang": Algorithm(
        "_cluster", "SwendsenWangSampler", "sweep", "all clusters at once of Ising or Potts spins"
    ),
    "embedded-wolff": Algorithm(
        "_embedded", "EmbeddedWolff", "cluster", "single clusters of embedded Ising spins, XY and phi^4"
    ),
    "embedded-swendsen-wang": Algorithm(
        "_embedded", "EmbeddedSwendsenWang", "sweep", "all clusters of embedded Ising spins, XY and phi^4"
    ),
    "hmc": Algorithm("_hmc", "HMC", "trajectory", "continuous fields, ten leapfrog steps"),
    "nuts": Algorithm("_hmc", "NUTS", "trajectory", "continuous fields, trajectories of their own length"),
    "tempering": Algorithm("_tempering", "Tempering", "sweep", "Metropolis with exchanges of temperatures"),
    "worm": Algorithm("_worm", "WormSampler", "worm", "dimers on the square lattice, with interaction"),
}


def build_sampler(name: str, hamiltonians: Sequence[AbstractHamiltonian], chains: int) -> AbstractSampler:
    """The sampler of that name; `UsageError` with the nearest name, or why it cannot treat the model.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> build_sampler("metropolis", [Ising(Lattice((4, 4)), temperature=2.0)], chains=2).chains
    2
    """
    if name not in ALGORITHMS:
        raise UsageError(
            f"There is no algorithm '{name}'.{nearest(name, ALGORITHMS)} Known: {', '.join(ALGORITHMS)}."
        )
    sampler = ALGORITHMS[name].load()
    return sampler(hamiltonians, chains)  # pyright: ignore[reportCallIssue]
