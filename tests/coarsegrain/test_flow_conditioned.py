"""Conditioned flows: densities at fixed values, symmetry, gradients, the objective against its members."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Circulant,
    ConditionedFlow,
    ConditionedReverseKL,
    Flow,
    ReverseKL,
    SymmetrisedFlow,
    build_conditioned_flow,
    build_flow,
)
from deeprg.coarsegrain.flow._conditioned import chebyshev
from deeprg.coarsegrain.flow._conditioned_objective import stratified
from deeprg.hamiltonians import GaussianField, HamiltonianFamily, Phi4, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(5)
DUAL = HamiltonianFamily(build_hamiltonian("ising", Lattice((2, 2))), "temperature", 1.8, 3.0)
LOCAL = HamiltonianFamily(build_hamiltonian("ising", Lattice((2, 2)), variable="y"), "temperature", 1.8, 3.0)
ONE = HamiltonianFamily(Phi4(Lattice((1, 1)), -1.0, 0.5), "quartic", 0.3, 0.9)
SMALL = {"width": 3, "depth": 1, "terms": 2, "colours": 1, "radius": 1.5, "disentanglers": 0}


def flow_for(family, perturbed=None, **options):
    flow = build_conditioned_flow(family, dtype=jnp.float64, key=KEY, degree=3, **(SMALL | options))
    return flow if perturbed is None else perturbed(flow, size=0.15)


def trainable(module):
    return [leaf for leaf in jax.tree.leaves(module) if eqx.is_inexact_array(leaf) and leaf.size]


@pytest.mark.parametrize("value", [1.85, 2.9])
def test_density_at_a_temperature_by_the_dense_jacobian(perturbed, dense, value):
    flow = flow_for(DUAL, perturbed).at(value)
    assert isinstance(flow, Flow)
    z = jax.random.normal(KEY, (2, 2, 2))
    x, log_det, jacobian, _ = eqx.filter_jit(lambda flow: dense(flow.bijector.forward, z))(flow)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-9, atol=1e-9)
    pushed, log_q = flow.push(z)
    np.testing.assert_allclose(np.moveaxis(pushed, -1, 0).reshape(2, -1), x, rtol=1e-12, atol=1e-12)
    prior = -0.5 * np.sum(np.asarray(z) ** 2, axis=(0, 1)) - 2 * math.log(2 * math.pi)
    np.testing.assert_allclose(log_q, prior - np.linalg.slogdet(jacobian)[1], rtol=1e-9)
    np.testing.assert_allclose(flow.log_prob(pushed), log_q, rtol=1e-9)
    # The score that is carried along is the gradient of the density.
    _, _, score = flow.push_score(z)
    gradient = eqx.filter_jit(lambda flow, x: jax.grad(lambda x: jnp.sum(flow.log_prob(x)))(x))(flow, pushed)
    np.testing.assert_allclose(score, gradient, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("value", [0.35, 0.8, 1.0])
def test_density_is_normalised_inside_and_outside_the_interval(perturbed, value):
    flow = perturbed(flow_for(ONE), size=0.1)
    x = jnp.linspace(-60.0, 60.0, 40_001)
    density = jnp.exp(flow.at(value).log_prob(x.reshape(1, 1, -1)))
    assert float(jnp.sum(density)) * 120 / 40_000 == pytest.approx(1, abs=1e-9)
    other = jnp.exp(flow.at(0.6).log_prob(x.reshape(1, 1, -1)))
    assert float(jnp.abs(density - other).max()) > 1e-2


def test_odd_at_every_temperature_and_not_without_the_symmetry(perturbed):
    z = jax.random.normal(KEY, (2, 2))
    for value in (1.9, 2.6, 3.4):
        odd = flow_for(DUAL, perturbed).at(value)
        np.testing.assert_allclose(odd.push(-z)[0], -odd.push(z)[0], rtol=1e-12, atol=1e-12)
        assert float(odd.push(-z)[1]) == pytest.approx(float(odd.push(z)[1]), rel=1e-12)
        free = flow_for(DUAL, perturbed, symmetry="none").at(value)
        assert float(jnp.abs(free.push(-z)[0] + free.push(z)[0]).max()) > 0.1


def test_whitening_moves_with_the_temperature_as_that_of_a_fixed_flow():
    """Without slopes the flow at T is the fixed flow of T: the same weights, the whitening of T."""
    for family, value in ((DUAL, 2.7), (LOCAL, 1.9)):
        flow = flow_for(family).at(value)
        fixed = build_flow(family.at(value), dtype=jnp.float64, key=KEY, **SMALL)
        assert any(isinstance(link, Circulant) for link in fixed.bijector.links)
        z = jax.random.normal(KEY, family.lattice.shape)
        for mine, truth in zip(flow.push(z), fixed.push(z), strict=True):
            np.testing.assert_allclose(mine, truth, rtol=1e-11, atol=1e-11)
        elsewhere = build_flow(family.at(value + 0.2), dtype=jnp.float64, key=KEY, **SMALL)
        assert float(jnp.abs(flow.push(z)[0] - elsewhere.push(z)[0]).max()) > 1e-3


def test_average_over_the_sign_is_at_hand_at_every_value(perturbed):
    flow = flow_for(ONE, perturbed, symmetry="mixture").at(0.5)
    assert isinstance(flow, SymmetrisedFlow)
    x = jnp.array([[[0.3, -0.3]]])
    left, right = flow.log_prob(x)
    assert float(left) == pytest.approx(float(right), rel=1e-12)


def test_traced_and_batched_values_give_the_flow_of_a_plain_one(perturbed):
    flow = flow_for(ONE, perturbed)
    z = jax.random.normal(KEY, (1, 1))
    values = jnp.array([0.4, 0.7])
    x, log_q = eqx.filter_jit(jax.vmap(lambda v: flow.at(v).push(z)))(values)
    for i, value in enumerate((0.4, 0.7)):
        alone, log_alone = flow.at(value).push(z)
        np.testing.assert_allclose(x[i], alone, rtol=1e-12)
        assert float(log_q[i]) == pytest.approx(float(log_alone), rel=1e-12)


def test_every_conditioned_weight_of_an_output_gets_a_gradient():
    flow = flow_for(ONE)
    keys = jax.random.split(KEY, 8)
    grad = eqx.filter_grad(lambda flow: ConditionedReverseKL(ONE, values=4)(flow, keys)[0])(flow)
    base, slopes = grad.flow.bijector.base.links[0].net, grad.slopes.bijector.base.links[0].net
    assert slopes.out_bias.shape == (3, *base.out_bias.shape)
    assert (np.abs(np.asarray(slopes.out_bias)) > 1e-4).any(axis=1).all()
    assert np.abs(np.asarray(slopes.bias[0])).max() > 1e-6


def test_features_are_chebyshev_polynomials():
    angles = np.linspace(0.1, 3.0, 5)
    for angle in angles:
        found = chebyshev(jnp.cos(jnp.asarray(angle)), 4)
        np.testing.assert_allclose(found, np.cos(np.arange(1, 5) * angle), atol=1e-12)
    assert chebyshev(jnp.asarray(0.3), 1).tolist() == [0.3]


@pytest.mark.parametrize("estimator", ["path", pytest.param("standard", marks=pytest.mark.slow)])
def test_objective_and_gradient_are_the_mean_over_members(perturbed, estimator):
    """Groups of the batch at their own values, each by `ReverseKL` of the member: value and derivative."""
    flow = flow_for(LOCAL, perturbed)
    keys = jax.random.split(KEY, 6)
    groups = jnp.reshape(keys, (3, 2))
    values = [float(v) for v in stratified(groups[:, 0], 1.74, 3.06, jnp.float64)]
    ends = [1.74, 2.18, 2.62, 3.06]
    assert all(ends[i] <= values[i] <= ends[i + 1] for i in range(3))

    def by_members(flow):
        terms = [
            ReverseKL(LOCAL.at(value), estimator)(flow.at(value), groups[i])[0]
            for i, value in enumerate(values)
        ]
        return sum(terms) / 3

    objective = ConditionedReverseKL(LOCAL, values=3, estimator=estimator)
    (loss, metrics), grad = eqx.filter_jit(
        eqx.filter_value_and_grad(lambda flow: objective(flow, keys), has_aux=True)
    )(flow)
    truth, expected = eqx.filter_jit(eqx.filter_value_and_grad(by_members))(flow)
    assert float(loss) == pytest.approx(float(truth), rel=1e-10)
    assert float(metrics["free_energy"]) == pytest.approx(float(truth), rel=1e-10)
    for mine, theirs in zip(trainable(grad), trainable(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-9)
    assert max(float(jnp.abs(leaf).max()) for leaf in trainable(grad.slopes)) > 1e-3


def test_path_and_standard_gradients_agree_in_expectation(perturbed):
    flow = perturbed(flow_for(ONE), size=0.2)
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)
    keys = jax.random.split(KEY, 6000)

    @eqx.filter_jit
    def gradients(estimator):
        def one(key):
            objective = ConditionedReverseKL(ONE, values=1, estimator=estimator)
            grad = jax.grad(lambda p: objective(eqx.combine(p, static), key[None])[0])(parameters)
            return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(grad)])

        return jax.vmap(one)(keys)

    path, standard = np.asarray(gradients("path")), np.asarray(gradients("standard"))
    gap = path - standard
    error = gap.std(axis=0, ddof=1) / math.sqrt(len(keys))
    moving = error > 1e-12
    assert np.abs(gap.mean(axis=0)[~moving]).max(initial=0) < 1e-9
    assert (np.abs(gap.mean(axis=0)[moving]) / error[moving]).max() < 4.2
    # The test sees what it should: the gradient itself is not zero within its error.
    spread = path.std(axis=0).max() / math.sqrt(len(keys))
    assert np.abs(path.mean(axis=0)).max() > 10 * spread


def test_values_are_stratified_and_new_with_new_keys():
    keys = jax.random.split(KEY, 16)
    first, second = (np.asarray(stratified(k, 1.8, 3.0)) for k in (keys, jax.random.split(keys[0], 16)))
    for values in (first, second):
        assert (np.floor((values - 1.8) / 1.2 * 16) == np.arange(16)).all()
    assert np.abs(first - second).min() > 0


def test_baseline_shifts_the_loss_by_itself_and_no_gradient():
    flow, keys = flow_for(ONE), jax.random.split(KEY, 4)
    coefficients = (2.0, -1.0, 0.5, 0.25)
    plain, shifted = (ConditionedReverseKL(ONE, values=4, baseline=b) for b in ((), coefficients))
    both = [eqx.filter_value_and_grad(lambda f, o=o: o(f, keys)[0])(flow) for o in (plain, shifted)]
    wide = ONE.widened()
    values = stratified(keys, wide.low, wide.high, jnp.float64)
    scaled = [float(wide.scaled(value)) for value in values]
    level = np.polynomial.chebyshev.chebval(scaled, coefficients).mean()
    assert float(both[1][0] - both[0][0]) == pytest.approx(level, abs=1e-12)
    for mine, theirs in zip(trainable(both[0][1]), trainable(both[1][1]), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-14)


def test_exact_flow_of_a_free_field_has_no_gap():
    """One site, x = z/m with ln m linear in the features: the gap vanishes as the degree grows."""
    family = HamiltonianFamily(GaussianField(Lattice((1, 1)), 1.0), "mass_squared", 0.5, 2.0)
    nodes = np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    masses = 1.25 + 0.75 * 1.1 * nodes
    levels = np.polynomial.chebyshev.chebfit(nodes, -0.5 * np.log(masses), 12)
    log_z = np.polynomial.chebyshev.chebfit(nodes, 0.5 * np.log(2 * np.pi / masses), 24)
    flow = build_conditioned_flow(
        family, dtype=jnp.float64, key=KEY, degree=12, scalar="affine", width=2, depth=1
    )
    net = lambda tree: tree.bijector.base.links[0].net
    silent = [jnp.zeros_like(net(flow.flow).out_even), jnp.array([levels[0]])]
    flow = eqx.tree_at(lambda f: [net(f.flow).out_even, net(f.flow).out_bias], flow, silent)
    keys = jax.random.split(KEY, 64)
    objective = ConditionedReverseKL(family, values=16, baseline=tuple(log_z.tolist()))
    assert float(objective(flow, keys)[0]) > 0.01
    exact = eqx.tree_at(lambda f: net(f.slopes).out_bias, flow, jnp.asarray(levels[1:, None]))
    loss, metrics = objective(exact, keys)
    assert abs(float(loss)) < 1e-6
    assert float(metrics["std_log_weight"]) < 1e-5
    assert float(metrics["ess_min"]) > 1 - 1e-9
    grad = eqx.filter_grad(lambda f: objective(f, keys)[0])(exact)
    assert max(float(jnp.abs(leaf).max()) for leaf in trainable(grad)) < 1e-5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: build_conditioned_flow(ONE, degree=0, key=KEY), "degree"),
        (lambda: build_conditioned_flow(ONE, whitening=2.0, key=KEY), "whitening"),
        (lambda: build_conditioned_flow(ONE, widht=3, key=KEY), "Did you mean 'width'"),
        (lambda: ConditionedFlow(flow_for(ONE).flow, DUAL), "the family on"),
        (lambda: ConditionedReverseKL(ONE, estimator="pth"), "estimator"),
        (lambda: ConditionedReverseKL(ONE, values=0), "at least one value"),
        (
            lambda: ConditionedReverseKL(ONE, values=4)(flow_for(ONE), jax.random.split(KEY, 6)),
            "multiple of 4",
        ),
    ],
)
def test_bad_input(make, text):
    with pytest.raises(UsageError, match=text):
        make()
