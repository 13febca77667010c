"""Spectra, bands and receptive fields of weights against loops, random matrices and planted structure."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

from deeprg.lattice import Lattice
from deeprg.probes import band_structure, marchenko_pastur, receptive_fields, weight_spectrum
from deeprg.runs.errors import UsageError


@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (6, 6)])
def test_singular_values_are_roots_of_the_gram_matrix(shape):
    w = np.random.default_rng(0).normal(size=shape)
    found = weight_spectrum(w)
    eigenvalues = np.sort(np.linalg.eigvalsh(w.T @ w))[::-1][: min(shape)]
    np.testing.assert_allclose(found.singular_values**2, eigenvalues, rtol=1e-8)
    assert found.spread == pytest.approx(np.sqrt(np.mean(w**2)))
    n, m = shape
    assert found.edges[1] == pytest.approx(found.spread * (n**0.5 + m**0.5))
    assert found.participation == pytest.approx(eigenvalues.sum() ** 2 / np.sum(eigenvalues**2))
    assert found.to_dict()["shape"] == [n, m]


@pytest.mark.parametrize("shape", [(400, 100), (100, 400), (256, 256)])
def test_random_matrices_follow_the_density(shape):
    spread = 0.3
    n, m = shape
    low, high = spread * abs(n**0.5 - m**0.5), spread * (n**0.5 + m**0.5)
    total, _ = quad(lambda s: marchenko_pastur(np.array([s]), shape, spread)[0], low, high)
    assert total == pytest.approx(1, abs=1e-6)
    grid = np.linspace(low, high, 20_001)
    density = marchenko_pastur(grid, shape, spread)
    cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    w = spread * np.random.default_rng(0).normal(size=shape)
    found = weight_spectrum(w)
    values = found.singular_values
    # Eigenvalues repel, so that the distance is far below that of independent draws.
    distance = kstest(values, lambda s: np.interp(s, grid, cumulative)).statistic
    assert distance < 3 / len(values)
    assert kstest(values, lambda s: np.interp(s * 0.9, grid, cumulative)).statistic > 8 / len(values)
    assert found.edges == pytest.approx((low, high), rel=0.01)
    assert found.singular_values[0] == pytest.approx(high, rel=0.03)
    assert marchenko_pastur([0.0, high * 1.01], shape, spread).tolist()[1] == 0


def test_planted_directions_are_outliers():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 200))
    left, _ = np.linalg.qr(rng.normal(size=(300, 3)))
    right, _ = np.linalg.qr(rng.normal(size=(200, 3)))
    for strength, expected in ((80.0, 3), (5.0, 0)):  # below the edge a direction drowns in the noise
        assert weight_spectrum(noise + strength * left @ right.T).outliers == expected


@pytest.mark.parametrize("shape", [(9,), (4, 6), (3, 4, 2)])
def test_bands_equal_a_loop_over_pairs(shape):
    lattice = Lattice(shape)
    w = np.random.default_rng(0).normal(size=(lattice.size, 5))
    found = band_structure(w, shape)
    sites = list(itertools.product(*map(range, shape)))
    bands, by_distance = np.zeros(shape), {}
    for (i, here), (j, there) in itertools.product(enumerate(sites), repeat=2):
        value = sum(w[i, a] * w[j, a] for a in range(5))
        step = tuple((y - x) % e for x, y, e in zip(here, there, shape, strict=True))
        bands[step] += value / lattice.size
        square = sum(min(d, e - d) ** 2 for d, e in zip(step, shape, strict=True))
        by_distance.setdefault(round(float(square) ** 0.5, 9), []).append(value)
    np.testing.assert_allclose(found.bands, bands, atol=1e-12)
    np.testing.assert_allclose(found.r, sorted(by_distance))
    np.testing.assert_allclose(found.mean, [np.mean(by_distance[r]) for r in sorted(by_distance)])
    np.testing.assert_allclose(found.spread, [np.std(by_distance[r]) for r in sorted(by_distance)])


def test_local_weights_have_local_bands():
    """Hidden units that each see a 2 x 2 block have W Wᵀ only within a block: distances up to √2."""
    blocks = Lattice((8, 8)).blocks(2)
    w = np.zeros((64, 16))
    w[blocks.T, np.arange(16)] = 0.5
    found = band_structure(w, (8, 8))
    assert found.bands[0, 0] == pytest.approx(0.25)
    assert found.bands[0, 1] == pytest.approx(0.125)  # every other neighbour is in the same block
    assert np.all(found.mean[found.r > 1.5] == 0)
    random = band_structure(np.random.default_rng(0).normal(size=(64, 16)), (8, 8))
    assert np.abs(random.mean[1:]).max() < 0.2 * random.mean[0]
    assert random.spread[1:].min() > 1


def test_receptive_fields_sum_over_paths():
    rng = np.random.default_rng(0)
    first, second, third = rng.normal(size=(6, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    fields = receptive_fields([first, second, third])
    assert [field.shape for field in fields] == [(4, 6), (3, 6), (2, 6)]
    for unit, site in itertools.product(range(2), range(6)):
        paths = sum(
            first[site, a] * second[a, b] * third[b, unit] for a, b in itertools.product(range(4), range(3))
        )
        assert fields[2][unit, site] == pytest.approx(paths)
    np.testing.assert_array_equal(fields[0], first.T)


def test_fields_of_blocks_double_with_every_layer():
    layers = []
    for extent in (16, 8, 4):
        lattice = Lattice((extent, extent))
        w = np.zeros((lattice.size, lattice.size // 4))
        w[lattice.blocks(2).T, np.arange(lattice.size // 4)] = 0.25
        layers.append(w)
    for depth, fields in enumerate(receptive_fields(layers), start=1):
        side = 2**depth
        expected = np.zeros((16, 16))
        expected[:side, :side] = 1 / side**2
        np.testing.assert_allclose(fields[0].reshape(16, 16), expected)


def test_bad_weights_are_refused():
    with pytest.raises(UsageError, match="finite matrix"):
        weight_spectrum(np.ones(4))
    with pytest.raises(UsageError, match="NaN"):
        weight_spectrum([[np.nan]])
    with pytest.raises(UsageError, match="15 rows, but the lattice 4x4 has 16"):
        band_structure(np.ones((15, 2)), (4, 4))
    with pytest.raises(UsageError, match="Layer 2 has weights from 3 units, but layer 1 has 2"):
        receptive_fields([np.ones((4, 2)), np.ones((3, 2))])
    with pytest.raises(UsageError, match="no weights"):
        receptive_fields([])
    with pytest.raises(UsageError, match="without spread"):
        marchenko_pastur([1.0], (4, 4), 0.0)
