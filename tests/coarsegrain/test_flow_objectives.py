"""Objectives against quadrature and against loops over single samples; what path gradients promise."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Affine,
    Chain,
    Circulant,
    Flow,
    NegativeLogLikelihood,
    ReverseKL,
    SumOfTanh,
    SymmetrisedFlow,
    conditional_hierarchy,
    sign_group,
)
from deeprg.hamiltonians import ContinuousDual, GaussianField, Ising, Phi4
from deeprg.lattice import Lattice

KEY = jax.random.key(2)
ONE = Lattice((1, 1))


def flow_on(lattice, scalar, perturbed, *, odd=True):
    bijector = conditional_hierarchy(
        lattice, scalar, width=3, depth=1, colours=1, odd=odd, dtype=jnp.float64, key=KEY
    )
    return Flow(lattice, perturbed(bijector), dtype=jnp.float64)


@eqx.filter_jit
def _gradients(objective, flow, keys):
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)

    def one(key):
        grad = jax.grad(lambda p: objective(eqx.combine(p, static), key[None])[0])(parameters)
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(grad)])

    return jax.vmap(one)(keys)


def gradients(objective, flow, keys):
    """The gradient for each key alone, [keys, parameters]."""
    return np.asarray(_gradients(objective, flow, keys))


def by_quadrature(hamiltonian, flow, width=12.0, points=4001):
    """F = ∫ q (ln q + H) on one site and its gradient, by the trapezoid rule."""
    x = jnp.linspace(-width, width, points).reshape(1, 1, points)
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)

    def free_energy(p):
        log_q = eqx.combine(p, static).log_prob(x)
        energy = jax.vmap(hamiltonian.energy, in_axes=-1)(x)
        return jnp.sum(jnp.exp(log_q) * (log_q + energy)) * (2 * width / (points - 1))

    value, grad = jax.jit(jax.value_and_grad(free_energy))(parameters)
    return float(value), np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(grad)])


def in_sigmas(samples, truth):
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    moving = error > 1e-12
    assert np.abs(samples.mean(axis=0) - truth)[~moving].max(initial=0) < 1e-9
    return np.abs(samples.mean(axis=0) - truth)[moving] / error[moving]


@pytest.mark.parametrize("average", [False, True], ids=["one flow", "average over the sign"])
def test_both_estimators_are_the_gradient_of_the_free_energy(perturbed, average):
    hamiltonian = Phi4(ONE, mass_squared=-1.0, quartic=0.3)
    flow = flow_on(ONE, Affine() if average else SumOfTanh(1), perturbed, odd=not average)
    if average:
        flow = SymmetrisedFlow(flow, sign_group())
    keys = jax.random.split(KEY, 20_000)
    value, truth = by_quadrature(hamiltonian, flow)
    path, standard = (gradients(ReverseKL(hamiltonian, name), flow, keys) for name in ("path", "standard"))
    assert np.abs(truth).max() > 0.05
    assert in_sigmas(path, truth).max() < 4
    assert in_sigmas(standard, truth).max() < 4
    loss, metrics = ReverseKL(hamiltonian)(flow, keys)
    assert abs(float(loss) - value) < 4 * float(metrics["std_log_weight"]) / np.sqrt(len(keys))


def test_estimators_agree_in_expectation_on_a_lattice_and_one_without_the_score_does_not(perturbed):
    lattice = Lattice((2, 2))
    hamiltonian = ContinuousDual(Ising(lattice, temperature=3.0), shift=1.0)
    flow = flow_on(lattice, Affine(), perturbed)
    keys = jax.random.split(KEY, 20_000)
    path, standard = (gradients(ReverseKL(hamiltonian, name), flow, keys) for name in ("path", "standard"))
    assert in_sigmas(path - standard, 0.0).max() < 4
    assert np.abs(path.mean(axis=0)).max() > 10 * path.std(axis=0).max() / np.sqrt(len(keys))

    def energy_alone(flow, keys):
        x, _ = flow.push(jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys))
        return jnp.mean(jax.vmap(hamiltonian.energy, in_axes=-1)(x)), {}

    gap = gradients(energy_alone, flow, keys) - standard
    assert (np.abs(gap.mean(axis=0)) > 0.01 + 10 * gap.std(axis=0) / np.sqrt(len(keys))).any()


def exact_flow(hamiltonian):
    """A trainable flow that is the law of the Gaussian field: maps at the identity, then the square root."""
    lattice = hamiltonian.lattice
    bijector = conditional_hierarchy(lattice, Affine(), width=4, depth=1, dtype=jnp.float64, key=KEY)
    silent = jax.tree.map(lambda a: jnp.zeros_like(a) if eqx.is_inexact_array(a) else a, bijector)
    outputs = lambda b: [
        getattr(link.net, name)
        for part in (b.base, *b.levels)
        for link in part.links
        for name in ("out_even", "out_odd", "out_bias", "direct")
    ]
    bijector = eqx.tree_at(outputs, bijector, outputs(silent))
    root = Circulant(lattice, spectrum=1 / np.sqrt(hamiltonian.spectrum))
    return Flow(lattice, Chain(bijector, root), dtype=jnp.float64)


def test_path_gradients_vanish_sample_by_sample_where_the_flow_is_exact(perturbed):
    hamiltonian = GaussianField(Lattice((2,)), mass_squared=0.5)
    flow = exact_flow(hamiltonian)
    keys = jax.random.split(KEY, 200)
    path, standard = (gradients(ReverseKL(hamiltonian, name), flow, keys) for name in ("path", "standard"))
    assert np.abs(path).max() < 1e-11
    assert standard.std(axis=0).max() > 0.5
    _, metrics = ReverseKL(hamiltonian)(flow, keys)
    assert float(metrics["free_energy"]) == pytest.approx(-hamiltonian.log_partition, abs=1e-10)
    assert float(metrics["std_log_weight"]) < 1e-10
    assert float(metrics["ess"]) == pytest.approx(1, abs=1e-10)
    # Off the target the variance is back, and grows with the distance.
    near, far = (
        gradients(ReverseKL(hamiltonian), perturbed(flow, size=size), keys).std(axis=0).max()
        for size in (1e-3, 1e-1)
    )
    assert 1e-6 < near < 0.1 * far


@pytest.mark.parametrize("estimator", ["path", "standard"])
def test_value_and_metrics_by_a_loop_over_samples(perturbed, estimator):
    lattice = Lattice((2, 2))
    hamiltonian = Phi4(lattice, mass_squared=-1.0, quartic=1.0)
    flow = flow_on(lattice, SumOfTanh(2), perturbed)
    keys = jax.random.split(KEY, 6)
    loss, metrics = eqx.filter_jit(ReverseKL(hamiltonian, estimator))(flow, keys)
    single = eqx.filter_jit(lambda key: flow.sample(key=key))
    samples = [single(key) for key in keys]
    log_q = np.array([float(log_q) for _, log_q in samples])
    energy = np.array([float(hamiltonian.energy(x)) for x, _ in samples])
    weights = np.exp(-energy - log_q)
    truth = {
        "free_energy": (log_q + energy).mean(),
        "std_log_weight": (log_q + energy).std(),
        "energy": energy.mean(),
        "negentropy": log_q.mean(),
        "ess": weights.sum() ** 2 / (weights**2).sum() / 6,
    }
    assert set(metrics) == set(truth)
    for name, value in truth.items():
        assert float(metrics[name]) == pytest.approx(value, rel=1e-10), name
    assert float(loss) == pytest.approx(truth["free_energy"], rel=1e-10)


def test_negative_log_likelihood_is_minus_the_mean_log_prob(perturbed):
    lattice = Lattice((2, 2))
    flow = flow_on(lattice, SumOfTanh(2), perturbed)
    fields = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2, 2)))
    (loss, metrics), grad = eqx.filter_jit(eqx.filter_value_and_grad(NegativeLogLikelihood(), has_aux=True))(
        flow, fields
    )
    log_prob = eqx.filter_jit(lambda flow, x: flow.log_prob(x))
    truth = np.mean([float(log_prob(flow, x)) for x in fields])
    assert float(loss) == pytest.approx(-truth, rel=1e-12)
    assert float(metrics["log_likelihood"]) == pytest.approx(truth, rel=1e-12)
    # Its gradient, through the numerical inverse, by finite differences along one direction.
    step = perturbed(jax.tree.map(lambda a: 0 * a if eqx.is_inexact_array(a) else a, flow), 5, 1.0)
    along = sum(
        float(jnp.sum(g * d))
        for g, d in zip(
            jax.tree.leaves(eqx.filter(grad, eqx.is_inexact_array)),
            jax.tree.leaves(eqx.filter(step, eqx.is_inexact_array)),
            strict=True,
        )
    )

    def moved(t):
        shifted = jax.tree.map(lambda a, d: a + t * d if eqx.is_inexact_array(a) else a, flow, step)
        return np.mean([float(log_prob(shifted, x)) for x in fields])

    assert along == pytest.approx((moved(-1e-5) - moved(1e-5)) / 2e-5, rel=1e-6)


def test_density_estimation_finds_the_gaussian_field_from_samples():
    """-E[ln q] over exact samples is least at the exact flow: entropy + KL."""
    hamiltonian = GaussianField(Lattice((2,)), mass_squared=0.5)
    flow = exact_flow(hamiltonian)
    fields = jax.vmap(lambda k: hamiltonian.sample(key=k))(jax.random.split(KEY, 4000))
    at = lambda flow: float(NegativeLogLikelihood()(flow, fields)[0])
    entropy = hamiltonian.log_partition + 0.5 * 2
    assert at(flow) == pytest.approx(entropy, abs=4 * np.sqrt(1 / 4000))
    assert at(Flow(flow.lattice, Chain(), dtype=jnp.float64)) > at(flow) + 0.1
