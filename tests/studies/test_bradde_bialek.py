"""The study of coarse-grained data: measurements of known answers, judges on wrong numbers, a small run."""

import numpy as np
import pytest

from deeprg.lattice import Lattice
from deeprg.probes import ClusterCourse, ClusterScaling, Exponent, ModeFlow, cluster_course
from deeprg.runs.errors import UsageError
from deeprg.studies import STUDIES
from deeprg.studies._bb_claims import (
    ALPHA,
    MU,
    judge_driven,
    judge_hot,
    judge_independent,
    judge_pairs,
    judge_silence,
    judge_spectrum,
    judge_to_gaussian,
    judge_to_other,
    judge_variance,
    judge_waves,
    judge_without,
)
from deeprg.studies._bb_data import driven_units, gaussian_like, shuffled
from deeprg.studies._bb_find import BLOCKS, CRITICAL, HOT, SHUFFLED
from deeprg.studies._bb_measure import (
    Shells,
    blocks_in_order,
    cluster_places,
    momentum_shells,
)

STUDY = STUDIES["bradde-bialek"]


def test_plane_waves_fill_their_shells_in_any_basis():
    lattice = Lattice((8, 8))
    k = 2 * np.pi * np.arange(8) / 8
    squared = np.add.outer(2 - 2 * np.cos(k), 2 - 2 * np.cos(k)).reshape(-1)
    waves = np.fft.ifft2(np.eye(64).reshape(64, 8, 8), norm="ortho").reshape(64, 64)
    order = np.argsort(squared, kind="stable")
    # Eigenvectors of a covariance that is a function of the momentum: degenerate waves come mixed.
    spectrum = 1 / (0.1 + squared)
    covariance = np.real(waves.conj().T @ np.diag(spectrum) @ waves)
    vectors = np.linalg.eigh(covariance)[1]
    shells = momentum_shells(vectors[:, ::-1].T, lattice)
    np.testing.assert_allclose(shells.overlap, 1, atol=1e-9)
    np.testing.assert_allclose(shells.momentum, squared[order], atol=1e-6)
    assert shells.count[:4].tolist() == [1, 5, 9, 13]
    # Twin: short waves first.
    assert momentum_shells(vectors.T, lattice).overlap[:4].max() < 1e-9
    # Random directions share count/units.
    random = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0]
    found = momentum_shells(random, lattice)
    np.testing.assert_allclose(found.overlap, found.count / 64, atol=0.12)


def test_squares_and_scattered_clusters_have_their_widths():
    lattice = Lattice((16, 16))
    share, spread = cluster_places(blocks_in_order(lattice, 64), lattice)
    assert share == 1.0
    # In a square of side l each coordinate has the variance (l^2 - 1)/12; pairs leave out a site with itself.
    for side in (2, 4):
        size = side**2
        assert spread[size] == pytest.approx(np.sqrt(4 * (size - 1) / 12 * size / (size - 1)))
    mixed = np.random.default_rng(0).permutation(256).reshape(4, 64)
    share, spread = cluster_places(mixed, lattice)
    # Of all other sites: sum of (n^2) over a torus of extent L, (L^2 + 2)/12 per axis and site.
    assert spread[64] == pytest.approx(np.sqrt(2 * (16**2 + 2) / 12), rel=0.03)
    assert share < 0.1


def test_a_course_is_what_correlations_say():
    """Pairs with correlation c: Var = 1, 2 (1 + c), 4 (1 + c), and slopes 1 + log2(1 + c), 1."""
    rng, c = np.random.default_rng(1), 0.5
    shared = np.repeat(rng.normal(size=(20_000, 8)), 2, axis=1)
    x = np.sqrt(c) * shared + np.sqrt(1 - c) * rng.normal(size=(20_000, 16))
    course = cluster_course(x, np.arange(16).reshape(4, 4))
    truth = np.array([1 + np.log2(1 + c), 1.0])
    assert np.all(np.abs(course.slopes[0] - truth) < 4 * course.slopes[1])
    assert np.all(course.slopes[1] < 0.01)
    np.testing.assert_allclose(course.variance[0], [1, 3, 6], rtol=0.03)
    # Twin: clusters that tear pairs apart.
    torn = cluster_course(x, np.arange(16).reshape(4, 4).T)
    assert abs(torn.slopes[0, 0] - truth[0]) > 20 * torn.slopes[1, 0]


def test_silence_of_independent_units():
    spikes = (np.random.default_rng(2).random((20_000, 32)) < 0.1).astype(float)
    course = cluster_course(spikes, np.arange(32).reshape(4, 8))
    np.testing.assert_allclose(course.silence, 0.9**course.size, rtol=0.03)
    assert abs(course.beta[0] - 1) < 4 * course.beta[1]
    assert course.beta[1] < 0.01


def test_controls_keep_what_they_should():
    rng = np.random.default_rng(3)
    x = np.repeat(rng.choice([-1.0, 1.0], size=(20_000, 3)), 2, axis=1)
    y = gaussian_like(x, rng)
    np.testing.assert_allclose(np.cov(y, rowvar=False), np.cov(x, rowvar=False), atol=0.06)
    assert abs((y**4).mean() / (y**2).mean() ** 2 - 3) < 0.1
    z = shuffled(x, rng)
    np.testing.assert_array_equal(np.sort(z, axis=0), np.sort(x, axis=0))
    assert abs(np.corrcoef(z, rowvar=False)[0, 1]) < 0.03


