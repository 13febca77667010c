"""Multi-spin coding: one machine word carries a spin of 64 independent Ising chains."""

import math
import time
from collections.abc import Sequence

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo.samplers import _multispin_kernels as kernels
from deeprg.montecarlo.samplers._base import AbstractSampler, Draws, Start, State, checked_chains, fixed_shape
from deeprg.montecarlo.samplers._bits import (
    PERIOD,
    Rows,
    acceptances,
    binary_digits,
    equal_bonds,
    relaxation_sweeps,
    spin_start,
)
from deeprg.montecarlo.samplers._random import streams
from deeprg.runs.errors import UsageError

__all__ = ["MultispinSampler"]

_ALL = np.uint64(2**64 - 1)


class MultispinSampler(AbstractSampler):
    """Checkerboard Metropolis for Ising spins, 64 chains in each word of 64 bits; one update is a sweep.

    For nearest neighbours of equal strength |J| = K T on lines, squares and cubes of even extents:
    ferromagnets, antiferromagnets, or ±J bonds. With n of the z neighbours antiparallel (each multiplied by
    its bond's sign) a flip costs dH = 2 K (z - 2 n) = 4 K c, c = z/2 - n, so Metropolis accepts it always
    for c <= 0 and with probability p^c, p = exp(-4 K), otherwise. Bits are added with XOR and AND: n, and
    then the masks of the chains with c = 1, 2, 3 in the word. For a random number u = 0.u1 u2 u3 ... of each
    chain the comparison u < p^c is decided at the first binary digit in which the two differ, and the
    digits d_k of the threshold are a choice by mask: d_k = OR_c (mask_c AND digit k of p^c). With
    undecided chains U, all at first, digit k accepts U & d & ~u, then U &= ~(u ^ d): one random word per
    digit serves 64 chains, and every chain sees bits of its own, so the chains are independent. The first
    12 digits are drawn for all, the rest for the words with undecided chains; a comparison still undecided
    after 64 digits (probability 2^-64) rejects, so p^c is used to 2^-64, less than its rounding as a double.

    Checkerboard Metropolis alone is not ergodic: when all spins have n = z/2 (stripes of width one, say), all
    flip for ever. So every 16th sweep, beginning with the first of each run, is heat bath, probability
    1/(1 + exp(4 K c)), which the same comparison yields for |c|, inverted where c < 0. With `heat_bath`
    all sweeps are.

    `chains` need not be a multiple of 64: the chains left over in the last word rest. See
    arXiv:1906.06297 for multi-spin coding on GPUs; the generators are xoshiro256++, 32 side by side.

    A spin takes 12/64 random words and, on AVX-512, 190 vector instructions per 512 spins besides the copies;
    `benchmarks/multispin.py` measures the rate beside the bound that the generators set.

    Raises `UsageError` for other models, odd extents, a field, bonds of unequal strength, and more than one
    temperature.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> sampler = MultispinSampler([Ising(Lattice((8, 8)), temperature=2.0)], chains=64)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 500, seed=0)
    >>> spins = sampler.run(state, draws=10, thin=10, seed=0, block=0).configurations
    >>> spins.shape, round(float(abs(spins.mean(axis=(-2, -1))).mean()), 1)
    ((10, 1, 64, 8, 8), 0.9)
    """

    name = "multispin"

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int, *, heat_bath: bool = False):
        self.hamiltonians = tuple(hamiltonians)
        if len(self.hamiltonians) != 1:
            raise UsageError(
                f"Multi-spin coding takes one temperature at a time, not {len(self.hamiltonians)}; "
                "'bit-parallel' takes several."
            )
        self.chains = checked_chains(chains)
        self.shape = fixed_shape(self.hamiltonians)
        self.period = 1 if heat_bath else PERIOD
        strength, signs = equal_bonds(self.hamiltonians[0], self.name)
        self._digits, self._heat = (
            (_ALL * binary_digits(table, kernels.DIGITS).astype(np.uint64)).T.reshape(-1).copy()
            for table in acceptances(strength)
        )
        self._groups = -(-self.chains // 64)
        rows = Rows(self.shape)
        self._parity, self._beside = rows.parity, rows.beside
        antiferro = bool((signs < 0).all())
        self._sign = _ALL if antiferro else np.uint64(0)
        if antiferro or (signs > 0).all():
            self._signs = np.zeros((2, signs.shape[1], 0), np.uint64)
        else:
            words = np.where(signs < 0, _ALL, np.uint64(0)).T.reshape(-1, *self.shape)
            halves = np.stack([rows.of_colour(words, colour) for colour in (0, 1)])
            self._signs = np.repeat(halves.reshape(2, len(words), -1), self._groups, axis=-1)
        in_use = np.full(self._groups, _ALL)
        if self.chains % 64:
            in_use[-1] = np.uint64(2 ** (self.chains % 64) - 1)
        self._used = np.tile(in_use, math.prod(self.shape) // 2)

    def start(self, *, seed: int, order: Start) -> State:
        """All spins equal, or drawn at random."""
        return spin_start(1, self.chains, self.shape, seed=seed, order=order)

    @property
    def suggested_thermalisation(self) -> int:
        """Ten relaxation times, about L^2 sweeps, within bounds."""
        return relaxation_sweeps(self.shape)

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        spins = np.ascontiguousarray(state["configurations"]).reshape(self.chains, -1)
        words = np.zeros((2, self._used.size), np.uint64)
        kernels.pack(spins, self._parity, self._groups, words)
        work = np.zeros((kernels.WORK_ROWS, kernels.LANES), np.uint64)
        temperature = getattr(self.hamiltonians[0], "temperature", 1.0)
        work[:4] = streams(seed, float(temperature), kernels.LANES, block).T
        work = work.reshape(-1)
        kept = np.empty((draws, self.chains, spins.shape[1]), np.int8)
        seconds = 0.0
        for draw in range(draws):
            begun = time.perf_counter()
            self._sweep(words, work, draw * thin, (draw + 1) * thin)
            seconds += time.perf_counter() - begun
            kernels.unpack(words, self._parity, self._groups, kept[draw])
        configurations = kept.reshape(draws, 1, self.chains, *self.shape)
        info = {"updates": np.array([float(draws * thin * self.chains)]), "seconds": np.array([seconds])}
        return Draws({**state, "configurations": configurations[-1].copy()}, configurations, info)

    def _sweep(self, words: np.ndarray, work: np.ndarray, begin: int, end: int) -> None:
        kernels.sweeps(
            words, work, self._used, self._parity, self._beside, self._groups, self._sign, self._signs,
            self._digits, self._heat, begin, end, self.period, self.shape,
        )  # fmt: skip
