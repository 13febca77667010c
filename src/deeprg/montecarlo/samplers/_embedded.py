"""Cluster algorithms for XY and phi^4, through the Ising spins that are embedded in them."""

from collections.abc import Sequence

import numpy as np

from deeprg.hamiltonians import XY, AbstractHamiltonian, Phi4, frustrated
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
from ._cluster import one_hamiltonian, start_streams
from ._embedded_kernels import phi4_updates, rotor_updates
from ._random import streams

__all__ = ["EmbeddedSwendsenWang", "EmbeddedWolff"]


class _EmbeddedSampler(AbstractSampler):
    """What both algorithms share; `width` in the state is the half width of the proposals for phi^4."""

    single: bool

    def __init__(
        self, hamiltonians: Sequence[AbstractHamiltonian], chains: int, *, double_precision: bool = False
    ):
        self.hamiltonians = (one_hamiltonian(hamiltonians, self.name),)
        self.chains = checked_chains(chains)
        self.dtype = np.float64 if double_precision else np.float32
        model = self.hamiltonians[0]
        self.shape = model.lattice.shape
        if isinstance(model, XY):
            bonds = model.bonds()
            if (bonds.couplings < 0).any() and frustrated(bonds):
                raise UsageError(
                    f"The couplings are frustrated: clusters percolate far above the ordering, and "
                    f"'{self.name}' turns the whole lattice. Take 'metropolis', or 'tempering' over a grid."
                )
            neighbours, self.couplings = bonds.neighbours, bonds.couplings.ravel()
        elif isinstance(model, Phi4):
            there = model.lattice.neighbours()
            neighbours = there[:, [a for a in range(there.shape[1]) if model.lattice.shape[a // 2] > 1]]
            self.couplings = np.full(neighbours.size, 2.0)  # (phi_i - phi_j)^2 has -2 phi_i phi_j
        else:
            raise UsageError(
                f"'{self.name}' turns the Ising spins embedded in XY and phi^4, but the model is "
                f"{type(model).__name__}. For Ising and Potts take '{self.name.removeprefix('embedded-')}', "
                "for other fields 'hmc'."
            )
        self.table = neighbours.astype(np.uint32).ravel()

    def start(self, *, seed: int, order: Start) -> State:
        """All angles 0 (all fields 1), or angles uniform on the circle (standard normal fields)."""
        model = self.hamiltonians[0]
        words = start_streams(model, seed, self.chains)
        cold = np.zeros(self.shape) if isinstance(model, XY) else np.ones(self.shape)
        if isinstance(model, XY) and model.coupling < 0:
            cold = np.pi * (np.indices(self.shape).sum(axis=0) % 2)  # staggered, not frustrated: even extents
        fields = np.tile(cold, (self.chains, *(1 for _ in self.shape)))
        for chain in np.flatnonzero(~ordered_chains(order, self.chains)):
            rng = np.random.default_rng(words[chain])
            uniform = isinstance(model, XY)
            fields[chain] = rng.uniform(-np.pi, np.pi, self.shape) if uniform else rng.normal(size=self.shape)
        state = {"configurations": fields[None].astype(self.dtype)}
        return {**state, "width": np.ones((1, self.chains))} if isinstance(model, Phi4) else state

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`; `cluster_size` is the mean |C|/N of the cluster of a site."""
        return self._updated(state, draws, thin, self.single, False, seed, block)

    def thermalise(self, state: State, updates: int, *, seed: int) -> tuple[State, Info]:
        """So many Swendsen-Wang updates, also for single clusters; for phi^4 the proposals adapt here."""
        drawn = self._updated(state, 1, updates, False, True, seed, -1)
        return drawn.state, drawn.info

    def _updated(
        self, state: State, draws: int, thin: int, single: bool, adapt: bool, seed: int, block: int
    ) -> Draws:
        model, updates = self.hamiltonians[0], draws * thin * self.chains
        random = streams(seed, float(getattr(model, "temperature", 0.0)), self.chains, block)
        fields = state["configurations"][0].reshape(self.chains, -1).astype(np.float64)
        after, info, widths = dict(state), {"updates": updates}, np.zeros(self.chains)
        bonds = (self.table, self.couplings)
        if isinstance(model, Phi4):
            widths = state["width"][0].copy()
            square = model.mass_squared + len(self.couplings) / model.lattice.size  # one from each bond
            action = (square, model.quartic)

        def update(part: slice) -> tuple[np.ndarray, float, float]:
            kept = np.empty((draws, *fields[part].shape), self.dtype)
            if isinstance(model, Phi4):
                proposals = (widths[part], adapt)
                total, accepted = phi4_updates(
                    fields[part], kept, thin, *bonds, *action, *proposals, single, random[part]
                )
                return kept, total, accepted
            return kept, rotor_updates(fields[part], kept, thin, *bonds, single, random[part]), 0.0

        parts, seconds = over_chains(update, self.chains, self.threads)
        kept, total = np.concatenate([part[0] for part in parts], axis=1), sum(part[1] for part in parts)
        info |= {"cluster_size": total / updates, "seconds": seconds}
        if isinstance(model, Phi4):
            after["width"] = widths[None]
            info["acceptance"] = sum(part[2] for part in parts) / updates
        configurations = kept.reshape(draws, 1, self.chains, *self.shape)
        after["configurations"] = configurations[-1].copy()
        return Draws(after, configurations, {name: np.array([float(x)]) for name, x in info.items()})


class EmbeddedWolff(_EmbeddedSampler):
    """Single clusters of the Ising spins embedded in XY and phi^4; one update is one cluster.

    XY: spins are split along a random direction r, and the signs of w_i = r.s_i are an Ising model with the
    couplings K |w_i w_j|; the cluster is reflected, s -> s - 2 (r.s) r. Bonds freeze with
    p = 1 - exp(-2 K w_i w_j) when this is positive: U. Wolff, Phys. Rev. Lett. 62, 361 (1989).

    phi^4: at fixed |phi_i| the signs are an Ising model. In S = sum [(d phi)^2 + m2 phi^2 + lambda phi^4]
    (no 1/2) a bond contributes -2 phi_i phi_j, hence J_ij = 2 |phi_i phi_j| and p = 1 - exp(-4 phi_i phi_j):
    R. C. Brower and P. Tamayo, Phys. Rev. Lett. 62, 1087 (1989). Then one Metropolis sweep moves the field
    itself; the width of its proposals adapts to half acceptance during thermalisation and stays in the state.

    `info` has `cluster_size` = ⟨|C|⟩/N and, for phi^4, `acceptance`. `double_precision` keeps float64.
    Raises `UsageError` for more than one temperature, frustrated couplings and other models.

    >>> from deeprg.lattice import Lattice
    >>> sampler = EmbeddedWolff([XY(Lattice((8, 8)), temperature=0.9)], chains=2)
    >>> drawn = sampler.run(sampler.start(seed=0, order="hot"), 10, 3, seed=0, block=0)
    >>> drawn.configurations.shape, drawn.configurations.dtype
    ((10, 1, 2, 8, 8), dtype('float32'))
    """

    name = "embedded-wolff"
    single = True

    def suggested_thin(self, info: Info) -> int:
        """As many clusters as visit every site once on average; one for phi^4, which has a sweep in each."""
        return 1 if isinstance(self.hamiltonians[0], Phi4) else whole_lattice(info["cluster_size"])


class EmbeddedSwendsenWang(_EmbeddedSampler):
    """All clusters of the Ising spins embedded in XY and phi^4; one update turns each with probability 1/2.

    Bonds as in `EmbeddedWolff`, and for phi^4 the same Metropolis sweep. `info["cluster_size"]` is
    sum_C |C|^2/N^2. Raises `UsageError` for more than one temperature, frustrated couplings and other models.

    >>> from deeprg.lattice import Lattice
    >>> sampler = EmbeddedSwendsenWang([Phi4(Lattice((8, 8)), mass_squared=-4.0, quartic=5.0)], chains=2)
    >>> state, info = sampler.thermalise(sampler.start(seed=0, order="hot"), 100, seed=0)
    >>> bool(0.3 < info["acceptance"][0] < 0.7), state["width"].shape
    (True, (1, 2))
    """

    name = "embedded-swendsen-wang"
    single = False
