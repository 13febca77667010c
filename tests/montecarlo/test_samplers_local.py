"""Metropolis, heat bath, tempering, HMC and NUTS sample what enumeration and closed forms say."""

import numpy as np
import pytest
import scipy.stats

from deeprg.exact import enumerate_distribution, free_field, kaufman, xy_ring
from deeprg.hamiltonians import (
    XY,
    Dimers,
    GaussianField,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
)
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import build_sampler
from deeprg.montecarlo.samplers._colouring import colour_classes
from deeprg.runs.errors import UsageError

SQUARE = Lattice((4, 2))
DISCRETE = {
    "ising": Ising(SQUARE, temperature=2.5),
    "field": Ising(SQUARE, temperature=2.0, field=0.2),
    "odd": Ising(Lattice((3, 3)), temperature=3.0),
    "triangular": Ising.triangular(Lattice((3, 3)), temperature=3.5),
    "chain": Ising(Lattice((7,)), temperature=1.5),
    "random": RandomBondIsing.plus_minus(Lattice((3, 3)), temperature=1.5, antiferro=0.5, seed=3),
    "gaussian bonds": RandomBondIsing.gaussian(Lattice((4, 2)), temperature=1.5, seed=1),
    "potts": Potts(Lattice((2, 3)), temperature=1.2, states=3),
}


def _p_value(name, model, target, *, seeds=(0, 1, 2), chains=2000, sampler_models=None):
    """Fisher-combined p-values of chi-squared over all states; chains are independent of each other."""
    exact = enumerate_distribution(target)
    base = int(exact.states.max()) - int(exact.states.min()) + 1
    weights = base ** np.arange(target.lattice.size)

    def code(x):
        return (x.reshape(len(x), -1).astype(np.int64) - int(exact.states.min())) // _gap(exact) @ weights

    order = np.argsort(code(exact.states))
    codes, probabilities = code(exact.states)[order], exact.probabilities[order]
    models = sampler_models or [model]
    values = []
    for seed in seeds:
        sampler = build_sampler(name, models, chains)
        state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 40, seed=seed)
        drawn = sampler.run(state, 2, 30, seed=seed, block=0).configurations[:, models.index(model)]
        seen = np.searchsorted(codes, code(drawn.reshape(-1, *target.lattice.shape)))
        counts = np.bincount(seen, minlength=len(codes))
        values.append(_chi_squared(counts, probabilities))
    return scipy.stats.combine_pvalues(values).pvalue


def _gap(exact):
    return 2 if exact.states.min() < 0 else 1


def _chi_squared(counts, probabilities, least=8.0):
    """Rare states are pooled so that each cell expects at least `least`."""
    expected = counts.sum() * probabilities
    order = np.argsort(expected)
    group = np.floor(np.cumsum(expected[order]) / least)
    _, cell = np.unique(group, return_inverse=True)
    e = np.bincount(cell, expected[order])
    o = np.bincount(cell, counts[order])
    if e[-1] < least and len(e) > 1:
        e, o = np.append(e[:-2], e[-2:].sum()), np.append(o[:-2], o[-2:].sum())
    return scipy.stats.chisquare(o, e).pvalue


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
@pytest.mark.parametrize("name", DISCRETE)
def test_distribution_over_all_states(name, algorithm):
    model = DISCRETE[name]
    assert _p_value(algorithm, model, model) > 1e-3


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
def test_the_test_of_the_distribution_can_fail(algorithm):
    sampled, claimed = Ising(SQUARE, temperature=2.5), Ising(SQUARE, temperature=2.3)
    assert _p_value(algorithm, sampled, claimed) < 1e-6


def test_tempering_keeps_the_distribution_at_every_temperature():
    models = [
        RandomBondIsing.plus_minus(Lattice((3, 3)), temperature=t, antiferro=0.5, seed=3)
        for t in (1.0, 1.5, 2.2)
    ]
    for model in models:
        assert _p_value("tempering", model, model, sampler_models=models) > 1e-3
    wrong = RandomBondIsing.plus_minus(Lattice((3, 3)), temperature=1.4, antiferro=0.5, seed=3)
    assert _p_value("tempering", models[1], wrong, sampler_models=models) < 1e-6


