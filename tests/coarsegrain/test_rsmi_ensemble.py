"""Ensembles of RSMI filters: planted rings, planted points, and what searches find in degenerate data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import entr, ndtr

from deeprg.coarsegrain.information import (
    Surroundings,
    Windows,
    canonical_filters,
    filter_ensemble,
    principal_filters,
)
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.running import simulate
from deeprg.montecarlo.simulation import Simulation
from deeprg.report.filters import plot_filter_plane
from deeprg.runs.errors import UsageError
from deeprg.studies._kjr_find import gradients
from deeprg.train import Plan

OPTIMISED = True  # searches run longer than they compile
PLAN = Plan(steps=300, batch=500, learning_rate=0.01, steps_per_call=50)


def ring(n, size, rng):
    """Filters on a ring in a plane of random orthonormal directions, signs at random."""
    plane = np.linalg.qr(rng.normal(size=(size, 2)))[0].T
    angles = np.pi * np.arange(n) / n
    filters = np.cos(angles)[:, None] * plane[0] + np.sin(angles)[:, None] * plane[1]
    return filters * rng.choice((-1, 1), n)[:, None], plane


def test_a_planted_ring_is_found():
    rng = np.random.default_rng(0)
    filters, plane = ring(12, 20, rng)
    found = principal_filters(filters)
    np.testing.assert_allclose(found.shares[:3], [0.5, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(found.in_plane, 1, atol=1e-12)
    assert np.linalg.svd(found.components[:2] @ plane.T)[1].min() == pytest.approx(1)  # the same plane
    turns = np.sort(np.mod(found.angles, np.pi))
    np.testing.assert_allclose(np.diff(turns), np.pi / 12, atol=1e-9)
    assert found.order(4) < 1e-9
    assert principal_filters(filters[:6]).shares[0] > 0.7  # twin: half of the ring


def test_four_points_have_the_shares_of_a_ring_and_another_order():
    rng = np.random.default_rng(1)
    filters, _ = ring(12, 5, rng)
    points = filters[[0, 6, 0, 6]]
    found = principal_filters(points)
    np.testing.assert_allclose(found.shares[:2], 0.5, atol=1e-12)
    assert found.order(4) == pytest.approx(1)


def test_the_order_of_directions_on_a_ring_is_that_of_rayleigh():
    rng = np.random.default_rng(2)
    values = []
    for _ in range(400):
        angles = rng.uniform(0, 2 * np.pi, 40)
        values.append(principal_filters(np.stack([np.cos(angles), np.sin(angles)], axis=1)).order(4))
    assert np.mean(values) == pytest.approx(np.sqrt(np.pi / 160), abs=4 * 0.073 / 20)
    assert np.mean(np.array(values) > np.sqrt(3 / 40)) == pytest.approx(0.05, abs=0.035)


def test_filters_are_compared_by_what_they_read():
    """Numbers of a block that add to a constant, like the dimers of a site: any multiple may be added."""
    rng = np.random.default_rng(3)
    filters, _ = ring(12, 4, rng)
    free = rng.normal(size=(20_000, 4))
    blocks = np.concatenate([free, -free.sum(axis=1, keepdims=True)], axis=1)
    w = np.concatenate([filters, np.zeros((12, 1))], axis=1) + rng.normal(size=(12, 1))
    found = principal_filters(w, blocks)
    assert found.shares[:2].sum() > 0.999
    assert principal_filters(w).shares[:2].sum() < 0.95  # twin: the weights themselves
    read = blocks @ found.components[:2].T
    np.testing.assert_allclose(np.cov(read, rowvar=False, bias=True), np.eye(2), atol=1e-9)
    scores = (blocks @ w.T).T @ read / len(blocks) / (blocks @ w.T).std(axis=0)[:, None]
    np.testing.assert_allclose(scores * found.signs[:, None], found.scores[:, :2], atol=1e-3)
    assert (found.scores[:, 0] >= 0).all()


def sign_information(correlation):
    """I(sign x : y) of a Gaussian pair: ln 2 - E H(P(x > 0 | y))."""

    def lost(y):
        p = ndtr(correlation * y / np.sqrt(1 - correlation**2))
        return np.exp(-y * y / 2) / np.sqrt(2 * np.pi) * (entr(p) + entr(1 - p))

    return np.log(2) - 2 * quad(lost, 0, 8)[0]


@pytest.mark.slow
@pytest.mark.parametrize("second", [0.8, 0.2])
def test_searches_show_a_circle_of_equal_rules_or_one(second):
    """Two Gaussian pairs of correlations 0.8 and `second`, beside noise: U(1) if alike, else Z2."""
    rng = np.random.default_rng(4)
    v = rng.normal(size=(40_000, 4))
    r = np.array([0.8, second])
    e = r * v[:, :2] + np.sqrt(1 - r**2) * rng.normal(size=(40_000, 2))
    mixing = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rows = np.concatenate([v @ mixing, e], axis=1)
    around = Surroundings(6, block=(0, 1, 2, 3), environment=(4, 5))
    found = filter_ensemble(around, rows, PLAN, runs=6, key=jax.random.key(0))
    exact = sign_information(0.8)
    for run in found.runs:
        assert abs(run.retained.value - exact) < max(0.02 * exact, 4 * run.retained.error)
    planted = mixing[:2] if second == 0.8 else mixing[:1]
    kept = np.linalg.norm(found.filters @ planted.T, axis=1) / np.linalg.norm(found.filters, axis=1)
    assert kept.min() > 0.98
    principal = found.principal
    if second == 0.8:
        assert principal.shares[1] > 0.15
        assert principal.shares[:2].sum() > 0.97
        assert np.ptp(np.sort(np.mod(principal.angles, np.pi))) > 1.0
    else:
        assert principal.shares[0] > 0.95
        assert {*np.sign([np.asarray(one.reader.weights)[0] @ planted[0] for one in found.runs])} == {1, -1}


def test_square_spins_are_two_points():
    """4x4 at T_c, 2x2, no buffer: plus and minus the uniform filter before the signs are fixed."""
    law = enumerate_distribution(Ising(Lattice((4, 4)), temperature=CRITICAL_TEMPERATURE))
    spins = law.states[np.random.default_rng(0).choice(len(law.states), 40_000, p=law.probabilities)]
    around = Surroundings.on_lattice(Lattice((4, 4)), (2, 2), buffer=0)
    found = filter_ensemble(around, spins, PLAN, runs=3, key=jax.random.key(2))
    assert found.principal.shares[0] > 0.98
    uniform = found.filters.sum(axis=1) / np.linalg.norm(found.filters, axis=1) / 2
    assert np.abs(uniform).min() > 0.97
    assert np.ptp(np.sign(uniform)) == 0  # fixed
    assert np.ptp([np.sign(np.asarray(one.reader.weights).sum()) for one in found.runs]) == 2  # both before
    figure = plot_filter_plane(found.principal.scores, found.principal.shares)
    filled, hollow = figure.axes[0].lines[1], figure.axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(filled.get_xydata()), found.principal.scores[:, :2])
    np.testing.assert_allclose(np.asarray(hollow.get_xydata()), -found.principal.scores[:, :2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: principal_filters(np.ones((1, 4))), "Two finite filters"),
        (lambda: principal_filters(np.full((2, 4), np.nan)), "Two finite filters"),
        (lambda: principal_filters(np.zeros((2, 4))), "reads nothing"),
        (lambda: principal_filters(np.ones((2, 4)), np.ones((9, 3))), "rows of 4 numbers"),
        (lambda: principal_filters(np.eye(4)).order(3), "one rule"),
        (lambda: plot_filter_plane(np.ones((4, 1)), [1.0]), "components"),
        (lambda: Surroundings(6, (0, 1), (1, 2)), "both in the block and"),
        (lambda: Surroundings(6, (0, 0), (1, 2)), "different sites"),
        (lambda: Surroundings(6, (0, 1), (6,)), "from 0 to 5"),
        (lambda: Surroundings(6, (0, 1), ()), "different sites"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_one_run_is_no_ensemble():
    around = Surroundings(6, (0, 1), (4, 5))
    with pytest.raises(UsageError, match="two runs or more"):
        filter_ensemble(around, np.ones((2000, 6)), PLAN, runs=1, key=jax.random.key(0))


def test_too_few_configurations_for_the_dimension():
    rows = np.random.default_rng(0).normal(size=(1500, 900))
    around = Surroundings(900, tuple(range(300)), tuple(range(300, 900)))
    with pytest.raises(UsageError, match="too few for 900 numbers"):
        filter_ensemble(around, rows, PLAN, runs=2, key=jax.random.key(0))


@pytest.mark.slow
def test_dimers_end_on_a_ring_of_height_gradients(tmp_path):
    """24x24, T = 15, one hidden unit reads a combination of both gradients, in no one direction."""
    plan = Simulation("dimers", (24, 24), (15.0,), samples=6000).plan()
    drawn = simulate(plan, str(tmp_path / "E.zarr")).configuration_blocks(0)
    directions = np.concatenate(list(drawn), axis=1).reshape(-1, 24, 24)
    directions = directions[np.random.default_rng(0).permutation(len(directions))]
    bonds = np.where(np.stack([directions == 0, directions == 2], axis=-1), 1, -1).astype(np.int8)
    around = Surroundings.on_lattice(Lattice((24, 24)), (8, 8), buffer=4, environment=4)
    windows = Windows(around, jnp.asarray(around.table(bonds)), 2)
    rows = np.asarray(windows(jax.random.key(0), 40_000), np.float64)
    v, e = rows[:, :128] - rows[:, :128].mean(axis=0), rows[:, 128:]
    heights = v @ gradients(Lattice((8, 8))).reshape(2, -1).T

    def explained(filters):
        read = v @ filters.T
        slopes = np.linalg.lstsq(heights, read, rcond=None)[0]
        return np.sqrt((heights @ slopes).var(axis=0) / read.var(axis=0)), np.arctan2(*slopes[::-1])

    filters, correlations = canonical_filters(v, e, 3)
    assert explained(filters[:2])[0].min() > 0.85  # the canonical pair, which is degenerate
    assert correlations[1] > 0.9 * correlations[0]
    assert correlations[2] < 0.8 * correlations[1]
    train = Plan(steps=400, batch=500, learning_rate=3e-3, steps_per_call=20)
    found = filter_ensemble(around, bonds, train, runs=5, period=2, key=jax.random.key(1))
    assert found.counted.sum() >= 4
    overlap, angles = explained(found.filters)
    assert overlap.min() > 0.9
    assert found.principal.shares[:2].sum() > 0.85
    assert explained(found.principal.components[:2])[0].min() > 0.85
    resultant = abs(np.mean(np.exp(2j * angles)))
    assert resultant < 0.8  # not one direction
