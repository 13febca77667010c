"""The magnetic eigenvalue of each scheme against sums over the spins that it removes."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from deeprg.exact.schemes import (
    SCHEMES,
    decimate_chain,
    decimate_ising_chain,
    decimate_square_field,
    exponents,
    find_scheme,
    fixed_point,
    migdal_kadanoff,
    stability,
)

SPINS = (1, -1)


def _states(count: int) -> np.ndarray:
    return np.array(list(itertools.product(SPINS, repeat=count)), float)


# Migdal-Kadanoff: bonds with their fields are moved on a torus of 2^d blocks, then the rows are summed


def _moved_torus(d: int, b: int) -> tuple[dict, dict]:
    """Numbers of bonds by pair of sites, and fields by site (in units of h), after the bonds were moved."""
    bonds: dict = {}
    fields: dict = {}
    for site, axis in itertools.product(itertools.product(range(2 * b), repeat=d), range(d)):
        home = [c if n == axis else c - c % b for n, c in enumerate(site)]
        ends = tuple(
            tuple((c + (step if n == axis else 0)) % (2 * b) for n, c in enumerate(home)) for step in (0, 1)
        )
        bonds[ends] = bonds.get(ends, 0) + 1
        for end in ends:
            fields[end] = fields.get(end, 0.0) + 1 / (2 * d)
    return bonds, fields


def _field_response(d: int, b: int, k: float, corners: dict) -> float:
    """The derivative by h at 0 of ln of the sum over all spins but the corners."""
    bonds, fields = _moved_torus(d, b)
    total = sum(fields[site] * s for site, s in corners.items())
    rows = [(site, axis) for site in corners for axis in range(d)]
    for site, axis in rows:
        row = [
            tuple((c + (n if i == axis else 0)) % (2 * b) for i, c in enumerate(site)) for n in range(b + 1)
        ]
        top = bottom = 0.0
        for inner in itertools.product(SPINS, repeat=b - 1):
            spins = [corners[row[0]], *inner, corners[row[-1]]]
            pairs = itertools.pairwise(range(b + 1))
            weight = math.exp(sum(k * bonds[row[i], row[j]] * spins[i] * spins[j] for i, j in pairs))
            top += weight * sum(fields[row[n]] * spins[n] for n in range(1, b))
            bottom += weight
        total += top / bottom
    return total


@pytest.mark.parametrize(("d", "b"), [(1, 2), (1, 3), (2, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("k", [0.11, 0.304689])
def test_migdal_kadanoff_moves_the_field_with_the_bonds(d, b, k):
    scheme = migdal_kadanoff(d, b)
    sites = [tuple(b * c for c in cell) for cell in itertools.product(range(2), repeat=d)]
    rng = np.random.default_rng(3)
    for spins in [np.ones(2**d), *rng.choice(SPINS, (4, 2**d))]:
        corners = dict(zip(sites, spins.tolist(), strict=True))
        expected = float(scheme.magnetic(np.array([k]))) * sum(corners.values())
        assert _field_response(d, b, k, corners) == pytest.approx(expected, abs=1e-12)


def test_migdal_kadanoff_in_a_field():
    found = stability("migdal-kadanoff")
    k = float(found.couplings[0])
    assert found.magnetic == pytest.approx(2 * math.exp(2 * k), abs=1e-12)
    assert found.magnetic == pytest.approx(3.67857, abs=5e-6)
    assert exponents("migdal-kadanoff").y_h == pytest.approx(1.87915, abs=5e-6)
    # b -> 1: y_h = (d - 1)(1 + 2 K*)
    for d in (2, 3):
        near = migdal_kadanoff(d, 1.001)
        limit = (d - 1) * (1 + 2 * float(fixed_point(near)[0]))
        assert exponents(near).y_h == pytest.approx(limit, abs=1e-3)
    # cold: every spin of a block follows
    assert float(migdal_kadanoff(3, 2).magnetic(np.array([50.0]))) == pytest.approx(8)
    assert float(migdal_kadanoff(1, 5).magnetic(np.array([math.inf]))) == 5
    assert migdal_kadanoff(states=3).magnetic is None


def test_fields_of_rows_compose():
    # three bonds in one step, or two and then 3/2
    k = 0.7
    half = np.array([float(decimate_ising_chain(k, 2)[0])])
    steps = migdal_kadanoff(1, 2).magnetic(np.array([k])) * migdal_kadanoff(1, 1.5).magnetic(half)
    assert steps == pytest.approx(float(migdal_kadanoff(1, 3).magnetic(np.array([k]))), abs=1e-12)
    slope = jax.grad(lambda h: jnp.asarray(decimate_chain(jnp.asarray(k), h).field))(0.0)
    assert migdal_kadanoff(1, 2).magnetic(np.array([k])) == pytest.approx(float(slope), abs=1e-12)


# Decimation of one sublattice: a 4 x 4 torus, 8 spins kept and 8 summed


def _torus_response(k: float, diagonal: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kept states [256, 8]; ln of the sum over the others [256], and its derivative by h at h = 0 [256]."""
    sites = list(itertools.product(range(4), repeat=2))
    kept = [site for site in sites if sum(site) % 2 == 0]
    summed = [site for site in sites if sum(site) % 2]
    cross, inside = np.zeros((8, 8)), np.zeros((8, 8))
    for n, (i, j) in enumerate(summed):
        for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            cross[n, kept.index(((i + di) % 4, (j + dj) % 4))] += 1
        for di, dj in itertools.product(SPINS, repeat=2):
            inside[n, summed.index(((i + di) % 4, (j + dj) % 4))] += 0.5
    states = _states(8)
    action = (
        k * states @ cross @ states.T + diagonal * np.einsum("ai,ij,aj->a", states, inside, states)[:, None]
    )
    weights = np.exp(action)  # [summed, kept]
    total = weights.sum(0)
    return states, np.log(total), states.sum(1) + states.sum(1) @ weights / total


