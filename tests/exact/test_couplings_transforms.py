"""Walsh-Hadamard and Moebius transforms against their defining sums, in every size class and convention."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact import enumerate_distribution
from deeprg.exact.couplings import (
    configurations,
    inverse_mobius,
    inverse_walsh_hadamard,
    mobius,
    walsh_hadamard,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

small = settings(derandomize=True, max_examples=12, deadline=None)


def products(n, spins):
    """prod_{i in S} x_i for all states and sets, [2^n, 2^n]."""
    x = configurations(n, spins).astype(float)
    sets = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    return np.where(sets[None] == 1, x[:, None], 1.0).prod(axis=-1)


@small
@given(n=st.integers(0, 7), seed=st.integers(0, 2**31))
def test_against_the_defining_sums(n, seed):
    f = np.random.default_rng(seed).normal(size=1 << n)
    np.testing.assert_allclose(walsh_hadamard(f), products(n, "pm").T @ f / (1 << n), rtol=0, atol=1e-13)
    subset = products(n, "binary")  # [S, T] is 1 where T is in S
    size = np.bitwise_count(np.arange(1 << n)).astype(int)
    sign = (-1.0) ** (size[:, None] - size[None])
    np.testing.assert_allclose(mobius(f), (sign * subset) @ f, atol=1e-11)
    np.testing.assert_allclose(products(n, "binary") @ mobius(f), f, atol=1e-11)
    np.testing.assert_allclose(products(n, "pm") @ walsh_hadamard(f), f, atol=1e-12)


@pytest.mark.parametrize("n", [3, 10, 11, 12, 13, 14, 15, 16, 20])
def test_large_sizes_against_matrix_products_and_back(n):
    """The transform of a product space is the product of two small matrices, H_n = H_a x H_b."""
    f = np.random.default_rng(n).normal(size=1 << n)
    for pair, transform, back in (
        ([[0.5, 0.5], [0.5, -0.5]], walsh_hadamard, inverse_walsh_hadamard),
        ([[1, 0], [-1, 1]], mobius, inverse_mobius),
    ):
        high, low = (functools.reduce(np.kron, [np.array(pair)] * bits) for bits in (n // 2, n - n // 2))
        table = f.reshape(len(high), len(low))
        np.testing.assert_allclose(
            transform(f), (high @ table @ low.T).ravel(), rtol=1e-10, atol=1e-15 * 2**n + 1e-12
        )
        np.testing.assert_allclose(back(transform(f)), f, atol=1e-15 * 2**n + 1e-12)
        k = np.random.default_rng(n).integers(-50, 50, 1 << n).astype(float)
        assert (back(transform(k)) == k).all()  # integers are exact whatever the order of the sums


def test_parseval_and_batches():
    f = np.random.default_rng(1).normal(size=(3, 2, 1 << 12))
    J = walsh_hadamard(f)
    np.testing.assert_allclose((J**2).sum(-1), (f**2).mean(-1), rtol=1e-13)
    np.testing.assert_array_equal(J[2, 1], walsh_hadamard(f[2, 1]))
    np.testing.assert_array_equal(walsh_hadamard(f[:, 0]), J[:, 0])


def test_the_argument_is_left_alone():
    f = np.ones(1 << 12)
    walsh_hadamard(f)
    mobius(f)
    assert (f == 1).all()


def test_differentiable_in_jax():
    f = jnp.asarray(np.random.default_rng(0).normal(size=32))

    def weight(f):
        return jnp.sum(inverse_walsh_hadamard(jnp.tanh(walsh_hadamard(f)))[3:9] ** 2) + mobius(f)[7] ** 2

    np.testing.assert_allclose(jax.jit(walsh_hadamard)(f), walsh_hadamard(np.asarray(f)), atol=1e-14)
    np.testing.assert_allclose(jax.jit(inverse_mobius)(f), inverse_mobius(np.asarray(f)), atol=1e-13)
    value, slope = jax.jit(weight), jax.jit(jax.grad(weight))(f)
    for place in (0, 5, 31):
        shift = np.zeros(32)
        shift[place] = 1e-5
        difference = (value(f + shift) - value(f - shift)) / 2e-5
        assert slope[place] == pytest.approx(float(difference), rel=1e-7, abs=1e-8)


def test_the_order_of_states():
    assert configurations(3)[0b001].tolist() == [-1, 1, 1]
    assert configurations(3, "binary")[0b110].tolist() == [0, 1, 1]
    states = enumerate_distribution(Ising(Lattice((3,)), 1.0)).states
    assert (states[::-1] == configurations(3)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: walsh_hadamard(np.ones(6)), "6 values"),
        (lambda: walsh_hadamard(np.array(1.0)), "not one number"),
        (lambda: walsh_hadamard([1.0, np.nan]), "finite"),
        (lambda: configurations(3, "up"), "'pm' means"),
        (lambda: configurations(24), r"2\^24 states.*0.4 GB.*limit=24"),
        (lambda: configurations(60), r"10\^.* GB.*26 is the most"),
        (lambda: configurations(3, limit=30), "0 to 26"),
        (lambda: configurations(-1), "no number"),
        (lambda: walsh_hadamard(np.broadcast_to(1.0, 1 << 21)), r"0.034 GB.*limit=21"),
    ],
)
def test_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
