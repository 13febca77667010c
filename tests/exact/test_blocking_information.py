"""Real-space mutual information against loops over all spins, its inequalities, and exact tables."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    UserRule,
    beyond,
    block_environment,
    log_marginal,
    mutual_information,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


def loops(action, blocks, rules, environment):
    """I(X:E), I(V:E), I(X:V), H(X) from dictionaries filled by loops over every spin."""
    tables = [{}, {}, {}]
    for spins in itertools.product((1, -1), repeat=action.size):
        weight = math.exp(
            sum(value * math.prod(spins[site] for site in sites) for sites, value in action.couplings.items())
        )
        inside = tuple(spins[site] for block in blocks for site in block)
        outside = tuple(spins[site] for site in environment)
        tables[1][inside, outside] = tables[1].get((inside, outside), 0.0) + weight
        for coarse in itertools.product((1, -1), repeat=len(blocks)):
            chance = weight * math.prod(
                float(rule.probability(x, np.array([spins[site] for site in block])))
                for x, block, rule in zip(coarse, blocks, rules, strict=True)
            )
            tables[0][coarse, outside] = tables[0].get((coarse, outside), 0.0) + chance
            tables[2][coarse, inside] = tables[2].get((coarse, inside), 0.0) + chance
    return [*(information(table) for table in tables), entropy([marginal(tables[0], 0)])]


def marginal(table, side):
    result = {}
    for key, weight in table.items():
        result[key[side]] = result.get(key[side], 0.0) + weight
    return result


def entropy(tables):
    weights = [weight for table in tables for weight in table.values() if weight > 0]
    total = sum(weights)
    return -sum(weight / total * math.log(weight / total) for weight in weights)


def information(table):
    """H(A) + H(B) - H(A, B)."""
    return entropy([marginal(table, 0)]) + entropy([marginal(table, 1)]) - entropy([table])


def random_action(rng, size, scale=0.7):
    sets = [(i,) for i in range(size)] + list(itertools.combinations(range(size), 2)) + [(0, 2, 3), (1, 4, 5)]
    chosen = [sets[k] for k in rng.choice(len(sets), size + 4, replace=False)]
    return SpinAction(size, {sites: float(rng.normal(scale=scale)) for sites in chosen})


@pytest.mark.parametrize("seed", range(4))
def test_information_is_that_of_loops_over_all_spins(seed):
    rng = np.random.default_rng(seed)
    action = random_action(rng, 7)
    blocks = [[0, 3], [1], [2, 5], [4, 6]]
    plus = rng.random(4)
    rules = [UserRule(np.stack([plus, 1 - plus], axis=1)), Soft(rng.normal(size=2))]
    known = block_environment(action, blocks, of=[2, 0], environment=[6, 1])
    found = known.information(rules)
    expected = loops(action, [blocks[2], blocks[0]], rules, [6, 1])
    np.testing.assert_allclose(
        [found.kept, found.present, found.read, found.entropy], expected, rtol=0, atol=2e-14
    )


@pytest.mark.parametrize("seed", range(3))
def test_marginal_is_the_sum_over_the_other_spins(seed):
    rng = np.random.default_rng(seed)
    action = random_action(rng, 8)
    kept = rng.permutation(8)[: 3 + seed].tolist()
    weights = np.zeros(1 << len(kept))
    for state, value in enumerate(action.values()):
        weights[sum((state >> site & 1) << place for place, site in enumerate(kept))] += math.exp(value)
    np.testing.assert_allclose(log_marginal(action, kept), np.log(weights), rtol=0, atol=1e-13)


def test_marginal_at_strong_coupling_does_not_overflow():
    ring = Ising(Lattice((50,)), temperature=1e-3)
    same, opposite = log_marginal(ring, [0, 25])[:2]
    assert same == pytest.approx(50_000.0, rel=1e-12)
    assert same - opposite == pytest.approx(4000.0 - math.log(25 * 25), rel=1e-9)  # two domain walls


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 2))
def test_data_processing_and_entropy_bound_the_information(seed, scale):
    rng = np.random.default_rng(seed)
    plus = rng.random(4) if seed % 2 else rng.integers(0, 2, 4).astype(float)
    plus[0], plus[3] = 0.9, 0.2  # both signs occur
    rule = UserRule(np.stack([plus, 1 - plus], axis=1))
    action = random_action(rng, 6, float(scale))
    found = block_environment(action, [[0, 1], [2, 3], [4, 5]], environment=[3, 4]).information(rule)
    assert 0 <= found.kept <= min(found.present, found.read) + 1e-14
    assert found.read <= found.entropy + 1e-14
    assert found.entropy <= math.log(2) + 1e-14


def test_no_coupling_no_information():
    ring = SpinAction(8, {(site,): 0.3 for site in range(8)}, Lattice((8,)))
    found = block_environment(ring, Partition.cubic(Lattice((8,)), 2)).information(Decimation())
    assert found.kept < 1e-15
    assert found.present < 1e-15
    assert found.entropy > 0.5


@pytest.mark.parametrize(
    ("coupling", "present", "majority", "decimation"),
    [
        (0.1, 0.00009868, 0.00002983, 0.00004983),
        (0.5, 0.04573560, 0.02425683, 0.02763417),
        (1.0, 0.32522098, 0.24056806, 0.24703286),
    ],
)
def test_infinite_chain(coupling, present, majority, decimation):
    """Blocks of two, buffer of one, from the chain's correlations alone: p = [1 + ...]/16 of four spins."""
    t = math.tanh(coupling)

    def bond(a, b, distance):
        return (1 + a * b * t**distance) / 2

    four = {
        ((a, b), (left, right)): bond(left, a, 2) * bond(a, b, 1) * bond(b, right, 2) / 2
        for left, a, b, right in itertools.product((1, -1), repeat=4)
    }
    assert information(four) == pytest.approx(present, abs=5e-9)
    chain = Ising(Lattice((400,)), temperature=1 / coupling)
    known = block_environment(chain, Partition.cubic(chain.lattice, 2), environment=[3, 398])
    assert known.present == pytest.approx(information(four), abs=1e-14)
    assert known.information(Majority(ties="random")).kept == pytest.approx(majority, abs=5e-9)
    assert known.information(Decimation(1)).kept == pytest.approx(decimation, abs=5e-9)