@pytest.mark.parametrize("k", [-0.3, 0.2, 0.6])
def test_square_decimation_in_a_small_field(k):
    states, _, response = _torus_response(k)
    step = decimate_square_field(k)
    single = response @ states[:, 0] / 256
    assert step.field == pytest.approx(single, abs=1e-12)
    # the kept sites 0 = (0, 0), 1 = (0, 2), 2 = (1, 1) are corners of the summed (0, 1) alone
    triple = response @ (states[:, 0] * states[:, 1] * states[:, 2]) / 256
    assert step.triple == pytest.approx(triple, abs=1e-12)
    # nothing else: the norm of the response is that of 8 fields and 8 x 4 triples
    rest = np.mean(response**2) - 8 * step.field**2 - 32 * step.triple**2
    assert rest == pytest.approx(0, abs=1e-11)


def test_field_and_constant_of_wilson_are_right_to_second_order():
    scheme = SCHEMES["wilson"]
    misses = []
    for k in (0.02, 0.01):
        point = np.array([k, 0.7 * k * k])
        states, logs, response = _torus_response(*point)
        misses.append(
            [
                response @ states[:, 0] / 256 - scheme.magnetic(point),
                logs.mean() / 16 - scheme.constant(point),
            ]
        )
    # what is left out begins with K^3 in the field, with K^4 in the constant
    assert_allclose(np.divide(*misses), [8, 16], rtol=0.02)
    assert np.abs(misses[1]).max() < 3e-5


def test_decimation_schemes_have_no_sound_field():
    found = exponents("wilson")
    assert stability("wilson").magnetic == pytest.approx(7 / 3, abs=1e-12)
    assert found.y_h == pytest.approx(2.44478, abs=5e-6)
    assert found.y_h > SCHEMES["wilson"].dimension
    assert "y_h > d" in SCHEMES["wilson"].field_note
    maris = SCHEMES["maris-kadanoff"]
    assert exponents(maris).y_h is None
    assert exponents(maris).eta is None
    assert maris.field_note
    # the two ways to treat the triples
    step = decimate_square_field(float(fixed_point(maris)[0]))
    rates = [math.log(value) / math.log(math.sqrt(2)) for value in (step.field, step.field + 4 * step.triple)]
    assert rates == pytest.approx([2.340, 1.950], abs=5e-4)


# Block spins


@pytest.mark.parametrize(("name", "ring"), [("niemeijer-van-leeuwen", 3), ("majority-square", 4)])
@pytest.mark.parametrize("k", [0.2, 0.41])
def test_field_of_a_block_in_first_order(name, ring, k):
    states = _states(ring)
    weights = np.exp(k * (states * np.roll(states, 1, axis=1)).sum(1))
    weights *= (1 + np.sign(states.sum(1))) / 2  # block spin +1, ties at random
    expected = weights @ states.sum(1) / weights.sum()
    assert SCHEMES[name].magnetic(np.array([k])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [0.15, 0.278869])
def test_field_of_niemeijer_van_leeuwen_in_second_order(k):
    """Two triangles joined by two bonds of strength x in the field h: the term x h of ln of the sum."""
    states = _states(6)
    left, right = states[:, :3], states[:, 3:]
    inside = sum((side * np.roll(side, 1, axis=1)).sum(1) for side in (left, right))
    across = left[:, 0] * right[:, 0] + left[:, 0] * right[:, 1]  # as neighbouring cells of the lattice meet
    field = states.sum(1)

    def mixed(first: int, second: int) -> float:
        weights = np.exp(k * inside) * (np.sign(left.sum(1)) == first) * (np.sign(right.sum(1)) == second)
        p = weights / weights.sum()
        return p @ (across * field) - (p @ across) * (p @ field)

    single = mixed(1, 1) / 2
    for first, second in itertools.product(SPINS, repeat=2):  # a field on either block, nothing else
        assert mixed(first, second) == pytest.approx(single * (first + second), abs=1e-13)
    alone = float(find_scheme("niemeijer-van-leeuwen").magnetic(np.array([k])))
    second_order = find_scheme("niemeijer-van-leeuwen", 2)
    slope = (float(second_order.magnetic(np.array([k, 0.0, 0.0]))) - alone) / k
    assert slope == pytest.approx(6 * single, abs=1e-12)  # six neighbours


def test_magnetic_exponents_of_niemeijer_van_leeuwen():
    assert exponents("niemeijer-van-leeuwen").y_h == pytest.approx(1.36907, abs=5e-6)
    second = exponents("niemeijer-van-leeuwen", order=2)
    assert stability("niemeijer-van-leeuwen", order=2).magnetic == pytest.approx(2.755165, abs=5e-7)
    assert second.y_h == pytest.approx(1.845013, abs=5e-7)
    assert second.eta == pytest.approx(4 - 2 * 1.845013, abs=1e-6)
