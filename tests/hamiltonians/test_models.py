"""The registry of models and the critical points: every entry builds, exact values obey their formulas."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import deeprg.hamiltonians as room
from deeprg.hamiltonians import (
    CRITICAL_TEMPERATURE,
    HAMILTONIANS,
    MODELS,
    XY,
    AbstractHamiltonian,
    ContinuousDual,
    Dimers,
    GaussianField,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
    build_model,
    critical_point,
    critical_temperature_of,
    nishimori_temperature,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

SERIES = {"abs_magnetization", "magnetization_squared", "structure_factor_min"}
SQUARE, CUBE = Lattice((6, 6)), Lattice((4, 4, 4))


def any_state(model):
    rng = np.random.default_rng(0)
    shape = model.lattice.shape
    match model:
        case Dimers():
            return model.columnar()
        case Potts():
            return rng.integers(model.states, size=shape).astype(np.int8)
        case Ising() | RandomBondIsing():
            return rng.choice([-1, 1], shape).astype(np.int8)
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_the_series(name):
    entry = MODELS[name]
    assert entry.name == name
    assert entry.summary
    assert all(option.help for option in entry.options.values())
    model = build_model(name, Lattice((4, 4)), 1.5 if entry.has_temperature else None)
    measured = jax.jit(model.scalars)(jnp.asarray(any_state(model)))
    energy = "energy_per_site" if entry.has_temperature else "action_per_site"
    assert set(measured) >= SERIES | {energy}
    assert ("magnetization" in measured) == (name in ("ising", "random-bond", "phi4", "gaussian"))
    assert all(value.shape == () and np.isfinite(value) for value in measured.values())
    assert "4x4" in model.describe()
    assert "\n" not in model.describe()


def test_every_public_hamiltonian_has_a_name():
    public = {
        value
        for value in vars(room).values()
        if inspect.isclass(value) and issubclass(value, AbstractHamiltonian) and not inspect.isabstract(value)
    }
    lattice = Lattice((4, 4))
    named = {type(entry.build(lattice)) for entry in HAMILTONIANS.values()}
    named |= {type(e.build(lattice, 1.0 if e.has_temperature else None)) for e in MODELS.values()}
    assert named == public


def test_no_transform_of_all_modes_in_the_scalars():
    for name in MODELS:
        model = build_model(name, Lattice((4, 4)), 1.5 if MODELS[name].has_temperature else None)
        x = jnp.asarray(any_state(model))
        assert "fft" not in jax.jit(model.scalars).lower(x).as_text(), name
        assert "fft" in jax.jit(model.observables).lower(x).as_text(), name


def test_options_reach_the_model():
    assert build_model("ising", SQUARE, 2, geometry="triangular", field="0.5").field == 0.5
    assert build_model("ising", SQUARE, 2.0, diagonal=-0.3).geometry == "J1 = 1/T, J2 = -0.3/T"
    assert build_model("ising", SQUARE, 2.0).coupling == 1.0
    assert build_model("potts", SQUARE, 1.0, states="4").states == 4
    assert build_model("phi4", SQUARE, quartic="6").quartic == 6.0
    assert build_model("dimers", SQUARE, 1.0, interaction="1").interaction == 1.0
    first, second = (build_model("random-bond", SQUARE, 1.0, disorder_seed=seed) for seed in (0, "1"))
    assert (first.couplings != second.couplings).any()
    normal = build_model("random-bond", SQUARE, 1.0, kind="gaussian")
    assert len(np.unique(normal.couplings)) == 72


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (Ising(SQUARE, 1.0), 2 / math.log(1 + math.sqrt(2))),
        (Ising(SQUARE, 1.0, coupling=-2.0), 4 / math.log(1 + math.sqrt(2))),
        (ContinuousDual(Ising(SQUARE, 1.0)), CRITICAL_TEMPERATURE),
        (Ising.triangular(SQUARE, 2.0, coupling=0.5), 2 / math.log(3)),
        (Ising(CUBE, 1.0), 1 / 0.221654626),
        (Potts(SQUARE, 1.0, states=2), CRITICAL_TEMPERATURE / 2),
        (Potts(SQUARE, 1.0, states=3), 1 / 1.0050525),
        (Potts(SQUARE, 1.0, states=4, coupling=2.0), 2 / math.log(3)),
        (Potts(SQUARE, 1.0, states=10), 0.7012316),
        (Potts(CUBE, 1.0, states=2), 0.5 / 0.221654626),
        (XY(SQUARE, 1.0), 0.8929),
        (Dimers(SQUARE, 1.0), 0.65),
        (Dimers(SQUARE, 1.0, interaction=-2.0), 1.3),
        (RandomBondIsing.plus_minus(SQUARE, 1.0, 0.10919, seed=0), 0.9528),
        (RandomBondIsing.plus_minus(SQUARE, 1.0, 0.0, seed=0), CRITICAL_TEMPERATURE),
        (RandomBondIsing.plus_minus(CUBE, 1.0, 0.5, seed=0), 1.1019),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AbstractHamiltonian) else str(value),
)
def test_critical_temperatures(model, value):
    point = critical_point(model)
    assert point is not None
    assert point.parameter == "temperature"
    assert point.value == pytest.approx(value, rel=1e-4 if isinstance(model, XY) else 1e-7)
    assert (point.error is None) == ("exact" in point.source)


def test_self_dual_points():
    # e^K - 1 = sqrt q on the square lattice; sinh 2K* sinh 2K = 1; triangular: e^{4K} = 3
    for states in (2, 3, 4, 7):
        bond = 1 / critical_point(Potts(SQUARE, 1.0, states=states)).value
        assert math.expm1(bond) == pytest.approx(math.sqrt(states), rel=1e-12)
    assert math.sinh(2 / critical_point(Ising(SQUARE, 1.0)).value) == pytest.approx(1, rel=1e-12)
    assert math.exp(4 / critical_point(Ising.triangular(SQUARE, 1.0)).value) == pytest.approx(3, rel=1e-12)


def test_exponents_obey_the_scaling_laws():
    for model, ndim, nu, eta, beta in [
        (Ising(SQUARE, 1.0), 2, 1.0, 0.25, 0.125),
        (Potts(SQUARE, 1.0, states=3), 2, 5 / 6, 4 / 15, 1 / 9),
        (Potts(SQUARE, 1.0, states=4), 2, 2 / 3, 1 / 4, 1 / 12),
        (Ising(CUBE, 1.0), 3, 0.62997097, 0.03629761, 0.3264187),
        (Phi4(SQUARE, -4.0, 5.0), 2, 1.0, 0.25, 0.125),
    ]:
        found = critical_point(model).exponents
        assert found["nu"] == pytest.approx(nu, rel=1e-6)
        assert found["eta"] == pytest.approx(eta, rel=1e-6)
        assert found["beta"] == pytest.approx(beta, rel=1e-6)
        assert 2 * found["beta"] == pytest.approx(found["nu"] * (ndim - 2 + found["eta"]), rel=1e-9)
    assert critical_point(Potts(SQUARE, 1.0, states=5)).kind == "first order"
    assert critical_point(XY(SQUARE, 1.0)).kind == "Kosterlitz-Thouless"
    assert critical_point(Phi4(SQUARE, -4.0, 5.0)).parameter == "quartic"


@pytest.mark.parametrize(
    "model",
    [
        Ising(Lattice((8,)), 1.0),
        Ising(SQUARE, 1.0, field=0.1),
        Ising(SQUARE, 1.0, coupling=0.0),
        Ising(Lattice((5, 5)), 1.0, coupling=-1.0),
        Ising.triangular(SQUARE, 1.0, coupling=-1.0),
        Ising.with_neighbours(SQUARE, 1.0, (1.0, 0.5)),
        Potts(SQUARE, 1.0, coupling=-1.0),
        Potts(CUBE, 1.0),
        XY(CUBE, 1.0),
        Phi4(SQUARE, -3.0, 5.0),
        GaussianField(SQUARE, 1.0),
        Dimers(SQUARE, 1.0, interaction=1.0),
        RandomBondIsing.plus_minus(SQUARE, 1.0, seed=0),
        RandomBondIsing.gaussian(SQUARE, 1.0, seed=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_no_critical_point_is_none(model):
    assert critical_point(model) is None


def test_nishimori_line():
    assert nishimori_temperature(0.10919) == pytest.approx(0.9528, abs=5e-5)
    temperature = nishimori_temperature(0.2)
    assert math.tanh(1 / temperature) == pytest.approx(1 - 2 * 0.2, rel=1e-12)


def test_critical_temperature_by_name():
    assert critical_temperature_of("ising", SQUARE) == CRITICAL_TEMPERATURE
    assert critical_temperature_of("ising", SQUARE, geometry="triangular") == 4 / math.log(3)
    assert critical_temperature_of("random-bond", SQUARE, antiferro=0.10919) == 0.9528
    assert critical_temperature_of("dimers", SQUARE) == 0.65


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MODELS["isng"], "no model 'isng'. Did you mean 'ising'"),
        (
            lambda: build_model("qcd", SQUARE, 1.0),
            "Known: dimers, gaussian, ising, phi4, potts, random-bond, xy",
        ),
        (lambda: build_model("ising", SQUARE), "'ising' needs a temperature"),
        (
            lambda: build_model("phi4", SQUARE, 1.0),
            "'phi4' has no temperature. Options: mass_squared, quartic",
        ),
        (lambda: build_model("ising", SQUARE, -1.0), "temperature must be positive, not -1.0"),
        (lambda: build_model("ising", SQUARE, 1.0, gemetry="square"), "'gemetry'. Did you mean 'geometry'"),
        (
            lambda: build_model("ising", SQUARE, 1.0, geometry="kagome"),
            "'geometry' of 'ising' cannot be 'kagome'",
        ),
        (
            lambda: build_model("ising", SQUARE, 1.0, geometry="triangular", diagonal=1.0),
            "not to 'triangular'",
        ),
        (lambda: build_model("xy", SQUARE, 1.0, states=3), "no option 'states'. Options: none"),
        (lambda: build_model("potts", SQUARE, 1.0, states=2.5), "'states' of 'potts' cannot be 2.5"),
        (lambda: build_model("potts", SQUARE, 1.0, states=1), "2 to 127 states, not 1"),
        (lambda: build_model("dimers", Lattice((4, 3)), 1.0), "two even extents"),
        (lambda: build_model("random-bond", SQUARE, 1.0, kind="cauchy"), "'pm' .J = ±1. or 'gaussian'"),
        (lambda: build_model("random-bond", SQUARE, 1.0, disorder_seed=-1), "must not be negative"),
        (
            lambda: critical_temperature_of("ising", Lattice((8,))),
            "1D Ising model has no critical temperature",
        ),
        (lambda: critical_temperature_of("ising", SQUARE, field=0.1), "No critical temperature is known"),
        (lambda: critical_temperature_of("potts", Lattice((8,))), "No critical temperature is known.*on 8"),
        (lambda: critical_temperature_of("phi4", SQUARE), "'phi4' has no temperature"),
        (lambda: nishimori_temperature(0.5), "between 0 and 1/2, not 0.5"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
