"""Averages within their errors of exact values, and errors that are right."""

import numpy as np
import pytest

from deeprg.exact import kaufman
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo import thermodynamics
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import build_sampler

T_C = 2.269185314213022
# Exact distribution of the magnetization at T_c (transfer matrix), |m|, m^2, U4.
MOMENTS = {
    4: (0.8438604448, 0.7613589086, 0.6171993184),
    8: (0.7773310928, 0.6469115750, 0.6130453849),
}
ENERGY = {4: -1.565623787639, 8: -1.491589107439}


def _series(name, size, temperature, *, chains, draws, thin, seed=0):
    model = Ising(Lattice((size, size)), temperature=temperature)
    sampler = build_sampler(name, [model], chains)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 300, seed=seed)
    fields = sampler.run(state, draws, thin, seed=seed, block=0).configurations[:, 0]
    return {key: values.T for key, values in measure(model, fields).items()}


def _pulls(rows, exact):
    return {key: (rows[key].value - value) / rows[key].error for key, value in exact.items()}


@pytest.mark.parametrize("name", ["wolff", "swendsen-wang", "multispin", "heat-bath"])
@pytest.mark.parametrize("size", [4, 8])
def test_moments_at_the_critical_point(name, size):
    thin = 1 if name in ("wolff", "swendsen-wang") else size
    series = _series(name, size, T_C, chains=64, draws=500, thin=thin)
    rows = thermodynamics(series, size**2, T_C, (size, size))
    names = ("abs_magnetization", "magnetization_squared", "binder_cumulant")
    exact = {**dict(zip(names, MOMENTS[size], strict=True)), "energy_per_site": ENERGY[size]}
    pulls = _pulls(rows, exact)
    assert max(map(abs, pulls.values())) < 3.3, pulls
    wrong = _pulls(rows, {"binder_cumulant": exact["binder_cumulant"] * 1.01, "energy_per_site": -1.53})
    assert max(map(abs, wrong.values())) > 5


def _pulls_of_chains(name, thin, chains):
    """Pulls of chains by their own errors, [chains, observables], and naive ones of the energy."""
    size = 4
    series = _series(name, size, T_C, chains=chains, draws=3000, thin=thin, seed=5)
    exact = dict(zip(("abs_magnetization", "binder_cumulant"), (MOMENTS[4][0], MOMENTS[4][2]), strict=True))
    exact |= {"energy_per_site": ENERGY[4], "specific_heat": kaufman((4, 4), T_C).specific_heat}
    pulls = []
    for chain in range(chains):
        one = {key: values[chain] for key, values in series.items()}
        pulls.append(list(_pulls(thermodynamics(one, size**2, T_C, (size, size)), exact).values()))
    energy = series["energy_per_site"]
    naive = (energy.mean(axis=1) - ENERGY[4]) / (energy.std(axis=1) / np.sqrt(energy.shape[1]))
    return np.array(pulls), naive


@pytest.mark.parametrize(
    ("name", "thin"),
    [
        ("wolff", 1),
        pytest.param("swendsen-wang", 1, marks=pytest.mark.slow),
        pytest.param("metropolis", 1, marks=pytest.mark.slow),
    ],
)
def test_errors_are_right(name, thin):
    # 400 chains of about 1000 tau_int: the variance of the pulls is known to 0.07, 0.15 is two of these. In
    # shorter chains it exceeds 1 by some per cent, since the error has an error and the data are skewed.
    pulls, naive = _pulls_of_chains(name, thin, chains=400)
    variances = np.mean(pulls**2, axis=0)
    assert np.all(np.abs(variances - 1) < 0.15), variances
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.15), np.mean(pulls, axis=0)
    assert np.mean(naive**2) > 1.3  # errors that take the draws as independent are found out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wolff", "swendsen-wang"])
@pytest.mark.parametrize("size", [16, 32])
def test_kaufman_over_the_transition(name, size):
    worst = []
    for temperature in (1.5, 1.8, 2.0, 2.1, 2.2, T_C, 2.3, 2.4, 2.6, 3.0, 3.5):
        series = _series(name, size, temperature, chains=16, draws=1000, thin=4)
        rows = thermodynamics(series, size**2, temperature, (size, size))
        known = kaufman((size, size), temperature)
        exact = {"energy_per_site": known.energy_per_site, "specific_heat": known.specific_heat}
        worst.append(list(_pulls(rows, exact).values()))
        shifted = kaufman((size, size), 1.02 * temperature).energy_per_site
        assert abs(rows["energy_per_site"].value - shifted) > 5 * rows["energy_per_site"].error
    assert np.abs(worst).max() < 3.3, worst
    assert np.mean(np.square(worst)) < 1.7
