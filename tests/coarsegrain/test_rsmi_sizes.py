"""Information over buffers, blocks and temperatures: exact values, and estimates against them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.information import (
    BlockReader,
    Surroundings,
    enumerated_information,
    exact_environment,
    information_by_size,
    information_curve,
    one_hot,
    oriented,
    retained_information,
)
from deeprg.exact import enumerate_distribution
from deeprg.exact.blocking import Decimation, Majority, Soft, best_odd_rule
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.report.information_curves import plot_information
from deeprg.report.style import figure
from deeprg.runs.errors import UsageError
from deeprg.train import Plan

OPTIMISED = True  # searches run longer than they compile
PLAN = Plan(steps=400, batch=500, learning_rate=0.01, steps_per_call=50)
MAJORITY = BlockReader(jnp.array([[1.5, 1, 1, 1]], jnp.float32), None, 1)


def chain_information(coupling, block, buffer, rule):
    """I(V:E) and I(X:E) of the infinite chain from products of t^r, r the distance of neighbours kept."""
    places = [-1 - buffer, *range(block), block + buffer]
    gaps = np.tanh(coupling) ** np.diff(places)
    joint = np.zeros((2**block, 4))
    for number in range(2 ** (block + 2)):
        s = 1 - 2 * (number >> np.arange(block + 2) & 1)
        p = 0.5 * np.prod((1 + s[:-1] * s[1:] * gaps) / 2)
        inside = (s[1:-1] < 0) @ (1 << np.arange(block))
        joint[inside, 2 * (s[0] < 0) + (s[-1] < 0)] += p

    def information(table):
        product = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
        return np.sum(table * np.log(table / product))

    return information(joint), information(rule.table(block).T @ joint)


@pytest.mark.parametrize(("block", "buffer"), [(2, 1), (2, 2), (2, 3), (3, 1)])
def test_exact_information_of_the_chain(block, buffer):
    ring = Ising(Lattice((200,)), temperature=2.0)
    known = exact_environment(
        ring, Surroundings.on_lattice(ring.lattice, (block,), buffer=buffer, environment=1)
    )
    for rule in (Decimation(0), Decimation(block - 1), Soft((0.7, 0.3, 0.1)[:block])):
        present, kept = chain_information(0.5, block, buffer, rule)
        assert known.present == pytest.approx(present, rel=1e-9)
        assert known.information(rule).kept == pytest.approx(kept, rel=1e-9)
    if (block, buffer) == (2, 1):
        assert known.present == pytest.approx(0.04573560, abs=1e-8)
        assert known.information(Decimation()).kept == pytest.approx(0.02763417, abs=1e-8)


def test_the_best_rule_of_a_chain_is_decimation():
    for block, buffer in ((2, 1), (2, 3), (3, 1), (4, 1)):
        ring = Ising(Lattice((120,)), temperature=2.0)
        around = Surroundings.on_lattice(ring.lattice, (block,), buffer=buffer, environment=1)
        known = exact_environment(ring, around)
        _, best = best_odd_rule(known)
        assert best.kept == pytest.approx(known.information(Decimation()).kept, rel=1e-9)
        if block % 2 == 0:
            assert known.information(Majority("random")).kept < 0.95 * best.kept  # twin
    with pytest.raises(UsageError, match="at most 4"):
        best_odd_rule(
            exact_environment(ring, Surroundings.on_lattice(ring.lattice, (5,), buffer=1, environment=1))
        )


def test_listing_all_states_is_summing_over_the_buffer():
    """Two independent routes to I(V:E) and to that of a rule, on a torus."""
    torus = Ising(Lattice((4, 4)), temperature=2.5)
    law = enumerate_distribution(torus)
    around = Surroundings.on_lattice(torus.lattice, (2, 1), buffer=0, environment=1)
    known = exact_environment(torus, around)
    found = enumerated_information(around, law.states, law.probabilities)
    assert found == pytest.approx(known.present, rel=1e-10)
    one = BlockReader(jnp.array([[1.0, 0.2]], jnp.float32), None, 1)
    found = enumerated_information(around, law.states, law.probabilities, one)
    assert found == pytest.approx(known.information(Decimation()).kept, rel=1e-10)


@pytest.mark.slow
def test_the_best_rule_of_the_square_is_a_majority():
    torus = Ising(Lattice((6, 6)), temperature=CRITICAL_TEMPERATURE)
    known = exact_environment(torus, Surroundings.on_lattice(torus.lattice, (2, 2), buffer=1))
    rule, best = best_odd_rule(known)
    assert best.kept == pytest.approx(0.46156636, abs=1e-8)
    assert known.present == pytest.approx(0.54940140, abs=1e-8)
    majority = Majority("random").table(4)[:, 0]
    clear = np.abs(majority - 0.5) > 0.1
    np.testing.assert_array_equal(rule.table(4)[clear, 0], majority[clear])


def test_the_whole_block_is_read_as_it_is():
    for kinds, sites in ((2, 3), (3, 2)):
        values = np.array(list(itertools.product(range(kinds), repeat=sites)))
        rows = 1 - 2 * values if kinds == 2 else one_hot(values, kinds).reshape(len(values), -1)
        read = BlockReader.whole(sites, kinds=kinds).sharp(jnp.asarray(rows, jnp.float32))
        np.testing.assert_array_equal(read, np.arange(len(values)))


def drawn(model, n, seed=0):
    law = enumerate_distribution(model)
    return law, law.states[np.random.default_rng(seed).choice(len(law.states), n, p=law.probabilities)]


def near(found, exact, share=0.02):
    return abs(found.value - exact) < max(share * exact, 3.5 * found.error)


@pytest.mark.slow
def test_information_falls_with_the_buffer_as_it_should():
    ring = Ising(Lattice((16,)), temperature=2.0)
    _, spins = drawn(ring, 100_000)
    sizes = {"blocks": [(2,)], "buffers": [1, 2, 3], "environment": 1}
    found = information_by_size(ring.lattice, spins, PLAN, **sizes, key=jax.random.key(0))
    assert list(found) == [((2,), 1), ((2,), 2), ((2,), 3)]
    exact = {size: exact_environment(ring, one.around) for size, one in found.items()}
    for size, one in found.items():
        kept = exact[size].information(Decimation()).kept
        assert near(one.present, exact[size].present), size
        assert not one.present.checked(exact[size].present).exceeds_bound
        assert not one.found.retained.checked(kept).exceeds_bound
        weights = np.asarray(one.found.reader.weights)[0]
        assert near(one.found.retained, exact[size].information(Soft(1e3 * weights)).kept), size
    assert not near(found[(2,), 1].present, exact[(2,), 2].present)  # twin
    x = [buffer for _, buffer in found]
    rows = {
        "I(V:E)": (x, [o.present.value for o in found.values()], [o.present.error for o in found.values()])
    }
    _, ax = figure()
    plot_information(ax, rows, exact={"exact": (x, [k.present for k in exact.values()])}, x="buffer")
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [k.present for k in exact.values()])


@pytest.mark.slow
def test_information_over_temperatures():
    """4x4, no buffer: estimates at the exact values, with both phases and within one."""
    lattice = Lattice((4, 4))
    around = Surroundings.on_lattice(lattice, (2, 2), buffer=0)
    rows, exact = {}, {}
    for temperature in (2.0, 3.0, 6.0):
        law, spins = drawn(Ising(lattice, temperature=temperature), 60_000)
        rows[temperature] = spins
        exact[temperature] = [
            enumerated_information(around, law.states, law.probabilities, r) for r in (None, MAJORITY)
        ]
    found = information_curve(around, rows, PLAN, key=jax.random.key(0))
    for temperature, one in found.items():
        present, majority = exact[temperature]
        assert near(one.present, present), temperature
        assert one.found.retained.value > 0.9 * majority
        assert not one.found.retained.checked(present).exceeds_bound
    assert not near(found[3.0].present, exact[2.0][0])  # twin
    law, _ = drawn(Ising(lattice, temperature=3.0), 1)
    turned = {3.0: oriented(rows[3.0])}
    one = information_curve(around, turned, PLAN, key=jax.random.key(1))[3.0]
    present = enumerated_information(around, oriented(law.states), law.probabilities)
    assert not one.present.checked(present).exceeds_bound
    assert one.present.value > 0.8 * present  # a lower bound: the total sign is hard to learn
    assert one.present.value < 0.7 * found[3.0].present.value


def test_within_one_phase_the_information_has_a_maximum():
    """Beside what turning itself brings: on 16 sites a total that is not negative is information, too."""
    lattice = Lattice((4, 4))
    around = Surroundings.on_lattice(lattice, (2, 2), buffer=0)
    present = []
    for temperature in (1.6, 3.0, 6.0):
        law = enumerate_distribution(Ising(lattice, temperature=temperature))
        present.append(enumerated_information(around, oriented(law.states), law.probabilities))
    assert present[1] > 3 * present[0]
    assert present[1] > 1.2 * present[2]


def test_the_two_phases_together_share_their_sign():
    lattice = Lattice((4, 4))
    around = Surroundings.on_lattice(lattice, (2, 2), buffer=0)
    kept = []
    for temperature in (1.0, 2.0, 3.0):
        law = enumerate_distribution(Ising(lattice, temperature=temperature))
        kept.append(enumerated_information(around, law.states, law.probabilities, MAJORITY))
    assert kept[0] > kept[1] > kept[2]
    assert kept[0] == pytest.approx(np.log(2), abs=0.01)


def test_one_estimate_at_its_exact_value():
    lattice = Lattice((4, 4))
    around = Surroundings.on_lattice(lattice, (2, 2), buffer=0)
    law, spins = drawn(Ising(lattice, temperature=3.0), 40_000)
    exact = enumerated_information(around, law.states, law.probabilities, MAJORITY)
    found = retained_information(MAJORITY, around, spins, PLAN, key=jax.random.key(0))
    assert near(found, exact)
    assert not near(found, exact / 1.3)  # twin
    assert not found.checked(exact).exceeds_bound


AROUND = Surroundings.on_lattice(Lattice((8,)), (2,), buffer=1, environment=1)
ROWS = np.random.default_rng(0).choice((-1, 1), size=(1200, 8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: information_curve(AROUND, {}, PLAN, key=jax.random.key(0)), "one temperature or more"),
        (
            lambda: information_by_size(
                Lattice((8,)), ROWS, PLAN, blocks=[], buffers=[1], key=jax.random.key(0)
            ),
            "one block",
        ),
        (
            lambda: information_by_size(
                Lattice((8,)), ROWS, PLAN, blocks=[(2,)], buffers=[0, 3], key=jax.random.key(0)
            ),
            "leaves no environment",
        ),
        (lambda: oriented(np.arange(6).reshape(2, 3)), "spins ±1"),
        (lambda: one_hot([[0, 3]], 3), "0 ... 2"),
        (lambda: one_hot([[0.5, 1]], 3), "0 ... 2"),
        (lambda: BlockReader.create(9, 7, kinds=3, key=jax.random.key(0)), "from 1 to 6"),
        (lambda: BlockReader.create(9, 1, kinds=1, key=jax.random.key(0)), "2 states or more"),
        (lambda: BlockReader.create(9, 1, kinds=2000, key=jax.random.key(0)), "at most 1024"),
        (lambda: exact_environment(Ising(Lattice((9,)), 1.0), AROUND), "one of 8 sites"),
        (lambda: enumerated_information(AROUND, ROWS, np.ones(1200)), "the sum 1"),
        (
            lambda: retained_information(MAJORITY, AROUND, ROWS, PLAN, key=jax.random.key(0)),
            "reads 4 numbers, but the block has 2",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
