"""The loops of cluster updates for real-valued weights: the Ising spins that sit in XY spins and in phi^4."""

import typing

import numpy as np

from deeprg.montecarlo.samplers._numba import inlined, kernel
from deeprg.montecarlo.samplers._random import step, unit

__all__ = ["phi4_updates", "rotor_updates"]

_CELLS, _RANGE = 64, 16
# 1 - exp(-t) on a grid, and at infinity.
_LADDER = np.append(-np.expm1(-np.arange(_CELLS * _RANGE + 1) / _CELLS), 1.0)
_TOP = float(_RANGE)
_0, _1, _32, _63 = (np.uint64(n) for n in (0, 1, 32, 63))
_VISITED, _TURNED = np.uint8(1), np.uint8(2)


@inlined
@typing.no_type_check
def _happens(bits, t):
    """An event of probability 1 - exp(-t), never for t <= 0; the exponential is rarely needed.

    The uniform number is compared with the values at both ends of the grid cell of t, and only between them
    with 1 - exp(-t) itself.
    """
    u = unit(bits)
    cell = np.uint64(min(max(t, 0.0), _TOP) * _CELLS)
    below = u < _LADDER[cell]
    if (not below) & (u < _LADDER[cell + _1]):
        return u < -np.expm1(-t)
    return below


@kernel
@typing.no_type_check
def _turn_clusters(weights, marks, queue, table, couplings, single, s0, s1, s2, s3):
    """Mark the clusters that turn, for bonds frozen with 1 - exp(-2 J_ij w_i w_j); the sum of (|C|/N)^2."""
    size = np.uint64(weights.size)
    width = np.uint64(table.size) // size
    marks[:] = 0
    first, last = _0, size
    if single:
        bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
        first = ((bits >> _32) * size) >> _32
        last = first + _1
    squares = _0
    for seed in range(first, last):
        if marks[seed]:
            continue
        bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
        mark = _VISITED | _TURNED if single else _VISITED | (np.uint8(bits >> _63) * _TURNED)
        marks[seed] = mark
        queue[_0] = seed
        head, tail = _0, _1
        while head < tail:
            i = np.uint64(queue[head])
            head += _1
            here = 2.0 * weights[i]
            for at in range(i * width, i * width + width):
                j = np.uint64(table[at])
                bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                seen = marks[j]
                joins = (seen == 0) & _happens(bits, here * couplings[at] * weights[j])
                queue[tail] = j
                marks[j] = seen | (mark * np.uint8(joins))
                tail += np.uint64(joins)
        squares += tail if single else tail * tail
    fraction = np.float64(squares) / np.float64(size)
    return fraction if single else fraction / np.float64(size), s0, s1, s2, s3


@kernel
@typing.no_type_check
def rotor_updates(angles, kept, thin, table, couplings, single, random):
    """Reflections of clusters of plane rotors: the sum over updates of sum_clusters (|C|/N)^2.

    Args:
        angles: float64 [chains, N]; changed in place.
        kept: float32 [draws, chains, N], filled with angles in [-pi, pi).
        thin: updates before each kept configuration.
        table: uint32 [N z], the neighbours of each site.
        couplings: float64 [N z], the dimensionless couplings.
        single: one cluster per update, reflected, or all, each reflected with probability 1/2.
        random: uint64 [chains, 4], the states of the generators; changed in place.
    """
    draws, chains, size = kept.shape
    queue = np.empty(size + 1, np.uint32)
    marks = np.empty(size, np.uint8)
    weights, x, y = np.empty(size), np.empty(size), np.empty(size)
    total = 0.0
    for chain in range(chains):
        own = angles[chain]
        s0, s1, s2, s3 = random[chain]
        for j in range(size):
            x[j], y[j] = np.cos(own[j]), np.sin(own[j])
        for draw in range(draws):
            for _ in range(thin):
                bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                direction = 2.0 * np.pi * unit(bits)
                a, b = np.cos(direction), np.sin(direction)
                for j in range(size):
                    weights[j] = a * x[j] + b * y[j]
                fraction, s0, s1, s2, s3 = _turn_clusters(
                    weights, marks, queue, table, couplings, single, s0, s1, s2, s3
                )
                total += fraction
                for j in range(size):
                    back = 2.0 * weights[j] if marks[j] & _TURNED else 0.0
                    x[j] -= back * a
                    y[j] -= back * b
            for j in range(size):
                own[j] = np.arctan2(y[j], x[j])
                angle = np.float32(own[j])
                kept[draw, chain, j] = angle if angle < np.float32(np.pi) else -angle
                x[j], y[j] = np.cos(own[j]), np.sin(own[j])  # unit vectors again
        random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3] = s0, s1, s2, s3
    return total


@kernel
@typing.no_type_check
def phi4_updates(fields, kept, thin, table, couplings, square, quartic, widths, adapt, single, random):
    """Clusters of the sign, then a Metropolis sweep: the sums of (|C|/N)^2 and of accepted fractions.

    The action is sum_i (square phi_i^2 + quartic phi_i^4) - sum_bonds J_ij phi_i phi_j.

    Args:
        fields: float64 [chains, N]; changed in place.
        kept: float64 [draws, chains, N], filled.
        thin: updates before each kept configuration.
        table: uint32 [N z], the neighbours of each site.
        couplings: float64 [N z], the J_ij.
        square: coefficient of phi_i^2, with what the kinetic term contributes.
        quartic: coefficient of phi_i^4.
        widths: float64 [chains], half widths of the uniform proposals; changed if `adapt`.
        adapt: whether the widths move towards half acceptance.
        single: one cluster per update, turned, or all, each turned with probability 1/2.
        random: uint64 [chains, 4], the states of the generators; changed in place.
    """
    draws, chains, size = kept.shape
    width = np.uint64(table.size) // np.uint64(size)
    queue = np.empty(size + 1, np.uint32)
    marks = np.empty(size, np.uint8)
    total, accepted = 0.0, 0.0
    for chain in range(chains):
        own = fields[chain]
        s0, s1, s2, s3 = random[chain]
        for draw in range(draws):
            for update in range(thin):
                fraction, s0, s1, s2, s3 = _turn_clusters(
                    own, marks, queue, table, couplings, single, s0, s1, s2, s3
                )
                total += fraction
                for j in range(size):
                    own[j] = -own[j] if marks[j] & _TURNED else own[j]
                moved = 0
                reach = widths[chain]
                for i in range(np.uint64(size)):
                    force = 0.0
                    for at in range(i * width, i * width + width):
                        force += couplings[at] * own[np.uint64(table[at])]
                    bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                    old = own[i]
                    new = old + reach * (2.0 * unit(bits) - 1.0)
                    was, now = old * old, new * new
                    rise = (now - was) * (square + quartic * (now + was)) - (new - old) * force
                    bits, s0, s1, s2, s3 = step(s0, s1, s2, s3)
                    keeps = _happens(bits, rise)
                    own[i] = old if keeps else new
                    moved += not keeps
                rate = moved / size
                accepted += rate
                if adapt:
                    reach *= np.exp((rate - 0.5) / np.sqrt(1.0 + update))
                    widths[chain] = min(max(reach, 1e-3), 1e3)
            kept[draw, chain] = own
        random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3] = s0, s1, s2, s3
    return total, accepted
