"""Estimators of information against closed forms, exact tables and quadrature; the errors are calibrated."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import entr

from deeprg.montecarlo.information import (
    InformationEstimate,
    differential_entropy,
    discrete_information,
    gaussian_copula_information,
    gaussian_information,
    gaussian_information_from_samples,
    ksg_information,
    marginal_entropies,
    pairwise_information,
    total_correlation_removed,
)
from deeprg.runs.errors import NumericalError, UsageError

REPEATS = 40
NORMAL = 0.5 * math.log(2 * math.pi * math.e)

# Infinite cylinders at T_c: the information between the halves, of one ring the entropy and the information
# between its halves; by transfer matrix, to the digits given.
CYLINDERS = {
    2: (0.23606460, 0.99971920, 0.38657517),
    4: (0.45766773, 1.75190334, 0.42117456),
    8: (0.78049321, 3.26528788, 0.49398021),
}


def correlated(rng, n, dims, nats):
    """Gaussian x and y [n, dims] of that information, in equal parts between the pairs of columns."""
    rho = math.sqrt(1 - math.exp(-2 * nats / dims))
    x, noise = rng.normal(size=(2, n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def calibrated(values, errors, truth, bias=0.0):
    """Pulls of unit spread and zero mean, up to a known bias in units of the error; nearly all below 3."""
    pulls = (np.asarray(values) - truth) / np.asarray(errors)
    centred = abs(pulls.mean()) < bias + 3 * pulls.std() / math.sqrt(pulls.size)
    return centred and 0.6 < pulls.std() < 1.5 and np.mean(np.abs(pulls) < 3) > 0.94


def repeated(estimator, seed, n, dims, nats):
    rng = np.random.default_rng(seed)
    found = [estimator(*correlated(rng, n, dims, nats)) for _ in range(REPEATS)]
    return [one.value for one in found], [one.error for one in found], found


def rings(length):
    """Joint law of two neighbouring rings of the infinite cylinder at T_c, and the spins of its states."""
    spins = np.array(list(itertools.product([-1, 1], repeat=length)))
    k = 0.5 * math.log(1 + math.sqrt(2))
    inside = np.sum(spins * np.roll(spins, 1, axis=1), axis=1)
    transfer = np.exp(k * (spins @ spins.T + 0.5 * (inside[:, None] + inside)))
    largest, vectors = np.linalg.eigh(transfer)
    return np.outer(vectors[:, -1], vectors[:, -1]) * transfer / largest[-1], spins


def table_information(joint):
    """I of a table of probabilities."""
    return entr(joint.sum(0)).sum() + entr(joint.sum(1)).sum() - entr(joint).sum()


def binned_normal(rho, bins):
    """I of the bins of equal probability of two normal variables, by quadrature."""
    edges = stats.norm.ppf(np.arange(bins + 1) / bins)
    x = stats.norm.ppf((np.arange(2000 * bins) + 0.5) / (2000 * bins))
    below = stats.norm.cdf((edges - rho * x[:, None]) / math.sqrt(1 - rho**2))
    return table_information(np.diff(below, axis=1).reshape(bins, -1, bins).sum(axis=1) / x.size)


# Gaussian variables


def test_closed_form_is_that_of_determinants():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T
    part = lambda sites: np.linalg.det(covariance[np.ix_(sites, sites)])
    expected = 0.5 * math.log(part([4, 0]) * part([1, 3]) / part([4, 0, 1, 3]))
    assert gaussian_information(covariance, [4, 0], [1, 3]) == pytest.approx(expected, rel=1e-10)
    scaled = covariance * np.outer(scale := 10.0 ** np.arange(-9, 9, 3), scale)
    assert gaussian_information(scaled, [4, 0], [1, 3]) == pytest.approx(expected, rel=1e-8)
    rho = 0.7
    chain = rho ** np.abs(np.subtract.outer(np.arange(8), np.arange(8)))  # a Markov chain
    cut = gaussian_information(chain, range(4), range(4, 8))
    assert cut == pytest.approx(-0.5 * math.log(1 - rho**2), rel=1e-12)


@pytest.mark.parametrize("estimator", [gaussian_information_from_samples, gaussian_copula_information])
@pytest.mark.parametrize(("dims", "nats"), [(d, i) for d in (1, 10) for i in (0.1, 1.0, 3.0)])
def test_covariance_estimators_are_calibrated(estimator, dims, nats):
    values, errors, found = repeated(estimator, 1, 1000, dims, nats)
    assert calibrated(values, errors, nats, 0.15 if estimator is gaussian_copula_information else 0.0)
    assert not calibrated(values, errors, 1.3 * nats, 0.15)  # twin
    assert not any(one.flags for one in found)


def test_the_wishart_correction_is_the_mean_bias():
    """At n = 40 in 5 + 5 dimensions the plug-in value of independent variables is 0.4 nats too high."""
    rng = np.random.default_rng(2)
    values, plug_in = [], []
    for _ in range(200):
        x, y = rng.normal(size=(2, 40, 5))
        values.append(gaussian_information_from_samples(x, y, blocks=10).value)
        plug_in.append(gaussian_information(np.cov(np.hstack([x, y]).T), range(5), range(5, 10)))
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert np.mean(plug_in) > 15 * error


def test_kurtosis_flags_samples_that_are_not_gaussian():
    x, y = correlated(np.random.default_rng(3), 2000, 1, 1.0)
    found = gaussian_information_from_samples(np.sign(x) * x**2, y)
    assert len(found.flags) == 1
    assert "kurtosis" in found.flags[0]


def test_ranks_see_no_monotone_maps():
    x, y = correlated(np.random.default_rng(4), 2000, 2, 1.0)
    maps = np.stack([np.exp(x[:, 0]), -(x[:, 1] ** 3)], axis=1), np.arctan(y)
    for estimator in (gaussian_copula_information, ksg_information):
        plain, mapped = estimator(x, y), estimator(*maps)
        assert mapped.value == pytest.approx(plain.value, abs=1e-10)
        assert mapped.error == pytest.approx(plain.error, abs=1e-10)
    # Twins: what is not built on ranks changes.
    for estimator in (gaussian_information_from_samples, lambda *a: ksg_information(*a, scale="deviations")):
        assert abs(estimator(*maps).value - estimator(x, y).value) > 1e-3


def test_gaussian_copula_misses_what_has_no_correlation():
    rng = np.random.default_rng(5)
    x = rng.normal(size=2000)
    y = np.abs(x) + 0.1 * rng.normal(size=2000)
    blind = gaussian_copula_information(x, y)
    assert abs(blind.value) < 4 * blind.error + 2e-3
    assert ksg_information(x, y).value > 1


# Nearest neighbours


@pytest.mark.parametrize(("nats", "bias"), [(0.0, 0.0), (0.1, 0.5), (1.0, 0.5), (2.0, 0.9)])
def test_ksg_is_calibrated_in_two_dimensions(nats, bias):
    values, errors, found = repeated(ksg_information, 6, 1000, 1, nats)
    assert calibrated(values, errors, nats, bias)
    assert not calibrated(values, errors, 1.3 * nats or 0.1, bias)  # twin
    assert sum(bool(one.flags) for one in found) < 0.2 * REPEATS


def test_ksg_is_flagged_and_high_by_an_error_at_three_nats():
    values, errors, found = repeated(ksg_information, 6, 2000, 1, 3.0)
    assert all(any("dependence so strong" in flag for flag in one.flags) for one in found)
    assert 0 < np.mean(values) - 3 < 0.04
    assert 0.5 < np.mean((np.array(values) - 3) / errors) < 2


@pytest.mark.parametrize("nats", [1.0, 3.0])
def test_ksg_is_flagged_and_low_in_twenty_dimensions(nats):
    found = ksg_information(*correlated(np.random.default_rng(7), 1000, 10, nats))
    assert nats - found.value > max(10 * found.error, 0.5 * nats)
    assert any("20 dimensions" in flag and "too low" in flag for flag in found.flags)


def test_ksg_flags_a_moving_estimate_and_saturation():
    x, y = correlated(np.random.default_rng(8), 1000, 2, 3.0)
    assert any("probably too low" in flag for flag in ksg_information(x, y).flags)
    x, y = correlated(np.random.default_rng(9), 1000, 1, 7.0)
    found = ksg_information(x, y)
    assert found.value < 7
    assert any("1000 samples can show" in flag for flag in found.flags)


# Labels


@pytest.mark.parametrize("length", CYLINDERS)
def test_the_joint_law_of_two_rings_gives_the_table(length):
    joint, spins = rings(length)
    ring = joint.sum(axis=1)
    half = np.zeros((2 ** (length // 2),) * 2)
    code = (spins[:, : length // 2] > 0) @ 2 ** np.arange(length // 2)
    other = (spins[:, length // 2 :] > 0) @ 2 ** np.arange(length // 2)
    np.add.at(half, (code, other), ring)
    found = table_information(joint), entr(ring).sum(), table_information(half)
    np.testing.assert_allclose(found, CYLINDERS[length], atol=6e-9)


def test_two_rings_of_the_cylinder_are_calibrated():
    joint, spins = rings(4)
    exact, entropy, _ = CYLINDERS[4]
    rng = np.random.default_rng(10)
    coarse = np.sign(spins.sum(axis=1))
    values, errors, coarser = [], [], []
    for _ in range(REPEATS):
        states = rng.choice(256, 20000, p=joint.ravel() / joint.sum())
        first, second = spins[states // 16], spins[states % 16]
        found = discrete_information(first, second)
        assert not found.flags
        assert found.bound == pytest.approx(entropy, abs=0.05)
        values.append(found.value)
        errors.append(found.error)
        coarser.append(discrete_information(coarse[states // 16], coarse[states % 16]).checked(exact))
    assert calibrated(values, errors, exact)
    assert not calibrated(values, errors, 1.3 * exact)  # twin
    assert not any(one.exceeds_bound for one in coarser)  # data processing
    rough = np.zeros((3, 3))
    np.add.at(rough, np.ix_(coarse + 1, coarse + 1), joint)
    assert calibrated(
        [one.value for one in coarser], [one.error for one in coarser], table_information(rough)
    )
    states = rng.choice(256, 20000, p=joint.ravel() / joint.sum())
    assert discrete_information(states // 16, states % 16).checked(0.1).exceeds_bound  # twin


def test_labels_that_know_all_or_nothing():
    rng = np.random.default_rng(11)
    a, b = rng.integers(0, 5, (2, 4000))
    same = discrete_information(a, 7 - 2 * a)
    assert same.value == pytest.approx(same.bound, abs=1e-12)
    assert same.value == pytest.approx(math.log(5), abs=5e-3)
    found = discrete_information(a, b)
    assert abs(found.value) < 3 * found.error
    spins = rng.choice([-1.0, 1.0], (4000, 3))
    assert discrete_information(spins, spins[:, 0]).value == pytest.approx(math.log(2), abs=2e-3)


# All pairs


def test_pairs_are_those_of_single_tables():
    x, y = correlated(np.random.default_rng(12), 6000, 2, 0.6)
    samples = np.hstack([x, y]).astype(np.float32)
    found = pairwise_information(samples, bins=6)
    labels = stats.rankdata(samples, axis=0, method="ordinal").astype(int) - 1
    for i, j in itertools.combinations(range(4), 2):
        single = discrete_information(labels[:, i] * 6 // 6000, labels[:, j] * 6 // 6000)
        assert found.value[i, j] == found.value[j, i] == pytest.approx(single.value, abs=1e-6)
        assert found.error[i, j] == pytest.approx(single.error, rel=0.5)
    assert np.isnan(np.diagonal(found.value)).all()


@pytest.mark.parametrize("nats", [0.02, 0.2, 1.0])
def test_pairs_are_calibrated(nats):
    rng = np.random.default_rng(13)
    found = [pairwise_information(np.hstack(correlated(rng, 4000, 1, nats)), 10) for _ in range(REPEATS)]
    values, errors = [one.value[0, 1] for one in found], [one.error[0, 1] for one in found]
    exact = binned_normal(math.sqrt(1 - math.exp(-2 * nats)), 10)
    assert exact < nats
    assert calibrated(values, errors, exact, 0.3)
    assert not calibrated(values, errors, 1.3 * exact, 0.3)  # twin


def test_independent_pairs_have_the_null_error():
    rng = np.random.default_rng(14)
    for samples in (rng.normal(size=(4000, 40)), rng.choice([-1.0, 1.0], (4000, 40))):
        found = pairwise_information(samples)
        upper = found.value[np.triu_indices(40, 1)]
        assert found.bins == (12 if found.null_error > 1e-3 else 2)
        assert abs(upper.mean()) < 4 * found.null_error / math.sqrt(upper.size)
        assert upper.std() == pytest.approx(found.null_error, rel=0.15)
        assert np.nanmin(found.error) >= found.null_error


def test_displacements_of_a_periodic_field():
    shape, n = (3, 4), 20000
    noise = np.random.default_rng(15).normal(size=(n, *shape))
    smooth = lambda z: z + 0.8 * np.roll(z, 1, axis=-1) + 0.5 * np.roll(z, 1, axis=-2)
    found = pairwise_information(smooth(noise).reshape(n, -1), 8)
    kernel = smooth(np.eye(12).reshape(12, *shape)).reshape(12, 12)
    covariance = kernel.T @ kernel
    profile = found.by_displacement(shape)
    assert profile.shape == shape
    assert math.isnan(profile[0, 0])
    for r in range(1, 12):
        exact = binned_normal(covariance[0, r] / covariance[0, 0], 8)
        assert profile.flat[r] == pytest.approx(exact, abs=3e-3)
    assert profile[0, 1] == pytest.approx(profile[0, 3], abs=1e-12)
    assert profile[1, 1] == pytest.approx(profile[2, 3], abs=1e-12)
    assert profile[0, 1] > profile[1, 0] + 0.02  # twin: the axes are not exchanged


# Entropies


def test_marginal_entropies_are_calibrated():
    rng = np.random.default_rng(16)
    density = lambda x: 0.5 * (stats.norm.pdf(x, -1, 0.3) + stats.norm.pdf(x, 1, 0.3))
    bimodal = integrate.quad(lambda x: entr(density(x)), -4, 4, limit=200)[0]
    laws = {
        "normal": (rng.normal(size=(4000, REPEATS)), NORMAL),
        "uniform": (rng.random((4000, REPEATS)), 0.0),
        "bimodal": (rng.choice([-1, 1], (4000, REPEATS)) + 0.3 * rng.normal(size=(4000, REPEATS)), bimodal),
    }
    for samples, exact in laws.values():
        values, errors = marginal_entropies(3.0 * samples)
        assert calibrated(values, errors, exact + math.log(3), 0.1)
        assert not calibrated(values, errors, exact + math.log(3.1), 0.1)  # twin


def test_the_error_of_an_entropy_knows_the_autocorrelation(ar1):
    """tau_int of ln p of an AR(1) chain with coefficient a is ½(1 + a²)/(1 - a²): 2.3 here."""
    chains = ar1(17, 0.8, (REPEATS, 8000))
    found = [marginal_entropies(chain / chain.std(), blocks=50) for chain in chains]
    _, independent = marginal_entropies(np.random.default_rng(17).normal(size=8000))
    ratio = np.mean([error[0] for _, error in found]) / independent[0]
    assert 1.4 < ratio < 2.6


@pytest.mark.parametrize("dims", [1, 2])
def test_joint_entropy_is_calibrated(dims):
    rng = np.random.default_rng(18)
    root = np.eye(dims) * 2 + np.tri(dims, k=-1)
    found = [differential_entropy(rng.normal(size=(1000, dims)) @ root.T) for _ in range(REPEATS)]
    exact = dims * (NORMAL + math.log(2))
    values, errors = [one.value for one in found], [one.error for one in found]
    assert calibrated(values, errors, exact, 0.5)
    assert not calibrated(values, errors, 1.3 * exact, 0.5)  # twin
    assert differential_entropy(rng.normal(size=(1000, 8))).flags


@pytest.mark.parametrize("units", [2, 16])
def test_total_correlation_of_a_linear_map(units):
    rng = np.random.default_rng(19)
    matrix = np.eye(units) + 0.5 * rng.normal(size=(units, units)) / math.sqrt(units)
    covariance = matrix @ matrix.T
    log_det = np.linalg.slogdet(matrix)[1]
    exact = 0.5 * np.log(np.diagonal(covariance)).sum() - log_det
    values, errors = [], []
    for _ in range(REPEATS):
        z = rng.normal(size=(2000, units))
        found = total_correlation_removed(z @ matrix.T, z, np.full(2000, -log_det))
        values.append(found.value)
        errors.append(found.error)
    assert calibrated(values, errors, exact, 0.1)
    assert not calibrated(values, errors, exact + 2 * log_det, 0.1)  # twin: the other sign of the Jacobian
    assert not calibrated(values, errors, 1.3 * exact + 0.02, 0.1)


def test_total_correlation_of_maps_of_single_columns_is_zero():
    z = np.random.default_rng(20).normal(size=(4000, 8))
    found = total_correlation_removed(np.sinh(z), z, -np.log(np.cosh(z)).sum(axis=1))
    assert abs(found.value) < 3 * found.error
    assert not found.flags


# Results and refusals


def test_results_are_plain_and_bounds_are_checked():
    plain = InformationEstimate(1.0, 0.1, 10, "by hand")
    assert not plain.exceeds_bound
    assert not plain.checked(0.71).flags
    above = plain.checked(0.69)
    assert above.exceeds_bound
    assert len(above.flags) == 1
    assert plain.flags == []
    assert json.loads(json.dumps(above.to_dict()))["bound"] == 0.69
    with pytest.raises(UsageError, match="NaN"):
        plain.checked(math.nan)


RNG = np.random.default_rng(21)
X, Y, FEW = RNG.normal(size=400), RNG.normal(size=400), RNG.normal(size=50)
SPINS = np.sign(X)
EYE = np.eye(3)
REAL = (gaussian_information_from_samples, gaussian_copula_information, ksg_information)


@pytest.mark.parametrize("estimator", REAL)
def test_real_estimators_refuse(estimator):
    for x, y, words in [
        (X, Y[:-1], "drawn together"),
        (np.where(X > 2, np.nan, X), Y, "NaN"),
        (np.zeros(400), Y, "constant"),
        (X[None, None], Y, "shape"),
        (FEW, FEW + 1, "samples"),
    ]:
        with pytest.raises(UsageError, match=words):
            estimator(x, y)
    if estimator is not gaussian_information_from_samples:
        with pytest.raises(UsageError, match="discrete"):
            estimator(X, SPINS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gaussian_information(np.ones((2, 3)), [0], [1]), "square"),
        (lambda: gaussian_information(np.triu(np.ones((3, 3))), [0], [1]), "symmetric"),
        (lambda: gaussian_information(EYE, [], [1]), "empty"),
        (lambda: gaussian_information(EYE, [0, 1], [1]), "once"),
        (lambda: gaussian_information(EYE, [0], [3]), "0 ... 2"),
        (lambda: gaussian_information(EYE, [0], [-1]), "0 ... 2"),
        (lambda: gaussian_information_from_samples(X, Y, blocks=5), "blocks = 5"),
        (lambda: gaussian_information_from_samples(RNG.normal(size=(30, 20)), X[:30], blocks=10), "42"),
        (lambda: ksg_information(X, Y, 0), "neighbours = 0"),
        (lambda: ksg_information(X, Y, 5), "take 500 or more"),
        (lambda: ksg_information(X, Y, scale="none"), "'none' is unknown"),
        (lambda: discrete_information(SPINS, SPINS[:-1]), "drawn together"),
        (lambda: discrete_information(X, SPINS), "not of integers"),
        (lambda: discrete_information(SPINS.astype(str), SPINS), "not of integers"),
        (lambda: discrete_information(np.zeros((2, 2, 2)), SPINS), "shape"),
        (lambda: discrete_information(np.arange(400), SPINS), "at least 2000"),
        (lambda: discrete_information(SPINS, SPINS, blocks=300), "2 or more"),
        (lambda: pairwise_information(np.stack([X, Y], 1)), "2880"),
        (lambda: pairwise_information(X, 2), "1 units"),
        (lambda: pairwise_information(np.stack([X, Y], 1), 1), "1 bins"),
        (lambda: pairwise_information(np.stack([X, SPINS], 1), 2), "discrete"),
        (lambda: pairwise_information(np.stack([X, Y], 1), 4).by_displacement((2, 2)), "2 sites"),
        (lambda: marginal_entropies(SPINS), "discrete"),
        (lambda: marginal_entropies(FEW), "blocks"),
        (lambda: differential_entropy(FEW), "50 samples"),
        (lambda: differential_entropy(X, 0), "0 neighbours"),
        (lambda: differential_entropy(SPINS), "Discrete"),
        (lambda: differential_entropy(np.concatenate([X, X[:1].repeat(9)])), "copies"),
        (lambda: total_correlation_removed(X, np.stack([X, Y], 1), 0.5), "keeps the shape"),
        (lambda: total_correlation_removed(X, Y, np.zeros(3)), "log_det"),
        (lambda: total_correlation_removed(X, Y, math.nan), "log_det"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call()


def test_singular_covariances_are_refused():
    with pytest.raises(NumericalError, match="positive definite"):
        gaussian_information(np.ones((2, 2)), [0], [1])
    with pytest.raises(NumericalError, match="linearly"):
        gaussian_information_from_samples(np.stack([X, Y], 1), X)
