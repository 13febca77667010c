"""Measured draws and what is estimated from them, on a Gaussian toy with known answers."""

import dataclasses

import jax
import numpy as np
import pytest

from deeprg.coarsegrain.flow import Chain, Draws, Flow, draws
from deeprg.exact import reference
from deeprg.hamiltonians import GaussianField, build_hamiltonian, is_even
from deeprg.lattice import Lattice
from deeprg.probes import (
    ESTIMATORS,
    MeasuredDraws,
    axis_profile,
    collect,
    direct_estimates,
    estimates,
    importance_estimates,
    independence_estimates,
    quality,
    spin_log_partition,
)
from deeprg.probes.estimates import longest_stay
from deeprg.runs.errors import UsageError

TARGET = GaussianField(Lattice((4,)), mass_squared=0.6)


@pytest.fixture(scope="module")
def measured() -> MeasuredDraws:
    """Draws of white noise, a fair model of a massive field."""
    flow = Flow(TARGET.lattice, Chain(), dtype=np.float64)
    return collect(draws(flow, TARGET, 20_000, key=jax.random.key(0), batch=5000), TARGET.lattice.shape)


@pytest.mark.parametrize("method", ["importance", "independence"])
def test_unbiased_methods_meet_the_exact_field(measured, method):
    known = reference(TARGET)
    result = estimates(measured, method, known, key=jax.random.key(1))
    compared = [row for row in result.observables.values() if row.exact is not None]
    assert len(compared) >= 2
    assert all(row.pull is not None and abs(row.pull) < 4 for row in compared)
    assert result.correlation is not None
    assert result.correlation.exact is not None
    assert np.all(abs(result.correlation.value - result.correlation.exact) < 5 * result.correlation.error)


def test_direct_averages_are_flagged_and_wrong(measured):
    """The twin that must fail: without weights the averages are those of the model."""
    result = direct_estimates(measured, reference(TARGET))
    assert result.biased
    assert result.warnings
    pulls = [row.pull for row in result.observables.values() if row.pull is not None]
    assert max(abs(pull) for pull in pulls) > 10


def test_independence_reports_its_chains(measured):
    result = independence_estimates(measured, key=jax.random.key(1))
    assert result.chains == 10
    assert result.steps == 2000
    assert result.acceptance is not None
    assert 0.1 < result.acceptance < 1
    assert result.tau_int is not None
    assert result.tau_int > 0.5
    assert 1 < result.discard < 1000


def test_quality_has_the_promised_keys(measured):
    row = quality(measured, reference(TARGET), key=jax.random.key(2))
    assert row["gap"] == pytest.approx(row["free_energy"] - row["exact_free_energy"])
    assert row["gap_per_site"] == pytest.approx(row["gap"] / 4)
    assert row["ess_samples"] == 20_000
    assert row["ess_trusted"] is False
    assert row["warnings"]
    assert abs(row["log_partition_pull"]) < 4
    assert row["kl_forward"] > 0
    assert set(row["observables"]) == set(measured.scalars)


def test_the_spins_have_their_own_log_partition():
    dual = build_hamiltonian("ising", Lattice((4, 4)))
    known = reference(dual)
    assert known is not None
    row = {"log_partition": 22.0, "log_partition_error": 0.1, "exact_log_partition": known.log_partition}
    spins = spin_log_partition(row, dual)
    assert spins["exact_spin_log_partition"] == pytest.approx(15.521915458755)
    assert spins["spin_log_partition_error"] == 0.1
    assert set(spin_log_partition(row, TARGET).values()) == {None}


def test_quality_without_exact_answers(measured):
    row = quality(measured, None, key=jax.random.key(2))
    assert row["gap"] is row["exact_free_energy"] is row["log_partition_pull"] is None


def test_wrong_log_weights_are_caught_by_the_exact_free_energy(measured):
    broken = dataclasses.replace(measured, log_weights=measured.log_weights + 0.2)
    assert abs(quality(broken, reference(TARGET), key=jax.random.key(2))["log_partition_pull"]) > 5


def test_stuck_chains_give_numbers_not_errors():
    stuck = MeasuredDraws((1,), np.concatenate([[0.0], np.full(499, -1e6)]), {"m": np.arange(500.0)})
    row = quality(stuck, key=jax.random.key(0))
    assert row["acceptance"] == 0.0
    assert row["chain_short"]
    assert row["ess"] == pytest.approx(1 / 500)


def test_arrays_round_trip(measured, tmp_path):
    np.savez(tmp_path / "e.npz", **measured.arrays())
    again = MeasuredDraws.load(tmp_path / "e.npz")
    assert again.shape == measured.shape
    assert again.scalars.keys() == measured.scalars.keys()
    np.testing.assert_array_equal(again.log_weights, measured.log_weights)
    np.testing.assert_array_equal(again.correlation, measured.correlation)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(UsageError, match="does not hold measured draws"):
        MeasuredDraws.load(tmp_path / "e.npz")
    with pytest.raises(UsageError, match="cannot read"):
        MeasuredDraws.load(tmp_path / "missing.npz")


def test_profile_averages_the_longest_axes():
    correlation = np.add.outer(np.arange(4.0), 10 * np.arange(4.0))
    assert axis_profile(correlation, (4, 4)).tolist() == [0.0, 5.5, 11.0]
    assert axis_profile(np.ones((7, 2, 6)), (2, 6)).shape == (7, 4)


def test_nothing_to_measure_is_refused():
    with pytest.raises(UsageError, match="no draws"):
        collect(iter(()), (2, 2))


def test_progress_counts_draws():
    seen: list[int] = []
    collect([Draws(np.zeros(3), {}, None), Draws(np.zeros(2), {}, None)], (2,), on_chunk=seen.append)
    assert seen == [3, 5]


def test_unknown_method_names_the_nearest(measured):
    with pytest.raises(UsageError, match="Did you mean 'importance'"):
        estimates(measured, "importence", key=jax.random.key(0))
    assert set(ESTIMATORS) == {"importance", "independence", "direct"}


def test_longest_stay_counts_the_whole_chain():
    assert longest_stay(np.array([[0, 0, 0, 0]])) == 4
    assert longest_stay(np.array([[0, 1, 2], [0, 0, 2]])) == 2


def test_symmetry_is_recognised():

    assert is_even(build_hamiltonian("ising", Lattice((4, 4))))
    assert not is_even(build_hamiltonian("ising", Lattice((4, 4)), field=0.3))


def test_importance_of_equal_weights_is_the_plain_mean():
    values = np.random.default_rng(0).normal(size=1000)
    row = importance_estimates(MeasuredDraws((1,), np.zeros(1000), {"m": values})).observables["m"]
    assert row.value == pytest.approx(values.mean())
    assert row.error == pytest.approx(values.std(ddof=1) / np.sqrt(1000), rel=1e-3)
