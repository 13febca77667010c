"""Spins of every kind against double loops over bonds and naive averages over sites; frustration."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.hamiltonians import XY, Dimers, GaussianField, Ising, Phi4, Potts, RandomBondIsing, frustrated
from deeprg.hamiltonians._xy import cos_sin
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

SHAPES = [(1,), (2,), (5,), (4, 6), (1, 2), (2, 3, 4)]


def pairs_of(shape, steps):
    """Every bond once: site, site, index of its step."""
    for site in itertools.product(*(range(extent) for extent in shape)):
        for number, step in enumerate(steps):
            yield site, tuple((c + d) % e for c, d, e in zip(site, step, shape, strict=True)), number


def units(ndim):
    return [tuple(int(a == axis) for a in range(ndim)) for axis in range(ndim)]


def vectors(model, x):
    """The order parameter's unit vectors [components, *shape], written out again."""
    if isinstance(model, XY):
        return np.stack([np.cos(x), np.sin(x)])
    if isinstance(model, Potts):
        q = model.states
        corners = np.sqrt(q / (q - 1)) * (np.eye(q) - 1 / q)
        return np.moveaxis(corners[x], -1, 0)
    if isinstance(model, Dimers):
        steps = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])[x]
        signs = (-1.0) ** np.indices(x.shape)
        return np.moveaxis(steps, -1, 0) * signs
    return x[None].astype(float)


def expected_moments(model, x):
    v = vectors(model, x)
    shape, size = x.shape, x.size
    means = v.reshape(len(v), -1).mean(axis=1)
    values = {"magnetization_squared": (means**2).sum(), "abs_magnetization": math.sqrt((means**2).sum())}
    if isinstance(model, Potts):
        counts = np.bincount(x.reshape(-1), minlength=model.states) / size
        q = model.states
        values["magnetization_squared"] = (q * (counts**2).sum() - 1) / (q - 1)
        values["abs_magnetization"] = (q * counts.max() - 1) / (q - 1)
    if len(v) == 1:
        values["magnetization"] = means[0]
    waves = []
    for axis, extent in enumerate(shape):
        if extent == max(shape) > 1:
            phase = np.exp(2j * np.pi * np.indices(shape)[axis] / extent)
            waves.append(sum(abs((part * phase).sum()) ** 2 for part in v) / size)
    values["structure_factor_min"] = np.mean(waves) if waves else (v.sum(axis=1) ** 2).sum()
    return values


