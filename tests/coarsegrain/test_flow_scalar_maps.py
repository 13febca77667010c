"""Scalar maps against autodiff, finite differences, the implicit function theorem and flowjax."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.coarsegrain.flow import SCALAR_MAPS, Affine, RationalQuadraticSpline, SumOfTanh
from deeprg.runs.errors import UsageError

MAPS = {
    "affine": Affine(),
    "sum-of-tanh": SumOfTanh(3),
    "sum of one tanh": SumOfTanh(1),
    "spline": RationalQuadraticSpline(8),
    "spline of 5 bins": RationalQuadraticSpline(5, reach=2.0),
    "spline of 2 bins": RationalQuadraticSpline(2, reach=3.0),
}


def test_every_registered_map_is_here():
    assert set(SCALAR_MAPS) <= set(MAPS)
    assert {type(build(2)) for build in SCALAR_MAPS.values()} == {type(scalar) for scalar in MAPS.values()}


@pytest.fixture(params=MAPS, ids=str)
def scalar(request):
    return MAPS[request.param]


def setting(scalar, seed=0, n=40, size=1.0):
    """n values inside and outside the bends, each with its own parameters."""
    rng = np.random.default_rng(seed)
    even = np.array(scalar.start())[:, None] + size * rng.normal(size=(scalar.n_even, n))
    odd = size * rng.normal(size=(scalar.n_odd, n))
    return jnp.asarray(2.5 * rng.normal(size=n)), jnp.asarray(even), jnp.asarray(odd)


forward = eqx.filter_jit(lambda scalar, *arguments: scalar.forward(*arguments))
inverse = eqx.filter_jit(lambda scalar, *arguments: scalar.inverse(*arguments))


def test_slope_is_the_derivative(scalar):
    z, even, odd = setting(scalar)
    _, log_slope = forward(scalar, z, even, odd)
    truth = eqx.filter_jit(jax.grad(lambda z: jnp.sum(scalar.forward(z, even, odd)[0])))(z)
    assert (np.asarray(truth) > 0).all()
    np.testing.assert_allclose(log_slope, np.log(truth), rtol=1e-10, atol=1e-10)


def test_inverse_and_its_slope(scalar):
    z, even, odd = setting(scalar)
    x, log_slope = forward(scalar, z, even, odd)
    back, log_back = inverse(scalar, x, even, odd)
    # Splines lose digits where a slope is near its least value, 1e-3.
    np.testing.assert_allclose(back, z, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(log_back, -np.asarray(log_slope), rtol=1e-9, atol=1e-9)


def test_starts_near_the_identity_and_is_odd_in_value_and_odd_parameters(scalar):
    z, even, odd = setting(scalar)
    x, log_slope = forward(scalar, z, even, odd)
    mirrored, log_mirrored = forward(scalar, -z, even, -odd)
    np.testing.assert_allclose(mirrored, -np.asarray(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_mirrored, log_slope, rtol=1e-12, atol=1e-12)
    tilted, _ = forward(scalar, -z, even, odd)
    assert np.abs(np.asarray(tilted + x)).max() > 0.1
    start = jnp.broadcast_to(jnp.asarray(scalar.start())[:, None], even.shape)
    near, _ = forward(scalar, z, start, jnp.zeros_like(odd))
    # A tanh begins with a height of 0.13.
    assert np.abs(np.asarray(near - z)).max() <= (0.5 if isinstance(scalar, SumOfTanh) else 1e-9)


def test_derivatives_of_the_inverse_by_the_implicit_function_theorem(scalar):
    """dz/dθ = -(∂f/∂θ)/(∂f/∂z), and that of ln dz/dx = -ln f'(z(θ), θ)."""
    z, even, odd = setting(scalar, seed=1)

    def forward_derivatives(z, even, odd):
        totals = [lambda *a, i=i: jnp.sum(scalar.forward(*a)[i]) for i in (0, 1)]
        return [jax.grad(total, (0, 1, 2))(z, even, odd) for total in totals]

    def inverse_derivatives(x, even, odd):
        totals = [lambda *a, i=i: jnp.sum(scalar.inverse(*a)[i]) for i in (0, 1)]
        return [jax.grad(total, (0, 1, 2))(x, even, odd) for total in totals]

    x, _ = forward(scalar, z, even, odd)
    derivatives = (
        eqx.filter_jit(forward_derivatives)(z, even, odd),
        eqx.filter_jit(inverse_derivatives)(x, even, odd),
    )
    (of_f, of_l), (of_z, of_s) = jax.tree.map(np.asarray, derivatives)
    (f_z, *f_theta), (l_z, *l_theta), (z_x, *z_theta), (s_x, *s_theta) = of_f, of_l, of_z, of_s
    np.testing.assert_allclose(z_x, 1 / f_z, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(s_x, -l_z / f_z, rtol=1e-7, atol=1e-7)
    for of_z, of_slope, f, slope in zip(z_theta, s_theta, f_theta, l_theta, strict=True):
        np.testing.assert_allclose(of_z, -f / f_z, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(of_slope, -slope + l_z * f / f_z, rtol=1e-6, atol=1e-6)


def test_derivatives_of_the_inverse_by_finite_differences(scalar):
    x, even, odd = setting(scalar, seed=2, n=5, size=0.5)
    rng = np.random.default_rng(3)
    steps = [jnp.asarray(rng.normal(size=a.shape)) for a in (x, even, odd)]
    moved = lambda t: inverse(scalar, *(a + t * d for a, d in zip((x, even, odd), steps, strict=True)))
    _, along = jax.jvp(lambda *a: scalar.inverse(*a), (x, even, odd), tuple(steps))
    h = 1e-5
    for derivative, up, down in zip(along, moved(h), moved(-h), strict=True):
        np.testing.assert_allclose(derivative, np.asarray(up - down) / (2 * h), rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    steepness=st.floats(-3, 3),
    height=st.floats(-4, 50),
    scale=st.floats(-4, 4),
    centre=st.floats(-3, 3),
    value=st.floats(-1e4, 1e4),
)
def test_extreme_sums_of_tanh_invert(steepness, height, scale, centre, value):
    """b from 1e-3 to 1e3. z is only known to the rounding of x over the slope, plus its own rounding."""
    scalar = SumOfTanh(1)
    even = jnp.array([[scale], [height], [steepness * np.log(10)]])
    odd = jnp.array([[0.3], [centre]])
    z, log_back = inverse(scalar, jnp.array([value]), even, odd)
    x, log_slope = forward(scalar, z, even, odd)
    stretch = float(jnp.exp(log_slope[0])) * (1 + abs(float(z[0])))
    reach = np.exp(scale) * (1 + max(height, 1))
    assert abs(float(x[0]) - value) <= 1e-14 * (abs(value) + reach) + 4e-16 * stretch
    assert float(log_back[0]) == pytest.approx(-float(log_slope[0]), abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 1e-3, 0.5, 3.0, 1e3, 1e8])
def test_steep_step_inverts(value):
    scalar = SumOfTanh(2)
    even = jnp.log(jnp.expm1(jnp.array([2.0, 5.0])))
    even = jnp.concatenate([jnp.zeros(1), even, jnp.log(jnp.array([1e3, 1e3]))])[:, None]
    z, _ = inverse(scalar, jnp.array([value]), even, jnp.array([[0.0], [0.0], [1.0]]))
    x, _ = forward(scalar, z, even, jnp.array([[0.0], [0.0], [1.0]]))
    # On the step a rounding of z is 7000 roundings of x.
    assert float(x[0]) == pytest.approx(value, rel=1e-14, abs=1e-11)


def test_sum_of_tanh_in_single_precision():
    scalar = SumOfTanh(3)
    z, even, odd = (a.astype(jnp.float32) for a in setting(scalar))
    x, _ = forward(scalar, z, even, odd)
    back, log_back = inverse(scalar, x, even, odd)
    assert back.dtype == log_back.dtype == jnp.float32
    np.testing.assert_allclose(back, z, rtol=2e-5, atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0.1, 30))
