"""Wolff's and Swendsen and Wang's cluster algorithms for Ising and Potts spins."""

from collections.abc import Sequence

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian, Bonds, Ising, Potts, RandomBondIsing, frustrated, gauge
from deeprg.runs.errors import UsageError

from ._base import (
    AbstractSampler,
    Draws,
    Info,
    Start,
    State,
    checked_chains,
    ordered_chains,
    over_chains,
    whole_lattice,
)
from ._cluster_kernels import cluster_updates
from ._random import streams

__all__ = [
    "SwendsenWangSampler",
    "WolffSampler",
    "cluster_bonds",
    "one_hamiltonian",
    "start_streams",
]

_EMPTY = np.zeros(0, np.uint32)
_START = -(2**62)  # the block of the random start, far from those of the draws


class _ClusterSampler(AbstractSampler):
    """What both algorithms share; inside, a spin is 0 ... q - 1, for Ising after the gauge transformation."""

    single: bool

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int):
        self.hamiltonians = (one_hamiltonian(hamiltonians, self.name),)
        self.chains = checked_chains(chains)
        model = self.hamiltonians[0]
        if not isinstance(model, Ising | RandomBondIsing | Potts):
            raise UsageError(
                f"'{self.name}' turns clusters of Ising or Potts spins, not of {type(model).__name__}. "
                f"For XY and phi^4 take 'embedded-{self.name}', for other fields 'hmc'."
            )
        self.shape = model.lattice.shape
        bonds = cluster_bonds(model, self.name)
        self.states = model.states if isinstance(model, Potts) else 2
        self.signs = None if isinstance(model, Potts) else gauge(bonds)
        # A bond of equal spins is frozen with 1 - exp(-difference of its two energies).
        gain = np.abs(bonds.couplings) * (1.0 if isinstance(model, Potts) else 2.0)
        self.probabilities = -np.expm1(-gain)
        self.table, self.thresholds, self.high, self.low = _tables(bonds.neighbours, self.probabilities)

    def start(self, *, seed: int, order: Start) -> State:
        """All spins in the ground state that the couplings allow, or each drawn at random."""
        size = int(np.prod(self.shape))
        words = start_streams(self.hamiltonians[0], seed, self.chains)
        ordered = ordered_chains(order, self.chains)
        spins = np.zeros((self.chains, size), np.uint8)
        for chain in np.flatnonzero(~ordered):
            spins[chain] = np.random.default_rng(words[chain]).integers(0, self.states, size, np.uint8)
        return {"configurations": self._decoded(spins)[None]}

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`; `cluster_size` is the mean |C|/N of the cluster of a site."""
        return self._updated(state, draws, thin, self.single, seed, block)

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """So many Swendsen-Wang sweeps, for Wolff too: from a random start single clusters stay small."""
        drawn = self._updated(state, 1, updates, False, seed, -1)
        return drawn.state, drawn.info

    def _updated(self, state: State, draws: int, thin: int, single: bool, seed: int, block: int) -> Draws:
        spins = self._encoded(state["configurations"][0])
        random = streams(seed, getattr(self.hamiltonians[0], "temperature", 0.0), self.chains, block)
        bonds = (self.table, self.thresholds, self.high, self.low)

        def update(part: slice) -> tuple[np.ndarray, float]:
            kept = np.empty((draws, *spins[part].shape), np.uint8)
            return kept, cluster_updates(spins[part], kept, thin, *bonds, self.states, single, random[part])

        parts, seconds = over_chains(update, self.chains, self.threads)
        kept, total = np.concatenate([part for part, _ in parts], axis=1), sum(some for _, some in parts)
        updates = draws * thin * self.chains
        info = {"cluster_size": total / updates, "updates": updates, "seconds": seconds}
        configurations = self._decoded(kept)[:, None]
        after = {**state, "configurations": configurations[-1].copy()}
        return Draws(after, configurations, {name: np.array([float(x)]) for name, x in info.items()})

    def _encoded(self, configurations: np.ndarray) -> np.ndarray:
        """Values 0 ... q - 1 [chains, N] of configurations [chains, *shape]."""
        spins = configurations.reshape(self.chains, -1)
        return spins.astype(np.uint8) if self.signs is None else (spins * self.signs > 0).astype(np.uint8)

    def _decoded(self, spins: np.ndarray) -> np.ndarray:
        """Configurations int8 [..., chains, *shape] of values [..., chains, N]."""
        spins = spins.view(np.int8)
        if self.signs is not None:
            spins = (2 * spins - 1) * self.signs
        return spins.reshape(*spins.shape[:-1], *self.shape)


class WolffSampler(_ClusterSampler):
    """Wolff's single clusters for Ising and Potts spins without field; one update is one cluster.

    From a random site the cluster grows over satisfied bonds (J_ij s_i s_j > 0, for Potts equal spins), each
    frozen with p = 1 - exp(-2 |J_ij|), for Potts 1 - exp(-K), and takes another value. Any table of
    neighbours and any couplings that are not frustrated will do: also antiferromagnets on bipartite lattices
    and all gauge transforms of a ferromagnet. U. Wolff, Phys. Rev. Lett. 62, 361 (1989).

    `info["cluster_size"]` is ⟨|C|⟩/N, which equals ⟨m^2⟩ (for Ising of the gauge-transformed spins).

    Raises `UsageError` for a field, frustrated couplings, more than one temperature and other models.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> sampler = WolffSampler([Ising(Lattice((4, 4)), temperature=2.269185314213022)], chains=8)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 20, seed=0)
    >>> drawn = sampler.run(state, 2000, 4, seed=0, block=0)
    >>> drawn.configurations.shape, drawn.configurations.dtype
    ((2000, 1, 8, 4, 4), dtype('int8'))
    >>> m2 = (drawn.configurations.mean((3, 4)) ** 2).mean()
    >>> print(f"{m2:.2f} {drawn.info['cluster_size'][0]:.2f}, exactly 0.7614")
    0.76 0.76, exactly 0.7614
    """

    name = "wolff"
    single = True

    def suggested_thin(self, info: Info) -> int:
        """As many clusters as visit every site once on average."""
        return whole_lattice(info["cluster_size"])


class SwendsenWangSampler(_ClusterSampler):
    """All clusters at once, for Ising and Potts spins without field; one update gives every spin a new value.

    Bonds are frozen as for `WolffSampler`; every cluster then takes any of the values with equal chance.
    R. H. Swendsen and J.-S. Wang, Phys. Rev. Lett. 58, 86 (1987).

    `info["cluster_size"]` is sum_C |C|^2/N^2, the mean fraction of the cluster to which a site belongs.

    Raises `UsageError` for a field, frustrated couplings, more than one temperature and other models.

    >>> from deeprg.hamiltonians import Potts
    >>> from deeprg.lattice import Lattice
    >>> sampler = SwendsenWangSampler([Potts(Lattice((4, 4)), temperature=1.0, states=3)], chains=2)
    >>> drawn = sampler.run(sampler.start(seed=0, order="hot"), 100, 2, seed=0, block=0)
    >>> np.unique(drawn.configurations).tolist()
    [0, 1, 2]
    """

    name = "swendsen-wang"
    single = False


def one_hamiltonian(hamiltonians: Sequence[AbstractHamiltonian], name: str) -> AbstractHamiltonian:
    """The only one of them; `UsageError` for more, since cluster algorithms take one temperature per call."""
    if len(hamiltonians) != 1:
        raise UsageError(
            f"'{name}' takes one Hamiltonian, not {len(hamiltonians)}: build one sampler per temperature."
        )
    return hamiltonians[0]


def cluster_bonds(model: Ising | RandomBondIsing | Potts, name: str) -> Bonds:
    """The bonds of a model that clusters can treat; `UsageError` with the reason otherwise.

    >>> from deeprg.lattice import Lattice
    >>> cluster_bonds(Ising(Lattice((4, 4)), temperature=2.0), "wolff").couplings[0].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    bonds = model.bonds()
    if bonds.field != 0:
        raise UsageError(
            f"'{name}' turns clusters for free only without a field, but h = {bonds.field:g}. "
            "Take 'heat-bath', which takes any field."
        )
    if isinstance(model, Potts):
        if (bonds.couplings < 0).any():
            raise UsageError(
                f"'{name}' joins equal Potts spins, but here the couplings favour different ones. "
                "Take 'heat-bath', or 'tempering' over a grid of temperatures."
            )
    elif (bonds.couplings < 0).any() and frustrated(bonds):
        raise UsageError(
            f"The couplings are frustrated: clusters percolate far above the ordering, and '{name}' turns "
            "the whole lattice. Take 'tempering' over a grid of temperatures, 'multispin' or 'heat-bath'."
        )
    return bonds


def start_streams(model: AbstractHamiltonian, seed: int, chains: int) -> np.ndarray:
    """Random words for the start of each chain, uint64 [chains, 4], apart from those of the updates."""
    return streams(seed, getattr(model, "temperature", 0.0), chains, _START)


def _tables(neighbours: np.ndarray, probabilities: np.ndarray):
    """The tables that `cluster_updates` takes: neighbours, thresholds, and (high, low) for 4 equal bonds."""
    size, width = neighbours.shape
    index = np.uint16 if size <= 2**16 else np.uint32  # the smaller, the more stays in the cache
    if width == 4 and np.ptp(probabilities) == 0:
        high = min(int(probabilities[0, 0] * 2**16), 2**16 - 1)
        low = min(int((probabilities[0, 0] * 2**16 - high) * 2.0**64), 2**64 - 1)
        return neighbours.astype(index).ravel(), _EMPTY, np.uint64(high), np.uint64(low)
    # An odd width is filled up by a bond of each site to itself that never freezes.
    table = np.tile(np.arange(size, dtype=index)[:, None], (1, width + width % 2))
    table[:, :width] = neighbours
    thresholds = np.zeros(table.shape, np.uint32)
    thresholds[:, :width] = np.minimum(np.rint(probabilities * 2.0**32), 2**32 - 1)
    return table.ravel(), thresholds.ravel(), np.uint64(0), np.uint64(0)
