"""Coarse-graining of data: modes and pairs against brute force, exponents known by construction."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain import PrincipalCut, principal_modes
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, GaussianField, Ising
from deeprg.lattice import Lattice
from deeprg.probes import cluster_course, cluster_scaling, mode_flow, pair_units
from deeprg.runs.errors import UsageError


def free_field(n):
    field = GaussianField(Lattice((4, 4)), mass_squared=0.5)
    return field, np.asarray(
        jax.vmap(lambda k: field.sample(key=k))(jax.random.split(jax.random.key(0), n))
    ).reshape(n, 16)


def test_modes_of_a_free_field_are_its_plane_waves():
    field, x = free_field(40_000)
    _, variances, modes = principal_modes(x)
    exact = np.sort(1 / np.asarray(field.spectrum).reshape(-1))[::-1]
    np.testing.assert_allclose(variances, exact, rtol=0.05)
    np.testing.assert_allclose(np.abs(modes[0]), 0.25, atol=0.01)  # k = 0
    np.testing.assert_allclose(modes @ modes.T, np.eye(16), atol=1e-10)


def test_a_cut_is_the_projection_that_leaves_least():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12)) + 3
    lattice = Lattice((3, 4))
    cut = PrincipalCut.fitted(lattice, x.reshape(-1, 3, 4), kept=5)
    centred = x - x.mean(axis=0)
    u, s, v = np.linalg.svd(centred, full_matrices=False)
    best = (u[:, :5] * s[:5]) @ v[:5] + x.mean(axis=0)
    got = jax.vmap(lambda y: cut.coarsen(y, key=jax.random.key(0)))(jnp.asarray(x.reshape(-1, 3, 4)))
    np.testing.assert_allclose(np.asarray(got).reshape(-1, 12), best, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(cut.mean(got[0]), got[0], rtol=1e-5)  # twice is once


def test_a_free_field_has_no_fourth_cumulant_at_any_cut():
    flow = mode_flow(free_field(40_000)[1])
    assert np.all(np.abs(flow.cumulant) < 4 * flow.error)
    assert np.all(flow.error < 0.06)
    assert flow.share[0] == pytest.approx(1)
    assert np.all(np.diff(flow.share) < 0)


def test_independent_units_become_gaussian_and_the_ordering_ising_model_does_not():
    """Down to one mode: m at T_c has two peaks; m of a hot lattice is a sum of independent spins."""
    found = {}
    for temperature in (CRITICAL_TEMPERATURE, 20.0):
        law = enumerate_distribution(Ising(Lattice((4, 4)), temperature=temperature))
        drawn = np.random.default_rng(0).choice(len(law.states), 40_000, p=law.probabilities)
        found[temperature] = mode_flow(law.states[drawn].reshape(-1, 16), kept=[16, 4, 1])
        m = law.states.reshape(-1, 16).sum(axis=1, dtype=float)
        m2, m4 = law.expectation(m**2), law.expectation(m**4)
        if temperature == CRITICAL_TEMPERATURE:
            one = found[temperature]
            assert abs(one.cumulant[-1] - (m4 / m2**2 - 3)) < 4 * one.error[-1] + 0.01
            assert one.cumulant[-1] < -1.5
    assert found[20.0].cumulant[0] == pytest.approx(-2, abs=0.01)  # single spins
    assert abs(found[20.0].cumulant[-1]) < 0.3


def test_pairs_are_the_greedy_ones():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 7)) @ rng.normal(size=(7, 7))
    correlation, left, expected = np.corrcoef(x, rowvar=False), set(range(7)), []
    while len(left) > 1:
        pair = max(itertools.combinations(sorted(left), 2), key=lambda p: correlation[p])
        expected.append(list(pair))
        left -= set(pair)
    assert pair_units(x).tolist() == expected


def tree(alpha, levels, n, seed):
    """Gaussian units on a tree whose clusters of K units have variance K^alpha exactly, in a random order."""
    rng = np.random.default_rng(seed)
    shared = [1.0] + [
        (2 ** (alpha - 1) - 1) * 2 ** ((level - 1) * (alpha - 2)) for level in range(1, levels + 1)
    ]
    x = np.zeros((n, 2**levels))
    for level in range(levels + 1):
        after = shared[level + 1] if level < levels else 0.0
        amplitude = np.sqrt(shared[level] - after)
        x += amplitude * np.repeat(rng.normal(size=(n, 2 ** (levels - level))), 2**level, axis=1)
    return x[:, rng.permutation(2**levels)]


@pytest.mark.parametrize("alpha", [1.3, 1.5, 1.8])
def test_the_exponent_of_a_tree(alpha):
    x = tree(alpha, 6, 4000, 0)
    found = cluster_scaling(x)
    np.testing.assert_allclose(found.variance, found.size**alpha, rtol=0.1)
    assert abs(found.alpha.value - alpha) < 4 * found.alpha.error + 0.005
    assert found.alpha.error < 0.03
    assert found.beta is None  # real numbers are never 0
    assert found.mu.value > 0.2
    shuffled = np.stack(
        [np.random.default_rng(k).permutation(column) for k, column in enumerate(x.T)], axis=1
    )
    control = cluster_scaling(shuffled)
    assert abs(control.alpha.value - 1) < 0.05
    assert control.mu.value < 0.15
    assert abs(control.alpha.value - alpha) > 5 * control.alpha.error  # twin


def test_independent_and_equal_units():
    rng = np.random.default_rng(0)
    spikes = (rng.random((4000, 64)) < 0.1).astype(float)
    found = cluster_scaling(spikes)
    assert abs(found.alpha.value - 1) < 0.05
    assert abs(found.beta.value - 1) < 0.02
    np.testing.assert_allclose(found.silence, 0.9**found.size, rtol=0.1)
    same = cluster_scaling(np.repeat(spikes[:, :1], 16, axis=1) + 0.0)
    assert same.alpha.value == pytest.approx(2)
    assert same.beta.value == pytest.approx(0, abs=1e-9)
    assert sorted(found.clusters.reshape(-1).tolist()) == list(range(64))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_independent_units_need_samples_that_did_not_choose_them(seed):
    spikes = (np.random.default_rng(seed).random((4000, 128)) < 0.1).astype(float)
    found = cluster_scaling(spikes)
    assert abs(found.alpha.value - 1) < 4 * found.alpha.error
    assert abs(found.beta.value - 1) < 4 * found.beta.error
    assert found.alpha.error < 0.01
    assert found.beta.error < 0.01
    biased = cluster_scaling(spikes, held_out=0.0)  # twin
    assert biased.alpha.value - 1 > 4 * biased.alpha.error
    assert 1 - biased.beta.value > 4 * biased.beta.error


def test_the_first_samples_choose_and_the_last_judge():
    """Units that are paired in the first samples, and paired otherwise in the last."""
    rng = np.random.default_rng(5)
    first = np.repeat(rng.normal(size=(600, 4)), 2, axis=1)
    last = rng.normal(size=(200, 8))
    found = cluster_scaling(np.concatenate([first, last]), steps=1, held_out=0.25)
    assert sorted(found.clusters.tolist()) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    np.testing.assert_allclose(found.variance[0], last.var(axis=0).mean())
    np.testing.assert_allclose(found.variance[1], last.reshape(200, 4, 2).sum(axis=2).var(axis=0).mean())
    assert found.slopes[0, 0] == pytest.approx(found.alpha.value)  # two sizes have one slope
    same = np.mean([np.linalg.eigvalsh(np.cov(last[:, k : k + 2].T))[::-1] for k in range(0, 8, 2)], axis=0)
    np.testing.assert_allclose(found.spectrum, same)


def test_beta_is_of_the_sizes_that_are_silent_often_enough():
    """P(silent) = 0.2^K: of 20 x 64 clusters of 8 none is, and of clusters of 4 0.2 % are."""
    spikes = (np.random.default_rng(0).random((8000, 64)) < 0.8).astype(float)
    found = cluster_scaling(spikes)
    assert found.silence[-1] == 0
    assert abs(found.beta.value - 1) < 4 * found.beta.error
    assert found.beta.error < 0.02
    assert found.silent_slopes.shape == (2, 2)  # from 1 to 2 and to 4
    assert found.slopes.shape == (2, 4)
    assert cluster_scaling(1 + spikes).beta is None
    assert np.isnan(cluster_course(1 + spikes, np.arange(64).reshape(16, 4)).beta).all()


def test_units_of_either_sign_are_silent_where_all_of_them_are_0():
    """A sum of +1 and -1 is 0, but nobody is silent: P = 0.5^K for units that are 0 half of the time."""
    x = np.random.default_rng(0).choice([-1.0, 0.0, 0.0, 1.0], size=(8000, 16))
    course = cluster_course(x, np.arange(16).reshape(4, 4))
    np.testing.assert_allclose(course.silence, 0.5 ** course.size.astype(float), rtol=0.05)
    assert abs(course.beta[0] - 1) < 4 * course.beta[1]


def test_a_large_mean_costs_no_digits():
    x = np.random.default_rng(0).normal(size=(1000, 16))
    clusters = np.arange(16).reshape(2, 8)
    np.testing.assert_allclose(
        cluster_course(x + 1e6, clusters).variance, cluster_course(x, clusters).variance, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: principal_modes(np.ones(5)), "table"),
        (lambda: principal_modes(np.full((5, 2), np.nan)), "NaN"),
        (lambda: PrincipalCut(Lattice((4,)), np.zeros(4), np.zeros((0, 4))), "one mode at least"),
        (lambda: PrincipalCut.fitted(Lattice((4,)), np.ones((9, 4)), 5), "From 1 to 4"),
        (lambda: mode_flow(np.ones((100, 4))), "200 rows"),
        (lambda: mode_flow(np.ones((300, 4))), "does not vary"),
        (lambda: mode_flow(np.random.default_rng(0).normal(size=(300, 4)), kept=[5]), "between 1 and the 4"),
        (lambda: mode_flow(np.random.default_rng(0).normal(size=(300, 4)), held_out=0.0), "between 0 and 1"),
        (lambda: pair_units(np.ones((5, 1))), "two units"),
        (lambda: cluster_scaling(np.ones((100, 8))), "200 rows"),
        (lambda: cluster_scaling(np.full((300, 8), np.nan)), "NaN"),
        (lambda: cluster_scaling(np.ones((300, 8)), steps=4), "from 1 to 3 times"),
        (lambda: cluster_scaling(np.ones((300, 8)), held_out=1.0), "from 0 to below 1"),
        (lambda: cluster_scaling(np.ones((300, 8)), held_out=0.1), "270 samples that choose and 30 that"),
        (lambda: cluster_scaling(np.ones((300, 1024))), "too few for clusters of 256"),
        (lambda: cluster_scaling(np.ones((300, 8))), "of 1 units do not vary"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
