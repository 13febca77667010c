"""Kernels of the multi-spin Ising update: 64 chains in a word, and a vector of words at a time.

Layout. `words` is uint64 [2, rows * width]: the two colours of the checkerboard, each with all rows of the
lattice (a row runs along the last axis) of `width` = extent/2 * groups words; bit b of group g is chain
64 g + b, and a bit is 1 where the spin is +1. Of the neighbours of site j of a row, those along other axes
have the same j in another row; those along the last axis are j and j - 1 or j + 1. So the words that
a stretch of LANES words needs are copied from at most a few contiguous places into the rows of the block
`work`, and everything else is one loop over LANES columns that the compiler turns into vector instructions:
`work` is a single array of constant layout, so nothing can alias.
"""

import typing

import numba
import numpy as np

from deeprg.montecarlo.samplers._bits import count_cube, count_line, count_square
from deeprg.montecarlo.samplers._numba import kernel
from deeprg.montecarlo.samplers._random import step

__all__ = ["LANES", "WORK_ROWS", "pack", "sweeps", "unpack"]

LANES = 32
"""Words that are updated together, each with its own random generator."""

ROUNDS = 12
"""Binary digits of every random number drawn in the vector loop; the few undecided lanes draw more."""

DIGITS = 64
"""Binary digits after which the comparison stops."""

# Rows of the block: the generators 0-3, undecided lanes of each class 4-6, all undecided 7, spins 8,
# lanes in use 9, then the neighbours.
_OPEN, _ANY, _OWN, _USED, _NEAR = (row * LANES for row in (4, 7, 8, 9, 10))
WORK_ROWS = 16

_ZERO, _ONE, _64 = np.uint64(0), np.uint64(1), np.uint64(64)
_ALL = ~_ZERO

_inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True)  # parts of `sweeps`, which is cached

_count_line, _count_square, _count_cube = (_inlined(f) for f in (count_line, count_square, count_cube))


@_inlined
@typing.no_type_check
def _update(work, sign, digits, symmetric, axes):
    """One update of the spins in the block; see `MultispinSampler` for the rule and the bit logic.

    `sign` is ~0 for antiferromagnetic bonds; `digits` [DIGITS * 3] has the words 0 or ~0 for the binary
    digits of the acceptance of the three classes; `symmetric` is ~0 for heat bath and 0 for Metropolis;
    `axes` is a tuple with as many entries as there are dimensions (its length is known to the compiler).
    """
    for j in range(LANES):
        own = work[_OWN + j] ^ sign
        x = own ^ work[_NEAR + j]
        y = own ^ work[_NEAR + LANES + j]
        if len(axes) == 1:
            masks = _count_line(x, y)
        else:
            z = own ^ work[_NEAR + 2 * LANES + j]
            w = own ^ work[_NEAR + 3 * LANES + j]
            if len(axes) == 2:
                masks = _count_square(x, y, z, w)
            else:
                u = own ^ work[_NEAR + 4 * LANES + j]
                v = own ^ work[_NEAR + 5 * LANES + j]
                masks = _count_cube(x, y, z, w, u, v)
        level, less1, less2, less3, more1, more2, more3 = masks
        used = work[_USED + j]
        first = level & symmetric & used
        class1 = (less1 | (more1 & symmetric)) & used
        class2 = (less2 | (more2 & symmetric)) & used
        class3 = (less3 | (more3 & symmetric)) & used
        undecided = first | class1 | class2 | class3
        flip = (more1 | more2 | more3 | (level & ~symmetric)) & used
        s0, s1, s2, s3 = work[j], work[LANES + j], work[2 * LANES + j], work[3 * LANES + j]
        for k in range(ROUNDS):
            bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
            digit = first | (class1 & digits[3 * k]) | (class2 & digits[3 * k + 1])
            digit |= class3 & digits[3 * k + 2]
            first = _ZERO  # 1/2 has a single digit
            flip ^= undecided & digit & ~bits
            undecided &= ~(bits ^ digit)
        work[j], work[LANES + j], work[2 * LANES + j], work[3 * LANES + j] = s0, s1, s2, s3
        work[_OPEN + j] = undecided & class1
        work[_OPEN + LANES + j] = undecided & class2
        work[_OPEN + 2 * LANES + j] = undecided & class3
        work[_ANY + j] = undecided
        work[_OWN + j] ^= flip


@_inlined
@typing.no_type_check
def _decide(work, digits):
    """Compare further digits in the lanes that `_update` left undecided; after DIGITS they do not flip."""
    for j in range(LANES):
        undecided = work[_ANY + j]
        k = ROUNDS
        while undecided != _ZERO and k < DIGITS:
            bits, work[j], work[LANES + j], work[2 * LANES + j], work[3 * LANES + j] = step(
                work[j], work[LANES + j], work[2 * LANES + j], work[3 * LANES + j]
            )
            digit = work[_OPEN + j] & digits[3 * k]
            digit |= work[_OPEN + LANES + j] & digits[3 * k + 1]
            digit |= work[_OPEN + 2 * LANES + j] & digits[3 * k + 2]
            work[_OWN + j] ^= undecided & digit & ~bits
            undecided &= ~(bits ^ digit)
            k += 1


