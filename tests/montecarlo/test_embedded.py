"""Embedded clusters for XY and phi^4 against Bessel functions, quadrature, Metropolis and known tau_int."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from deeprg.hamiltonians import XY, Ising, Phi4
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.samplers._embedded import EmbeddedSwendsenWang, EmbeddedWolff
from deeprg.runs.errors import UsageError

BOTH = pytest.mark.parametrize("sampler", [EmbeddedWolff, EmbeddedSwendsenWang], ids=lambda s: s.name)


def sampled(sampler, model, draws, thin, chains=4, seed=0, updates=200):
    """Configurations [chains, draws, *shape] in float64, and the last thermalised state and run's info."""
    engine = sampler([model], chains)
    state, _ = engine.thermalise(engine.start(seed=seed, order="mixed"), updates, seed=seed)
    drawn = engine.run(state, draws, thin, seed=seed, block=0)
    return drawn.configurations[:, 0].swapaxes(0, 1).astype(float), state, drawn.info


def deviation(series, exact):
    """The distance of a mean from a number in standard errors."""
    found = gamma_method(series)
    assert not found.short
    return abs(found.mean - exact) / found.error


def ring_cosine(length, coupling):
    """⟨cos(theta_i - theta_j)⟩ of neighbours on a ring of rotors, from the Fourier modes of exp(K cos)."""
    n = np.arange(-60, 61)
    own, beside = special.ive(n, coupling), (special.ive(n - 1, coupling) + special.ive(n + 1, coupling)) / 2
    return np.sum(own ** (length - 1) * beside) / np.sum(own**length)


@BOTH
@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_rotor_ring_has_its_exact_energy(sampler, coupling):
    angles, _, _ = sampled(sampler, XY(Lattice((8,)), 0.7, coupling), 8000, 2)
    assert angles.min() >= -np.pi - 1e-6
    assert angles.max() < np.pi
    cosine = coupling * np.cos(angles - np.roll(angles, 1, -1)).mean(-1)
    assert deviation(cosine, ring_cosine(8, 1 / 0.7)) < 3.5
    assert deviation(cosine, ring_cosine(8, 1 / 0.75)) > 3.5


