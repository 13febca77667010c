"""The matrix continued fraction, its fixed point, its linearisation and the end of its existence."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.layered import (
    beta_function,
    continued_fraction,
    deepest_uniform_chain,
    joint_precision,
    linearised_step,
    random_machine,
    schur_complement,
    symbol_minimum,
    uniform_fixed_point,
)
from deeprg.runs.errors import NumericalError, UsageError


def uniform(size, seed, margin):
    """A precision and a coupling whose symbol has the smallest eigenvalue `margin`."""
    rng = np.random.default_rng(seed)
    w, s = rng.normal(size=(size, size)), rng.normal(size=(size, size))
    lam = s @ s.T
    return lam + (margin - symbol_minimum(lam, w)) * np.eye(size), w


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 10**6))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_the_continued_fraction_is_the_schur_complement(sizes, seed):
    machine = random_machine((1, *sizes), seed=seed, margin=0.1)
    lam, w, b = machine.precisions, machine.couplings[1:], machine.biases
    chain = continued_fraction(lam, w, b)
    joint = joint_precision(lam, w)
    edges = np.cumsum([0, *sizes])
    for layer, size in enumerate(sizes):
        tail = joint[edges[layer] :, edges[layer] :]
        np.testing.assert_allclose(chain.precisions[layer], schur_complement(tail, size), atol=1e-12)
        np.testing.assert_allclose(
            chain.precisions[layer], np.linalg.inv(np.linalg.inv(tail)[:size, :size]), atol=1e-11
        )
        mean = np.linalg.solve(tail, np.concatenate(b[layer:]))[:size]
        np.testing.assert_allclose(
            np.linalg.solve(chain.precisions[layer], chain.biases[layer]), mean, atol=1e-11
        )
        assert chain.smallest[layer] == pytest.approx(np.linalg.eigvalsh(chain.precisions[layer])[0])


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.integers(0, 10**6), st.floats(0.5, 2.0))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_it_exists_if_and_only_if_the_joint_precision_is_positive(sizes, seed, strength):
    machine = random_machine((1, *sizes), seed=seed, margin=0.3)
    w = [strength * coupling for coupling in machine.couplings[1:]]
    smallest = np.linalg.eigvalsh(joint_precision(machine.precisions, w))[0]
    if smallest > 1e-9:
        assert min(continued_fraction(machine.precisions, w).smallest) > 0
    elif smallest < -1e-9:
        with pytest.raises(NumericalError, match="not positive definite"):
            continued_fraction(machine.precisions, w)


def test_the_norm_condition_of_two_layers():
    machine = random_machine((1, 3, 2), seed=0, margin=0.3)
    (ly, lz), w = machine.precisions, machine.couplings[1]

    def root(matrix):
        values, vectors = np.linalg.eigh(matrix)
        return vectors @ np.diag(values**-0.5) @ vectors.T

    norm = np.linalg.norm(root(ly) @ w @ root(lz), 2)
    assert norm == pytest.approx(0.7)  # one minus the margin
    continued_fraction((ly, lz), (0.999 / norm * w,))
    with pytest.raises(NumericalError, match="Layer 0"):
        continued_fraction((ly, lz), (1.001 / norm * w,))


@pytest.mark.parametrize(("lam", "w"), [(2.5, 1.0), (3.0, -1.2), (1.0, 0.499), (2.0, 0.0)])
def test_the_scalar_fixed_point(lam, w):
    point = uniform_fixed_point(lam, w)
    fixed = (lam + math.sqrt(lam**2 - 4 * w**2)) / 2
    assert float(point.precision[0, 0]) == pytest.approx(fixed, rel=1e-14)
    assert float(point.eigenvalues[0]) == pytest.approx(w**2 / fixed**2, rel=1e-13)
    assert point.symbol_minimum == pytest.approx(lam - 2 * abs(w))
    chain = continued_fraction([[[lam]]] * 1500, [[[w]]] * 1499)
    assert float(chain.precisions[0][0, 0]) == pytest.approx(fixed, rel=1e-12)
    other = (lam - math.sqrt(lam**2 - 4 * w**2)) / 2
    if w:
        assert float(beta_function(other, lam, w)[0, 0]) == pytest.approx(0, abs=1e-10)
        assert float(linearised_step(other, w)[0, 0]) == pytest.approx(fixed**2 / w**2, rel=1e-9)  # repels


def test_the_marginal_point_has_eigenvalue_one():
    point = uniform_fixed_point(2.0, 1.0)
    assert float(point.precision[0, 0]) == 1.0
    assert float(point.eigenvalues[0]) == 1.0
    assert point.correlation_depth == math.inf
    with pytest.raises(NumericalError, match="no fixed point"):
        uniform_fixed_point(2.0, 1.0001)


def test_the_depth_over_which_correlations_decay():
    lam, w, depth = 2.2, 1.0, 60
    inverse = np.linalg.inv(joint_precision([[[lam]]] * depth, [[[w]]] * (depth - 1)))
    middle = inverse[0, 1:20] / inverse[0, :19]
    expected = math.exp(-1 / uniform_fixed_point(lam, w).correlation_depth)
    np.testing.assert_allclose(middle, expected, rtol=1e-8)


@pytest.mark.parametrize(("size", "seed", "margin"), [(2, 0, 0.3), (3, 1, 0.05), (5, 2, 1.0), (4, 3, 0.5)])
def test_the_matrix_fixed_point(size, seed, margin):
    lam, w = uniform(size, seed, margin)
    point = uniform_fixed_point(lam, w)
    np.testing.assert_allclose(beta_function(point.precision, lam, w), 0, atol=1e-12)
    assert point.symbol_minimum == pytest.approx(margin)
    chain = continued_fraction([lam] * 300, [w] * 299)
    np.testing.assert_allclose(chain.precisions[0], point.precision, atol=1e-11)
    full = np.linalg.eigvals(linearised_step(point.precision, w))
    assert len(point.eigenvalues) == size * (size + 1) // 2
    assert np.abs(point.eigenvalues[0]) == pytest.approx(np.abs(full).max(), rel=1e-10)
    for value in point.eigenvalues:
        assert np.abs(full - value).min() < 1e-10
    assert np.abs(point.eigenvalues).max() < 1


@pytest.mark.parametrize(("size", "seed"), [(2, 0), (3, 1)])
def test_matrices_at_and_beyond_the_end(size, seed):
    lam, w = uniform(size, seed, 0.0)
    point = uniform_fixed_point(lam, w)
    np.testing.assert_allclose(beta_function(point.precision, lam, w), 0, atol=1e-10)
    assert np.abs(point.eigenvalues[0]) == pytest.approx(1, abs=1e-5)
    beyond = lam - 0.05 * np.eye(size)
    with pytest.raises(NumericalError, match="no fixed point"):
        uniform_fixed_point(beyond, w)
    with pytest.raises(NumericalError, match="Layer"):
        continued_fraction([beyond] * 200, [w] * 199)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1000))
@settings(derandomize=True, max_examples=20, deadline=None)
def test_the_linearisation_equals_finite_differences(above, below, seed):
    rng = np.random.default_rng(seed)
    s, w = rng.normal(size=(below, below)), rng.normal(size=(above, below))
    marginal, direction = s @ s.T + np.eye(below), rng.normal(size=(below, below))
    direction = direction + direction.T
    step = 1e-5

    def flow(a):
        return -w @ np.linalg.solve(a, w.T)

    slope = (flow(marginal + step * direction) - flow(marginal - step * direction)) / (2 * step)
    expected = linearised_step(marginal, w) @ direction.ravel()
    np.testing.assert_allclose(slope.ravel(), expected, atol=1e-7)


@pytest.mark.parametrize("w", [1.3, 1.05, 1.01, 1.001, -1.01])
def test_the_deepest_chain_beyond_the_end(w):
    deepest = int(deepest_uniform_chain(2.0, w))
    continued_fraction([[[2.0]]] * deepest, [[[w]]] * (deepest - 1))
    with pytest.raises(NumericalError, match="Layer 0 "):
        continued_fraction([[[2.0]]] * (deepest + 1), [[[w]]] * deepest)


def test_the_deepest_chain_at_exact_cosines():
    # lam/(2 w) = cos(pi/3) = 1/2: two layers are exactly marginal, so one is the deepest that exists
    assert deepest_uniform_chain(1.0, 1.0) == 1
    assert deepest_uniform_chain(-1.0, 0.0) == 0
    assert deepest_uniform_chain(2.0, 1.0) == math.inf


def test_inputs_that_are_refused():
    with pytest.raises(UsageError, match="2 layers needs 1 couplings"):
        continued_fraction([[[1.0]], [[1.0]]], [])
    with pytest.raises(UsageError, match="precision of layer 1 must be symmetric"):
        continued_fraction([[[1.0]], [[1.0, 0.5], [0.0, 1.0]]], [[[0.1, 0.1]]])
    with pytest.raises(UsageError, match="as many biases"):
        continued_fraction([[[1.0]]], [], [[0.0], [0.0]])
    with pytest.raises(UsageError, match="kept = 3"):
        schur_complement(np.eye(2), 3)
    with pytest.raises(NumericalError, match="smallest eigenvalue is -1"):
        schur_complement(np.diag([1.0, -1.0]), 1)
    with pytest.raises(UsageError, match="coupling has shape"):
        uniform_fixed_point(np.eye(2), 1.0)
    with pytest.raises(UsageError, match="symmetric"):
        uniform_fixed_point([[1.0, 0.5], [0.0, 1.0]], np.eye(2))
    with pytest.raises(UsageError, match="finite"):
        deepest_uniform_chain(math.nan, 1.0)
