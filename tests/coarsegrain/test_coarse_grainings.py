"""Every coarse-graining of the registry against a loop, or against what generated the field."""

import itertools

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import COARSE_GRAININGS, BlockAverage, Decimation, FlowCoarseGraining
from deeprg.coarsegrain.flow import build_flow
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
OPTIONS = {"width": 3, "depth": 1, "terms": 1, "radius": 2.0}


def test_every_registered_coarse_graining_is_tested_here():
    assert set(COARSE_GRAININGS.values()) == {BlockAverage, Decimation, FlowCoarseGraining}


@pytest.mark.parametrize(("shape", "side"), [((6,), 3), ((4, 6), 2), ((2, 4, 2), 2)])
def test_block_rules_equal_a_loop_over_blocks(shape, side):
    lattice = Lattice(shape)
    x = np.random.default_rng(0).normal(size=shape)
    means, kept = np.zeros([e // side for e in shape]), np.zeros([e // side for e in shape])
    for block in itertools.product(*(range(e // side) for e in shape)):
        inside = [
            tuple(side * b + i for b, i in zip(block, step, strict=True))
            for step in itertools.product(range(side), repeat=len(shape))
        ]
        means[block], kept[block] = np.mean([x[site] for site in inside]), x[inside[0]]
    average, decimation = BlockAverage(lattice, side=side), Decimation(lattice, side=side)
    assert average.coarse.shape == decimation.coarse.shape == means.shape
    np.testing.assert_allclose(average.coarsen(jax.numpy.asarray(x), key=KEY), means, rtol=1e-14)
    np.testing.assert_array_equal(decimation.coarsen(jax.numpy.asarray(x), key=KEY), kept)
    assert np.abs(means - kept).max() > 0.1


@pytest.mark.parametrize("rule", [BlockAverage, Decimation])
def test_blocks_that_do_not_tile_are_refused(rule):
    with pytest.raises(UsageError, match="do not tile"):
        rule(Lattice((4, 6)), side=4)


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
