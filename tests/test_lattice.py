"""Geometry against brute force over sites."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.lattice import Lattice, PointSymmetry
from deeprg.runs.errors import UsageError

SHAPES = [(1,), (2,), (5,), (4, 6), (1, 3), (2, 2), (2, 3, 4)]


@pytest.fixture(params=SHAPES, ids=str)
def lattice(request):
    return Lattice(request.param)


def test_sites_and_coordinates(lattice):
    sites = list(itertools.product(*(range(extent) for extent in lattice.shape)))
    assert lattice.size == len(sites)
    assert lattice.ndim == len(lattice.shape)
    assert lattice.coordinates().tolist() == [list(site) for site in sites]


def test_is_hashable_and_equal_by_value(lattice):
    assert {lattice: 1}[Lattice(lattice.shape)] == 1


def test_neighbours_by_brute_force(lattice):
    sites = list(itertools.product(*(range(extent) for extent in lattice.shape)))
    table = lattice.neighbours()
    for i, site in enumerate(sites):
        expected = []
        for axis, sign in itertools.product(range(lattice.ndim), (1, -1)):
            there = list(site)
            there[axis] = (there[axis] + sign) % lattice.shape[axis]
            expected.append(sites.index(tuple(there)))
        assert table[i].tolist() == expected


def test_displacements_by_brute_force(lattice):
    sites = list(itertools.product(*(range(extent) for extent in lattice.shape)))
    table = lattice.displacements()
    for (i, a), (j, b) in itertools.product(enumerate(sites), repeat=2):
        difference = tuple((q - p) % extent for p, q, extent in zip(a, b, lattice.shape, strict=True))
        assert table[i, j] == sites.index(difference)


def test_distances_by_brute_force(lattice):
    for site in itertools.product(*(range(extent) for extent in lattice.shape)):
        images = itertools.product(*((c, c - extent) for c, extent in zip(site, lattice.shape, strict=True)))
        shortest = min(sum(c**2 for c in image) for image in images) ** 0.5
        assert lattice.distances()[site] == pytest.approx(shortest, abs=1e-15)


def test_distances_of_pairs_by_brute_force(lattice):
    points = np.random.default_rng(2).uniform(size=(5, lattice.ndim)) * np.array(lattice.shape)
    images = np.array(list(itertools.product(*((-extent, 0, extent) for extent in lattice.shape))))
    apart = (points[:, None] - points)[:, :, None] + images
    shortest = np.sqrt((apart**2).sum(axis=-1)).min(axis=-1)
    np.testing.assert_allclose(lattice.pair_distances(points), shortest, atol=1e-14)


def test_dispersion_is_the_spectrum_of_the_adjacency_matrix(lattice):
    adjacency = np.zeros((lattice.size, lattice.size))
    for i, row in enumerate(lattice.neighbours()):
        for j in row:
            adjacency[i, j] += 1
    expected = np.sort(np.linalg.eigvalsh(adjacency))
    np.testing.assert_allclose(np.sort(lattice.dispersion().reshape(-1)), expected, atol=1e-12)


def test_momenta_label_plane_waves_in_fft_order(lattice):
    x = np.random.default_rng(0).normal(size=lattice.shape)
    phases = np.exp(-1j * lattice.coordinates() @ lattice.momenta().reshape(lattice.size, -1).T)
    np.testing.assert_allclose(x.reshape(-1) @ phases, np.fft.fftn(x).reshape(-1), atol=1e-12)


@pytest.mark.parametrize("offset", [0, 1, (1, 2)])
@pytest.mark.parametrize("side", [1, 2])
def test_blocks_partition_the_lattice(side, offset):
    lattice = Lattice((4, 6))
    blocks = lattice.blocks(side, offset)
    assert blocks.shape == (lattice.size // side**2, side**2)
    assert sorted(blocks.reshape(-1).tolist()) == list(range(lattice.size))
    start = np.array(offset if isinstance(offset, tuple) else (offset, offset))
    first = [
        np.ravel_multi_index(tuple((start + step) % lattice.shape), lattice.shape)
        for step in itertools.product(range(side), repeat=2)
    ]
    assert blocks[0].tolist() == first


def test_every_block_holds_one_decimated_site():
    lattice = Lattice((4, 4, 4))
    kept = lattice.sublattice(2, (1, 0, 1)).reshape(-1)
    assert kept.sum() == 8
    for offset in (0, 1):
        assert (kept[lattice.blocks(2, offset)].sum(axis=1) == 1).all()


def test_checkerboards_are_complements_without_equal_neighbours():
    lattice = Lattice((4, 6))
    even, odd = lattice.checkerboard(0), lattice.checkerboard(1)
    assert (even ^ odd).all()
    assert (even.reshape(-1)[lattice.neighbours()] == odd.reshape(-1)[:, None]).all()


def test_translation_moves_the_field():
    lattice = Lattice((4, 6))
    x = np.random.default_rng(1).normal(size=(4, 6))
    moved = lattice.translate(x, (1, -2))
    for i, j in itertools.product(range(4), range(6)):
        assert moved[(i + 1) % 4, (j - 2) % 6] == x[i, j]
    batch = lattice.translate(jnp.asarray(x)[None], (1, -2))
    np.testing.assert_array_equal(batch[0], moved)


@pytest.mark.parametrize(("shape", "order"), [((4,), 2), ((4, 4), 8), ((4, 6), 4), ((3, 3, 3), 48)])
def test_point_group_is_a_group_of_lattice_symmetries(shape, order):
    lattice = Lattice(shape)
    group = lattice.point_group()
    sites = np.arange(lattice.size).reshape(shape)
    tables = {tuple(g(sites).reshape(-1).tolist()) for g in group}
    assert len(group) == len(tables) == order
    assert (group[0](sites) == sites).all()
    bonds = {frozenset((i, int(j))) for i, row in enumerate(lattice.neighbours()) for j in row}
    for g in group:
        image = g(sites).reshape(-1)
        assert image[0] == 0
        assert {frozenset(int(image[i]) for i in bond) for bond in bonds} == bonds
        np.testing.assert_array_equal(g.inverse(g(sites)), sites)
        for h in group[:8]:
            assert tuple(g(h(sites)).reshape(-1).tolist()) in tables


def test_point_symmetry_under_jit_and_batch():
    x = np.random.default_rng(2).normal(size=(3, 4, 4))
    rotation = PointSymmetry((1, 0), (False, True))
    np.testing.assert_array_equal(jax.jit(rotation)(x), rotation(x))
    np.testing.assert_array_equal(rotation(x)[1], rotation(x[1]))
    fourth = rotation(rotation(rotation(rotation(x))))
    np.testing.assert_array_equal(fourth, x)


@pytest.mark.parametrize(
    ("text", "shape"), [("16", (16,)), ("16x8", (16, 8)), (" 2 X 3 x 4 ", (2, 3, 4)), ("4×4", (4, 4))]
)
def test_parse(text, shape):
    assert Lattice.parse(text).shape == shape
    assert Lattice.parse(str(Lattice(shape))).shape == shape


@pytest.mark.parametrize("text", ["", "x", "16x", "-4x4", "4.0x4", "a", "0x4", "2x2x2x2", "4,4"])
def test_parse_refuses_nonsense(text):
    with pytest.raises(UsageError):
        Lattice.parse(text)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Lattice(()), "1 to 3 axes"),
        (lambda: Lattice((4, 0)), "at least 1"),
        (lambda: Lattice((4, 5)).checkerboard(0), "even extents, but the lattice is 4x5"),
        (lambda: Lattice((4, 4)).checkerboard(2), "parity"),
        (lambda: Lattice((4, 6)).sublattice(4), "4 does not divide 4x6. Divisors: 1, 2"),
        (lambda: Lattice((4, 6)).blocks(3), "3 does not divide 4x6"),
        (lambda: Lattice((4, 6)).blocks(0), "0 does not divide"),
        (lambda: Lattice((4, 6)).blocks(2, (1,)), "2 components"),
        (lambda: Lattice((4, 6)).translate(np.zeros((4, 6)), (1,)), "2 components"),
    ],
)
def test_bad_geometry_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
