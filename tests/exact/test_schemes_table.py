"""The table of the schemes: fixed points, eigenvalues, exponents, critical couplings, flows."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deeprg.exact.schemes import (
    SCHEMES,
    critical_coupling,
    exponents,
    find_scheme,
    fixed_point,
    fixed_points,
    flow,
    jacobian,
    known_values,
    phase,
    stability,
    triangle_moments,
)

ORDERS = [(name, order) for name, scheme in SCHEMES.items() for order in scheme.orders or (None,)]


TABLE = {
    # name, order: K*, leading eigenvalue, y_t, nu
    ("migdal-kadanoff", None): (0.30469, 1.67857, 0.7472, 1.338),
    ("maris-kadanoff", None): (0.50698, 1.44892, 1.0700, 0.9346),
    ("wilson", None): (1 / 3, 1.72076, 1.566, 0.6385),
    ("majority-square", 1): (0.51861, 2.0082, 1.0059, 0.994),
    ("niemeijer-van-leeuwen", 1): (0.33561, 1.6235, 0.8822, 1.1335),
}
DIGITS = {
    "niemeijer-van-leeuwen": (5, 4, 4, 4),
    "migdal-kadanoff": (5, 5, 4, 3),
    "maris-kadanoff": (5, 5, 4, 4),
    "wilson": (12, 5, 3, 4),
}


@pytest.mark.parametrize(("name", "order"), TABLE)
def test_table(name, order):
    found = exponents(name, order=order)
    values = (
        fixed_point(name, order=order)[0],
        stability(name, order=order).eigenvalues[0],
        found.y_t,
        found.nu,
    )
    for value, known, digits in zip(values, TABLE[name, order], DIGITS.get(name, (5, 4, 4, 3)), strict=True):
        assert value == pytest.approx(known, abs=0.5001 * 10**-digits)


def test_values_in_closed_form():
    assert fixed_point("wilson") == pytest.approx([1 / 3, 1 / 9], abs=1e-12)
    matrix = [[4 / 3, 1], [2 / 3, 0]]
    assert_allclose(stability("wilson").jacobian, matrix, rtol=0, atol=1e-12)
    assert stability("wilson").eigenvalues == pytest.approx([1.72076, -0.38743], abs=5e-6)
    assert stability("wilson").eigenvalues == pytest.approx(
        [(2 + math.sqrt(10)) / 3, (2 - math.sqrt(10)) / 3]
    )
    triangular = math.log(1 + 2 * math.sqrt(2)) / 4
    assert fixed_point("niemeijer-van-leeuwen")[0] == pytest.approx(triangular, abs=1e-12)
    assert triangle_moments(triangular).mean == pytest.approx(1 / math.sqrt(2), abs=1e-12)
    assert exponents("niemeijer-van-leeuwen").y_h == pytest.approx(1.369, abs=5e-4)
    assert SCHEMES["niemeijer-van-leeuwen"].magnetic(np.array([triangular])) == pytest.approx(
        3 / math.sqrt(2)
    )
    square = fixed_point("majority-square")
    assert SCHEMES["majority-square"].magnetic(square) == pytest.approx(2 * math.sqrt(2), abs=1e-12)
    assert exponents("majority-square").y_h == pytest.approx(1.5, abs=1e-12)


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_fixed_points_are_fixed_and_their_jacobian_is_the_slope(name, order):
    scheme = find_scheme(name, order)
    for point in fixed_points(name, order=order):
        k = point.couplings
        if not np.isfinite(k).all():
            continue
        assert np.abs(scheme(k) - k).max() < 1e-12
        if k.any():
            h = 1e-6
            numeric = [(scheme(k + h * e) - scheme(k - h * e)) / (2 * h) for e in np.eye(k.size)]
            assert_allclose(jacobian(name, k, order=order), np.transpose(numeric), rtol=0, atol=1e-8)
    linear = stability(name, order=order)
    rebuilt = linear.directions * linear.eigenvalues @ linear.fields
    assert_allclose(rebuilt, linear.jacobian, rtol=0, atol=1e-12)
    assert np.all(np.diff(np.abs(linear.eigenvalues)) <= 0)


def test_second_order_of_niemeijer_van_leeuwen():
    point = fixed_point("niemeijer-van-leeuwen", order=2)
    assert_allclose(point, [0.278869, -0.014248, -0.015231], rtol=0, atol=5e-7)
    assert_allclose(
        stability("niemeijer-van-leeuwen", order=2).eigenvalues,
        [1.772843, 0.194778, -0.136354],
        rtol=0,
        atol=5e-7,
    )
    # closer to 1/4 ln 3 and to y_t = 1 than the first order
    exact = known_values("triangular")
    assert exact["critical_coupling"] == pytest.approx(math.log(3) / 4, abs=1e-14)
    errors = [
        (
            abs(critical_coupling("niemeijer-van-leeuwen", order=order) - exact["critical_coupling"]),
            abs(exponents("niemeijer-van-leeuwen", order=order).y_t - 1),
        )
        for order in (1, 2)
    ]
    assert errors[1][0] < errors[0][0] / 3
    assert errors[1][1] < errors[0][1] / 2


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_critical_coupling_separates_the_phases(name, order):
    critical = critical_coupling(name, order=order)
    count = len(find_scheme(name, order).couplings)
    if math.isinf(critical):
        assert phase(name, 5.0) == "disordered"
        return
    rest = [0.0] * (count - 1)
    assert phase(name, [critical * (1 - 1e-9), *rest], order=order) == "disordered"
    assert phase(name, [critical * (1 + 1e-9), *rest], order=order) == "ordered"
    if count == 1:
        assert critical == fixed_point(name, order=order)[0]
    else:  # the flow from the axis passes next to the fixed point
        path = flow(name, [critical, *rest], steps=25, order=order)
        assert np.abs(path - fixed_point(name, order=order)).max(1).min() < 1e-4


def test_critical_coupling_with_other_couplings():
    k, diagonal = fixed_point("wilson")
    assert critical_coupling("wilson", others=[diagonal]) == pytest.approx(k, abs=1e-12)
    assert critical_coupling("wilson") == pytest.approx(0.39209, abs=5e-6)


def test_flow():
    path = flow("decimation-1d", 1.3, steps=6)
    assert path.shape == (7, 1)
    assert_allclose(np.tanh(path[:, 0]), math.tanh(1.3) ** 2.0 ** np.arange(7), rtol=0, atol=1e-12)
    assert flow("migdal-kadanoff", 0.31, steps=500).shape[0] < 100
    assert flow("wilson", [0.2, 0.1], steps=0).tolist() == [[0.2, 0.1]]
