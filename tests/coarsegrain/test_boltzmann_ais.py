"""Annealed importance sampling against exact ln Z: pulls over seeds, bounds from both sides, warnings."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from deeprg.coarsegrain.boltzmann import (
    RBM,
    Binary,
    Gaussian,
    Potts,
    Rectified,
    Spin,
    ais,
    independent_base,
    log_partition,
    reverse_ais,
    visible_distribution,
)
from deeprg.coarsegrain.boltzmann._enumeration import layer_states
from deeprg.runs.errors import NumericalError, UsageError

pytestmark = pytest.mark.slow

SEEDS = 64


def machine(visible, hidden, sizes, seed=0, scale=0.3, dtype=jnp.float32):
    rng = np.random.default_rng(seed)
    nv, nh = sizes[0] * visible.q, sizes[1] * hidden.q
    arrays = scale * rng.normal(size=(nv, nh)), scale * rng.normal(size=nv), scale * rng.normal(size=nh)
    return RBM(*(jnp.asarray(x, dtype) for x in arrays), visible, hidden)


def pulls(rbm, exact, temperatures=100, base=None):
    """(estimate - exact)/error over the seeds."""
    found = [
        ais(rbm, temperatures=temperatures, chains=100, base=base, key=key)
        for key in jax.random.split(jax.random.key(7), SEEDS)
    ]
    return np.array([(one.log_partition - exact) / one.error for one in found]), found


def unit_variance(pull):
    """Whether the mean is 0 and the variance 1, both within three standard errors."""
    n = len(pull)
    chi2 = np.sum(pull**2)
    return abs(pull.mean()) < 3 / np.sqrt(n) and abs(chi2 - n) < 3 * np.sqrt(2 * n)


def test_pulls_over_seeds_have_unit_variance():
    rbm = machine(Spin(), Spin(), (30, 12))
    exact = log_partition(rbm)
    pull, found = pulls(rbm, exact)
    assert unit_variance(pull)
    assert np.abs(pull).max() < 4
    assert sum(one.trusted for one in found) > 0.9 * SEEDS
    assert 0.9 < np.mean([one.jackknife_error / one.error for one in found]) < 1.1
    spread = np.std([one.log_partition for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=4 / np.sqrt(2 * SEEDS))
    # the twin: ln Z of the base without its hidden units' fields
    missing = float(rbm.hidden.log_sum(rbm.hidden_bias).sum()) - 12 * float(np.log(2))
    assert not unit_variance(pull - missing / np.array([one.error for one in found]))


UNITS = [
    (Binary(), Binary(), 0.4),
    (Spin(), Gaussian(0.5), 0.2),
    (Gaussian(0.5), Spin(), 0.4),
    (Spin(), Rectified(), 0.2),
    (Potts(3), Binary(), 0.4),
]


@pytest.mark.parametrize(("visible", "hidden", "scale"), UNITS, ids=str)
def test_every_kind_of_unit_is_annealed_to_the_exact_value(visible, hidden, scale):
    rbm = machine(visible, hidden, (10, 6), seed=1, scale=scale)
    exact = log_partition(rbm)
    found = ais(rbm, temperatures=300, chains=100, key=jax.random.key(0))
    assert found.trusted
    assert abs(found.log_partition - exact) < 3 * found.error
    assert found.error < 0.1


def test_two_gaussian_layers():
    """No layer can be enumerated: ln Z is the determinant of the joint precision."""
    rbm = machine(Gaussian(0.5), Gaussian(2.0), (4, 3), scale=0.25)
    W, a, b = (np.asarray(x, np.float64) for x in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    covariance = np.diag(np.repeat([0.5, 2.0], [4, 3]))
    precision = np.linalg.inv(covariance)
    precision[:4, 4:], precision[4:, :4] = -W, -W.T
    field = np.concatenate([a, b])
    exact = (
        0.5 * field @ np.linalg.solve(precision, field) - 0.5 * np.linalg.slogdet(covariance @ precision)[1]
    )
    found = ais(rbm, temperatures=400, chains=100, key=jax.random.key(0))
    assert abs(found.log_partition - exact) < 3 * found.error < 0.3
    with pytest.raises(NumericalError, match="no normalisable law"):
        ais(eqx.tree_at(lambda m: m.weights, rbm, 10 * rbm.weights), key=jax.random.key(0))


def exact_samples(rbm, n, seed=0):
    """Independent draws of p(v), by enumeration."""
    rows = np.random.default_rng(seed).choice(2**rbm.n_visible, n, p=visible_distribution(rbm))
    return layer_states(rbm.visible, rbm.n_visible)[rows]


def test_forward_and_reverse_enclose_ln_z():
    """Few temperatures and chains, so that the bounds lie apart; averaged over seeds."""
    rbm = machine(Spin(), Spin(), (10, 8), seed=2, scale=0.6)
    exact = log_partition(rbm)
    samples = exact_samples(rbm, 128 * 3).reshape(128, 3, 10)
    keys = jax.random.split(jax.random.key(3), 128)
    low = np.array([ais(rbm, temperatures=8, chains=3, key=k).log_partition for k in keys])
    up = [reverse_ais(rbm, s, temperatures=8, key=k) for s, k in zip(samples, keys, strict=True)]
    high = np.array([one.log_partition for one in up])
    error = [np.std(x, ddof=1) / np.sqrt(128) for x in (low, high)]
    assert low.mean() < exact - 3 * error[0]
    assert high.mean() > exact + 3 * error[1]
    assert {one.direction for one in up} == {"reverse"}
    weights = np.concatenate([one.log_weights for one in up])
    ratio = np.exp(exact - weights)  # E[Z_base/Z 1/w] = 1: the reverse weights are unbiased
    assert abs(ratio.mean() - 1) < 3.5 * ratio.std() / np.sqrt(ratio.size)
    # many temperatures: both agree with ln Z
    fine = reverse_ais(rbm, exact_samples(rbm, 100), temperatures=300, key=jax.random.key(4))
    assert abs(fine.log_partition - exact) < 3 * fine.error
    assert fine.trusted
    # the twin: samples of another law
    flat = 1.0 - 2.0 * (np.random.default_rng(0).random((384, 10)) < 0.5)
    wrong = np.exp(exact - reverse_ais(rbm, flat, temperatures=8, key=jax.random.key(4)).log_weights)
    assert abs(wrong.mean() - 1) > 5 * wrong.std() / np.sqrt(wrong.size)


def test_too_few_temperatures_are_flagged():
    rbm = machine(Spin(), Spin(), (40, 15), seed=3, scale=0.7)
    exact = log_partition(rbm)
    coarse = ais(rbm, temperatures=3, chains=100, key=jax.random.key(0))
    assert not coarse.trusted
    assert "Use more temperatures than 3" in coarse.problems[0]
    assert "effective" in coarse.problems[0]
    assert abs(coarse.log_partition - exact) > 5 * coarse.error  # its error bar is wrong, as it says
    fine = ais(rbm, temperatures=800, chains=100, key=jax.random.key(0))
    assert fine.trusted
    assert abs(fine.log_partition - exact) < 3 * fine.error
    assert fine.spread < coarse.spread / 5


def test_a_base_fitted_to_the_data_shortens_the_path():
    strong = machine(Binary(), Spin(), (12, 5), seed=4)
    rbm = eqx.tree_at(lambda m: m.visible_bias, strong, jnp.linspace(-3, 3, 12, dtype=jnp.float32))
    data = exact_samples(rbm, 500)
    base = independent_base(rbm, data)
    mean = (data.sum(axis=0) + 0.5) / 501
    np.testing.assert_allclose(base.visible.mean(base.visible_bias), mean, rtol=1e-5)
    fitted = ais(rbm, temperatures=50, chains=100, base=base, key=jax.random.key(0))
    uniform = ais(rbm, temperatures=50, chains=100, key=jax.random.key(0))
    assert fitted.spread < 0.5 * uniform.spread
    exact = log_partition(rbm)
    assert abs(fitted.log_partition - exact) < 3 * fitted.error
    constant = independent_base(machine(Potts(3), Spin(), (2, 2)), np.tile([0.0, 1.0, 0.0], (5, 2)))
    assert np.isfinite(constant.visible_bias).all()  # pixels that never change keep finite fields


def test_temperatures_may_be_given_one_by_one():
    rbm = machine(Spin(), Spin(), (8, 4))
    steps = np.linspace(0, 1, 101) ** 2
    found = ais(rbm, temperatures=steps, chains=100, key=jax.random.key(0))
    assert found.temperatures == 100
    assert abs(found.log_partition - log_partition(rbm)) < 3 * found.error
    alone = ais(rbm, temperatures=1, chains=100, key=jax.random.key(0))  # plain importance sampling
    assert abs(alone.log_partition - log_partition(rbm)) < 3 * alone.error
    assert alone.corrected == pytest.approx(alone.log_partition, abs=alone.error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperatures": 0}, "temperatures = 0"),
        ({"temperatures": [0.0, 0.5]}, "rise strictly from 0"),
        ({"temperatures": [0.0, 0.7, 0.6, 1.0]}, "rise strictly"),
        ({"chains": 1}, "chains = 1"),
        ({"base": machine(Spin(), Spin(), (4, 3))}, "W = 0.*independent_base"),
        ({"base": independent_base(machine(Binary(), Spin(), (4, 3)))}, "machine's units"),
    ],
)
def test_wrong_arguments(options, message):
    rbm = machine(Spin(), Spin(), (4, 3))
    with pytest.raises(UsageError, match=message):
        ais(rbm, **options, key=jax.random.key(0))
    with pytest.raises(UsageError, match=r"samples has shape \(4,\)"):
        reverse_ais(rbm, np.ones(4), key=jax.random.key(0))
    with pytest.raises(UsageError, match=r"data holds 0.5"):
        independent_base(rbm, 0.5 * np.ones((3, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_machines_with_twenty_hidden_units(seed):
    rbm = machine(Spin(), Binary(), (64, 20), seed=seed, scale=0.25)
    exact = log_partition(rbm)
    pull, found = pulls(rbm, exact, temperatures=1500)
    assert unit_variance(pull)
    assert sum(abs(pull) > 3) <= 1
    assert scipy.stats.shapiro(pull).pvalue > 1e-4
    assert np.median([one.error for one in found]) < 0.1
