"""Thermometers: readings against known temperatures, their errors, and what they say out of their range."""

import functools
import math

import jax
import numpy as np
import pytest

from deeprg.exact import kaufman
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.lattice import Lattice
from deeprg.probes import (
    DirectThermometer,
    Reading,
    compare_readings,
    energy_thermometer,
    follow_flow,
    magnetization_thermometer,
    relaxation_time,
    start_dependence,
    train_thermometer,
)
from deeprg.runs.errors import UsageError

SHAPE = (4, 4)
GRID = [0.5, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0]


@functools.cache
def enumerated(temperature):
    """All 2^16 spin configurations of the 4x4 torus with their probabilities, from bonds written out."""
    s = 2.0 * ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1) - 1
    s = s.reshape(-1, 4, 4)
    energy = -(s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).sum(axis=(1, 2))
    weights = np.exp(-(energy - energy.min()) / temperature)
    return s, energy / 16, weights / weights.sum()


def draws(temperature, count, rng):
    """Independent configurations of the 4x4 torus."""
    s, _, p = enumerated(temperature)
    return s[rng.choice(len(s), size=count, p=p)]


# --- direct thermometers


@pytest.mark.parametrize("temperature", [1.13, 2.0, 2.269, 3.33, 6.1])
def test_direct_thermometers_invert_enumerated_averages(temperature):
    s, energy, p = enumerated(temperature)
    m = abs(s.mean(axis=(1, 2)))
    assert energy_thermometer(SHAPE).read(float(p @ energy)).temperature == pytest.approx(
        temperature, abs=2e-4
    )
    found = magnetization_thermometer(SHAPE).read(float(p @ m))
    assert found.temperature == pytest.approx(temperature, abs=2e-3)  # a tenth between points
    assert found.inside


def test_the_error_is_that_of_the_measurement_over_the_slope():
    t, step = 2.4, 1e-4
    slope = (kaufman((10, 10), t + step).energy_per_site - kaufman((10, 10), t - step).energy_per_site) / (
        2 * step
    )
    found = energy_thermometer((10, 10)).read(kaufman((10, 10), t).energy_per_site, 0.01)
    assert found.error == pytest.approx(0.01 / slope, rel=0.01)


def test_both_errors_count():
    table = np.arange(1.0, 8.0)
    thermometer = DirectThermometer("f", table, 2 * table, np.full(7, 0.8))
    assert thermometer.read(7.0, 0.6).error == pytest.approx(0.5)


def pulls(reading_of, temperature, seeds, count=400):
    """(reading - T)/error of independent ensembles."""
    found = []
    for seed in range(seeds):
        x = draws(temperature, count, np.random.default_rng(seed))
        values = reading_of["values"](x)
        reading = reading_of["with"].read(values.mean(), values.std(ddof=1) / math.sqrt(count))
        found.append((reading.temperature - temperature) / reading.error)
    return np.array(found)


def magnetization(x):
    return abs(x.mean(axis=(1, 2)))


def energy(x):
    return -(x * np.roll(x, 1, 1) + x * np.roll(x, 1, 2)).mean(axis=(1, 2))


@pytest.mark.parametrize(
    ("make", "values"), [(magnetization_thermometer, magnetization), (energy_thermometer, energy)]
)
def test_pulls_have_unit_variance(make, values):
    found = pulls({"with": make(SHAPE), "values": values}, 2.3, 60)
    assert abs(found.mean()) < 3.5 / math.sqrt(60)
    assert abs(found.std() - 1) < 3.5 / math.sqrt(2 * 60)


def test_pulls_of_a_wrong_table_fail():
    wrong = magnetization_thermometer((4, 5))
    found = pulls({"with": wrong, "values": magnetization}, 2.3, 60)
    assert abs(found.mean()) > 3.5 / math.sqrt(60)


@pytest.mark.slow
def test_a_simulated_table_agrees_with_the_exact_one():
    exact = magnetization_thermometer(SHAPE, low=1.5, high=4.0, points=6)
    found = magnetization_thermometer(
        SHAPE, low=1.5, high=4.0, points=6, method="simulated", chains=16, draws=40, seed=1
    )
    assert np.all(found.errors > 0)
    assert np.all(abs(found.values - exact.values) < 4 * found.errors)
    assert np.all(found.errors < 0.02)
    other = magnetization_thermometer((4, 6), low=1.5, high=4.0, points=6)
    assert np.any(abs(found.values - other.values) > 4 * found.errors)