def test_extreme_splines_invert_and_stay_monotone(seed, size):
    scalar = MAPS["spline"]
    z, even, odd = setting(scalar, seed, size=size)
    even, odd = even.at[0].set(0.0), odd.at[0].set(0.0)
    z = jnp.linspace(-6, 6, z.size)
    x, log_slope = forward(scalar, z, even[:, :1] + 0 * even, odd[:, :1] + 0 * odd)
    assert np.isfinite(np.asarray(log_slope)).all()
    assert (np.diff(np.asarray(x)) > 0).all()
    back, _ = inverse(scalar, x, even[:, :1] + 0 * even, odd[:, :1] + 0 * odd)
    again, _ = forward(scalar, back, even[:, :1] + 0 * even, odd[:, :1] + 0 * odd)
    np.testing.assert_allclose(again, x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bins", [2, 5, 8])
def test_spline_is_that_of_flowjax(bins):
    """Both from the same knots; outside the last knots both are the identity."""
    flowjax = pytest.importorskip("flowjax.bijections")
    scalar = RationalQuadraticSpline(bins, reach=3.0)
    _, even, odd = setting(scalar, n=1)
    even, odd = even.at[0].set(0.0), odd.at[0].set(0.0)
    knots = [np.asarray(k)[:, 0] for k in scalar._knots(even, odd)]
    peer = flowjax.RationalQuadraticSpline(knots=bins - 1, interval=3.0)
    peer = eqx.tree_at(
        lambda s: (s.x_pos, s.y_pos, s.derivatives),
        peer,
        tuple(map(jnp.asarray, knots)),
        is_leaf=lambda _: False,
    )
    z = jnp.asarray(np.linspace(-4, 4, 81))
    spread = lambda a: jnp.broadcast_to(a, (len(a), len(z)))
    ours, log_slope = forward(scalar, z, spread(even), spread(odd))
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        theirs, their_log_slope = jax.vmap(peer.transform_and_log_det)(z)
    inside = np.abs(np.asarray(z)) < 3 - 1e-9
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_slope[inside], their_log_slope[inside], rtol=1e-10, atol=1e-10)


def test_spline_knots_are_ordered_and_mirror_with_the_odd_parameters():
    scalar = RationalQuadraticSpline(7, reach=2.0)
    _, even, odd = setting(scalar, n=4)
    for there, back in zip(scalar._knots(even, odd), scalar._knots(even, -odd), strict=True):
        assert (np.diff(np.asarray(scalar._knots(even, odd)[0]), axis=0) > 0).all()
        sign = 1 if (np.asarray(there) > 0).all() else -1
        np.testing.assert_allclose(there, sign * np.asarray(back)[::-1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("build", [lambda: SumOfTanh(0), lambda: RationalQuadraticSpline(1)])
def test_too_few_terms(build):
    with pytest.raises(UsageError, match="at least"):
        build()


@pytest.mark.parametrize("reach", [0.0, -1.0, float("nan")])
def test_reach_must_be_positive(reach):
    with pytest.raises(UsageError, match="reach"):
        RationalQuadraticSpline(4, reach)
