"""The exact coarse action against plain loops: K', its three terms, Z, correlators, couplings, two steps."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact import kaufman
from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    UserRule,
    block_exact,
    block_transfer,
    decompose,
)
from deeprg.exact.blocking._states import spin_table
from deeprg.hamiltonians import Ising, RandomBondIsing
from deeprg.lattice import Lattice


def brute_force(action, blocks, rules):
    """K'(x) and ⟨prod x⟩ under p(x | chi) p(chi) by loops over coarse and fine states."""
    weights = {}
    for spins in itertools.product((1, -1), repeat=action.size):
        exponent = sum(
            value * math.prod(spins[site] for site in sites) for sites, value in action.couplings.items()
        )
        for coarse in itertools.product((1, -1), repeat=len(blocks)):
            chance = math.prod(
                float(rule.probability(x, np.array([spins[site] for site in block])))
                for x, block, rule in zip(coarse, blocks, rules, strict=True)
            )
            weights[coarse] = weights.get(coarse, 0.0) + chance * math.exp(exponent)
    norm = sum(weights.values())
    values = [math.log(weights[tuple(row)]) for row in spin_table(len(blocks)).astype(int).tolist()]
    correlators = [
        sum(w * math.prod(x for i, x in enumerate(coarse) if mask >> i & 1) for coarse, w in weights.items())
        / norm
        for mask in range(1 << len(blocks))
    ]
    return np.array(values), np.array(correlators), math.log(norm)


RULES = {
    "decimation": Decimation(1),
    "random": Majority(ties="random"),
    "first": Majority(ties="first"),
    "soft": Soft((0.7, -0.3)),
    "user": UserRule(lambda spins: 0.4 + 0.2 * spins[..., 0] + 0.1 * spins[..., 1]),
}


def problem(seed, scale, names):
    """A random action of 6 spins with couplings of up to 4 spins, shuffled blocks of two, any rules."""
    rng = np.random.default_rng(seed)
    subsets = [s for k in range(5) for s in itertools.combinations(range(6), k)]
    chosen = rng.choice(len(subsets), size=12, replace=False)
    action = SpinAction(6, {subsets[i]: float(scale * rng.normal()) for i in chosen})
    blocks = rng.permutation(6).reshape(3, 2).tolist()
    return action, blocks, [RULES[name] for name in names]


@settings(max_examples=12, derandomize=True, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 1.0, 3.0]),
    st.lists(st.sampled_from(sorted(RULES)), min_size=3, max_size=3),
)
def test_equals_a_loop_over_states(seed, scale, names):
    action, blocks, rules = problem(seed, scale, names)
    values, correlators, log_partition = brute_force(action, blocks, rules)
    coarse = block_exact(action, blocks, rules)
    scale = max(1.0, np.abs(values).max())
    np.testing.assert_allclose(coarse.values, values, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(decompose(action, blocks, rules).values, values, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(coarse.correlators, correlators, rtol=0, atol=1e-12)
    assert coarse.log_partition == pytest.approx(log_partition, abs=1e-13 * scale)
    assert coarse.partition_error < 1e-13 * scale
    spins = spin_table(3)
    direct = [
        np.mean(values * np.prod(spins[:, [i for i in range(3) if m >> i & 1]], axis=1)) for m in range(8)
    ]
    np.testing.assert_allclose(coarse.coefficients, direct, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(coarse.action.values(), values, rtol=0, atol=1e-12 * scale)


def test_blocks_of_unequal_sizes():
    action = SpinAction.of(RandomBondIsing.gaussian(Lattice((6,)), 1.0, seed=1, field=0.3))
    blocks, rules = [[4], [0, 5, 2], [3, 1]], [Decimation(), Majority(), Soft((1.0, 0.5))]
    values, correlators, _ = brute_force(action, blocks, rules)
    coarse = block_exact(action, blocks, rules)
    np.testing.assert_allclose(coarse.values, values, rtol=0, atol=1e-13)
    np.testing.assert_allclose(coarse.correlators, correlators, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_three_terms_sum_to_the_direct_sum(rule):
    ring = Ising(Lattice((8,)), 1 / 0.3, field=0.1)
    partition = Partition.cubic(ring.lattice, 2)
    coarse, parts = block_exact(ring, partition, rule), decompose(ring, partition, rule)
    assert np.abs(parts.values - coarse.values).max() < 2e-15
    assert parts.constant == pytest.approx(
        4 * math.log(2 * math.exp(0.3) * math.cosh(0.2) + 2 * math.exp(-0.3))
    )


# Coarse couplings of the ring N = 8 at K = 0.3: nearest, next-nearest, four-body, with the tabulated digits
RING = [
    (Decimation(), (0.08507, 0.0, 0.0), (5e-6, 1e-15, 1e-15)),
    (Majority(ties="random"), (0.12335, -0.00924, -0.00017), (5e-6, 5e-6, 5e-6)),
    (Soft((1.0, 0.0)), (0.0492, 0.0035, -2e-5), (5e-5, 5e-5, 5e-6)),
]


@pytest.mark.parametrize(("rule", "wanted", "digits"), RING, ids=["decimation", "majority", "soft"])
def test_tabulated_couplings_of_the_ring(rule, wanted, digits):
    ring = Ising(Lattice((8,)), 1 / 0.3)
    coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), rule)
    for sites, value, digit in zip([(0, 1), (0, 2), (0, 1, 2, 3)], wanted, digits, strict=True):
        assert coarse.coupling(*sites) == pytest.approx(value, abs=digit)
    assert coarse.coupling(1, 2) == pytest.approx(coarse.coupling(3, 0), abs=1e-15)
    odd = [coarse.coefficients[mask] for mask in range(16) if mask.bit_count() % 2]
    np.testing.assert_allclose(odd, 0.0, atol=1e-15)


def test_decimation_in_a_field_has_the_closed_form():
    bond, field = 0.45, 0.2
    ring = Ising(Lattice((12,)), 1 / bond, field=field)
    coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), Decimation())
    up, down, own = (math.cosh(x) for x in (2 * bond + field, 2 * bond - field, field))
    assert coarse.coupling(0, 1) == pytest.approx(0.25 * math.log(up * down / own**2), abs=1e-14)
    assert coarse.coupling(3) == pytest.approx(field + 0.5 * math.log(up / down), abs=1e-14)
    assert coarse.constant == pytest.approx(
        6 * (math.log(2) + 0.25 * math.log(up * down * own**2)), abs=1e-13
    )


