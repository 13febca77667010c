"""Chains in latents: the pulled-back density, its force, and exact distributions by every method."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from deeprg.coarsegrain.flow import (
    LATENT_METHODS,
    Chain,
    Circulant,
    Flow,
    LatentDensity,
    LatentSampler,
    LatentSimulation,
    SumOfTanh,
    SymmetrisedFlow,
    build_flow,
    conditional_hierarchy,
    sign_group,
    whitening,
)
from deeprg.exact import reference
from deeprg.hamiltonians import Phi4, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.running import simulate
from deeprg.runs.errors import NumericalError, UsageError

KEY = jax.random.key(5)


def dual(side, temperature=2.5, **options):
    return build_hamiltonian("ising", Lattice((side, side)), temperature=temperature, **options)


def flow_on(target, perturbed, *, size=0.15, dtype=jnp.float64, odd=True):
    bijector = conditional_hierarchy(
        target.lattice, SumOfTanh(1), width=3, depth=1, colours=1, odd=odd, dtype=dtype, key=KEY
    )
    wide = Circulant(target.lattice, spectrum=np.full(target.lattice.shape, 1.7))  # the tails of the target
    whole = Chain(perturbed(bijector, size=size), wide, whitening(target, 0.5))
    return Flow(target.lattice, whole, dtype=dtype)


def averaged(flow):
    return SymmetrisedFlow(flow, sign_group())


@pytest.mark.parametrize("side", [pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("mixture", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_pulled_back_density_is_the_direct_one(side, mixture, perturbed, dense):
    """ln p̃(z) = ln π(T(z)) + log|det ∂x/∂z| with the determinant by autodiff, or ln p + ln π - ln q."""
    target = dual(side)
    base = flow_on(target, perturbed, odd=not mixture)
    z = jax.random.normal(KEY, (*target.lattice.shape, 5), jnp.float64)
    x, _, jacobian, _ = dense(base.bijector.forward, z)
    energy = jax.vmap(target.energy)(x.reshape(5, *target.lattice.shape))
    direct = -energy + jnp.linalg.slogdet(jacobian)[1]
    flow = averaged(base) if mixture else base
    if mixture:
        fields = jnp.moveaxis(x.reshape(5, *target.lattice.shape), 0, -1)
        direct = -energy - flow.log_prob(fields) + base.log_prior(z)
    density = LatentDensity(flow, target)
    latents = jnp.moveaxis(z, -1, 0)
    np.testing.assert_allclose(jax.vmap(density)(latents), direct, atol=1e-9, rtol=0)
    np.testing.assert_allclose(
        density.log_weight(latents) + density.log_prior(latents), direct, atol=1e-9, rtol=0
    )


@pytest.mark.parametrize("mixture", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_force_is_the_derivative_one_by_one_and_batched(mixture, perturbed):
    target = dual(4)
    flow = flow_on(target, perturbed, odd=not mixture)
    density = LatentDensity(averaged(flow) if mixture else flow, target)
    z = jax.random.normal(KEY, (3, 4, 4), jnp.float64)
    values, forces = jax.jit(jax.vmap(jax.value_and_grad(lambda z: density(z))))(z)
    alone = jax.jit(lambda z: density(z))
    value, force = jax.value_and_grad(alone)(z[1])
    assert float(values[1]) == pytest.approx(float(value), abs=1e-11)
    np.testing.assert_allclose(forces[1], force, atol=1e-11)
    step = 1e-6
    for site in [(0, 0), (1, 3), (2, 1)]:
        up, down = (alone(z[1].at[site].add(sign * step)) for sign in (1, -1))
        assert float(force[site]) == pytest.approx(float(up - down) / (2 * step), abs=1e-7)


def test_weights_are_arguments_of_the_compiled_program(perturbed):
    target = Phi4(Lattice((2, 2)), mass_squared=-1.0, quartic=1.0)
    plain = build_flow(target, width=3, depth=1, terms=1, dtype=jnp.float64, key=KEY)
    flows = [perturbed(plain, seed=seed) for seed in (0, 1)]
    values = eqx.filter_jit(lambda density, z: jax.value_and_grad(density)(z)[0])
    z = jnp.ones((2, 2))
    first, second = (float(values(LatentDensity(flow, target), z)) for flow in flows)
    assert first != second
    assert first == pytest.approx(float(LatentDensity(flows[0], target)(z)), abs=1e-5)


def sampled(sampler, *, draws, thin, seed=0, warmup=60):
    state, _ = sampler.thermalise(sampler.start(seed=seed, order="hot"), warmup, seed=seed)
    drawn = sampler.run(state, draws, thin, seed=seed, block=0)
    return drawn.configurations[:, 0], drawn.info


def states_of_2x2(spins):
    bits = (spins.reshape(*spins.shape[:2], 4) > 0) @ np.array([1, 2, 4, 8])
    return np.bincount(bits.ravel(), minlength=16)


def law_of_2x2(target):
    spins = 2.0 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1
    weights = np.exp([-float(target.ising.energy(jnp.asarray(s.reshape(2, 2)))) for s in spins])
    return weights / weights.sum()


METHODS = [
    pytest.param(
        name, mixture, marks=pytest.mark.slow if mixture or name in ("latent-nuts", "surrogate") else ()
    )
    for name, mixture in [*((name, False) for name in LATENT_METHODS), ("mixed", True)]
]


@pytest.mark.parametrize(("method", "mixture"), METHODS)
def test_every_method_samples_the_16_states_exactly(method, mixture, perturbed):
    """χ² of the spins of a 2x2 torus, far enough apart to be independent; a wrong temperature must fail."""
    target = dual(2, temperature=3.0, field=0.1)
    flow = flow_on(target, perturbed, odd=False, size=0.05 if method == "surrogate" else 0.15)
    flow = SymmetrisedFlow(flow, (lambda x: x, lambda x: jnp.roll(x, 1, 0))) if mixture else flow
    sampler = LatentSampler(flow, target, chains=500, method=method, redraw=0.7)
    thin = 60 if method == "surrogate" else 6
    spins, info = sampled(sampler, draws=12, thin=thin, warmup=10 * thin)
    counts = states_of_2x2(spins)
    assert stats.chisquare(counts, counts.sum() * law_of_2x2(target)).pvalue > 1e-3
    wrong = law_of_2x2(dual(2, temperature=3.6, field=0.1))
    assert stats.chisquare(counts, counts.sum() * wrong).pvalue < 1e-6
    assert info["updates"][0] == 12 * 500 * thin
    if "hmc" in method:
        assert 0.6 < info["acceptance"][0] < 0.97


class WithoutJacobian(LatentDensity):
    """A wrong target: the energy of the field as if latents were fields."""

    def _log_density(self, z):
        x, _ = self.flow.push(z)
        return -jax.vmap(self.hamiltonian.energy, in_axes=-1)(x)


@pytest.mark.slow
def test_averages_at_4x4_are_exact_and_a_target_without_jacobian_is_not(perturbed):
    target = dual(4)
    flow = flow_on(target, perturbed)
    exact = reference(target).observables

    def pulls(sampler):
        spins, _ = sampled(sampler, draws=60, thin=3)
        series = measure(sampler.hamiltonians[0], spins)
        found = {}
        for name in ("energy_per_site", "abs_magnetization", "magnetization_squared"):
            chain = gamma_method(series[name].T)
            found[name] = (chain.mean - exact[name]) / chain.error
        return found

    right = LatentSampler(flow, target, chains=200)
    assert max(abs(pull) for pull in pulls(right).values()) < 3.5
    wrong = LatentSampler(flow, target, chains=200)
    wrong.density = WithoutJacobian(flow, target)
    assert max(abs(pull) for pull in pulls(wrong).values()) > 8


@pytest.mark.slow
def test_groups_of_chains_do_not_change_the_numbers(perturbed):
    target = dual(2)
    sampler = LatentSampler(flow_on(target, perturbed), target, chains=12)
    state = sampler.start(seed=1, order="hot")
    whole = sampler.run(state, 3, 2, seed=1, block=0)
    sampler.together = 4
    parts = sampler.run(state, 3, 2, seed=1, block=0)
    np.testing.assert_allclose(whole.state["latents"], parts.state["latents"], atol=1e-10)


def test_starts_are_prior_cold_or_both(perturbed):
    target = dual(2)
    sampler = LatentSampler(flow_on(target, perturbed), target, chains=4)
    hot, cold, mixed = (sampler.start(seed=0, order=o)["latents"][0] for o in ("hot", "cold", "mixed"))
    np.testing.assert_allclose(cold, 0.1 * hot, rtol=1e-6)
    for chain, row in enumerate(mixed):
        np.testing.assert_array_equal(row, (hot if chain % 2 else cold)[chain])


def test_an_ensemble_is_of_the_target(perturbed):
    target = dual(4)
    flow = flow_on(target, perturbed, dtype=jnp.float32)
    with pytest.raises(UsageError, match="but the flow's target is Ising spins on 4x4"):
        LatentSimulation.of(flow, target, model="ising", options={"field": 0.2}, samples=64)


@pytest.mark.slow
def test_chains_of_angles_and_of_random_bonds(perturbed, tmp_path):
    """Latent chains of planar spins and of a spin glass against the ring and the enumeration, 4 errors."""
    cases = {
        "xy": (build_hamiltonian("xy", Lattice((4,)), temperature=1.0), {}, 1.3),
        "random-bond": (
            build_hamiltonian("random-bond", Lattice((2, 4)), temperature=1.0),
            {"kind": "pm", "antiferro": 0.5, "disorder_seed": 0},
            0.5,
        ),
    }
    for name, (target, options, wrong) in cases.items():
        flow = build_flow(target, width=3, depth=1, terms=1, disentanglers=0, key=KEY)
        plan = LatentSimulation.of(
            flow, target, model=name, options=options, samples=16_000, chains=200, thermalise=100
        ).plan()
        ensemble = simulate(plan, tmp_path / f"{name}.zarr")
        assert ensemble.configurations(0).shape[2:] == target.spins.lattice.shape
        energies = measure(ensemble.hamiltonian(0), ensemble.configurations(0))["energy_per_site"]
        estimate = gamma_method(np.asarray(energies))
        exact = reference(target).observables["energy_per_site"]
        assert abs(estimate.mean - exact) < 4 * estimate.error
        other = build_hamiltonian(name, target.spins.lattice, temperature=1 + 0.2 * wrong, **options)
        assert abs(estimate.mean - reference(other).observables["energy_per_site"]) > 4 * estimate.error


def test_an_ensemble_of_latent_chains_continues_bit_by_bit(tmp_path, perturbed):
    target = dual(4)
    flow = flow_on(target, perturbed, dtype=jnp.float32)
    flow = eqx.tree_at(lambda f: f.bijector, flow, jax.tree.map(_single, flow.bijector))
    plan = LatentSimulation.of(
        flow, target, model="ising", samples=128, chains=8, thermalise=5, algorithm="mixed"
    ).plan()
    plan = dataclasses.replace(plan, block=4)
    whole = simulate(plan, tmp_path / "whole.zarr")
    asked = iter([False, True])
    cut = simulate(plan, tmp_path / "cut.zarr", should_stop=lambda: next(asked, True))
    assert 0 < cut.valid_draws(0) < cut.draws
    again = simulate(plan, tmp_path / "cut.zarr")
    np.testing.assert_array_equal(again.configurations(0), whole.configurations(0))
    assert again.provenance["model"] == "ising"
    assert again.hamiltonian(0).temperature == 2.5


def _single(leaf):
    return leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf


@pytest.mark.slow
def test_fields_keep_their_own_ensembles(tmp_path):
    target = Phi4(Lattice((4, 4)), mass_squared=-1.0, quartic=1.0)
    flow = build_flow(target, width=3, depth=1, terms=1, colours=1, disentanglers=0, key=KEY)
    options = {"mass_squared": -1.0, "quartic": 1.0}
    plan = LatentSimulation.of(
        flow, target, model="phi4", options=options, samples=64, chains=8, thermalise=5
    ).plan()
    assert plan.algorithm == "latent-hmc"
    ensemble = simulate(plan, tmp_path / "E.zarr")
    assert ensemble.configurations(0).dtype == np.float32
    assert ensemble.provenance["options"] == {"mass_squared": -1.0, "quartic": 1.0}


def test_divergences_are_counted_and_refused(perturbed):
    target = dual(4)
    sampler = LatentSampler(flow_on(target, perturbed), target, chains=20)
    state = {**sampler.start(seed=0, order="hot"), "step_size": np.full(1, 5.0)}
    with pytest.raises(NumericalError, match=r"trajectories of latent-hmc .* diverged"):
        sampler.run(state, 2, 1, seed=0, block=0)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"method": "latent-hcm"}, "latent-hmc"),
        ({"steps": 0}, "at least one leapfrog"),
        ({"redraw": 0.0}, r"\(0, 1\]"),
        ({"redraw": 1.5}, r"\(0, 1\]"),
        ({"chains": 0}, "at least 1"),
    ],
)
def test_what_a_sampler_refuses(choices, message):
    target = Phi4(Lattice((2, 2)), mass_squared=1.0, quartic=1.0)
    flow = Flow(target.lattice, Chain())
    with pytest.raises(UsageError, match=message):
        LatentSampler(flow, target, **{"chains": 2, **choices})


def test_a_density_needs_one_lattice():
    target = Phi4(Lattice((2, 2)), mass_squared=1.0, quartic=1.0)
    with pytest.raises(UsageError, match="4x4"):
        LatentDensity(Flow(Lattice((4, 4)), Chain()), target)
