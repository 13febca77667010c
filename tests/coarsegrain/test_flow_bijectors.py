"""Every bijector, its weights perturbed, against the dense Jacobian that autodiff gives."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    BIJECTORS,
    LAYOUTS,
    SCALAR_MAPS,
    AbstractBijector,
    ArrayCirculant,
    BlockLayer,
    Chain,
    Circulant,
    ContextNet,
    Logit,
    RealNVP,
    Repeated,
    SiteMap,
    Standardise,
    conditional_hierarchy,
    mera,
    tebd,
    ttn,
    whitening,
    with_places,
)
from deeprg.hamiltonians import ContinuousDual, Ising, RandomBondIsing
from deeprg.lattice import Lattice

KEY = jax.random.key(3)
SAMPLES = 3


def block(size, key=KEY, *, odd=False):
    return RealNVP(size, couplings=3, hidden=1, width=5, odd=odd, dtype=jnp.float64, key=key)


def odd_block(size, key=KEY):
    return block(size, key, odd=True)


def circulant(*shape):
    """A spectrum that is even, of both signs and far from constant."""
    waves = Lattice(shape).dispersion().round(9)
    return Circulant(Lattice(shape), spectrum=np.where(waves > 0.7, -1.3, 0.9) + 0.2 * waves)


def site_map(scalar, *period, odd=True):
    """One colour of a checkerboard, given its nearest neighbours of the other colour."""
    scalar = SCALAR_MAPS[scalar](3)
    context = Lattice((1,) * len(period)).nearest_displacements()
    net = ContextNet(
        len(context),
        n_even=scalar.n_even,
        n_odd=scalar.n_odd,
        start=scalar.start(),
        width=6,
        odd=odd,
        dtype=jnp.float64,
        key=KEY,
    )
    return SiteMap(period, [o for o in np.ndindex(period) if sum(o) % 2], context, net, scalar)


def conditional(shape, scalar="affine", **options):
    settings = {
        "width": 4,
        "depth": 1,
        "radius": 2.3,
        "colours": 1,
        "dtype": jnp.float64,
        "key": KEY,
    } | options
    return conditional_hierarchy(Lattice(shape), SCALAR_MAPS[scalar](2), **settings)


def placed(shape, odd=False):
    return with_places(conditional(shape, odd=odd), places=2, key=KEY)


def tree(network, shape, make=block, **options):
    return network(Lattice(shape), make, key=KEY, **options)


class Case(NamedTuple):
    """A bijector on a shape; whether it is odd; the translations that it commutes with, and no smaller."""

    shape: tuple[int, ...]
    build: Callable[[], AbstractBijector]
    odd: bool
    period: tuple[int, ...] | None = None


# A name begins with that of the registry's entry.
CASES = {
    "chain": Case((4, 4), lambda: Chain(site_map("affine", 2, 2), circulant(4, 4)), True, (2, 2)),
    "chain without links": Case((4, 2), lambda: Chain(), True, (1, 1)),
    "chain of fills": Case((8,), lambda: conditional((8,), colours=2, shared=True).levels[1], True, (4,)),
    "chain tebd": Case((4, 6), lambda: tree(tebd, (4, 6), layers=1), False, (2, 2)),
    "chain tebd, odd": Case((4,), lambda: tree(tebd, (4,), odd_block, layers=2), True, (2,)),
    "repeated": Case((4,), lambda: Repeated(site_map("affine", 2), 3), True, (2,)),
    "repeated tebd": Case((4, 2), lambda: tree(tebd, (4, 2), layers=2, shared=True).links[0], False, (2, 2)),
    "circulant, 1D": Case((4,), lambda: circulant(4), True, (1,)),
    "circulant, odd extents": Case((3, 5), lambda: circulant(3, 5), True, (1, 1)),
    "circulant, 3D": Case((2, 3, 4), lambda: circulant(2, 3, 4), True, (1, 1, 1)),
    "circulant, whitening": Case(
        (4, 4),
        lambda: whitening(ContinuousDual(Ising(Lattice((4, 4)), temperature=2.0), shift=0.5)),
        True,
        (1, 1),
    ),
    # With extents of 2 every k is its own opposite, so that no noise on the spectrum makes it uneven.
    "array-circulant": Case(
        (2, 2), lambda: ArrayCirculant(Lattice((2, 2)), jnp.array([[2.0, -1.5], [0.8, 1.2]])), True, (1, 1)
    ),
    "dense-symmetric": Case(
        (3, 2),
        lambda: whitening(ContinuousDual(RandomBondIsing.gaussian(Lattice((3, 2)), 1.0, seed=2), shift=0.5)),
        True,
    ),
    "realnvp": Case((4,), lambda: block(4), False),
    "realnvp, odd": Case((3,), lambda: block(3, odd=True), True),
    "block-layer": Case((8, 8), lambda: BlockLayer(block(4)), False, (2, 2)),
    "block-layer, offset": Case((4, 2), lambda: BlockLayer(block(4), offset=1), False, (2, 2)),
    "block-layer, side 3": Case((6,), lambda: BlockLayer(odd_block(3), sides=(3,), offset=2), True, (3,)),
    "block-layer, 3D": Case((4, 4, 4), lambda: BlockLayer(odd_block(8), sides=(2, 2, 2)), True, (2, 2, 2)),
    "site-map affine": Case((8, 8), lambda: site_map("affine", 2, 2), True, (2, 2)),
    "site-map sum-of-tanh": Case((4, 4), lambda: site_map("sum-of-tanh", 2, 2), True, (2, 2)),
    "site-map spline": Case((4,), lambda: site_map("spline", 2), True, (2,)),
    "site-map spline, not odd": Case((4, 2), lambda: site_map("spline", 2, 2, odd=False), False, (2, 2)),
    "site-map affine, 3D": Case((4, 4, 4), lambda: site_map("affine", 2, 2, 2), True, (2, 2, 2)),
    "hierarchy conditional": Case((4, 4), lambda: conditional((4, 4), depth=2), True),
    "hierarchy conditional, 2 colours": Case((4, 4), lambda: conditional((4, 4), colours=2), True),
    "hierarchy conditional, 1 disentangler": Case(
        (4,), lambda: conditional((4,), "sum-of-tanh", disentanglers=1), True
    ),
    "hierarchy conditional, 2 disentanglers, not odd": Case(
        (2, 4), lambda: conditional((2, 4), disentanglers=2, odd=False), False
    ),
    "hierarchy conditional, shared": Case((4, 4), lambda: conditional((4, 4), shared=True), True),
    "hierarchy conditional, shared, 2 colours": Case(
        (8,), lambda: conditional((8,), disentanglers=1, colours=2, shared=True), True
    ),
    "hierarchy conditional, one axis longer": Case((4, 2), lambda: conditional((4, 2), colours=2), True),
    "hierarchy conditional, base alone": Case((1, 3), lambda: conditional((1, 3), "sum-of-tanh"), True),
    "hierarchy conditional, base of 3": Case((6,), lambda: conditional((6,)), True),
    "hierarchy conditional, spline": Case((2,), lambda: conditional((2,), "spline"), True),
    "hierarchy placed": Case((4, 4), lambda: placed((4, 4)), False),
    "hierarchy placed, odd": Case((2, 2), lambda: placed((2, 2), odd=True), True),
    "hierarchy conditional, 3D": Case((2, 2, 2), lambda: conditional((2, 2, 2)), True),
    "hierarchy mera": Case((8, 8), lambda: tree(mera, (8, 8)), False),
    "hierarchy mera, 1D, odd": Case((4,), lambda: tree(mera, (4,), odd_block, repeats=2), True),
    "hierarchy mera, 1 scale": Case((8, 4), lambda: tree(mera, (8, 4), depth=1), False, (2, 1)),
    "hierarchy mera, 2 scales, shared": Case(
        (8,), lambda: tree(mera, (8,), depth=2, shared=True), False, (4,)
    ),
    "hierarchy mera, 3D": Case((4, 4, 4), lambda: tree(mera, (4, 4, 4), depth=1), False, (2, 2, 2)),
    "hierarchy ttn": Case((4, 2), lambda: tree(ttn, (4, 2), odd_block, shared=True), True),
    "hierarchy ttn, odd, shared": Case((8,), lambda: tree(ttn, (8,), odd_block, shared=True), True),
    "standardise": Case(
        (2, 3),
        lambda: Standardise((2, 3), centre=np.arange(6.0).reshape(2, 3), scale=0.5 + np.ones((2, 3))),
        False,
    ),
    "standardise, one number": Case((4,), lambda: Standardise((4,), centre=0.0, scale=0.7), True, (1,)),
    "logit": Case((2, 3), lambda: Logit(2), False),
}


def entry(name):
    return name.split()[0].rstrip(",")


def test_every_registered_name_has_a_case():
    assert {entry(name) for name in CASES} == set(BIJECTORS)
    for layout in LAYOUTS:
        assert any(layout in name.replace(",", "").split() for name in CASES), layout
    for scalar in SCALAR_MAPS:
        assert f"site-map {scalar}" in CASES


def shifts(case):
    """Translations by the period along each axis, then smaller ones: none may pass for the former."""
    period = case.period or ()
    axes = range(len(period))
    moves = lambda steps: [tuple(steps[a] if a == axis else 0 for a in axes) for axis in axes]
    return moves(period), [move for move in moves([p // 2 for p in period]) if any(move)]


class Results:
    """All that the tests compare, from one compilation."""

    def __init__(self, case, perturbed, dense):
        self.bijector = perturbed(case.build())
        rng = np.random.default_rng(1)
        z, score = (jnp.asarray(rng.normal(size=(*case.shape, SAMPLES))) for _ in range(2))
        axes = tuple(range(len(case.shape)))
        moves = [move for group in shifts(case) for move in group]
        images = jnp.concatenate([z, -z, *(jnp.roll(z, move, axes) for move in moves)], axis=-1)

        def everything(bijector, images, score):
            x, log_det = bijector.forward(images)
            return (
                (x, jnp.broadcast_to(log_det, x.shape[-1:])),
                bijector.inverse(x[..., :SAMPLES]),
                bijector.push_score(images[..., :SAMPLES], score),
                dense(bijector.forward, images[..., :SAMPLES]),
            )

        (x, log_det), self.back, self.pushed, self.dense = jax.tree.map(
            np.asarray, eqx.filter_jit(everything)(self.bijector, images, score)
        )
        self.z, self.score = np.asarray(z), np.asarray(score)
        self.x, self.mirrored, *self.moved = np.split(x, 2 + len(moves), axis=-1)
        self.log_det, self.mirrored_log_det, *self.moved_log_det = np.split(log_det, 2 + len(moves))


def flat(fields):
    """[*shape, samples] to [samples, sites]."""
    return fields.reshape(-1, fields.shape[-1]).T


# Variants of what other cases cover.
SLOW = (
    "repeated tebd",
    "block-layer, offset",
    "hierarchy conditional, base of 3",
    "chain tebd, odd",
    "block-layer, 3D",
    "site-map spline, not odd",
    "site-map affine, 3D",
    "hierarchy conditional, shared, 2 colours",
    "hierarchy mera, 1 scale",
    "hierarchy mera, 1D, odd",
    "hierarchy mera, 3D",
    "hierarchy mera, 2 scales, shared",
    "hierarchy conditional, 2 disentanglers, not odd",
    "hierarchy ttn, odd, shared",
)


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES],
    ids=str,
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def case(name):
    return CASES[name]


@pytest.fixture(scope="module")
def results(case, perturbed, dense):
    return Results(case, perturbed, dense)


def test_case_is_of_its_entry(name, results):
    assert type(results.bijector) is BIJECTORS[entry(name)]


def test_no_case_is_trivial(name, results):
    if name != "chain without links":
        assert np.abs(results.x - results.z).max() > 0.1


def test_batch_is_a_loop_over_samples(results):
    x, log_det, _, _ = results.dense
    np.testing.assert_allclose(flat(results.x), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(results.log_det, log_det, rtol=1e-12, atol=1e-12)


def test_log_determinant(results):
    _, _, jacobian, _ = results.dense
    np.testing.assert_allclose(results.log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-9, atol=1e-9)


def test_inverse(results):
    # Newton steps stop at a residual of 4 roundings in the variable of the bends, where slopes are at least
    # one; 1e-9 therefore holds for the numerical inverse as well.
    z, log_det = results.back
    np.testing.assert_allclose(z, results.z, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.broadcast_to(log_det, SAMPLES), -results.log_det, rtol=1e-9, atol=1e-9)


def test_pushed_score_is_that_of_the_dense_jacobian(results):
    x, log_det, score = results.pushed
    _, _, jacobian, slope = results.dense
    truth = np.linalg.solve(np.swapaxes(jacobian, 1, 2), (flat(results.score) - slope)[..., None])[..., 0]
    np.testing.assert_allclose(x, results.x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.broadcast_to(log_det, SAMPLES), results.log_det, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(flat(score), truth, rtol=1e-8, atol=1e-8)


def test_oddness(case, results):
    gap = np.abs(results.mirrored + results.x).max()
    if case.odd:
        assert gap < 1e-12
        np.testing.assert_allclose(results.mirrored_log_det, results.log_det, rtol=1e-12, atol=1e-12)
    else:
        assert gap > 1e-2


def test_translations(case, results):
    units, smaller = shifts(case)
    axes = tuple(range(len(case.shape)))
    moves = zip(units + smaller, results.moved, results.moved_log_det, strict=True)
    for number, (move, moved, log_det) in enumerate(moves):
        gap = np.abs(moved - np.roll(results.x, move, axes)).max()
        if number < len(units):
            assert gap < 1e-12, move
            np.testing.assert_allclose(log_det, results.log_det, rtol=1e-12, atol=1e-12)
        else:
            assert gap > 1e-2, move


@pytest.mark.parametrize("name", ["site-map sum-of-tanh", "circulant, 3D"])
def test_own_score_rule_equals_the_derivative_of_the_inverse(perturbed, name):
    shape, build, *_ = CASES[name]
    rng = np.random.default_rng(2)
    z, score = (jnp.asarray(rng.normal(size=(*shape, SAMPLES))) for _ in range(2))
    bijector = perturbed(build())

    def both(bijector, z, score):
        return bijector.push_score(z, score), AbstractBijector.push_score(bijector, z, score)

    for own, default in zip(*eqx.filter_jit(both)(bijector, z, score), strict=True):
        np.testing.assert_allclose(own, default, rtol=1e-8, atol=1e-8)


def trainable(bijector):
    return sum(leaf.size for leaf in jax.tree.leaves(bijector) if jnp.issubdtype(leaf.dtype, jnp.inexact))


@pytest.mark.parametrize("network", [mera, ttn])
def test_shared_scales_have_the_weights_of_one(network):
    one = trainable(tree(network, (8, 8), depth=1))
    assert trainable(tree(network, (8, 8), shared=True)) == one
    assert trainable(tree(network, (8, 8))) == 3 * one


def test_shared_layers_have_the_weights_of_one():
    assert trainable(tree(tebd, (4, 4), layers=3, shared=True)) == trainable(tree(tebd, (4, 4), layers=1))


def test_shared_fills_have_the_weights_of_one_per_schedule():
    shared, free = (conditional((32,), shared=shared, colours=2) for shared in (True, False))
    assert len(free.levels) == 5
    assert len(shared.levels) == 2
    assert shared.level_of == (0, 1, 1, 1, 1)


def test_original_weights_of_the_published_network():
    # 16 x 16: 8 block layers of 10 couplings, each of two 4-10-10-10-4 perceptrons and 4 scales.
    perceptron = 4 * 10 + 10 + 2 * (10 * 10 + 10) + 10 * 4 + 4
    make = lambda size, key: RealNVP(size, couplings=10, hidden=3, width=10, key=key)
    assert trainable(mera(Lattice((16, 16)), make, key=KEY)) == 8 * 10 * (2 * perceptron + 4)


def test_masks_come_with_their_complements():
    masks = np.asarray(RealNVP(5, couplings=4, key=KEY).masks)
    assert (masks[::2] ^ masks[1::2]).all()
    assert (masks[::2].sum(axis=1) == 2).all()


def test_circulant_is_the_matrix_of_its_spectrum():
    bijector = circulant(3, 4)
    matrix = np.fft.ifftn(np.array(bijector.spectrum).reshape(3, 4)).real
    sites = Lattice((3, 4)).coordinates()
    dense = np.array([[matrix[tuple((a - b) % (3, 4))] for b in sites] for a in sites])
    z = np.random.default_rng(0).normal(size=(3, 4))
    x, log_det = bijector.forward(jnp.asarray(z))
    np.testing.assert_allclose(np.asarray(x).ravel(), dense @ z.ravel(), rtol=1e-12, atol=1e-12)
    assert float(log_det) == pytest.approx(np.linalg.slogdet(dense)[1], abs=1e-12)