def test_outside_its_range_a_thermometer_gives_a_bound():
    thermometer = energy_thermometer((10, 10), low=1.0, high=4.0, points=31)
    hot, cold = thermometer.read(-0.1, 0.01), thermometer.read(-2.0)
    assert (hot.place, hot.temperature, cold.place, cold.temperature) == ("above", 4.0, "below", 1.0)
    assert not hot.inside
    assert math.isnan(hot.error)
    assert str(hot) == "> 4.000"
    assert hot.to_dict()["error"] is None
    assert compare_readings([hot, Reading(2.0, 0.1)]).agree is None
    with pytest.raises(UsageError, match="outside the table"):
        thermometer.expected(5.0)


def test_tables_that_cannot_be_inverted_are_refused():
    t = np.arange(5.0)
    with pytest.raises(UsageError, match="cannot be inverted"):
        DirectThermometer("f", t, np.array([0, 1, 2, 1, 3.0]), 0 * t)
    with pytest.raises(UsageError, match="no thermometer"):
        DirectThermometer("f", t[:3], t[:3], t[:3])
    with pytest.raises(UsageError, match="cannot be read"):
        energy_thermometer(SHAPE).read(math.nan)


def test_agreement_of_readings():
    same = compare_readings([Reading(2.3, 0.1), Reading(2.4, 0.1)])
    assert same.agree
    assert same.temperature == pytest.approx(2.35)
    assert same.error == pytest.approx(0.1 / math.sqrt(2))
    assert not compare_readings([Reading(2.42, 0.02), Reading(3.11, 0.05)]).agree
    with pytest.raises(UsageError, match="two or more"):
        compare_readings([Reading(2.3, 0.1)])


# --- the neural thermometer


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    data = [draws(t, 1000, rng) for t in GRID]
    return train_thermometer(data, GRID, hidden=32, steps=1200, key=jax.random.key(0))


@pytest.fixture(scope="module")
def bayes():
    """The best possible classifier on the 4x4 torus: p(T | s) for every state, by Bayes' rule."""
    s, _, _ = enumerated(1.0)
    joint = np.stack([enumerated(t)[2] for t in GRID], axis=1)
    return s, joint


def test_the_network_reads_like_the_best_classifier(network, bayes):
    """P(T) of an ensemble against the exact posterior averaged over that ensemble."""
    s, joint = bayes
    posterior = joint / joint.sum(axis=1, keepdims=True)
    said = network.probabilities(s)
    for k in range(len(GRID)):
        assert abs(joint[:, k] @ said - joint[:, k] @ posterior).sum() < 0.25
    best = joint.max(axis=1).sum() / len(GRID)
    assert best - 0.06 < network.calibration.correct < best + 0.03
    entropy = -(joint * np.log(np.maximum(posterior, 1e-300))).sum() / len(GRID)
    assert entropy - 0.05 < network.calibration.cross_entropy < entropy + 0.15


def test_calibration_of_the_network_is_reported(network):
    found = network.calibration
    assert np.allclose(found.confusion.sum(axis=1), 1)
    assert found.ece < 0.1
    assert found.share.sum() == pytest.approx(1)
    order = np.argsort(found.mean)
    assert np.array_equal(order, np.arange(len(GRID)))
    assert np.all(found.spread > 0)
    assert found.to_dict()["correct"] == found.correct


def test_a_sure_and_wrong_network_is_badly_calibrated(network):
    """The twin: the same network on labels in the opposite order."""
    rng = np.random.default_rng(3)
    shifted = [draws(t, 200, rng) for t in GRID[::-1]]
    assert network.calibrate(shifted).ece > 2 * network.calibration.ece


def test_data_like_the_training_data_are_read_without_flags(network):
    x = draws(2.3, 400, np.random.default_rng(5))
    found = network.read(x)
    assert found.trusted
    assert abs(found.mean.value - 2.3) < 0.6
    assert found.probabilities.sum() == pytest.approx(1)


def test_data_unlike_the_training_data_are_flagged(network):
    """Stripes: no magnetization, an energy of zero, which no temperature has together at T below 6."""
    stripes = np.tile(np.array([1.0, -1.0]), (200, 4, 2))
    assert not network.read(stripes).trusted
    checkerboard = np.where(np.indices(SHAPE).sum(0) % 2, 1.0, -1.0)[None].repeat(50, 0)
    assert any("standard deviations" in flag for flag in network.read(checkerboard).flags)
    hot = np.random.default_rng(0).choice([-1.0, 1.0], size=(300, *SHAPE))
    assert any("end of the grid" in flag for flag in network.read(hot).flags)


