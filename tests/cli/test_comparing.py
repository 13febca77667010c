"""Distances between hidden units mean something only where the units lie on a lattice."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.cli._comparing import placed_units
from deeprg.coarsegrain import build_block_rule
from deeprg.coarsegrain.boltzmann import RBM, BoltzmannLayer
from deeprg.lattice import Lattice

FINE = Lattice((8, 8))
BLOCKS = np.kron(np.eye(16).reshape(16, 4, 4), np.ones((1, 2, 2)))


def layer(patterns):
    """A machine whose weights are the patterns [units, 8, 8]."""
    weights = jnp.asarray(patterns.reshape(len(patterns), -1).T, jnp.float32)
    start = RBM.create(64, len(patterns), key=jax.random.key(0))
    return BoltzmannLayer(
        RBM(weights, start.visible_bias, start.hidden_bias, start.visible, start.hidden), FINE
    )


@pytest.mark.parametrize(
    ("patterns", "paired", "regular"),
    [
        (BLOCKS[np.random.default_rng(0).permutation(16)], True, True),
        (BLOCKS[:1].repeat(16, axis=0), True, False),  # all in one place
        (BLOCKS[:6], False, False),  # six units fit no lattice of blocks
    ],
)
def test_hidden_units(patterns, paired, regular):
    rule, place, found = placed_units(layer(patterns), patterns, np.ones(len(patterns)))
    assert (place is not None, found) == (paired, regular)
    assert rule.coarse.size == len(patterns)


def test_every_column_is_explained_below_the_table(cli, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).choice((-1, 1), size=(300, 4, 4)))
    answer = cli("compare", "average", "--with", tmp_path / "x.npy")
    assert answer.code == 0, answer.err
    header, _, row, *below = answer.out.splitlines()
    assert row.startswith("average")
    labels = re.split(r"  +", header.strip())
    assert {"particip.", "spots", "off place"} < set(labels)
    assert all(any(line.startswith(f"{label}: ") for line in below) for label in labels)


def test_nothing_is_compared_twice(cli, tmp_path):
    answer = cli("compare", "average", "average", "--with", tmp_path / "x.npy")
    assert answer.code == 2
    assert "'average' is named twice" in answer.err


def test_block_spins_have_places():
    rule = build_block_rule("average", FINE, side=2)
    assert placed_units(rule, BLOCKS, np.ones(16)) == (rule, None, True)
