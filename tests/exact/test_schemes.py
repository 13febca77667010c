"""Closed forms against sums over states, coefficients against enumeration, and the numbers of the schemes."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from deeprg.exact import enumerate_states, kaufman
from deeprg.exact.schemes import (
    SCHEMES,
    chain_log_partition,
    critical_coupling,
    decimate_chain,
    decimate_ising_chain,
    decimate_potts_chain,
    decimate_square,
    decimation_1d,
    exponents,
    find_scheme,
    fixed_point,
    fixed_points,
    flow,
    free_energy,
    jacobian,
    known_values,
    migdal_kadanoff,
    phase,
    plaquette_mean,
    square_log_partition,
    stability,
    triangle_moments,
    triangular_log_partition,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError, UsageError

quick = settings(max_examples=25, deadline=None, derandomize=True)
couplings = st.floats(-1.5, 1.5)
SPINS = (1, -1)
ORDERS = [(name, order) for name, scheme in SCHEMES.items() for order in scheme.orders or (None,)]


# Closed forms against the sum over the decimated spin


@quick
@given(k=couplings, h=couplings)
def test_chain_decimation_is_the_sum_over_the_middle_spin(k, h):
    step = decimate_chain(k, h)
    for left, right in itertools.product(SPINS, repeat=2):
        outer = h * (left + right) / 2
        direct = math.log(sum(math.exp(outer + (k * (left + right) + h) * s) for s in SPINS))
        coarse = step.constant + step.coupling * left * right + step.field * (left + right) / 2
        assert coarse == pytest.approx(direct, abs=1e-12)


@quick
@given(k=couplings)
def test_square_decimation_is_the_sum_over_the_middle_spin(k):
    step = decimate_square(k)
    for corners in itertools.product(SPINS, repeat=4):
        direct = math.log(sum(math.exp(k * sum(corners) * s) for s in SPINS))
        # each of the 4 sides belongs to two summed spins, each of the 2 diagonals to one
        sides = sum(corners[i] * corners[(i + 1) % 4] for i in range(4))
        diagonals = corners[0] * corners[2] + corners[1] * corners[3]
        coarse = step.constant + step.nearest / 2 * sides + step.diagonal * diagonals
        assert coarse + step.quartet * math.prod(corners) == pytest.approx(direct, abs=1e-12)


@quick
@given(k=st.floats(-0.6, 0.6), h=st.floats(-0.6, 0.6))
def test_partition_function_of_a_ring_survives_decimation(k, h):
    def log_z(n: int, coupling: float, field: float) -> float:
        weights = [
            sum(coupling * s[i] * s[(i + 1) % n] + field * s[i] for i in range(n))
            for s in itertools.product(SPINS, repeat=n)
        ]
        return math.log(sum(map(math.exp, weights)))

    step = decimate_chain(k, h)
    coarse = log_z(4, float(step.coupling), float(step.field)) + 4 * float(step.constant)
    assert coarse == pytest.approx(log_z(8, k, h), abs=1e-12)


def test_partition_function_of_a_torus_survives_square_decimation():
    k = 0.3
    fine = enumerate_states(Ising(Lattice((4, 4)), temperature=1 / k)).log_partition
    step = decimate_square(k)
    kept = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
    summed = [(i, j) for i in range(4) for j in range(4) if (i + j) % 2]
    index = {site: n for n, site in enumerate(kept)}
    total = 0.0
    for spins in itertools.product(SPINS, repeat=8):
        action = 0.0
        for i, j in summed:
            around = [((i + 1) % 4, j), (i, (j + 1) % 4), ((i - 1) % 4, j), (i, (j - 1) % 4)]
            s = [spins[index[site]] for site in around]
            action += step.nearest / 2 * sum(s[n] * s[(n + 1) % 4] for n in range(4))
            action += step.diagonal * (s[0] * s[2] + s[1] * s[3]) + step.quartet * math.prod(s)
        total += math.exp(action)
    assert math.log(total) + 8 * step.constant == pytest.approx(fine, abs=1e-12)


@quick
@given(k=st.floats(-2, 3), states=st.integers(2, 5), scale=st.integers(2, 4))
def test_potts_chain_is_a_power_of_its_transfer_matrix(k, states, scale):
    image, constant = decimate_potts_chain(k, states, scale)
    matrix = np.exp(k * np.eye(states))
    direct = np.log(np.linalg.matrix_power(matrix, scale))
    assert constant == pytest.approx(direct[0, 1], abs=1e-12)
    assert constant + image == pytest.approx(direct[0, 0], abs=1e-12)


@quick
@given(k=couplings, scale=st.integers(2, 5))
def test_ising_chain_is_a_power_of_its_transfer_matrix(k, scale):
    image, constant = decimate_ising_chain(k, scale)
    matrix = np.exp(k * np.array([[1, -1], [-1, 1]]))
    direct = np.log(np.linalg.matrix_power(matrix, scale))
    assert_allclose([constant + image, constant - image], direct[0], rtol=0, atol=1e-12)
    assert math.tanh(image) == pytest.approx(math.tanh(k) ** scale, abs=1e-12)


def test_special_values_of_the_chain():
    for k in (0.0, 1e-9, 0.3, 5.0, 200.0, 1e5):
        image = float(decimate_chain(k).coupling)
        assert float(decimate_ising_chain(k, 2)[0]) == pytest.approx(image, abs=1e-12, rel=1e-12)
    assert float(decimate_chain(0.3).coupling) == pytest.approx(0.08507, abs=5e-6)
    assert float(decimate_chain(0.0, 0.7).field) == 0.7
    assert float(decimate_ising_chain(1e5, 2)[0]) == pytest.approx(1e5 - math.log(2) / 2)


def test_closed_forms_have_gradients_and_keep_numpy_float64():
    step = 1e-6
    for function in (lambda k: decimate_chain(k, 0.2).coupling, lambda k: decimate_square(k).quartet):
        slope = jax.grad(function)(jnp.asarray(0.4))
        numeric = (function(0.4 + step) - function(0.4 - step)) / (2 * step)
        assert float(slope) == pytest.approx(float(numeric), abs=1e-9)
    with jax.enable_x64(False):
        assert decimate_chain(np.float32(0.3)).coupling.dtype == np.float64
        assert fixed_point("wilson") == pytest.approx([1 / 3, 1 / 9], abs=1e-12)
        assert stability("wilson").eigenvalues.dtype == np.float64


# Block moments and the cumulants of Niemeijer and van Leeuwen, by enumeration


def _triangle(k: float) -> tuple[np.ndarray, np.ndarray]:
    """States [4, 3] of a triangle with majority +1 and their probabilities."""
    states = np.array([s for s in itertools.product(SPINS, repeat=3) if sum(s) > 0], float)
    weights = np.exp(
        k * (states[:, 0] * states[:, 1] + states[:, 1] * states[:, 2] + states[:, 2] * states[:, 0])
    )
    return states, weights / weights.sum()


@quick
@given(k=couplings)
def test_triangle_moments(k):
    states, p = _triangle(k)
    a, b = triangle_moments(k)
    assert a == pytest.approx(p @ states[:, 0], abs=1e-12)
    assert b == pytest.approx(p @ (states[:, 0] * states[:, 1]), abs=1e-12)


@quick
@given(k=couplings)
def test_plaquette_mean(k):
    top = bottom = 0.0
    for s in itertools.product(SPINS, repeat=4):
        weight = math.exp(k * sum(s[i] * s[(i + 1) % 4] for i in range(4)))
        weight *= (1 + np.sign(sum(s))) / 2
        top, bottom = top + weight * s[0], bottom + weight
    assert plaquette_mean(k) == pytest.approx(top / bottom, abs=1e-12)


# Triangular lattice: neighbours of a site by distance, and cells of three sites on a lattice of index 3
NEAR = [(1, 0), (0, 1), (1, -1), (-1, 0), (0, -1), (-1, 1)]
NEXT = [(1, 1), (2, -1), (-1, 2), (-1, -1), (-2, 1), (1, -2)]
FAR = [(2 * i, 2 * j) for i, j in NEAR]
BASES = np.array([(1, 1), (-1, 2)])
MEMBERS = [(0, 0), (1, 0), (0, 1)]


def _cell(site: tuple[int, int]) -> tuple[tuple[int, int], int]:
    for number, (i, j) in enumerate(MEMBERS):
        place = np.linalg.solve(BASES.T, np.array(site) - (i, j))
        if np.allclose(place, place.round()):
            return (round(place[0]), round(place[1])), number
    raise AssertionError(site)


def _bonds_from(cell: tuple[int, int], steps: list) -> list:
    """Bonds ((cell, site), (cell, site)) of other cells with this one, each starting in it."""
    origin = np.array(cell) @ BASES
    bonds = []
    for number, (i, j) in enumerate(MEMBERS):
        for di, dj in steps:
            other = _cell((origin[0] + i + di, origin[1] + j + dj))
            if other[0] != cell:
                bonds.append(((cell, number), other))
    return bonds


def _average(sites: list, k: float) -> dict:
    """<product of spins> over the cells of the sites given all cell spins, as cells (odd) -> coefficient.

    Enumerates the states of each cell with the cell spin +1; the opposite cell spin flips them all.
    """
    states, p = _triangle(k)
    value, odd = 1.0, set()
    for cell in {cell for cell, _ in sites}:
        inside = [number for c, number in sites if c == cell]
        value *= p @ np.prod(states[:, inside], axis=1)
        if len(inside) % 2:
            odd.add(cell)
    return {frozenset(odd): value}


def _second_order(k: float) -> dict:
    """1/2 kappa_2 of K times the bonds between cells: cells (0, R) -> coefficient, () -> constant."""
    zero = (0, 0)
    around = [(i, j) for i in range(-3, 4) for j in range(-3, 4)]
    bonds = {frozenset(bond) for cell in around for bond in _bonds_from(cell, NEAR)}
    bonds = [tuple(bond) for bond in bonds]
    totals: dict = {}
    for first, second in itertools.product(bonds, repeat=2):
        cells = {first[0][0], first[1][0]} & {second[0][0], second[1][0]}
        everywhere = {first[0][0], first[1][0], second[0][0], second[1][0]}
        if not cells or zero not in everywhere:
            continue
        joint = _average([*first, *second], k)
        (left,), (right,) = _average(list(first), k).items(), _average(list(second), k).items()
        apart = {left[0] ^ right[0]: -left[1] * right[1]}
        for part in (joint, apart):
            for odd, value in part.items():
                share = 1.0 if zero in odd else 1 / len(everywhere) if not odd else 0.0
                totals[odd] = totals.get(odd, 0.0) + k * k / 2 * value * share
    return totals


@pytest.mark.parametrize("k", [0.27, 0.6])
def test_second_order_coefficients_of_niemeijer_van_leeuwen(k):
    recursion = find_scheme("niemeijer-van-leeuwen", 2).recursion
    a = triangle_moments(k).mean
    totals = _second_order(k)
    # first order: the mean of the bonds between two cells, of each kind
    first = {kind: {cell: 0.0 for cell in (*NEAR_CELLS, *NEXT_CELLS, *FAR_CELLS)} for kind in ("K", "L", "M")}
    for kind, steps in {"K": NEAR, "L": NEXT, "M": FAR}.items():
        for (_, _), (cell, _) in _bonds_from((0, 0), steps):
            first[kind][cell] += a * a
    near, far = 0.013, -0.021
    image = recursion(np.array([k, near, far]))
    for place, cells in enumerate((NEAR_CELLS, NEXT_CELLS, FAR_CELLS)):
        for cell in cells:
            direct = k * first["K"][cell] + near * first["L"][cell] + far * first["M"][cell]
            direct += totals.get(frozenset({(0, 0), cell}), 0.0)
            assert image[place] == pytest.approx(direct, abs=1e-13), cell
    reached = {
        next(iter(odd - {(0, 0)})) for odd, value in totals.items() if (0, 0) in odd and abs(value) > 1e-14
    }
    assert reached <= {*NEAR_CELLS, *NEXT_CELLS, *FAR_CELLS}
    constant = find_scheme("niemeijer-van-leeuwen", 2).constant(np.array([k, 0.0, 0.0]))
    direct = (math.log(math.exp(3 * k) + 3 * math.exp(-k)) + totals[frozenset()]) / 3
    assert constant == pytest.approx(direct, abs=1e-13)


def _cells(steps: list) -> list:
    """The cells whose distance on the lattice of cells is that of the steps on the lattice of sites."""
    lengths = [i * i + i * j + j * j for i, j in steps]
    everything = [(i, j) for i in range(-3, 4) for j in range(-3, 4)]
    position = {cell: np.array(cell) @ BASES for cell in everything}
    square = {cell: p[0] ** 2 + p[0] * p[1] + p[1] ** 2 for cell, p in position.items()}
    return [cell for cell in everything if square[cell] == 3 * lengths[0]]


NEAR_CELLS, NEXT_CELLS, FAR_CELLS = _cells(NEAR), _cells(NEXT), _cells(FAR)


@pytest.mark.parametrize(("name", "constant"), [("niemeijer-van-leeuwen", 3), ("majority-square", 4)])
def test_magnetic_eigenvalue_is_the_field_of_a_block(name, constant):
    k = 0.41
    mean = triangle_moments(k).mean if constant == 3 else plaquette_mean(k)
    assert SCHEMES[name].magnetic(np.array([k])) == pytest.approx(constant * mean, abs=1e-14)


# The table of the schemes


TABLE = {
    # name, order: K*, leading eigenvalue, y_t, nu
    ("migdal-kadanoff", None): (0.30469, 1.67857, 0.7472, 1.338),
    ("maris-kadanoff", None): (0.50698, 1.44892, 1.0700, 0.9346),
    ("wilson", None): (1 / 3, 1.72076, 1.566, 0.6385),
    ("majority-square", 1): (0.51861, 2.0082, 1.0059, 0.994),
    ("niemeijer-van-leeuwen", 1): (0.33561, 1.6235, 0.8822, 1.1335),
}
DIGITS = {"migdal-kadanoff": (5, 5, 4, 3), "maris-kadanoff": (5, 5, 4, 4), "wilson": (12, 5, 3, 4)}


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


# Migdal-Kadanoff beyond d = b = 2, and the chain


def test_migdal_kadanoff_is_exact_in_one_dimension():
    assert migdal_kadanoff(dimension=1, scale=3)([0.7])[0] == pytest.approx(math.atanh(math.tanh(0.7) ** 3))
    for scale in (2, 3):
        chain = migdal_kadanoff(dimension=1, scale=scale)
        assert fixed_point(chain).tolist() == [math.inf]
        assert stability(chain).eigenvalues == pytest.approx([scale])
        assert exponents(chain).nu == pytest.approx(1)


def test_migdal_kadanoff_in_other_dimensions_and_scales():
    # b -> 1 is self-dual in two dimensions, and the expansion about d = 1 starts with nu = 1/(d - 1)
    assert fixed_point(migdal_kadanoff(2, 1 + 1e-6))[0] == pytest.approx(
        known_values("square")["critical_coupling"], abs=1e-6
    )
    assert exponents(migdal_kadanoff(1.01)).nu == pytest.approx(100, rel=0.02)
    cube = migdal_kadanoff(3)
    assert fixed_point(cube)[0] == pytest.approx(0.06527, abs=5e-6)
    assert exponents(cube).nu == pytest.approx(1.0648, abs=5e-5)
    assert cube.exact["critical_coupling"] == pytest.approx(0.221654626)
    assert cube.lattice == "cubic"


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


# Free energies


@pytest.mark.parametrize("k", [0.0, 0.2, 0.44, 0.9, 3.0])
def test_free_energy_of_the_chain_is_exact(k):
    for scheme in (decimation_1d(), migdal_kadanoff(1, 3)):
        energy = free_energy(scheme, k)
        assert energy.log_partition == pytest.approx(math.log(2 * math.cosh(k)), abs=1e-12)
        assert abs(energy.error) < 1e-12


@pytest.mark.parametrize("k", [0.1, 0.3, 0.44, 0.9])
def test_free_energies_are_on_the_side_that_jensen_says(k):
    assert free_energy("migdal-kadanoff", k).error > 0
    assert free_energy(migdal_kadanoff(2, 3), k).error > 0
    assert free_energy("majority-square", k).error < 0
    assert free_energy("niemeijer-van-leeuwen", k).error < 0


def test_free_energies_at_high_temperature():
    for name in ("migdal-kadanoff", "maris-kadanoff", "majority-square"):
        assert free_energy(name, 0.0).error == pytest.approx(0, abs=1e-12)
    second = free_energy("niemeijer-van-leeuwen", [0.1, 0, 0], order=2)
    assert abs(second.error) < 0.05 * abs(free_energy("niemeijer-van-leeuwen", 0.1).error)
    assert abs(free_energy("maris-kadanoff", 0.3).error) < 0.2 * free_energy("migdal-kadanoff", 0.3).error
    assert free_energy("niemeijer-van-leeuwen", [0.1, 0.01, 0], order=2).exact is None


def test_exact_free_energies():
    # the bulk against large tori, off criticality
    for k in (0.3, 0.6):
        torus = kaufman((64, 64), 1 / k).log_partition / 64**2
        spare = math.log(2) / 64**2 if k > 0.44 else 0.0  # two ground states
        assert square_log_partition(k) == pytest.approx(torus - spare, abs=1e-12)
        assert square_log_partition(-k) == square_log_partition(k)
    assert chain_log_partition(0.7) == pytest.approx(math.log(2 * math.cosh(0.7)), abs=1e-14)


@pytest.mark.parametrize("k", [0.05, 0.15, 0.5])
def test_triangular_free_energy_is_the_double_integral(k):
    angles = 2 * np.pi * np.arange(400) / 400
    p, q = angles[:, None], angles[None, :]
    cosh, sinh = math.cosh(2 * k), math.sinh(2 * k)
    inner = cosh**3 + sinh**3 - sinh * (np.cos(p) + np.cos(q) + np.cos(p + q))
    assert triangular_log_partition(k) == pytest.approx(math.log(2) + np.log(inner).mean() / 2, abs=1e-12)


def test_triangular_energy_at_the_critical_point():
    # Houtappel: the energy per site at T_c is -2 J, so d(ln Z/N)/dK = 2
    k, h = math.log(3) / 4, 1e-4
    slope = (triangular_log_partition(k + h) - triangular_log_partition(k - h)) / (2 * h)
    assert slope == pytest.approx(2, abs=1e-4)
    assert triangular_log_partition(0.0) == math.log(2)


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SCHEMES["migdal-kadanof"], "Did you mean 'migdal-kadanoff'"),
        (lambda: fixed_point("wilson", order=2), "leave the order out"),
        (lambda: exponents("niemeijer-van-leeuwen", order=3), "known to order 1 and 2"),
        (lambda: exponents("majority-square", order=2), "known to order 1"),
        (lambda: flow("wilson", [0.1]), "2 couplings (K, L)"),
        (lambda: flow("migdal-kadanoff", [0.1, 0.2]), "one coupling (K)"),
        (lambda: flow("migdal-kadanoff", [math.nan]), "not all finite"),
        (lambda: flow("migdal-kadanoff", 0.1, steps=-1), "must not be negative"),
        (lambda: free_energy("wilson", [0.3, 0.0]), "does not keep the constants"),
        (lambda: critical_coupling("wilson", others=[0.1, 0.2]), "1 other couplings"),
        (lambda: migdal_kadanoff(dimension=0.5), "at least 1"),
        (lambda: migdal_kadanoff(scale=1), "above 1"),
        (lambda: migdal_kadanoff(states=1), "at least 2"),
        (lambda: decimate_chain("warm"), "must be a real number"),
        (lambda: decimate_chain(math.nan), "NaN"),
        (lambda: triangular_log_partition(-0.1), "must not be negative"),
    ],
)
def test_bad_input_is_one_clear_error(call, message):
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)


def test_no_change_of_phase_is_said():
    with pytest.raises(NumericalError, match="No change of phase"):
        critical_coupling("wilson", others=[5.0])