def test_tempering_of_planar_spins():
    ring, temperatures = 6, (0.6, 0.9)
    models = [XY(Lattice((ring,)), temperature=t) for t in temperatures]
    sampler = build_sampler("tempering", models, 128)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 200, seed=0)
    fields = sampler.run(state, 40, 10, seed=0, block=0).configurations
    for index, model in enumerate(models):
        found = gamma_method(measure(model, fields[:, index])["energy_per_site"].T)
        assert abs(found.mean - xy_ring(ring, model.temperature).energy_per_site) < 3.5 * found.error


def test_tempering_moves_walkers_through_all_temperatures():
    models = [Ising(Lattice((4, 4)), temperature=t) for t in (1.5, 2.0, 2.5, 3.0)]
    sampler = build_sampler("tempering", models, 8)
    drawn = sampler.run(sampler.start(seed=0, order="cold"), 1, 200, seed=0, block=0)
    walkers = drawn.state["walker"]
    assert (np.sort(walkers, axis=0) == np.arange(4)[:, None]).all()
    assert not (walkers == np.arange(4)[:, None]).all()
    assert (drawn.info["swap_acceptance"][:-1] > 0.1).all()
    assert np.isnan(drawn.info["swap_acceptance"][-1])


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
def test_energy_of_kaufman(algorithm):
    temperatures = (2.0, 2.5, 3.5)
    models = [Ising(Lattice((16, 16)), temperature=t) for t in temperatures]
    sampler = build_sampler(algorithm, models, 32)
    state, _ = sampler.thermalise(sampler.start(seed=1, order="mixed"), 400, seed=1)
    fields = sampler.run(state, 100, 8, seed=1, block=0).configurations
    energies = measure(models[0], fields)["energy_per_site"]
    for t, temperature in enumerate(temperatures):
        found = gamma_method(energies[:, t].T)
        assert abs(found.mean - kaufman((16, 16), temperature).energy_per_site) < 3.5 * found.error
    cold = gamma_method(energies[:, 0].T)
    assert abs(cold.mean - kaufman((16, 16), 2.02).energy_per_site) > 5 * cold.error


@pytest.mark.parametrize("algorithm", ["metropolis", "hmc", "nuts"])
def test_moments_of_the_free_field(algorithm):
    model = GaussianField(Lattice((4, 4)), mass_squared=1.0)
    sampler = build_sampler(algorithm, [model], 64)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 300, seed=0)
    drawn = sampler.run(state, 100, 2 if algorithm == "nuts" else 4, seed=0, block=0)
    series = measure(model, drawn.configurations[:, 0])
    exact = free_field(model)
    for name in ("magnetization_squared", "field_squared"):
        found = gamma_method(series[name].T)
        assert abs(found.mean - getattr(exact, name)) < 3.5 * found.error, name
    found = gamma_method(series["field_squared"].T)
    wrong = free_field(GaussianField(Lattice((4, 4)), mass_squared=1.2))
    assert abs(found.mean - wrong.field_squared) > 5 * found.error


def _single_site_moment(m2, quartic):
    """⟨phi^2⟩ of a 1-site lattice, where the kinetic term vanishes."""
    x = np.linspace(-6, 6, 20001)
    weight = np.exp(-(m2 * x**2 + quartic * x**4))
    return float(np.sum(x**2 * weight) / np.sum(weight))


def _two_site_moment(m2, quartic):
    """⟨phi^2⟩ of two sites with their double bond, by quadrature."""
    x = np.linspace(-4, 4, 801)
    a, b = np.meshgrid(x, x, indexing="ij")
    action = 2 * (a - b) ** 2 + m2 * (a**2 + b**2) + quartic * (a**4 + b**4)
    weight = np.exp(-(action - action.min()))
    return float(np.sum(0.5 * (a**2 + b**2) * weight) / np.sum(weight))


@pytest.mark.parametrize("algorithm", ["metropolis", "hmc", "nuts"])
def test_phi4_against_quadrature(algorithm):
    model = Phi4(Lattice((2,)), mass_squared=-2.0, quartic=1.0)
    sampler = build_sampler(algorithm, [model], 256)
    state, _ = sampler.thermalise(sampler.start(seed=2, order="hot"), 300, seed=2)
    fields = sampler.run(state, 60, 4, seed=2, block=0).configurations[:, 0]
    found = gamma_method(np.mean(fields.astype(float) ** 2, axis=-1).T)
    assert abs(found.mean - _two_site_moment(-2.0, 1.0)) < 3.5 * found.error
    assert abs(found.mean - _two_site_moment(-1.9, 1.0)) > 5 * found.error


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_metropolis_of_a_field_without_self_bonds(shape):
    model = GaussianField(Lattice(shape), mass_squared=0.5)
    sampler = build_sampler("metropolis", [model], 64)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 200, seed=0)
    fields = sampler.run(state, 100, 4, seed=0, block=0).configurations[:, 0]
    found = gamma_method(measure(model, fields)["field_squared"].T)
    assert abs(found.mean - free_field(model).field_squared) < 3.5 * found.error


