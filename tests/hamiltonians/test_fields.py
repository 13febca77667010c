"""phi^4 against explicit loops, the Gaussian field against dense linear algebra."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.hamiltonians import GaussianField, Phi4
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

SHAPES = [(1,), (2,), (5,), (3, 4), (1, 3), (2, 3, 4)]


def loop(x, gradient, potential):
    """gradient * sum of squared differences + sum of potential(phi), site by site."""
    total = 0.0
    for site in itertools.product(*(range(extent) for extent in x.shape)):
        total += potential(x[site])
        for axis in range(x.ndim):
            there = list(site)
            there[axis] = (there[axis] + 1) % x.shape[axis]
            total += gradient * (x[tuple(there)] - x[site]) ** 2
    return total


@pytest.fixture(params=SHAPES, ids=str)
def field(request):
    return np.random.default_rng(0).normal(size=request.param)


def test_phi4_energy(field):
    model = Phi4(Lattice(field.shape), mass_squared=-4.0, quartic=5.0)
    expected = loop(field, 1.0, lambda p: -4 * p**2 + 5 * p**4)
    assert float(model.energy(jnp.asarray(field))) == pytest.approx(expected, rel=1e-12)
    assert model.energy(jnp.asarray(field, jnp.float32)).dtype == jnp.float32


def test_phi4_from_canonical(field):
    model = Phi4.from_canonical(Lattice(field.shape), mass_squared=-1.3, quartic=0.7)
    expected = loop(field, 0.5, lambda p: -0.65 * p**2 + 0.7 * p**4)
    assert float(model.energy(jnp.asarray(field / math.sqrt(2)))) == pytest.approx(expected, rel=1e-12)


def test_phi4_from_hopping(field):
    kappa, quartic = 0.22, 0.3
    model = Phi4.from_hopping(Lattice(field.shape), kappa, quartic)
    expected = field.size * -quartic
    for site in itertools.product(*(range(extent) for extent in field.shape)):
        expected += field[site] ** 2 + quartic * (field[site] ** 2 - 1) ** 2
    for axis in range(field.ndim):
        expected -= 2 * kappa * np.sum(field * np.roll(field, 1, axis))
    assert float(model.energy(jnp.asarray(math.sqrt(kappa) * field))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("mass_squared", "quartic"), [(-4.0, 5.0), (1.0, 0.2), (0.5, 0.0), (-30.0, 2.0)])
def test_phi4_converters_go_both_ways(field, mass_squared, quartic):
    lattice = Lattice(field.shape)
    model = Phi4(lattice, mass_squared, quartic)
    for divisor in (1, 4, 24):
        canonical = model.to_canonical(divisor)
        back = Phi4.from_canonical(lattice, canonical.mass_squared, canonical.quartic, divisor)
        assert (back.mass_squared, back.quartic) == pytest.approx((mass_squared, quartic), rel=1e-12)
        big = canonical.scale * field
        action = loop(
            big,
            0.5,
            lambda p, c=canonical, d=divisor: 0.5 * c.mass_squared * p**2 + c.quartic / d * p**4,
        )
        assert float(model.energy(jnp.asarray(field))) == pytest.approx(action, rel=1e-11)
    hopping = model.to_hopping()
    back = Phi4.from_hopping(lattice, hopping.kappa, hopping.quartic)
    assert (back.mass_squared, back.quartic) == pytest.approx((mass_squared, quartic), rel=1e-10, abs=1e-12)
    big = hopping.scale * field
    action = np.sum(big**2 + hopping.quartic * (big**2 - 1) ** 2)
    for axis in range(field.ndim):
        action -= 2 * hopping.kappa * np.sum(big * np.roll(big, 1, axis))
    expected = float(model.energy(jnp.asarray(field))) + hopping.constant
    assert action == pytest.approx(expected, rel=1e-10, abs=1e-9)
    assert hopping.constant == pytest.approx(hopping.quartic * field.size)


def test_gaussian_energy(field):
    model = GaussianField(Lattice(field.shape), mass_squared=0.6)
    expected = loop(field, 0.5, lambda p: 0.3 * p**2)
    assert float(model.energy(jnp.asarray(field))) == pytest.approx(expected, rel=1e-12)
    assert model.energy(jnp.asarray(field, jnp.float32)).dtype == jnp.float32


def dense(model):
    """m2 plus the lattice Laplacian, from the list of neighbours."""
    matrix = (model.mass_squared + 2 * model.lattice.ndim) * np.eye(model.lattice.size)
    for site, row in enumerate(model.lattice.neighbours()):
        np.add.at(matrix[site], row, -1.0)
    return matrix


@pytest.mark.parametrize("mass_squared", [0.05, 2.0])
def test_gaussian_partition_function_and_propagator(field, mass_squared):
    model = GaussianField(Lattice(field.shape), mass_squared)
    matrix = dense(model)
    size = model.lattice.size
    expected = 0.5 * (size * math.log(2 * math.pi) - np.linalg.slogdet(matrix)[1])
    assert model.log_partition == pytest.approx(expected, rel=1e-11)
    propagator = np.linalg.inv(matrix)[0].reshape(field.shape)
    np.testing.assert_allclose(model.propagator, propagator, rtol=1e-9, atol=1e-12)


def test_gaussian_samples_have_the_propagator():
    model = GaussianField(Lattice((3, 2)), mass_squared=0.5)
    keys = jax.random.split(jax.random.key(0), 20_000)
    samples = np.asarray(jax.vmap(lambda key: model.sample(key=key))(keys)).reshape(len(keys), -1)

    def score(mass_squared):
        covariance = np.linalg.inv(dense(GaussianField(model.lattice, mass_squared)))
        variances = np.diag(covariance)
        error = np.sqrt((np.outer(variances, variances) + covariance**2) / len(samples))
        return np.abs((samples.T @ samples / len(samples) - covariance) / error).max()

    assert np.abs(samples.mean(axis=0) / (samples.std(axis=0) / math.sqrt(len(samples)))).max() < 4.5
    assert score(0.5) < 4.5
    assert score(0.6) > 6  # the twin with another mass


@pytest.mark.parametrize("model", [Phi4(Lattice((3, 4)), -1.0, 2.0), GaussianField(Lattice((3, 4)), 1.0)])
def test_observables(model):
    x = np.random.default_rng(4).normal(size=(3, 4))
    measured = {name: np.asarray(value) for name, value in model.observables(jnp.asarray(x)).items()}
    assert measured["magnetization"] == pytest.approx(x.mean())
    assert measured["abs_magnetization"] == pytest.approx(abs(x.mean()))
    assert measured["magnetization_squared"] == pytest.approx(x.mean() ** 2)
    assert measured["field_squared"] == pytest.approx((x**2).mean())
    assert measured["action_per_site"] == pytest.approx(float(model.energy(jnp.asarray(x))) / 12)
    for r in itertools.product(range(3), range(4)):
        expected = (x * np.roll(x, (-r[0], -r[1]), (0, 1))).mean()
        assert measured["correlation"][r] == pytest.approx(expected, abs=1e-13)
    assert "weight exp(-S)" in model.describe()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Phi4(Lattice((4,)), 1.0, -1.0), "cannot be normalised"),
        (lambda: Phi4(Lattice((4,)), 0.0, 0.0), "cannot be normalised"),
        (lambda: Phi4(Lattice((4,)), math.nan, 1.0), "mass_squared must be finite"),
        (lambda: Phi4(Lattice((4,)), 1.0, math.inf), "quartic coupling must be finite"),
        (lambda: Phi4.from_hopping(Lattice((4,)), 0.0, 1.0), "kappa must be positive"),
        (lambda: Phi4.from_canonical(Lattice((4,)), 1.0, 1.0, 0.0), "divisor must be positive"),
        (lambda: Phi4(Lattice((4,)), 1.0, 1.0).energy(jnp.zeros(3)), r"shape \(3,\).*shape \(4,\)"),
        (lambda: GaussianField(Lattice((4,)), 0.0), "mass_squared must be positive, not 0.0"),
        (lambda: GaussianField(Lattice((4,)), -1.0), "mass_squared must be positive"),
        (lambda: GaussianField(Lattice((4,)), math.nan), "mass_squared must be finite"),
        (lambda: GaussianField(Lattice((4,)), 1.0).energy(jnp.zeros((2, 4))), "jax.vmap"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
