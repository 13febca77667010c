"""Thermodynamic averages of chains with exactly known averages and autocorrelation times."""

import json
import math

import jax
import numpy as np
import pytest

from deeprg.hamiltonians import GaussianField
from deeprg.lattice import Lattice
from deeprg.montecarlo import Estimate, gamma_method, thermodynamics
from deeprg.runs.errors import UsageError

T, KEEP = 2.5, 0.75
NAMES = [
    "energy_per_site",
    "abs_magnetization",
    "magnetization_squared",
    "structure_factor_min",
    "specific_heat",
    "susceptibility",
    "binder_cumulant",
    "correlation_length",
]


@pytest.fixture(scope="module")
def rows(ising16):
    """`rows(seeds)`: the results of as many runs of 2 chains of 2500 steps."""
    found = []

    def rows(seeds):
        for seed in range(len(found), seeds):
            series = ising16.series(seed, T, KEEP, (2, 2500))
            found.append(thermodynamics(series, 16, T, (4, 4)))
        return found[:seeds]

    return rows


# The squared pulls of 1500 runs average to 1.02 … 1.09; within 4 standard errors √(2/n) for the fewer.
@pytest.mark.parametrize(
    ("seeds", "tolerance"), [(150, 0.46), pytest.param(1500, 0.15, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", NAMES)
def test_values_errors_and_autocorrelation_times(
    ising16, tau_of, assert_unit_variance, rows, name, seeds, tolerance
):
    exact = ising16.exact(T)[name]
    found = [row[name] for row in rows(seeds)]
    pulls = np.array([(row.value - exact) / row.error for row in found])
    assert_unit_variance(pulls, tolerance)
    assert abs(np.mean(pulls)) < 4 / math.sqrt(seeds) + 0.12  # a function of means has a bias of order 1/n
    assert np.mean([row.tau_int for row in found]) == pytest.approx(tau_of(KEEP), rel=0.02)
    assert not any(row.short for row in found)
    assert {row.n for row in found} == {5000}
    with pytest.raises(AssertionError):  # twin: the error for independent samples
        assert_unit_variance(pulls * math.sqrt(2 * tau_of(KEEP)), tolerance)
    with pytest.raises(AssertionError):  # twin: a truth that is one error off
        assert_unit_variance(pulls + np.sign(np.mean(pulls)), tolerance)


def test_the_names_are_those_that_the_series_allow(ising16):
    series = ising16.series(0, T, 0.0, (2, 500))
    assert set(thermodynamics(series, 16, T, (4, 4))) == set(NAMES)
    assert set(thermodynamics(series, 16, T)) == {*NAMES} - {"correlation_length"}
    energy = {"energy_per_site": series["energy_per_site"]}
    assert set(thermodynamics(energy, 16)) == {"energy_per_site"}
    field = {"action_per_site": np.arange(9.0), "magnetization_squared": np.arange(9.0)}
    assert set(thermodynamics(field, 16)) == {*field, "binder_cumulant"}
    assert thermodynamics({}, 16) == {}


def test_susceptibility_without_temperature(ising16):
    series = ising16.series(1, T, 0.0, (2, 500))
    with_t, without = thermodynamics(series, 16, T), thermodynamics(series, 16)
    assert without["susceptibility"].value == pytest.approx(T * with_t["susceptibility"].value)


def test_a_ground_state_has_no_errors():
    ones = np.ones((2, 100))
    series = {"energy_per_site": -2 * ones, "abs_magnetization": ones, "magnetization_squared": ones}
    rows = thermodynamics(series | {"structure_factor_min": 0 * ones}, 16, 0.1, (4, 4))
    assert rows["energy_per_site"] == Estimate(-2.0, 0.0, tau_int=0.5, tau_int_error=0.0, n=200)
    assert rows["specific_heat"].value == rows["susceptibility"].value == 0
    assert rows["binder_cumulant"].value == pytest.approx(2 / 3)
    assert all(row.error == 0 and row.tau_int == 0.5 for n, row in rows.items() if n != "correlation_length")
    assert math.isnan(rows["correlation_length"].value)
    assert rows["correlation_length"].to_dict()["value"] is None
    json.dumps({name: row.to_dict() for name, row in rows.items()}, allow_nan=False)
    odd = thermodynamics({"energy_per_site": np.full((2, 99), -1.1)}, 16, 0.1)
    assert odd["specific_heat"].value == odd["specific_heat"].error == 0


def test_small_fluctuations_on_a_large_energy_keep_their_digits(ar1):
    x = ar1(1, 0.0, (2, 1000))
    found = thermodynamics({"energy_per_site": 1e6 + 1e-4 * x}, 1, 1.0)["specific_heat"]
    assert found.value == pytest.approx(1e-8 * np.var(x), rel=1e-4)


def test_short_chains_are_flagged(ising16):
    assert all(row.short for row in thermodynamics(ising16.series(2, T, 0.9, (2, 200)), 16, T).values())


def test_chains_of_different_lengths(ising16):
    series = ising16.series(3, T, 0.5, (2, 500))
    ragged = {name: [values[0], values[1, :300]] for name, values in series.items()}
    found = thermodynamics(ragged, 16, T, (4, 4))
    assert found["energy_per_site"].n == 800
    assert found["abs_magnetization"].value == gamma_method(ragged["abs_magnetization"]).mean


def test_extents_that_differ():
    """The longest extent sets the momentum."""
    rng = np.random.default_rng(0)
    series = {"magnetization_squared": 1 + 0.1 * rng.normal(size=500), "structure_factor_min": np.ones(500)}
    series["structure_factor_min"][:250] = 1.5
    ratio = 32 * series["magnetization_squared"].mean() / 1.25 - 1
    expected = math.sqrt(ratio) / (2 * math.sin(math.pi / 8))
    found = thermodynamics(series, 32, 1.0, (4, 8, 1))["correlation_length"].value
    assert found == pytest.approx(expected, rel=1e-12)


def test_refusals():
    with pytest.raises(UsageError, match="temperature"):
        thermodynamics({"energy_per_site": np.arange(9.0)}, 16, 0.0)
    with pytest.raises(UsageError, match="NaN"):
        thermodynamics({"energy_per_site": np.full(9, np.nan)}, 16, 1.0)
    lengths = {"magnetization_squared": np.arange(9.0), "abs_magnetization": np.arange(8.0)}
    with pytest.raises(UsageError, match="same chains"):
        thermodynamics(lengths, 16, 1.0)


def test_correlation_length_of_a_lattice_with_different_extents():
    model = GaussianField(Lattice((12, 4)), mass_squared=0.1)
    fields = jax.vmap(lambda key: model.sample(key=key))(jax.random.split(jax.random.key(0), 20000))
    scalars = jax.vmap(model.scalars)(fields)
    series = {name: np.asarray(values) for name, values in scalars.items()}
    found = thermodynamics(series, 48, None, (12, 4))["correlation_length"]
    exact = 1 / np.sqrt(0.1)  # the lattice propagator has 1/G(k) = m2 + 4 sin^2(k/2) exactly
    assert abs(found.value - exact) < 4 * found.error
    assert found.error < 0.1
