"""Wolff and Swendsen-Wang against sums over all states, Kaufman's energy and known autocorrelation times."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from deeprg.exact import CRITICAL_TEMPERATURE, kaufman
from deeprg.hamiltonians import XY, Ising, Phi4, Potts, RandomBondIsing, gauge
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.samplers._cluster import SwendsenWangSampler, WolffSampler
from deeprg.runs.errors import UsageError

BOTH = pytest.mark.parametrize("sampler", [WolffSampler, SwendsenWangSampler], ids=lambda s: s.name)


def mattis(temperature: float) -> RandomBondIsing:
    """Bonds ±1 of both signs without frustration: J_ij = e_i e_j."""
    lattice = Lattice((2, 4))
    e = np.random.default_rng(3).choice([-1.0, 1.0], lattice.shape)
    bonds = np.stack([e * np.roll(e, -1, axis) for axis in range(2)])
    assert len(np.unique(bonds)) == 2
    return RandomBondIsing(lattice, bonds / temperature, temperature)


def uneven(temperature: float) -> RandomBondIsing:
    """Ferromagnetic bonds of all strengths, some zero."""
    lattice = Lattice((3, 3))
    bonds = np.random.default_rng(4).uniform(0.0, 2.0, (2, *lattice.shape))
    bonds[:, 0, 0] = 0
    return RandomBondIsing(lattice, bonds / temperature, temperature)


# A model at some temperature, that temperature, and one that the test must tell from it.
CASES = {
    "square": (lambda t: Ising(Lattice((3, 3)), t), 2.3, 2.4),
    "double-bonds": (lambda t: Ising(Lattice((2, 4)), t), 2.3, 2.4),
    "antiferromagnet": (lambda t: Ising(Lattice((2, 4)), t, coupling=-1.0), 2.3, 2.4),
    "mattis": (mattis, 2.3, 2.4),
    "uneven": (uneven, 2.3, 2.4),
    "triangular": (lambda t: Ising.triangular(Lattice((3, 3)), t, 1.0), 3.6, 3.75),
    "ring": (lambda t: Ising(Lattice((7,)), t), 1.0, 1.05),
    "potts": (lambda t: Potts(Lattice((2, 3)), t, states=3), 1.0, 1.05),
}


def exact_law(model):
    """The exact probabilities of all configurations, from the energy alone."""
    values = range(model.states) if isinstance(model, Potts) else (-1, 1)
    configurations = np.array(list(itertools.product(values, repeat=model.lattice.size)), float)
    shaped = jnp.asarray(configurations.reshape(-1, *model.lattice.shape))
    energies = np.asarray(jax.vmap(model.energy)(shaped))
    weights = np.exp(energies.min() - energies)
    return weights / weights.sum()


def p_value(sampler, model, law, seed, draws=5000, chains=4):
    """Chi-square over all states of draws that are nearly independent."""
    engine = sampler([model], chains)
    state, _ = engine.thermalise(engine.start(seed=seed, order="mixed"), 30, seed=seed)
    drawn = engine.run(state, draws, 12, seed=seed, block=0).configurations.reshape(draws * chains, -1)
    base, digits = (model.states, drawn) if isinstance(model, Potts) else (2, (drawn + 1) // 2)
    codes = digits.astype(int) @ base ** np.arange(digits.shape[1])[::-1]
    expected = law * len(codes)
    counts = np.bincount(codes, minlength=len(law))
    rare = expected < 5  # one cell together
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    return stats.chisquare(counts, expected).pvalue


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_all_states_have_their_exact_frequency(sampler, case):
    build, temperature, wrong = CASES[case]
    model = build(temperature)
    law, other = exact_law(model), exact_law(build(wrong))
    p_values = [p_value(sampler, model, law, seed) for seed in range(4)]
    assert stats.combine_pvalues(p_values, method="fisher").pvalue > 1e-3
    p_values = [p_value(sampler, model, other, seed) for seed in range(4)]
    assert stats.combine_pvalues(p_values, method="fisher").pvalue < 1e-3


def energies(sampler, size, temperature, draws, thin, chains=2, seed=0):
    """The energy per site and m^2 [chains, draws] of a square Ising model, and what the run says."""
    model = Ising(Lattice((size, size)), temperature)
    engine = sampler([model], chains)
    state, _ = engine.thermalise(engine.start(seed=seed, order="hot"), 200, seed=seed)
    drawn = engine.run(state, draws, thin, seed=seed, block=0)
    spins = drawn.configurations[:, 0]
    bonds = sum((spins * np.roll(spins, 1, axis)).sum((-2, -1), dtype=int) for axis in (-2, -1))
    return -bonds.T / size**2, spins.mean((-2, -1)).T ** 2, drawn.info


@BOTH
@pytest.mark.parametrize("temperature", [2.0, CRITICAL_TEMPERATURE, 2.5])
def test_energy_is_kaufmans(sampler, temperature):
    energy, m2, info = energies(sampler, 16, temperature, draws=6000, thin=2)
    found, m2 = gamma_method(energy), gamma_method(m2)
    assert not found.short
    assert abs(found.mean - kaufman((16, 16), temperature).energy_per_site) < 3.5 * found.error
    assert abs(found.mean - kaufman((16, 16), temperature * 1.01).energy_per_site) > 3.5 * found.error
    # ⟨|C|⟩/N and ⟨m^2⟩ are one number; the fluctuations of both are alike.
    assert abs(info["cluster_size"][0] - m2.mean) < 4 * m2.error
    assert info["updates"][0] == 6000 * 2 * 2
    assert info["seconds"][0] > 0


def test_more_sites_than_sixteen_bits_count():
    energy, _, _ = energies(SwendsenWangSampler, 260, 3.0, draws=400, thin=1, chains=1)
    found = gamma_method(energy)
    assert abs(found.mean - kaufman((260, 260), 3.0).energy_per_site) < 3.5 * found.error
    assert found.error < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "size", "tau_energy", "tau_m2", "cluster"),
    [
        (WolffSampler, 16, (2.61, 0.05), (2.25, 0.05), 0.545),
        (WolffSampler, 32, (3.92, 0.09), (3.05, 0.07), 0.459),
        (SwendsenWangSampler, 16, (3.23, 0.09), (3.08, 0.09), 0.545),
        (SwendsenWangSampler, 32, (4.02, 0.17), (3.71, 0.15), 0.459),
    ],
)
def test_autocorrelation_times_at_the_critical_point(sampler, size, tau_energy, tau_m2, cluster):
    """tau_int in updates of independent C programs, with their errors."""
    energy, m2, info = energies(sampler, size, CRITICAL_TEMPERATURE, draws=100_000, thin=1, chains=2)
    for series, (expected, error) in ((energy, tau_energy), (m2, tau_m2)):
        found = gamma_method(series)
        assert abs(found.tau_int - expected) < 4 * np.hypot(found.tau_int_error, error)
        assert abs(found.tau_int - 1.5 * expected) > 4 * np.hypot(found.tau_int_error, error)
    assert abs(info["cluster_size"][0] - cluster) < 0.005


@BOTH
def test_a_run_is_a_pure_function_of_its_arguments(sampler):
    engine = sampler([Ising(Lattice((6, 6)), 2.3)], 3)
    state = engine.start(seed=1, order="mixed")
    before = state["configurations"].copy()
    first = engine.run(state, 4, 3, seed=1, block=5)
    assert (state["configurations"] == before).all()
    again = engine.run(state, 4, 3, seed=1, block=5)
    assert (first.configurations == again.configurations).all()
    assert (first.state["configurations"] == first.configurations[-1]).all()
    other = engine.run(state, 4, 3, seed=1, block=6)
    assert (first.configurations != other.configurations).any()
    fewer = sampler(engine.hamiltonians, 2)
    alone = fewer.run({"configurations": before[:, :2]}, 4, 3, seed=1, block=5)
    assert (alone.configurations == first.configurations[:, :, :2]).all()


@BOTH
def test_starts_are_ordered_and_disordered(sampler):
    engine = sampler([Ising(Lattice((32, 32)), 2.3)], 4)
    spins = engine.start(seed=0, order="mixed")["configurations"]
    assert spins.shape == (1, 4, 32, 32)
    assert spins.dtype == np.int8
    m = abs(spins.mean((2, 3)))[0]
    assert (m[::2] == 1).all()
    assert (m[1::2] < 0.2).all()
    assert (spins[0, 1] != spins[0, 3]).any()


def test_gauge_satisfies_every_bond():
    bonds = mattis(1.0).bonds()
    e = gauge(bonds)
    assert (e[:, None] * bonds.couplings * e[bonds.neighbours] > 0).all()


def test_certain_and_impossible_bonds():
    """At T -> 0 a cluster is the lattice; without coupling it is one site."""
    cold = WolffSampler([Ising(Lattice((4, 4)), 1e-3)], 1)
    state = cold.start(seed=0, order="cold")
    assert cold.run(state, 50, 1, seed=0, block=0).info["cluster_size"][0] == 1
    free = WolffSampler([Ising(Lattice((4, 4)), 1.0, coupling=0.0)], 1)
    assert free.run(state, 50, 1, seed=0, block=0).info["cluster_size"][0] == 1 / 16


@BOTH
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Ising(Lattice((4, 4)), 2.0, field=0.1), "h = 0.1.*heat-bath"),
        (Ising.triangular(Lattice((6, 6)), 2.0, -1.0), "frustrated.*tempering"),
        (Ising(Lattice((5,)), 2.0, coupling=-1.0), "frustrated"),
        (RandomBondIsing.plus_minus(Lattice((6, 6)), 1.0, seed=0), "frustrated"),
        (Potts(Lattice((4, 4)), 1.0, states=3, coupling=-1.0), "favour different"),
        (XY(Lattice((4, 4)), 1.0), "embedded-"),
        (Phi4(Lattice((4, 4)), -4.0, 5.0), "embedded-"),
    ],
)
def test_refusals_name_the_alternative(sampler, model, reason):
    with pytest.raises(UsageError, match=f"(?s){reason}"):
        sampler([model], 1)


def test_one_temperature_per_call():
    models = [Ising(Lattice((4, 4)), t) for t in (2.0, 2.5)]
    with pytest.raises(UsageError, match="one sampler per temperature"):
        WolffSampler(models, 1)
