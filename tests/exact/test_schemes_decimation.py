"""Decimation in closed form against the sum over the decimated spin."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from deeprg.exact import enumerate_states
from deeprg.exact.schemes import (
    decimate_chain,
    decimate_ising_chain,
    decimate_potts_chain,
    decimate_square,
    fixed_point,
    stability,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice

quick = settings(max_examples=25, deadline=None, derandomize=True)
couplings = st.floats(-1.5, 1.5)
SPINS = (1, -1)


@quick
@given(k=couplings, h=couplings)
def test_chain_decimation_is_the_sum_over_the_middle_spin(k, h):
    step = decimate_chain(k, h)
    for left, right in itertools.product(SPINS, repeat=2):
        outer = h * (left + right) / 2
        direct = math.log(sum(math.exp(outer + (k * (left + right) + h) * s) for s in SPINS))
        coarse = step.constant + step.coupling * left * right + step.field * (left + right) / 2
        assert coarse == pytest.approx(direct, abs=1e-12)


@quick
@given(k=couplings)
def test_square_decimation_is_the_sum_over_the_middle_spin(k):
    step = decimate_square(k)
    for corners in itertools.product(SPINS, repeat=4):
        direct = math.log(sum(math.exp(k * sum(corners) * s) for s in SPINS))
        # each of the 4 sides belongs to two summed spins, each of the 2 diagonals to one
        sides = sum(corners[i] * corners[(i + 1) % 4] for i in range(4))
        diagonals = corners[0] * corners[2] + corners[1] * corners[3]
        coarse = step.constant + step.nearest / 2 * sides + step.diagonal * diagonals
        assert coarse + step.quartet * math.prod(corners) == pytest.approx(direct, abs=1e-12)


@quick
@given(k=st.floats(-0.6, 0.6), h=st.floats(-0.6, 0.6))
def test_partition_function_of_a_ring_survives_decimation(k, h):
    def log_z(n: int, coupling: float, field: float) -> float:
        weights = [
            sum(coupling * s[i] * s[(i + 1) % n] + field * s[i] for i in range(n))
            for s in itertools.product(SPINS, repeat=n)
        ]
        return math.log(sum(map(math.exp, weights)))

    step = decimate_chain(k, h)
    coarse = log_z(4, float(step.coupling), float(step.field)) + 4 * float(step.constant)
    assert coarse == pytest.approx(log_z(8, k, h), abs=1e-12)


def test_partition_function_of_a_torus_survives_square_decimation():
    k = 0.3
    fine = enumerate_states(Ising(Lattice((4, 4)), temperature=1 / k)).log_partition
    step = decimate_square(k)
    kept = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
    summed = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2]
    index = {site: n for n, site in enumerate(kept)}
    total = 0.0
    for spins in itertools.product(SPINS, repeat=8):
        action = 0.0
        for i, j in summed:
            around = [((i + 1) % 4, j), (i, (j + 1) % 4), ((i - 1) % 4, j), (i, (j - 1) % 4)]
            s = [spins[index[site]] for site in around]
            action += step.nearest / 2 * sum(s[n] * s[(n + 1) % 4] for n in range(4))
            action += step.diagonal * (s[0] * s[2] + s[1] * s[3]) + step.quartet * math.prod(s)
        total += math.exp(action)
    assert math.log(total) + 8 * step.constant == pytest.approx(fine, abs=1e-12)


@quick
@given(k=st.floats(-2, 3), states=st.integers(2, 5), scale=st.integers(2, 4))
def test_potts_chain_is_a_power_of_its_transfer_matrix(k, states, scale):
    image, constant = decimate_potts_chain(k, states, scale)
    matrix = np.exp(k * np.eye(states))
    direct = np.log(np.linalg.matrix_power(matrix, scale))
    assert constant == pytest.approx(direct[0, 1], abs=1e-12)
    assert constant + image == pytest.approx(direct[0, 0], abs=1e-12)


@quick
@given(k=couplings, scale=st.integers(2, 5))
def test_ising_chain_is_a_power_of_its_transfer_matrix(k, scale):
    image, constant = decimate_ising_chain(k, scale)
    matrix = np.exp(k * np.array([[1, -1], [-1, 1]]))
    direct = np.log(np.linalg.matrix_power(matrix, scale))
    assert_allclose([constant + image, constant - image], direct[0], rtol=0, atol=1e-12)
    assert math.tanh(image) == pytest.approx(math.tanh(k) ** scale, abs=1e-12)


def test_special_values_of_the_chain():
    for k in (0.0, 1e-9, 0.3, 5.0, 200.0, 1e5):
        image = float(decimate_chain(k).coupling)
        assert float(decimate_ising_chain(k, 2)[0]) == pytest.approx(image, abs=1e-12, rel=1e-12)
    assert float(decimate_chain(0.3).coupling) == pytest.approx(0.08507, abs=5e-6)
    assert float(decimate_chain(0.0, 0.7).field) == 0.7
    assert float(decimate_ising_chain(1e5, 2)[0]) == pytest.approx(1e5 - math.log(2) / 2)


def test_closed_forms_have_gradients_and_keep_numpy_float64():
    step = 1e-6
    for function in (lambda k: decimate_chain(k, 0.2).coupling, lambda k: decimate_square(k).quartet):
        slope = jax.grad(function)(jnp.asarray(0.4))
        numeric = (function(0.4 + step) - function(0.4 - step)) / (2 * step)
        assert float(slope) == pytest.approx(float(numeric), abs=1e-9)
    with jax.enable_x64(False):
        assert decimate_chain(np.float32(0.3)).coupling.dtype == np.float64
        assert fixed_point("wilson") == pytest.approx([1 / 3, 1 / 9], abs=1e-12)
        assert stability("wilson").eigenvalues.dtype == np.float64
