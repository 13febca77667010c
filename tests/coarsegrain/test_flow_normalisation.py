"""Densities integrate to one by quadrature; averages over groups are invariant and stay normalised."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    PRIORS,
    SCALAR_MAPS,
    BlockLayer,
    Chain,
    Flow,
    RealNVP,
    SymmetrisedFlow,
    conditional_hierarchy,
    sign_group,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(11)
# Half width and points along an axis, and what the trapezoid rule then leaves: Laplace has a kink and
# uniform a step, where the rule is of second and first order.
GRIDS = {"gaussian": (16, 301, 1e-6), "laplace": (20, 401, 5e-3), "uniform": (8, 501, 2e-2)}


def integral(density, shape, half, points):
    """Trapezoid rule on [-half, half]^sites of a density that takes fields [*shape, batch]."""
    line = np.linspace(-half, half, points)
    grid = np.stack(np.meshgrid(*([line] * int(np.prod(shape))), indexing="ij")).reshape(*shape, -1)
    values = eqx.filter_jit(density)(jnp.asarray(grid))
    return float(jnp.sum(values)) * (line[1] - line[0]) ** int(np.prod(shape))


def conditional(shape, prior, perturbed, *, scalar="sum-of-tanh", odd=True, seed=0):
    lattice = Lattice(shape)
    bijector = conditional_hierarchy(
        lattice, SCALAR_MAPS[scalar](2), width=3, depth=1, odd=odd, dtype=jnp.float64, key=KEY
    )
    return Flow(lattice, perturbed(bijector, seed), prior=PRIORS[prior](), dtype=jnp.float64)


def test_every_prior_is_integrated():
    assert set(GRIDS) == set(PRIORS)


@pytest.mark.parametrize("prior", PRIORS)
def test_prior_has_mean_zero_variance_one_and_mass_one(prior):
    law = PRIORS[prior]()
    z = np.linspace(-40, 40, 800_001)
    p = np.exp(np.asarray(law.log_density(jnp.asarray(z)))) * (z[1] - z[0])
    assert p.sum() == pytest.approx(1, abs=1e-4)
    assert (p * z**2).sum() == pytest.approx(1, abs=1e-4)
    draws = np.asarray(law.sample((200_000,), key=KEY, dtype=jnp.float64))
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
    for edge in (-1.2, -0.3, 0.5, 1.4):
        below = p[z <= edge].sum()
        assert abs((draws <= edge).mean() - below) < 4 * np.sqrt(0.25 / draws.size) + 1e-4
    assert law.sample((3,), key=KEY).dtype == jnp.float32


@pytest.mark.parametrize("scalar", SCALAR_MAPS)
@pytest.mark.parametrize("prior", PRIORS)
def test_one_site(prior, scalar, perturbed):
    flow = conditional((1, 1), prior, perturbed, scalar=scalar)
    half, points, tolerance = GRIDS[prior]
    assert integral(lambda x: jnp.exp(flow.log_prob(x)), (1, 1), half, 40 * points) == pytest.approx(
        1, abs=tolerance / 10
    )


@pytest.mark.parametrize("prior", PRIORS)
def test_two_sites_and_without_the_log_determinant(prior, perturbed):
    flow = conditional((1, 2), prior, perturbed)
    half, points, tolerance = GRIDS[prior]
    assert integral(lambda x: jnp.exp(flow.log_prob(x)), (1, 2), half, points) == pytest.approx(
        1, abs=tolerance
    )

    def without(x):
        return jnp.exp(jnp.sum(flow.prior.log_density(flow.bijector.inverse(x)[0]), axis=(0, 1)))

    assert abs(integral(without, (1, 2), half, points) - 1) > 10 * tolerance


def translations(lattice):
    """All shifts, the identity first."""
    moves = [tuple(int(i) for i in shift) for shift in np.ndindex(lattice.shape)]
    return tuple(functools.partial(lattice.translate, shift=shift) for shift in moves)


def signed(elements):
    return (*elements, *(lambda x, g=g: -g(x) for g in elements))


PAIR = Lattice((1, 2))
PAIR_GROUPS = {
    "sign": sign_group(),
    "translations": translations(PAIR),
    "signed translations": signed(translations(PAIR)),
    "point group": tuple(PAIR.point_group()),
}


@pytest.mark.parametrize("name", PAIR_GROUPS)
def test_averages_over_groups_stay_normalised(name, perturbed):
    flow = SymmetrisedFlow(conditional((1, 2), "gaussian", perturbed, odd=False), PAIR_GROUPS[name])
    half, points, tolerance = GRIDS["gaussian"]
    assert integral(lambda x: jnp.exp(flow.log_prob(x)), (1, 2), half, points) == pytest.approx(
        1, abs=tolerance
    )


@pytest.mark.parametrize("prior", ["laplace", "uniform"])
def test_average_over_the_sign_stays_normalised_for_other_priors(prior, perturbed):
    flow = SymmetrisedFlow(conditional((1, 2), prior, perturbed, scalar="affine", odd=False), sign_group())
    half, points, tolerance = GRIDS[prior]
    assert integral(lambda x: jnp.exp(flow.log_prob(x)), (1, 2), half, points) == pytest.approx(
        1, abs=tolerance
    )


SQUARE = Lattice((4, 4))
ROTATIONS = tuple(g for g in SQUARE.point_group() if sum(g.flips) % 2 == (g.permutation == (1, 0)))
GROUPS = {
    "translations": (Lattice((2, 2)), translations(Lattice((2, 2)))),
    "rotations": (SQUARE, ROTATIONS),
    "signed translations in 1D": (Lattice((2,)), signed(translations(Lattice((2,))))),
}


@pytest.fixture(scope="module", params=GROUPS)
def symmetrised(request, perturbed):
    """A flow without the symmetry, its average, and ln q at samples, images and by the definition."""
    lattice, group = GROUPS[request.param]
    make = lambda size, key: RealNVP(size, couplings=2, hidden=1, width=3, dtype=jnp.float64, key=key)
    bijector = perturbed(BlockLayer(make(2**lattice.ndim, KEY), sides=(2,) * lattice.ndim, offset=1))
    base = Flow(lattice, Chain(bijector), dtype=jnp.float64)
    flow = SymmetrisedFlow(base, group)

    def everything(flow):
        keys = jax.random.split(jax.random.key(1), 16)
        latent = jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys)
        x, log_q = flow.push(latent)
        fields = jnp.moveaxis(x, -1, 0)
        images = jnp.stack([jnp.moveaxis(jax.vmap(g)(fields), 0, -1) for g in group], axis=-1)
        return {
            "element": latent[1],
            "push": (x, log_q),
            "log_prob": flow.log_prob(jnp.concatenate([x[..., None], images], axis=-1)),
            "base": flow.flow.log_prob(images),
            "partial": SymmetrisedFlow(flow.flow, group[:-1]).log_prob(images),
        }

    return len(group), jax.tree.map(np.asarray, eqx.filter_jit(everything)(flow))


def test_log_q_of_samples_is_log_prob(symmetrised):
    size, out = symmetrised
    assert 1 < len(set(out["element"].tolist())) <= size
    np.testing.assert_allclose(out["push"][1], out["log_prob"][:, 0], rtol=1e-10, atol=1e-10)


def test_log_prob_is_invariant_and_the_mean_over_images(symmetrised):
    size, out = symmetrised
    truth = np.log(np.exp(out["base"]).mean(axis=-1))
    for number in range(size + 1):
        np.testing.assert_allclose(out["log_prob"][:, number], truth, rtol=1e-10, atol=1e-10)


def test_the_flow_itself_and_an_incomplete_group_are_not_invariant(symmetrised):
    _, out = symmetrised
    assert np.ptp(out["base"], axis=-1).max() > 1e-2
    assert np.ptp(out["partial"], axis=-1).max() > 1e-2


def test_elements_are_drawn_evenly(perturbed):
    flow = SymmetrisedFlow(Flow(SQUARE, Chain(), dtype=jnp.float64), translations(SQUARE))
    keys = jax.random.split(KEY, 8000)
    counts = np.bincount(np.asarray(jax.vmap(lambda k: flow.latent(key=k)[1])(keys)), minlength=16)
    assert np.abs(counts - 500).max() < 4 * np.sqrt(500)


def test_scales_of_an_average_end_at_the_sample(perturbed):
    flow = SymmetrisedFlow(conditional((2, 2), "gaussian", perturbed, scalar="affine"), sign_group())
    latent = (jnp.ones((2, 2)), jnp.array(1))
    scales = flow.scales(latent)
    np.testing.assert_allclose(scales[-1], flow.push(latent)[0], rtol=1e-12)
    np.testing.assert_allclose(scales[-1], -flow.flow.push(latent[0])[0], rtol=1e-12)


def test_an_empty_group_is_refused():
    with pytest.raises(UsageError, match="at least one element"):
        SymmetrisedFlow(Flow(PAIR, Chain()), ())
