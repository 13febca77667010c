"""The cumulant series of K': tabulated errors, the moment recursion, where it converges."""

import math

import numpy as np
import pytest

from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    block_cumulants,
    block_exact,
    block_transfer,
)
from deeprg.exact.blocking._split import split
from deeprg.exact.blocking._states import contract
from deeprg.exact.couplings import TruncationWarning
from deeprg.hamiltonians import Ising, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError, UsageError

RANDOM = Majority(ties="random")


def ring(bond, size=8, field=0.0):
    model = Ising(Lattice((size,)), 1 / bond, field=field)
    return model, Partition.cubic(model.lattice, 2)


def test_tabulated_truncation_errors_of_decimation():
    model, partition = ring(0.1)
    series = block_cumulants(model, partition, Decimation(), 12)
    assert [f"{series.errors[order]:.0e}" for order in (1, 4, 8)] == ["2e-02", "6e-07", "9e-12"]
    assert f"{series.errors[2]:.1e}" == "1.6e-04"
    assert series.errors[12] < 9e-16
    assert np.abs(series.values - block_exact(model, partition, Decimation()).values).max() < 2e-15


@pytest.mark.parametrize("rule", [Decimation(1), RANDOM, Soft((0.9, -0.2))], ids=["kept", "majority", "soft"])
@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        (Ising(Lattice((8,)), 2.5, field=0.3), Lattice((8,)).blocks(2)),
        (RandomBondIsing.gaussian(Lattice((2, 4)), 2.0, seed=1), np.arange(8).reshape(4, 2)),
        (
            SpinAction(6, {(0, 1, 2): 0.3, (3, 5): -0.4, (1, 2, 3, 4): 0.2, (4,): 0.5, (): 2.0}),
            [[0, 1], [2, 5], [3, 4]],
        ),
    ],
    ids=["ring", "glass", "many"],
)
def test_terms_are_the_cumulants_of_the_moment_recursion(model, blocks, rule):
    """kappa_k = m_k - sum_j C(k - 1, j - 1) kappa_j m_{k-j}, from the moments of K_1 given x."""
    order = 7
    parts = split(model, blocks, rule)
    energies = parts.inter.values()
    moments = [contract(energies**k, parts.conditionals) for k in range(order + 1)]
    cumulants = [np.zeros_like(moments[0])]
    for k in range(1, order + 1):
        lower = sum(math.comb(k - 1, j - 1) * cumulants[j] * moments[k - j] for j in range(1, k))
        cumulants.append(moments[k] - lower)
    series = block_cumulants(model, blocks, rule, order, allow_divergent=True)
    for k in range(1, order + 1):
        np.testing.assert_allclose(series.terms[k], cumulants[k] / math.factorial(k), rtol=0, atol=1e-12)
    np.testing.assert_allclose(series.terms[0], parts.constant + parts.block_term(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(series.exact, block_exact(model, blocks, rule).values, rtol=0, atol=1e-13)


def test_two_spins_have_the_radius_of_the_cosh():
    """Decimated on the other side, <exp(t K s s')> = cosh(t K) (1 + ...): single spins give cosh exactly."""
    action = SpinAction(4, {(0, 2): 0.5})
    series = block_cumulants(action, [[0, 1], [2, 3]], Decimation(1), 20)
    lower, upper = series.radius
    assert lower <= math.pi <= upper <= 1.11 * lower  # cosh(t/2) vanishes at t = i pi
    tangent = [0.0, 0.0, 0.125, 0.0, -2 / 24 / 16, 0.0, 16 / 720 / 64]  # ln cosh(t/2)
    np.testing.assert_allclose(series.terms[1:7], np.outer(tangent[1:], np.ones(4)), atol=1e-15)


@pytest.mark.parametrize(
    ("rule", "bond", "converges"),
    [
        (Decimation(), 1.0, True),
        (RANDOM, 1.5, True),
        (Soft((1.0, 0.0)), 0.5, True),
        (Soft((1.0, 0.0)), 1.0, False),
    ],
)
def test_the_verdict_agrees_with_high_orders(rule, bond, converges):
    """Where the winding number finds no zero the changes fall in the end; otherwise they grow."""
    model, partition = ring(bond)
    series = block_cumulants(model, partition, rule, 60, allow_divergent=True)
    assert series.converges is converges
    assert (series.radius[0] > 1.0, series.radius[1] > 1.0) == (converges, converges)
    late, later = series.changes[20:40].max(), series.changes[40:].max()
    assert (later < 0.1 * late) if converges else (later > 2.0 * late)
    rate = later / late  # 20 orders apart
    assert series.radius[0] * 0.9 < rate ** (-1 / 20) < series.radius[1] * 1.1
    if converges:
        assert series.errors[60] < 0.01 * series.errors[20]


@pytest.mark.parametrize("bond", [1.0, 8.0, 20.0, 50.0])
@pytest.mark.parametrize("method", ["enumeration", "transfer"])
def test_bounds_of_decimation_enclose_the_radius_at_any_coupling(bond, method):
    """prod cosh(K + t K x x')/cosh K: zeros of order 8 that come as near to the circle |t| = 1 as 0.0005."""
    model, partition = ring(bond)
    series = block_cumulants(model, partition, Decimation(), 2, method=method)
    lower, upper = series.radius
    assert 1.0 < lower <= math.hypot(1, math.pi / (2 * bond)) <= upper < 1.1 * lower


def test_zeros_too_close_to_tell_are_neither_inside_nor_outside():
    """R = 1 to 12 digits: cosh(t J)^8 with J = pi/2, so that the answer lies between the two circles."""
    action = SpinAction(16, {(4 * i, 4 * i + 2): math.pi / 2 for i in range(4)})
    blocks = np.arange(16).reshape(8, 2)
    with pytest.warns(TruncationWarning, match="not known"):
        series = block_cumulants(action, blocks, Decimation(1), 4)
    assert series.radius[0] < 1 < series.radius[1] < 1.1 * series.radius[0]
    assert (series.converges, series.diverges) == (False, False)


def test_bounds_for_couplings_that_are_all_different():
    """An open chain of summed spins: prod cosh(t J_i), whose nearest zero is i pi/(2 max J)."""
    couplings = np.random.default_rng(0).uniform(0.5, 2.0, 5)
    action = SpinAction(12, {(2 * i, 2 * i + 2): j for i, j in enumerate(couplings)})
    series = block_cumulants(action, np.arange(12).reshape(6, 2), Decimation(1), 4, allow_divergent=True)
    assert series.radius[0] <= math.pi / 2 / couplings.max() <= series.radius[1] < 1.1 * series.radius[0]


def test_a_series_that_does_not_settle_is_refused():
    model, partition = ring(1.5)
    with pytest.raises(NumericalError, match=r"does not settle.*radius.*block_exact"):
        block_cumulants(model, partition, Soft((1.0, 0.0)), 8)
    series = block_cumulants(model, partition, Soft((1.0, 0.0)), 16, allow_divergent=True)
    assert not series.converges
    assert series.errors[16] > 100 * series.errors[2]


def test_a_low_order_is_refused_when_a_tolerance_is_asked_for():
    model, partition = ring(0.3)
    with pytest.raises(NumericalError, match=r"not settled to 1e-10.*order 4"):
        block_cumulants(model, partition, RANDOM, 4, tolerance=1e-10)
    series = block_cumulants(model, partition, RANDOM, 16, tolerance=1e-10)
    assert max(series.changes[-1], series.errors[-1]) < 1e-10
    assert np.abs(series.action.values() - series.values).max() < 1e-13


def test_without_inter_block_couplings_the_blocks_are_everything():
    action = SpinAction(4, {(0, 1): 0.5, (2, 3): -0.4, (0,): 0.2, (): 0.7})
    series = block_cumulants(action, [[0, 1], [2, 3]], RANDOM, 3)
    exact = block_exact(action, [[0, 1], [2, 3]], RANDOM)
    np.testing.assert_allclose(series.values, exact.values, rtol=0, atol=1e-15)
    assert series.converges
    assert series.radius == (np.inf, np.inf)
    assert series.order == 3


def test_long_rings_by_transfer_matrices():
    model, partition = ring(0.3, size=8)
    enumerated = block_cumulants(model, partition, RANDOM, 10)
    chain = block_cumulants(model, partition, RANDOM, 10, method="transfer")
    np.testing.assert_allclose(chain.terms, enumerated.terms, rtol=0, atol=1e-13)
    blocks = Partition.cubic(Lattice((32,)), 4)
    long = Ising(Lattice((32,)), 1 / 0.2)
    series = block_cumulants(long, blocks, RANDOM, 12, method="transfer", tolerance=1e-8)
    exact = block_transfer(long, blocks, RANDOM)
    assert np.abs(series.values - exact.values).max() < 1e-8
    pairs = [
        SpinAction.of_values(row, blocks.lattice).couplings[0, 1] for row in series.partial_sums[[1, 12]]
    ]
    assert abs(pairs[1] - exact.coupling(0, 1)) < 1e-9 < abs(pairs[0] - exact.coupling(0, 1))


@pytest.mark.slow
def test_square_lattice_at_the_critical_point():
    square = Ising(Lattice((4, 4)), 2.269185314213022)
    series = block_cumulants(square, Partition.cubic(square.lattice, 2), RANDOM, 40)
    assert 1.1 < series.radius[0] < series.radius[1] < 1.4
    assert series.errors[40] < 1e-4 < series.errors[12]


def test_bad_input_is_refused():
    model, partition = ring(0.3)
    with pytest.raises(UsageError, match="at least 1, not 0"):
        block_cumulants(model, partition, RANDOM, 0)
    with pytest.raises(UsageError, match="'enumeration' or 'transfer'"):
        block_cumulants(model, partition, RANDOM, 2, method="guess")
    with pytest.raises(UsageError, match=r"22 spins.*at most 20.*transfer"):
        block_cumulants(*ring(0.3, size=22), RANDOM, 2)
