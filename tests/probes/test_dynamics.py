"""Courses of chains: autocorrelation times against AR(1) chains of known ones, also anticorrelated."""

import numpy as np
import pytest
from scipy.signal import lfilter

from deeprg.exact import reference
from deeprg.hamiltonians import Ising, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.samplers import build_sampler
from deeprg.probes import ChainCourse, chain_course, dynamics
from deeprg.runs.errors import NumericalError, UsageError


def course(a, shape=(4000, 16), seed=0):
    """AR(1) with correlation a between neighbouring steps: tau_int = (1 + a)/(2 (1 - a))."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[1:] *= np.sqrt(1 - a * a)
    return ChainCourse("ar1", {"m": lfilter([1.0], [1.0, -a], noise, axis=0)}, 0, seconds=0.5)


@pytest.mark.parametrize("a", [0.9, 0.5, 0.0, -0.5])
def test_autocorrelation_times_of_correlated_and_anticorrelated_chains(a):
    exact = 0.5 * (1 + a) / (1 - a)
    found = course(a).estimate("m")
    assert found.tau_int == pytest.approx(exact, rel=0.15)
    assert abs(found.mean) < 4 * found.error
    assert abs(found.tau_int - 1.5 * exact) > 3 * found.tau_int_error  # a wrong time would be seen


def test_of_strongly_anticorrelated_chains_the_time_is_an_upper_bound():
    assert 0.8 < course(-0.9).estimate("m").tau_int / (0.5 * 0.1 / 1.9) < 2


def test_where_no_window_has_a_positive_error_neighbours_are_averaged():
    short = course(-0.97, shape=(120, 8), seed=3)
    values = short.series["m"].T
    with pytest.raises(NumericalError, match="anticorrelated"):
        gamma_method(values)
    found = short.estimate("m")
    assert 0 < found.tau_int < 0.1
    assert found.error == pytest.approx(np.sqrt(2 * found.tau_int * values.var() / values.size))


def test_the_cost_of_an_independent_sample_is_that_of_two_autocorrelation_times():
    row = course(0.9)
    tau = row.estimate("m").tau_int
    assert row.seconds_per_independent_sample("m") == pytest.approx(2 * tau * 0.5 / 16)


@pytest.mark.parametrize("numbers", [1, 1 << 24])
def test_courses_in_blocks_have_the_exact_averages(numbers, monkeypatch):
    """Block by block or at once: 4x4 spins of a dual's HMC against enumeration, with a wrong twin."""
    monkeypatch.setattr(dynamics, "_NUMBERS", numbers)
    target = build_hamiltonian("ising", Lattice((4, 4)), temperature=4.0)
    sampler = build_sampler("hmc", [target], chains=64)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 60, seed=0)
    found = chain_course(sampler, state, 60, seed=0, stationary=0, dual=target)
    assert found.updates == 60
    assert found.gradients == 10
    assert found.divergences == 0
    energy = found.estimate("energy_per_site")
    exact, wrong = (
        reference(build_hamiltonian("ising", Lattice((4, 4)), temperature=t)).observables["energy_per_site"]
        for t in (4.0, 3.5)
    )
    assert abs(energy.mean - exact) < 4 * energy.error
    assert abs(energy.mean - wrong) > 6 * energy.error


def test_too_short_a_course_is_refused():
    sampler = build_sampler("wolff", [Ising(Lattice((4, 4)), temperature=2.0)], chains=2)
    with pytest.raises(UsageError, match="20 or more"):
        chain_course(sampler, sampler.start(seed=0, order="hot"), 10, seed=0)
