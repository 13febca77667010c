"""Random numbers inside the numba kernels: one xoshiro256++ stream per chain and block of draws.

Generators: D. Blackman and S. Vigna, arXiv:1805.01407 (xoshiro256++, reference code of 2019); splitmix64 of
G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014, doi:10.1145/2660193.2660195. Called from Python they return
Python integers; give them `np.uint64`, or they are compiled for signed integers.
"""

import struct
import typing

import numpy as np

from deeprg.montecarlo.samplers._numba import inlined, kernel
from deeprg.runs.errors import UsageError

__all__ = ["mix64", "next_bits", "splitmix64", "step", "streams", "uniform", "unit"]

_UNIT = 2.0**-53
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_11, _17, _19, _23, _27, _30, _31, _41, _45 = (np.uint64(n) for n in (11, 17, 19, 23, 27, 30, 31, 41, 45))


def streams(seed: int, temperature: float | int, chain_count: int, block: int) -> np.ndarray:
    """The states of `chain_count` generators, uint64 [chains, 4], for one block of one temperature.

    Chain c gets the words of `np.random.SeedSequence((seed, bits of the temperature, c, block))`, so a chain
    does not depend on how many others run beside it, and two temperatures never share a stream. (A
    SeedSequence hashes its words into 128 bits: two of n streams agree with probability about n² 2^-129.)

    Any 64-bit integer is a block: negative ones are for the start and the thermalisation. Raises `UsageError`
    for a negative seed, or fewer than one chain.

    >>> streams(0, 2.5, 3, 0).shape
    (3, 4)
    >>> bool((streams(0, 2.5, 3, 0)[:2] == streams(0, 2.5, 2, 0)).all())
    True
    """
    if seed < 0 or chain_count < 1:
        raise UsageError(
            f"seed = {seed}, chains = {chain_count}; the seed must be 0 or more, the chains 1 or more."
        )
    words = struct.unpack("<4I", struct.pack("<dq", temperature, block))
    state = np.empty((chain_count, 4), np.uint64)
    for chain in range(chain_count):
        entropy = (*words, chain, seed)  # of fixed length, but for the seed, which comes last
        state[chain] = np.random.SeedSequence(entropy).generate_state(4, np.uint64)
    return state


@inlined
@typing.no_type_check
def step(s0, s1, s2, s3):
    """One step of xoshiro256++ on a state in four scalars: (64 random bits, s0, s1, s2, s3).

    In an inner loop it costs half of `next_bits`, since the state stays in registers.

    >>> one, two, three, four = (np.uint64(n) for n in (1, 2, 3, 4))
    >>> int(step(one, two, three, four)[0])
    41943041
    """
    total = s0 + s3
    result = ((total << _23) | (total >> _41)) + s0
    shifted = s1 << _17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _45) | (s3 >> _19)
    return result, s0, s1, s2, s3


@kernel
@typing.no_type_check
def next_bits(s):
    """64 random bits from the generator with state `s`, uint64 [4], which moves on by one step.

    >>> s = np.array([1, 2, 3, 4], np.uint64)
    >>> [int(next_bits(s)) for _ in range(3)]
    [41943041, 58720359, 3588806011781223]
    """
    result, s[0], s[1], s[2], s[3] = step(s[0], s[1], s[2], s[3])
    return result


@inlined
@typing.no_type_check
def unit(bits):
    """64 random bits as a multiple of 2^-53 in [0, 1).

    >>> unit(np.uint64(2**63))
    0.5
    """
    return np.float64(np.int64(bits >> _11)) * _UNIT


@kernel
@typing.no_type_check
def uniform(s):
    """A random number in [0, 1), a multiple of 2^-53, from the generator with state `s`, uint64 [4].

    >>> s = streams(1, 2.0, 1, 0)[0]
    >>> 0 <= uniform(s) < 1
    True
    """
    return unit(next_bits(s))


@inlined
@typing.no_type_check
def mix64(z):
    """The output function of splitmix64: a bijection of 64 bits in which each input bit moves every other.

    >>> int(mix64(np.uint64(1234567) + _GAMMA))
    6457827717110365317
    """
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@inlined
@typing.no_type_check
def splitmix64(counter):
    """One step of splitmix64: (64 random bits, the next counter); for many independent lanes of a vector.

    >>> bits, counter = splitmix64(np.uint64(1234567))
    >>> int(bits), int(splitmix64(np.uint64(counter))[0])
    (6457827717110365317, 3203168211198807973)
    """
    counter = counter + _GAMMA
    return mix64(counter), counter
