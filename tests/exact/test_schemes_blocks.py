"""Block moments and the cumulants of Niemeijer and van Leeuwen, by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.schemes import (
    find_scheme,
    plaquette_mean,
    triangle_moments,
)

quick = settings(max_examples=25, deadline=None, derandomize=True)
couplings = st.floats(-1.5, 1.5)
SPINS = (1, -1)


def _triangle(k: float) -> tuple[np.ndarray, np.ndarray]:
    """States [4, 3] of a triangle with majority +1 and their probabilities."""
    states = np.array([s for s in itertools.product(SPINS, repeat=3) if sum(s) > 0], float)
    weights = np.exp(
        k * (states[:, 0] * states[:, 1] + states[:, 1] * states[:, 2] + states[:, 2] * states[:, 0])
    )
    return states, weights / weights.sum()


@quick
@given(k=couplings)
def test_triangle_moments(k):
    states, p = _triangle(k)
    a, b = triangle_moments(k)
    assert a == pytest.approx(p @ states[:, 0], abs=1e-12)
    assert b == pytest.approx(p @ (states[:, 0] * states[:, 1]), abs=1e-12)


@quick
@given(k=couplings)
def test_plaquette_mean(k):
    top = bottom = 0.0
    for s in itertools.product(SPINS, repeat=4):
        weight = math.exp(k * sum(s[i] * s[(i + 1) % 4] for i in range(4)))
        weight *= (1 + np.sign(sum(s))) / 2
        top, bottom = top + weight * s[0], bottom + weight
    assert plaquette_mean(k) == pytest.approx(top / bottom, abs=1e-12)


# Triangular lattice: neighbours of a site by distance, and cells of three sites on a lattice of index 3
NEAR = [(1, 0), (0, 1), (1, -1), (-1, 0), (0, -1), (-1, 1)]
NEXT = [(1, 1), (2, -1), (-1, 2), (-1, -1), (-2, 1), (1, -2)]
FAR = [(2 * i, 2 * j) for i, j in NEAR]
BASES = np.array([(1, 1), (-1, 2)])
MEMBERS = [(0, 0), (1, 0), (0, 1)]


def _cell(site: tuple[int, int]) -> tuple[tuple[int, int], int]:
    for number, (i, j) in enumerate(MEMBERS):
        place = np.linalg.solve(BASES.T, np.array(site) - (i, j))
        if np.allclose(place, place.round()):
            return (round(place[0]), round(place[1])), number
    raise AssertionError(site)


def _bonds_from(cell: tuple[int, int], steps: list) -> list:
    """Bonds ((cell, site), (cell, site)) of other cells with this one, each starting in it."""
    origin = np.array(cell) @ BASES
    bonds = []
    for number, (i, j) in enumerate(MEMBERS):
        for di, dj in steps:
            other = _cell((origin[0] + i + di, origin[1] + j + dj))
            if other[0] != cell:
                bonds.append(((cell, number), other))
    return bonds


def _average(sites: list, k: float) -> dict:
    """<product of spins> over the cells of the sites given all cell spins, as cells (odd) -> coefficient.

    Enumerates the states of each cell with the cell spin +1; the opposite cell spin flips them all.
    """
    states, p = _triangle(k)
    value, odd = 1.0, set()
    for cell in {cell for cell, _ in sites}:
        inside = [number for c, number in sites if c == cell]
        value *= p @ np.prod(states[:, inside], axis=1)
        if len(inside) % 2:
            odd.add(cell)
    return {frozenset(odd): value}


def _second_order(k: float) -> dict:
    """1/2 kappa_2 of K times the bonds between cells: cells (0, R) -> coefficient, () -> constant."""
    zero = (0, 0)
    around = [(i, j) for i in range(-3, 4) for j in range(-3, 4)]
    bonds = {frozenset(bond) for cell in around for bond in _bonds_from(cell, NEAR)}
    bonds = [tuple(bond) for bond in bonds]
    totals: dict = {}
    for first, second in itertools.product(bonds, repeat=2):
        cells = {first[0][0], first[1][0]} & {second[0][0], second[1][0]}
        everywhere = {first[0][0], first[1][0], second[0][0], second[1][0]}
        if not cells or zero not in everywhere:
            continue
        joint = _average([*first, *second], k)
        (left,), (right,) = _average(list(first), k).items(), _average(list(second), k).items()
        apart = {left[0] ^ right[0]: -left[1] * right[1]}
        for part in (joint, apart):
            for odd, value in part.items():
                share = 1.0 if zero in odd else 1 / len(everywhere) if not odd else 0.0
                totals[odd] = totals.get(odd, 0.0) + k * k / 2 * value * share
    return totals


@pytest.mark.parametrize("k", [0.27, 0.6])
def test_second_order_coefficients_of_niemeijer_van_leeuwen(k):
    recursion = find_scheme("niemeijer-van-leeuwen", 2).recursion
    a = triangle_moments(k).mean
    totals = _second_order(k)
    # first order: the mean of the bonds between two cells, of each kind
    first = {kind: {cell: 0.0 for cell in (*NEAR_CELLS, *NEXT_CELLS, *FAR_CELLS)} for kind in ("K", "L", "M")}
    for kind, steps in {"K": NEAR, "L": NEXT, "M": FAR}.items():
        for (_, _), (cell, _) in _bonds_from((0, 0), steps):
            first[kind][cell] += a * a
    near, far = 0.013, -0.021
    image = recursion(np.array([k, near, far]))
    for place, cells in enumerate((NEAR_CELLS, NEXT_CELLS, FAR_CELLS)):
        for cell in cells:
            direct = k * first["K"][cell] + near * first["L"][cell] + far * first["M"][cell]
            direct += totals.get(frozenset({(0, 0), cell}), 0.0)
            assert image[place] == pytest.approx(direct, abs=1e-13), cell
    reached = {
        next(iter(odd - {(0, 0)})) for odd, value in totals.items() if (0, 0) in odd and abs(value) > 1e-14
    }
    assert reached <= {*NEAR_CELLS, *NEXT_CELLS, *FAR_CELLS}
    constant = find_scheme("niemeijer-van-leeuwen", 2).constant(np.array([k, 0.0, 0.0]))
    direct = (math.log(math.exp(3 * k) + 3 * math.exp(-k)) + totals[frozenset()]) / 3
    assert constant == pytest.approx(direct, abs=1e-13)


def _cells(steps: list) -> list:
    """The cells whose distance on the lattice of cells is that of the steps on the lattice of sites."""
    lengths = [i * i + i * j + j * j for i, j in steps]
    everything = [(i, j) for i in range(-3, 4) for j in range(-3, 4)]
    position = {cell: np.array(cell) @ BASES for cell in everything}
    square = {cell: p[0] ** 2 + p[0] * p[1] + p[1] ** 2 for cell, p in position.items()}
    return [cell for cell in everything if square[cell] == 3 * lengths[0]]


NEAR_CELLS, NEXT_CELLS, FAR_CELLS = _cells(NEAR), _cells(NEXT), _cells(FAR)
