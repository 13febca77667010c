"""Trained bounds and all estimators behind one function: closed forms, exact rings, quadrature, twins."""

import dataclasses
import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import entr

from deeprg.exact import CRITICAL_TEMPERATURE, ising_cylinder
from deeprg.montecarlo.information import (
    DEFAULT_PLAN,
    ESTIMATORS,
    NWJ,
    ConcatenatedCritic,
    DonskerVaradhan,
    GaussianRatio,
    InfoNCE,
    SeparableCritic,
    Smile,
    barber_agakov_information,
    mutual_information,
    variational_information,
)
from deeprg.montecarlo.information._coordinates import Coordinates
from deeprg.montecarlo.information._held_out import HeldOut
from deeprg.runs.errors import UsageError

SHORT = dataclasses.replace(DEFAULT_PLAN, steps=100)
BOUNDS = {"infonce": InfoNCE(), "nwj": NWJ(), "dv": DonskerVaradhan(), "smile": Smile()}
TRAINED = [name for name, one in ESTIMATORS.items() if one.trained]


def correlated(seed, n, pairs, nats):
    """Gaussian x and y [n, pairs] of that information, in equal parts between the pairs."""
    rho = math.sqrt(-math.expm1(-2 * nats / pairs))
    x, noise = np.random.default_rng(seed).normal(size=(2, n, pairs))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def rings(seed, n, length):
    """Neighbouring rings of the cylinder at T_c, [n, length] spins each, and their information."""
    cylinder = ising_cylinder(length, CRITICAL_TEMPERATURE)
    joint = cylinder.pair(1)
    drawn = np.random.default_rng(seed).choice(joint.size, n, p=joint.ravel() / joint.sum())
    spins = lambda code: 1 - 2 * ((code[:, None] >> np.arange(length)) & 1)
    return spins(drawn // len(joint)), spins(drawn % len(joint)), cylinder.half_information


def folded(seed, n, width=0.2):
    """y = |x| + noise, not correlated; I = H(y) - H(noise), with p(y) = 2 N(y) Φ(y/...) by quadrature."""
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    variance, line = 1 + width**2, np.linspace(-4, 9, 100_001)
    scale = math.sqrt(variance)
    density = 2 * stats.norm.pdf(line, scale=scale) * stats.norm.cdf(line / (width * scale))
    exact = np.trapezoid(entr(density), line) - 0.5 * math.log(2 * math.pi * math.e * width**2)
    return x, np.abs(x) + width * noise, float(exact)


# What the estimators are made of


def test_the_gaussian_ratio_is_the_log_ratio_of_densities():
    rho = np.array([0.9, -0.4])
    ratio = GaussianRatio(jnp.arctanh(jnp.asarray(rho)))
    x, y = np.random.default_rng(0).normal(size=(2, 5, 2))
    found = ratio(jnp.asarray(x), jnp.asarray(y))
    for i, j in itertools.product(range(5), repeat=2):
        expected = sum(
            stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).logpdf([a, b])
            - stats.norm.logpdf(a)
            - stats.norm.logpdf(b)
            for a, b, r in zip(x[i], y[j], rho, strict=True)
        )
        assert found[i, j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", [SeparableCritic, ConcatenatedCritic])
def test_critics_begin_at_the_gaussian_and_can_leave_it(kind):
    critic = kind.create(3, 2, jnp.array([0.5, 0.1], jnp.float32), key=jax.random.key(0))
    x, y = (jax.random.normal(jax.random.key(k), (4, d), jnp.float32) for k, d in ((1, 3), (2, 2)))
    scores = eqx.filter_jit(lambda c: (c.scores(x, y), c.gaussian(x, y)))(critic)
    np.testing.assert_array_equal(*scores)
    slopes = eqx.filter_jit(eqx.filter_grad(lambda c: InfoNCE().batch_value(c.scores(x, y))))(critic)
    network = slopes.right if kind is SeparableCritic else slopes.network
    assert float(jnp.abs(network.layers[-1].weight).max()) > 1e-4


def test_coordinates_are_canonical_and_blind_to_held_out_samples():
    rng = np.random.default_rng(1)
    mix = rng.normal(size=(5, 5))
    x, y = np.split(rng.normal(size=(4000, 5)) @ mix, [3], axis=1)
    found = Coordinates.fitted(x, y, "deviations")
    rows = found(x, y).astype(float)
    covariance = rows.T @ rows / len(rows)
    expected = np.eye(5)
    expected[[0, 1], [3, 4]] = expected[[3, 4], [0, 1]] = found.correlations
    np.testing.assert_allclose(covariance, expected, atol=1e-5)
    # Maps of columns that increase change nothing where ranks are taken.
    plain = Coordinates.fitted(x, y, "ranks")
    bent = Coordinates.fitted(np.sinh(x / 3), y, "ranks")
    np.testing.assert_allclose(bent.correlations, plain.correlations, atol=5e-3)


class Written(eqx.Module):
    """A critic that is written down: f = 0.3 x·y - 0.1."""

    group: int = eqx.field(static=True)

    def scores(self, x, y):
        return 0.3 * x @ y.T - 0.1


@pytest.mark.parametrize("group", [10_000, 150])
def test_sums_over_pairs_are_those_of_loops(group):
    m, blocks = 400, 10
    x, y = np.random.default_rng(2).normal(size=(2, m, 2))
    held = HeldOut.of(Written(group), x, y, blocks, lambda scores: scores)
    f = 0.3 * x @ y.T - 0.1
    block = np.arange(m) // (m // blocks)
    groups = np.arange(m) % (-(-m // group))
    meets = (block[:, None] != block) & (groups[:, None] == groups)
    np.testing.assert_allclose(held.matched, np.diagonal(f))
    np.testing.assert_allclose(held.sums.sum(axis=1), (np.exp(f) * meets).sum(axis=1))
    np.testing.assert_array_equal(held.counts.sum(axis=1), meets.sum(axis=1))
    partition = (np.exp(f) * meets).sum() / meets.sum()
    assert DonskerVaradhan().judged(held).value == pytest.approx(np.diagonal(f).mean() - np.log(partition))
    assert NWJ().judged(held).value == pytest.approx(1 + np.diagonal(f).mean() - partition)
    k = meets.sum(axis=1)
    nce = np.diagonal(f) - np.log(((np.exp(f) * meets).sum(axis=1) + np.exp(np.diagonal(f))) / (k + 1))
    assert InfoNCE().judged(held).value == pytest.approx(nce.mean())
    # The jackknife leaves out a block with all pairs that it is in.
    left = (block[:, None] != 3) & (block != 3) & meets
    value = np.diagonal(f)[block != 3].mean() - np.log((np.exp(f) * left).sum() / left.sum())
    assert DonskerVaradhan().judged(held).replicas[3] == pytest.approx(value)


class Dampened(eqx.Module):
    """0.8 of the true log ratio: not the optimum, so that pairs that share a sample are correlated."""

    ratio: GaussianRatio
    group: int = eqx.field(static=True, default=4096)

    def scores(self, x, y):
        return 0.8 * self.ratio(x, y)


@pytest.mark.parametrize("name", BOUNDS)
def test_errors_of_a_fixed_critic_are_calibrated(name):
    """The scatter over 200 sets of samples against the errors of each: within 15 %, 3 standard errors."""
    exact = 0.5
    rho = math.sqrt(-math.expm1(-2 * exact))
    critic, bound = Dampened(GaussianRatio(jnp.arctanh(jnp.array([rho])))), BOUNDS[name]
    found = [
        bound.judged(HeldOut.of(critic, *correlated(seed, 300, 1, exact), 20, bound.exponents))
        for seed in range(200)
    ]
    values, errors = (np.array([getattr(one, key) for one in found]) for key in ("value", "error"))
    assert np.std(values) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.15)
    assert np.mean(values) < exact


def test_what_a_chain_repeats_is_not_taken_for_independent_pairs():
    """Every sample 10 times in a row: value and error stay those of the samples once."""
    x, y = correlated(3, 500, 1, 0.5)
    critic = Dampened(GaussianRatio(jnp.arctanh(jnp.array([0.8]))))
    once = InfoNCE().judged(HeldOut.of(critic, x, y, 25, InfoNCE().exponents))
    often = InfoNCE().judged(
        HeldOut.of(critic, np.repeat(x, 10, axis=0), np.repeat(y, 10, axis=0), 25, InfoNCE().exponents)
    )
    assert often.value == pytest.approx(once.value, abs=0.01)
    assert often.error == pytest.approx(once.error, rel=0.05)


# Trained, fast


def one_nat(method, plan):
    """An estimate of 1 nat in 10 + 10 dimensions, and one of the same samples with x shuffled."""
    x, y = correlated(4, 3000, 10, 1.0)
    shuffled = np.random.default_rng(5).permutation(x)
    return [mutual_information(z, y, method, plan=plan, key=jax.random.key(0)) for z in (x, shuffled)]


@pytest.mark.parametrize("method", ["infonce", "dv", "ba", "gaussian", "gaussian-copula"])
def test_one_nat_in_twenty_dimensions_and_none_when_shuffled(method):
    found, none = one_nat(method, SHORT)
    assert abs(found.value - 1) < 3.5 * found.error
    assert not abs(found.value - 1.3) < 3.5 * found.error  # twin
    assert not found.flags
    assert -0.08 < none.value < 3 * none.error  # correlations cost 100/(2 · 1680) = 0.03


def test_a_relation_without_correlation_is_learned():
    x, y, exact = folded(6, 4000)
    assert exact == pytest.approx(1.0770, abs=1e-4)
    found = mutual_information(x, y, "infonce", key=jax.random.key(0))
    assert -0.1 < found.value - exact < 3 * found.error
    blind = mutual_information(x, y, "gaussian-copula")
    assert blind.value < 0.05


def test_rings_of_the_cylinder_by_all_bounds():
    x, y, exact = rings(7, 8000, 4)
    for method in ("ba", "discrete"):
        found = mutual_information(x, y, method, plan=SHORT, key=jax.random.key(0))
        assert -0.02 - 3 * found.error < found.value - exact < 3 * found.error
        assert not found.flags
    assert found.value - 1.3 * exact < -3 * found.error  # twin
    assert mutual_information(x, y, "discrete", bound=0.2).exceeds_bound


def test_flags():
    key = jax.random.key(0)
    x, y = correlated(8, 3000, 1, 7.0)
    for method, words in [("infonce", "saturated"), ("nwj", "partition term"), ("smile", "clip")]:
        found = mutual_information(x, y, method, plan=SHORT, key=key)
        assert any(words in flag for flag in found.flags), (method, found)
        assert found.bound is None  # a ceiling is not what data processing allows
    # Too many dimensions for the samples.
    wide = np.random.default_rng(9).normal(size=(1500, 30))
    found = variational_information(wide[:, :15], wide[:, 15:], InfoNCE(), plan=SHORT, key=key)
    assert any("15 + 15 dimensions" in flag for flag in found.flags)
    assert found.value < 3 * found.error
    # A conditional law of what is far from normal in two columns.
    angle = np.random.default_rng(10).uniform(0, 2 * math.pi, 3000)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = barber_agakov_information(angle, circle, plan=SHORT, key=key)
    assert any("normal law" in flag for flag in found.flags)


# The grid of docs/theory/information.md, in slow tests

# What was measured of 4 seeds of 10 000 samples, mean of value - I: a bound for its size.
BIASES = {"smile": (0.02, 0.03, 0.12), "ksg": (0.01, 0.05, 0.1)}
USUAL = (0.03, 0.05, 0.09)


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [1, 10])
@pytest.mark.parametrize("method", [name for name in ESTIMATORS if name not in ("discrete", "ksg")])
def test_the_whole_grid(method, pairs):
    for nats, most in zip((0.1, 1.0, 3.0), BIASES.get(method, USUAL), strict=True):
        found = [
            mutual_information(*correlated(seed, 10_000, pairs, nats), method, key=jax.random.key(seed))
            for seed in range(20, 24)
        ]
        off = np.array([one.value for one in found]) - nats
        pulls = off / np.array([one.error for one in found])
        assert abs(off.mean()) < most
        if ESTIMATORS[method].kind == "lower bound":
            assert pulls.max() < 3
        if method == "smile" and nats == 3.0:
            assert off.mean() > 0  # no bound, and flagged
            assert all(one.flags for one in found)
        else:
            assert np.sqrt(np.mean(pulls**2)) < 2  # of 4, beyond 2 once in 300
            flagged = [one.value for one in found if one.flags]  # "learned by heart", and so too low
            assert len(flagged) <= 1
            assert all(value < nats for value in flagged)
        assert not abs(off.mean() - 0.3 * nats) < most or nats < 1  # twin


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nwj", "smile"])
def test_other_bounds_in_twenty_dimensions(method):
    found, none = one_nat(method, SHORT)
    assert abs(found.value - 1) < 3.5 * found.error
    assert -0.08 < none.value < 3 * none.error


@pytest.mark.slow
def test_both_critics_and_rings_of_eight():
    x, y, exact = folded(6, 4000)
    found = mutual_information(x, y, "infonce", key=jax.random.key(0), critic="concatenated")
    assert -0.1 < found.value - exact < 3 * found.error
    x, y, exact = rings(13, 10_000, 8)
    for method in ("infonce", "dv", "ba"):
        found = mutual_information(x, y, method, key=jax.random.key(0))
        assert -0.12 - 3 * found.error < found.value - exact < 3 * found.error


def test_the_registry_is_complete():
    assert TRAINED == ["infonce", "nwj", "dv", "smile", "ba"]
    assert {one.kind for one in ESTIMATORS.values()} == {"lower bound", "neither"}
    for name, one in ESTIMATORS.items():
        assert name == one.name
        assert one.summary
        assert one.saturates


X, Y = correlated(11, 1200, 2, 0.5)
SPINS = np.random.default_rng(12).choice((-1, 1), (1200, 12))
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mutual_information(X, Y, "infonse", key=KEY), "Did you mean"),
        (lambda: mutual_information(X, Y, "infonce"), "give key="),
        (lambda: mutual_information(X, Y, "infonce", key=KEY, clip=2.0), "no option 'clip'"),
        (lambda: mutual_information(X, Y, "ksg", neighbors=3), "no option 'neighbors'"),
        (lambda: mutual_information(X, Y, "smile", key=KEY, clip=0.0), "clip = 0.0"),
        (lambda: mutual_information(X, Y, "dv", key=KEY, critic="joint"), "'joint' is unknown"),
        (lambda: mutual_information(X, Y, "dv", key=KEY, scale="none"), "'none' is unknown"),
        (lambda: mutual_information(X, Y, "dv", key=KEY, held_out=1.0), "held_out = 1.0"),
        (lambda: mutual_information(X, Y, "dv", key=KEY, held_out=0.9), "to train"),
        (lambda: mutual_information(X, Y, "dv", key=KEY, blocks=5), "blocks = 5"),
        (lambda: mutual_information(X, Y[:-1], "dv", key=KEY), "drawn together"),
        (lambda: mutual_information(X[:900], Y[:900], "ba", key=KEY), "take 1000 or more"),
        (lambda: mutual_information(np.zeros(1200), Y, "ba", key=KEY), "constant"),
        (lambda: mutual_information(np.where(X > 3, np.nan, X), Y, "nwj", key=KEY), "NaN"),
        (lambda: mutual_information(SPINS, SPINS, "ba", key=KEY), "different rows"),
        (lambda: mutual_information(np.arange(1200) > 1000, X, "infonce", key=KEY), "shuffle"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call()