@_inlined
@typing.no_type_check
def _copy(work, to, source, start, count):
    """Copy `count` words from source[start] on; words outside the source are left as they are."""
    if count == LANES and start >= 0 and start + LANES <= source.size:
        for t in range(LANES):  # a constant number: a few vector instructions
            work[to + t] = source[start + t]
    else:
        for t in range(max(0, -start), min(count, source.size - start)):
            work[to + t] = source[start + t]


@_inlined
@typing.no_type_check
def _gather(work, lane, count, other, row, column, width, shifted, beside, groups):
    """Copy the neighbours of `count` words of a row, from `column` on, into the lanes from `lane` on."""
    last = beside.shape[1]
    for a in range(last):
        _copy(work, _NEAR + a * LANES + lane, other, beside[row, a] * width + column, count)
    start = row * width
    plus, minus = _NEAR + last * LANES + lane, _NEAR + (last + 1) * LANES + lane
    if shifted:
        _copy(work, plus, other, start + column + groups, count)
        for t in range(max(0, width - groups - column), count):  # around the end of the row
            work[plus + t] = other[start + column + t + groups - width]
        _copy(work, minus, other, start + column, count)
    else:
        _copy(work, plus, other, start + column, count)
        _copy(work, minus, other, start + column - groups, count)
        for t in range(min(groups - column, count)):
            work[minus + t] = other[start + width - groups + column + t]


@kernel
@typing.no_type_check
def _half_sweep(work, own, other, used, colour, parity, beside, groups, sign, signs, digits, symmetric, axes):
    """Update all sites of one colour, LANES words at a time."""
    rows = parity.size
    width = own.size // rows
    row = column = 0
    for begin in range(0, own.size, LANES):
        count = min(LANES, own.size - begin)
        _copy(work, _OWN, own, begin, count)
        _copy(work, _USED, used, begin, count)
        for t in range(count, LANES):
            work[_USED + t] = _ZERO
        lane = 0
        while lane < count:  # one stretch of a row after the other
            size = min(count - lane, width - column)
            shifted = ((parity[row] ^ colour) & 1) == 1
            _gather(work, lane, size, other, row, column, width, shifted, beside, groups)
            lane += size
            column += size
            if column == width:
                row, column = row + 1, 0
        if signs.size > 0:
            for a in range(signs.shape[0]):
                for t in range(count):
                    work[_NEAR + a * LANES + t] ^= signs[a, begin + t]
        _update(work, sign, digits, symmetric, axes)
        _decide(work, digits)
        if count == LANES:
            for t in range(LANES):
                own[begin + t] = work[_OWN + t]
        else:
            for t in range(count):
                own[begin + t] = work[_OWN + t]


@kernel
@typing.no_type_check
def sweeps(words, work, used, parity, beside, groups, sign, signs, digits, heat, begin, end, period, axes):
    """Sweeps `begin` to `end` - 1 of both colours; every `period`-th is heat bath, the others Metropolis.

    `parity` [rows] and `beside` [rows, 2 (ndim - 1)] describe the rows; `sign` is ~0 for antiferromagnets,
    and `signs` [2, 2 ndim, words or 0] has the bonds' signs when they differ; `digits` and `heat`
    [DIGITS * 3] are the digits of the acceptances of Metropolis and heat bath.
    """
    for number in range(begin, end):
        for colour in range(2):
            if number % period == 0:
                _half_sweep(
                    work, words[colour], words[1 - colour], used, colour, parity, beside, groups, sign,
                    signs[colour], heat, _ALL, axes,
                )  # fmt: skip
            else:
                _half_sweep(
                    work, words[colour], words[1 - colour], used, colour, parity, beside, groups, sign,
                    signs[colour], digits, _ZERO, axes,
                )  # fmt: skip


@kernel
@typing.no_type_check
def pack(spins, parity, groups, words):
    """Write spins ±1, int8 [chains, sites], into `words` [2, rows * width], which hold zeros."""
    rows = parity.size
    extent = spins.shape[1] // rows
    for chain in range(spins.shape[0]):
        bit, group = np.uint64(chain % 64), chain // 64
        for row in range(rows):
            for x in range(extent):
                place = (row * (extent // 2) + x // 2) * groups + group
                if spins[chain, row * extent + x] > 0:
                    words[(x ^ parity[row]) & 1, place] |= _ONE << bit


@kernel
@typing.no_type_check
def unpack(words, parity, groups, spins):
    """Write the chains of `words` as spins ±1 into `spins`, int8 [chains, sites]."""
    chains, sites = spins.shape
    rows = parity.size
    extent = sites // rows
    plain = np.empty(sites, np.uint64)
    for group in range(groups):
        for row in range(rows):
            for x in range(extent):
                place = (row * (extent // 2) + x // 2) * groups + group
                plain[row * extent + x] = words[(x ^ parity[row]) & 1, place]
        for bit in range(min(64, chains - 64 * group)):
            shift = np.uint64(bit)
            line = spins[64 * group + bit]
            for site in range(sites):
                line[site] = np.int8(((plain[site] >> shift) & _ONE) << _ONE) - np.int8(1)
