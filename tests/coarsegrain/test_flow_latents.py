"""Latents by scale, the way back to them, and what is made of them, against dense Jacobians and by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain import FlowCoarseGraining
from deeprg.coarsegrain.flow import (
    Chain,
    Circulant,
    Flow,
    SymmetrisedFlow,
    base_flow,
    build_flow,
    hierarchy_of,
    latent_direction,
    latent_scales,
    level_shapes,
    moved,
    pull,
    scale_mix,
    sign_group,
    wander,
)
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
SMALL = {"width": 4, "depth": 1, "radius": 1.5, "scalar": "affine", "dtype": jnp.float64}
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def flow(perturbed):
    """Scales, whitening, disentanglers; weights far from the start."""
    made = build_flow(build_hamiltonian("ising", Lattice((4, 4))), **SMALL, key=KEY)
    return perturbed(made, size=0.1)


@pytest.fixture(scope="module")
def flat():
    hamiltonian = build_hamiltonian("ising", Lattice((4, 4)))
    return build_flow(hamiltonian, layout="tebd", couplings=1, hidden=1, width=2, layers=1, key=KEY)


@pytest.fixture(scope="module")
def doubling():
    """x = 2 z on a ring, without a hierarchy."""
    ring = Lattice((4,))
    return Flow(ring, Circulant(ring, spectrum=np.full(4, 2.0)), dtype=jnp.float64)


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@eqx.filter_jit
def push(flow, z):
    return base_flow(flow).bijector.forward(z)[0]


@pytest.mark.parametrize("shape", [(16,), (8, 8), (12, 12), (4, 4, 4), (5,), (24,)])
def test_the_scale_of_a_site_counts_its_factors_of_two(shape):
    depth = len(level_shapes(Lattice(shape))) - 1
    scales = latent_scales(Lattice(shape))
    assert scales.shape == shape
    for site in np.ndindex(shape):
        factors = 0
        while factors < depth and all(c % 2 ** (factors + 1) == 0 for c in site):
            factors += 1
        assert scales[site] == depth - factors


def test_unequal_extents_become_equal_first():
    """First the long axis, then both; the two components of a vector field stay together to the end."""
    assert latent_scales(Lattice((2, 4))).tolist() == [[0, 2, 1, 2], [1, 2, 1, 2]]
    finest = latent_scales(Lattice((4, 4, 2))) == 2
    assert finest[..., 0].tolist() == finest[..., 1].tolist()
    assert finest.sum() == 24


def test_every_level_adds_its_own_latents():
    counts = np.bincount(latent_scales(Lattice((16, 8))).reshape(-1))
    sizes = [Lattice(shape).size for shape in level_shapes(Lattice((16, 8)))]
    assert np.cumsum(counts).tolist() == sizes


def test_pull_inverts_with_the_determinant_of_the_jacobian(flow):
    x = normal(4, 4, 5, seed=1)
    z, log_det = pull(flow, x)
    np.testing.assert_allclose(push(flow, z), x, **CLOSE)
    derivative = jax.jit(jax.jacfwd(lambda z: push(flow, z)))
    for sample in range(5):
        jacobian = derivative(z[..., sample]).reshape(16, 16)
        np.testing.assert_allclose(-log_det[sample], np.linalg.slogdet(np.asarray(jacobian))[1], **CLOSE)
    one, single = pull(flow, x[..., 1])
    assert single.shape == ()
    np.testing.assert_allclose(one, z[..., 1], **CLOSE)
    np.testing.assert_allclose(single, log_det[1], **CLOSE)


def test_a_flow_averaged_over_a_group_goes_by_its_base(flow):
    averaged = SymmetrisedFlow(flow, sign_group())
    x = normal(4, 4, seed=1)
    assert hierarchy_of(averaged) is hierarchy_of(flow) is flow.bijector.links[0]
    np.testing.assert_array_equal(pull(averaged, x)[0], pull(flow, x)[0])


def test_a_path_has_its_ends_and_keeps_the_norm_or_not(flow):
    z0, z1 = normal(4, 4, seed=1), normal(4, 4, seed=2)
    z1 = z1 * jnp.linalg.norm(z0) / jnp.linalg.norm(z1)
    norm = float(jnp.linalg.norm(z0))
    found = {}
    for path in ("spherical", "straight"):
        x = wander(flow, z0, z1, 5, path)
        assert x.shape == (4, 4, 5)
        np.testing.assert_allclose(
            x[..., [0, 4]], push(flow, jnp.stack([z0, *[z1] * 4], axis=-1))[..., :2], **CLOSE
        )
        found[path] = np.linalg.norm(np.asarray(pull(flow, x)[0]).reshape(16, 5), axis=0)
    np.testing.assert_allclose(found["spherical"], norm, **CLOSE)
    assert found["straight"][2] < 0.9 * norm


def test_a_spherical_path_has_equal_steps_in_angle(doubling):
    z0, z1 = jnp.array([2.0, 0, 0, 0]), jnp.array([-1.0, 3**0.5, 0, 0])  # 120 degrees apart
    z = np.asarray(wander(doubling, z0, z1, 4)) / 2
    np.testing.assert_array_equal(z[:, [0, 3]], jnp.stack([z0, z1], axis=-1))
    degrees = np.degrees(np.arctan2(z[1], z[0]))
    np.testing.assert_allclose(degrees, [0, 40, 80, 120], **CLOSE)


@pytest.mark.parametrize("small", [0.0, 1e-12, 1e-7, 1e-3])
def test_nearly_parallel_ends_and_an_end_at_the_origin(doubling, small):
    z0 = jnp.array([1.0, 2.0, 0.0, -1.0])
    z1 = z0 + small * jnp.array([2.0, -1.0, 1.0, 0.0])  # at right angles
    z = np.asarray(wander(doubling, z0, z1, 3)) / 2
    np.testing.assert_allclose(z[:, 1], (z0 + z1) / 2, rtol=0, atol=small**2 + 1e-15)
    np.testing.assert_allclose(wander(doubling, 0 * z0, z0, 3)[:, 1], z0, **CLOSE)


@pytest.mark.parametrize("scale", [0, 1])
def test_coarse_of_one_field_and_details_of_another(flow, scale):
    one, other = normal(4, 4, 5, seed=1), normal(4, 4, 5, seed=2)
    mixed = scale_mix(flow, one, other, scale)
    coarse = FlowCoarseGraining(flow, levels=2 - scale)
    for sample in range(2):
        np.testing.assert_allclose(coarse.mean(mixed[..., sample]), coarse.mean(one[..., sample]), **CLOSE)
        assert np.abs(coarse.mean(mixed[..., sample]) - coarse.mean(other[..., sample])).max() > 0.01
    fine = latent_scales(flow.lattice) > scale
    np.testing.assert_allclose(pull(flow, mixed)[0][fine], pull(flow, other)[0][fine], **CLOSE)
    np.testing.assert_allclose(scale_mix(flow, one, one, scale), one, **CLOSE)


def classes(shift, n=400):
    rng = np.random.default_rng(3)
    return rng.normal(size=(4, n)) + 2 * shift, rng.normal(size=(4, 2 * n))


def test_the_direction_between_two_classes_has_its_error(doubling):
    shift = np.array([0.5, 0.0, -0.3, 0.0])
    repeats = [
        latent_direction(doubling, normal(4, 30, seed=s) + 2 * shift[:, None], 2 * normal(4, 20, seed=s + 99))
        for s in range(60)
    ]
    errors = np.array([found.error for found in repeats])
    np.testing.assert_allclose(
        (errors**2).mean(axis=0), (1 / 30 + 4 / 20) / 4, rtol=0.15
    )  # x = 2 z halves the spread
    pulls = np.array([(found.value - shift) / found.error for found in repeats])
    assert 0.8 < pulls.std() < 1.25
    wrong = np.array([found.value / found.error for found in repeats])[:, 0]  # the twin that must fail
    assert np.abs(wrong).mean() > 2 * np.abs(pulls[:, 0]).mean()


def test_moving_along_a_direction(flow):
    x, direction = normal(4, 4, 5, seed=1), normal(4, 4, seed=2)
    z = pull(flow, moved(flow, x, direction, -0.7))[0]
    np.testing.assert_allclose(z - pull(flow, x)[0], np.stack([-0.7 * direction] * 5, axis=-1), **CLOSE)
    np.testing.assert_allclose(moved(flow, x, direction, 0.0), x, **CLOSE)


def test_moving_by_the_mean_difference_maps_one_mean_to_the_other(doubling):
    a, b = classes(np.array([[1.0], [0.0], [-1.0], [0.0]]))
    direction = latent_direction(doubling, a, b).value
    np.testing.assert_allclose(moved(doubling, b, direction, 1.0).mean(axis=-1), a.mean(axis=-1), **CLOSE)


def test_flows_without_scales(flat, doubling):
    x = np.zeros((4, 4))
    for without in (flat, Flow(Lattice((4, 4)), Chain())):
        for call in (
            lambda f: hierarchy_of(f),
            lambda f: scale_mix(f, x, x, 0),
            lambda f: FlowCoarseGraining(f),
        ):
            with pytest.raises(UsageError, match="no hierarchy: a flat layout"):
                call(without)
    with pytest.raises(UsageError, match="no hierarchy: a flat layout"):
        hierarchy_of(doubling)
    assert pull(doubling, np.ones((4, 7)))[1].shape == (7,)
    with pytest.raises(UsageError, match="27 at most"):
        latent_scales(Lattice((29,)))


def test_fields_and_latents_of_another_shape(flow):
    good, bad = np.zeros((4, 4)), np.zeros((8, 8))
    calls = [
        lambda: pull(flow, np.zeros((3, 4, 4))),
        lambda: pull(flow, bad),
        lambda: wander(flow, good, bad, 3),
        lambda: wander(flow, np.zeros((4, 4, 1)), good, 3),
        lambda: scale_mix(flow, bad, good, 0),
        lambda: latent_direction(flow, good, np.zeros((4, 4, 20))),
        lambda: moved(flow, good, bad, 1.0),
        lambda: moved(flow, good, np.zeros((4, 4, 1)), 1.0),
        lambda: moved(flow, bad, good, 1.0),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="on the lattice 4x4 it must be"):
            call()
    with pytest.raises(UsageError, match="two shapes"):
        scale_mix(flow, good, np.zeros((4, 4, 1)), 0)


def test_paths_scales_and_classes_that_make_no_sense(flow):
    z = np.ones((4, 4))
    for steps in (1, 0, -3):
        with pytest.raises(UsageError, match=f"2 steps or more, its ends, not {steps}"):
            wander(flow, z, z, steps)
    with pytest.raises(
        UsageError, match=r"no path 'sphercal'. Did you mean 'spherical'\? Known: spherical, st"
    ):
        wander(flow, z, z, 3, "sphercal")
    with pytest.raises(UsageError, match="opposite to each other"):
        wander(flow, z, -2 * z, 3)
    assert wander(flow, z, -2 * z, 3, "straight").shape == (4, 4, 3)
    for scale in (-1, 2, 7):
        with pytest.raises(UsageError, match=f"scales 0 to 2; .*not up to {scale}"):
            scale_mix(flow, z, z, scale)
    with pytest.raises(UsageError, match=r"fields_b holds 9 fields; .* 10 or more"):
        latent_direction(flow, np.zeros((4, 4, 10)), np.zeros((4, 4, 9)))
