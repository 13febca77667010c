"""Transfer matrices along rings, chains and strips against enumeration, and their limits."""

import math

import numpy as np
import pytest

from deeprg.exact import ising_chain, kaufman
from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    action_at,
    block_exact,
    block_transfer,
)
from deeprg.exact.blocking._states import spin_table
from deeprg.hamiltonians import Ising, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError, UsageError

RANDOM = Majority(ties="random")
CHAIN = SpinAction(
    9, {(i, i + 1): 0.3 + 0.05 * i for i in range(8)} | {(1, 2, 3): 0.2, (0, 4): -0.3, (6,): 0.4, (): 1.5}
)


@pytest.mark.parametrize(
    ("action", "blocks", "rule", "width"),
    [
        (Ising(Lattice((12,)), 1.5, field=0.2), Lattice((12,)).blocks(2), RANDOM, 1),
        (Ising(Lattice((12,)), 1.5, field=0.2), Lattice((12,)).blocks(2), Decimation(1), 3),
        (Ising(Lattice((12,)), 1.5), Lattice((12,)).blocks(3, 1), Soft((1.0, 0.3, -0.5)), 2),
        (
            Ising.with_neighbours(Lattice((12,)), 2.0, (1.0, 0.5, -0.3)),
            Lattice((12,)).blocks(3),
            Majority(),
            1,
        ),
        (RandomBondIsing.gaussian(Lattice((10,)), 0.7, seed=2), Lattice((10,)).blocks(2), RANDOM, 1),
        (CHAIN, [[0, 1, 2], [3, 4], [5, 6, 7], [8]], Majority(ties="last"), 1),
        (CHAIN, [range(9)], Majority(), 1),
        (Ising(Lattice((8,)), 2.0), Lattice((8,)).blocks(4), Majority(ties="first"), 1),
        (Ising(Lattice((6, 2)), 2.0, field=0.1), Lattice((6, 2)).blocks(2), RANDOM, 1),
        (Ising.triangular(Lattice((4, 4)), 3.0), Lattice((4, 4)).blocks(2), RANDOM, 2),
    ],
    ids=["ring", "wide", "soft", "far", "glass", "chain", "one", "two", "ladder", "triangular"],
)
def test_equals_enumeration(action, blocks, rule, width):
    exact, chain = block_exact(action, blocks, rule), block_transfer(action, blocks, rule, width=width)
    np.testing.assert_allclose(chain.values, exact.values, rtol=0, atol=2e-13)
    assert chain.log_partition == pytest.approx(exact.log_partition, abs=1e-13)
    assert chain.fine_log_partition == pytest.approx(exact.fine_log_partition, abs=1e-13)
    states = spin_table(exact.size)
    at = action_at(states, action, blocks, rule, width=width)
    np.testing.assert_allclose(at, exact.values, rtol=0, atol=2e-13)


def test_a_long_ring_keeps_its_partition_function_and_decimates_exactly():
    bond = 0.8
    ring = Ising(Lattice((80,)), 1 / bond)
    coarse = block_transfer(ring, Partition.cubic(ring.lattice, 8), Decimation(3))
    assert coarse.coupling(4, 5) == pytest.approx(math.atanh(math.tanh(bond) ** 8), rel=1e-12)
    coefficients = np.abs(coarse.coefficients)
    nearest = [1 << i | 1 << (i + 1) % 10 for i in range(10)]
    assert np.delete(coefficients, [0, *nearest]).max() < 1e-14
    assert coarse.log_partition == pytest.approx(ising_chain(80, 1 / bond).log_partition, abs=1e-12)
    assert coarse.partition_error < 1e-12


def test_a_strip_keeps_kaufmans_partition_function():
    strip = Ising(Lattice((8, 4)), 2.5)
    coarse = block_transfer(strip, Partition.cubic(strip.lattice, 2), RANDOM, width=2)
    wanted = kaufman((8, 4), 2.5).log_partition
    assert coarse.log_partition == pytest.approx(wanted, abs=1e-12)
    assert coarse.fine_log_partition == pytest.approx(wanted, abs=1e-12)


def test_very_long_rings_neither_overflow_nor_underflow():
    bond, size = 2.0, 2000  # exp(bond * size) is far above the largest float
    ring = Ising(Lattice((size,)), 1 / bond)
    rng = np.random.default_rng(0)
    coarse = rng.choice([-1.0, 1.0], size=(3, size // 2))
    values = action_at(coarse, ring, Partition.cubic(ring.lattice, 2), Decimation())
    effective = 0.5 * math.log(math.cosh(2 * bond))
    constant = size / 2 * (math.log(2) + effective)
    expected = constant + effective * (coarse * np.roll(coarse, 1, axis=1)).sum(axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_bad_input_is_refused():
    ring = Ising(Lattice((12,)), 2.0)
    blocks = ring.lattice.blocks(2)
    with pytest.raises(UsageError, match=r"sites \(0, 6\).*neighbouring groups only"):
        block_transfer(SpinAction(12, {(0, 6): 0.2}), blocks, RANDOM)
    with pytest.raises(UsageError, match="neighbouring groups only"):
        block_transfer(SpinAction(12, {(0, 2, 4): 0.2}), blocks, RANDOM)
    with pytest.raises(UsageError, match="width must divide the 6 blocks"):
        block_transfer(ring, blocks, RANDOM, width=4)
    with pytest.raises(UsageError, match="18 spins, and a table of"):
        block_transfer(SpinAction(18, {}), np.arange(18).reshape(2, 9), Majority(), width=2)
    with pytest.raises(UsageError, match=r"2\^30 rows.*action_at"):
        block_transfer(Ising(Lattice((60,)), 2.0), Lattice((60,)).blocks(2), RANDOM)
    wide = Ising(Lattice((24, 8)), 2.0)
    with pytest.raises(UsageError, match=r"256 rows, 16777216 coarse states: .* steps and 3\.28e\+04 GiB"):
        block_transfer(wide, np.arange(192).reshape(24, 8), RANDOM)
    with pytest.raises(UsageError, match=r"shape \[m, 6\]"):
        action_at(np.ones((2, 5)), ring, blocks, RANDOM)
    with pytest.raises(UsageError, match="not ±1"):
        action_at(np.zeros((2, 6)), ring, blocks, RANDOM)
    with pytest.raises(NumericalError, match="vanishes"):
        action_at(np.array([[1, -1]]), SpinAction(2, {(0, 1): 2000.0}), [[0], [1]], Majority())
