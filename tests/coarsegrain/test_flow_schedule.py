"""Unit cells, fill schedules, contexts and the levels of a hierarchy."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.coarsegrain.flow import (
    Affine,
    BlockLayer,
    Chain,
    Flow,
    Hierarchy,
    RealNVP,
    conditional_hierarchy,
    fill_schedule,
    level_shapes,
    mera,
)
from deeprg.coarsegrain.flow._cells import context_of, halved_cell, join, offsets, site_indices, split
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
even_shapes = st.lists(st.integers(1, 6).map(lambda n: 2 * n), min_size=1, max_size=3).map(tuple)


def known_site(site, shape):
    """Whether a site exists on the coarser level: even along the axes that are halved."""
    longest = max(extent for extent in shape if extent % 2 == 0)
    return all(i % 2 == 0 for i, extent in zip(site, shape, strict=True) if extent == longest)


def colourable(shape):
    """Whether all halved extents are multiples of 4, so that blocks make a checkerboard."""
    longest = max(extent for extent in shape if extent % 2 == 0)
    return longest % 4 == 0 and all(extent % 2 == 0 for extent in shape)


@given(shape=even_shapes, colours=st.sampled_from([1, 2]))
def test_fill_reaches_every_site_of_the_unit_cell_once(shape, colours):
    period, steps = fill_schedule(shape, colours=colours)
    assert all(extent % p == 0 for extent, p in zip(shape, period, strict=True))
    kept = [o for o in offsets(period) if known_site(o, shape)]
    filled = [o for step in steps for o in step]
    assert sorted(kept + filled) == offsets(period)
    assert all(steps)


@given(shape=even_shapes)
def test_sites_of_a_coloured_step_do_not_touch(shape):
    """With two colours no two sites of a step are neighbours on the sublattice that the group makes."""
    period, steps = fill_schedule(shape, colours=2)
    if 4 in period and colourable(shape):
        for step in steps:
            for a, b in itertools.combinations(step, 2):
                apart = [min(abs(i - j), p - abs(i - j)) for i, j, p in zip(a, b, period, strict=True)]
                assert sum(d / c for d, c in zip(apart, halved_cell(shape), strict=True)) > 1


def test_order_of_a_square_fill():
    assert fill_schedule((8, 8), colours=1) == ((2, 2), [[(1, 1)], [(0, 1)], [(1, 0)]])
    period, steps = fill_schedule((8, 8))
    assert period == (4, 4)
    assert steps[0] == [(1, 1), (3, 3)]
    assert steps[1] == [(1, 3), (3, 1)]


@settings(max_examples=30, deadline=None)
@given(shape=even_shapes, colours=st.sampled_from([1, 2]), radius=st.floats(0.9, 2.9), wrapped=st.booleans())
def test_contexts_hold_known_sites_alone(shape, colours, radius, wrapped):
    period, steps = fill_schedule(shape, colours=colours)
    known = {o for o in offsets(period) if known_site(o, shape)}
    for step in steps:
        context = context_of(period, step, known, radius=radius, extents=shape if wrapped else None)
        lengths = [sum(i * i for i in d) for d in context]
        assert lengths == sorted(lengths)
        assert not context or lengths[-1] <= radius**2 + 1e-9
        if wrapped:
            images = [tuple(i % e for i, e in zip(d, shape, strict=True)) for d in context]
            assert len(set(images)) == len(images)
        for site, d in itertools.product(step, context):
            assert tuple((i + j) % p for i, j, p in zip(site, d, period, strict=True)) in known
        known.update(step)


@settings(max_examples=8, deadline=None)
@given(data=st.data(), period=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple))
def test_split_and_join(data, period):
    cells = data.draw(st.lists(st.integers(1, 2), min_size=len(period), max_size=len(period)))
    shape = tuple(p * c for p, c in zip(period, cells, strict=True))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(*shape, 2)))
    parts = split(x, period)
    for offset, part in parts.items():
        assert part.shape == (*cells, 2)
        np.testing.assert_array_equal(part[(0,) * len(period)], x[offset])
    np.testing.assert_array_equal(join(parts, period), x)


@settings(max_examples=30, deadline=None)
@given(shape=even_shapes)
def test_site_indices_by_a_loop(shape):
    period = (2,) * len(shape)
    active = offsets(period)[1:]
    around = Lattice(shape).nearest_displacements()
    sites, neighbours = site_indices(shape, period, active, around)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    expected = {int(numbers[s]) for s in np.ndindex(shape) if tuple(i % 2 for i in s) in active}
    assert sorted(sites.tolist()) == sorted(expected)
    for row, d in zip(neighbours, around, strict=True):
        moved = np.roll(numbers, tuple(-i for i in d), tuple(range(len(shape))))
        np.testing.assert_array_equal(row, moved.ravel()[sites])


@given(shape=st.lists(st.integers(1, 64), min_size=1, max_size=3).map(tuple))
def test_level_shapes_halve_down_to_an_odd_extent(shape):
    try:
        levels = level_shapes(Lattice(shape))
    except UsageError:
        odd_parts = [extent // (extent & -extent) for extent in shape]
        assert np.prod(odd_parts) > 27
        return
    assert levels[-1] == shape
    assert all(extent % 2 for extent in levels[0])
    for coarse, fine in itertools.pairwise(levels):
        longest = max(extent for extent in fine if extent % 2 == 0)
        assert coarse == tuple(e // 2 if e == longest else e for e in fine)


@eqx.filter_jit
def coarsen(network, x):
    return network.coarsen(x)


@pytest.fixture(scope="module")
def networks():
    make = lambda size, key: RealNVP(size, couplings=2, hidden=1, width=3, dtype=jnp.float64, key=key)
    lattice = Lattice((8, 4))
    return {
        "mera": mera(lattice, make, key=KEY),
        "conditional": conditional_hierarchy(
            lattice, Affine(), width=3, depth=1, colours=1, odd=False, dtype=jnp.float64, key=KEY
        ),
    }


@pytest.mark.parametrize("name", ["mera", "conditional"])
def test_scales_coarsen_and_refine_agree(networks, perturbed, name):
    network = perturbed(networks[name])
    z = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4, 2)))

    def everything(network, z):
        scales = network.scales(z)
        x, log_det = network.forward(z)
        coarse = [network.coarsen(x, levels=levels) for levels in range(network.depth + 1)]
        other, _ = network.refine(scales[-2], -z)
        refined = network.refine(scales[0], z)
        return scales, x, log_det, coarse, refined, network.base.forward(z[::8, ::4])[1], other

    scales, x, log_det, coarse, refined, base, other = eqx.filter_jit(everything)(network, z)
    assert [scale.shape[:2] for scale in scales] == level_shapes(network.lattice)
    np.testing.assert_allclose(scales[-1], x, rtol=1e-12, atol=1e-12)
    for ours, scale in zip(coarse, reversed(scales), strict=True):
        np.testing.assert_allclose(ours, scale, rtol=1e-10, atol=1e-10)
    # The refining steps make up the Jacobian of all but the base.
    np.testing.assert_allclose(refined[0], x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(refined[1] + base, log_det, rtol=1e-12, atol=1e-12)
    # New latents leave the coarse field alone, under its own coarsening.
    assert np.abs(np.asarray(other - x)).max() > 0.1
    np.testing.assert_allclose(coarsen(network, other), scales[-2], rtol=1e-10, atol=1e-10)


def test_without_disentanglers_coarsening_is_decimation(networks, perturbed):
    decimated, mixed = perturbed(networks["conditional"]), perturbed(networks["mera"])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)))
    np.testing.assert_array_equal(coarsen(decimated, x), x[::2])
    assert np.abs(np.asarray(coarsen(mixed, x) - x[::2])).max() > 0.1


def test_scales_of_a_flow_with_a_whitening_behind(networks):
    network = networks["conditional"]
    double = BlockLayer(RealNVP(4, couplings=2, key=KEY, dtype=jnp.float64))
    z = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)))
    scales = Flow(network.lattice, Chain(network, double), dtype=jnp.float64).scales(z)
    assert [scale.shape for scale in scales] == [(1, 1), (2, 2), (4, 4), (8, 4), (8, 4)]
    np.testing.assert_allclose(scales[-1], double.forward(scales[-2])[0], rtol=1e-12)


def test_hierarchy_refuses_what_it_does_not_have(networks):
    network = networks["conditional"]
    x = jnp.zeros((8, 4))
    for levels in (-1, 5):
        with pytest.raises(UsageError, match="levels"):
            network.coarsen(x, levels=levels)
    with pytest.raises(UsageError, match="none of the levels"):
        network.refine(jnp.zeros((3, 2)), x)
    with pytest.raises(UsageError, match="built for 8x4"):
        network.forward(jnp.zeros((4, 8)))
    with pytest.raises(UsageError, match="2 levels above its base, not 1"):
        Hierarchy(Lattice((4, 4)), Chain(), (Chain(),), (0,))