def test_decimation_of_a_sublattice_of_the_square():
    """Every removed spin gives its pairs 1/8 ln cosh 4K, its quartet 1/8 ln cosh 4K - 1/2 ln cosh 2K."""
    bond, lattice = 0.3, Lattice((4, 4))
    even = lattice.checkerboard(0).ravel()
    right = lattice.neighbours()[:, 2]
    kept = [site for site in range(16) if even[site]]
    coarse = block_exact(Ising(lattice, 1 / bond), [[site, int(right[site])] for site in kept], Decimation())
    pair = math.log(math.cosh(4 * bond)) / 8
    quartet = pair - math.log(math.cosh(2 * bond)) / 2
    expected = np.zeros(1 << 8)
    for removed in np.flatnonzero(~even):
        legs = [kept.index(int(site)) for site in lattice.neighbours()[removed]]
        expected[0] += math.log(2) + math.log(math.cosh(2 * bond)) / 2 + pair
        for a, b in itertools.combinations(legs, 2):
            expected[1 << a | 1 << b] += pair
        expected[sum(1 << leg for leg in legs)] += quartet
    np.testing.assert_allclose(coarse.coefficients, expected, rtol=0, atol=1e-14)
    one = next(
        mask for mask in range(256) if mask.bit_count() == 2 and abs(expected[mask] - 2 * pair) < 1e-15
    )
    assert coarse.coefficients[one] == pytest.approx(math.log(math.cosh(4 * bond)) / 4, abs=1e-14)


def test_two_steps_are_one_step_with_the_composed_rule():
    ring = Ising(Lattice((12,)), 1.5, field=0.2)
    soft, majority = Soft((0.8, 0.3)), Majority()
    first = block_exact(ring, Partition.cubic(ring.lattice, 2), soft)
    second = block_exact(first.action, Partition.cubic(first.lattice, 3), majority)
    pairs = soft.table(2)
    joint = np.kron(np.kron(pairs, pairs), pairs)  # [64, 8]: three coarse spins of the first step
    composed = UserRule(joint @ majority.table(3))
    at_once = block_exact(ring, Partition.cubic(ring.lattice, 6), composed)
    np.testing.assert_allclose(second.values, at_once.values, rtol=0, atol=1e-13)
    assert second.log_partition == pytest.approx(first.fine_log_partition, abs=1e-13)


def test_strong_couplings_do_not_underflow():
    """x = -1 is kept against weights exp(4000): K' = ln of the best state that the rule allows."""
    action = SpinAction(4, {(0,): 2000.0, (1, 2): 5.0, (3,): 0.5})
    coarse = block_exact(action, [[0, 1], [2, 3]], Decimation(0))
    assert coarse.values[1] - coarse.values[0] == pytest.approx(-4000.0, abs=1e-10)


def test_the_square_lattice_keeps_kaufmans_partition_function_in_milliseconds():
    square = Ising(Lattice((4, 4)), 2.269185314213022)
    partition = Partition.cubic(square.lattice, 2)
    block_exact(square, partition, Majority(ties="random"))  # compiles the transform
    start = time.perf_counter()
    coarse = block_exact(square, partition, Majority(ties="random"))
    assert time.perf_counter() - start < 1.0
    assert coarse.log_partition == pytest.approx(kaufman((4, 4), square.temperature).log_partition, abs=1e-12)
    strip = block_transfer(square, partition, Majority(ties="random"), width=2)
    np.testing.assert_allclose(strip.values, coarse.values, rtol=0, atol=1e-13)
