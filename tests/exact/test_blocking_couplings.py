"""Couplings of coarse actions by body and range: symmetry classes, rangeness, m-bodyness."""

import numpy as np
import pytest

from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    block_exact,
    block_transfer,
    coupling_classes,
    m_bodyness,
    rangeness,
)
from deeprg.hamiltonians import Ising, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

RANDOM = Majority(ties="random")


def blocked(model, rule, side=2):
    return block_exact(model, Partition.cubic(model.lattice, side), rule)


def test_classes_of_a_ring_hold_every_coupling_once():
    coarse = blocked(Ising.with_neighbours(Lattice((16,)), 2.0, (1.0, 0.6), field=0.2), Soft((1.0, 0.2)))
    classes = coupling_classes(coarse, max_body=8)
    assert sum(one.count for one in classes) == 2**8 - 1
    assert max(one.spread for one in classes) < 1e-14
    gaps = {one.gaps: one for one in classes if one.body == 3}
    assert (gaps[1, 2].count, gaps[2, 1].count) == (8, 8)
    assert abs(gaps[1, 2].mean - gaps[2, 1].mean) > 1e-8  # a one-sided rule breaks the reflection
    merged = coupling_classes(coarse, max_body=3, symmetry="point-group")
    both = next(one for one in merged if one.gaps == (1, 2))
    assert both.count == 16
    assert both.spread == pytest.approx(abs(gaps[1, 2].mean - gaps[2, 1].mean), rel=1e-9)
    assert [one.range for one in classes if one.body == 2] == [1.0, 2.0, 3.0, 4.0]


def test_classes_of_the_input_action_are_its_couplings():
    square = Ising.with_neighbours(Lattice((4, 4)), 2.0, (1.0, 0.4), field=0.1)
    classes = coupling_classes(SpinAction.of(square), symmetry="point-group")
    found = [(one.body, round(one.range, 4), one.count, round(one.mean, 12)) for one in classes]
    assert found == [(1, 0.0, 16, 0.1), (2, 1.0, 32, 0.5), (2, 1.4142, 32, 0.2)]
    assert classes[1].gaps is None
    separate = coupling_classes(SpinAction.of(square))
    assert [one.count for one in separate if one.range == 1.0] == [16, 16]
    assert coupling_classes(SpinAction.of(square), tolerance=0.3) == [
        one for one in separate if one.range == 1.0
    ]


def test_quenched_bonds_show_their_spread():
    glass = RandomBondIsing.gaussian(Lattice((12,)), 1.0, seed=4)
    coarse = blocked(glass, RANDOM)
    nearest = next(one for one in coupling_classes(coarse) if one.gaps == (1,))
    values = [coarse.coupling(i, (i + 1) % 6) for i in range(6)]
    assert nearest.mean == pytest.approx(np.mean(values), abs=1e-15)
    assert nearest.rms == pytest.approx(np.sqrt(np.mean(np.square(values))), abs=1e-15)
    assert nearest.spread == pytest.approx(np.ptp(values), abs=1e-15)
    with pytest.raises(UsageError, match=r"differ from site to site.*coupling_classes"):
        rangeness(coarse)


def test_ratios_of_the_tabulated_ring():
    ring = Ising(Lattice((8,)), 1 / 0.3)
    majority, soft = blocked(ring, RANDOM), blocked(ring, Soft((1.0, 0.0)))
    assert rangeness(majority) == pytest.approx(-0.00924 / 0.12335, abs=1e-4)
    assert m_bodyness(majority) == pytest.approx(-0.00017 / 0.12335, abs=5e-5)
    assert rangeness(soft) == pytest.approx(0.0035 / 0.0492, abs=1e-3)
    assert rangeness(majority.action) == pytest.approx(rangeness(majority), abs=1e-15)
    assert m_bodyness(majority.action) == pytest.approx(m_bodyness(majority), abs=1e-15)


def test_decimation_creates_neither_range_nor_bodies():
    """Both ratios vanish for decimation, are largest near majority, and fall along the soft rules to it."""
    ring = Ising(Lattice((16,)), 10.0)
    assert abs(rangeness(blocked(ring, Decimation()))) < 1e-13
    assert abs(m_bodyness(blocked(ring, Decimation()))) < 1e-13
    ratios = [abs(rangeness(blocked(ring, Soft((4.0, second))))) for second in (4.0, 2.0, 1.0, 0.5)]
    assert all(np.diff(ratios) < 0)
    hard = [abs(rangeness(blocked(ring, Soft((weight, 0.0))))) for weight in (1.0, 2.0, 4.0, 8.0)]
    assert all(np.diff(hard) < 0)
    assert hard[-1] < 1e-5


def test_ratios_hardly_depend_on_the_size_of_the_ring():
    long = Ising(Lattice((28,)), 1 / 0.3)
    exact = block_transfer(long, Partition.cubic(long.lattice, 2), RANDOM)
    short = blocked(Ising(Lattice((16,)), 1 / 0.3), RANDOM)
    assert rangeness(exact) == pytest.approx(rangeness(short), abs=1e-6)
    assert m_bodyness(exact) == pytest.approx(m_bodyness(short), abs=1e-6)


def test_ratios_of_a_square_lattice():
    square = Ising(Lattice((4, 4)), 3.0)
    coarse = blocked(square, RANDOM)
    assert rangeness(coarse) == pytest.approx(coarse.coupling(0, 3) / coarse.coupling(0, 1), abs=1e-14)
    assert m_bodyness(coarse) == pytest.approx(coarse.coupling(0, 1, 2, 3) / coarse.coupling(0, 1), abs=1e-14)


def test_bad_input_is_refused():
    ring = Ising(Lattice((8,)), 2.0)
    bare = block_exact(ring, ring.lattice.blocks(2), RANDOM)
    for read in (coupling_classes, rangeness, m_bodyness):
        with pytest.raises(UsageError, match="needs the coarse lattice"):
            read(bare)
    with pytest.raises(UsageError, match="'translations' or 'point-group'"):
        coupling_classes(blocked(ring, RANDOM), symmetry="all")
    with pytest.raises(UsageError, match="no next-nearest"):
        rangeness(blocked(Ising(Lattice((6,)), 2.0), RANDOM))
    with pytest.raises(UsageError, match="1D and 2D"):
        rangeness(SpinAction.of(Ising(Lattice((2, 2, 2)), 2.0)))
    with pytest.raises(UsageError, match="nothing to compare"):
        rangeness(SpinAction(6, {}, Lattice((6,))))
    with pytest.raises(UsageError, match="different sites"):
        bare.coupling(0, 0)