def test_driven_units_are_independent_given_their_fields():
    """With fields that never change all units are independent; with fast ones samples are."""
    rng = np.random.default_rng(4)
    still = driven_units(4000, 2, 1, 1e12, rng)
    assert abs(np.cov(still, rowvar=False)[0, 1]) < 0.02
    slow = driven_units(20_000, 1, 1, 20.0, rng)[:, 0]
    fast = driven_units(20_000, 1, 1, 1e-3, rng)[:, 0]
    lag = [np.corrcoef(x[1:], x[:-1])[0, 1] for x in (slow, fast)]
    assert lag[0] > 0.2 > 0.03 > abs(lag[1])


def flow(*cumulants, error=0.01):
    kept = 2 ** np.arange(len(cumulants))[::-1]
    return ModeFlow(kept, np.ones(len(kept)), np.array(cumulants), np.full(len(kept), error))


def course(alpha, slopes, silent=(1.0, 1.0), beta=1.0):
    def pair(values):
        return np.stack([np.asarray(values, float), np.full(np.shape(values), 0.001)])

    size = 2 ** np.arange(len(slopes) + 1)
    ones = np.ones(len(size))
    return ClusterCourse(size, ones, ones, pair(slopes), pair(silent), pair(alpha), pair(beta))


def scaling(alpha, mu):
    size, spectrum = np.array([1, 2, 4]), np.array([4.0, 2.0, 1.0, 0.5])
    one, other, none = Exponent(alpha, 0.001, 1.0), Exponent(mu, 0.003, 0.0), np.zeros((2, 2))
    return ClusterScaling(size, size, size, spectrum, one, None, other, np.zeros((1, 4)), none, none)


def test_cuts_are_judged():
    count = np.array([1, 5, 9])
    waves, noise = (Shells(count, np.array(o), np.arange(64.0)) for o in ([1, 0.99, 0.5], [0, 0.1, 0.9]))
    assert judge_waves(waves, noise).holds
    assert not judge_waves(noise, noise).holds
    assert not judge_waves(waves, waves).holds
    vanishing = flow(-2.0, -0.5, -0.1, 0.01, 0.0, -0.05)
    staying = flow(-2.0, -1.6, -1.7, -1.8)
    assert judge_to_gaussian(vanishing, 3.5).holds
    assert not judge_to_gaussian(staying, 3.5).holds
    assert judge_to_other(staying).holds
    assert not judge_to_other(vanishing).holds
    assert judge_without(flow(0.01, 0.0, -0.02, 0.01, 0.0), flow(-2.0, 0.1, 0.01, 0.0, 0.0)).holds
    assert not judge_without(flow(0.1, 0.1, 0.1, 0.1), vanishing).holds
    assert not judge_without(flow(0.0, 0.0, 0.0, 0.0), staying).holds


def test_pairs_are_judged():
    near = {CRITICAL: 0.91, HOT: 0.91, SHUFFLED: 0.01}
    spread = {CRITICAL: {2: 9.0, 16: 4.0}, BLOCKS: {2: 1.0, 16: 2.3}, SHUFFLED: {2: 13.0, 16: 13.0}}
    assert judge_pairs(near, spread).holds
    assert not judge_pairs(near | {CRITICAL: 0.5}, spread).holds
    assert not judge_pairs(near, spread | {CRITICAL: {2: 1.0, 16: 13.0}}).holds


def test_exponents_are_judged():
    good = course(ALPHA, (1.8, 1.9))
    assert judge_variance(good, good).holds
    assert not judge_variance(course(1.5, (1.5, 1.5)), good).holds
    assert judge_spectrum(scaling(1.9, MU - 0.02)).holds
    assert not judge_spectrum(scaling(1.9, 0.5)).holds
    assert judge_independent(course(1.002, (1.0,)), scaling(1.05, 0.1)).holds
    assert not judge_independent(course(1.05, (1.0,)), scaling(1.05, 0.1)).holds
    assert not judge_independent(course(1.0, (1.0,), beta=0.9), scaling(1.05, 0.1)).holds
    assert judge_hot(course(1.2, (1.4, 1.01)), 3.5).holds
    assert not judge_hot(course(1.2, (1.4, 1.13)), 3.5).holds
    assert judge_silence(course(1.5, (1.5,), silent=(0.62, 0.65)), good).holds
    assert not judge_silence(course(1.5, (1.5,), silent=(0.3, 0.7)), good).holds


def test_signs_without_a_critical_point_refute_them():
    signs, staying = course(1.5, (1.5,), beta=0.65), flow(-0.7, 0.5, -0.4, -0.4)
    assert not judge_driven(signs, scaling(1.5, 0.8), staying).holds
    assert judge_driven(course(1.0, (1.0,), beta=0.65), scaling(1.5, 0.8), staying).holds
    assert judge_driven(signs, scaling(1.5, 0.1), staying).holds
    assert judge_driven(signs, scaling(1.5, 0.8), flow(-0.7, 0.5, 0.05, 0.0, 0.0, 0.0)).holds


@pytest.mark.parametrize("assignment", ["size=24", "size=4", "samples=100", "hot=2.3", "fields=0"])
def test_what_is_refused(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        STUDY.resolve(None, [assignment])


@pytest.mark.slow
def test_a_small_study_runs_to_its_verdict():
    result = STUDY.answer(size=16, samples=4000)
    assert len(result.claims) == 11
    assert sum(claim.asserted for claim in result.claims) == 4
    held = {claim.statement: claim.holds for claim in result.claims}
    assert held["At a critical point it does not: the flow ends at another fixed point"]
    assert held["Shuffled units have α = β = 1"]
    driven = next(claim for claim in result.claims if claim.statement.startswith("Exponents between"))
    assert driven.holds is False
    assert {table.name for table in result.tables} == {"exponents", "cumulants", "waves"}
    assert [one.name for one in result.figures] == ["cuts", "clusters", "map"]
    assert set(result.numbers["held_out"]) == {CRITICAL, HOT, SHUFFLED, BLOCKS, "driven units"}
