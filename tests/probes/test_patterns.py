"""Pattern statistics against loops over sites, and against patterns that were put there."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from deeprg.lattice import Lattice
from deeprg.probes import (
    circular_centre,
    count_spots,
    gauge_sign,
    main_spot,
    match_patterns,
    participation_ratio,
    pattern_autocorrelation,
    pattern_statistics,
    pattern_width,
    radial_profile,
)
from deeprg.runs.errors import UsageError

SHAPES = [(9,), (6, 8), (4, 5, 3)]


def random(shape, count=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape))


def spot(shape, centre, width):
    """A Gaussian around `centre` on the torus, summed over images."""
    field = np.zeros(shape)
    for image in itertools.product((-1, 0, 1), repeat=len(shape)):
        square = sum(
            (x - c - step * e) ** 2
            for x, c, step, e in zip(np.indices(shape), centre, image, shape, strict=True)
        )
        field += np.exp(-square / (2 * width**2))
    return field


@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_equal_loops_over_sites(shape):
    patterns = random(shape)
    sites = list(itertools.product(*map(range, shape)))
    found = pattern_statistics(patterns)
    flat = pattern_statistics(patterns.reshape(4, -1), shape)
    for a, pattern in enumerate(patterns):
        sign = 1 if sum(pattern[s] for s in sites) >= 0 else -1
        gauged = sign * pattern
        centre = []
        for axis, extent in enumerate(shape):
            cosine = sum(gauged[s] * np.cos(2 * np.pi * s[axis] / extent) for s in sites)
            sine = sum(gauged[s] * np.sin(2 * np.pi * s[axis] / extent) for s in sites)
            centre.append(np.arctan2(sine, cosine) * extent / (2 * np.pi) % extent)

        def away(site, centre=centre):
            shortest = [min(abs(x - c), e - abs(x - c)) for x, c, e in zip(site, centre, shape, strict=True)]
            return np.sqrt(sum(x**2 for x in shortest))

        height = {s: gauged[s] - gauged.min() for s in sites}
        width = np.sqrt(sum(away(s) ** 2 * height[s] for s in sites) / sum(height.values()))
        assert found.sign[a] == flat.sign[a] == sign
        np.testing.assert_allclose(found.centre[a], centre, atol=1e-10)
        assert found.width[a] == pytest.approx(width)
        fourth = sum(pattern[s] ** 4 for s in sites)
        ratio = sum(pattern[s] ** 2 for s in sites) ** 2 / (len(sites) * fourth)
        assert found.participation[a] == pytest.approx(ratio)
        for r in found.r:
            ring = [gauged[s] for s in sites if r - 0.5 <= away(s) < r + 0.5]
            expected = np.mean(ring) if ring else np.nan
            np.testing.assert_allclose(found.profile[a, r], expected, atol=1e-12)
    assert found.to_dict()["median_width"] == pytest.approx(np.median(found.width))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_autocorrelation_equals_a_double_loop(shape):
    patterns = random(shape)
    found = pattern_autocorrelation(patterns)
    for r in itertools.product(*map(range, shape)):
        moved = np.roll(patterns, [-x for x in r], axis=range(1, len(shape) + 1))  # M(i + r)
        expected = np.mean([np.mean(m * n) - np.mean(m) ** 2 for m, n in zip(patterns, moved, strict=True)])
        assert found[r] == pytest.approx(expected, abs=1e-12)


def flooded(mask):
    """Connected regions of a periodic mask, by filling them one after the other."""
    lattice, left, count = Lattice(mask.shape), set(np.flatnonzero(mask).tolist()), 0
    neighbours = lattice.neighbours()
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            for there in neighbours[edge.pop()].tolist():
                if there in left:
                    left.remove(there)
                    edge.append(there)
    return count


@pytest.mark.parametrize("shape", [(12,), (9, 7), (5, 4, 6)])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_spots_equal_flood_filling(shape, threshold):
    patterns = random(shape, count=20)
    expected = []
    for pattern in patterns:
        low, high = pattern.min(), pattern.max()
        expected.append(flooded(pattern >= low + threshold * (high - low)))
    np.testing.assert_array_equal(count_spots(patterns, threshold=threshold), expected)
    assert max(expected) > 1 or threshold == 0.3  # low ones percolate


def test_a_main_spot_survives_noise_and_a_second_spot_does_not():
    one, two = spot((24, 24), (5, 9), 2.0), spot((24, 24), (17, 18), 2.0)
    crumbs = 0.04 * np.random.default_rng(0).normal(size=(24, 24))
    found = pattern_statistics(np.stack([one, one + crumbs, one + two]))
    np.testing.assert_allclose(found.main_spot, main_spot([one, one + crumbs, one + two]))
    assert found.main_spot[0] == 1
    assert found.main_spot[1] > 0.9
    assert found.main_spot[2] == pytest.approx(0.5, abs=0.05)
    assert found.coverage[0] == 21 / 576  # above half height: the sites with r² < 2 ln 2 σ² = 5.5
    # by hand, on a ring: three sites across the ends, and two single ones
    assert main_spot([[1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]]).tolist() == [0.6]


@pytest.mark.parametrize("sign", [1, -1])
def test_planted_spots_are_found(sign):
    shape, width = (32, 32), 2.0
    centres = [(3.25, 17.0), (31.5, 0.5), (0.0, 16.0)]
    patterns = np.stack([sign * (0.2 + spot(shape, c, width)) for c in centres])
    found = pattern_statistics(patterns)
    assert found.sign.tolist() == [sign] * 3
    apart = np.abs(found.centre - np.array(centres))
    np.testing.assert_allclose(np.minimum(apart, 32 - apart), 0, atol=1e-6)
    assert found.centre.max() < 32
    np.testing.assert_allclose(found.width, 2**0.5 * width, rtol=2e-3)  # in two dimensions
    assert found.spots.tolist() == [1, 1, 1]
    np.testing.assert_allclose(found.profile[2, 4], 0.2 + np.exp(-2), atol=0.05)
    two = spot(shape, (8, 8), 2) + spot(shape, (24, 24), 2)
    assert count_spots([two]).tolist() == [2]
    # N exp(-r²/2w²): PR = (π w²)² / (N π w²/2) = 2 π w²/N.
    np.testing.assert_allclose(
        participation_ratio([spot(shape, (8, 8), width)]), 2 * np.pi * width**2 / 1024, rtol=1e-6
    )


def test_uniform_patterns_and_edge_cases():
    uniform = np.ones((1, 4, 4))
    assert participation_ratio(uniform).tolist() == [1.0]
    assert count_spots(uniform).tolist() == [1]
    assert np.isnan(pattern_width(uniform)).all()
    assert np.isnan(participation_ratio(np.zeros((1, 4)))).all()
    assert gauge_sign(np.zeros((1, 4))).tolist() == [1.0]
    np.testing.assert_allclose(pattern_autocorrelation(uniform), 0, atol=1e-15)
    r, profile = radial_profile([[0.0, 1.0, 1.0, 0.0]], centre=np.array([[1.5]]))
    assert r.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(profile, [[np.nan, 1.0, 0.0]])  # no site within 1/2 of a bond's middle
    assert circular_centre([[0.0, 1.0, 1.0, 0.0]]).tolist() == [[1.5]]


def slow_costs(patterns, reference, signs, shifts):
    shape = patterns.shape[1:]
    costs = np.empty((len(patterns), len(reference)))
    moves = list(itertools.product(*map(range, shape))) if shifts else [(0,) * len(shape)]
    for a, b in itertools.product(range(len(patterns)), range(len(reference))):
        tried = [
            np.mean((patterns[a] - s * np.roll(reference[b], t, axis=range(len(shape)))) ** 2)
            for t in moves
            for s in ((1, -1) if signs else (1,))
        ]
        costs[a, b] = np.sqrt(min(tried))
    return costs


@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("shifts", [True, False])
@pytest.mark.parametrize("shape", [(7,), (4, 6)])
def test_matching_equals_trying_all_shifts_signs_and_orders(shape, signs, shifts):
    patterns, reference = random(shape, 4), random(shape, 5, seed=1)
    found = match_patterns(patterns, reference, signs=signs, shifts=shifts)
    costs = slow_costs(patterns, reference, signs, shifts)
    np.testing.assert_allclose(found.costs, costs, atol=1e-12)
    best = min(
        sum(costs[a, b] ** 2 for a, b in enumerate(order)) for order in itertools.permutations(range(5), 4)
    )
    assert found.total == pytest.approx(np.sqrt(best / 4))
    for a, b, s, t, d, o in zip(
        found.index, found.reference, found.sign, found.shift, found.distance, found.overlap, strict=True
    ):
        moved = s * np.roll(reference[b], t, axis=range(len(shape)))
        assert np.sqrt(np.mean((patterns[a] - moved) ** 2)) == pytest.approx(d)
        cosine = np.sum(patterns[a] * moved) / np.sqrt(np.sum(patterns[a] ** 2) * np.sum(moved**2))
        assert cosine == pytest.approx(o)
    rows, columns = linear_sum_assignment(costs**2)
    assert found.reference.tolist() == columns.tolist()
    assert found.index.tolist() == rows.tolist()


def test_a_shuffled_set_is_recovered():
    rng = np.random.default_rng(0)
    reference = random((8, 8), 12)
    order, sign = rng.permutation(12), rng.choice([-1.0, 1.0], size=12)
    shift = rng.integers(8, size=(12, 2))
    patterns = np.stack(
        [s * np.roll(reference[b], t, axis=(0, 1)) for b, s, t in zip(order, sign, shift, strict=True)]
    )
    found = match_patterns(patterns.reshape(12, 64), reference.reshape(12, 64), (8, 8))
    assert found.reference.tolist() == order.tolist()
    assert found.sign.tolist() == sign.tolist()
    np.testing.assert_array_equal(found.shift, shift)
    assert found.total < 1e-7
    np.testing.assert_allclose(found.overlap, 1)
    assert match_patterns(patterns, reference, shifts=False).total > 0.5
    assert match_patterns(patterns, reference, signs=False).total > 0.1


def test_bad_patterns_are_refused():
    with pytest.raises(UsageError, match=r"for the lattice 4x4 it must be \[patterns, 16\]"):
        pattern_statistics(np.ones((3, 15)), (4, 4))
    with pytest.raises(UsageError, match="NaN"):
        circular_centre([[np.nan, 1.0]])
    with pytest.raises(UsageError, match=r"in \(0, 1\]"):
        count_spots([[0.0, 1.0]], threshold=0.0)
    with pytest.raises(UsageError, match="must be"):
        gauge_sign([1.0, 2.0])
    with pytest.raises(UsageError, match="live on 4 and 5"):
        match_patterns(np.ones((2, 4)), np.ones((2, 5)))