def check_model(model, x, total_energy, energy_per_site):
    measured, observed, energy = jax.jit(lambda x: (model.scalars(x), model.observables(x), model.energy(x)))(
        jnp.asarray(x)
    )
    assert float(energy) == pytest.approx(total_energy, rel=1e-12, abs=1e-13)
    assert all(value.shape == () for value in measured.values())
    expected = expected_moments(model, x)
    name = "energy_per_site" if "energy_per_site" in measured else "action_per_site"
    for key, value in {**expected, name: energy_per_site}.items():
        assert float(measured[key]) == pytest.approx(value, rel=1e-10, abs=1e-12), key
    assert set(observed) == (set(measured) - {"structure_factor_min"}) | {"correlation"}
    v = vectors(model, x)
    axes = tuple(range(1, x.ndim + 1))
    for r in itertools.islice(itertools.product(*(range(extent) for extent in x.shape)), 7):
        shifted = np.roll(v, tuple(-d for d in r), axes)
        assert float(observed["correlation"][r]) == pytest.approx((v * shifted).sum(axis=0).mean(), abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_bonds(shape):
    rng = np.random.default_rng(0)
    lattice, bonds = Lattice(shape), rng.normal(size=(len(shape), *shape))
    model = RandomBondIsing(lattice, bonds, temperature=1.7, field=0.3)
    x = rng.choice([-1, 1], shape).astype(np.int8)
    total = sum(
        bonds[(axis, *i)] * int(x[i]) * int(x[j]) for i, j, axis in pairs_of(shape, units(len(shape)))
    )
    check_model(model, x, -total - 0.3 * x.sum(), -1.7 * total / x.size)


@pytest.mark.parametrize(
    ("shape", "states"), [((1,), 3), ((2,), 2), ((4, 6), 2), ((1, 5), 5), ((2, 3, 4), 3)]
)
def test_potts(shape, states):
    model = Potts(Lattice(shape), temperature=0.7, states=states, coupling=1.3)
    x = np.random.default_rng(1).integers(states, size=shape).astype(np.int8)
    equal = sum(x[i] == x[j] for i, j, _ in pairs_of(shape, units(len(shape))))
    check_model(model, x, -1.3 / 0.7 * equal, -1.3 * equal / x.size)


def test_two_potts_states_are_ising_spins():
    lattice = Lattice((4, 3))
    potts, ising = Potts(lattice, 1.4, states=2), Ising(lattice, 1.4, coupling=0.5)
    x = np.random.default_rng(2).integers(2, size=(5, 4, 3))
    gaps = jax.vmap(potts.energy)(jnp.asarray(x)) - jax.vmap(ising.energy)(jnp.asarray(2 * x - 1))
    np.testing.assert_allclose(gaps, -0.5 / 1.4 * 24, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_xy(shape):
    model = XY(Lattice(shape), temperature=0.8, coupling=1.2)
    x = np.random.default_rng(3).uniform(-np.pi, np.pi, shape)
    bonds = [(axis, x[j] - x[i]) for i, j, axis in pairs_of(shape, units(len(shape)))]
    cosines = sum(math.cos(d) for _, d in bonds)
    check_model(model, x, -1.5 * cosines, -1.2 * cosines / x.size)
    currents = [sum(math.sin(d) for a, d in bonds if a == axis) for axis in range(len(shape))]
    helicity = 1.2 * (cosines - 1.5 * sum(c**2 for c in currents)) / (len(shape) * x.size)
    measured = model.scalars(jnp.asarray(x))
    assert float(measured["helicity_modulus"]) == pytest.approx(helicity, rel=1e-9)
    assert model.energy(jnp.asarray(x, jnp.float32)).dtype == jnp.float32
    assert all(v.dtype == jnp.float32 for v in model.scalars(jnp.asarray(x, jnp.float32)).values())


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.float64, 2e-15)])
def test_cosines_and_sines_of_angles(dtype, tolerance):
    x = jnp.linspace(-3.2, 3.2, 4001).astype(dtype)
    cos, sin = cos_sin(x)
    exact = np.asarray(x, np.float64)
    assert cos.dtype == sin.dtype == dtype
    assert np.abs(np.asarray(cos, np.float64) - np.cos(exact)).max() < tolerance
    assert np.abs(np.asarray(sin, np.float64) - np.sin(exact)).max() < tolerance


