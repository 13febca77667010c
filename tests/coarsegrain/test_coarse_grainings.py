"""Every coarse-graining of the registry against a loop, or against what generated the field."""

import itertools

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import (
    COARSE_GRAININGS,
    BlockAverage,
    BoltzmannLayer,
    Composition,
    Decimation,
    DeepBoltzmannLayer,
    FlowCoarseGraining,
    FlowSpins,
    Majority,
    MERAStep,
    PlacedUnits,
    PrincipalCut,
    SpinFilter,
    build_block_rule,
)
from deeprg.coarsegrain.flow import build_flow
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
OPTIONS = {"width": 3, "depth": 1, "terms": 1, "radius": 2.0}


def test_every_registered_coarse_graining_is_tested():
    here = {BlockAverage, Decimation, Majority, Composition, FlowCoarseGraining}
    beside = {
        BoltzmannLayer,
        DeepBoltzmannLayer,
        PlacedUnits,
        SpinFilter,
        PrincipalCut,
        MERAStep,
        FlowSpins,
    }  # files of their own
    assert set(COARSE_GRAININGS.values()) == here | beside


@pytest.mark.parametrize(
    ("shape", "side", "stride", "offset"),
    [
        ((6,), 3, 3, 0),
        ((4, 6), 2, 2, 0),
        ((2, 4, 2), 2, 2, 0),
        ((6, 4), 3, 2, (1, 3)),  # overlapping, beyond the edge
        ((8,), 2, 4, 1),  # sparse
        ((4, 4), 3, 1, 0),
        ((4, 4, 4), 3, 2, (0, 1, 2)),
    ],
)
def test_block_rules_equal_a_loop_over_blocks(shape, side, stride, offset):
    lattice = Lattice(shape)
    spins = np.random.default_rng(0).choice([-1.0, 1.0], size=shape)
    field = np.random.default_rng(1).normal(size=shape)
    offsets = (offset,) * len(shape) if isinstance(offset, int) else offset
    coarse = tuple(extent // stride for extent in shape)
    means, signs = np.zeros(coarse), {ties: np.zeros(coarse) for ties in ("first", "last", "plus", "minus")}
    for block in itertools.product(*map(range, coarse)):
        inside = [
            tuple((stride * b + o + i) % e for b, o, i, e in zip(block, offsets, step, shape, strict=True))
            for step in itertools.product(range(side), repeat=len(shape))
        ]
        means[block] = np.mean([field[site] for site in inside])
        total = sum(spins[site] for site in inside)
        tied = {"first": spins[inside[0]], "last": spins[inside[-1]], "plus": 1, "minus": -1}
        for ties, value in tied.items():
            signs[ties][block] = np.sign(total) if total else value
    options = {"side": side, "stride": stride, "offset": offset}
    average = BlockAverage(lattice, **options)
    assert average.coarse.shape == coarse
    np.testing.assert_allclose(
        average.coarsen(jax.numpy.asarray(field), key=KEY), means, rtol=1e-14, atol=1e-15
    )
    for ties, expected in signs.items():
        rule = Majority(lattice, ties=ties, **options)
        np.testing.assert_array_equal(rule.coarsen(jax.numpy.asarray(spins), key=KEY), expected)


@pytest.mark.parametrize(("shape", "side", "offset"), [((6,), 3, 0), ((4, 6), 2, (1, 0)), ((2, 4, 2), 2, 1)])
def test_decimation_keeps_every_side_th_site(shape, side, offset):
    x = np.random.default_rng(0).normal(size=shape)
    offsets = (offset,) * len(shape) if isinstance(offset, int) else offset
    kept = x[tuple(slice(o, None, side) for o in offsets)]
    rule = Decimation(Lattice(shape), side=side, offset=offset)
    np.testing.assert_array_equal(rule.coarsen(jax.numpy.asarray(x), key=KEY), kept)
    assert np.any(kept != x[(slice(None, None, side),) * len(shape)]) == bool(offset)


def test_repeated_steps_equal_the_steps_one_by_one():
    x = jax.numpy.asarray(np.random.default_rng(0).choice([-1.0, 1.0], size=(64, 64)))
    average = build_block_rule("average", Lattice((64, 64)), steps=3)
    assert isinstance(average, Composition)
    assert [link.coarse.shape for link in average.links] == [(32, 32), (16, 16), (8, 8)]
    blocks = np.asarray(x).reshape(8, 8, 8, 8).mean(axis=(1, 3))  # blocks of side 8 at once
    np.testing.assert_allclose(average.coarsen(x, key=KEY), blocks, atol=1e-14)
    stages = average.stages(x, key=KEY)
    np.testing.assert_allclose(stages[1], np.asarray(x).reshape(16, 4, 16, 4).mean(axis=(1, 3)), atol=1e-14)
    # A majority of majorities is no majority of the large block.
    majority = build_block_rule("majority", Lattice((27,)), steps=3, side=3)
    up = -np.ones(27)
    up[[0, 1, 3, 4, 9, 10, 12, 13]] = 1  # two of three in two of three in two of three: 8 of 27
    assert majority.coarsen(jax.numpy.asarray(up), key=KEY).item() == 1
    assert Majority(Lattice((27,)), side=27).coarsen(jax.numpy.asarray(up), key=KEY).item() == -1


def test_links_of_a_composition_draw_with_keys_of_their_own():
    """Two tied blocks, then their block: with one key for both links the outcomes would depend."""
    rule = build_block_rule("majority", Lattice((4,)), steps=2, ties="random")
    x = jax.numpy.asarray([1.0, -1.0, 1.0, -1.0])
    stages = jax.vmap(lambda k: jax.numpy.concatenate(rule.stages(x, key=k)))(jax.random.split(KEY, 4000))
    first, second, last = np.asarray(stages).T
    tied = first != second
    assert abs(tied.mean() - 0.5) < 5 * 0.5 / 4000**0.5
    for other in (first[tied], np.ones(tied.sum())):
        assert abs(np.mean(last[tied] * other)) < 5 / tied.sum() ** 0.5


@pytest.mark.parametrize("rule", [BlockAverage, Decimation, Majority])
def test_blocks_that_do_not_tile_are_refused_with_shapes_that_do(rule):
    with pytest.raises(
        UsageError, match=r"do not tile the lattice 4x6.*4x4, 4x8; strides that tile 4x6: 2\."
    ):
        rule(Lattice((4, 6)), side=4)


def test_rules_that_make_no_sense_are_refused():
    square = Lattice((4, 4))
    with pytest.raises(UsageError, match="4 spins can tie"):
        Majority(square)
    with pytest.raises(UsageError, match="not 'coin'"):
        Majority(square, ties="coin")
    with pytest.raises(UsageError, match="at most 4"):
        BlockAverage(square, side=5, stride=2)
    with pytest.raises(UsageError, match="at least 2"):
        BlockAverage(square, side=1)
    with pytest.raises(UsageError, match="at least 1"):
        BlockAverage(square, stride=0)
    with pytest.raises(UsageError, match="3 components"):
        Decimation(square, offset=(1, 1, 1))
    with pytest.raises(UsageError, match="no block rule 'mayority'"):
        build_block_rule("mayority", square)
    with pytest.raises(UsageError, match="no option 'ties'; it has side, stride, offset"):
        build_block_rule("average", square, ties="first")
    with pytest.raises(UsageError, match="do not tile the lattice 3x3"):
        build_block_rule("average", Lattice((6, 6)), steps=2)
    with pytest.raises(UsageError, match="at least once"):
        build_block_rule("average", square, steps=0)
    with pytest.raises(UsageError, match="build it for 2x2"):
        Composition(BlockAverage(square), BlockAverage(square))
    with pytest.raises(UsageError, match="at least one"):
        Composition()


def test_a_flow_coarsens_to_the_scale_that_generated_the_field():
    dual = build_hamiltonian("ising", Lattice((4, 4)))
    flow = build_flow(dual, dtype=np.float64, key=jax.random.key(1), **OPTIONS)
    z = flow.latent(key=jax.random.key(2))
    *scales, _, x = flow.scales(z)
    rule = FlowCoarseGraining(flow, levels=1)
    coarse = rule.coarsen(x, key=KEY)
    assert coarse.shape == rule.coarse.shape == (2, 2)
    np.testing.assert_allclose(coarse, scales[-1], atol=1e-9)
    # New details leave the coarse variable alone; plain decimation of the field is something else.
    again = rule.refine(coarse, key=jax.random.key(3))
    assert np.abs(np.asarray(again - x)).max() > 0.1
    np.testing.assert_allclose(rule.coarsen(again, key=KEY), coarse, atol=1e-9)
    assert np.abs(np.asarray(x[::2, ::2] - coarse)).max() > 1e-3


def test_flows_that_cannot_coarse_grain_are_refused():
    dual = build_hamiltonian("ising", Lattice((4, 4)))
    with pytest.raises(UsageError, match="2 levels"):
        FlowCoarseGraining(build_flow(dual, key=KEY, **OPTIONS), levels=3)
    with pytest.raises(UsageError, match="no hierarchy"):
        FlowCoarseGraining(build_flow(dual, layout="tebd", layers=1, couplings=2, key=KEY))
