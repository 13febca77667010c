"""Renormalised energies: against Gaussian marginals, quadrature and the partition function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Chain,
    Circulant,
    Flow,
    MarginalEnergy,
    RenormalisedEnergy,
    SumOfTanh,
    SymmetrisedFlow,
    build_flow,
    coarse_flow,
    conditional_hierarchy,
    hierarchy_of,
    sign_group,
)
from deeprg.exact import reference
from deeprg.hamiltonians import GaussianField, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.probes import field_operators, fit_couplings
from deeprg.runs.errors import UsageError

KEY = jax.random.key(2)


def decimating(lattice, perturbed, size=0.1, odd=True):
    """A flow without disentanglers: what it retains are the field's own values at the even sites."""
    bijector = conditional_hierarchy(
        lattice, SumOfTanh(1), width=3, depth=1, colours=1, odd=odd, dtype=jnp.float64, key=KEY
    )
    return Flow(lattice, perturbed(bijector, size=size), dtype=jnp.float64)


def covariance(target):
    size = target.lattice.size
    basis = jnp.eye(size).reshape(size, *target.lattice.shape)
    hessian = jax.vmap(jax.grad(target.energy))(basis).reshape(size, size)
    return np.linalg.inv(np.asarray(hessian))


def marginal_of_gaussian(target, y):
    """-ln of Z times the normal law of the even sites, [m]."""
    sites = np.arange(target.lattice.size).reshape(target.lattice.shape)[::2, ::2].ravel()
    block = covariance(target)[np.ix_(sites, sites)]
    flat = np.asarray(y).reshape(len(sites), -1)
    form = 0.5 * np.einsum("im,ij,jm->m", flat, np.linalg.inv(block), flat)
    return form + 0.5 * np.linalg.slogdet(2 * np.pi * block)[1] - target.log_partition


