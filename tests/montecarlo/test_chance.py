"""Random words against JAX's own, probabilities against counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from deeprg.montecarlo.chance import at_odds, below, random_words


@pytest.mark.parametrize("shape", [(), (1,), (7, 5), (3, 4, 5), (300, 300)])
@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg"])
def test_words_are_those_of_jax(shape, implementation):
    for seed in (0, 1, 2**31 + 5):
        key = jax.random.key(seed, impl=implementation)
        assert np.array_equal(random_words(key, shape), jax.random.bits(key, shape, jnp.uint32))


def test_words_of_many_keys_under_jit():
    keys = jax.random.split(jax.random.key(3), 11)
    found = jax.jit(jax.vmap(lambda key: random_words(key, (6,))))(keys)
    assert np.array_equal(found, jax.vmap(lambda key: jax.random.bits(key, (6,), jnp.uint32))(keys))


def pull(hits, p, n):
    return (hits - n * p) / np.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_probabilities(dtype):
    n = 1 << 22
    for number, p in enumerate((1e-5, 1e-3, 0.3, 0.5, 0.97)):
        key = jax.random.fold_in(jax.random.key(0), number)
        hits = int(below(key, jnp.full(n, p, dtype)).sum())
        assert abs(pull(hits, p, n)) < 4
        assert abs(pull(hits, 3 * p / (1 + 2 * p), n)) > 4  # the twin: three times the odds
    assert not below(jax.random.key(1), jnp.zeros(n, dtype)).any()
    assert below(jax.random.key(1), jnp.full(n, 1, dtype)).all()


def test_odds():
    n = 1 << 22
    for number, odds in enumerate((-12.0, -1.0, 0.0, 0.4, 12.0)):
        p = 1 / (1 + np.exp(-odds))
        key = jax.random.fold_in(jax.random.key(5), number)
        found = at_odds(key, jnp.full(n, odds, jnp.float32))
        # the rarer outcome keeps its digits on both sides
        assert (
            stats.binomtest(int((~found).sum() if odds > 0 else found.sum()), n, min(p, 1 - p)).pvalue > 1e-3
        )
        if odds:
            assert np.array_equal(at_odds(key, jnp.full(n, -odds, jnp.float32)), ~found)
