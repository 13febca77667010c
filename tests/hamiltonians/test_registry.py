"""Every registered Hamiltonian keeps the protocol, and names are checked."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import deeprg.hamiltonians as room
from deeprg.hamiltonians import (
    CRITICAL_TEMPERATURE,
    HAMILTONIANS,
    AbstractHamiltonian,
    ContinuousDual,
    build_hamiltonian,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

# what has no density over real fields that a flow could learn
NOT_FIELDS = {"AbstractDual", "AbstractHamiltonian", "Dimers", "Ising", "Potts", "RandomBondIsing", "XY"}


SHAPES = [(4, 4), (3,), (2, 3, 4)]
# The two components of planar spins are one more axis, so these have two at most.
CASES = [(name, s) for name in HAMILTONIANS for s in (SHAPES[:2] if name == "xy" else SHAPES)]


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_protocol(name, shape):
    lattice = Lattice(shape)
    options = {"temperature": 2.0} if name in ("ising", "xy") else {}
    model = build_hamiltonian(name, lattice, **options)
    assert isinstance(model, AbstractHamiltonian)
    assert model.lattice == (Lattice((*shape, 2)) if name == "xy" else lattice)
    assert len(jax.tree.leaves(model)) == (name == "random-bond")
    batch = jnp.asarray(np.random.default_rng(0).normal(size=(2, *model.lattice.shape)))
    energies = jax.jit(jax.vmap(model.energy))(batch)
    assert energies.shape == (2,)
    np.testing.assert_allclose(energies[1], model.energy(batch[1]), rtol=1e-12)
    assert np.isfinite(jax.jit(jax.grad(model.energy))(batch[0])).all()
    scalars = {key: value.shape for key, value in jax.jit(model.observables)(batch[0]).items()}
    assert scalars.pop("correlation") == shape
    assert set(scalars.values()) == {()}
    assert str(lattice) in model.describe()
    assert "\n" not in model.describe()


def test_every_public_field_is_registered():
    public = {
        value
        for name, value in vars(room).items()
        if inspect.isclass(value) and issubclass(value, AbstractHamiltonian) and name not in NOT_FIELDS
    }
    lattice = Lattice((4, 4))
    assert {type(entry.build(lattice)) for entry in HAMILTONIANS.values()} == public


def test_options_reach_the_model():
    lattice = Lattice((4, 4))
    dual = build_hamiltonian("ising", lattice, temperature="2.5", shift=1.0, field=0.1, variable="y")
    assert isinstance(dual, ContinuousDual)
    assert (dual.ising.temperature, dual.shift, dual.ising.field, dual.variable) == (2.5, 1.0, 0.1, "y")
    assert build_hamiltonian("ising", lattice).ising.temperature == CRITICAL_TEMPERATURE
    for entry in HAMILTONIANS.values():
        assert entry.summary
        assert all(option.help for option in entry.options.values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HAMILTONIANS["isng"], "no Hamiltonian 'isng'. Did you mean 'ising'"),
        (
            lambda: build_hamiltonian("qcd", Lattice((4,))),
            "no Hamiltonian 'qcd'. Known: gaussian, ising, phi4",
        ),
        (
            lambda: build_hamiltonian("ising", Lattice((4, 4)), temprature=2.0),
            "no option 'temprature'. Did you mean 'temperature'",
        ),
        (lambda: build_hamiltonian("ising", Lattice((4,))), "no critical temperature"),
        (lambda: build_hamiltonian("ising", Lattice((4, 4)), temperature="hot"), "cannot be 'hot'"),
        (lambda: build_hamiltonian("ising", Lattice((4, 4)), temperature=float("nan")), "finite, not nan"),
        (lambda: build_hamiltonian("phi4", Lattice((4, 4)), quartic=None), "cannot be None"),
    ],
)
def test_bad_names_are_usage_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
