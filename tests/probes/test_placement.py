"""Hidden units put on a lattice: against known places, chance, and block rules read through it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain import BlockAverage, Composition, Decimation, Majority, PlacedUnits
from deeprg.coarsegrain.boltzmann import RBM, BoltzmannLayer
from deeprg.lattice import Lattice
from deeprg.probes import coarse_two_point, place_units
from deeprg.runs.errors import UsageError

FINE, COARSE = Lattice((12, 12)), Lattice((4, 4))
KEY = jax.random.key(0)


def blobs(centres, width=2.0):
    """Gaussian spots on the 12x12 torus."""
    grid = FINE.coordinates().reshape(12, 12, 2)
    apart = np.abs(grid[None] - np.asarray(centres)[:, None, None])
    squares = (np.minimum(apart, 12 - apart) ** 2).sum(axis=-1)
    return np.exp(-squares / (2 * width**2))


def middles():
    return COARSE.coordinates() * 3 + 1.0


def test_units_find_their_sites_whatever_their_order_and_sign():
    rng = np.random.default_rng(0)
    order, sign = rng.permutation(16), rng.choice([-1.0, 1.0], 16)
    offset = rng.normal(scale=0.3, size=(16, 2))
    patterns = np.empty((16, 12, 12))
    patterns[order] = sign[:, None, None] * blobs(middles() + offset)
    found = place_units(patterns, COARSE)
    assert np.array_equal(found.order, order)
    assert np.array_equal(found.sign, sign)
    assert found.displacement == pytest.approx(np.sqrt((offset**2).sum(axis=1).mean()) / 3, abs=0.02)
    assert found.placed


def test_centres_at_random_are_seen_to_be_random():
    rng = np.random.default_rng(1)
    pulls = []
    for seed in range(20):
        found = place_units(blobs(12 * rng.random((16, 2))), COARSE, seed=seed)
        assert not found.placed
        pulls.append((found.displacement - found.random[0]) / found.random[1])
    assert abs(np.mean(pulls)) < 4 / np.sqrt(20)


def test_rearranged_block_spins_have_the_correlations_of_block_spins():
    """A majority rule whose coarse spins were shuffled and flipped, put back by its own maps."""
    rng = np.random.default_rng(2)
    order, sign = rng.permutation(16), rng.choice([-1.0, 1.0], 16)
    # smooth noise: a critical-like field of signs
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(400, 12, 12))) * np.fft.fft2(blobs([[0, 0]])[0])).real
    x = np.where(noise > 0, 1.0, -1.0).astype(np.float32)
    rule = Majority(FINE, side=3)
    lost = PlacedUnits(rule, Lattice((16,)), order=order, sign=sign)
    maps = (
        np.einsum(
            "na,nij->aij", np.stack([np.asarray(lost.coarsen(jnp.asarray(one), key=KEY)) for one in x]), x
        )
        / 400
    )
    found = place_units(maps, COARSE)
    back = PlacedUnits(lost, COARSE, order=found.order, sign=found.sign)
    curve, exact = (coarse_two_point(one, x, key=KEY, blocks=10) for one in (back, rule))
    np.testing.assert_allclose(curve.value, exact.value, atol=1e-6)
    wrong = PlacedUnits(lost, COARSE, order=np.arange(16))
    assert abs(coarse_two_point(wrong, x, key=KEY, blocks=10).value[1] - exact.value[1]) > 0.1


@pytest.mark.parametrize("unit", ["spin", "binary"])
def test_bits_become_spins(unit):
    machine = RBM.create(144, 16, visible_unit="spin", hidden_unit=unit, dtype=jnp.float64, key=KEY)
    layer = BoltzmannLayer(machine, FINE)
    placed = PlacedUnits(layer, COARSE, order=np.arange(16)[::-1], sign=-np.ones(16), unit=machine.hidden)
    x = jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (12, 12)))
    drawn = np.asarray(placed.coarsen(x, key=KEY))
    assert set(np.unique(drawn)) <= {-1.0, 1.0}
    raw = np.asarray(layer.coarsen(x, key=KEY))
    np.testing.assert_array_equal(drawn.reshape(-1), -(raw if unit == "spin" else 2 * raw - 1)[::-1])
    mean = np.asarray(layer.mean(x))
    np.testing.assert_allclose(
        np.asarray(placed.mean(x)).reshape(-1), -(mean if unit == "spin" else 2 * mean - 1)[::-1]
    )
    with pytest.raises(UsageError, match="holds 3"):
        placed.check(np.full((12, 12), 3.0))


def test_averages_of_compositions():
    machine = RBM.create(36, 9, key=KEY)
    block = BlockAverage(FINE)
    draws = BoltzmannLayer(machine, Lattice((6, 6)), Lattice((3, 3)))
    assert Composition(block, draws).averages
    assert not Composition(draws, BlockAverage(Lattice((3, 3)), side=3)).averages


def test_bad_input():
    with pytest.raises(UsageError, match="15 patterns on 12x12 cannot be put on 4x4"):
        place_units(blobs(middles())[:15], COARSE)
    with pytest.raises(UsageError, match="on a lattice that divides"):
        place_units(np.ones((25, 12, 12)), Lattice((5, 5)))
    rule = Decimation(Lattice((6,)))
    with pytest.raises(UsageError, match="each once"):
        PlacedUnits(rule, Lattice((3,)), order=[0, 0, 1])
    with pytest.raises(UsageError, match="each of the 4 sites"):
        PlacedUnits(rule, Lattice((4,)), order=[0, 1, 2])
    with pytest.raises(UsageError, match=r"\+1 or -1"):
        PlacedUnits(rule, Lattice((3,)), order=[0, 1, 2], sign=[1, 0, 1])
