"""The Gaussian bottleneck against direct log-determinants, perturbations of A, and its limits."""

import math

import numpy as np
import pytest

from deeprg.exact import gaussian_bottleneck
from deeprg.runs.errors import UsageError


def covariances(seed, dx, dy):
    """Random covariances of x, of y and between them, from one positive definite matrix."""
    root = np.random.default_rng(seed).normal(size=(dx + dy, dx + dy + 2))
    joint = root @ root.T
    return joint[:dx, :dx], joint[dx:, dx:], joint[:dx, dx:]


def informations(a, sigma_x, sigma_y, cross):
    """I(T;X) and I(T;Y) of T = A x + noise of unit covariance, by log-determinants."""
    log_det = lambda m: np.linalg.slogdet(m)[1]
    noise = np.eye(len(a))
    given = sigma_x - cross @ np.linalg.solve(sigma_y, cross.T)
    all_of_it = log_det(a @ sigma_x @ a.T + noise)
    return 0.5 * all_of_it, 0.5 * (all_of_it - log_det(a @ given @ a.T + noise))


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (4, 4), (5, 2), (2, 5)])
@pytest.mark.parametrize("beta", [1.5, 4.0, 30.0, 1e4])
def test_formula_is_that_of_determinants(dx, dy, beta):
    for seed in range(5):
        parts = covariances(seed, dx, dy)
        found = gaussian_bottleneck(*parts, beta)
        direct = informations(found.projection, *parts)
        np.testing.assert_allclose((found.information_x, found.information_y), direct, atol=1e-10)
        assert len(found.filters) == np.sum(beta > found.critical_betas) <= min(dx, dy)


def test_eigenvalues_and_directions_are_those_of_the_definition():
    sigma_x, sigma_y, cross = covariances(1, 4, 3)
    found = gaussian_bottleneck(sigma_x, sigma_y, cross, 1e6)
    matrix = (sigma_x - cross @ np.linalg.solve(sigma_y, cross.T)) @ np.linalg.inv(sigma_x)
    expected = np.sort(np.linalg.eigvals(matrix).real)
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-10)
    for row, value in zip(found.filters, found.eigenvalues, strict=False):
        np.testing.assert_allclose(row @ matrix, value * row, rtol=1e-8)
    np.testing.assert_allclose(found.critical_betas[:3], 1 / (1 - expected[:3]), rtol=1e-10)
    assert found.critical_betas[3] == math.inf  # x has one direction more than y


def test_no_perturbation_improves_the_objective():
    rng = np.random.default_rng(2)
    for seed, beta in [(3, 1.5), (4, 3.0), (5, 20.0)]:
        parts = covariances(seed, 4, 3)
        found = gaussian_bottleneck(*parts, beta)

        def objective(a, parts=parts, beta=beta):
            about_x, about_y = informations(a, *parts)
            return about_x - beta * about_y

        assert objective(found.projection) == pytest.approx(found.objective, abs=1e-10)
        scale = 1 / math.sqrt(np.trace(parts[0]))
        steps = [rng.normal(size=(4, 4)) * scale * 10.0**-k for k in range(5) for _ in range(40)]
        assert min(objective(found.projection + step) for step in steps) > found.objective - 1e-12
        # Twin: of an A for another beta some do.
        other = gaussian_bottleneck(*parts, 1.5 * beta).projection
        assert min(objective(other + step) for step in steps) < objective(other) - 1e-6


def test_limits():
    sigma_x, sigma_y, cross = covariances(6, 3, 3)
    joint = np.block([[sigma_x, cross], [cross.T, sigma_y]])
    log_det = lambda m: np.linalg.slogdet(m)[1]
    everything = 0.5 * (log_det(sigma_x) + log_det(sigma_y) - log_det(joint))
    curve = [gaussian_bottleneck(sigma_x, sigma_y, cross, beta) for beta in (0.5, 1.0, 2.0, 10.0, 1e9)]
    assert curve[0].information_x == curve[0].information_y == curve[1].information_x == 0.0
    assert not len(curve[1].filters)
    assert np.all(np.diff([one.information_y for one in curve[1:]]) > 0)
    assert curve[-1].information_y == pytest.approx(everything, abs=1e-7)
    # The slope of the curve is 1/beta.
    near = [gaussian_bottleneck(sigma_x, sigma_y, cross, beta) for beta in (9.999, 10.001)]
    slope = (near[1].information_y - near[0].information_y) / (near[1].information_x - near[0].information_x)
    assert slope == pytest.approx(0.1, rel=1e-4)
    independent = gaussian_bottleneck(np.eye(2), np.eye(2), np.zeros((2, 2)), 1e6)
    assert independent.information_x == independent.information_y == 0.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((2, 3)), np.eye(2), np.zeros((2, 2)), 2.0), "square"),
        ((np.triu(np.ones((2, 2))), np.eye(2), np.zeros((2, 2)), 2.0), "symmetric"),
        ((np.eye(2), np.full((2, 2), np.nan), np.zeros((2, 2)), 2.0), "finite"),
        ((np.ones((2, 2)), np.eye(2), np.zeros((2, 2)), 2.0), "covariance_x is not positive"),
        ((np.eye(2), -np.eye(2), np.zeros((2, 2)), 2.0), "covariance_y is not positive"),
        ((np.eye(2), np.eye(2), np.eye(2), 2.0), "together"),
        ((np.eye(2), np.eye(2), 1.5 * np.eye(2), 2.0), "together"),
        ((np.eye(2), np.eye(3), np.zeros((2, 2)), 2.0), "cross has shape"),
        ((np.eye(2), np.eye(2), np.zeros((2, 2)), 0.0), "beta = 0.0"),
        ((np.eye(2), np.eye(2), np.zeros((2, 2)), math.inf), "beta = inf"),
    ],
)
def test_bad_input_is_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        gaussian_bottleneck(*arguments)
