"""Networks that know where they are: no place is like another, and nothing else has changed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Affine,
    ContextNet,
    PlacedNet,
    conditional_hierarchy,
    with_places,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(4)


def net(odd=False):
    return ContextNet(3, n_even=1, n_odd=1, start=[0.2], width=5, odd=odd, dtype=jnp.float64, key=KEY)


def test_with_silent_places_it_is_the_network_that_it_came_from():
    placed = PlacedNet.of(net(), 4, places=2, key=KEY)
    context = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 6)))
    silent = eqx.tree_at(lambda n: n.place, placed, jnp.zeros((2, 4)))
    for one, other in zip(silent(context), net()(context), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert float(jnp.abs(placed(context)[0] - net()(context)[0]).max()) > 1e-4


def test_translations_are_broken():
    plain = conditional_hierarchy(
        Lattice((8,)),
        Affine(),
        width=4,
        depth=1,
        radius=1.5,
        colours=1,
        odd=False,
        dtype=jnp.float64,
        key=KEY,
    )
    z = jnp.asarray(np.random.default_rng(0).normal(size=8))
    for hierarchy, held in ((plain, True), (with_places(plain, places=2, key=KEY), False)):
        finest = hierarchy.levels[-1]
        moved = finest.forward(jnp.roll(z, 2))[0] - jnp.roll(finest.forward(z)[0], 2)
        assert (float(jnp.abs(moved).max()) < 1e-12) == held


def test_bad_input():
    with pytest.raises(UsageError, match="at least one number of its own, not 0"):
        PlacedNet.of(net(), 4, places=0, key=KEY)
    with pytest.raises(UsageError, match="places for 4 sites, not for 5"):
        PlacedNet.of(net(), 4, places=2, key=KEY)(jnp.zeros((3, 5)))
    with pytest.raises(UsageError, match="share their weights"):
        with_places(
            conditional_hierarchy(Lattice((16,)), Affine(), shared=True, odd=False, key=KEY),
            places=1,
            key=KEY,
        )