@pytest.mark.parametrize("mixture", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_marginal_energy_of_a_gaussian_field_is_the_schur_complement(perturbed, mixture):
    target, unit = GaussianField(Lattice((4, 4)), mass_squared=6.0), 0.33  # about the field's deviation
    flow = decimating(target.lattice, perturbed, size=0.05, odd=not mixture)
    scale = Circulant(target.lattice, spectrum=np.full((4, 4), unit))
    flow = Flow(target.lattice, Chain(flow.bijector, scale), dtype=jnp.float64)
    whole = SymmetrisedFlow(flow, sign_group()) if mixture else flow
    y = jax.random.normal(KEY, (2, 2, 25), jnp.float64)
    energy = RenormalisedEnergy(whole, target, levels=1)
    found = energy.marginal(y, samples=1000, key=KEY)
    assert found.trusted
    if mixture:  # y or -y, whichever sign was drawn for the field: together they have the law of the field
        other = energy.marginal(-y, samples=1000, key=jax.random.key(7))
        parts = np.exp(-np.stack([found.value, other.value]))
        error = np.hypot(*(parts * [found.error, other.error])) / parts.sum(axis=0)
        found = MarginalEnergy(-np.log(parts.mean(axis=0)), error, found.share)
    exact = marginal_of_gaussian(target, unit * y) - 4 * np.log(unit)  # dx = unit dy
    pulls = (found.value - exact) / found.error
    assert np.abs(pulls).max() < 4
    assert np.mean(pulls**2) < 2.2
    other = GaussianField(Lattice((4, 4)), mass_squared=6.6)
    wrong = marginal_of_gaussian(other, unit * y) - 4 * np.log(unit)
    assert np.mean(((found.value - wrong) / found.error) ** 2) > 10


@pytest.mark.parametrize("odd", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_partition_function_is_kept(perturbed, odd):
    """∫ dy exp(-E(y)) = Z for one variable of a 2x2 torus, with disentanglers and whitening."""
    target = build_hamiltonian("ising", Lattice((2, 2)), temperature=6.0, shift=1.0)
    flow = build_flow(
        target, width=3, depth=1, terms=1, dtype=jnp.float64, symmetry="odd" if odd else "none", key=KEY
    )
    flow = perturbed(flow, size=0.05)
    y = jnp.linspace(-9, 9, 73).reshape(1, 1, -1)
    energy = RenormalisedEnergy(flow, target, levels=1)
    found = energy.marginal(y, samples=2000, key=KEY)
    step = float(y[0, 0, 1] - y[0, 0, 0])
    parts = np.exp(-found.value) * step
    error = np.sqrt(np.sum((parts * found.error) ** 2)) / parts.sum()
    assert abs(np.log(parts.sum()) - reference(target).log_partition) < 4 * error
    assert error < 0.03
    model = np.exp(-np.asarray(energy.model(y))) * step  # a density: its partition function is one
    assert model.sum() == pytest.approx(1, abs=1e-4)
    z = jax.random.normal(KEY, (2, 2, 4000), jnp.float64)
    at = jnp.full((1, 1, 4000), 0.7)
    apart = float(jnp.mean(energy.given(at, z)))
    together = energy.marginal(at[..., :1], samples=4000, key=KEY)
    assert together.value[0] < apart + 3 * together.error[0]


@pytest.mark.slow
def test_given_details_the_weight_is_that_of_the_whole_flow(perturbed):
    target = build_hamiltonian("ising", Lattice((4, 4)), temperature=3.0)
    flow = perturbed(build_flow(target, width=3, depth=1, terms=1, dtype=jnp.float64, key=KEY), size=0.1)
    z = jax.random.normal(KEY, (4, 4, 6), jnp.float64)
    x, log_q = flow.push(z)
    y = hierarchy_of(flow).scales(z)[-2]
    energy = RenormalisedEnergy(flow, target, levels=1)
    again, log_weight = energy.refined(y, z)
    np.testing.assert_allclose(again, x, atol=1e-10)
    np.testing.assert_allclose(log_weight, -jax.vmap(target.energy, in_axes=-1)(x) - log_q, atol=1e-9)
    np.testing.assert_allclose(energy.given(y, z), energy.model(y) - log_weight, atol=1e-9)


@pytest.mark.parametrize("levels", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_coarse_flow_makes_what_the_whole_one_makes_on_its_way(perturbed, levels):
    flow = decimating(Lattice((8, 8)), perturbed)
    coarse = coarse_flow(flow, levels)
    z = jax.random.normal(KEY, (8, 8, 3), jnp.float64)
    stride = 2**levels
    x, _ = coarse.push(z[::stride, ::stride])
    np.testing.assert_allclose(x, hierarchy_of(flow).scales(z)[3 - levels], atol=1e-12)


def test_couplings_of_a_gaussian_marginal_are_its_inverse_covariance():
    target = GaussianField(Lattice((8, 8)), mass_squared=0.5)
    sites = np.arange(64).reshape(8, 8)[::2, ::2].ravel()
    inverse = np.linalg.inv(covariance(target)[np.ix_(sites, sites)])
    y = np.random.default_rng(0).normal(size=(4, 4, 500))
    flat = y.reshape(16, -1)
    energies = 0.5 * np.einsum("im,ij,jm->m", flat, inverse, flat) + 3.0
    operators = field_operators(Lattice((4, 4)), bodies=2, reach=3.0)
    fit = fit_couplings(y, energies, operators, scale=1.0)
    found = fit.by_name()
    assert fit.explained == pytest.approx(1, abs=1e-10)
    assert found["y²"][0] == pytest.approx(-0.5 * inverse[0, 0], abs=1e-8)
    # 4 neighbours of half an edge each: the operator averages over 2 displacements
    assert found["y y (1)"][0] == pytest.approx(-2 * inverse[0, 1], abs=1e-8)
    assert found["y y (1.41)"][0] == pytest.approx(-2 * inverse[0, 5], abs=1e-8)
    narrow = fit_couplings(y, energies, operators[:2], scale=1.0)
    assert narrow.explained < 1 - 1e-4


def test_jackknife_errors_of_couplings_are_calibrated():
    operators = field_operators(Lattice((4, 4)), bodies=2, reach=1.0)
    pulls, wrong = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(4, 4, 400))
        energies = 0.4 * operators[0](y, 2) - 0.3 * operators[1](y, 2) + rng.normal(size=400)
        fit = fit_couplings(y, energies, operators, scale=1.0)
        pulls.append((fit.value - [-0.4, 0.3]) / fit.error)
        wrong.append((fit.value - [-0.42, 0.32]) / fit.error)
    assert 0.7 < np.std(pulls) < 1.35
    assert abs(np.mean(pulls)) < 4 / np.sqrt(120)
    assert np.all(np.abs(np.mean(wrong, axis=0)) > 4 / np.sqrt(60))  # wrong couplings are seen


def test_operators_count_each_bond_once():
    y = np.random.default_rng(1).normal(size=(4, 4, 3))
    nearest = field_operators(Lattice((4, 4)), bodies=4, reach=1.0)
    by_name = {operator.name: operator for operator in nearest}
    bonds = sum((y * np.roll(y, 1, axis)).sum(axis=(0, 1)) for axis in (0, 1))
    np.testing.assert_allclose(by_name["y y (1)"](y, 2), bonds / 2)
    corners = (y * np.roll(y, -1, 0) * np.roll(y, -1, 1) * np.roll(y, (-1, -1), (0, 1))).sum(axis=(0, 1))
    np.testing.assert_allclose(by_name["plaquette"](y, 2), corners)
    assert [o.name for o in field_operators(Lattice((1,)), bodies=4)] == ["y²", "y⁴"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, t: RenormalisedEnergy(f, t, levels=3), "2 levels"),
        (lambda f, t: RenormalisedEnergy(Flow(t.lattice, Chain()), t, levels=1), "hierarchy"),
        (lambda f, t: RenormalisedEnergy(f, GaussianField(Lattice((2, 2)), 1.0), levels=1), "2x2"),
        (
            lambda f, t: RenormalisedEnergy(f, t, levels=1).marginal(
                jnp.zeros((2, 2, 1)), samples=3, key=KEY
            ),
            "16 or more",
        ),
        (lambda f, t: field_operators(t.lattice, bodies=3), "2, 4 or 6"),
        (lambda f, t: fit_couplings(np.ones((2, 2, 9)), np.ones(9), field_operators(t.lattice)), "too few"),
        (lambda f, t: fit_couplings(np.ones((2, 2, 9)), np.ones(8), []), "one number each"),
        (
            lambda f, t: fit_couplings(
                np.ones((4, 4, 99)), np.arange(99.0), field_operators(t.lattice, bodies=2, reach=1.0)
            ),
            "constant",
        ),
    ],
)
def test_what_is_refused(call, message, perturbed):
    target = GaussianField(Lattice((4, 4)), mass_squared=1.0)
    with pytest.raises(UsageError, match=message):
        call(decimating(target.lattice, perturbed), target)