def test_what_the_network_refuses(network):
    with pytest.raises(UsageError, match="another lattice"):
        network.read(np.ones((5, 6, 6)))
    with pytest.raises(UsageError, match="spins -1 and \\+1"):
        network.read(np.zeros((5, *SHAPE)))
    with pytest.raises(UsageError, match="do not match"):
        train_thermometer([np.ones((20, 4, 4))], [1.0, 2.0], key=jax.random.key(0))
    with pytest.raises(UsageError, match="too few"):
        train_thermometer([np.ones((5, 4, 4))] * 2, [1.0, 2.0], key=jax.random.key(0))


# --- flows


def test_observables_of_a_flow_against_enumeration():
    s, e, p = enumerated(CRITICAL_TEMPERATURE)
    rng = np.random.default_rng(2)
    x = s[rng.choice(len(s), size=4000, p=p)]
    seen = follow_flow([(0, x.reshape(4000, 16))], Lattice(SHAPE)).end.observables
    m = s.mean(axis=(1, 2))
    k = np.exp(2j * np.pi * np.arange(4) / 4)
    low = 0.5 * (abs((s * k[:, None]).sum((1, 2))) ** 2 + abs((s * k).sum((1, 2))) ** 2) / 16
    second, mean_abs, s_min = p @ m**2, p @ abs(m), p @ low
    exact = {
        "abs_magnetization": mean_abs,
        "energy_per_site": p @ e,
        "susceptibility": 16 * (second - mean_abs**2),
        "correlation_length": math.sqrt(16 * second / s_min - 1) / (2 * math.sin(math.pi / 4)),
        "up": p @ (0.5 + 0.5 * np.sign(m)),
    }
    for name, value in exact.items():
        assert abs(seen[name].value - value) < 4 * seen[name].error, name
        assert seen[name].error < 0.1 * max(abs(value), 0.5)


def test_relaxation_time_of_an_exponential():
    n = np.arange(0, 101, 2)
    assert relaxation_time(n, 0.6 - 0.5 * np.exp(-n / 7.5), 0 * n + 1e-4) == pytest.approx(7.5, rel=0.01)
    assert relaxation_time(n, 0.6 + 0.0 * n, 0 * n + 1e-4) == 0
    assert math.isnan(relaxation_time(n, np.where(n < 80, 1.0, 0.0), 0 * n + 1e-6))


def test_start_dependence_finds_what_differs_and_not_what_does_not():
    def flow(temperature, seed, sign=0):
        x = draws(temperature, 500, np.random.default_rng(seed))
        if sign:
            x = sign * x * np.where(x.sum(axis=(1, 2), keepdims=True) < 0, -1, 1)
        return follow_flow([(0, x)], Lattice(SHAPE))

    dependent = [start_dependence(flow(2.3, k), flow(2.3, 100 + k)).dependent for k in range(20)]
    assert sum(dependent) <= 2
    assert start_dependence(flow(2.3, 0), flow(2.8, 1)).dependent
    assert start_dependence(flow(2.3, 0, 1), flow(2.3, 1, -1)).dependent  # |m| and e agree, m does not
    up = follow_flow([(0, np.ones((30, 4, 4)))], Lattice(SHAPE))
    assert start_dependence(up, flow(2.3, 0)).dependent
    assert not start_dependence(up, up).dependent


def test_what_a_flow_refuses():
    with pytest.raises(UsageError, match="Decode"):
        follow_flow([(0, np.zeros((30, 16)))], Lattice(SHAPE))
    with pytest.raises(UsageError, match="no flow on 4x4"):
        follow_flow([(0, np.ones((30, 25)))], Lattice(SHAPE))
    with pytest.raises(UsageError, match="no stage"):
        follow_flow([], Lattice(SHAPE))
    other = DirectThermometer("temper", np.arange(4.0), np.arange(4.0), np.zeros(4))
    with pytest.raises(UsageError, match="'temper', which is not measured"):
        follow_flow([(0, np.ones((30, 16)))], Lattice(SHAPE), thermometers={"x": other})
