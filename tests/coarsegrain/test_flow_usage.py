"""Bad input to the flow room: one message that says what is wrong and what is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    Affine,
    BlockLayer,
    Circulant,
    ContextNet,
    RealNVP,
    ReverseKL,
    SiteMap,
    build_flow,
    fill_schedule,
    layout_options,
    level_shapes,
    mera,
    tebd,
)
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
FAST = {"layout": "tebd", "couplings": 1, "hidden": 1, "width": 2, "layers": 1}


def make(size, key):
    return RealNVP(size, couplings=1, hidden=1, width=2, key=key)


def ising(*shape, **options):
    return build_hamiltonian("ising", Lattice(shape), **options)


@pytest.mark.parametrize("shape", [(29,), (7, 7), (14, 28), (3, 3, 5), (58,)])
def test_lattices_without_a_hierarchy(shape):
    with pytest.raises(UsageError, match="27 at most"):
        level_shapes(Lattice(shape))
    with pytest.raises(UsageError, match="Choose extents"):
        build_flow(build_hamiltonian("gaussian", Lattice(shape)), key=KEY)


@pytest.mark.parametrize("layout", ["mera", "ttn"])
def test_trees_need_powers_of_two(layout):
    with pytest.raises(UsageError, match=r"6x6 ends at 3x3.*powers of 2"):
        build_flow(ising(6, 6), layout=layout, key=KEY)


@pytest.mark.parametrize("depth", [0, 3, -1])
def test_trees_have_as_many_scales_as_the_lattice(depth):
    with pytest.raises(UsageError, match=f"has 2 scales, so the depth cannot be {depth}"):
        mera(Lattice((4, 4)), make, depth=depth, key=KEY)


def test_brick_walls_need_even_extents():
    with pytest.raises(UsageError, match=r"even extents.*3x4"):
        tebd(Lattice((3, 4)), make, key=KEY)


@pytest.mark.parametrize(
    ("options", "wrong", "hint"),
    [
        ({"layout": "merra"}, "layout 'merra'", "'mera'"),
        ({"layout": "conditonal"}, "layout 'conditonal'", "'conditional'"),
        ({"prior": "gausian"}, "prior 'gausian'", "'gaussian'"),
        ({"symmetry": "mixtur"}, "symmetry 'mixtur'", "'mixture'"),
        ({"scalar": "splin"}, "scalar map 'splin'", "'spline'"),
        ({"widht": 3}, "no option 'widht'", "'width'"),
        ({"layout": "mera", "coupling": 3}, "no option 'coupling'", "'couplings'"),
    ],
)
def test_unknown_names_come_with_the_nearest(options, wrong, hint):
    with pytest.raises(UsageError) as caught:
        build_flow(ising(4, 4), **options, key=KEY)
    message = str(caught.value)
    assert wrong in message
    assert f"Did you mean {hint}?" in message
    assert "Known: " in message
    assert caught.value.exit_code == 2


def test_far_off_names_list_what_is_known():
    with pytest.raises(UsageError, match="Known: conditional, mera, tebd, ttn") as caught:
        layout_options("zzz")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("symmetry", ["odd", "mixture"])
def test_a_field_breaks_the_symmetry(symmetry):
    with pytest.raises(UsageError, match=f"not even under x -> -x, so the symmetry cannot be '{symmetry}'"):
        build_flow(ising(4, 4, field=0.1), symmetry=symmetry, **FAST, key=KEY)
    for allowed in ("auto", "none"):
        build_flow(ising(4, 4, field=0.1), symmetry=allowed, **FAST, key=KEY)


@pytest.mark.parametrize("bad", [(4, 6), (8, 4), (4,), (6, 4, 4)])
def test_fields_of_another_shape(bad):
    network = mera(Lattice((8, 8)), make, key=KEY)
    for method in (network.forward, network.inverse):
        with pytest.raises(UsageError, match="built for 8x8"):
            method(jnp.zeros(bad))
    with pytest.raises(UsageError, match="unit cells"):
        BlockLayer(make(9, KEY), sides=(3, 3)).forward(jnp.zeros((6, 4)))


def net(context):
    return ContextNet(context, n_even=1, n_odd=1, start=[0.0], width=2, key=KEY)


@pytest.mark.parametrize("context", [[(0, 0)], [(1, 0), (1, 1)], [(2, 0)], [(0, -2)]])
def test_a_context_that_is_active(context):
    with pytest.raises(UsageError, match="is itself active"):
        SiteMap((2, 2), [(0, 1), (1, 0)], context, net(len(context)), Affine())


def test_a_site_map_on_a_field_that_its_cell_does_not_divide():
    stripes = SiteMap((2,), [(1,)], [(1,)], net(1), Affine())
    with pytest.raises(UsageError, match="unit cells"):
        stripes.forward(jnp.zeros(5))


@pytest.mark.parametrize(
    ("spectrum", "message"),
    [
        (np.ones((4, 2)), "shape"),
        (np.ones(16), "shape"),
        (np.diag([1.0, 1, 1, 1]), "nowhere zero"),
        (np.full((4, 4), np.nan), "finite"),
        (np.full((4, 4), np.inf), "finite"),
        (1 + np.arange(16.0).reshape(4, 4), "even"),
    ],
)
def test_spectra_that_make_no_bijector(spectrum, message):
    with pytest.raises(UsageError, match=message):
        Circulant(Lattice((4, 4)), spectrum=spectrum)


@pytest.mark.parametrize("size", [0, 1])
def test_a_coupling_needs_two_variables(size):
    with pytest.raises(UsageError, match="at least two variables"):
        RealNVP(size, key=KEY)


@pytest.mark.parametrize("name", ["couplings", "hidden", "width"])
def test_a_block_has_at_least_one_of_each(name):
    with pytest.raises(UsageError, match=f"{name}=0"):
        RealNVP(4, **{name: 0}, key=KEY)


@pytest.mark.parametrize("colours", [0, 3])
def test_colours_of_a_fill(colours):
    with pytest.raises(UsageError, match="1 or 2 colours"):
        fill_schedule((4, 4), colours=colours)
    with pytest.raises(UsageError, match="1 or 2 colours"):
        build_flow(ising(4, 4), colours=colours, key=KEY)


def test_unknown_estimator():
    with pytest.raises(UsageError, match="'path' or 'standard', not 'pathwise'"):
        ReverseKL(ising(2, 2), "pathwise")


@pytest.mark.parametrize(
    "options",
    [
        {"terms": 0},
        {"width": 0},
        {"depth": 0},
        {"disentanglers": -1},
        {"radius": -1.0},
        {"radius": float("nan")},
        {"radius": float("inf")},
        {"whitening": -0.5},
        {"whitening": float("nan")},
        {"layout": "tebd", "layers": 0},
        {"layout": "mera", "repeats": 0},
        {"layout": "ttn", "scales": 2},
    ],
    ids=str,
)
def test_numbers_out_of_range(options):
    with pytest.raises(UsageError):
        build_flow(ising(2, 2), **options, key=KEY)


def test_active_sites_lie_in_the_unit_cell():
    net = ContextNet(1, n_even=1, n_odd=1, start=[0.0], key=jax.random.key(0))
    with pytest.raises(UsageError, match="outside the unit cell"):
        SiteMap((2,), [(3,)], [(1,)], net, Affine())