def metropolis_rotors(size, temperature, chains, sweeps, seed):
    """Energy and m^2 [chains, sweeps] of XY spins by a plain checkerboard Metropolis in NumPy."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-np.pi, np.pi, (chains, size, size))
    masks = [np.indices((size, size)).sum(0) % 2 == parity for parity in range(2)]
    shifts = [(step, axis) for axis in (1, 2) for step in (1, -1)]
    energies, moments = np.empty((2, chains, sweeps))
    for sweep in range(-sweeps // 5, sweeps):
        for mask in masks:
            new = angles + rng.uniform(-2.0, 2.0, angles.shape)
            around = [np.roll(angles, *shift) for shift in shifts]
            gain = sum(np.cos(new - other) - np.cos(angles - other) for other in around)
            accept = mask & (np.log(rng.random(angles.shape)) < gain / temperature)
            angles = np.where(accept, new, angles)
        if sweep >= 0:
            bonds = sum(np.cos(angles - np.roll(angles, 1, axis)) for axis in (1, 2))
            energies[:, sweep] = -bonds.mean((1, 2))
            moments[:, sweep] = abs(np.exp(1j * angles).mean((1, 2))) ** 2
    return energies, moments


def test_rotors_on_a_square_agree_with_metropolis():
    reference = [gamma_method(series) for series in metropolis_rotors(4, 0.9, 200, 1000, seed=1)]
    model = XY(Lattice((4, 4)), 0.9)
    for sampler in (EmbeddedWolff, EmbeddedSwendsenWang):
        angles, _, info = sampled(sampler, model, 10000, 2)
        energy = -sum(np.cos(angles - np.roll(angles, 1, axis)).mean((-2, -1)) for axis in (-2, -1))
        m2 = abs(np.exp(1j * angles).mean((-2, -1))) ** 2
        for series, expected in zip((energy, m2), reference, strict=True):
            found = gamma_method(series)
            error = np.hypot(found.error, expected.error)
            assert error < 0.01 * abs(expected.mean)
            assert abs(found.mean - expected.mean) < 3.5 * error
        assert 0 < info["cluster_size"][0] < 1


def ring_moments(length, mass_squared, quartic):
    """⟨phi^2⟩, ⟨phi^4⟩, ⟨phi_i phi_{i+1}⟩ of phi^4 on a ring from the powers of its transfer matrix."""
    x = np.linspace(-4, 4, 401)
    potential = 0.5 * (mass_squared * x**2 + quartic * x**4)
    transfer = np.exp(-potential[:, None] - potential - (x[:, None] - x) ** 2) * (x[1] - x[0])
    others = np.linalg.matrix_power(transfer, length - 1)
    diagonal = np.sum(transfer * others.T, axis=1)
    pair = np.einsum("ij,ji,i,j", transfer, others, x, x)
    return np.array([diagonal @ x**2, diagonal @ x**4, pair]) / diagonal.sum()


@BOTH
def test_phi4_ring_has_the_moments_of_its_transfer_matrix(sampler):
    fields, _, info = sampled(sampler, Phi4(Lattice((6,)), -1.0, 1.0), 20000, 2)
    series = ((fields**2).mean(-1), (fields**4).mean(-1), (fields * np.roll(fields, 1, -1)).mean(-1))
    for exact, twin, values in zip(ring_moments(6, -1, 1), ring_moments(6, -1, 1.05), series, strict=True):
        assert deviation(values, exact) < 3.5
        assert deviation(values, twin) > 3.5
    assert 0.4 < info["acceptance"][0] < 0.6


@BOTH
def test_phi4_with_double_bonds_agrees_with_quadrature(sampler):
    model = Phi4(Lattice((2, 2)), -3.0, 1.5)
    x = jnp.linspace(-2.8, 2.8, 31)
    grid = jnp.stack(jnp.meshgrid(x, x, x, x, indexing="ij"), -1).reshape(-1, 2, 2)
    weights = np.exp(-np.asarray(jax.vmap(model.energy)(grid)))
    exact = np.sum(weights * np.asarray(jnp.mean(grid**2, (1, 2)))) / weights.sum()
    fields, _, _ = sampled(sampler, model, 10000, 2)
    assert deviation((fields**2).mean((-2, -1)), exact) < 3.5
    assert deviation((fields**2).mean((-2, -1)), 1.02 * exact) > 3.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "quartic", "tau_action", "tau_m2", "draws"),
    [(32, 4.572, (5.1, 0.3), (3.4, 0.2), 30_000), (64, 4.398, (7.4, 0.8), (4.5, 0.4), 12_000)],
)
def test_autocorrelation_times_where_xi_is_a_quarter_of_l(size, quartic, tau_action, tau_m2, draws):
    """tau_int in updates of an independent C program with untuned proposals, and xi/L = 1/4."""
    fields, _, _ = sampled(
        EmbeddedSwendsenWang, Phi4(Lattice((size, size)), -4.0, quartic), draws, 1, chains=1
    )
    kinetic = sum((fields - np.roll(fields, 1, axis)) ** 2 for axis in (-2, -1))
    action = (kinetic - 4 * fields**2 + quartic * fields**4).mean((-2, -1))
    m2 = fields.mean((-2, -1)) ** 2
    for series, (expected, error) in ((action, tau_action), (m2, tau_m2)):
        found = gamma_method(series)
        assert abs(found.tau_int - expected) < 4 * np.hypot(found.tau_int_error, error)
    wave = np.exp(2j * np.pi * np.arange(size) / size)
    modes = [abs(fields.sum(axis) @ wave) ** 2 / size**2 for axis in (-2, -1)]
    ratio = size**2 * m2.mean() / np.mean(modes)
    xi = np.sqrt(ratio - 1) / (2 * np.sin(np.pi / size))
    assert abs(xi / size - 0.25) < 0.01


@BOTH
@pytest.mark.parametrize("model", [XY(Lattice((4, 6)), 0.9), Phi4(Lattice((4, 6)), -4.0, 5.0)])
def test_a_run_is_a_pure_function_of_its_arguments(sampler, model):
    engine = sampler([model], 3)
    state = engine.start(seed=1, order="mixed")
    before = {name: value.copy() for name, value in state.items()}
    first = engine.run(state, 4, 3, seed=1, block=5)
    assert all((state[name] == before[name]).all() for name in before)
    assert first.configurations.shape == (4, 1, 3, 4, 6)
    assert first.configurations.dtype == np.float32
    again = engine.run(state, 4, 3, seed=1, block=5)
    assert (first.configurations == again.configurations).all()
    assert (first.state["configurations"] == first.configurations[-1]).all()
    assert (first.configurations != engine.run(state, 4, 3, seed=2, block=5).configurations).any()
    assert (first.configurations != engine.run(state, 4, 3, seed=1, block=6).configurations).any()


def test_widths_adapt_only_in_thermalisation():
    engine = EmbeddedWolff([Phi4(Lattice((8, 8)), -4.0, 5.0)], 2, double_precision=True)
    state = engine.start(seed=0, order="hot")
    adapted, _ = engine.thermalise(state, 100, seed=0)
    assert (adapted["width"] != state["width"]).all()
    drawn = engine.run(adapted, 5, 5, seed=0, block=0)
    assert (drawn.state["width"] == adapted["width"]).all()
    assert drawn.configurations.dtype == np.float64


@BOTH
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (XY(Lattice((5, 4)), 1.0, -1.0), "frustrated.*tempering"),
        (Ising(Lattice((4, 4)), 2.0), "For Ising and Potts take"),
    ],
)
def test_refusals_name_the_alternative(sampler, model, reason):
    with pytest.raises(UsageError, match=reason):
        sampler([model], 1)
