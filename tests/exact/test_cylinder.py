"""The infinite Ising cylinder against its table, closed forms, sums over all states and long tori."""

import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE, enumerate_distribution, ising_cylinder
from deeprg.exact.blocking import Majority, Partition, block_environment, mutual_information
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

# I(half : half), H(ring), I(ring halves) at T_c, to the digits given.
TABLE = {
    2: (0.23606460, 0.99971920, 0.38657517),
    3: (0.35826489, 1.37210718, 0.38609302),
    4: (0.45766773, 1.75190334, 0.42117456),
    8: (0.78049321, 3.26528788, 0.49398021),
}


@pytest.mark.parametrize("length", TABLE)
def test_table_at_the_critical_point(length):
    found = ising_cylinder(length, CRITICAL_TEMPERATURE)
    values = found.half_information, found.ring_entropy, found.ring_information
    np.testing.assert_allclose(values, TABLE[length], atol=6e-9)


@pytest.mark.parametrize(("temperature", "expected"), [(2.0, 0.76049011), (3.0, 0.50583807)])
def test_table_off_criticality(temperature, expected):
    assert ising_cylinder(8, temperature).half_information == pytest.approx(expected, abs=6e-9)
    assert ising_cylinder(8, temperature * 1.001).half_information != pytest.approx(expected, abs=6e-9)


def test_the_law_of_rings():
    cylinder = ising_cylinder(5, 2.5)
    assert cylinder.length == 5
    np.testing.assert_allclose(cylinder.pair(3).sum(axis=0), cylinder.ring, atol=1e-14)
    np.testing.assert_allclose(cylinder.pair(2), cylinder.pair(2).T, atol=1e-14)
    decaying = [cylinder.information(r) for r in range(1, 12)]
    assert np.all(np.diff(decaying) < 0)
    # Far apart the correlation c of the slowest odd mode gives c²/2, which falls by a fixed factor.
    values = np.sort(np.abs(np.linalg.eigvals(cylinder.step)))[::-1]
    far = [cylinder.information(r) for r in (24, 25)]
    assert far[1] / far[0] == pytest.approx(values[1] ** 2, rel=1e-5)
    assert cylinder.information(200) < 1e-12


def test_limits_of_temperature():
    cold = ising_cylinder(6, 0.2)  # two ordered states, the whole cylinder alike
    for value in (cold.half_information, cold.ring_entropy, cold.ring_information):
        assert value == pytest.approx(np.log(2), abs=1e-6)
    hot = ising_cylinder(6, 1e6)
    assert hot.half_information < 1e-10
    assert hot.ring_entropy == pytest.approx(6 * np.log(2), abs=1e-9)
    antiferromagnet = ising_cylinder(6, 2.5, -1.0)  # the sublattice that turns makes it the ferromagnet
    assert antiferromagnet.half_information == pytest.approx(ising_cylinder(6, 2.5).half_information)


def test_sum_over_all_states_of_a_torus():
    """3 x 6 at T = 8, where rings 3 apart share 2e-5 nats: two rings of the torus are those of the cylinder.

    The way round the back changes their law by less than its own correlation, tanh(3/8)^5.
    """
    law = enumerate_distribution(Ising(Lattice((6, 3)), 8.0))
    code = (law.states.reshape(len(law.states), 6, 3) < 0) @ (1 << np.arange(3))
    joint = np.zeros((8, 8))
    np.add.at(joint, (code[:, 0], code[:, 1]), law.probabilities)
    cylinder = ising_cylinder(3, 8.0)
    assert np.abs(joint - cylinder.pair(1)).max() < 1e-4
    assert mutual_information(joint) == pytest.approx(cylinder.half_information, rel=2e-3)
    assert np.abs(joint - ising_cylinder(3, 7.5).pair(1)).max() > 3e-4  # twin


@pytest.mark.parametrize("distance", [1, 3])
def test_a_long_torus_has_the_rings_of_the_cylinder(distance):
    """Spin by spin, another way to sum: modes of 48 rings of 4 at T = 4 decay by 0.4 a ring."""
    torus = Ising(Lattice((48, 4)), 4.0)
    rings = [tuple(range(4 * row, 4 * row + 4)) for row in range(48)]
    known = block_environment(torus, Partition(tuple(rings)), environment=rings[distance])
    cylinder = ising_cylinder(4, 4.0)
    assert np.sort(np.abs(np.linalg.eigvals(cylinder.step)))[-2] < 0.4
    np.testing.assert_allclose(known.joint, cylinder.pair(distance), atol=1e-14)
    assert known.present == pytest.approx(cylinder.information(distance), abs=1e-12)


def test_a_block_of_the_cylinder_and_the_rings_around_it():
    """A 2 x 2 block and, behind a buffer, the two rings that screen all others: data processing."""
    torus = Ising(Lattice((32, 4)), 3.0)
    block, upper, lower = (0, 1, 4, 5), range(120, 124), range(12, 16)  # rows 0 and 1; rows 30 and 3
    known = block_environment(torus, Partition.cubic(torus.lattice, 2), environment=[*upper, *lower])
    assert known.blocks == (block,)
    kept = known.information(Majority(ties="random"))
    assert 0 < kept.kept < kept.present < np.log(16)
    one_side = mutual_information(known.joint.reshape(16, 16, 16).sum(axis=1))
    cylinder = ising_cylinder(4, 3.0)
    assert one_side < known.present < 2 * cylinder.information(2)  # of whole rings, to both sides
    assert one_side < cylinder.information(2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ising_cylinder(1, 2.0), "1 sites around"),
        (lambda: ising_cylinder(12, 2.0), "12 sites around"),
        (lambda: ising_cylinder(4, 0.0), "temperature"),
        (lambda: ising_cylinder(4, 2.0).information(0), "not 0"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call()