def test_xy_energy_is_differentiable_and_periodic():
    model = XY(Lattice((3, 4)), temperature=0.8)
    x = np.random.default_rng(9).uniform(-3, 3, (3, 4))
    gradient = sum(np.sin(x - np.roll(x, s, a)) for a in (0, 1) for s in (1, -1)) / 0.8
    np.testing.assert_allclose(jax.grad(model.energy)(jnp.asarray(x)), gradient, atol=1e-12)
    turned = x + 2 * np.pi * np.arange(12).reshape(3, 4)
    assert float(model.energy(jnp.asarray(turned))) == pytest.approx(
        float(model.energy(jnp.asarray(x))), abs=1e-11
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ising_scalars(shape):
    model = Ising(Lattice(shape), 1.7, coupling=-0.6, field=0.3)
    x = np.random.default_rng(4).choice([-1, 1], shape).astype(np.int8)
    total = sum(int(x[i]) * int(x[j]) for i, j, _ in pairs_of(shape, units(len(shape))))
    check_model(model, x, 0.6 / 1.7 * total - 0.3 * x.sum(), 0.6 * total / x.size)


@pytest.mark.parametrize("shape", [(4, 6), (2, 5), (2, 2), (1, 4)], ids=str)
def test_triangular(shape):
    model = Ising.triangular(Lattice(shape), 1.5, coupling=-0.7, field=0.2)
    x = np.random.default_rng(5).choice([-1, 1], shape).astype(np.int8)
    steps = [(1, 0), (0, 1), (1, -1)]
    total = sum(int(x[i]) * int(x[j]) for i, j, _ in pairs_of(shape, steps))
    check_model(model, x, 0.7 / 1.5 * total - 0.2 * x.sum(), 0.7 * total / x.size)
    assert "triangular, J = -0.7/T" in model.describe()


@pytest.mark.parametrize(
    ("shape", "shells"),
    [
        ((6,), [[(1,)], [(2,)], [(3,)]]),
        ((5, 6), [[(1, 0), (0, 1)], [(1, 1), (1, -1)], [(2, 0), (0, 2)]]),
        ((5, 2), [[(1, 0), (0, 1)], [(1, 1), (1, -1)], [(2, 0), (0, 2)]]),
        (
            (3, 4, 3),
            [
                units(3),
                [(1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)],
                [(1, a, b) for a in (1, -1) for b in (1, -1)],
            ],
        ),
    ],
    ids=str,
)
def test_shells_of_neighbours(shape, shells):
    values = (1.0, -0.5, 0.25)
    model = Ising.with_neighbours(Lattice(shape), 2.0, values, field=0.1)
    x = np.random.default_rng(6).choice([-1, 1], shape).astype(np.int8)
    total = sum(
        value * int(x[i]) * int(x[j])
        for value, steps in zip(values, shells, strict=True)
        for i, j, _ in pairs_of(shape, steps)
    )
    check_model(model, x, -total / 2 - 0.1 * x.sum(), -total / x.size)
    assert "J2 = -0.5/T" in model.describe()


def test_one_shell_is_the_nearest_neighbour_model():
    lattice = Lattice((4, 4))
    assert Ising.with_neighbours(lattice, 2.0, (1.5,)).coupling == 1.5
    dropped = Ising.with_neighbours(lattice, 2.0, (1.0, 0.0))
    assert dropped.kernel == Ising(lattice, 2.0).kernel


@pytest.mark.parametrize("model", [Phi4(Lattice((3, 4)), -1.0, 2.0), GaussianField(Lattice((3, 4)), 1.0)])
def test_field_scalars(model):
    x = np.random.default_rng(7).normal(size=(3, 4))
    gradient = sum(((np.roll(x, -1, axis) - x) ** 2).sum() for axis in range(2))
    phi4 = isinstance(model, Phi4)
    action = gradient - (x**2).sum() + 2 * (x**4).sum() if phi4 else 0.5 * (gradient + (x**2).sum())
    check_model(model, x, action, action / 12)
    assert float(model.scalars(jnp.asarray(x))["field_squared"]) == pytest.approx((x**2).mean())


MODELS_WITH_BONDS = [
    Ising(Lattice((4, 4)), 2.0, field=0.25),
    Ising(Lattice((2, 3)), 2.0, coupling=-1.0),
    Ising(Lattice((1, 4)), 2.0),
    Ising(Lattice((1,)), 2.0),
    Ising(Lattice((2, 3, 4)), 2.0),
    Ising.triangular(Lattice((2, 3)), 2.0),
    Ising.triangular(Lattice((4, 5)), 2.0, coupling=-1.0),
    Ising.with_neighbours(Lattice((4, 3)), 2.0, (1.0, 0.5, 0.25)),
    Ising.from_kernel(Lattice((5,)), np.array([0.3, 0.5, -0.2, -0.2, 0.5]), field=0.1),
    RandomBondIsing.gaussian(Lattice((3, 2)), 2.0, seed=1, field=-0.5),
    RandomBondIsing.plus_minus(Lattice((3, 1, 4)), 2.0, seed=1),
    RandomBondIsing.plus_minus(Lattice((1,)), 2.0, seed=1),
    Potts(Lattice((4, 3)), 0.5, states=3),
    XY(Lattice((2, 2)), 0.5),
]


@pytest.mark.parametrize("model", MODELS_WITH_BONDS, ids=lambda m: f"{type(m).__name__} {m.lattice}")
def test_bonds_are_symmetric_and_give_the_energy(model):
    bonds = model.bonds()
    size = model.lattice.size
    assert bonds.neighbours.dtype == np.int32
    assert bonds.couplings.dtype == np.float64
    assert bonds.neighbours.shape == bonds.couplings.shape
    assert len(bonds.neighbours) == size
    matrix, listed = np.zeros((size, size)), np.zeros((size, size), int)
    here = np.arange(size)[:, None] + 0 * bonds.neighbours
    np.add.at(matrix, (here, bonds.neighbours), bonds.couplings)
    np.add.at(listed, (here, bonds.neighbours), 1)
    np.testing.assert_array_equal(listed, listed.T)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    assert not np.diag(listed).any()
    rng = np.random.default_rng(8)
    if isinstance(model, XY):
        states = [rng.uniform(-3, 3, model.lattice.shape) for _ in range(2)]
    elif isinstance(model, Potts):
        states = [rng.integers(model.states, size=model.lattice.shape) for _ in range(2)]
    else:
        states = [rng.choice([-1, 1], model.lattice.shape) for _ in range(2)]
    energies = []
    for x in states:
        v = vectors(model, x).reshape(-1, size)
        scale = (model.states - 1) / model.states if isinstance(model, Potts) else 1.0
        fields = bonds.field * x.sum() if bonds.field else 0.0
        energies.append(-0.5 * scale * np.einsum("ci,ij,cj", v, matrix, v) - fields)
    expected = float(model.energy(jnp.asarray(states[0])) - model.energy(jnp.asarray(states[1])))
    assert energies[0] - energies[1] == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_an_extent_of_two_lists_its_neighbour_twice():
    assert Ising(Lattice((2,)), 2.0).bonds().neighbours.tolist() == [[1, 1], [0, 0]]
    assert RandomBondIsing(Lattice((2,)), np.array([[0.5, -0.1]])).bonds().couplings.tolist() == [
        [0.5, -0.1],
        [-0.1, 0.5],
    ]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Ising(Lattice((4, 4)), 1.0), False),
        (Ising(Lattice((4, 4)), 1.0, coupling=-1.0), False),
        (Ising(Lattice((4, 3)), 1.0, coupling=-1.0), True),
        (Ising(Lattice((6,)), 1.0, coupling=-1.0), False),
        (Ising(Lattice((5,)), 1.0, coupling=-1.0), True),
        (Ising(Lattice((4, 4, 2)), 1.0, coupling=-1.0), False),
        (Ising(Lattice((1, 4)), 1.0, coupling=-1.0), False),
        (Ising.triangular(Lattice((6, 6)), 1.0), False),
        (Ising.triangular(Lattice((6, 6)), 1.0, coupling=-1.0), True),
        (Ising.with_neighbours(Lattice((4, 4)), 1.0, (1.0, -0.5)), True),
        (Ising.with_neighbours(Lattice((4, 4)), 1.0, (-1.0, 0.5)), False),
        (RandomBondIsing.plus_minus(Lattice((8, 8)), 1.0, seed=0), True),
        (RandomBondIsing.plus_minus(Lattice((8, 8)), 1.0, 0.0, seed=0), False),
        (RandomBondIsing.plus_minus(Lattice((8, 8)), 1.0, 1.0, seed=0), False),
        (RandomBondIsing(Lattice((2,)), np.array([[1.0, -1.0]])), True),
        (RandomBondIsing(Lattice((4, 4)), np.zeros((2, 4, 4))), False),
        (Potts(Lattice((3, 3)), 1.0), False),
        (XY(Lattice((3, 4)), 1.0, coupling=-1.0), True),
    ],
    ids=lambda value: f"{type(value).__name__} {value.lattice}" if hasattr(value, "lattice") else str(value),
)
def test_frustration(model, answer):
    assert frustrated(model.bonds()) is answer


