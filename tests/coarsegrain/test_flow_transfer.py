"""Weights of one flow in another: the same conditional densities at the scale of the lattice; refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import build_conditioned_flow, build_flow, hierarchy_of, transfer
from deeprg.hamiltonians import HamiltonianFamily, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(1)
SMALL = {"width": 3, "depth": 1, "terms": 2, "radius": 1.5}


def dual(extent, temperature=2.0):
    return build_hamiltonian("ising", Lattice((extent, extent)), temperature=temperature)


def flow_on(extent, *, temperature=2.0, key=KEY, **options):
    return build_flow(dual(extent, temperature), dtype=jnp.float64, key=key, **(SMALL | options))


def family(extent, low=1.8, high=3.0):
    return HamiltonianFamily(dual(extent), "temperature", low, high)


def conditioned_on(extent, low=1.8, high=3.0, **options):
    settings = {"degree": 2} | SMALL | options
    return build_conditioned_flow(family(extent, low, high), dtype=jnp.float64, key=KEY, **settings)


def leaves(tree):
    return jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))


def test_finest_level_of_a_larger_lattice_has_the_same_conditional_densities(perturbed):
    """A period-4 configuration on 8x8 is the one on 4x4: fields and log slopes of the fill, site by site."""
    small = perturbed(flow_on(4))
    found = transfer(small, flow_on(8, key=jax.random.key(9)))
    assert found.lines[0] == "level 8x8: from level 4x4"
    assert (found.copied, found.fresh) == (4, 0)
    rng = np.random.default_rng(0)
    coarse, z = jnp.asarray(rng.normal(size=(2, 2))), jnp.asarray(rng.normal(size=(4, 4)))
    twice = lambda x: jnp.tile(x, (2, 2))
    fine, log_det = hierarchy_of(small).refine(coarse, z)
    large, log_large = hierarchy_of(found.flow).refine(twice(coarse), twice(z))
    np.testing.assert_allclose(large, twice(fine), rtol=1e-12, atol=1e-12)
    assert float(log_large) == pytest.approx(4 * float(log_det), rel=1e-12)
    # Without the transfer it is another density.
    other, _ = hierarchy_of(flow_on(8, key=jax.random.key(9))).refine(twice(coarse), twice(z))
    assert float(jnp.abs(other - large).max()) > 0.1


def test_to_another_temperature_everything_but_the_whitening_is_copied(perturbed):
    source, target = perturbed(flow_on(4)), flow_on(4, temperature=2.5, key=jax.random.key(9))
    found = transfer(source, target).flow
    for mine, theirs in zip(leaves(found), leaves(source), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert found.bijector.links[1].spectrum == target.bijector.links[1].spectrum
    assert found.bijector.links[1].spectrum != source.bijector.links[1].spectrum


def test_levels_that_see_themselves_around_the_torus_take_the_nearest_of_their_build():
    # With radius 3.2 the contexts of the levels 2x2, 4x4 and 8x8 all differ; those of 8x8 and 16x16 agree.
    source, target = flow_on(8, radius=3.2), flow_on(16, radius=3.2, key=jax.random.key(9))
    found = transfer(source, target)
    assert found.lines == (
        "level 16x16: from level 8x8",
        "level 8x8: from level 8x8",
        "level 4x4: from level 4x4",
        "level 2x2: from level 2x2",
        "base: copied",
    )


def test_fresh_levels_are_counted_and_keep_the_weights_of_the_target():
    source = build_flow(
        build_hamiltonian("ising", Lattice((4, 4)), temperature=2.0),
        dtype=jnp.float64,
        key=KEY,
        **(SMALL | {"colours": 1, "radius": 2.5}),
    )
    target = build_flow(
        build_hamiltonian("ising", Lattice((8, 8)), temperature=2.0),
        dtype=jnp.float64,
        key=jax.random.key(9),
        **(SMALL | {"colours": 1, "radius": 2.5}),
    )
    with pytest.raises(UsageError, match="contexts"):
        transfer(source, target)
    tree = transfer(flow_on(8, radius=1.5), flow_on(4, radius=1.5, key=jax.random.key(9)))
    assert tree.lines == ("level 4x4: from level 8x8", "level 2x2: from level 2x2", "base: copied")


def test_conditioned_weights_and_slopes_go_together(perturbed):
    source = perturbed(conditioned_on(4), size=0.1)
    found = transfer(source, conditioned_on(8)).flow
    coarse, z = (jnp.asarray(np.random.default_rng(0).normal(size=(n, n))) for n in (2, 4))
    for value in (1.9, 2.8):
        small, large = (hierarchy_of(flow.at(value)) for flow in (source, found))
        fine, _ = small.refine(coarse, z)
        twice, _ = large.refine(jnp.tile(coarse, (2, 2)), jnp.tile(z, (2, 2)))
        np.testing.assert_allclose(twice, jnp.tile(fine, (2, 2)), rtol=1e-12, atol=1e-12)


def test_between_fixed_and_conditioned_flows(perturbed):
    conditioned = perturbed(conditioned_on(4), size=0.1)
    fixed = transfer(conditioned.at(2.3), flow_on(4, temperature=2.3)).flow
    z = jax.random.normal(KEY, (4, 4))
    np.testing.assert_allclose(fixed.push(z)[0], conditioned.at(2.3).push(z)[0], rtol=1e-11, atol=1e-11)
    back = transfer(fixed, conditioned).flow
    assert max(float(jnp.abs(leaf).max()) for leaf in leaves(back.slopes) if leaf.size) == 0
    np.testing.assert_allclose(back.at(2.3).push(z)[0], fixed.push(z)[0], rtol=1e-11, atol=1e-11)


def test_flat_layout_passes_its_weights_as_a_whole():
    options = {"layout": "tebd", "layers": 2, "width": 4, "hidden": 1, "couplings": 2}
    make = lambda extent, key: build_flow(dual(extent), dtype=jnp.float64, key=key, **options)
    found = transfer(make(4, KEY), make(8, jax.random.key(9)))
    assert found.lines == ("all weights: copied",)
    for mine, theirs in zip(leaves(found.flow), leaves(make(4, KEY)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        (lambda: flow_on(4), lambda: flow_on(4, width=5), "widths are 3 and 5"),
        (lambda: flow_on(8), lambda: flow_on(8, radius=2.3), r"contexts \(radius\)"),
        (lambda: flow_on(4), lambda: flow_on(4, disentanglers=2), "8 and 10 maps per level"),
        (lambda: flow_on(4), lambda: flow_on(4, scalar="affine"), "scalar maps"),
        (lambda: flow_on(4), lambda: flow_on(4, depth=2), "hidden layers"),
        (lambda: flow_on(4), lambda: flow_on(4, symmetry="none"), "symmetry"),
        (lambda: flow_on(4), lambda: flow_on(4, colours=1), "maps per level"),
        (lambda: flow_on(4, radius=3.2), lambda: flow_on(8, radius=3.2), "too small for its radius"),
        (
            lambda: build_flow(dual(4), layout="mera", width=4, couplings=2, hidden=1, key=KEY),
            lambda: flow_on(4),
            "layout is another",
        ),
        (
            lambda: build_flow(dual(4), layout="tebd", width=4, couplings=2, hidden=1, key=KEY),
            lambda: flow_on(4),
            "layout",
        ),
        (lambda: conditioned_on(4), lambda: flow_on(4), r"source.at\(v\)"),
        (lambda: conditioned_on(4), lambda: conditioned_on(4, high=3.1), "Take the same interval"),
        (lambda: conditioned_on(4), lambda: conditioned_on(4, degree=3), "degree 2"),
    ],
)
def test_incompatible_flows_are_refused_by_the_first_difference(source, target, text):
    with pytest.raises(UsageError, match=text):
        transfer(source(), target())
