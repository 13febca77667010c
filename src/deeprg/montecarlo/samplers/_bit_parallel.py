"""Bit-parallel Ising updates in JAX: 32 chains in a word, all temperatures at once, on CPU or GPU."""

import functools
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo.chance import random_words
from deeprg.montecarlo.samplers._base import AbstractSampler, Draws, Start, State, checked_chains, fixed_shape
from deeprg.montecarlo.samplers._bits import (
    PERIOD,
    Rows,
    acceptances,
    binary_digits,
    count_cube,
    count_line,
    count_square,
    equal_bonds,
    relaxation_sweeps,
    spin_start,
)

__all__ = ["BitParallelSampler"]

DIGITS = 32
"""Binary digits of a random number: each acceptance is used to within 2^-32."""

_CHUNK = 1024  # sweeps in one call of the compiled loop
_ALL = np.uint32(2**32 - 1)


_COUNT = {1: count_line, 2: count_square, 3: count_cube}


class BitParallelSampler(AbstractSampler):
    """Checkerboard Metropolis for Ising spins in JAX, 32 chains in each word; one update is a sweep.

    The rule, the models it treats and the heat-bath sweep in every 16 are those of `MultispinSampler`; here
    all temperatures run in one call, on CPU or GPU. Every word has its own generator xoshiro128++
    (arXiv:1805.01407), and every comparison takes 32 digits, so that acceptances are used to within 2^-32.
    A half-sweep reads and writes a word of spins and four of the generator, and reads the words beside it: at
    least 44 bytes per 32 spins, 1.4 bytes per flip, the bound of the memory.

    `chains` need not be a multiple of 32: the last word carries more, which are dropped.

    Raises `UsageError` for other models, odd extents, a field, bonds of unequal strength.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> models = [Ising(Lattice((8, 8)), temperature=t) for t in (2.0, 4.0)]
    >>> sampler = BitParallelSampler(models, chains=64)
    >>> state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 500, seed=0)
    >>> spins = sampler.run(state, draws=10, thin=10, seed=0, block=0).configurations
    >>> spins.shape, abs(spins.mean(axis=(-2, -1))).mean(axis=(0, 2)).round(1).tolist()
    ((10, 2, 64, 8, 8), [0.9, 0.2])
    """

    name = "bit-parallel"
    batched = True

    def __init__(self, hamiltonians: Sequence[AbstractHamiltonian], chains: int, *, heat_bath: bool = False):
        self.hamiltonians = tuple(hamiltonians)
        self.chains = checked_chains(chains)
        self.shape = fixed_shape(self.hamiltonians)
        self.period = 1 if heat_bath else PERIOD
        bonds = [equal_bonds(h, self.name) for h in self.hamiltonians]
        tables = [np.stack(acceptances(strength)) for strength, _ in bonds]  # [2, 3] each
        digits = _ALL * binary_digits(np.stack(tables, axis=2), DIGITS).astype(np.uint32)  # [2, 3, T, digit]
        self._digits = np.moveaxis(digits, -1, 1)[..., None]  # [2, digit, 3, T, 1]
        self._groups = -(-self.chains // 32)
        self._rows = Rows(self.shape)
        signs = np.stack([s for _, s in bonds])  # [T, sites, 2 ndim]
        if (signs == signs[0, 0, 0]).all():
            words = np.where(signs[0, 0] < 0, _ALL, np.uint32(0)).reshape(-1, *[1] * (len(self.shape) + 2))
            self._signs = np.stack([words, words])  # [2, 2 ndim, 1, ...]
        else:
            words = np.where(np.moveaxis(signs, 2, 0) < 0, _ALL, np.uint32(0))
            words = words.reshape(*words.shape[:2], *self.shape)
            self._signs = np.stack([self._half(words, colour) for colour in (0, 1)])
            self._signs = self._signs[..., None]

    def _half(self, values: np.ndarray, colour: int) -> np.ndarray:
        """The sites of one colour of values [..., *shape], [..., *across, extent / 2]."""
        half = self._rows.of_colour(values, colour)
        return half.reshape(*half.shape[:-2], *self.shape[:-1], half.shape[-1])

    def start(self, *, seed: int, order: Start) -> State:
        """All spins equal, or drawn at random."""
        return spin_start(len(self.hamiltonians), self.chains, self.shape, seed=seed, order=order)

    @property
    def suggested_thermalisation(self) -> int:
        """Ten relaxation times, about L^2 sweeps, within bounds."""
        return relaxation_sweeps(self.shape)

    def run(self, state: State, draws: int, thin: int, *, seed: int, block: int) -> Draws:
        """See `AbstractSampler.run`."""
        count = len(self.hamiltonians)
        words = _pack(jnp.asarray(state["configurations"]), self._groups, len(self.shape))
        key = jax.random.key(np.random.SeedSequence([seed, 4, block % 2**32]).generate_state(1)[0])
        bits = random_words(key, (4, count, words[0].size // count))
        carry = (words, tuple(bits))
        digits, signs = jnp.asarray(self._digits), jnp.asarray(self._signs)
        kept = []
        begun = time.perf_counter()
        for draw in range(draws):
            for begin in range(draw * thin, (draw + 1) * thin, _CHUNK):
                end = min(begin + _CHUNK, (draw + 1) * thin)
                steps = np.array([begin, end, self.period], np.int32)
                carry = _sweeps(carry, digits, signs, steps)
            kept.append(np.asarray(_unpack(carry[0], self.chains)))
        seconds = (time.perf_counter() - begun) / count
        info = {
            "updates": np.full(count, float(draws * thin * self.chains)),
            "seconds": np.full(count, seconds),
        }
        return Draws({**state, "configurations": kept[-1]}, np.stack(kept), info)


Words = tuple[Array, Array]
Generators = tuple[Array, Array, Array, Array]


def _parity(across: tuple[int, ...]) -> np.ndarray:
    """The parity of the rows, [1, *across, 1, 1]."""
    parity = np.indices(across).sum(axis=0) % 2 if across else np.zeros(())
    return np.asarray(parity, np.int32).reshape(1, *across, 1, 1)


def _step(s: Generators) -> tuple[Array, Generators]:
    """32 random bits of each xoshiro128++, and the generators after it."""
    s0, s1, s2, s3 = s
    total = s0 + s3
    bits = ((total << 7) | (total >> 25)) + s0
    shifted = s1 << 9
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    s1 = s1 ^ s2
    s0 = s0 ^ s3
    return bits, (s0, s1, s2 ^ shifted, (s3 << 11) | (s3 >> 21))


def _half_sweep(
    own: Array,
    other: Array,
    generators: Generators,
    digits: Array,
    signs: Array,
    symmetric: Array,
    colour: Array,
) -> tuple[Array, Generators]:
    """Update the words of one colour, [T, *across, extent / 2, groups]."""
    ndim = own.ndim - 2
    near = [jnp.roll(other, -step, axis) for axis in range(1, ndim) for step in (1, -1)]
    shifted = (_parity(own.shape[1:-2]) + colour) % 2 == 1
    near.append(jnp.where(shifted, jnp.roll(other, -1, -2), other))
    near.append(jnp.where(shifted, other, jnp.roll(other, 1, -2)))
    level, *rest = _COUNT[ndim](*(own ^ there ^ sign for there, sign in zip(near, signs, strict=True)))
    first = level & symmetric
    masks = [less | (more & symmetric) for less, more in zip(rest[:3], rest[3:], strict=True)][:ndim]
    flip = rest[3] | rest[4] | rest[5] | (level & ~symmetric)
    # One kernel for the neighbours, one for the digits, whose long inner axis the compiler vectorises.
    first, flip, masks = jax.lax.optimization_barrier((first, flip, masks))
    first, flip, *masks = (mask.reshape(own.shape[0], -1) for mask in (first, flip, *masks))
    undecided = functools.reduce(jnp.bitwise_or, masks, first)
    for k in range(DIGITS):
        bits, generators = _step(generators)
        digit = functools.reduce(jnp.bitwise_or, [m & digits[k, c] for c, m in enumerate(masks)])
        if k == 0:
            digit = digit | first  # 1/2 has a single digit
        flip = flip ^ (undecided & digit & ~bits)
        undecided = undecided & ~(bits ^ digit)
    flip, generators = jax.lax.optimization_barrier((flip, generators))
    return own ^ flip.reshape(own.shape), generators


@functools.partial(jax.jit, donate_argnums=(0,))
def _sweeps(
    carry: tuple[Words, Generators], digits: Array, signs: Array, steps: Array
) -> tuple[Words, Generators]:
    """Sweeps steps[0] to steps[1] - 1 of both colours, of which every steps[2]-th is heat bath."""

    def half(i: Array, carry: tuple[Words, Generators]) -> tuple[Words, Generators]:
        (own, other), generators = carry  # colours in turn: compiled once
        heat = (i // 2) % steps[2] == 0
        table = jnp.where(heat, digits[1], digits[0])
        symmetric = jnp.where(heat, _ALL, np.uint32(0)).reshape((1,) * own.ndim)
        own, generators = _half_sweep(own, other, generators, table, signs[i % 2], symmetric, i % 2)
        return (other, own), generators

    return jax.lax.fori_loop(2 * steps[0], 2 * steps[1], half, carry)


@functools.partial(jax.jit, static_argnames=("groups", "ndim"))
def _pack(spins: Array, groups: int, ndim: int) -> Words:
    """Spins [T, chains, *shape] as words of both colours, [T, *across, extent / 2, groups]."""
    count, chains, *shape = spins.shape
    padded = jnp.pad(spins > 0, [(0, 0), (0, 32 * groups - chains), *[(0, 0)] * ndim])
    bits = padded.reshape(count, groups, 32, *shape).astype(jnp.uint32)
    weights = (jnp.uint32(1) << jnp.arange(32, dtype=jnp.uint32)).reshape(1, 1, 32, *[1] * ndim)
    words = jnp.moveaxis(jnp.sum(bits * weights, axis=2, dtype=jnp.uint32), 1, -1)
    left, right = words[..., 0::2, :], words[..., 1::2, :]
    swap = _parity(tuple(shape[:-1])) == 1
    return jnp.where(swap, right, left), jnp.where(swap, left, right)


@functools.partial(jax.jit, static_argnames=("chains",))
def _unpack(words: Words, chains: int) -> Array:
    """Words of both colours as spins ±1, int8 [T, chains, *shape]."""
    even, odd = words
    swap = _parity(even.shape[1:-2]) == 1
    left, right = jnp.where(swap, odd, even), jnp.where(swap, even, odd)
    *outer, half, groups = even.shape
    plain = jnp.moveaxis(jnp.stack([left, right], axis=-2).reshape(*outer, 2 * half, groups), -1, 1)
    shifts = jnp.arange(32, dtype=jnp.uint32).reshape(1, 1, 32, *[1] * (plain.ndim - 2))
    bits = ((plain[:, :, None] >> shifts) & 1).astype(jnp.int8)
    return (2 * bits - 1).reshape(outer[0], 32 * groups, *plain.shape[2:])[:, :chains]
