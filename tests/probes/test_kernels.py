"""Kernels of latents against the full Jacobian and finite differences; correlations that were put in."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Chain,
    Circulant,
    Flow,
    Hierarchy,
    SymmetrisedFlow,
    build_flow,
    latent_scales,
    pull,
    sign_group,
)
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.probes import KernelSet, gradient_kernels, latent_correlations, latent_reach
from deeprg.runs.errors import UsageError

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
SIZE = Lattice((4, 4))
SAMPLES = 64  # compiled once: all larger numbers go in batches of 64


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("deeprg.probes.kernels._AT_ONCE", SAMPLES * SIZE.size)


@eqx.filter_jit
def one_batch(flow, z):
    return flow.bijector.forward(z)[0]


def forward(flow, z):
    parts = [one_batch(flow, jnp.asarray(z[..., i : i + SAMPLES])) for i in range(0, z.shape[-1], SAMPLES)]
    return np.concatenate(parts, axis=-1)


@pytest.fixture(scope="module")
def flow():
    """A small hierarchy with whitening and weights far from the start, in float64."""
    made = build_flow(
        build_hamiltonian("ising", SIZE),
        scalar="affine",
        width=4,
        depth=1,
        radius=1.5,
        colours=1,
        disentanglers=0,
        dtype=jnp.float64,
        key=jax.random.key(0),
    )
    rng = np.random.default_rng(1)
    noisy = lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape) if eqx.is_inexact_array(leaf) else leaf
    return jax.tree.map(noisy, made)


@pytest.fixture(scope="module")
def jacobians(flow):
    """Latents [4, 4, n], and ∂x_i/∂z_j of each [n, i, j] from autodiff of one configuration at a time."""
    z = jnp.asarray(normal(4, 4, SAMPLES))
    derivative = jax.jit(jax.jacfwd(lambda z: flow.bijector.forward(z)[0]))
    return z, np.stack([np.asarray(derivative(z[..., n])).reshape(16, 16) for n in range(SAMPLES)])


def linear(shape):
    """A hierarchy that does nothing, and a circulant with a known kernel: 5 here, 0.5 to the neighbours."""
    lattice = Lattice(shape)
    identity = Hierarchy(lattice, Chain(), (Chain(),), (0,) * latent_scales(lattice).max().item())
    bijector = Chain(identity, Circulant(lattice, spectrum=5 + 0.5 * lattice.dispersion()))
    return Flow(lattice, bijector, dtype=jnp.float64)


def test_kernels_are_columns_of_the_jacobian_moved_to_the_middle(flow, jacobians):
    z, full = jacobians
    found = gradient_kernels(flow, z, site_of_scale={2: (3, 1)})
    assert found.sites.tolist() == [[0, 0], [2, 2], [3, 1]]
    for scale, (row, column) in enumerate(found.sites):
        columns = full[:, :, 4 * row + column].reshape(SAMPLES, 4, 4)
        moved = np.roll(columns, (2 - row, 2 - column), axis=(1, 2))
        np.testing.assert_allclose(found.mean[scale], moved.mean(axis=0), **CLOSE)
        np.testing.assert_allclose(found.rms[scale], np.sqrt((moved**2).mean(axis=0)), **CLOSE)
        np.testing.assert_allclose(found.error[scale], moved.std(axis=0) / SAMPLES**0.5, rtol=1e-6, atol=1e-7)
    assert found.n == SAMPLES == found.to_dict()["n"]
    assert np.abs(found.rms - np.abs(found.mean)).max() > 1e-3  # the map is not linear


def test_kernels_are_central_differences(flow):
    z = normal(4, 4, SAMPLES, seed=2)
    found = gradient_kernels(flow, z)
    for scale, (row, column) in enumerate(found.sites):
        step = np.zeros((4, 4, 1))
        step[row, column] = 1e-5
        slope = (forward(flow, z + step) - forward(flow, z - step)).mean(axis=-1) / 2e-5
        back = np.roll(found.mean[scale], (row - 2, column - 2), axis=(0, 1))
        np.testing.assert_allclose(back, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(8,), (4, 8), (4, 4, 4)])
def test_a_linear_flow_has_its_row_at_every_scale(shape):
    z = normal(*shape, 3)
    row = np.zeros(shape)
    middle = tuple(extent // 2 for extent in shape)
    row[middle] = 5.0
    for step in Lattice((1,) * len(shape)).nearest_displacements():
        row[tuple((m + s) % e for m, s, e in zip(middle, step, shape, strict=True))] += 0.5
    found = gradient_kernels(linear(shape), z)
    for mean, rms in zip(found.mean, found.rms, strict=True):
        np.testing.assert_allclose(mean, row, **CLOSE)
        np.testing.assert_allclose(rms, row, **CLOSE)
    reach = latent_reach(linear(shape), z)
    squares = row[row > 0] ** 2
    np.testing.assert_allclose(reach.weight, squares.sum(), **CLOSE)
    np.testing.assert_allclose(reach.participation, squares.sum() ** 2 / (squares**2).sum(), **CLOSE)
    np.testing.assert_allclose(reach.radius, np.sqrt(1 - 25 / squares.sum()), **CLOSE)


def test_the_reach_of_every_latent_from_the_full_jacobian(flow, jacobians):
    z, full = jacobians
    reach = latent_reach(flow, z)
    square = (full**2).mean(axis=0).T  # [latent, site]
    np.testing.assert_allclose(reach.weight.reshape(-1), square.sum(axis=1), **CLOSE)
    ratio = square.sum(axis=1) ** 2 / (square**2).sum(axis=1)
    np.testing.assert_allclose(reach.participation.reshape(-1), ratio, **CLOSE)
    assert np.all((ratio >= 1) & (ratio <= 16))
    mean, spread = reach.by_scale("weight")
    for scale, count in enumerate([1, 3, 12]):
        own = reach.weight[latent_scales(SIZE) == scale]
        assert own.size == count
        assert (mean[scale], spread[scale]) == (pytest.approx(own.mean()), pytest.approx(own.std()))
    assert spread[0] == 0
    assert np.asarray(reach.to_dict()["radius"]).shape == (4, 4)


def test_the_site_of_a_scale_is_the_nearest_to_the_centre():
    sites = gradient_kernels(linear((16, 16)), normal(16, 16, 1)).sites
    assert sites.tolist() == [[0, 0], [8, 8], [4, 8], [6, 8], [7, 8]]


def test_many_samples_go_in_batches(flow):
    z = normal(4, 4, 2 * SAMPLES, seed=4)
    first, second, both = (
        gradient_kernels(flow, z[..., part]) for part in (np.s_[:64], np.s_[64:], np.s_[:])
    )
    np.testing.assert_allclose(both.mean, (first.mean + second.mean) / 2, **CLOSE)
    np.testing.assert_allclose(both.rms**2, (first.rms**2 + second.rms**2) / 2, **CLOSE)
    assert both.n == 2 * SAMPLES


def test_a_flow_averaged_over_a_group_goes_by_its_base(flow, jacobians):
    averaged = SymmetrisedFlow(flow, sign_group())
    found, other = (gradient_kernels(f, jacobians[0]) for f in (averaged, flow))
    np.testing.assert_array_equal(found.mean, other.mean)


def stein_pulls(flow, sites):
    """(⟨∂x/∂z_j⟩ - ⟨x z_j⟩) in errors for Gaussian z, with z_j of the given sites."""
    z = normal(4, 4, 4096, seed=5)
    kernels = gradient_kernels(flow, z)
    x = forward(flow, z)
    pulls = []
    for scale, site in enumerate(kernels.sites):
        product = np.roll(x * z[tuple(sites[scale])], tuple((2 - site).tolist()), axis=(0, 1))
        error = np.sqrt(product.var(axis=-1) / 4096 + kernels.error[scale] ** 2)
        pulls.append((product.mean(axis=-1) - kernels.mean[scale]) / error)
    return np.abs(pulls)


def test_steins_identity(flow):
    assert stein_pulls(flow, [(0, 0), (2, 2), (1, 2)]).max() < 4.5
    assert stein_pulls(flow, [(0, 2), (2, 0), (3, 2)]).max() > 10  # other latents: must fail


@pytest.fixture(scope="module")
def correlated():
    """Independent normal latents but for r = 0.6 of scales 0 and 2, and r = -0.8 within scale 2."""
    z = normal(4, 4, 10_000, seed=3)
    z[0, 1] = 0.6 * z[0, 0] + 0.8 * z[0, 1]
    z[3, 3] = 5 + 7 * (-0.8 * z[3, 2] + 0.6 * z[3, 3])
    return latent_correlations(z)


def test_correlations_that_were_put_in(correlated):
    assert correlated.edges.tolist() == [0, 1, 4, 16]
    assert correlated.sites[:4].tolist() == [0, 2, 8, 10]
    assert correlated.null == 0.01
    place = {int(site): number for number, site in enumerate(correlated.sites)}
    r = correlated.matrix
    assert r[place[0], place[1]] == pytest.approx(0.6, abs=0.02)
    assert r[place[14], place[15]] == pytest.approx(-0.8, abs=0.02)
    assert correlated.largest[0, 2] == r[place[0], place[1]] == correlated.largest[2, 0]
    assert correlated.largest[2, 2] == -r[place[14], place[15]]
    assert np.isnan(correlated.largest[0, 0])


def test_independent_latents_stay_within_chance(correlated):
    bound = np.sqrt(2 * np.log(2 * 120)) * 0.01 * 1.3
    clean = latent_correlations(normal(4, 4, 10_000, seed=3))
    assert np.nanmax(clean.largest) < bound
    off = clean.matrix[np.triu_indices(16, 1)]
    assert off.std() == pytest.approx(clean.null, rel=0.2)
    assert np.nanmax(correlated.largest) > bound  # the twin that must fail


def test_correlations_of_latents_that_a_flow_finds(flow):
    z = normal(4, 4, SAMPLES, seed=8)
    found = latent_correlations(pull(flow, forward(flow, z))[0])
    np.testing.assert_allclose(found.matrix, latent_correlations(z).matrix, rtol=1e-8, atol=1e-9)


def test_bad_input(flow):
    z = normal(4, 4, 2)
    without = Flow(SIZE, Chain(), dtype=jnp.float64)
    for probe in (gradient_kernels, latent_reach):
        with pytest.raises(UsageError, match="no hierarchy"):
            probe(without, z)
        for bad in (z[..., 0], z[:2], np.moveaxis(z, -1, 0)):
            with pytest.raises(UsageError, match=r"must be \[4, 4, n\]"):
                probe(flow, bad)
        with pytest.raises(UsageError, match="no latents to average"):
            probe(flow, z[..., :0])
    for scale in (3, -1):
        with pytest.raises(UsageError, match=f"scales 0 to 2, not {scale}"):
            gradient_kernels(flow, z, site_of_scale={scale: (0, 0)})
    for site in ((0, 2), (1, 5), (1,), (-1, 0)):
        with pytest.raises(UsageError, match=r"no site of scale 2 on 4x4, as \(1, 2\) is"):
            gradient_kernels(flow, z, site_of_scale={2: site})


def test_latents_without_correlations():
    z = normal(4, 4, 20)
    with pytest.raises(UsageError, match="10 samples or more"):
        latent_correlations(z[..., :9])
    with pytest.raises(UsageError, match="1 to 3 axes"):
        latent_correlations(z[0, 0])
    for value in (1.0, np.nan, np.inf):
        bad = z.copy()
        bad[1, 1] = value
        with pytest.raises(UsageError, match="does not vary, or holds NaN"):
            latent_correlations(bad)
    with pytest.raises(UsageError, match="27 at most"):
        latent_correlations(normal(29, 20))


def test_the_error_of_a_kernel_that_does_not_vary_is_zero():
    kernels = KernelSet(np.ones((1, 2)), np.ones((1, 2)) - 1e-17, np.zeros((1, 1)), 4)
    assert kernels.error.tolist() == [[0.0, 0.0]]
