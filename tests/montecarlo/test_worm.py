"""The worm for dimers: every covering with its weight, known densities, windings, what it refuses."""

import math

import numpy as np
import pytest
from scipy import stats

from deeprg.hamiltonians import Dimers, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers._worm import WormSampler
from deeprg.runs.errors import UsageError

PARALLEL_6 = 0.238466998046
"""Plaquettes with parallel free dimers per plaquette, 6x6 torus (90 176 coverings), by transfer matrix."""


def all_coverings(lattice):
    """Every covering as directions, [coverings, sites]: the first free site gets each possible partner."""
    neighbours, found = lattice.neighbours(), []

    def fill(covering):
        free = np.flatnonzero(covering < 0)
        if free.size == 0:
            found.append(covering.copy())
            return
        for direction, there in enumerate(neighbours[free[0]]):
            if covering[there] < 0:
                covering[[free[0], there]] = direction, direction ^ 1
                fill(covering)
                covering[[free[0], there]] = -1

    fill(np.full(lattice.size, -1, np.int8))
    return np.array(found)


def parallel_plaquettes(coverings):
    """Plaquettes with two parallel dimers, of coverings [..., L0, L1], counted independently of the model."""
    along0, along1 = coverings == 0, coverings == 2
    beside = (along0 & np.roll(along0, -1, -1)).sum(axis=(-2, -1))
    return beside + (along1 & np.roll(along1, -1, -2)).sum(axis=(-2, -1))


def sample(model, chains, draws, thin, *, thermal, seed=0, order="hot"):
    sampler = WormSampler([model], chains)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order=order), thermal, seed=seed)
    return sampler.run(state, draws, thin, seed=seed, block=0).configurations[:, 0]


@pytest.fixture(scope="module")
def coverings():
    found = {shape: all_coverings(Lattice(shape)) for shape in [(4, 4), (2, 4), (4, 6)]}
    assert [len(rows) for rows in found.values()] == [272, 36, 3108]
    return found


def codes(coverings, sites):
    return coverings.reshape(-1, sites).astype(np.int64) @ 4 ** np.arange(sites)


def fisher(coverings, shape, counts, exponent):
    """Fisher's combination over seeds of χ² against the weights exp(-exponent * parallel plaquettes)."""
    weights = np.exp(-exponent * parallel_plaquettes(coverings.reshape(-1, *shape)))
    weights /= weights.sum()
    p_values = [stats.chisquare(row, row.sum() * weights).pvalue for row in counts]
    return stats.combine_pvalues(p_values).pvalue


@pytest.mark.parametrize(
    ("shape", "interaction", "order"),
    [
        ((4, 4), 0.0, "hot"),
        ((4, 4), -1.0, "cold"),
        ((4, 4), 1.0, "cold"),
        ((2, 4), -1.0, "hot"),
        ((2, 4), 0.5, "cold"),
    ],
)
def test_every_covering_has_its_weight(coverings, shape, interaction, order):
    """χ² over all coverings, extents of 2 with their double bonds included; 3 seeds of independent chains."""
    temperature = 2.0
    model = Dimers(Lattice(shape), temperature, interaction)
    sites = model.lattice.size
    known = codes(coverings[shape], sites)
    ranks = np.argsort(known)
    counts = []
    for seed in range(3):
        x = sample(model, 1000, 20, 40, thermal=100, seed=seed, order=order)
        place = ranks[np.searchsorted(known[ranks], codes(x, sites))]
        assert (known[place] == codes(x, sites)).all()
        counts.append(np.bincount(place, minlength=len(known)))
    exponent = interaction / temperature
    assert fisher(coverings[shape], shape, counts, exponent) > 1e-3
    assert fisher(coverings[shape], shape, counts, exponent + 0.05) < 1e-6


def deviation(per_chain, expected):
    """The mean over independent chains minus what is expected, in standard errors."""
    return (per_chain.mean() - expected) / (per_chain.std(ddof=1) / math.sqrt(per_chain.size))


@pytest.mark.parametrize("interaction", [-1.0, 0.7])
def test_energy_agrees_with_enumeration(coverings, interaction):
    shape, temperature = (4, 6), 1.0
    pairs = parallel_plaquettes(coverings[shape].reshape(-1, *shape))

    def exact(v):
        weights = np.exp(-v / temperature * pairs)
        return v * (weights @ pairs) / weights.sum() / 24

    model = Dimers(Lattice(shape), temperature, interaction)
    x = sample(model, 400, 50, 20, thermal=200, seed=1)
    energy = interaction * parallel_plaquettes(x).mean(axis=0) / 24
    assert abs(deviation(energy, exact(interaction))) < 3
    assert abs(deviation(energy, exact(1.1 * interaction))) > 3