def test_potts_metropolis_with_many_states():
    model = Potts(Lattice((2,)), temperature=1e9, states=100)
    sampler = build_sampler("metropolis", [model], 500)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 20, seed=0)
    fields = sampler.run(state, 20, 5, seed=0, block=0).configurations
    counts = np.bincount(fields.reshape(-1), minlength=100)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("name", ["metropolis", "hmc"])
def test_temperatures_have_random_numbers_of_their_own(name):
    energies = []
    for temperature in (1.0, 1.001):
        model = XY(Lattice((4, 4)), temperature=temperature)
        sampler = build_sampler(name, [model], 200)
        state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 20, seed=0)
        fields = sampler.run(state, 2, 2, seed=0, block=0).configurations[:, 0]
        energies.append(measure(model, fields)["energy_per_site"].ravel())
    assert abs(np.corrcoef(energies)[0, 1]) < 0.2  # 400 pairs: 4 standard errors


def test_xy_ring_against_bessel_functions():
    ring, temperature = 6, 0.8
    model = XY(Lattice((ring,)), temperature=temperature)
    sampler = build_sampler("metropolis", [model], 256)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="mixed"), 400, seed=0)
    fields = sampler.run(state, 60, 10, seed=0, block=0).configurations[:, 0]
    found = gamma_method(measure(model, fields)["energy_per_site"].T)

    def log_partition(k):
        n = np.arange(-30, 31)
        return np.log(np.sum(scipy.special.ive(n, k) ** ring)) + ring * k

    k, step = 1 / temperature, 1e-5
    exact = -(log_partition(k + step) - log_partition(k - step)) / (2 * step) / ring
    assert abs(found.mean - exact) < 3.5 * found.error
    assert found.error < 0.005


def test_runs_are_pure_functions_of_state_seed_and_block():
    models = [Ising(Lattice((4, 4)), temperature=t) for t in (2.0, 2.5)]
    for name in ("metropolis", "heat-bath", "tempering"):
        sampler = build_sampler(name, models, 4)
        state = sampler.start(seed=0, order="mixed")
        before = {key: value.copy() for key, value in state.items()}
        first = sampler.run(state, 3, 2, seed=0, block=5)
        again = build_sampler(name, models, 4).run(state, 3, 2, seed=0, block=5)
        other = sampler.run(state, 3, 2, seed=0, block=6)
        assert (first.configurations == again.configurations).all()
        assert (first.configurations != other.configurations).any()
        assert (first.state["configurations"] == first.configurations[-1]).all()
        assert all((state[key] == before[key]).all() for key in state)


def test_colours_hold_no_neighbours():
    for model, count in [(DISCRETE["ising"], 2), (DISCRETE["odd"], 4), (DISCRETE["triangular"], 9)]:
        neighbours = model.bonds().neighbours
        classes = colour_classes(neighbours)
        assert np.array_equal(np.sort(np.concatenate(classes)), np.arange(len(neighbours)))
        for sites in classes:
            assert not np.isin(neighbours[sites], sites).any()
        assert len(classes) <= count


@pytest.mark.parametrize(
    ("algorithm", "model", "message"),
    [
        ("metropolis", Dimers(Lattice((4, 4)), temperature=1.0, interaction=-1.0), "worm"),
        ("heat-bath", XY(Lattice((4, 4)), temperature=1.0), "metropolis"),
        ("hmc", DISCRETE["ising"], "discrete"),
        ("tempering", DISCRETE["ising"], "two or more"),
        ("tempering", Phi4(Lattice((4, 4)), mass_squared=-2.0, quartic=1.0), "no temperature"),
        ("wolf", DISCRETE["ising"], "wolff"),
    ],
)
def test_what_an_algorithm_cannot_treat_is_refused(algorithm, model, message):
    with pytest.raises(UsageError, match=message):
        build_sampler(algorithm, [model], 4)
