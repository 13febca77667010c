"""The loops of Wolff's and of Swendsen and Wang's algorithm on a table of neighbours.

A cluster grows breadth first: a queue holds its sites, and each site in turn looks at its neighbours. Whether
a neighbour joins cannot be predicted, so nothing branches on it: it is always written behind the end of the
queue, and the end moves by 0 or 1. Sites that joined change their value at once; no other mark is needed.

The two loops that grow a cluster are functions of their own: inlined into their caller they run
out of registers and take up to half as long again, depending on where the stack lies.
"""

import typing

import numpy as np

from deeprg.montecarlo.samplers._numba import inlined, kernel
from deeprg.montecarlo.samplers._random import step

__all__ = ["VISITED", "cluster_updates"]

VISITED = np.uint8(128)
"""Set in a value that a Swendsen-Wang sweep has already drawn; values are below it."""

_0, _1, _2, _16, _32 = (np.uint64(n) for n in (0, 1, 2, 16, 32))
_LOW_16, _LOW_32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_LANES = np.uint64(0x0001000100010001)
_TOPS = np.uint64(0x8000800080008000)
_VALUES = np.uint8(127)


@inlined
@typing.no_type_check
def _visit(spins, queue, tail, j, old, mask, joins):
    """Let site j join if its bond allows and it has the value `old`; the new end of the queue."""
    value = spins[j]
    joins &= value == old
    queue[tail] = j
    spins[j] = value ^ (mask * np.uint8(joins))
    return tail + np.uint64(joins)


@kernel
@typing.no_type_check
def _grow_four(spins, queue, table, high, low, old, mask, s0, s1, s2, s3):
    """Grow from queue[0] where each site has 4 bonds of one probability (high + low 2^-64) 2^-16.

    One random word serves the four bonds. A 16-bit field decides except when it equals `high`, once in
    16000 sites; then a new word is compared with `low`.
    """
    pattern = high * _LANES
    head, tail = _0, _1
    while head < tail:
        at = np.uint64(queue[head]) << _2
        head += _1
        bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
        differs = bits ^ pattern
        if (differs - _LANES) & ~differs & _TOPS:  # some field is equal (or just above one that is)
            for k in range(np.uint64(4)):
                field = bits & _LOW_16
                joins = field < high
                if field == high:
                    more, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                    joins = more < low
                tail = _visit(spins, queue, tail, np.uint64(table[at + k]), old, mask, joins)
                bits >>= _16
            continue
        for k in range(np.uint64(4)):
            joins = (bits & _LOW_16) < high
            tail = _visit(spins, queue, tail, np.uint64(table[at + k]), old, mask, joins)
            bits >>= _16
    return tail, s0, s1, s2, s3


@kernel
@typing.no_type_check
def _grow(spins, queue, table, thresholds, width, old, mask, s0, s1, s2, s3):
    """Grow from queue[0] with a threshold, probability 2^32, for each of an even number of bonds per site."""
    head, tail = _0, _1
    while head < tail:
        at = np.uint64(queue[head]) * width
        end = at + width
        head += _1
        while at < end:
            bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
            joins = (bits & _LOW_32) < np.uint64(thresholds[at])
            tail = _visit(spins, queue, tail, np.uint64(table[at]), old, mask, joins)
            joins = (bits >> _32) < np.uint64(thresholds[at + _1])
            tail = _visit(spins, queue, tail, np.uint64(table[at + _1]), old, mask, joins)
            at += _2
    return tail, s0, s1, s2, s3


@kernel
@typing.no_type_check
def cluster_updates(spins, kept, thin, table, thresholds, high, low, values, single, random):
    """Update all chains, keep every `thin`-th configuration: the sum over updates of sum_clusters (|C|/N)^2.

    For a single cluster it is |C|/N instead, which has the same mean.

    Args:
        spins: uint8 [chains, N], values 0 ... `values` - 1; changed in place.
        kept: uint8 [draws, chains, N], filled.
        thin: updates before each kept configuration.
        table: uint16 or uint32 [N width], the neighbours of each site.
        thresholds: uint32 [N width], bond probabilities times 2^32; empty for 4 bonds of equal probability,
            (`high` + `low` 2^-64) 2^-16.
        values: how many values a spin has; at most 128.
        single: one cluster per update, which takes another value (Wolff), or all, which take any.
        random: uint64 [chains, 4], the states of the generators; changed in place.
    """
    draws, chains, size = kept.shape
    sites = np.uint64(size)
    width = np.uint64(table.size) // sites
    uniform = thresholds.size == 0
    queue = np.empty(size + 1, table.dtype)  # one more: the write behind the end of a full queue
    others = np.uint64(values - 1) if single else np.uint64(values)
    total = 0.0
    for chain in range(chains):
        own = spins[chain]
        s0, s1, s2, s3 = random[chain]
        for draw in range(draws):
            for _ in range(thin):
                squares = _0
                first, last = _0, sites
                if single:
                    bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                    first = ((bits >> _32) * sites) >> _32
                    last = first + _1
                for seed in range(first, last):
                    old = own[seed]
                    if old >= VISITED:
                        continue
                    bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                    shift = np.uint8(((bits >> _32) * others) >> _32)
                    if single:
                        new = np.uint8((np.uint64(old) + np.uint64(shift) + _1) % np.uint64(values))
                    else:
                        new = shift | VISITED
                    mask = old ^ new
                    own[seed] = new
                    queue[_0] = seed
                    if uniform:
                        tail, s0, s1, s2, s3 = _grow_four(
                            own, queue, table, high, low, old, mask, s0, s1, s2, s3
                        )
                    else:
                        tail, s0, s1, s2, s3 = _grow(
                            own, queue, table, thresholds, width, old, mask, s0, s1, s2, s3
                        )
                    squares += tail if single else tail * tail
                if single:
                    total += np.float64(squares) / size
                else:
                    total += np.float64(squares) / size / size
                    for j in range(sites):
                        own[j] &= _VALUES
            kept[draw, chain] = own
        random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3] = s0, s1, s2, s3
    return total
