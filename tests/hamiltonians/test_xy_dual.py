"""The dual of planar spins against quadrature, dense matrices, the exact ring and its sampling laws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy import special

from deeprg.coarsegrain.flow import whitening
from deeprg.exact import reference, xy_ring
from deeprg.hamiltonians import XY, XYDual
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


def dual(shape=(2,), temperature=1.0, shift=0.5, variable="x"):
    return XYDual(XY(Lattice(shape), temperature), shift, variable)


def average(model, function, points=26, width=1.6):
    """ln ∫ dx exp(-E) and the mean of a function, by Gauss-Hermite quadrature in the whitened variable."""
    nodes, weights = hermegauss(points)
    dimension = model.lattice.size
    grid = width * np.array(list(itertools.product(nodes, repeat=dimension)))
    logs = np.log(weights) + nodes**2 / 2 + np.log(width)
    log_weights = np.array([sum(point) for point in itertools.product(logs, repeat=dimension)])
    x, log_det = whitening(model).forward(jnp.asarray(grid.T.reshape(*model.lattice.shape, -1)))
    log_weights += np.asarray(log_det - jax.vmap(model.energy, in_axes=-1)(x))
    total = special.logsumexp(log_weights)
    return total, np.exp(log_weights - total) @ np.asarray(jax.vmap(function, in_axes=-1)(x))


@pytest.mark.parametrize("variable", ["x", "y"])
def test_partition_function_and_energy_of_two_spins(variable):
    """Two spins are a ring; the twin at another temperature fails."""
    model, exact = dual(variable=variable), xy_ring(2, temperature=1.0)
    log_partition, energy = average(model, lambda x: model.scalars(x)["energy_per_site"])
    assert abs(log_partition - model.log_partition_constant - exact.log_partition) < 1e-8
    assert abs(log_partition - reference(model).log_partition) < 1e-8
    assert abs(energy - exact.energy_per_site) < 1e-7
    assert abs(energy - xy_ring(2, temperature=1.1).energy_per_site) > 1e-2


def test_moments_of_two_spins():
    model, exact = dual(), xy_ring(2, temperature=1.0)
    _, square = average(model, lambda x: model.scalars(x)["magnetization_squared"])
    _, mode = average(model, lambda x: model.scalars(x)["structure_factor_min"])
    _, neighbour = average(model, lambda x: model.observables(x)["correlation"][1])
    known = reference(model).observables
    assert square == pytest.approx(exact.magnetization_squared, abs=1e-7)
    assert known["magnetization_squared"] == pytest.approx(exact.magnetization_squared)
    assert mode == pytest.approx(1 - exact.correlation[1], abs=1e-7)
    assert neighbour == pytest.approx(exact.correlation[1], abs=1e-7)


@pytest.mark.parametrize("shape", [(3, 4), (1, 3), (5,)], ids=str)
def test_energy_and_force_by_dense_matrices(shape):
    x_dual, y_dual = dual(shape, 1.3), dual(shape, 1.3, variable="y")
    size = x_dual.xy.lattice.size
    bonds = x_dual.xy.bonds()
    coupling = np.zeros((size, size))
    np.add.at(coupling, (np.arange(size)[:, None], bonds.neighbours), bonds.couplings)
    coupling += np.eye(size) * 2 / 1.3 * shape.count(1)  # a bond to itself, from both sides
    matrix = coupling + (0.5 - np.linalg.eigvalsh(coupling).min()) * np.eye(size)
    x = 2 * np.random.default_rng(0).normal(size=(*shape, 2))
    flat = x.reshape(size, 2)
    radius = np.hypot(*flat.T)
    y = np.linalg.solve(matrix, flat)
    energy = 0.5 * np.sum(flat * y) - np.sum(np.log(special.ive(0, radius)) + radius)
    slope = (special.ive(1, radius) / special.ive(0, radius) / radius)[:, None] * flat
    np.testing.assert_allclose(x_dual.energy(jnp.asarray(x)), energy, rtol=1e-10)
    force = jax.grad(x_dual.energy)(jnp.asarray(x)).reshape(size, 2)
    np.testing.assert_allclose(force, y - slope, atol=1e-10)
    np.testing.assert_allclose(y_dual.energy(jnp.asarray(y.reshape(x.shape))), energy, rtol=1e-9)
    np.testing.assert_allclose(x_dual.to_local(jnp.asarray(x)).reshape(size, 2), y, atol=1e-10)
    np.testing.assert_allclose(y_dual.from_local(jnp.asarray(y.reshape(x.shape))), x, atol=1e-10)
    np.testing.assert_allclose(x_dual.log_det_coupling, 2 * np.linalg.slogdet(matrix)[1], rtol=1e-10)
    np.testing.assert_array_equal(jax.grad(x_dual.energy)(jnp.zeros(x.shape)), np.zeros(x.shape))


def test_sampling_laws():
    """x given the angles is Normal(K s, K), and angles given x have the mean vector I_1/I_0: 4 errors."""
    model = dual((3,))
    angles = jnp.asarray([0.3, 2.0, -1.0])
    fields = np.asarray(model.fields_given_spins(jnp.tile(angles, (40_000, 1)), key=jax.random.key(0)))
    spins = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    mean = np.asarray(model.from_local(jnp.asarray(spins)))
    variance = float(model.spectrum[:, 0].mean())
    assert np.abs(fields.mean(0) - mean).max() < 4 * np.sqrt(variance / 40_000)
    assert np.abs(fields.var(0) / variance - 1).max() < 4 * np.sqrt(2 / 40_000)
    one = np.array([[0.5, -1.0], [0.0, 2.0], [1.0, 1.0]])
    drawn = model.spins_given_fields(jnp.tile(one, (40_000, 1, 1)), key=jax.random.key(1))
    radius = np.hypot(*one.T)
    expected = (special.i1(radius) / special.i0(radius) / radius)[:, None] * one
    found = np.stack([np.cos(drawn).mean(0), np.sin(drawn).mean(0)], axis=-1)
    assert np.abs(found - expected).max() < 4 / np.sqrt(40_000)
    assert np.abs(found - expected[::-1]).max() > 0.1


def test_bad_input():
    with pytest.raises(UsageError, match="shift must be positive"):
        dual(shift=0.0)
    with pytest.raises(UsageError, match="'x' or 'y'"):
        dual(variable="z")
    with pytest.raises(UsageError, match="one or two axes"):
        dual((2, 2, 2))
    with pytest.raises(UsageError, match=r"shape \(4, 4\)"):
        dual((4, 4)).energy(jnp.ones((4, 4)))
