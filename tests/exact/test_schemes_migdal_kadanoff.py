"""Migdal-Kadanoff beyond d = b = 2, and the chain."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from deeprg.exact.schemes import (
    critical_coupling,
    decimate_chain,
    decimate_potts_chain,
    decimation_1d,
    exponents,
    find_scheme,
    fixed_point,
    fixed_points,
    known_values,
    migdal_kadanoff,
    phase,
    stability,
)


def test_migdal_kadanoff_is_exact_in_one_dimension():
    assert migdal_kadanoff(dimension=1, scale=3)([0.7])[0] == pytest.approx(math.atanh(math.tanh(0.7) ** 3))
    for scale in (2, 3):
        chain = migdal_kadanoff(dimension=1, scale=scale)
        assert fixed_point(chain).tolist() == [math.inf]
        assert stability(chain).eigenvalues == pytest.approx([scale])
        assert exponents(chain).nu == pytest.approx(1)


def test_migdal_kadanoff_in_other_dimensions_and_scales():
    # the expansion about d = 1 starts with nu = 1/(d - 1)
    assert exponents(migdal_kadanoff(1.01)).nu == pytest.approx(100, rel=0.02)
    cube = migdal_kadanoff(3)
    # tanh K = tanh^2 4K, solved by itself
    k = brentq(lambda k: math.tanh(k) - math.tanh(4 * k) ** 2, 0.01, 0.2, xtol=1e-15)
    assert fixed_point(cube)[0] == pytest.approx(k, abs=1e-13)
    assert fixed_point(cube)[0] == pytest.approx(0.06527, abs=5e-6)
    assert exponents(cube).y_t == pytest.approx(math.log2(4 * math.tanh(8 * k)), abs=1e-12)
    assert exponents(cube).nu == pytest.approx(1.0648, abs=5e-5)
    assert cube.exact["critical_coupling"] == pytest.approx(0.221654626)
    assert cube.lattice == "cubic"


@pytest.mark.parametrize(("d", "coupling", "rate"), [(2, 0.440687, 0.753550), (3, 0.139778, 0.948169)])
def test_infinitesimal_steps(d, coupling, rate):
    """b -> 1: dK/dl = (d - 1) K + 1/2 sinh 2K ln tanh K."""

    def beta(k: float) -> float:
        return (d - 1) * k + math.sinh(2 * k) * math.log(math.tanh(k)) / 2

    limit = brentq(beta, 0.05, 0.8, xtol=1e-15)
    assert limit == pytest.approx(coupling, abs=5e-7)
    assert (beta(limit + 1e-5) - beta(limit - 1e-5)) / 2e-5 == pytest.approx(rate, abs=1e-6)
    near, nearer = (float(fixed_point(migdal_kadanoff(d, b))[0]) for b in (1.002, 1.001))
    assert 2 * nearer - near == pytest.approx(limit, abs=1e-6)
    assert exponents(migdal_kadanoff(d, 1.001)).y_t == pytest.approx(rate, abs=1e-5)
    if d == 2:  # self-dual
        assert limit == pytest.approx(known_values("square")["critical_coupling"], abs=1e-12)


@pytest.mark.parametrize(("d", "b"), [(1.01, 2), (6, 2), (10, 2), (10, 64)])
def test_phases_where_the_fixed_point_is_far_from_one(d, b):
    scheme = migdal_kadanoff(d, b)
    critical = float(fixed_point(scheme)[0])
    assert float(scheme([critical])[0]) == pytest.approx(critical, rel=1e-9)
    assert [phase(scheme, factor * critical) for factor in (0.9, 1.1)] == ["disordered", "ordered"]


def test_small_couplings_keep_their_digits():
    for k in (1e-3, 1e-9, 1e-15):
        assert float(migdal_kadanoff()([k])[0]) == pytest.approx(math.atanh(math.tanh(2 * k) ** 2), rel=1e-12)
        assert float(migdal_kadanoff(2, 1.5)([k])[0]) == pytest.approx((1.5 * k) ** 1.5, rel=1e-5)
        assert float(find_scheme("maris-kadanoff")([k])[0]) == pytest.approx(
            3 * k * k * (1 - 8 * k * k / 3), rel=1e-9
        )


def test_geometry_by_name():
    assert find_scheme("migdal-kadanoff", dimension=3, scale=2).lattice == "cubic"
    assert find_scheme("migdal-kadanoff", scale=3).dimension == 2
    chain = find_scheme("decimation-1d", scale=3)
    assert chain.name == "decimation-1d"
    assert chain([0.7])[0] == pytest.approx(math.atanh(math.tanh(0.7) ** 3))
    assert exponents(chain).y_h == 1


def test_migdal_kadanoff_for_potts():
    three = migdal_kadanoff(states=3)
    assert fixed_point(three)[0] == pytest.approx(math.log(2), abs=1e-12)
    assert three.exact["y_t"] == pytest.approx(6 / 5)
    image, _ = decimate_potts_chain(2 * 0.6, 3)
    assert three([0.6])[0] == pytest.approx(float(image), abs=1e-14)
    two = decimate_potts_chain(2 * 2 * 0.3, 2)[0] / 2
    assert migdal_kadanoff()([0.3])[0] == pytest.approx(float(two), abs=1e-14)


def test_the_chain_has_trivial_fixed_points_only():
    kinds = [point.kind for point in fixed_points("decimation-1d")]
    assert kinds == ["high temperature", "zero temperature"]
    found = exponents("decimation-1d")
    assert (found.y_t, found.nu, found.y_h, found.eta) == pytest.approx((1, 1, 1, 1))
    assert critical_coupling("decimation-1d") == math.inf
    scheme = decimation_1d()
    for k in (0.2, 1.0, 4.0):
        step = 1e-6
        slope = (decimate_chain(k, step).field - decimate_chain(k, -step).field) / (2 * step)
        assert scheme.magnetic(np.array([k])) == pytest.approx(float(slope), abs=1e-8)
        w = scheme.cold(np.exp(-2 * k))
        assert w == pytest.approx(math.exp(-2 * float(scheme([k])[0])), abs=1e-12)