def test_free_dimers_have_the_exact_density_of_parallel_pairs():
    x = sample(Dimers(Lattice((6, 6)), 1.0, 0.0), 400, 50, 20, thermal=100, seed=2)
    density = parallel_plaquettes(x).mean(axis=0) / 36
    assert abs(deviation(density, PARALLEL_6)) < 3
    assert abs(deviation(density, 0.25)) > 3  # the infinite lattice


@pytest.mark.slow
def test_free_dimers_approach_the_infinite_lattice():
    """2 |K^-1|^2 x 2 orientations: a plaquette has parallel dimers with probability 1/8 + 1/8 = 1/4.

    Kasteleyn's inverse matrix between neighbours is 1/4; two parallel dimers have probability
    (1/4)^2 + (1/4)^2 = 1/8. The torus has less: by 0.0147, 0.0115, 0.0077 at L = 4, 6, 8 (transfer matrix),
    so by 0.5/L^2 or a little more, 1.5e-4 at L = 64; 3e-4 are allowed for it.
    """
    x = sample(Dimers(Lattice((64, 64)), 1.0, 0.0), 16, 60, 256, thermal=4000, seed=3)
    density = parallel_plaquettes(x).mean(axis=0) / 64**2
    error = density.std(ddof=1) / 4
    assert error < 1e-3
    assert abs(density.mean() - 0.25) < 3 * error + 3e-4
    assert abs(density.mean() - 0.24) > 3 * error + 3e-4


def test_all_windings_are_reached_in_the_right_proportion(coverings):
    """W_a counts dimers across a cut with the sign of their first site's sublattice; v = 0, 4x4."""

    def windings(x):
        parity = (-1) ** np.indices((4, 4)).sum(axis=0)
        return tuple(((x == 2 * a) * parity).sum(axis=(-2, -1)) // 4 for a in (0, 1))

    def sectors(x):
        found, counts = np.unique(np.stack(windings(x), axis=-1).reshape(-1, 2), axis=0, return_counts=True)
        return found, counts

    exact, weights = sectors(coverings[4, 4].reshape(-1, 4, 4))
    x = sample(Dimers(Lattice((4, 4)), 1.0, 0.0), 1000, 20, 20, thermal=100, seed=4)
    found, counts = sectors(x)
    np.testing.assert_array_equal(found, exact)
    assert len(exact) > 4
    assert stats.chisquare(counts, counts.sum() * weights / weights.sum()).pvalue > 1e-3


def test_strong_interaction_orders_in_columns():
    model = Dimers(Lattice((8, 8)), 0.1, -1.0)
    x = sample(model, 4, 1, 1, thermal=500, order="cold")
    assert (parallel_plaquettes(x) == 32).all()


def test_a_run_is_a_function_of_its_arguments():
    sampler = WormSampler([Dimers(Lattice((4, 6)), 1.0, -1.0)], chains=3)
    start = sampler.start(seed=3, order="mixed")
    kept = start["configurations"].copy()
    first = sampler.run(start, 4, 5, seed=3, block=0)
    again = sampler.run(start, 4, 5, seed=3, block=0)
    other = sampler.run(start, 4, 5, seed=3, block=1)
    assert first.configurations.shape == (4, 1, 3, 4, 6)
    assert first.configurations.dtype == np.int8
    np.testing.assert_array_equal(start["configurations"], kept)
    np.testing.assert_array_equal(first.configurations, again.configurations)
    np.testing.assert_array_equal(first.state["configurations"], first.configurations[-1])
    assert (first.configurations != other.configurations).any()
    assert all(sampler.hamiltonians[0].is_valid(x) for x in first.configurations.reshape(-1, 4, 6))


def test_other_models_are_refused():
    with pytest.raises(UsageError, match="updates dimers, not Ising"):
        WormSampler([Ising(Lattice((4, 4)), 2.0)], 1)
    models = [Dimers(Lattice((4, 4)), t) for t in (1.0, 2.0)]
    with pytest.raises(UsageError, match="one temperature at a time"):
        WormSampler(models, 1)
    with pytest.raises(UsageError, match="chains is 0"):
        WormSampler(models[:1], 0)
