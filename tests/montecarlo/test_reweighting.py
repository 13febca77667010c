"""Reweighting against enumeration and Kaufman: values, pulls, ln Z, reach, and what it does to JAX."""

import json
import subprocess
import sys

import numpy as np
import pytest

from deeprg.exact import kaufman
from deeprg.montecarlo import multi_histogram, reweight_temperature
from deeprg.runs.errors import NumericalError, UsageError

GRID = np.array([2.3, 2.5, 2.8])
SAMPLED = np.array([2.0, 2.6, 3.4])
NAMES = [
    "energy_per_site",
    "abs_magnetization",
    "magnetization_squared",
    "specific_heat",
    "susceptibility",
    "binder_cumulant",
]


def several(ising16, seed, keep, shape):
    """Series [temperatures, chains, steps] at the temperatures SAMPLED."""
    rows = [ising16.series((seed, k), t, keep, shape) for k, t in enumerate(SAMPLED)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def pulls(found, ising16, reference):
    """(value - exact)/error for every quantity, temperature by temperature."""
    exact = [ising16.exact(t) for t in found.temperatures]
    rows = {
        name: (curve.value - [e[name] for e in exact]) / curve.error
        for name, curve in found.observables.items()
    }
    log_z = [
        kaufman((4, 4), t).log_partition - kaufman((4, 4), reference).log_partition
        for t in found.temperatures
    ]
    known = found.log_partition.error > 1e-9  # at the reference it is zero by definition
    rows["log_partition"] = ((found.log_partition.value - log_z)[known]) / found.log_partition.error[known]
    return rows


def assert_honest(rows, seeds):
    """Squared pulls average to 1 within 4 standard errors, and 8 % for the small numbers of blocks."""
    for name in rows[0]:
        squares = np.mean(np.square([row[name] for row in rows]), axis=0)
        assert np.all(np.abs(squares - 1) < 4 * np.sqrt(2 / seeds) + 0.08), name


def test_single_histogram_against_enumeration(ising16):
    seeds = 100
    found = [
        reweight_temperature(ising16.series(seed, 2.5, 0.5, (2, 2500)), 16, 2.5, GRID)
        for seed in range(seeds)
    ]
    assert set(found[0].observables) == set(NAMES)
    assert all(row.trusted.all() and not row.short for row in found)
    rows = [pulls(row, ising16, 2.5) for row in found]
    assert found[0].log_partition.value[1] == found[0].log_partition.error[1] == 0
    assert_honest(rows, seeds)
    exact = ising16.exact(2.32)["energy_per_site"]
    curves = [row.observables["energy_per_site"] for row in found]
    with pytest.raises(AssertionError):  # twin: the truth of T = 2.32 instead of 2.3
        assert_honest([{"e": (c.value[:1] - exact) / c.error[:1]} for c in curves], seeds)


def test_reweighting_to_the_same_temperature_is_the_plain_average(ising16):
    series = ising16.series(1, 2.5, 0.5, (2, 1000))
    found = reweight_temperature(series, 16, 2.5, 2.5)
    for name in ("energy_per_site", "abs_magnetization", "magnetization_squared"):
        assert found.observables[name].value[0] == pytest.approx(series[name].mean(), rel=1e-12)
    assert found.effective_samples[0] == pytest.approx(2000 / 3, rel=0.2)  # tau_int = 1.5


def test_reach_is_judged(ising16):
    series = ising16.series(2, 8.0, 0.5, (2, 3000))
    far = reweight_temperature(series, 16, 8.0, [8.0, 5.0, 1.0])
    assert far.trusted.tolist() == [True, True, False]
    assert np.all(np.diff(far.effective_samples) < 0)
    cold = ising16.series(3, 1.2, 0.0, (2, 1000))
    with pytest.raises(NumericalError, match=r"None of the temperatures 8 … 9 can be reached"):
        reweight_temperature(cold, 16, 1.2, [8.0, 9.0])


def test_distant_temperatures_of_a_large_lattice_do_not_overflow():
    energy = -1.4 + 0.02 * np.random.default_rng(0).normal(size=(2, 1000))
    found = reweight_temperature({"energy_per_site": energy}, 10**6, 2.3, [2.3, 0.1, 50.0])
    assert found.trusted.tolist() == [True, False, False]
    json.dumps(found.to_dict(), allow_nan=False)


def test_multi_histogram_against_enumeration(ising16):
    found = multi_histogram(several(ising16, 4, 0.6, (2, 3000)), 16, SAMPLED, np.linspace(2.0, 3.4, 8))
    assert found.trusted.all()
    assert not found.short
    assert 0.05 < found.overlap < 0.5
    for name, values in pulls(found, ising16, SAMPLED[0]).items():
        assert np.max(np.abs(values)) < 4, name
    assert found.log_partition.value[0] == pytest.approx(0, abs=1e-9)
    # Several histograms carry more than one, and their errors are smaller.
    alone = reweight_temperature(ising16.series(4, 2.0, 0.6, (2, 3000)), 16, 2.0, [3.0])
    at = int(np.argmin(np.abs(found.temperatures - 3.0)))
    assert alone.observables["energy_per_site"].error[0] > 2 * found.observables["energy_per_site"].error[at]
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.slow
def test_order_of_the_simulations_is_irrelevant(ising16):
    series = several(ising16, 5, 0.0, (1, 800))
    order = [2, 0, 1]
    one = multi_histogram(series, 16, SAMPLED, GRID, blocks=10)
    other = multi_histogram(
        {k: list(v[order]) for k, v in series.items()}, 16, SAMPLED[order], GRID, blocks=10
    )
    assert other.observables["specific_heat"].value == pytest.approx(
        one.observables["specific_heat"].value, rel=1e-7
    )
    assert np.diff(other.log_partition.value) == pytest.approx(np.diff(one.log_partition.value), rel=1e-6)


def test_one_simulation_is_the_single_histogram(ising16):
    series = ising16.series(6, 2.5, 0.0, (1, 2000))
    one = multi_histogram({k: v[None] for k, v in series.items()}, 16, [2.5], GRID, blocks=20)
    other = reweight_temperature(series, 16, 2.5, GRID, blocks=20)
    for name in NAMES:
        assert one.observables[name].value == pytest.approx(other.observables[name].value, rel=1e-9)
        assert one.observables[name].error == pytest.approx(other.observables[name].error, rel=0.2)
    assert one.log_partition.value == pytest.approx(other.log_partition.value, abs=1e-9)
    assert one.overlap is None


def test_simulations_without_overlap_are_refused():
    rng = np.random.default_rng(0)
    energies = [mean + 0.01 * rng.normal(size=(1, 500)) for mean in (-1.9, -0.5)]
    with pytest.raises(NumericalError, match=r"T = 1 and 5 share no energies|equations are off"):
        multi_histogram({"energy_per_site": energies}, 400, [1.0, 5.0], [1.0])


def test_refusals(ising16):
    series = ising16.series(7, 2.5, 0.0, (1, 200))
    with pytest.raises(UsageError, match="lack 'energy_per_site'"):
        reweight_temperature({"abs_magnetization": np.arange(9.0)}, 16, 2.5, [2.4])
    with pytest.raises(UsageError, match="temperature"):
        reweight_temperature(series, 16, 2.5, [-1.0])
    with pytest.raises(UsageError, match="one or more"):
        reweight_temperature(series, 16, 2.5, [])
    with pytest.raises(UsageError, match="blocks = 5"):
        reweight_temperature(series, 16, 2.5, [2.4], blocks=5)
    with pytest.raises(UsageError, match="same chains"):
        reweight_temperature(series | {"abs_magnetization": np.arange(9.0)}, 16, 2.5, [2.4])
    rows = {name: values[None] for name, values in series.items()}
    with pytest.raises(UsageError, match="1 entries for 2 temperatures"):
        multi_histogram(rows, 16, [2.4, 2.5], [2.4])
    with pytest.raises(UsageError, match="twice"):
        multi_histogram(rows, 16, [2.5, 2.5], [2.4])
    with pytest.raises(UsageError, match="blocks = 5"):
        multi_histogram(rows, 16, [2.5], [2.4], blocks=5)
    with pytest.raises(UsageError, match="fewer than 2 for each of the 150 blocks"):
        multi_histogram(rows, 16, [2.5], [2.4], blocks=150)


def test_pymbar_stays_quiet_and_leaves_jax_alone():
    """In a fresh process at JAX's default of 32 bits: nothing printed, nothing switched, nothing early."""
    code = """
import sys
import deeprg.montecarlo
early = {"pymbar", "numba", "zarr", "xarray", "blackjax"} & set(sys.modules)
assert not early, early
import jax, logging, numpy as np
rng = np.random.default_rng(0)
e = [np.where(rng.random((2, 500)) < 1 / (1 + np.exp(-2 / t)), -1.0, 1.0) for t in (2.0, 1.0)]
found = deeprg.montecarlo.multi_histogram({"energy_per_site": e}, 1, [2.0, 1.0], [1.0], blocks=10)
assert not jax.config.jax_enable_x64
assert jax.numpy.ones(1).dtype == "float32"
assert found.log_partition.value.dtype == "float64"
assert abs(found.log_partition.value[0] - 0.31367) < 4 * found.log_partition.error[0]
assert logging.getLogger("pymbar").level == 0
"""
    done = subprocess.run(
        [sys.executable, "-W", "always::UserWarning", "-c", code], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_multi_histogram_has_honest_errors(ising16):
    seeds = 40
    # Independent draws are not thinned: all runs have the same shapes and compile once.
    found = [multi_histogram(several(ising16, s, 0.0, (2, 750)), 16, SAMPLED, GRID) for s in range(seeds)]
    rows = [pulls(row, ising16, SAMPLED[0]) for row in found]
    assert_honest(rows, seeds)
    with pytest.raises(AssertionError):  # twin: errors too small by a factor 2
        assert_honest([{k: 2 * v for k, v in row.items()} for row in rows], seeds)


@pytest.mark.slow
def test_a_markov_chain_at_l8_against_kaufman():
    """Checkerboard Metropolis, 32 chains at 6 temperatures, against the exact torus in between."""
    sampled, rng = np.array([2.0, 2.15, 2.3, 2.45, 2.65, 2.9]), np.random.default_rng(1)
    spins = np.ones((6, 32, 8, 8), dtype=np.int8)
    parity = np.indices((8, 8)).sum(axis=0) % 2
    accept = np.exp(-2 * np.arange(-4, 5) / sampled[:, None])
    energies, moments = [], []
    for sweep in range(3500):
        for colour in (0, 1):
            around = sum(np.roll(spins, step, axis) for axis in (2, 3) for step in (1, -1))
            chance = np.take_along_axis(accept, (spins * around + 4).reshape(6, -1), axis=1)
            flip = (rng.random(spins.shape) < chance.reshape(spins.shape)) & (parity == colour)
            spins = np.where(flip, -spins, spins)
        if sweep >= 500:
            bonds = sum((spins * np.roll(spins, 1, axis)).sum(axis=(2, 3)) for axis in (2, 3))
            energies.append(-bonds / 64)
            moments.append(spins.mean(axis=(2, 3)))
    m = np.moveaxis(np.array(moments), 0, -1)
    series = {"energy_per_site": np.moveaxis(np.array(energies), 0, -1)}
    series |= {"abs_magnetization": np.abs(m), "magnetization_squared": m**2}
    grid = np.linspace(2.0, 2.9, 10)
    found = multi_histogram(series, 64, sampled, grid)
    exact = [kaufman((8, 8), float(t)) for t in grid]
    first = kaufman((8, 8), 2.0).log_partition
    assert found.trusted.all()

    def squared_pulls(curve, truth):
        return ((curve.value - truth) / np.where(curve.error > 1e-9, curve.error, np.inf)) ** 2

    def checked(shift):
        energy = squared_pulls(
            found.observables["energy_per_site"], [e.energy_per_site + shift for e in exact]
        )
        heat = squared_pulls(found.observables["specific_heat"], [e.specific_heat for e in exact])
        log_z = squared_pulls(found.log_partition, [e.log_partition - first for e in exact])
        return max(energy.max(), heat.max(), log_z.max()) < 16

    assert checked(0.0)
    assert not checked(0.005)  # twin
    assert found.log_partition.error.max() < 0.05
