"""Two-point functions against loops, and fits of scaling dimensions against laws that are known."""

import itertools

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import BlockAverage, Majority, coarsen_ensemble
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers import build_sampler
from deeprg.probes import TwoPoint, coarse_two_point, energy_operator, scaling_dimension, two_point
from deeprg.runs.errors import NumericalError, UsageError


def energies_by_hand(x):
    """s_i times the mean of s over the neighbours, one site at a time."""
    neighbours = Lattice(x.shape).neighbours()
    flat = x.reshape(-1)
    return np.array([flat[i] * flat[there].mean() for i, there in enumerate(neighbours)]).reshape(x.shape)


@pytest.mark.parametrize("shape", [(7,), (6, 6), (4, 6), (4, 4, 4)])
@pytest.mark.parametrize("operator", ["spin", "energy"])
@pytest.mark.parametrize("connected", [False, True])
def test_two_point_functions_equal_loops(shape, operator, connected):
    x = np.random.default_rng(0).choice([-1, 1], p=[0.3, 0.7], size=(2, 30, *shape)).astype(np.int8)
    found = two_point(x, operator, connected=connected, blocks=10)
    longest = max(shape)
    axes = [a for a, extent in enumerate(shape) if extent == longest]
    fields = x.reshape(-1, *shape).astype(float)
    if operator == "energy":
        fields = np.stack([energies_by_hand(field) for field in fields])
    offset = fields.mean() ** 2 if connected else 0.0
    for r in range(longest // 2 + 1):
        products = [fields * np.roll(fields, -r, axis=1 + axis) for axis in axes]
        assert found.value[r] == pytest.approx(np.mean(products) - offset, abs=1e-6)
    assert found.extent == longest
    assert "replicas" not in found.to_dict()


def test_the_energy_operator_sums_to_the_energy():
    x = np.random.default_rng(0).choice([-1.0, 1.0], size=(5, 4, 6))
    ising = Ising(Lattice((4, 6)), temperature=1.0)
    for field in x:
        expected = float(ising.energy(jax.numpy.asarray(field)))
        assert -2 * energy_operator(field, 2).sum() == pytest.approx(expected)


def test_the_energy_is_connected_and_the_spin_is_not_by_default():
    x = np.ones((1, 40, 8))
    x[0, ::2] *= -1
    assert two_point(x).value.tolist() == [1.0] * 5
    assert two_point(x, "energy").value.tolist() == [0.0] * 5


def synthetic(rng, law, *, extent=64, noise=0.05, blocks=20):
    """A curve with jackknife replicas whose noise at neighbouring distances is correlated."""
    r = np.arange(extent // 2 + 1)
    exact = law(np.maximum(r, 1))
    rough = rng.normal(size=(blocks, r.size))
    rough = (rough + np.roll(rough, 1, axis=1)) / np.sqrt(2)
    parts = exact * (1 + noise * rough)
    value = parts.mean(axis=0)
    replicas = (parts.sum(axis=0) - parts) / (blocks - 1)
    error = parts.std(axis=0, ddof=1) / np.sqrt(blocks)
    return TwoPoint("spin", False, extent, r, value, error, replicas)


LAWS = {
    (): lambda r: 0.7 * r**-0.25,
    (1,): lambda r: 0.7 * r**-0.25 * np.exp(0.9 * r / 64),
    (1, 2): lambda r: 0.7 * r**-0.25 * np.exp(0.9 * r / 64 + 2.0 * (r / 64) ** 2),
}


@pytest.mark.parametrize("corrections", LAWS)
def test_power_laws_are_fitted_exactly(corrections):
    rng = np.random.default_rng(0)
    curve = synthetic(rng, LAWS[corrections], noise=1e-9)
    found = scaling_dimension(curve, corrections=corrections)
    assert found.value == pytest.approx(0.125, abs=1e-6)
    assert found.amplitude == pytest.approx(0.7, abs=1e-6)
    np.testing.assert_allclose(found.coefficients, [0.9, 2.0][: len(corrections)], atol=1e-5)
    np.testing.assert_allclose(found.curve(curve.r[3:], 64), LAWS[corrections](curve.r[3:]), rtol=1e-6)
    assert found.window == (3, 16)
    if corrections:
        assert abs(scaling_dimension(curve, corrections=()).value - 0.125) > 0.01


def test_the_chord_is_the_law_of_a_long_cylinder():
    rng = np.random.default_rng(0)
    curve = synthetic(rng, lambda r: np.sin(np.pi * r / 64) ** -0.25, noise=1e-9)
    found = scaling_dimension(curve, distance="chord", corrections=(), window=(2, 32))
    assert found.value == pytest.approx(0.125, abs=1e-6)
    assert scaling_dimension(curve, corrections=(), window=(2, 32)).value < 0.11


def test_errors_are_the_spread_of_fits():
    """Over 200 curves with correlated noise the squared pulls average to 1; for Δ = 0.1 they do not."""
    rng = np.random.default_rng(0)
    fits = [scaling_dimension(synthetic(rng, LAWS[1,]), corrections=(1,)) for _ in range(200)]
    values, errors = np.array([f.value for f in fits]), np.array([f.error for f in fits])
    # Student's t with 19 degrees of freedom has the variance 19/17.
    assert np.mean(((values - 0.125) / errors) ** 2) == pytest.approx(19 / 17, abs=0.35)
    assert np.mean(((values - 0.1) / errors) ** 2) > 3


def torus(r, extent):
    """G_σ of the critical Ising model on the square torus, |θ1'/θ1(z)|^¼ Σ|θ_ν(z/2)|/Σ|θ_ν(0)|, z = r/L.

    P. Di Francesco, H. Saleur, J.-B. Zuber, Nucl. Phys. B 290, 527 (1987); nome exp(-π).
    """
    n, q = np.arange(12), np.exp(-np.pi)

    def theta(z):
        angle = np.pi * np.asarray(z)[:, None]
        half = q ** ((n + 0.5) ** 2)
        even = np.where(n == 0, 1.0, 2 * q ** (n**2.0))
        return [
            np.abs(total.sum(axis=1))
            for total in (
                2 * (-1.0) ** n * half * np.sin((2 * n + 1) * angle),
                2 * half * np.cos((2 * n + 1) * angle),
                even * np.cos(2 * n * angle),
                (-1.0) ** n * even * np.cos(2 * n * angle),
            )
        ]

    slope = abs(np.sum(2 * np.pi * (-1.0) ** n * (2 * n + 1) * q ** ((n + 0.5) ** 2)))
    z = np.asarray(r) / extent
    return (slope / theta(z)[0]) ** 0.25 * sum(theta(z / 2)) / sum(theta(np.zeros(1)))


@pytest.mark.parametrize(("extent", "plain", "corrected"), [(64, 0.0936, 0.1236), (128, 0.0995, 0.1240)])
def test_the_torus_needs_its_correction(extent, plain, corrected):
    r = np.arange(extent // 2 + 1)
    exact = torus(np.maximum(r, 1), extent)
    curve = TwoPoint("spin", False, extent, r, exact, 0 * exact, np.stack([exact] * 10))
    window = (4, extent // 4)
    assert scaling_dimension(curve, window=window, corrections=()).value == pytest.approx(plain, abs=1e-3)
    assert scaling_dimension(curve, window=window).value == pytest.approx(corrected, abs=2e-4)
    chord = scaling_dimension(curve, window=window, corrections=(), distance="chord").value
    assert abs(chord - 0.125) > 0.015  # the cylinder is another geometry


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    curve = synthetic(rng, LAWS[()])
    for window in ((0, 5), (3, 33), (5, 4), (3, 4)):
        with pytest.raises(UsageError, match="fit window"):
            scaling_dimension(curve, window=window)
    with pytest.raises(NumericalError, match="not above zero at r = 7"):
        scaling_dimension(synthetic(rng, lambda r: np.where(r < 7, 1.0, -1.0)))
    with pytest.raises(UsageError, match="no operator 'stress'"):
        two_point(np.ones((1, 40, 8)), "stress")
    with pytest.raises(UsageError, match="blocks = 9"):
        two_point(np.ones((1, 40, 8)), blocks=9)


@pytest.fixture(scope="module")
def critical():
    return swendsen_wang(CRITICAL_TEMPERATURE, 2000)


def swendsen_wang(temperature, draws):
    sampler = build_sampler("swendsen-wang", [Ising(Lattice((64, 64)), temperature=temperature)], 8)
    state, _ = sampler.thermalise(sampler.start(seed=1, order="mixed"), 300, seed=1)
    return np.swapaxes(sampler.run(state, draws, 2, seed=1, block=0).configurations[:, 0], 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("operator", "exact"), [("spin", 1 / 8), ("energy", 1.0)])
def test_the_critical_ising_model_has_its_dimensions(critical, operator, exact):
    found = scaling_dimension(two_point(critical, operator))
    assert not found.short
    assert abs(found.value - exact) < 3 * found.error
    assert found.error < 0.02
    # Twins: without the correction of the torus, and away from T_c.
    if operator == "spin":
        plain = scaling_dimension(two_point(critical), corrections=())
        assert abs(plain.value - exact) > 10 * plain.error
    hot = two_point(swendsen_wang(1.1 * CRITICAL_TEMPERATURE, 500), operator)
    wrong = scaling_dimension(hot, window=(2, 6), corrections=())
    assert abs(wrong.value - exact) > 5 * wrong.error


@pytest.mark.slow
def test_block_averages_keep_the_spin_dimension(critical):
    """64 x 64 to 32 x 32: r^(2 Δ) G has another amplitude and the same Δ."""
    rule = BlockAverage(Lattice((64, 64)))
    found = scaling_dimension(coarse_two_point(rule, critical, key=jax.random.key(0)))
    assert abs(found.value - 1 / 8) < 3 * found.error


@pytest.mark.parametrize("chained", [False, True])
def test_behind_a_coarse_graining(chained):
    rule, key = Majority(Lattice((6, 6)), ties="random"), jax.random.key(0)
    x = np.random.default_rng(0).choice([-1, 1], size=(2, 40, 6, 6))
    x = x if chained else x[0]
    found = coarse_two_point(rule, x, "energy", key=key, blocks=10)
    coarse = coarsen_ensemble(rule, x, key=key)
    direct = two_point(coarse if chained else coarse[None], "energy", blocks=10)
    np.testing.assert_array_equal(found.value, direct.value)
    np.testing.assert_array_equal(found.error, direct.error)
    assert found.extent == 3


def test_blocks_from_an_iterator_give_the_same_curve():
    x = np.random.default_rng(0).choice([-1, 1], size=(2, 40, 6, 6))
    pieces = (np.swapaxes(x[:, first : first + 8], 0, 1) for first in itertools.count(0, 8) if first < 40)
    pieces = itertools.islice(pieces, 5)
    np.testing.assert_allclose(two_point(pieces).value, two_point(x).value, atol=1e-7)
