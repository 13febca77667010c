"""One unit in a field: its law by enumeration or quadrature, and exact draws with twins on a wrong law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats

from deeprg.coarsegrain.boltzmann import UNITS, Binary, Gaussian, Potts, Rectified, Spin, build_unit
from deeprg.runs.errors import UsageError

FINITE = [Spin(), Binary(), Potts(2), Potts(5)]
REAL = [Gaussian(1.0), Gaussian(0.3), Rectified()]
FIELDS = [-30.0, -8.2, -7.8, -2.0, -0.3, 0.0, 0.7, 5.0, 20.0]


def enumerated(unit, field):
    """ln of the sum over the states of one unit, and their law [k]."""
    logits = np.array([np.sum(state * field) for state in unit.states])
    return scipy.special.logsumexp(logits), scipy.special.softmax(logits)


def log_density(unit, x):
    """-U, written out."""
    if isinstance(unit, Gaussian):
        return -(x**2) / (2 * unit.variance) - 0.5 * np.log(2 * np.pi * unit.variance)
    return -(x**2) / 2


def quadrature(unit, t):
    """ln of the integral and the mean, by adaptive quadrature about the peak."""
    variance = unit.variance if isinstance(unit, Gaussian) else 1.0
    peak = variance * t if isinstance(unit, Gaussian) else max(t, 0.0)
    width = 1 / abs(t) if isinstance(unit, Rectified) and t < -1 else np.sqrt(variance)
    low = peak - 12 * width if isinstance(unit, Gaussian) else max(peak - 12 * width, 0.0)
    shift = t * peak + log_density(unit, peak)

    def integral(power):
        return scipy.integrate.quad(
            lambda x: (x - low) ** power * np.exp(t * x + log_density(unit, x) - shift),
            *(low, peak + (45 if t < -1 and low == 0 else 12) * width),
            epsabs=0,
            epsrel=1e-12,
        )[0]

    return shift + np.log(integral(0)), low + integral(1) / integral(0)


@pytest.mark.parametrize("unit", FINITE, ids=str)
def test_finite_units_have_the_enumerated_law(unit):
    fields = np.random.default_rng(0).normal(scale=3, size=(6, 4 * unit.q))
    log_sum, mean = unit.log_sum(jnp.asarray(fields)), unit.mean(jnp.asarray(fields))
    assert log_sum.shape == (6, 4)
    for row in range(6):
        for site in range(4):
            part = slice(site * unit.q, (site + 1) * unit.q)
            total, law = enumerated(unit, fields[row, part])
            assert float(log_sum[row, site]) == pytest.approx(total, abs=1e-12)
            np.testing.assert_allclose(mean[row, part], law @ unit.states, atol=1e-12)


@pytest.mark.parametrize("unit", REAL, ids=str)
def test_real_units_have_the_integrated_law(unit):
    truth = np.array([quadrature(unit, t) for t in FIELDS])
    fields = jnp.asarray(FIELDS)
    np.testing.assert_allclose(unit.log_sum(fields), truth[:, 0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(unit.mean(fields), truth[:, 1], rtol=1e-10, atol=1e-10)
    single = unit.mean(fields.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, truth[:, 1], rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("unit", REAL, ids=str)
def test_the_weight_of_a_real_unit_itself(unit):
    x = np.array([[0.0, 0.4], [1.3, 2.0]])
    expected = -log_density(unit, x).sum(axis=-1)
    np.testing.assert_allclose(unit.self_energy(jnp.asarray(x)), expected, atol=1e-12)
    if isinstance(unit, Gaussian):
        assert quadrature(unit, 0.0)[0] == pytest.approx(0, abs=1e-12)  # exp(-U) is normalised


def chi_squared(draws, unit, law):
    """The p-value of draws [n, q] of one unit against a law of its states."""
    hits = (np.asarray(draws)[:, None, :] == unit.states[None]).all(axis=-1)
    assert hits.any(axis=1).all()
    return scipy.stats.chisquare(hits.sum(axis=0), len(draws) * law).pvalue


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("unit", FINITE, ids=str)
def test_draws_of_finite_units(unit, dtype):
    n, k = 40_000, len(unit.states)
    fields = np.random.default_rng(1).normal(size=(1, 5 * unit.q))
    draws = unit.sample(jnp.broadcast_to(jnp.asarray(fields, dtype), (n, 5 * unit.q)), key=jax.random.key(2))
    assert draws.dtype == dtype
    unit.check(draws, "draws")
    sites = np.asarray(draws).reshape(n, 5, unit.q)
    laws = [enumerated(unit, f)[1] for f in fields.reshape(5, unit.q)]
    assert min(chi_squared(sites[:, i], unit, laws[i]) for i in range(5)) > 1e-3 / 5
    for i in range(5):  # the twin: a law that is 5 % off
        wrong = laws[i] * (1 + 0.05 * np.where(np.arange(k) == 0, 1, -laws[i][0] / (1 - laws[i][0])))
        if laws[i][0] > 0.1:
            assert chi_squared(sites[:, i], unit, wrong) < 1e-3
    both = np.corrcoef(sites[:, 0, 0], sites[:, 1, 0])[0, 1]
    assert abs(both) < 4 / np.sqrt(n)  # sites are independent


def distribution(unit, t):
    """The distribution function, without cancellation at any field."""
    if isinstance(unit, Gaussian):
        return lambda x: scipy.special.ndtr((x - unit.variance * t) / np.sqrt(unit.variance))

    def log_mills(z):
        return np.log(scipy.special.erfcx(z / np.sqrt(2)))

    def rectified(x):
        if t < 0:
            return -np.expm1(-x * (x - 2 * t) / 2 + log_mills(x - t) - log_mills(-t))
        return 1 - scipy.special.ndtr(t - x) / scipy.special.ndtr(t)

    return rectified


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("unit", [Gaussian(0.3), Rectified()], ids=str)
def test_draws_of_real_units(unit, dtype):
    fields = np.array([-300.0, -30.0, -8.01, -7.99, -5.0, -1.0, 0.0, 2.0, 12.0, -1e6], dtype)
    n = 20_000
    draws = unit.sample(jnp.broadcast_to(jnp.asarray(fields)[None], (n, 10)), key=jax.random.key(3))
    assert draws.dtype == dtype
    unit.check(draws, "draws")
    for t, column in zip(fields.astype(float), np.asarray(draws, np.float64).T, strict=True):
        if isinstance(unit, Gaussian) and t < -1e3:
            continue  # float32 does not resolve the width there
        assert scipy.stats.kstest(column, distribution(unit, t)).pvalue > 1e-3
        wrong = Gaussian(0.36) if isinstance(unit, Gaussian) else unit
        other = t if isinstance(unit, Gaussian) else t - 0.1 * max(abs(t), 1)
        assert scipy.stats.kstest(column, distribution(wrong, other)).pvalue < 1e-4


@pytest.mark.parametrize("t", [-50.0, -2.0])
def test_the_naive_inverse_of_the_rectified_law_fails_in_float32(t):
    """The twin of the test above: t - Phi^-1(u Phi(t)) loses the law far below zero."""
    u = jax.random.uniform(jax.random.key(3), (20_000,), jnp.float32, 1e-7, 1.0)
    single = jnp.full(20_000, t, jnp.float32)
    naive = np.asarray(single - jax.scipy.special.ndtri(u * jax.scipy.special.ndtr(single)), np.float64)
    holds = np.isfinite(naive).all() and scipy.stats.kstest(naive, distribution(Rectified(), t)).pvalue > 1e-3
    assert holds == (t > -13)


@pytest.mark.parametrize("unit", [*FINITE, *REAL], ids=str)
def test_the_field_of_a_mean(unit):
    means = unit.mean(jnp.asarray(np.random.default_rng(4).normal(scale=2, size=(3, 2 * unit.q))))
    field = unit.field_of(means)
    np.testing.assert_allclose(unit.mean(field), means, rtol=1e-10)
    if isinstance(unit, Potts):
        np.testing.assert_allclose(field.reshape(3, 2, unit.q).sum(axis=-1), 0, atol=1e-12)


def test_lattice_configurations_become_statistics():
    spins = jnp.array([1.0, -1.0, 1.0])
    assert Spin().encode(spins).tolist() == [1, -1, 1]
    assert Binary().encode(spins).tolist() == [1, 0, 1]
    assert Potts(3).encode(jnp.array([2.0, 0.0])).tolist() == [0, 0, 1, 1, 0, 0]
    assert Gaussian().encode(jnp.array([0.5])).tolist() == [0.5]


@pytest.mark.parametrize(
    ("unit", "bad", "message"),
    [
        (Spin(), [1, -1, 0], r"data holds 0 \(1 of 3 values\).*2 x - 1"),
        (Binary(), [[1, -1], [0, -1]], r"data holds -1 \(2 of 4.*\(x \+ 1\)/2"),
        (Binary(), [0.25], r"holds 0.25.*threshold"),
        (Gaussian(), [np.inf], r"holds inf.*check_normalisable"),
        (Rectified(), [-0.5, np.nan], r"holds -0.5 \(2 of 2.*'gaussian'"),
        (Potts(3), [1, 0], r"shape \(2,\), not \[..., n \* 3\].*encode"),
        (Potts(3), [1, 0, 2], r"holds 2.*one-hot"),
        (Potts(3), [1, 0, 1], r"2 colours at once"),
        (Potts(3), [0, 0, 0], r"0 colours at once"),
    ],
)
def test_data_outside_the_domain(unit, bad, message):
    with pytest.raises(UsageError, match=message):
        unit.check(np.asarray(bad), "data")


def test_units_by_name():
    assert set(UNITS) == {"spin", "binary", "gaussian", "rectified", "potts"}
    assert build_unit("gaussian", variance=2.0) == Gaussian(2.0) != Gaussian(1.0)
    assert build_unit(Spin()) == Spin()
    assert len({hash(build_unit("potts", q=3)), hash(Potts(3))}) == 1
    assert jax.tree.leaves([Potts(3), Gaussian(2.0)]) == []  # static: they can be part of a compiled function
    for arguments, message in [
        (("spinn", {}), "Did you mean 'spin'"),
        (("potts", {}), "missing a required argument: 'q'"),
        (("spin", {"q": 3}), "unexpected keyword argument 'q'"),
        ((Spin(), {"q": 3}), "made already"),
        (("potts", {"q": 1}), "at least 2"),
        (("gaussian", {"variance": 0.0}), "positive"),
    ]:
        with pytest.raises(UsageError, match=message):
            build_unit(arguments[0], **arguments[1])
