"""What the tests of the flows share: weights far from the start of a training, dense Jacobians."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(scope="module", autouse=True)
def quick_compilation(request):
    """Most of the time is compilation of code that runs once; a module that trains says `OPTIMISED`."""
    if getattr(request.module, "OPTIMISED", False):
        yield
        return
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()  # functions compiled this way round differently: no later test may reuse them


@pytest.fixture(scope="session")
def perturbed():
    """`perturbed(module, seed=0, size=0.3)`: the module with normal noise on every trainable number."""

    def perturbed(module, seed=0, size=0.3):
        rng = np.random.default_rng(seed)

        def noisy(leaf):
            if not eqx.is_inexact_array(leaf):
                return leaf
            return leaf + jnp.asarray(size * rng.normal(size=leaf.shape), leaf.dtype)

        return jax.tree.map(noisy, module)

    return perturbed


@pytest.fixture(scope="session")
def dense():
    """`dense(function, zs)` of z -> (x, log-det), one sample at a time along the last axis of zs.

    x [samples, n], log-det [samples], dx/dz [samples, n, n] and the log-det's gradient [samples, n].
    """

    def dense(function, zs):
        def twice(z):
            out = function(z)
            return out, out

        def one(z):
            (dx, slope), (x, log_det) = jax.jacfwd(twice, has_aux=True)(z)
            return x.reshape(-1), log_det, dx.reshape(z.size, z.size), slope.reshape(-1)

        return jax.vmap(one)(jnp.moveaxis(zs, -1, 0))

    return dense
