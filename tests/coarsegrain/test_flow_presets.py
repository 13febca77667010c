"""Every preset and layout on the dual of the Ising model, against dense Jacobians."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    LAYOUTS,
    PRESETS,
    PRIORS,
    SCALAR_MAPS,
    Chain,
    Circulant,
    Flow,
    SymmetrisedFlow,
    build_flow,
    layout_options,
    whitening,
)
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice

KEY = jax.random.key(5)
SAMPLES = 2

CASES = [
    pytest.param(
        (name, size),
        marks=pytest.mark.slow if size > 4 or name in ("density", "images", "interval") else [],
        id=f"{name}, L = {size}",
    )
    for name in PRESETS
    for size in (4, 8)
]
# One flow of every layout, with every prior and every symmetry.
SMALL = {
    "conditional": {"layout": "conditional", "width": 4, "depth": 1, "disentanglers": 0, "scalar": "affine"},
    "places": {"layout": "conditional", "width": 4, "depth": 1, "scalar": "affine", "places": 2},
    "mera": {"layout": "mera", "couplings": 2, "hidden": 1, "symmetry": "mixture", "prior": "laplace"},
    "ttn": {"layout": "ttn", "couplings": 2, "hidden": 1, "symmetry": "none", "prior": "uniform"},
    "tebd": {"layout": "tebd", "couplings": 2, "hidden": 1, "layers": 2, "whitening": 1.0},
}


def test_every_layout_and_prior_has_a_case():
    assert {options["layout"] for options in SMALL.values()} == set(LAYOUTS)
    assert {options.get("prior", "gaussian") for options in SMALL.values()} == set(PRIORS)


def ising(size):
    return build_hamiltonian("ising", Lattice((size, size)))


class Results:
    """Samples, densities and dense Jacobians of one flow, from one compilation."""

    def __init__(self, size, options, perturbed, dense):
        self.hamiltonian = ising(size)
        built = build_flow(self.hamiltonian, **options, dtype=jnp.float64, key=KEY)
        # Enough for slopes of all sizes, and for masses that overlap.
        self.flow = perturbed(built, size=0.15)
        base = self.flow.flow if isinstance(self.flow, SymmetrisedFlow) else self.flow
        signs = (1.0, -1.0) if isinstance(self.flow, SymmetrisedFlow) else (1.0,)
        rng = np.random.default_rng(3)
        z = jnp.asarray(rng.uniform(-1.5, 1.5, size=(size, size, SAMPLES)))
        latent = (z, jnp.arange(SAMPLES) % 2) if len(signs) == 2 else z

        def everything(flow, base, latent):
            both = jax.tree.map(lambda a: jnp.concatenate([a, -a], axis=-1), latent)
            pushed = flow.push_score(latent)
            x = pushed[0]
            z = latent
            if len(signs) == 2:
                z, _ = base.bijector.inverse(jnp.concatenate([x, -x], axis=-1))
            log_prior = lambda z: jnp.sum(base.prior.log_density(z), axis=(0, 1))
            return {
                "push": flow.push(both),
                "pushed": pushed,
                "log_prob": flow.log_prob(jnp.concatenate([x, -x], axis=-1)),
                "log_prior": log_prior(z),
                "prior_score": jax.grad(lambda z: jnp.sum(log_prior(z)))(z),
                "dense": dense(base.bijector.forward, z),
            }

        out = jax.tree.map(np.asarray, eqx.filter_jit(everything)(self.flow, base, latent))
        self.__dict__.update(out)
        self.push, self.mirrored_push = (
            tuple(part[..., here] for part in out["push"]) for here in (slice(SAMPLES), slice(SAMPLES, None))
        )
        self.log_prob, self.mirrored_log_prob = np.split(out["log_prob"], 2)
        _, self.base_log_det, jacobian, slope = out["dense"]
        # ln q0 and its score at every image of x, from the dense Jacobian alone.
        logs = self.log_prior - np.linalg.slogdet(jacobian)[1]
        scores = np.linalg.solve(
            np.swapaxes(jacobian, 1, 2), (self.prior_score.reshape(size**2, -1).T - slope)[..., None]
        )[..., 0]
        logs = logs.reshape(len(signs), SAMPLES)
        weights = np.exp(logs - logs.max(axis=0))
        self.true_log_q = logs.max(axis=0) + np.log(weights.mean(axis=0))
        weights = (weights / weights.sum(axis=0))[..., None] * np.array(signs)[:, None, None]
        self.true_score = (weights * scores.reshape(len(signs), SAMPLES, -1)).sum(axis=0)
        self.jacobian_log_det = np.linalg.slogdet(jacobian)[1]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def results(case, perturbed, dense):
    return Results(case[1], PRESETS[case[0]].flow, perturbed, dense)


def test_log_determinant(results):
    np.testing.assert_allclose(results.base_log_det, results.jacobian_log_det, rtol=1e-9, atol=1e-9)


def test_log_q_of_push_is_log_prob_is_that_of_the_dense_jacobian(results):
    x, log_q = results.push
    np.testing.assert_allclose(log_q, results.log_prob, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(log_q, results.true_log_q, rtol=1e-8, atol=1e-8)
    assert np.abs(x).max() > 0.5


def test_score_is_that_of_the_dense_jacobian(results):
    x, log_q, score = results.pushed
    np.testing.assert_allclose(x, results.push[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_q, results.push[1], rtol=1e-12, atol=1e-12)
    truth = results.true_score.T.reshape(score.shape)
    np.testing.assert_allclose(score, truth, rtol=1e-8, atol=1e-8)


def test_sign_symmetry(case, results):
    """By an odd map or by the average over the sign; none where none is asked for."""
    log_q = results.push[1]
    if PRESETS[case[0]].flow["symmetry"] == "none":
        assert np.abs(results.mirrored_log_prob - log_q).max() > 1e-2
        return
    np.testing.assert_allclose(results.mirrored_log_prob, log_q, rtol=1e-12, atol=1e-9)
    if isinstance(results.flow, Flow):
        np.testing.assert_allclose(results.mirrored_push[0], -results.push[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(results.mirrored_push[1], log_q, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", SMALL)
def test_every_layout_through_the_interface_of_flows(layout, perturbed):
    """ln q of a sample is `log_prob`, the score its gradient, the symmetry the one asked for."""
    hamiltonian = ising(4)
    flow = perturbed(build_flow(hamiltonian, **SMALL[layout], dtype=jnp.float64, key=KEY))
    latent = flow.latent(key=KEY)

    def everything(flow, latent):
        x, log_q, score = flow.push_score(latent)
        values, pull = jax.vjp(flow.log_prob, jnp.stack([x, -x], axis=-1))
        (truth,) = pull(jnp.ones(2))
        return x, log_q, score, values, truth, flow.scales(latent)

    x, log_q, score, (value, mirrored), truth, scales = eqx.filter_jit(everything)(flow, latent)
    assert float(log_q) == pytest.approx(float(value), abs=1e-8)
    np.testing.assert_allclose(score, truth[..., 0], rtol=1e-8, atol=1e-8)
    symmetric = SMALL[layout].get("symmetry") != "none"
    assert (abs(float(mirrored - log_q)) < 1e-8) == symmetric
    np.testing.assert_allclose(scales[-1], x, rtol=1e-12, atol=1e-12)
    extents = [scale.shape[0] for scale in scales]
    assert extents == sorted(extents)
    assert flow.lattice == hamiltonian.lattice


@pytest.mark.parametrize(
    "name",
    ["default", *(pytest.param(name, marks=pytest.mark.slow) for name in ("original", "density", "images"))],
)
def test_preset_in_single_precision(name, perturbed):
    """Built and run in float32 it stays there, and agrees with float64 to single precision."""
    flow = perturbed(build_flow(ising(2), **PRESETS[name].flow, key=KEY), size=0.05)
    double = jax.tree.map(lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, flow)
    keys = jax.random.split(jax.random.key(0), 4)
    latent = jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys)
    wide = jax.tree.map(lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, latent)

    def both(flow, double, latent, wide):
        return *flow.push(latent), *double.push(wide)

    x, log_q, true_x, true_log_q = eqx.filter_jit(both)(flow, double, latent, wide)
    assert x.dtype == log_q.dtype == jnp.float32
    assert true_x.dtype == true_log_q.dtype == jnp.float64
    np.testing.assert_allclose(x, true_x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(log_q, true_log_q, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_names_real_settings(name):
    preset = PRESETS[name]
    assert preset.name == name
    shared = {"layout", "symmetry", "prior", "whitening"}
    assert set(preset.flow) <= shared | set(layout_options(preset.flow["layout"]))
    assert preset.flow.get("scalar", "affine") in SCALAR_MAPS
    assert set(preset.hamiltonian) <= set(build_hamiltonian("ising", Lattice((2, 2))).__dict__) | {"shift"}


def test_whitening_applies_to_the_dual_alone():
    options = SMALL["conditional"]
    whitened = build_flow(ising(4), **options, key=KEY)
    assert isinstance(whitened.bijector, Chain)
    assert isinstance(whitened.bijector.links[-1], Circulant)
    for hamiltonian, power in [(ising(4), 0.0), (build_hamiltonian("phi4", Lattice((4, 4))), 0.5)]:
        plain = build_flow(hamiltonian, **options, whitening=power, key=KEY)
        assert not isinstance(plain.bijector, Chain)


@pytest.mark.parametrize("variable", ["x", "y"])
def test_whitening_with_power_one_half_gives_the_covariance_of_the_noise(variable):
    """C C^T = K for x | s ~ Normal(K s, K), and K^-1 for y = K^-1 x."""
    dual = build_hamiltonian("ising", Lattice((4, 4)), variable=variable)
    columns = jnp.eye(16).reshape(4, 4, 16)
    root = np.asarray(whitening(dual).forward(columns)[0]).reshape(16, 16)
    coupling = jax.vmap(dual.from_local, in_axes=-1, out_axes=-1)(columns).reshape(16, 16)
    truth = np.asarray(coupling) if variable == "x" else np.linalg.inv(np.asarray(coupling))
    np.testing.assert_allclose(root @ root.T, truth, rtol=1e-10, atol=1e-10)


def test_auto_symmetry_follows_the_hamiltonian(perturbed):
    lattice = Lattice((2, 2))
    z = jnp.ones((2, 2))
    for field, even in [(0.0, True), (0.2, False)]:
        hamiltonian = build_hamiltonian("ising", lattice, field=field)
        flow = perturbed(build_flow(hamiltonian, **SMALL["conditional"], dtype=jnp.float64, key=KEY))
        gap = float(jnp.max(jnp.abs(flow.push(-z)[0] + flow.push(z)[0])))
        assert (gap < 1e-12) if even else (gap > 1e-2)
