"""First weights are the numbers of `jax.random`, whatever their shape and size class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow._initial import normals, uniforms

KEY = jax.random.key(3)


@pytest.mark.parametrize("shape", [(), (1,), (7, 3), (1024,), (33, 32), (5, 2, 300)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, None])
def test_they_are_those_of_jax(shape, dtype):
    found, expected = normals(KEY, shape, dtype), jax.random.normal(KEY, shape, dtype)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    found, expected = uniforms(KEY, shape, 0.25, dtype), jax.random.uniform(KEY, shape, dtype, -0.25, 0.25)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_other_keys_give_other_numbers():
    assert not np.any(np.asarray(normals(KEY, (50,))) == np.asarray(normals(jax.random.key(4), (50,))))
