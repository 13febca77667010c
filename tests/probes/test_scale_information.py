"""Information between scales: a Gaussian ring in closed form, a flow on its own fields, bad input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import Affine, Chain, Flow, Hierarchy, conditional_hierarchy
from deeprg.lattice import Lattice
from deeprg.probes import scale_information
from deeprg.runs.errors import UsageError

RING = Lattice((8,))
KEY = jax.random.key(2)


def gaussian_information(covariance, a, b):
    det = lambda sites: np.linalg.slogdet(covariance[np.ix_(sites, sites)])[1]
    return 0.5 * (det(a) + det(b) - det(a + b))


def test_decimation_of_a_gaussian_ring():
    """The identity flow decimates: field and latents are the same numbers, I in closed form; a twin fails."""
    hops = np.roll(np.eye(8), 1, 0) + np.roll(np.eye(8), -1, 0)
    covariance = np.linalg.inv(2.3 * np.eye(8) - hops)
    fields = np.random.default_rng(0).multivariate_normal(np.zeros(8), covariance, 20_000).T
    identity = Flow(RING, Hierarchy(RING, Chain(), (Chain(),), (0, 0, 0)), dtype=jnp.float64)
    found = scale_information(identity, fields)
    assert [row.shape for row in found] == [(8,), (4,), (2,)]
    for row, (detail, kept) in zip(found, [([1], [0, 2]), ([2], [0, 4]), ([4], [0])], strict=True):
        exact = gaussian_information(covariance, detail, kept)
        assert abs(row.field.value - exact) < 4 * row.field.error + 0.01
        assert row.latent.value == row.field.value
    finest = gaussian_information(covariance, [1], [0, 2])
    assert abs(found[0].field.value - 1.3 * finest) > 4 * found[0].field.error


@pytest.mark.slow
def test_a_flow_decouples_the_fields_that_it_makes():
    hierarchy = conditional_hierarchy(RING, Affine(), width=4, depth=1, dtype=jnp.float64, key=KEY)
    rng = np.random.default_rng(0)
    noisy = lambda leaf: leaf + 0.4 * rng.normal(size=leaf.shape) if eqx.is_inexact_array(leaf) else leaf
    flow = Flow(RING, jax.tree.map(noisy, hierarchy), dtype=jnp.float64)
    keys = jax.random.split(KEY, 8000)
    x = jax.jit(jax.vmap(lambda key: flow.sample(key=key)[0], out_axes=-1))(keys)
    found = scale_information(flow, np.asarray(x))
    for row in found:
        assert abs(row.latent.value) < 4 * row.latent.error
    assert any(row.field.value > 6 * row.field.error for row in found)


def test_bad_input():
    with pytest.raises(UsageError, match="no hierarchy"):
        scale_information(Flow(RING, Chain()), np.zeros((8, 1000), np.float32))
    identity = Flow(RING, Hierarchy(RING, Chain(), (Chain(),), (0, 0, 0)))
    with pytest.raises(UsageError, match="too few"):
        scale_information(identity, np.random.default_rng(0).normal(size=(8, 50)))
