"""Ising spins against a loop over bonds, and their validation."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising, critical_temperature
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (4, 6), (2, 3), (1, 4), (2, 3, 4)], ids=str)
def test_energy_equals_a_loop_over_bonds(shape):
    lattice = Lattice(shape)
    model = Ising(lattice, 1.7, coupling=-0.6, field=0.3)
    spins = np.random.default_rng(0).choice([-1, 1], lattice.size)
    bonds = sum(spins[i] * spins[j] for i, row in enumerate(lattice.neighbours()) for j in row[::2])
    expected = 0.6 / 1.7 * bonds - 0.3 * spins.sum()
    s = jnp.asarray(spins.reshape(shape))
    assert float(model.energy(s)) == pytest.approx(expected, rel=1e-13)
    assert float(model.energy(s.astype(jnp.float32))) == pytest.approx(expected, rel=1e-5)
    measured = jax.jit(model.observables)(s)
    assert float(measured["energy_per_site"]) == pytest.approx(0.6 * bonds / lattice.size, rel=1e-12)
    assert float(measured["magnetization"]) == pytest.approx(spins.mean())
    assert float(measured["abs_magnetization"]) == pytest.approx(abs(spins.mean()))
    assert float(measured["magnetization_squared"]) == pytest.approx(spins.mean() ** 2)
    origin = (0,) * len(shape)
    assert float(measured["correlation"][origin]) == pytest.approx(1.0)


def test_kernel_and_neighbours_give_the_same_model():
    lattice = Lattice((4, 2))
    model = Ising(lattice, 2.0, field=0.1)
    kernel = np.zeros((4, 2))
    for site, value in model.kernel:
        kernel[site] = value
    assert kernel.sum() == 2.0
    assert kernel[0, 1] == 1.0  # a double bond
    general = Ising.from_kernel(lattice, kernel, field=0.1, temperature=2.0)
    assert general.kernel == model.kernel
    assert general.coupling is None


def test_couplings_by_shifts_and_by_fourier_agree():
    lattice = Lattice((5, 4))
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(5, 4))
    kernel = kernel + np.roll(np.flip(kernel), (1, 1), axis=(0, 1))
    model = Ising.from_kernel(lattice, kernel)
    x = jnp.asarray(rng.normal(size=(5, 4)))
    matrix = kernel.reshape(-1)[lattice.displacements()]
    np.testing.assert_allclose(
        model.apply_coupling(x).reshape(-1), matrix @ np.asarray(x).reshape(-1), atol=1e-12
    )


def test_critical_temperatures():
    assert critical_temperature(Lattice((4, 4))) == CRITICAL_TEMPERATURE
    assert critical_temperature(Lattice((4, 4, 4))) == pytest.approx(4.5115232, abs=1e-6)
    with pytest.raises(UsageError, match="no critical temperature"):
        critical_temperature(Lattice((4,)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ising(Lattice((4,)), 0.0), "temperature must be positive, not 0.0"),
        (lambda: Ising(Lattice((4,)), -1.0), "temperature must be positive, not -1.0"),
        (lambda: Ising(Lattice((4,)), math.nan), "temperature must be finite, not nan"),
        (lambda: Ising(Lattice((4,)), math.inf), "temperature must be finite"),
        (lambda: Ising(Lattice((4,)), 1.0, coupling=math.nan), "coupling must be finite"),
        (lambda: Ising(Lattice((4,)), 1.0, coupling=None), "needs a coupling"),
        (lambda: Ising(Lattice((4,)), 1.0, field=math.inf), "field must be finite"),
        (lambda: Ising.from_kernel(Lattice((4,)), np.zeros(3)), r"kernel has shape \(3,\)"),
        (lambda: Ising.from_kernel(Lattice((3,)), np.array([0.0, 1.0, 0.5])), "symmetric"),
        (lambda: Ising.from_kernel(Lattice((3,)), np.array([0.0, np.nan, 0.5])), "not finite"),
        (lambda: Ising(Lattice((4,)), 1.0).energy(jnp.ones(3)), r"shape \(3,\).*shape \(4,\)"),
        (lambda: Ising(Lattice((4,)), 1.0).observables(jnp.ones(3)), r"shape \(3,\)"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
