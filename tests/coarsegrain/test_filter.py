"""Block spins read by a filter: against a loop, against frequencies, and the majority as a limit."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain import Decimation, Majority, SpinFilter
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.probes.stability import exact_stability
from deeprg.runs.errors import UsageError


@pytest.mark.parametrize(
    ("shape", "side", "stride", "offset", "first"),
    [
        ((8,), 2, 2, None, 0),
        ((8,), 4, 2, None, -1),
        ((8, 6), 4, 2, None, -1),
        ((6, 6), 3, 3, (1, 2), (1, 2)),
        ((4, 4, 4), 2, 2, None, 0),
    ],
)
def test_the_field_is_a_loop_over_blocks_and_sites(shape, side, stride, offset, first):
    rng = np.random.default_rng(0)
    x, w = rng.choice((-1.0, 1.0), shape), rng.normal(size=(side,) * len(shape))
    rule = SpinFilter(Lattice(shape), w, stride=stride, offset=offset)
    start = (first,) * len(shape) if isinstance(first, int) else first
    for block in itertools.product(*map(range, rule.coarse.shape)):
        total = 0.0
        for r in itertools.product(range(side), repeat=len(shape)):
            there = (stride * b + o + s for b, o, s in zip(block, start, r, strict=True))
            total += w[r] * x[tuple(c % n for c, n in zip(there, shape, strict=True))]
        assert float(rule.field(jnp.asarray(x))[block]) == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("sharp", [False, True])
def test_draws_have_the_stated_law(sharp):
    x = jnp.array([1.0, -1.0, 1.0, 1.0])
    rule = SpinFilter(Lattice((4,)), np.array([0.5, 0.5 if sharp else 0.3]), sharp=sharp)
    drawn = jax.vmap(lambda k: rule.coarsen(x, key=k))(jax.random.split(jax.random.key(0), 20_000))
    total = 0.0
    for coarse in itertools.product((1.0, -1.0), repeat=2):
        frequency = float(np.mean(np.all(np.asarray(drawn) == coarse, axis=1)))
        probability = float(np.exp(rule.log_prob(jnp.array(coarse), x)))
        total += probability
        assert abs(frequency - probability) < 4 * np.sqrt(probability * (1 - probability) / 20_000) + 1e-9
    assert total == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.asarray(drawn).mean(axis=0), rule.mean(x), atol=4 / np.sqrt(20_000))


def test_majority_and_decimation_are_filters():
    square = Ising(Lattice((4, 4)), temperature=CRITICAL_TEMPERATURE)
    corner = np.array([[1.0, 0.0], [0.0, 0.0]])
    for weights, rule in (
        (np.ones((2, 2)), Majority(square.lattice, ties="random")),
        (corner, Decimation(square.lattice)),
    ):
        truth = exact_stability(square, rule)
        sharp = exact_stability(square, SpinFilter(square.lattice, weights, sharp=True))
        steep = exact_stability(square, SpinFilter(square.lattice, 20 * weights))
        turned = exact_stability(square, SpinFilter(square.lattice, -weights, sharp=True))
        np.testing.assert_allclose(turned[1].eigenvalues, truth[1].eigenvalues, rtol=1e-8)
        soft = exact_stability(square, SpinFilter(square.lattice, 0.5 * weights))
        for a, b, c, d in zip(truth, sharp, steep, soft, strict=True):
            np.testing.assert_allclose(b.eigenvalues, a.eigenvalues, rtol=1e-8)
            np.testing.assert_allclose(c.eigenvalues, a.eigenvalues, rtol=1e-8)
            assert np.all(np.abs(np.nan_to_num(d.eigenvalues - a.eigenvalues)[:, 0]) > 0.01)  # twin


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        (np.ones(2), {}, "needs 2 axes"),
        (np.ones((2, 3)), {}, "of one length"),
        (np.full((2, 2), np.nan), {}, "NaN"),
        (np.ones((5, 5)), {}, "at most 4"),
        (np.ones((2, 2)), {"stride": 3}, "do not tile"),
    ],
)
def test_what_is_refused(weights, options, message):
    with pytest.raises(UsageError, match=message):
        SpinFilter(Lattice((4, 4)), weights, **options)