def test_the_two_sites_beyond_the_buffer_screen_the_others():
    ring = Ising(Lattice((14,)), temperature=1.5)
    partition = Partition.cubic(ring.lattice, 2)
    everything = block_environment(ring, partition, buffer=2)
    nearest = block_environment(ring, partition, environment=[4, 11])
    assert everything.environment == (4, 5, 6, 7, 8, 9, 10, 11)
    rule = Soft((0.4, 1.1))
    assert everything.information(rule).kept == pytest.approx(nearest.information(rule).kept, abs=1e-14)


@pytest.mark.slow
def test_square_torus_at_the_critical_point():
    torus = Ising(Lattice((6, 6)), temperature=2 / math.log1p(math.sqrt(2)))
    known = block_environment(torus, Partition.cubic(torus.lattice, 2), buffer=1)
    assert known.present == pytest.approx(0.54940140, abs=5e-9)
    expected = {0.25: 0.20988740, 0.5: 0.38634016, 1.0: 0.45375574, 2.0: 0.46092061}
    for weight, value in expected.items():
        assert known.information(Soft((weight,) * 4)).kept == pytest.approx(value, abs=5e-9)
    assert known.information(Majority(ties="random")).kept == pytest.approx(0.46104465, abs=5e-9)
    assert known.information(Decimation()).kept == pytest.approx(0.38056554, abs=5e-9)


def test_more_cores_of_mutual_information():
    independent = np.outer([0.2, 0.8], [0.1, 0.6, 0.3])
    assert mutual_information(independent) < 1e-15
    assert mutual_information(7 * np.eye(3)) == pytest.approx(math.log(3), abs=1e-15)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mutual_information(np.zeros((2, 2))), "not all 0"),
        (lambda: mutual_information(np.array([[1.0, -0.1]])), "joint distribution"),
        (lambda: beyond(Lattice((6,)), [0, 1], -1), "width of 0 or more"),
        (lambda: beyond(Lattice((4, 4)), [0, 1, 4, 5], 1), "leaves no environment"),
        (lambda: log_marginal(SpinAction(3, {}), [0, 0]), "different ones"),
        (lambda: block_environment(SpinAction(4, {(1, 2): 0.1}), [[0, 1], [2, 3]]), "has none"),
        (lambda: block_environment(SpinAction(2, {}), [[0], [1]], environment=[0]), "outside the blocks"),
        (lambda: block_environment(SpinAction(2, {}), [[0], [1]], of=[2], environment=[1]), "0 ... 1"),
    ],
)
def test_misuse_is_one_clear_error(call, words):
    with pytest.raises(UsageError, match=words):
        call()
