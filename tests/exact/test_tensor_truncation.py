"""What tensor RG throws away: its known errors, and the numbers that a run gives about itself."""

import itertools

import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE
from deeprg.exact.tensor import (
    METHODS,
    hotrg_step,
    square_weights,
    tensor_flow,
    tensor_free_energy,
    trg_step,
    truncation_errors,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice

SQUARE = Lattice((4, 4))


@pytest.mark.parametrize(
    ("temperature", "errors"),
    [
        (CRITICAL_TEMPERATURE, {4: 2.9e-4, 8: 6.9e-5, 12: 1.33e-5}),
        (2.0, {4: 2.6e-4, 8: 3.5e-6}),
        (2.5, {4: 5.1e-5, 8: 5.4e-5}),
    ],
)
def test_known_errors_of_trg(temperature, errors):
    table = truncation_errors(Ising(SQUARE, temperature), list(errors))
    assert all(row.exact for row in table)
    for row in table:
        assert row.relative_error == pytest.approx(errors[row.bond_dimension], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("temperature", "errors"),
    [
        (CRITICAL_TEMPERATURE, {16: 4.6e-6, 20: 2.1e-6}),
        (2.0, {16: 6.0e-7, 20: 9.8e-8}),
        (2.5, {16: 8.7e-7, 20: 5.3e-7}),
    ],
)
def test_known_errors_of_trg_at_large_bond_dimension(temperature, errors):
    for row in truncation_errors(Ising(SQUARE, temperature), list(errors)):
        assert row.relative_error == pytest.approx(errors[row.bond_dimension], rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_the_error_falls_with_the_bond_dimension(method):
    for temperature in (CRITICAL_TEMPERATURE, 2.0):
        table = truncation_errors(Ising(SQUARE, temperature), [2, 4, 8], method)
        errors = [row.relative_error for row in table]
        assert errors == sorted(errors, reverse=True)


def test_hotrg_is_better_at_equal_bond_dimension():
    for temperature in (CRITICAL_TEMPERATURE, 2.0, 2.5):
        trg, hotrg = (truncation_errors(Ising(SQUARE, temperature), [8], method)[0] for method in METHODS)
        assert hotrg.relative_error < trg.relative_error / 3


@pytest.mark.parametrize("method", METHODS)
def test_the_change_is_the_distance_between_two_runs(method):
    model = Ising(SQUARE, 2.0)
    large, small = (
        tensor_free_energy(model, chi, method, compare=0, spectrum=False).log_partition_per_site
        for chi in (6, 4)
    )
    found = tensor_free_energy(model, 6, method, compare=4, spectrum=False)
    assert found.compared_with == 4
    assert found.change == abs(large - small) > 0
    assert [row.change for row in truncation_errors(model, [6, 4], method)] == [None, found.change]
    assert tensor_free_energy(model, 6, method, steps=4, spectrum=False).compared_with == 3
    alone = tensor_free_energy(model, 2, method, steps=4)
    assert alone.compared_with is None
    assert alone.change is None


def test_neither_change_nor_discarded_weight_is_a_bound():
    rows = {k: truncation_errors(Ising(SQUARE, 1 / k), [4, 8]) for k in (0.3, 0.4, 0.5)}
    assert rows[0.4][1].error > 20 * rows[0.4][1].change
    assert rows[0.3][1].error > 1.15 * rows[0.3][1].discarded_per_site
    assert rows[0.5][1].error < rows[0.5][1].change / 50  # and here both are far too large
    assert rows[0.5][1].error < rows[0.5][1].discarded_per_site / 5


def test_discarded_weights_are_relative_squared_distances():
    tensor = np.random.default_rng(4).uniform(size=(3, 3, 3, 3))
    # TRG: the cut along the diagonal lu|rd or ur|dl, by the eigenvalues of the smaller Gram matrix
    lost = []
    for legs in ("lurd,LUrd->luLU", "lurd,lURd->urUR"):
        weights = np.linalg.eigvalsh(np.einsum(legs, tensor, tensor).reshape(9, 9))
        lost.append(weights[:4].sum() / weights.sum())
    assert trg_step(tensor, 5)[1] == pytest.approx(max(lost), rel=1e-10)
    # HOTRG: what the projector on the doubled left or right legs takes from the joined pair
    pair = np.einsum("auci,bide->abucde", tensor, tensor)  # [x1, x2, u, y1, y2, d] as x1 x2 u y1 d y2
    lost = []
    for legs in ("abucde->abucde", "abucde->ceabud"):
        singular = np.linalg.svd(pair.transpose([legs[:6].index(c) for c in legs[8:]]).reshape(9, -1))[1]
        lost.append((singular[5:] ** 2).sum() / (singular**2).sum())
    assert hotrg_step(tensor, 5)[1] == pytest.approx(min(lost), rel=1e-10)


def test_discarded_weight_per_site():
    found = tensor_free_energy(Ising(SQUARE, 2.0), 4, steps=5, compare=0, spectrum=False)
    stages = list(itertools.islice(tensor_flow(square_weights(Ising(SQUARE, 2.0)), 4), 6))
    by_hand = sum(stage.discarded / stage.sites for stage in stages)
    assert found.discarded_per_site == pytest.approx(by_hand, rel=1e-14)


def test_a_yardstick_where_nothing_is_exact():
    table = truncation_errors(Ising(SQUARE, 2.0, field=0.1), [2, 4, 4], steps=10)
    assert [row.bond_dimension for row in table] == [2, 4]
    assert table[1].relative_error == 0.0
    assert not table[0].exact