@pytest.mark.parametrize("seed", range(5))
def test_a_gauge_transformation_hides_a_ferromagnet(seed):
    rng = np.random.default_rng(seed)
    lattice = Lattice((4, 5))
    signs = rng.choice([-1.0, 1.0], lattice.shape)
    hidden = np.stack([signs * np.roll(signs, -1, axis) for axis in range(2)])
    hidden *= rng.choice([0.0, 0.5, 1.0], hidden.shape)
    assert not frustrated(RandomBondIsing(lattice, hidden).bonds())
    size = lattice.size
    matrix = np.zeros((size, size))
    bonds = RandomBondIsing(lattice, hidden).bonds()
    np.add.at(matrix, (np.arange(size)[:, None] + 0 * bonds.neighbours, bonds.neighbours), bonds.couplings)
    assert (signs.reshape(-1)[:, None] * matrix * signs.reshape(-1) >= 0).all()


def test_disorder_is_a_seed():
    lattice = Lattice((16, 16))
    first = RandomBondIsing.plus_minus(lattice, 2.0, 0.1, seed=3)
    colder = RandomBondIsing.plus_minus(lattice, 1.0, 0.1, seed=3)
    other = RandomBondIsing.plus_minus(lattice, 2.0, 0.1, seed=4)
    np.testing.assert_array_equal(2 * first.couplings, colder.couplings)
    assert (first.couplings != other.couplings).any()
    assert set(np.unique(colder.couplings)) == {-1.0, 1.0}
    # a fraction of 0.1 of 512 independent bonds, within 4 standard errors; the twin has another fraction
    fraction, error = (colder.couplings < 0).mean(), math.sqrt(0.1 * 0.9 / 512)
    assert abs(fraction - 0.1) < 4 * error
    assert abs(fraction - 0.2) > 4 * error
    wide = RandomBondIsing.gaussian(lattice, 1.0, seed=0, mean=1.0, std=2.0).couplings
    narrow = RandomBondIsing.gaussian(lattice, 1.0, seed=0).couplings
    np.testing.assert_allclose(wide, 1 + 2 * narrow)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ising.triangular(Lattice((4,)), 1.0), "two extents, but the lattice is 4"),
        (lambda: Ising.triangular(Lattice((4, 4)), -1.0), "temperature must be positive, not -1.0"),
        (lambda: Ising.with_neighbours(Lattice((4,)), 1.0, ()), "at least one coupling"),
        (lambda: Ising.with_neighbours(Lattice((4,)), 0.0, (1.0, 1.0)), "temperature must be positive"),
        (lambda: Ising.with_neighbours(Lattice((4,)), 1.0, (1.0, math.nan)), "coupling must be finite"),
        (lambda: RandomBondIsing(Lattice((4, 4)), np.zeros((4, 4))), r"\(4, 4\), but the lattice 4x4 needs"),
        (lambda: RandomBondIsing(Lattice((2,)), np.array([[0.0, np.inf]])), "not finite"),
        (lambda: RandomBondIsing.plus_minus(Lattice((4,)), 1.0, 1.5, seed=0), "in 0 to 1, not 1.5"),
        (lambda: RandomBondIsing.plus_minus(Lattice((4,)), -2.0, seed=0), "temperature must be positive"),
        (lambda: RandomBondIsing.plus_minus(Lattice((4,)), 1.0, seed=-1), "seed of the disorder.*-1"),
        (lambda: RandomBondIsing.gaussian(Lattice((4,)), 1.0, seed=0, std=0.0), "deviation must be positive"),
        (lambda: Potts(Lattice((4,)), 1.0, states=1), "2 to 127 states, not 1"),
        (lambda: Potts(Lattice((4,)), 1.0, states=128), "2 to 127 states, not 128"),
        (lambda: Potts(Lattice((4,)), 0.0), "temperature must be positive"),
        (lambda: Potts(Lattice((4,)), 1.0).energy(jnp.zeros(3, jnp.int8)), r"shape \(3,\)"),
        (lambda: XY(Lattice((4,)), math.inf), "temperature must be finite"),
        (lambda: XY(Lattice((4,)), 1.0).scalars(jnp.zeros(3)), r"shape \(3,\)"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
