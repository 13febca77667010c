"""Samples with their weights, and ln Z from a flow that was trained for seconds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from deeprg.coarsegrain.flow import ReverseKL, build_flow, draw, draws
from deeprg.exact import reference
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import importance_summary, reweighted
from deeprg.runs.errors import UsageError

OPTIMISED = True
KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def small():
    """An untrained flow in float32 and its Hamiltonian."""
    hamiltonian = build_hamiltonian("ising", Lattice((2, 2)))
    return build_flow(hamiltonian, scalar="affine", width=3, depth=1, disentanglers=0, key=KEY), hamiltonian


def test_weights_are_those_of_the_fields(small):
    flow, hamiltonian = small
    result = draw(flow, hamiltonian, 20, key=KEY, fields=True)
    assert result.fields.shape == (20, 2, 2)
    assert result.log_weights.dtype == np.float64
    for number, x in enumerate(result.fields):
        x = jnp.asarray(x)
        log_weight = -hamiltonian.energy(x) - flow.log_prob(x)
        assert float(log_weight) == pytest.approx(result.log_weights[number], rel=1e-4, abs=1e-4)
        for name, value in hamiltonian.observables(x).items():
            np.testing.assert_allclose(result.observables[name][number], value, rtol=1e-4, atol=1e-5)
    assert result.observables["correlation"].shape == (20, 2, 2)


def test_a_sample_depends_on_the_key_and_its_number_alone(small):
    flow, hamiltonian = small
    whole = draw(flow, hamiltonian, 23, key=KEY, batch=100, fields=True)
    chunks = list(draws(flow, hamiltonian, 23, key=KEY, batch=5, fields=True))
    assert [len(chunk.log_weights) for chunk in chunks] == [5, 5, 5, 5, 3]
    joined = draw(flow, hamiltonian, 23, key=KEY, batch=5, fields=True)
    fewer = draw(flow, hamiltonian, 5, key=KEY, fields=True)
    # In float32 products of other widths round differently.
    np.testing.assert_allclose(joined.fields, whole.fields, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(joined.log_weights, whole.log_weights, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fewer.log_weights, whole.log_weights[:5], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([c.log_weights for c in chunks]), joined.log_weights)
    other = draw(flow, hamiltonian, 5, key=jax.random.key(9), fields=True)
    assert np.abs(other.fields - fewer.fields).max() > 0.1
    assert len(np.unique(whole.log_weights)) > 10


def test_fields_are_left_out_unless_wanted(small):
    assert draw(*small, 5, key=KEY).fields is None


@pytest.mark.parametrize(("n", "batch"), [(0, 10), (-1, 10), (10, 0)])
def test_no_samples_are_refused(small, n, batch):
    with pytest.raises(UsageError, match="At least one sample"):
        list(draws(*small, n, key=KEY, batch=batch))


def trained(size, steps, batch, **options):
    hamiltonian = build_hamiltonian("ising", Lattice((size, size)), shift=1.0)
    flow = build_flow(hamiltonian, key=KEY, **options)
    objective = ReverseKL(hamiltonian)
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, steps))
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)

    @jax.jit
    def train(parameters):
        def step(carry, key):
            parameters, state = carry
            loss = lambda p: objective(eqx.combine(p, static), jax.random.split(key, batch))[0]
            updates, state = optimiser.update(jax.grad(loss)(parameters), state)
            return (optax.apply_updates(parameters, updates), state), None

        start = parameters, optimiser.init(parameters)
        return jax.lax.scan(step, start, jax.random.split(jax.random.key(4), steps))[0][0]

    with jax.numpy_dtype_promotion("standard"):  # optax relies on it
        return eqx.combine(train(parameters), static), hamiltonian


def check(flow, hamiltonian, wrong):
    result = draw(flow, hamiltonian, 100_000, key=jax.random.key(8), batch=5000)
    summary = importance_summary(result.log_weights)
    exact = reference(hamiltonian)
    assert summary.ess > 0.3
    assert abs(summary.log_partition - exact.log_partition) < 3 * summary.log_partition_error
    assert -summary.free_energy < exact.log_partition
    for name in ("energy_per_site", "abs_magnetization"):
        if name in exact.observables:
            mean, error = reweighted(result.observables[name], result.log_weights)
            assert abs(mean - exact.observables[name]) < 4 * error, name
    # The twin: the same weights against another temperature.
    assert abs(summary.log_partition - reference(wrong).log_partition) > 5 * summary.log_partition_error
    return summary


def test_reweighted_log_partition_on_4x4():
    flow, hamiltonian = trained(4, steps=150, batch=128, width=12, depth=1, disentanglers=0)
    wrong = build_hamiltonian("ising", Lattice((4, 4)), shift=1.0, temperature=2.3)
    check(flow, hamiltonian, wrong)


@pytest.mark.slow
def test_reweighted_log_partition_on_8x8():
    flow, hamiltonian = trained(8, steps=1500, batch=256, width=16)
    wrong = build_hamiltonian("ising", Lattice((8, 8)), shift=1.0, temperature=2.3)
    check(flow, hamiltonian, wrong)
